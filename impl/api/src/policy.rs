//! From named behaviours to the policy of commands: the one place where a version decides what the engine does.

use drydock_core::{NameGrammar, RepositoryRules, TagRules};
use drydock_engine::{
    Action, CreateRules, Death, ExitCodes, InsideRules, IpcTarget, Lookup, RetryCounting, SignalCode, StatusMatch,
    Target, VolumePlace,
};
use drydock_images::{DeletePolicy, TagPolicy};
use drydock_layers::DirectoryTimes;
use drydock_spec::{Behaviour, Version};

use crate::call::Call;

/// What a version's daemon does.
#[derive(Clone, Copy)]
pub(crate) struct Policy(pub(crate) Version);

impl Policy {
    fn has(self, behaviour: Behaviour) -> bool {
        self.0.has(behaviour)
    }

    /// What a reference means.
    pub(crate) fn target(self, reference: &str) -> Target {
        let lookup =
            if self.has(Behaviour::LookupNameBeforeIdPrefix) { Lookup::NameFirst } else { Lookup::PrefixFirst };
        Target::new(reference.strip_prefix('/').unwrap_or(reference), lookup)
    }

    pub(crate) fn name_grammar(self) -> NameGrammar {
        if self.has(Behaviour::NamesTwoCharacters) { NameGrammar::LetterOrDigitFirst } else { NameGrammar::AnyPlace }
    }

    pub(crate) fn exit_codes(self) -> ExitCodes {
        let when = |behaviour, code, otherwise| if self.has(behaviour) { code } else { otherwise };
        let signal =
            if self.has(Behaviour::ExitCodeSignalIs128Plus) { SignalCode::Plus128 } else { SignalCode::MinusOne };
        ExitCodes {
            signal,
            not_prepared: when(Behaviour::ExitCodeFailedPreparationIs128, 128, 0),
            not_executed: when(Behaviour::ExitCodeFailedExecutionIsMinusOne, -1, 0),
            unknown: when(Behaviour::ExitCodeLostIsMinus127, -127, 0),
        }
    }

    pub(crate) fn retry_counting(self) -> RetryCounting {
        if self.has(Behaviour::RestartCountsRetries) { RetryCounting::Retries } else { RetryCounting::Runs }
    }

    pub(crate) fn inside(self) -> InsideRules {
        InsideRules {
            pts_first: self.has(Behaviour::InsidePtsBeforeShm),
            mqueue: self.has(Behaviour::InsideMqueue),
            proc_fs_read_only: self.has(Behaviour::InsideProcFsReadOnly),
            unknown_capabilities_left: self.has(Behaviour::InsideUnknownCapabilitiesLeft),
            cpuset_always: self.has(Behaviour::InsideCpusetAlways),
            cpu_shares_checked: self.has(Behaviour::InsideCpuSharesChecked),
            linked_by_all_names: self.has(Behaviour::InsideLinksByEveryName),
            domain_in_hostname: self.has(Behaviour::InsideDomainInHostname),
            volumes_first: self.has(Behaviour::InsideVolumesBeforeFiles),
            files_follow_root: self.has(Behaviour::InsideFilesFollowTheRoot),
            resolver_first: self.has(Behaviour::NetworkResolverFileFirst),
            hostname_file_shared: self.has(Behaviour::NetworkSharesTheHostnameFile),
            network_mode_told: self.has(Behaviour::NetworkTellsAnOpenMode),
            network_mode_first: self.has(Behaviour::NetworkLooksForItsModeFirst),
            no_files_without_network: self.has(Behaviour::NetworkNoFilesWhenDisabled),
            links_need_address: self.has(Behaviour::LinksNeedAnAddress),
            host_ports_lenient: self.has(Behaviour::PortsReadLeniently),
            host_address_checked: self.has(Behaviour::PortsCheckHostAddresses),
            larger_ports_first: self.has(Behaviour::PortsLargerFirst),
            multicast: self.has(Behaviour::InsideMulticast),
            transmit_queue: if self.has(Behaviour::InsideTransmitQueue) { 1000 } else { 0 },
            mac_left_to_kernel: self.has(Behaviour::NetworkMacLeftToTheKernel),
            loopback_nameservers: !self.has(Behaviour::ResolvConfLoopbackReplaced),
            high_ephemeral_ports: !self.has(Behaviour::NetworkEphemeralPortsFrom32768),
            journald: self.has(Behaviour::LogsJournald),
            first_address: if self.has(Behaviour::NetworkFirstAddress) { 1 } else { 2 },
            ..InsideRules::default()
        }
    }

    pub(crate) fn tag_rules(self) -> TagRules {
        if self.has(Behaviour::TagsFreeForm) {
            TagRules::NoSeparators
        } else {
            TagRules::WordFirst { longest: if self.has(Behaviour::TagsOfTwoCharacters) { 30 } else { 128 } }
        }
    }

    pub(crate) fn tagging(self) -> TagPolicy {
        TagPolicy {
            tags: self.tag_rules(),
            reserved: if self.has(Behaviour::ImagesScratchIsReserved) { &["scratch"] } else { &[] },
            replace: !self.has(Behaviour::ImagesTagNeedsForce),
        }
    }

    pub(crate) fn repositories(self) -> RepositoryRules {
        let long = self.has(Behaviour::RepositoriesLongNamespaces);
        RepositoryRules {
            namespace_length: if long { 2..=255 } else { 4..=30 },
            namespace_hyphens: self.has(Behaviour::RepositoriesHyphensInNamespaces),
            name_like_an_id_or_flag: !long,
        }
    }

