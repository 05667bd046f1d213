//! Any one process, or the store, is killed at any moment: what was confirmed never opens again.

use std::io::{Read, Write};
use std::net::{Ipv4Addr, TcpStream};
use std::thread;
use std::time::Duration;

use super::{Backing, signed_in, wait};
use crate::support::{Ask, Browser, DEADLINE, Waxseal, get, post};

/// How often, unless the variable `KILLS` says.
const KILLS: usize = 8;

#[test]
fn what_was_confirmed_outlasts_any_one_kill() {
    let kills = std::env::var("KILLS").map_or(KILLS, |kills| kills.parse().unwrap());
    let options = &["--appendonly", "yes", "--appendfsync", "always"];
    for backing in [Backing::redis(options), Backing::postgres(), Backing::sqlite()] {
        Loop::new(backing).run(kills);
    }
}

struct Loop {
    backing: Backing,
    processes: Vec<Waxseal>,
    /// Copies of the cookies of sessions whose sign-out was confirmed.
    confirmed: Vec<String>,
    /// From a random number to the next.
    random: u64,
}

impl Loop {
    fn new(backing: Backing) -> Loop {
        let processes = (0..3).map(|_| backing.process(&[])).collect();
        Loop { backing, processes, confirmed: Vec::new(), random: 0x9E37_79B9_7F4A_7C15 }
    }

    fn run(mut self, kills: usize) {
        for kill in 0..kills {
            let cookies: Vec<_> = (0..6).map(|at| self.cookie(at % 3)).collect();
            let victim = kill % 4;
            let pause = Duration::from_micros(self.next() % 20_000);
            let ports: Vec<_> = self.processes.iter().map(Waxseal::port).collect();
            let confirmed = thread::scope(|scope| {
                let signing_out = scope.spawn(|| {
                    let ended = |(at, cookie): (usize, &String)| {
                        let ask = post("/logout", "").cookie(cookie);
                        (status(ports[at % 3], &ask) == Some(303)).then(|| cookie.clone())
                    };
                    cookies.iter().enumerate().filter_map(ended).collect::<Vec<_>>()
                });
                thread::sleep(pause);
                match self.processes.get_mut(victim) {
                    Some(process) => process.kill(),
                    None => self.backing.stop(),
                }
                signing_out.join().unwrap()
            });
            self.confirmed.extend(confirmed);
            match victim {
                3 => self.backing.start_again(),
                _ => self.processes[victim] = self.backing.process(&[]),
            }
            self.check(victim);
        }
        assert!(self.confirmed.len() > kills, "{} sign-outs were confirmed", self.confirmed.len());
    }

    /// None of them opens in a process that was just started; in the others, not any more.
    fn check(&self, started: usize) {
        for (at, process) in self.processes.iter().enumerate() {
            wait("it is up", || get("/healthz").sent_to(process).text() == "ok");
            for cookie in &self.confirmed {
                let opens = || get("/").cookie(cookie).sent_to(process).greets("foo");
                if at == started {
                    assert!(!opens(), "from the first request on");
                }
                wait("a confirmed sign-out holds", || !opens());
            }
        }
        // And not after a pause either.
        let newest = self.confirmed.last();
        for process in &self.processes {
            assert!(newest.is_none_or(|it| !get("/").cookie(it).sent_to(process).greets("foo")));
        }
    }

    fn cookie(&self, at: usize) -> String {
        let browser: Browser = signed_in(&self.processes[at]);
        browser.cookie().unwrap().to_owned()
    }

    fn next(&mut self) -> u64 {
        self.random =
            self.random.wrapping_mul(6364136223846793005).wrapping_add(1442695040888963407);
        self.random >> 33
    }
}

/// The status of the answer, where one comes.
fn status(port: u16, ask: &Ask) -> Option<u16> {
    let mut stream = TcpStream::connect((Ipv4Addr::LOCALHOST, port)).ok()?;
    stream.set_read_timeout(Some(DEADLINE)).ok()?;
    stream.write_all(&ask.bytes()).ok()?;
    let mut head = [0; 12];
    stream.read_exact(&mut head).ok()?;
    std::str::from_utf8(&head[9..]).ok()?.parse().ok()
}
