//! From an error of engine or images to an outcome of the spec.
//!
//! The one place that decides which outcome a client sees; status and text of a version are the spec's. An error names
//! several outcomes where versions tell it differently: the first that the version has at this endpoint is taken.

mod start;

use drydock_core::{ImageReference, TagError};
use drydock_engine::{Error, StartFailure, VolumeError};
use drydock_images::Error as ImageError;
use drydock_spec::EndpointId;

use start::{start_failure, volume};

use crate::{
    call::Call,
    reply::{Refusal, Reply},
};

impl Call {
    /// The refusal that an engine's error is here.
    pub(crate) fn refuse(&self, error: Error) -> Refusal {
        let (outcomes, mut reply) = match error {
            Error::NoSuchContainer(reference) => (&["no-such-container"][..], told().with("reference", reference)),
            Error::EmptyReference => (&["reference-empty", "no-such-container"][..], told()),
            Error::AmbiguousReference(reference) => {
                (&["ambiguous-reference", "no-such-container"][..], told().with("reference", reference))
            }
            Error::NoSuchExec(reference) => (&["no-such-exec"][..], told().with("reference", reference)),
            Error::NameMalformed(name) => (&["name-malformed"][..], told().with("name", name)),
            Error::NameTaken { name, by } => {
                (&["name-taken"][..], told().with("name", name.to_string()).with("id12", by.short()))
            }
            Error::NoNewName => (&["no-new-name", "name-malformed"][..], told().with("name", "")),
            Error::NoCommand => (&["no-command"][..], told()),
            Error::NoExecCommand => (&["no-exec-command"][..], told()),
            Error::MemoryTooSmall { .. } => (&["memory-too-small"][..], told()),
            Error::SwapWithoutMemory => (&["swap-without-memory"][..], told()),
            Error::SwapBelowMemory => (&["swap-below-memory"][..], told()),
            Error::BlkioWeight => (&["blkio-weight-out-of-range"][..], told()),
            Error::WorkingDirRelative(path) => (&["working-dir-relative"][..], told().with("path", path)),
            Error::SecurityOption(option) => (&["security-option-malformed"][..], told().with("option", option)),
            Error::Volume(error @ VolumeError::FromMissing(_)) => {
                let (outcomes, reply) = volume(&error);
                // Where the request itself fails of it, it is the container that is told to be missing.
                let missing = reply.values.first().map(|(_, missing)| missing.clone()).unwrap_or_default();
                (outcomes, reply.with("reference", missing))
            }
            Error::Volume(error) => volume(&error),
            Error::LinkMalformed(link) if link.is_empty() => {
                (&["link-empty", "link-malformed"][..], told().with("link", link))
            }
            Error::LinkMalformed(link) => (&["link-malformed"][..], told().with("link", link)),
            Error::LinkMissing(reference) => (&["link-missing"][..], told().with("reference", reference)),
            Error::LinkParent(link) => (&["link-parent-missing"][..], told().with("link", link)),
            Error::NoSuchLink(reference) => {
                (&["no-such-link", "no-such-container"][..], told().with("reference", reference))
            }
            Error::NameIsNoLink => (&["name-is-no-link"][..], told()),
            Error::LxcOptions => (&["lxc-options-unsupported"][..], told()),
            Error::PortMalformed(port) => (&["port-malformed", "host-port-malformed"][..], told().with("port", port)),
            Error::SignalMalformed(signal) => (&["signal-malformed"][..], told().with("signal", signal)),
            Error::EmptyPath => (&["path-empty"][..], told()),
            Error::NotRunning(id) => (&["not-running"][..], told().with("id", id.to_string())),
            Error::Paused(id) => (&["paused"][..], told().with("id", id.to_string())),
            Error::AlreadyPaused(id) => (&["already-paused"][..], told().with("id", id.to_string())),
            Error::NotPaused(id) => (&["not-paused"][..], told().with("id", id.to_string())),
            Error::BetweenRuns(id) => (&["between-runs", "not-running"][..], told().with("id", id.to_string())),
            Error::RunningNotRemoved(id) => (&["running"][..], told().with("id", id.to_string())),
            Error::ExecRunning(_) => (&["already-running"][..], told().with("reference", self.reference.clone())),
            Error::ExecNotRunning(_) => (&["finished", "no-such-exec"][..], told()),
            Error::Start(failure) => return self.refuse_start(&failure),
            Error::Ps { status, .. } => (&["ps-refused"][..], told().with("n", status.to_string())),
            Error::PsWithoutPid => (&["ps-without-pid", "ps-refused"][..], told().with("n", "1")),
            Error::LogsUnreadable(driver) => (&["driver-not-readable"][..], told().with("driver", driver)),
            Error::Images(error) => return self.refuse_image(error),
            Error::Layers(drydock_layers::Error::NoSuchPath(path)) => {
                (&["no-such-path"][..], told().with("path", path))
            }
            Error::Layers(drydock_layers::Error::PathLoop(path)) => {
                (&["path-loop", "no-such-path"][..], told().with("path", path))
            }
            error @ (Error::BeingRemoved(_)
            | Error::ShuttingDown
            | Error::Layers(_)
            | Error::Store { .. }
            | Error::Io { .. }
            | Error::Shim(_)) => return internal(&error),
        };
        if self.endpoint == EndpointId::ContainersCreate {
            // Create has no container yet: what it names is the other one.
            let other = reply
                .values
                .iter()
                .find(|(name, _)| matches!(*name, "container" | "shared"))
                .map(|(_, value)| value.clone());
            reply.values.extend(other.map(|other| ("reference", other)));
        }
        self.first_of(outcomes, reply)
    }