    pub(crate) fn deleting(self) -> DeletePolicy {
        DeletePolicy {
            check_use_first: !self.has(Behaviour::ImagesDeleteUntagsBeforeItLooks),
            force_takes_all_repositories: self.has(Behaviour::ImagesForceDeletesAllTags),
            parent_in_several_repositories_refused: self.has(Behaviour::ImagesDeleteTellsOfParentsTags),
        }
    }

    /// Whether a request that brought an archive is its connection's last.
    pub(crate) fn archives_end_connections(self) -> bool {
        self.has(Behaviour::ArchivesEndConnections)
    }

    /// Whether a login is its connection's last request.
    pub(crate) fn logins_end_connections(self) -> bool {
        self.has(Behaviour::AuthEndsConnections)
    }

    /// Whether saving no image is an archive without entries, and no error.
    pub(crate) fn saves_nothing(self) -> bool {
        self.has(Behaviour::ImagesSaveOfNothing)
    }

    pub(crate) fn save_begins_with_root(self) -> bool {
        self.has(Behaviour::ImagesSaveBeginsWithRoot)
    }

    pub(crate) fn directory_times(self) -> DirectoryTimes {
        if self.has(Behaviour::ChangesCountsDirectoryTimes) { DirectoryTimes::Count } else { DirectoryTimes::Ignored }
    }

    pub(crate) fn copy_sees_volumes(self) -> bool {
        self.has(Behaviour::CopySeesVolumes)
    }

    pub(crate) fn copy_needs_a_content_type(self) -> bool {
        self.has(Behaviour::CopyNeedsAContentType)
    }

    /// Whether an image that was imported has a configuration, though an empty one.
    pub(crate) fn imports_have_a_config(self) -> bool {
        self.has(Behaviour::ImportsHaveAConfig)
    }

    pub(crate) fn status_implies_all(self) -> bool {
        self.has(Behaviour::ListExitedStatusImpliesAll)
    }

    pub(crate) fn status_match(self) -> StatusMatch {
        if self.has(Behaviour::ListStatusIsAPattern) { StatusMatch::Pattern } else { StatusMatch::Each }
    }

    /// Whether the version's daemon tells this event.
    pub(crate) fn tells(self, action: &Action) -> bool {
        match action {
            Action::ExecCreate { .. } | Action::ExecStart { .. } => self.has(Behaviour::EventsExec),
            Action::Oom => self.has(Behaviour::EventsOom),
            Action::Import => self.has(Behaviour::EventsImport),
            Action::Tag => self.has(Behaviour::EventsTag),
            Action::Commit | Action::Rename => false,
            Action::Kill(signal) => signal.number() == 9 || self.has(Behaviour::EventsKillWithoutDeath),
            Action::Die(Death::NotExecuted) => self.has(Behaviour::EventsFailedStartDies),
            Action::Die(Death::NotPrepared) => self.has(Behaviour::EventsFailedPreparationDies),
            _ => true,
        }
    }
}

impl Call {
    pub(crate) fn target(&self) -> Target {
        self.policy().target(&self.reference)
    }

    /// Which mistakes are refused here: those that the version has an outcome for.
    pub(crate) fn create_rules(&self) -> CreateRules {
        let has = |behaviour: Behaviour| self.version.has(behaviour);
        CreateRules {
            minimum_memory: if has(Behaviour::CreateMemoryMinimum4mb) { 4 << 20 } else { 512 << 10 },
            swap_not_below_memory: has(Behaviour::CreateRefusesSwapBelowMemory),
            swap_needs_memory: has(Behaviour::CreateRefusesSwapWithoutMemory),
            blkio_weight: has(Behaviour::CreateRefusesABlkioWeight),
            lxc_options: has(Behaviour::CreateRefusesLxcOptions),
            working_dir_absolute: has(Behaviour::CreateRefusesARelativeWorkingDir),
            ports: has(Behaviour::CreateRefusesMalformedPorts),
            host_config: has(Behaviour::CreateHostConfig),
            volumes_at_start: !has(Behaviour::CreateMakesVolumes),
            volumes_once: has(Behaviour::CreateRefusesTwoVolumesAtOnePath),
            volume_over_file: has(Behaviour::CreateRefusesAVolumeOverAFile),
            bind_mode: has(Behaviour::CreateRefusesABindMode),
            ipc_target: match (has(Behaviour::CreateLooksForTheIpcTarget), has(Behaviour::CreateLooksAtTheIpcTarget)) {
                (_, true) => IpcTarget::Running,
                (true, false) => IpcTarget::There,
                (false, false) => IpcTarget::Anything,
            },
            default_log_options_empty: has(Behaviour::LogsDefaultOptionsEmpty),
            image_may_be_empty: has(Behaviour::CreateImageMayBeEmpty),
            volume_place: if has(Behaviour::VolumesBelowVfs) { VolumePlace::Vfs } else { VolumePlace::Volumes },
            host_config_kept_first: has(Behaviour::StartKeepsHostConfigFirst),
            oldest_binds: has(Behaviour::VolumesReadAsFirst),
            link_alias: has(Behaviour::LinksNeedAnAlias),
            empty_entrypoint_is_none: has(Behaviour::CreateEmptyEntrypointIsNone),
        }
    }
}
