//! `rename`.

use crate::{Engine, Error, Target};
use drydock_core::NameGrammar;

/// Give a container another name.
#[derive(Clone, Debug)]
pub struct Rename {
    /// Which.
    pub target: Target,
    /// New name as it came.
    pub name: String,
    /// Which names are allowed.
    pub name_grammar: NameGrammar,
}

impl Engine {
    /// Gives a container another name.
    ///
    /// # Errors
    /// `NoSuchContainer`…, `NoNewName`, `NameMalformed`, `NameTaken` (also by itself). Which of the first two goes
    /// first is the view's to decide: it may look the container up before.
    pub async fn rename(&self, command: Rename) -> Result<(), Error> {
        let _ = command;
        todo!()
    }
}
