//! The network, each test in namespaces of its own: nothing here touches the machine's network or mounts.

mod sandbox;

use drydock_core::Id;
use drydock_network::{
    Attachment, Bridged, Config, Error, HostPort, Mode, Namespace, Network, Port, Protocol, Publish,
};
use sandbox::{Sandbox, addresses, in_sandbox, inside, mac_of};
use std::net::{IpAddr, Ipv4Addr, TcpListener, TcpStream};
use std::os::unix::process::ExitStatusExt;

fn bridge() -> Mode {
    Mode::Bridge(Bridged::default())
}

#[test]
fn a_container_on_the_bridge_has_an_address_and_reaches_the_host() {
    in_sandbox(|sandbox| {
        let network = sandbox.network();
        let attachment = network.attach(&Id::random(), &bridge()).unwrap();
        let endpoint = attachment.record().endpoint.clone().unwrap();
        assert_eq!((endpoint.bridge.as_str(), endpoint.prefix_len), ("docker0", 16));
        assert_eq!(endpoint.gateway, Ipv4Addr::new(172, 17, 42, 1));
        assert_eq!((endpoint.address, endpoint.mac.as_str()), (Ipv4Addr::new(172, 17, 0, 1), "02:42:ac:11:00:01"));

        let server = TcpListener::bind((endpoint.gateway, 0)).unwrap();
        let port = server.local_addr().unwrap().port();
        inside(&attachment, || {
            assert_eq!(addresses("eth0"), [IpAddr::V4(endpoint.address)]);
            assert_eq!(mac_of("eth0"), endpoint.mac);
            assert_eq!(addresses("lo"), [IpAddr::V4(Ipv4Addr::LOCALHOST)]);
            TcpStream::connect((endpoint.gateway, port)).unwrap();
        });
        let (_, peer) = server.accept().unwrap();
        assert_eq!(peer.ip(), IpAddr::V4(endpoint.address));
        let statistics = attachment.statistics().unwrap();
        assert!(statistics.rx_packets >= 2 && statistics.tx_packets >= 2, "{statistics:?}");
    });
}

#[test]
fn an_interface_looks_as_its_daemon_made_it() {
    // inside/default `ip-addr`
    in_sandbox(|sandbox| {
        let network = sandbox.network();
        for (multicast, queue, flags, tail) in [
            (true, 0, "<BROADCAST,MULTICAST,UP,LOWER_UP>", ""),
            (false, 0, "<BROADCAST,UP,LOWER_UP>", ""),
            (false, 1000, "<BROADCAST,UP,LOWER_UP>", "qlen 1000"),
        ] {
            let mac = Some([0x02, 0x42, 0xaa, 0xbb, 0xcc, 0xdd]);
            let mode = Mode::Bridge(Bridged { mac, multicast, queue, ..Bridged::default() });
            let attachment = network.attach(&Id::random(), &mode).unwrap();
            let link = inside(&attachment, || sandbox.run("ip", &["-o", "link", "show", "eth0"]));
            assert!(link.contains(flags) && link.contains("qdisc noqueue") && link.contains("mtu 1500"), "{link}");
            assert_eq!(link.contains("qlen"), !tail.is_empty(), "{link}");
            assert!(link.contains(tail) && link.contains("link/ether 02:42:aa:bb:cc:dd"), "{link}");
        }
    });
}

#[test]
fn containers_reach_each_other() {
    in_sandbox(|sandbox| {
        let network = sandbox.network();
        let [one, other] = [(); 2].map(|()| network.attach(&Id::random(), &bridge()).unwrap());
        let server = inside(&one, || TcpListener::bind((Ipv4Addr::UNSPECIFIED, 80)).unwrap());
        let address = one.record().endpoint.as_ref().unwrap().address;
        inside(&other, || TcpStream::connect((address, 80)).unwrap());
        assert_eq!(server.accept().unwrap().1.ip(), IpAddr::V4(other.record().endpoint.as_ref().unwrap().address));
    });
}

#[test]
fn a_container_without_a_network_has_its_loopback_alone() {
    in_sandbox(|sandbox| {
        let network = sandbox.network();
        let attachment = network.attach(&Id::random(), &Mode::None).unwrap();
        assert_eq!(attachment.record().endpoint, None);
        inside(&attachment, || {
            assert_eq!(addresses("lo"), [IpAddr::V4(Ipv4Addr::LOCALHOST)]);
            assert_eq!(sandbox::interfaces(), ["lo"]);
        });
        let host = network.attach(&Id::random(), &Mode::Host).unwrap();
        assert_eq!(host.namespace(), &Namespace::Host);
    });
}

