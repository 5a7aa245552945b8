//! Published ports with real traffic, and the rules that lead it.

mod sandbox;

use drydock_core::Id;
use drydock_network::{
    Attachment, Bridged, Config, Error, HostPort, Mode, Network, Port, PortRange, Protocol, Publish,
};
use sandbox::{Sandbox, in_sandbox, inside};
use std::io::{Read, Write};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, Shutdown, SocketAddr, TcpListener, TcpStream, UdpSocket};
use std::thread;
use std::time::Duration;

fn publish(number: u16, protocol: Protocol, host_port: HostPort) -> Publish {
    Publish { port: Port { number, protocol }, address: None, host_port }
}

fn tcp(number: u16, host_port: u16) -> Publish {
    publish(number, Protocol::Tcp, HostPort::Exactly(host_port))
}

fn publishing(publish: &[Publish]) -> Mode {
    Mode::Bridge(Bridged { publish: publish.to_vec(), ..Bridged::default() })
}

fn attach(network: &Network, publish: &[Publish]) -> Result<Attachment, Error> {
    network.attach(&Id::random(), &publishing(publish))
}

fn host_ports(attachment: &Attachment) -> Vec<u16> {
    attachment.record().endpoint.as_ref().unwrap().ports.iter().map(|published| published.host_port).collect()
}

fn address(attachment: &Attachment) -> Ipv4Addr {
    attachment.record().endpoint.as_ref().unwrap().address
}

/// Answers each client with its address and all that it said, once it has said everything.
fn serve_tcp(attachment: &Attachment, port: u16) {
    let listener = inside(attachment, || TcpListener::bind((Ipv4Addr::UNSPECIFIED, port)).unwrap());
    thread::spawn(move || {
        while let Ok((mut client, from)) = listener.accept() {
            let mut said = Vec::new();
            client.read_to_end(&mut said).unwrap();
            client.write_all(format!("from {} ", from.ip()).as_bytes()).unwrap();
            client.write_all(&said).unwrap();
        }
    });
}

fn ask(address: impl Into<IpAddr>, port: u16, words: &[u8]) -> std::io::Result<Vec<u8>> {
    let mut server = TcpStream::connect_timeout(&SocketAddr::new(address.into(), port), Duration::from_secs(5))?;
    server.set_read_timeout(Some(Duration::from_secs(10)))?;
    let mut writer = server.try_clone()?;
    let words = words.to_vec();
    let writing = thread::spawn(move || {
        writer.write_all(&words)?;
        writer.shutdown(Shutdown::Write)
    });
    let mut answer = Vec::new();
    server.read_to_end(&mut answer)?;
    writing.join().unwrap()?;
    Ok(answer)
}

const BRIDGE: Ipv4Addr = Ipv4Addr::new(172, 17, 42, 1);

#[test]
fn a_published_port_is_reached_from_everywhere() {
    in_sandbox(|sandbox| {
        let network = sandbox.network();
        let web = attach(&network, &[tcp(80, 8080)]).unwrap();
        serve_tcp(&web, 80);
        // Through the proxy, the server sees the bridge's address.
        let by_proxy = b"from 172.17.42.1 hello".to_vec();
        assert_eq!(ask(Ipv4Addr::LOCALHOST, 8080, b"hello").unwrap(), by_proxy);
        assert_eq!(ask(BRIDGE, 8080, b"hello").unwrap(), by_proxy);
        assert_eq!(ask(Ipv6Addr::LOCALHOST, 8080, b"hello").unwrap(), by_proxy);
        let other = attach(&network, &[]).unwrap();
        let itself = inside(&web, || ask(BRIDGE, 8080, b"hello").unwrap());
        let by_other = inside(&other, || ask(BRIDGE, 8080, b"hello").unwrap());
        assert_eq!([itself, by_other], [by_proxy.clone(), by_proxy]);
        let directly = inside(&other, || ask(address(&web), 80, b"hello").unwrap());
        assert_eq!(directly, format!("from {} hello", address(&other)).into_bytes());
    });
}

