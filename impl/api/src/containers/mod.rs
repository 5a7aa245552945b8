//! `/containers`: one file per endpoint.

pub(crate) mod attach;
pub(crate) mod attach_ws;
pub(crate) mod changes;
pub(crate) mod copy;
pub(crate) mod create;
pub(crate) mod delete;
pub(crate) mod export;
pub(crate) mod inspect;
pub(crate) mod kill;
pub(crate) mod list;
pub(crate) mod logs;
pub(crate) mod pause;
pub(crate) mod rename;
pub(crate) mod resize;
pub(crate) mod restart;
pub(crate) mod start;
pub(crate) mod stats;
pub(crate) mod stop;
pub(crate) mod top;
pub(crate) mod unpause;
pub(crate) mod view;
pub(crate) mod wait;
