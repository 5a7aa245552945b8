//! Which layers a file system is made of.

use crate::store::Layer;
use drydock_core::Id;
use std::fmt;
use std::str::FromStr;

/// Names a layer. Images of the old format use their own id, others one computed from content.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct LayerId(pub Id);

impl fmt::Display for LayerId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl FromStr for LayerId {
    type Err = drydock_core::ParseIdError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        text.parse().map(Self)
    }
}

/// Layers over one another, the lowest first. Empty: an empty file system.
#[derive(Clone, Debug, Default)]
pub struct Chain(Vec<Layer>);

impl Chain {
    /// A chain of `layers`, the lowest first.
    #[must_use]
    pub fn new(layers: Vec<Layer>) -> Self {
        Self(layers)
    }

    /// Lays one more on top.
    pub fn push(&mut self, layer: Layer) {
        self.0.push(layer);
    }

    /// The layers, the lowest first.
    #[must_use]
    pub fn layers(&self) -> &[Layer] {
        &self.0
    }

    /// The topmost layer alone.
    pub(crate) fn topmost(&self) -> Self {
        Self(self.0.last().cloned().into_iter().collect())
    }

    /// The topmost.
    #[must_use]
    pub fn top(&self) -> Option<&Layer> {
        self.0.last()
    }
}