    /// The refusal of an archive: one of no bytes is told apart.
    pub(crate) fn refuse_import(&self, error: ImageError) -> Refusal {
        match error {
            ImageError::Layers(drydock_layers::Error::Archive(drydock_layers::tar::ArchiveError::Empty)) => {
                self.first_of(&["body-absent", "archive-broken"], told())
            }
            error => self.refuse_image(error),
        }
    }

    /// Why a start failed, as `State.Error` has it: the refusal's text without the words before the reason.
    pub(crate) fn start_text(&self, failure: &StartFailure) -> String {
        let start = self.spec().endpoint(EndpointId::ContainersStart);
        let (outcome, reply) = self.start_failure(failure);
        let answers =
            start.outcome(outcome).into_iter().flat_map(|outcome| outcome.answers(self.version, self.version));
        let mut answers: Vec<_> = answers.filter_map(|(_, answer)| answer.text.as_ref()).collect();
        let text =
            if reply.nth < answers.len() { Some(answers.swap_remove(reply.nth)) } else { answers.into_iter().next() };
        let values: Vec<(&str, &str)> = reply.values.iter().map(|(name, value)| (*name, value.as_str())).collect();
        let text = text.map_or_else(|| chain(failure), |text| text.render(&values));
        text.strip_prefix("Cannot start container {reference}: ").map_or(text.clone(), str::to_owned)
    }

    fn refuse_start(&self, failure: &StartFailure) -> Refusal {
        if let (true, StartFailure::IpcTargetMissing(name)) = (self.creates(), failure) {
            // Daemons that looked whether it runs took the words for its absence for those for the image's.
            let runs = self.answers("ipc-target-not-running");
            let outcome = if runs { "no-such-image" } else { "volumes-from-missing" };
            return self.first_of(&[outcome], told().with("reference", name));
        }
        let (outcomes, mut reply) = start_failure(failure);
        if let (true, Some(shared)) =
            (self.creates(), reply.values.iter().find(|(name, _)| *name == "shared").map(|(_, value)| value.clone()))
        {
            reply.values.push(("reference", shared));
        }
        let chain = chain(failure);
        self.first_of(outcomes, reply.detail(format!("Cannot start container {}: {chain}", self.reference)))
    }

    /// The outcome of `start` that a failure is.
    pub(crate) fn start_failure(&self, failure: &StartFailure) -> (&'static str, Reply) {
        let start = self.spec().endpoint(EndpointId::ContainersStart);
        let (outcomes, reply) = start_failure(failure);
        let told = outcomes.iter().find(|outcome| start.answer(outcome, self.version).is_some());
        (told.or(outcomes.last()).copied().unwrap_or_default(), reply)
    }

    fn creates(&self) -> bool {
        self.endpoint == EndpointId::ContainersCreate
    }