#[test]
fn when_all_are_gone_nothing_is_left_but_the_bridge() {
    in_sandbox(|sandbox| {
        let network = sandbox.network();
        let attachments: Vec<_> =
            [bridge(), bridge(), Mode::None].iter().map(|mode| network.attach(&Id::random(), mode).unwrap()).collect();
        drop(attachments);
        network.shutdown();
        sandbox.assert_only_the_bridge();
        assert!(matches!(network.attach(&Id::random(), &bridge()), Err(Error::ShutDown)));
    });
}

#[test]
fn a_container_that_starts_again_has_the_same_path_and_the_next_address() {
    in_sandbox(|sandbox| {
        let network = sandbox.network();
        let id = Id::random();
        let mut seen = Vec::new();
        for _ in 0..5 {
            let attachment = network.attach(&id, &bridge()).unwrap();
            seen.push((attachment.namespace().clone(), attachment.record().endpoint.as_ref().unwrap().address));
        }
        assert!(seen.windows(2).all(|pair| pair[0].0 == pair[1].0 && pair[0].1 < pair[1].1), "{seen:?}");
    });
}

#[test]
fn docker0_of_somebody_else_is_left_alone() {
    in_sandbox(|sandbox| {
        sandbox.run("ip", &["link", "add", "docker0", "type", "bridge"]);
        sandbox.run("ip", &["addr", "add", "172.17.42.1/16", "dev", "docker0"]);
        sandbox.run("ip", &["link", "set", "docker0", "up"]);
        let network = sandbox.network();
        let (name, address) = network.info().bridge.unwrap();
        assert_eq!((name.as_str(), address.to_string().as_str()), ("drydock0", "10.0.42.1/16"));
        drop(network);
        assert_eq!(sandbox.network().info().bridge.unwrap().0, "drydock0");
    });
}

#[test]
fn what_a_killed_daemon_left_is_claimed_or_swept() {
    in_sandbox(|sandbox| {
        let before = sandbox.network();
        let ids = [(); 3].map(|()| Id::random());
        let [kept, lost, none] = [(&ids[0], bridge()), (&ids[1], bridge()), (&ids[2], Mode::None)]
            .map(|(id, mode)| before.attach(id, &mode).unwrap());
        let record = kept.record().clone();
        // As with a kill: nothing is undone. The process's threads live on, so they are told to stop.
        for attachment in [kept, lost, none] {
            attachment.leave();
        }
        before.shutdown();

        let after = sandbox.network();
        let claimed = after.claim(record.clone()).unwrap();
        assert!(matches!(after.claim(record.clone()), Err(Error::AddressTaken(_))));
        after.sweep().unwrap();
        assert_eq!(sandbox.namespaces().len(), 1);
        let next = after.attach(&Id::random(), &bridge()).unwrap();
        let endpoint = record.endpoint.unwrap();
        assert_eq!(next.record().endpoint.as_ref().unwrap().address, Ipv4Addr::new(172, 17, 0, 2));
        inside(&claimed, || {
            assert_eq!(addresses("eth0"), [IpAddr::V4(endpoint.address)]);
        });
        drop((claimed, next));
        after.shutdown();
        sandbox.assert_only_the_bridge();
    });
}

#[test]
fn lives_at_the_same_time_do_not_meet() {
    in_sandbox(|sandbox| {
        let network = sandbox.network();
        let sandbox: &Sandbox = sandbox;
        std::thread::scope(|scope| {
            for _ in 0..8 {
                scope.spawn(|| {
                    for _ in 0..8 {
                        let attachment = network.attach(&Id::random(), &bridge()).unwrap();
                        let address = attachment.record().endpoint.as_ref().unwrap().address;
                        inside(&attachment, || assert_eq!(addresses("eth0"), [IpAddr::V4(address)]));
                    }
                });
            }
        });
        network.shutdown();
        sandbox.assert_only_the_bridge();
    });
}

#[test]
fn a_failure_at_any_point_leaves_nothing() {
    for point in ["network.ready.make", "network.namespace.mount", "network.endpoint.configure", "network.rules.add"] {
        sandbox::with_fault("a_failure_at_any_point_leaves_nothing", &format!("{point}@1=fail"), |sandbox| {
            let config = Config { ready: 0, ..Config::new(sandbox.exec_root()) };
            let network = Network::open(config).unwrap();
            let publish = Publish {
                port: Port { number: 80, protocol: Protocol::Tcp },
                address: None,
                host_port: HostPort::Exactly(8080),
            };
            let mode = Mode::Bridge(Bridged { publish: vec![publish], ..Bridged::default() });
            network.attach(&Id::random(), &mode).unwrap_err();
            drop(network.attach(&Id::random(), &mode).unwrap());
            network.shutdown();
            sandbox.assert_only_the_bridge();
            assert!(!sandbox.rules().contains("8080"), "{}", sandbox.rules());
        });
    }
}

