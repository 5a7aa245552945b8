//! More programs in a running container.

mod create;
mod inspect;
mod resize;
mod start;

pub use create::ExecCreate;
pub use inspect::{ExecInspection, ExecState};
pub use resize::ExecResize;
pub use start::{ExecSession, ExecStart};