    /// The refusal that an image store's error is here.
    pub(crate) fn refuse_image(&self, error: ImageError) -> Refusal {
        let (outcomes, reply) = match error {
            ImageError::NoSuchImage { reference, .. } => {
                let split = ImageReference::split(&reference);
                let tag = split.tag().unwrap_or_default().to_owned();
                (&["no-such-image"][..], told().with("image", &reference).with("tag", tag).with("reference", reference))
            }
            ImageError::EmptyReference => (
                &["reference-empty", "image-empty", "no-such-image"][..],
                told().with("image", "").with("tag", "latest"),
            ),
            ImageError::AmbiguousReference(reference) => (
                &["ambiguous-reference", "no-such-image"][..],
                told().with("image", &reference).with("tag", "latest").with("reference", reference),
            ),
            ImageError::RepositoryEmpty => (&["repo-empty"][..], told()),
            ImageError::RepositoryReserved(name) => (&["repo-reserved"][..], told().with("repository", name)),
            ImageError::Tag(TagError::Illegal(tag)) => (&["tag-malformed"][..], told().with("tag", tag)),
            ImageError::Tag(TagError::Empty) => (&["tag-malformed"][..], told().with("tag", "")),
            ImageError::TagTaken { tag, is, .. } => {
                (&["tag-taken"][..], told().with("tag", tag).with("id", is.to_string()))
            }
            ImageError::SeveralRepositories { reference } => {
                (&["tagged-more-than-once"][..], told().with("image", reference))
            }
            ImageError::InUse { image, container, running, forced, untagged } => {
                let outcomes = match (running, forced) {
                    (true, true) => &["force-in-use-by-running"][..],
                    (true, false) => &["in-use-by-running"][..],
                    (false, _) => &["in-use"][..],
                };
                let told = Reply { nth: usize::from(untagged), ..told() };
                (outcomes, told.with("id12", image.short()).with("id12", container.short()))
            }
            ImageError::NothingToSave => (&["names-absent"][..], told()),
            ImageError::ArchiveJson { source, .. } => (&["archive-not-json"][..], told().detail(source.to_string())),
            ImageError::ArchiveLacks(path) => (
                &["archive-incomplete", "archive-broken"][..],
                told().with("n", "1").with("reason", &path).with("path", path),
            ),
            ref error @ (ImageError::Layers(_)
            | ImageError::ArchiveId(_)
            | ImageError::ArchiveDigest(_)
            | ImageError::ArchiveTooLarge(_)
            | ImageError::ArchiveLoop(_)) => (
                &["archive-broken"][..],
                told().with("n", "1").with("stdout", "").with("reason", archive_reason(error)),
            ),
            error @ (ImageError::DigestMalformed(_)
            | ImageError::DigestTaken { .. }
            | ImageError::NothingDeleted(_)
            | ImageError::Full { .. }
            | ImageError::Database { .. }
            | ImageError::NewerFormat { .. }
            | ImageError::Record(_)
            | ImageError::Fault(_)) => return internal(&error),
        };
        self.first_of(outcomes, reply)
    }

    /// The reply with the first of these outcomes that the version has here; with the last of them if it has none.
    fn first_of(&self, outcomes: &[&'static str], mut reply: Reply) -> Refusal {
        let found = outcomes.iter().find(|outcome| self.answers(outcome)).or(outcomes.last());
        reply.outcome = found.copied().unwrap_or_default();
        Box::new(reply)
    }
}

/// A reply whose outcome is still to be chosen.
fn told() -> Reply {
    Reply::new("")
}

/// What no version's words tell: a plain server error with its causes.
fn internal(error: &(dyn std::error::Error + 'static)) -> Refusal {
    Box::new(Reply::new("server-error").detail(chain(error)))
}

/// What is wrong with an archive, in the recorded word where there is one (`images.load-save/all`, `load-not-tar`).
fn archive_reason(error: &ImageError) -> String {
    use drydock_layers::{Error as LayerError, tar::ArchiveError};
    match error {
        ImageError::Layers(LayerError::Archive(ArchiveError::Truncated)) => "unexpected EOF".to_owned(),
        error => chain(error),
    }
}

/// An error with its causes, outermost first.
pub(crate) fn chain(error: &(dyn std::error::Error + 'static)) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        text += &format!(": {error}");
        cause = error.source();
    }
    text
}
