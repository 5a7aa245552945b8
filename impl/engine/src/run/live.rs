//! What a run that goes on holds, and what can be asked of it.

use super::shim::Shim;
use crate::Error;
use crate::containers::Signal;
use crate::state::Running;
use drydock_network::Attachment;
use drydock_shim_protocol::{Answer, Process, Refusal, Request, Sample};
use std::path::PathBuf;
use std::sync::Arc;
use tokio::task::AbortHandle;

use super::shim::ShimError;

/// A run that goes on. Dropping it lets go of the shim, which goes on; its parts are taken apart by teardown.
pub(crate) struct Live {
    pub(crate) facts: Running,
    pub(crate) shim: Arc<Shim>,
    /// Address, ports and namespace; `None` where it shares another container's.
    pub(crate) network: Option<Attachment>,
    /// Where its network namespace is.
    pub(crate) namespace: drydock_network::Namespace,
    /// The shim's runtime directory.
    pub(crate) dir: PathBuf,
    pub(crate) supervisor: AbortHandle,
}

impl Live {
    /// Sends a signal to the first process. One that exited, and whose exit is on its way, is no error.
    pub(crate) async fn signal(&self, signal: Signal) -> Result<(), Error> {
        let request = Request::Signal { process: Process::Init, signal: i32::from(signal.number()) };
        match self.shim.done(request).await {
            Ok(()) | Err(ShimError::Refused(Refusal::NotRunning) | ShimError::Gone) => Ok(()),
            Err(error) => Err(error.into()),
        }
    }

    pub(crate) async fn freeze(&self) -> Result<(), Error> {
        Ok(self.shim.done(Request::Pause).await?)
    }

    pub(crate) async fn thaw(&self) -> Result<(), Error> {
        Ok(self.shim.done(Request::Unpause).await?)
    }

    pub(crate) async fn resize(&self, process: Process, rows: u16, columns: u16) -> Result<(), Error> {
        Ok(self.shim.done(Request::Resize { process, rows, columns }).await?)
    }

    pub(crate) async fn processes(&self) -> Result<Vec<u32>, Error> {
        match self.shim.ask(Request::Processes).await? {
            Answer::Processes(pids) => Ok(pids),
            _ => Err(ShimError::Unexpected.into()),
        }
    }
}

/// Measures a run.
pub(crate) async fn sample(shim: &Shim) -> Result<Sample, ShimError> {
    match shim.ask(Request::Stats).await? {
        Answer::Sample(sample) => Ok(sample),
        _ => Err(ShimError::Unexpected),
    }
}
