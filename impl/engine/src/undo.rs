//! Steps that undo themselves unless all of them go well.

/// What to undo, last first, when this is dropped before [`Undo::keep`].
#[derive(Default)]
pub(crate) struct Undo(Vec<Box<dyn FnOnce() + Send>>);

impl Undo {
    /// Has `step` done if a later one fails.
    pub(crate) fn push(&mut self, step: impl FnOnce() + Send + 'static) {
        self.0.push(Box::new(step));
    }

    /// All went well.
    pub(crate) fn keep(mut self) {
        self.0.clear();
    }
}

impl Drop for Undo {
    fn drop(&mut self) {
        while let Some(step) = self.0.pop() {
            step();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::{Arc, Mutex};

    #[test]
    fn steps_are_undone_last_first_unless_kept() {
        let undone = Arc::new(Mutex::new(Vec::new()));
        let steps = || {
            let mut undo = Undo::default();
            for step in 0..3 {
                let undone = Arc::clone(&undone);
                undo.push(move || undone.lock().unwrap().push(step));
            }
            undo
        };
        steps().keep();
        assert!(undone.lock().unwrap().is_empty());
        drop(steps());
        assert_eq!(*undone.lock().unwrap(), [2, 1, 0]);
    }
}
