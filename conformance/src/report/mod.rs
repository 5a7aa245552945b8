//! Reports: what a run found, for a terminal, a browser, a build server, a program.
//!
//! All are drawn from [`Report`] alone, so a stored `report.json` can be drawn again.

mod html;
mod junit;
mod progress;
mod terminal;

pub use html::html;
pub use junit::junit;
pub use progress::Bar;
pub use terminal::summary;

use std::{
    fs, io,
    path::{Path, PathBuf},
};

use crate::verdict::Report;

/// Why a report was not written.
#[derive(Debug, thiserror::Error)]
pub enum ReportError {
    /// The folder or a file in it.
    #[error("writing {path}")]
    Write {
        /// Which.
        path: PathBuf,
        /// What the system says.
        #[source]
        source: io::Error,
    },
    /// The report has no JSON form.
    #[error("as JSON")]
    Json(#[from] serde_json::Error),
    /// The report has no JUnit form.
    #[error("as JUnit XML")]
    Junit(#[from] quick_junit::SerializeError),
}

/// Writes `report.html`, `junit.xml` and `report.json` into a folder, which is made if need be; gives their paths.
pub fn write(report: &Report, folder: &Path) -> Result<Vec<PathBuf>, ReportError> {
    let failed = |path: &Path| {
        let path = path.to_owned();
        move |source| ReportError::Write { path, source }
    };
    fs::create_dir_all(folder).map_err(failed(folder))?;
    let files = [
        ("report.html", html(report)?),
        ("junit.xml", junit(report)?),
        ("report.json", serde_json::to_string(report)?),
    ];
    files
        .into_iter()
        .map(|(name, content)| {
            let path = folder.join(name);
            fs::write(&path, content).map_err(failed(&path))?;
            Ok(path)
        })
        .collect()
}

#[cfg(test)]
mod tests;
