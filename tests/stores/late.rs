//! A healthy server of which some answers come late, as after a lost packet or beside a busy neighbour.

use std::io::{Read, Write};
use std::net::{Ipv4Addr, Shutdown, TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;
use std::time::Duration;

use super::server::Server;
use super::visitors::{count, home_of_a_visitor, visits};
use crate::support::Waxseal;

const LATE: Duration = Duration::from_millis(400);

/// A proxy before a server, on a port of its own, until the test has ended.
struct Proxy {
    port: u16,
    answers: Arc<AtomicUsize>,
}

impl Proxy {
    /// One of so many answers is late.
    fn before(server: u16, one_of: usize) -> Proxy {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        let port = listener.local_addr().unwrap().port();
        let answers = Arc::new(AtomicUsize::new(0));
        let counted = Arc::clone(&answers);
        thread::spawn(move || {
            for client in listener.incoming() {
                let (client, server) =
                    (client.unwrap(), TcpStream::connect((Ipv4Addr::LOCALHOST, server)).unwrap());
                let both = [&client, &server].map(|stream| {
                    stream.set_nodelay(true).unwrap();
                    stream.try_clone().unwrap()
                });
                let answers = Arc::clone(&counted);
                thread::spawn(move || pump(client, server, || ()));
                thread::spawn(move || {
                    let [client, server] = both;
                    pump(server, client, || {
                        if (answers.fetch_add(1, Ordering::SeqCst) + 1).is_multiple_of(one_of) {
                            thread::sleep(LATE);
                        }
                    });
                });
            }
        });
        Proxy { port, answers }
    }
}

/// Passes on what comes, after a moment.
fn pump(mut from: TcpStream, mut to: TcpStream, moment: impl Fn()) {
    let mut bytes = vec![0; 1 << 16];
    while let Ok(length @ 1..) = from.read(&mut bytes) {
        moment();
        if to.write_all(&bytes[..length]).is_err() {
            break;
        }
    }
    let _ = to.shutdown(Shutdown::Both);
}

/// A visitor waits for a late answer, and nobody is told of an outage. `address` gives the value of
/// `variable` for a port.
pub fn late_answers(server: &Server, name: &str, variable: &str, address: impl Fn(u16) -> String) {
    for one_of in [200, 50] {
        let proxy = Proxy::before(server.port, one_of);
        let address = address(proxy.port);
        let waxseal = Waxseal::start(&[("SESSION_STORE", name), (variable, &address)]);
        let home = home_of_a_visitor(&waxseal);
        let before = proxy.answers.load(Ordering::SeqCst);
        assert_eq!(visits(&waxseal, &home, 16, 50), count([200; 800]), "1 of {one_of}");
        let answers = proxy.answers.load(Ordering::SeqCst) - before;
        assert!(answers >= 800, "{answers}");
        assert!(!waxseal.log().contains("at=error"), "{}", waxseal.log());
    }
    // The whole server stands still for a moment.
    let address = address(server.port);
    let waxseal = Waxseal::start(&[("SESSION_STORE", name), (variable, &address)]);
    let home = home_of_a_visitor(&waxseal);
    thread::scope(|scope| {
        let visits = scope.spawn(|| visits(&waxseal, &home, 12, 100));
        thread::sleep(Duration::from_millis(50));
        server.pause();
        thread::sleep(Duration::from_millis(300));
        server.resume();
        assert_eq!(visits.join().unwrap(), count([200; 1200]));
    });
}
