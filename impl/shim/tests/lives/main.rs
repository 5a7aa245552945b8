//! Real lives, led through the protocol. Need root and the host's static busybox; say so where either is missing.

mod exec;
mod house;
mod inside;
mod life;
mod limits;
mod rootless;
mod soak;
mod streams;
mod survival;
mod terminal;
