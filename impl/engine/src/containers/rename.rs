//! `rename`.

use crate::events::Action;
use crate::{Engine, Error, Target};
use drydock_core::{Name, NameGrammar};

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
        if command.name.is_empty() {
            return Err(Error::NoNewName);
        }
        let container = self.find(&command.target)?;
        let mut body = container.lock().await?;
        let name = Name::parse(&command.name, command.name_grammar).map_err(|error| Error::NameMalformed(error.0))?;
        let claim = self.0.registry.claim(name, container.id)?;
        let old = std::mem::replace(&mut body.definition.name, claim.name().clone());
        let renamed_before = std::mem::replace(&mut body.definition.renamed, true);
        let recorded = match body.definition_record(container.id) {
            Ok(record) => self.0.store.commit(vec![record]).await,
            Err(error) => Err(error),
        };
        if let Err(error) = recorded {
            body.definition.name = old;
            body.definition.renamed = renamed_before;
            return Err(error);
        }
        self.0.registry.rename(&old, claim);
        container.publish(&body);
        self.tell(&container, Action::Rename);
        Ok(())
    }
}
