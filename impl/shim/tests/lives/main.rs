//! Real lives, led through the protocol. Need root and the host's static busybox; say so where either is missing.

mod house;
mod life;