#[test]
fn from_outside_a_port_is_reached_by_rules() {
    in_sandbox(|sandbox| {
        let network = sandbox.network();
        let web = attach(&network, &[tcp(80, 8080)]).unwrap();
        serve_tcp(&web, 80);
        // Another machine, behind a wire of its own.
        let machine = network.attach(&Id::random(), &Mode::None).unwrap();
        let drydock_network::Namespace::Path(path) = machine.namespace() else { unreachable!() };
        let path = path.to_str().unwrap();
        let ip = |arguments: &str| sandbox.run("ip", &arguments.split(' ').collect::<Vec<_>>());
        let there = |arguments: &str| {
            let enter = format!("--net={path}");
            let all: Vec<_> = [&enter, "ip"].into_iter().chain(arguments.split(' ')).collect();
            sandbox.run("nsenter", &all);
        };
        ip("link add wire type veth peer name wire1");
        // `ip` knows namespaces by names in a directory of its own; a process in it does as well.
        let process = std::process::Command::new("nsenter").args([&format!("--net={path}"), "sleep", "60"]).spawn();
        let mut process = process.unwrap();
        let moved = (0..100).any(|_| {
            thread::sleep(Duration::from_millis(10));
            sandbox.run("ip", &["link", "set", "wire1", "netns", &process.id().to_string()]);
            inside(&machine, || sandbox::interfaces().contains(&"wire1".to_owned()))
        });
        assert!(moved);
        process.kill().unwrap();
        process.wait().unwrap();
        ip("addr add 192.0.2.1/24 dev wire");
        ip("link set wire up");
        there("addr add 192.0.2.2/24 dev wire1");
        there("link set wire1 up");
        let host = Ipv4Addr::new(192, 0, 2, 1);
        assert_eq!(inside(&machine, || ask(host, 8080, b"hello").unwrap()), b"from 192.0.2.2 hello");
    });
}

#[test]
fn many_bytes_go_through_unchanged_both_ways_at_once() {
    in_sandbox(|sandbox| {
        let network = sandbox.network();
        let web = attach(&network, &[tcp(80, 8080)]).unwrap();
        let listener = inside(&web, || TcpListener::bind((Ipv4Addr::UNSPECIFIED, 80)).unwrap());
        // An echo that begins at once.
        thread::spawn(move || {
            for mut client in listener.incoming().flatten() {
                thread::spawn(move || {
                    let mut writer = client.try_clone().unwrap();
                    std::io::copy(&mut client, &mut writer).unwrap();
                    writer.shutdown(Shutdown::Write).unwrap();
                });
            }
        });
        thread::scope(|scope| {
            for seed in 0..8_u32 {
                scope.spawn(move || {
                    let words: Vec<u8> = (0..4_000_000_u32).map(|at| (at.wrapping_mul(seed + 7) >> 5) as u8).collect();
                    assert!(ask(Ipv4Addr::LOCALHOST, 8080, &words).unwrap() == words);
                });
            }
        });
    });
}

#[test]
fn datagrams_come_back_to_the_one_who_sent_them() {
    in_sandbox(|sandbox| {
        let network = sandbox.network();
        let dns = attach(&network, &[publish(53, Protocol::Udp, HostPort::Exactly(5353))]).unwrap();
        let server = inside(&dns, || UdpSocket::bind((Ipv4Addr::UNSPECIFIED, 53)).unwrap());
        thread::spawn(move || {
            let mut buffer = [0; 100];
            while let Ok((len, from)) = server.recv_from(&mut buffer) {
                let answer = [format!("from {} ", from.ip()).as_bytes(), &buffer[..len]].concat();
                server.send_to(&answer, from).unwrap();
            }
        });
        let clients: Vec<_> = (0..5).map(|_| UdpSocket::bind((Ipv4Addr::UNSPECIFIED, 0)).unwrap()).collect();
        for round in 0..3 {
            for (number, client) in clients.iter().enumerate() {
                client.send_to(format!("{number} {round}").as_bytes(), (Ipv4Addr::LOCALHOST, 5353)).unwrap();
            }
            for (number, client) in clients.iter().enumerate() {
                client.set_read_timeout(Some(Duration::from_secs(10))).unwrap();
                let mut buffer = [0; 100];
                let (len, from) = client.recv_from(&mut buffer).unwrap();
                assert_eq!(buffer[..len], *format!("from 172.17.42.1 {number} {round}").as_bytes());
                assert_eq!(from, (Ipv4Addr::LOCALHOST, 5353).into());
            }
        }
    });
}

#[test]
fn a_port_is_closed_when_its_container_is_gone_and_free_at_once() {
    in_sandbox(|sandbox| {
        let network = sandbox.network();
        for _ in 0..3 {
            let web = attach(&network, &[tcp(80, 8080)]).unwrap();
            assert_eq!(host_ports(&web), [8080]);
            drop(web);
            assert!(ask(Ipv4Addr::LOCALHOST, 8080, b"").is_err());
        }
    });
}

