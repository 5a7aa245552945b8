//! A bar on the terminal while a run is under way; silent where standard error is no terminal.

use std::time::Duration;

use indicatif::{ProgressBar, ProgressStyle};

use crate::run::Event;

/// The bar. Dropped, it clears its line.
pub struct Bar(ProgressBar);

impl Bar {
    /// A bar without length: the run tells it.
    pub fn new() -> Self {
        let bar = ProgressBar::new(0);
        let template = "{bar:32.green/black} {pos}/{len}  {elapsed}  {wide_msg:.dim}";
        // The template is ours: it is right or a test fails.
        bar.set_style(ProgressStyle::with_template(template).unwrap_or_else(|_| ProgressStyle::default_bar()));
        bar.enable_steady_tick(Duration::from_millis(200));
        Self(bar)
    }

    /// Takes note of what happened.
    pub fn tell(&self, event: Event<'_>) {
        match event {
            Event::Planned(count) => self.0.set_length(count as u64),
            Event::Done(name) => {
                self.0.inc(1);
                self.0.set_message(name.to_owned());
            }
            Event::Note(text) => self.0.suspend(|| eprintln!("{text}")),
        }
    }
}

impl Default for Bar {
    fn default() -> Self {
        Self::new()
    }
}

impl Drop for Bar {
    fn drop(&mut self) {
        self.0.finish_and_clear();
    }
}
