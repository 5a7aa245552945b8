//! More programs in a running container.
//!
//! An exec is made, started (again, once it ended), and forgotten with the end of its container's run. Its record is
//! kept, so that the next daemon still knows how it ended.

mod create;
mod inspect;
mod resize;
mod start;
mod table;

pub use create::ExecCreate;
pub use inspect::{ExecInspection, ExecState};
pub use resize::ExecResize;
pub use start::{ExecSession, ExecStart};
pub(crate) use table::{Exec, ExecRecord, ExecTable};