#[test]
fn two_containers_do_not_get_one_port_and_a_failure_gives_all_back() {
    in_sandbox(|sandbox| {
        let network = sandbox.network();
        let first = attach(&network, &[tcp(80, 9012)]).unwrap();
        let refused = attach(&network, &[tcp(80, 9011), tcp(81, 9012)]);
        assert!(matches!(refused, Err(Error::PortTaken { port: 9012, .. })), "{refused:?}");
        drop(first);
        attach(&network, &[tcp(80, 9011), tcp(81, 9012)]).unwrap();
        let twice = attach(&network, &[tcp(80, 9013), tcp(81, 9013)]);
        assert!(matches!(twice, Err(Error::PortTaken { port: 9013, .. })), "{twice:?}");
        let both = [tcp(53, 9014), publish(53, Protocol::Udp, HostPort::Exactly(9014))];
        attach(&network, &both).unwrap();
    });
}

#[test]
fn what_another_program_listens_on_is_refused_or_passed_over() {
    in_sandbox(|sandbox| {
        let network = sandbox.network();
        let _own = TcpListener::bind((Ipv4Addr::UNSPECIFIED, 32768)).unwrap();
        let refused = attach(&network, &[tcp(80, 32768)]);
        let Err(Error::PortListen { port: 32768, source, .. }) = refused else { panic!("{refused:?}") };
        assert_eq!(source.kind(), std::io::ErrorKind::AddrInUse);
        let any = attach(&network, &[publish(80, Protocol::Tcp, HostPort::Any)]).unwrap();
        assert_eq!(host_ports(&any), [32769]);
        let range = HostPort::Range(PortRange { first: 32768, last: 32770 });
        let ranged = attach(&network, &[publish(80, Protocol::Tcp, range)]).unwrap();
        assert_eq!(host_ports(&ranged), [32770]);
        let full = attach(&network, &[publish(80, Protocol::Tcp, range)]);
        assert!(matches!(full, Err(Error::PortsUsedUp(_))), "{full:?}");
        let foreign = Publish { address: Some([192, 0, 2, 7].into()), ..tcp(80, 8080) };
        let Err(Error::PortListen { source, .. }) = attach(&network, &[foreign]) else { panic!() };
        assert_eq!(source.kind(), std::io::ErrorKind::AddrNotAvailable);
    });
}

/// network/published of 1.7.1: `rules-before`.
const OWN: &str = "\
*nat
:DOCKER - [0:0]
-A PREROUTING -m addrtype --dst-type LOCAL -j DOCKER
-A OUTPUT ! -d 127.0.0.0/8 -m addrtype --dst-type LOCAL -j DOCKER
-A POSTROUTING -s 172.17.0.0/16 ! -o docker0 -j MASQUERADE
*filter
:FORWARD ACCEPT [0:0]
:DOCKER - [0:0]
-A FORWARD -o docker0 -j DOCKER
-A FORWARD -o docker0 -m conntrack --ctstate RELATED,ESTABLISHED -j ACCEPT
-A FORWARD -i docker0 ! -o docker0 -j ACCEPT
-A FORWARD -i docker0 -o docker0 -j ACCEPT
";

#[test]
fn rules_are_the_genuine_daemons_and_go_with_the_container() {
    in_sandbox(|sandbox| {
        let network = sandbox.network();
        assert_eq!(sandbox.rules(), OWN);
        let loopback = Publish { address: Some(Ipv4Addr::LOCALHOST.into()), ..tcp(81, 8081) };
        let web = attach(&network, &[tcp(80, 8080), loopback]).unwrap();
        let rules = sandbox.rules();
        for rule in [
            "-A POSTROUTING -s 172.17.0.1/32 -d 172.17.0.1/32 -p tcp -m tcp --dport 80 -j MASQUERADE\n",
            "-A DOCKER ! -i docker0 -p tcp -m tcp --dport 8080 -j DNAT --to-destination 172.17.0.1:80\n",
            "-A DOCKER -d 172.17.0.1/32 ! -i docker0 -o docker0 -p tcp -m tcp --dport 80 -j ACCEPT\n",
            "-A DOCKER -d 127.0.0.1/32 ! -i docker0 -p tcp -m tcp --dport 8081 -j DNAT --to-destination 172.17.0.1:81\n",
        ] {
            assert!(rules.contains(rule), "{rule}{rules}");
        }
        drop(web);
        network.shutdown();
        assert_eq!(sandbox.rules(), OWN);
    });
}

#[test]
fn rules_of_a_killed_daemon_are_replaced_and_somebody_elses_stay() {
    in_sandbox(|sandbox| {
        let own_rule = "-A FORWARD -i docker0 -p tcp -m tcp --dport 25 -j DROP\n";
        let before = sandbox.network();
        sandbox.run("iptables", &own_rule.trim().split(' ').collect::<Vec<_>>());
        let web = attach(&before, &[tcp(80, 8080)]).unwrap();
        let record = web.record().clone();
        web.leave();
        before.shutdown();
        let left = sandbox.rules();
        assert!(left.contains("8080"));

        let after = sandbox.network();
        assert_eq!(sandbox.rules(), [OWN, own_rule].concat());
        let web = after.claim(record).unwrap();
        assert!(sandbox.rules().contains("8080"));
        serve_tcp(&web, 80);
        assert_eq!(ask(Ipv4Addr::LOCALHOST, 8080, b"still here").unwrap(), b"from 172.17.42.1 still here");
    });
}

