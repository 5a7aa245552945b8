//! Putting the daemon together, and taking it apart: the only place that knows all the others.

use std::fs;

use anyhow::{Context, Result};
use drydock_api::Api;
use drydock_engine::{Engine, LogConfig, Settings};
use drydock_images::Images;
use drydock_layers::Layers;
use drydock_network::{Bridge, Config, Network};
use hyper::header::HeaderValue;
use tokio::{
    signal::unix::{SignalKind, signal},
    sync::watch,
    task::JoinSet,
};

use crate::{facts, flags::Flags, listen, pidfile::Pidfile};

/// Runs the daemon until it is told to end.
pub(crate) async fn run(flags: Flags) -> Result<()> {
    let pidfile = Pidfile::write(&flags.pidfile)?;
    for folder in [&flags.graph, &flags.exec_root] {
        fs::create_dir_all(folder).with_context(|| format!("making {}", folder.display()))?;
    }
    let facts = facts::gather(&flags)?;
    let settings = settings(&flags)?;
    let (images, network) = open(&flags).await?;
    let engine = Engine::open(settings, images.clone(), network.clone()).await.context("opening the engine")?;
    let cors = flags.cors().map(HeaderValue::from_str).transpose().context("--api-cors-header")?;
    let api = Api::new(engine.clone(), images, facts, cors);

    let bound = listen::bind(&flags).await?;
    let (close, closing) = watch::channel(false);
    let mut serving = JoinSet::new();
    for listener in bound.listeners {
        serving.spawn(api.clone().serve(listener, closing.clone()));
    }
    tracing::info!(version = env!("CARGO_PKG_VERSION"), "API listens");

    let ended = until_told().await;
    let _ = close.send(true);
    while serving.join_next().await.is_some() {}
    drop(bound.sockets);
    tokio::select! {
        () = engine.shutdown() => {}
        // A second signal: what is left is found again at the next start.
        _ = until_told() => tracing::warn!("ending at once"),
    }
    tokio::task::spawn_blocking(move || network.shutdown()).await.context("closing the network")?;
    drydock_runtime::remove_unused_parent(CGROUP).context("removing the cgroup above the containers'")?;
    drop(pidfile);
    ended
}

/// The cgroup above the containers', as the old daemons named it.
const CGROUP: &str = "docker";

/// Waits for a signal that ends the daemon.
async fn until_told() -> Result<()> {
    let mut interrupt = signal(SignalKind::interrupt())?;
    let mut terminate = signal(SignalKind::terminate())?;
    let mut quit = signal(SignalKind::quit())?;
    let which = tokio::select! {
        _ = interrupt.recv() => "interrupt",
        _ = terminate.recv() => "terminated",
        _ = quit.recv() => "quit",
    };
    tracing::info!("Processing signal '{which}'");
    Ok(())
}

/// Opens the stores and the network, which block.
async fn open(flags: &Flags) -> Result<(Images, Network)> {
    let (root, driver, network) = (flags.graph.clone(), flags.storage_driver, network(flags));
    tokio::task::spawn_blocking(move || {
        let layers = Layers::open(&root, driver).context("opening the layer store")?;
        let images = Images::open(&root, layers).context("opening the image store")?;
        let network = Network::open(network).context("Error initializing network controller")?;
        Ok((images, network))
    })
    .await?
}

fn network(flags: &Flags) -> Config {
    let defaults = Config::new(&flags.exec_root);
    Config {
        bridge: match flags.bridge.as_deref() {
            None | Some("") => Bridge::Default,
            Some("none") => Bridge::None,
            Some(name) => Bridge::Named(name.to_owned()),
        },
        bip: flags.bip,
        fixed_cidr: flags.fixed_cidr,
        default_gateway: flags.default_gateway,
        mtu: if flags.mtu == 0 { defaults.mtu } else { flags.mtu },
        icc: flags.icc,
        ip_masq: flags.ip_masq,
        iptables: flags.iptables,
        ip_forward: flags.ip_forward,
        publish_address: flags.ip,
        userland_proxy: flags.userland_proxy,
        ..defaults
    }
}

fn settings(flags: &Flags) -> Result<Settings> {
    Ok(Settings {
        root: flags.graph.clone(),
        runtime_dir: flags.exec_root.clone(),
        shim: flags.shim()?,
        log_config: LogConfig {
            driver: flags.log_driver.clone(),
            config: Some(flags.log_options()).filter(|options| !options.is_empty()),
        },
        ulimits: flags.ulimits.clone(),
        restart: flags.restart,
        keep_running: flags.keep_containers,
        dns: flags.dns.iter().map(ToString::to_string).collect(),
        dns_search: flags.dns_search.clone(),
        cgroup_parent: CGROUP.to_owned(),
    })
}
