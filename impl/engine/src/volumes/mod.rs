//! Volumes: what clients write of them, where their data is, and filling new ones from the image.

mod make;
mod spec;

pub use make::VolumePlace;
pub(crate) use make::{Plan, make};
pub(crate) use spec::{Bind, VolumesFrom, clean};