fn opened(sandbox: &Sandbox, change: impl FnOnce(&mut Config)) -> Network {
    let mut config = Config::new(sandbox.exec_root());
    change(&mut config);
    Network::open(config).unwrap()
}

#[test]
fn flags_change_the_rules_as_recorded() {
    in_sandbox(|sandbox| {
        drop(opened(sandbox, |config| config.icc = false));
        assert_eq!(sandbox.rules(), OWN.replace("-i docker0 -o docker0 -j ACCEPT", "-i docker0 -o docker0 -j DROP"));
        drop(opened(sandbox, |config| config.ip_masq = false));
        assert_eq!(sandbox.rules(), OWN.replace("-A POSTROUTING -s 172.17.0.0/16 ! -o docker0 -j MASQUERADE\n", ""));
        // network/flag-userland-proxy-false
        drop(opened(sandbox, |config| config.userland_proxy = false));
        assert_eq!(
            sandbox.rules(),
            OWN.replace(
                "OUTPUT ! -d 127.0.0.0/8 -m addrtype --dst-type LOCAL -j DOCKER\n",
                "OUTPUT -m addrtype --dst-type LOCAL -j DOCKER\n\
                 -A POSTROUTING -o docker0 -m addrtype --src-type LOCAL -j MASQUERADE\n"
            )
        );
        drop(opened(sandbox, |_| {}));
        assert_eq!(sandbox.rules(), OWN);
    });
}

#[test]
fn without_a_proxy_the_kernel_leads_loopback_and_the_container_itself() {
    in_sandbox(|sandbox| {
        let network = opened(sandbox, |config| config.userland_proxy = false);
        let web = attach(&network, &[tcp(80, 8080)]).unwrap();
        serve_tcp(&web, 80);
        assert_eq!(ask(Ipv4Addr::LOCALHOST, 8080, b"hello").unwrap(), b"from 172.17.42.1 hello");
        let itself = inside(&web, || ask(BRIDGE, 8080, b"hello").unwrap());
        assert!(itself.ends_with(b" hello"));
        assert!(web.record().endpoint.as_ref().unwrap().hairpin);
    });
}

#[test]
fn without_rules_the_proxy_serves_alone() {
    in_sandbox(|sandbox| {
        let network = opened(sandbox, |config| config.iptables = false);
        let web = attach(&network, &[tcp(80, 8080)]).unwrap();
        serve_tcp(&web, 80);
        assert_eq!(ask(BRIDGE, 8080, b"hello").unwrap(), b"from 172.17.42.1 hello");
        assert_eq!(sandbox.rules().matches("docker0").count(), 0);
    });
}

#[test]
fn a_link_leads_to_exposed_ports_where_containers_do_not_reach_each_other() {
    in_sandbox(|sandbox| {
        if !std::path::Path::new("/proc/sys/net/bridge").exists() {
            eprintln!("SKIPPED: the kernel's bridge passes no rules here (br_netfilter is not loaded)");
            return;
        }
        let network = opened(sandbox, |config| config.icc = false);
        let [db, web] = [(); 2].map(|()| attach(&network, &[]).unwrap());
        serve_tcp(&db, 80);
        let reach = |patience| {
            inside(&web, || TcpStream::connect_timeout(&(address(&db), 80).into(), Duration::from_millis(patience)))
        };
        reach(300).unwrap_err();
        let link = network.link(address(&web), address(&db), &[Port { number: 80, protocol: Protocol::Tcp }]).unwrap();
        // network/flag-icc-false `rules`
        for rule in [
            "-A DOCKER -s 172.17.0.2/32 -d 172.17.0.1/32 -i docker0 -o docker0 -p tcp -m tcp --dport 80 -j ACCEPT\n",
            "-A DOCKER -s 172.17.0.1/32 -d 172.17.0.2/32 -i docker0 -o docker0 -p tcp -m tcp --sport 80 -j ACCEPT\n",
        ] {
            assert!(sandbox.rules().contains(rule), "{rule}{}", sandbox.rules());
        }
        reach(10_000).unwrap();
        drop(link);
        drop((db, web));
        network.shutdown();
        assert!(!sandbox.rules().contains("172.17.0.2"), "{}", sandbox.rules());
    });
}