#[test]
fn a_bridge_that_was_not_finished_is_made_anew() {
    // A kill is the process's end, so a failure that cannot be undone stands for it: the unfinished bridge is put there.
    in_sandbox(|sandbox| {
        let first = sandbox.network();
        let prefix = {
            let attachment = first.attach(&Id::random(), &bridge()).unwrap();
            attachment.record().endpoint.as_ref().unwrap().interface[..6].to_owned()
        };
        first.shutdown();
        sandbox.run("ip", &["link", "del", "docker0"]);
        sandbox.run("ip", &["link", "add", &format!("{prefix}-bridge"), "type", "bridge"]);
        assert_eq!(sandbox.network().info().bridge.unwrap().0, "docker0");
        assert!(!sandbox::interfaces().contains(&format!("{prefix}-bridge")));
    });
}

#[test]
fn an_address_is_given_again_when_its_interface_is_gone() {
    in_sandbox(|sandbox| {
        let config = Config { bip: Some("10.9.0.1/29".parse().unwrap()), ..Config::new(sandbox.exec_root()) };
        let network = Network::open(config).unwrap();
        let address = |attachment: &Attachment| attachment.record().endpoint.as_ref().unwrap().address;
        let mut all: Vec<_> = (0..5).map(|_| network.attach(&Id::random(), &bridge()).unwrap()).collect();
        let refused = network.attach(&Id::random(), &bridge());
        assert!(matches!(refused, Err(Error::AddressesUsedUp(_))));
        let gone = all.remove(2);
        let free = address(&gone);
        drop(gone);
        assert_eq!(address(&network.attach(&Id::random(), &bridge()).unwrap()), free);
    });
}

#[test]
fn killed_at_any_point_a_daemon_leaves_nothing_to_the_next_but_the_bridge() {
    const VICTIM: &str = "DRYDOCK_TEST_VICTIM";
    let publish = Publish {
        port: Port { number: 80, protocol: Protocol::Tcp },
        address: None,
        host_port: HostPort::Exactly(8080),
    };
    if let Some(exec_root) = std::env::var_os(VICTIM) {
        let network = Network::open(Config { ready: 1, ..Config::new(exec_root) }).unwrap();
        let mode = Mode::Bridge(Bridged { publish: vec![publish], ..Bridged::default() });
        drop(network.attach(&Id::random(), &mode).unwrap());
        network.shutdown();
        return;
    }
    in_sandbox(|sandbox| {
        for point in [
            "network.bridge.create",
            "network.bridge.finish",
            "network.ready.make",
            "network.rules.add",
            "network.endpoint.configure",
            "network.namespace.mount",
            "network.rules.remove",
            "network.namespace.unmount",
        ] {
            let mut victim = std::process::Command::new(std::env::current_exe().unwrap());
            victim.args(["--exact", "killed_at_any_point_a_daemon_leaves_nothing_to_the_next_but_the_bridge"]);
            victim.env(VICTIM, sandbox.exec_root()).env("DRYDOCK_FAULT", format!("{point}@1=kill"));
            let output = victim.output().unwrap();
            assert_eq!(output.status.signal(), Some(nix::libc::SIGABRT), "{point} was not passed");

            let network = sandbox.network();
            network.sweep().unwrap();
            network.shutdown();
            sandbox.assert_only_the_bridge();
            assert!(!sandbox.rules().contains("8080"), "{point}: {}", sandbox.rules());
            sandbox.run("ip", &["link", "del", "docker0"]);
        }
    });
}

#[test]
fn two_daemons_beside_each_other_do_not_meet() {
    in_sandbox(|sandbox| {
        let open = |name| Network::open(Config::new(sandbox.exec_root().join(name))).unwrap();
        let [first, second] = ["one", "other"].map(open);
        let bridges = [&first, &second].map(|network| network.info().bridge.unwrap().0);
        assert_eq!(bridges, ["docker0", "drydock0"]);
        let [kept, left] = [&first, &second].map(|network| network.attach(&Id::random(), &bridge()).unwrap());
        let rules = sandbox.rules();
        left.leave();
        second.shutdown();
        let second = open("other");
        second.sweep().unwrap();
        second.shutdown();
        let count = |text: &str| text.lines().count();
        assert_eq!(count(&sandbox.rules()), count(&rules));

        let endpoint = kept.record().endpoint.clone().unwrap();
        let server = TcpListener::bind((endpoint.gateway, 0)).unwrap();
        let port = server.local_addr().unwrap().port();
        inside(&kept, || TcpStream::connect((endpoint.gateway, port)).unwrap());
        drop(kept);
        first.shutdown();
        sandbox::assert_interfaces(&["docker0", "drydock0", "lo"]);
    });
}
