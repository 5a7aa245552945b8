//! Volumes: what clients write of them, where their data is, and filling new ones from the image.

mod make;
mod spec;

pub(crate) use make::{Plan, directory, make};
pub(crate) use spec::{Bind, VolumesFrom, clean};
