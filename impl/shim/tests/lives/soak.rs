//! Many lives at once, with clients, daemons and shims that die at any point.

use crate::house::*;
use drydock_shim_protocol::{Process, Request};
use std::io::Write;

/// A little randomness that a failure can be repeated with: the numbers are the same each time.
struct Dice(u64);

impl Dice {
    fn roll(&mut self, sides: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0 % sides
    }
}

#[test]
fn lives_with_sudden_deaths_leave_nothing() {
    if !can_live() {
        return;
    }
    let workers: Vec<_> = (1..=4).map(|seed| std::thread::spawn(move || lead_lives(&mut Dice(seed), 25))).collect();
    workers.into_iter().for_each(|worker| worker.join().unwrap());
}

fn lead_lives(dice: &mut Dice, count: usize) {
    for _ in 0..count {
        let mut life = Life::begin();
        let mut spec = life.shell("echo begin; cat; (sleep 1000 &) ; seq 1 2000; exit 3");
        spec.process.stdin = true;
        spec.process.stdin_once = true;
        spec.process.tty = dice.roll(4) == 0;
        let mut clients: Vec<_> = (0..dice.roll(3)).map(|_| life.attach(Process::Init, Wish::default())).collect();
        if dice.roll(8) == 0 {
            life.kill_shim();
            life.clean_up();
            life.assert_nothing_is_left();
            continue;
        }
        life.start(spec);
        clients.push(life.attach(Process::Init, Wish::default()));
        for client in &clients {
            let _ = (&*client).write_all(b"words\n"); // The other side may be at its end.
        }
        if dice.roll(3) == 0 {
            let _ = life.exec("e", process(&["sh", "-c", "echo here; sleep 1000"])); // Likewise.
        }
        match dice.roll(4) {
            0 => {
                life.kill_shim();
                life.clean_up();
                life.assert_nothing_is_left();
                continue;
            }
            1 => {
                clients.clear();
                let _ = life.client.call(Request::Signal { process: Process::Init, signal: 9 }); // It may be over.
            }
            2 => {
                let again = life.reconnect();
                drop(std::mem::replace(&mut life.client, again));
                life.client.call(Request::Subscribe).unwrap();
                let _ = life.client.call(Request::Signal { process: Process::Init, signal: 9 });
            }
            _ => {
                let _ = life.client.call(Request::Signal { process: Process::Init, signal: 9 });
            }
        }
        drop(clients);
        until("the shutdown", || life.client.call(Request::Shutdown).is_ok());
        until("the shim's end", || life.has_ended());
        life.assert_nothing_is_left();
    }
}
