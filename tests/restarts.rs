//! Restarts with one socket that a supervisor holds, in both orders: no client is refused, none is lost.

mod support;

use std::net::{Ipv4Addr, TcpListener, UdpSocket};
use std::os::fd::AsFd;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Duration;

use support::{Connection, HANDS_OVER, KEYS, Waxseal, get, on_socket};

/// A short grace time, of which there is one at every restart.
const GRACE: (&str, &str) = ("DRAIN_GRACE", "300ms");
const RESTARTS: usize = 5;

fn listen() -> (TcpListener, u16) {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    let port = listener.local_addr().unwrap().port();
    (listener, port)
}

#[test]
fn a_socket_that_a_supervisor_holds_outlives_the_process() {
    let (listener, port) = listen();
    let mut first = Waxseal::start_on(&listener, &[GRACE]);
    assert_eq!(first.port(), port);
    assert_eq!(get("/healthz").sent_to(&first).status, 200);
    assert!(first.terminate().success());
    // Nobody serves now; the request waits.
    let mut waiting = Connection::open(port);
    waiting.send(&get("/healthz").bytes());
    let mut second = Waxseal::start_on(&listener, &[GRACE]);
    assert_eq!(waiting.answer(false).status, 200);
    assert!(second.terminate().success());
}

/// Asks until `ends`, on connections that stay open as long as the server says nothing else, with a pause
/// between two requests; how many answers came.
fn keep_asking(port: u16, pause: Duration, ends: &AtomicBool) -> usize {
    let mut answers = 0;
    while !ends.load(Ordering::Relaxed) {
        let mut connection = Connection::open(port);
        loop {
            connection.send(&get("/healthz").bytes());
            let answer = connection.answer(false);
            assert_eq!(answer.status, 200);
            answers += 1;
            if answer.header("Connection") == Some("close") || ends.load(Ordering::Relaxed) {
                break;
            }
            thread::sleep(pause);
        }
    }
    answers
}

/// Restarts under load; every client panics at the first answer that does not come.
fn restart_under_load(restart: impl Fn(&TcpListener, &mut Waxseal)) {
    let (listener, port) = listen();
    let ends = &AtomicBool::new(false);
    let mut server = Waxseal::start_on(&listener, &[GRACE]);
    thread::scope(|scope| {
        let pauses = (0..16).map(|number| Duration::from_millis(1 + 10 * number));
        let clients: Vec<_> =
            pauses.map(|pause| scope.spawn(move || keep_asking(port, pause, ends))).collect();
        for _ in 0..RESTARTS {
            thread::sleep(Duration::from_millis(100));
            restart(&listener, &mut server);
        }
        ends.store(true, Ordering::Relaxed);
        for client in clients {
            assert!(client.join().expect("every request is answered") > RESTARTS);
        }
    });
    assert!(server.terminate().success());
}

#[test]
fn the_next_process_starts_before_the_old_one_ends() {
    restart_under_load(|listener, server| {
        let next = Waxseal::start_on(listener, &[GRACE]);
        assert!(std::mem::replace(server, next).terminate().success());
    });
}

#[test]
fn the_next_process_starts_after_the_old_one_has_ended() {
    restart_under_load(|listener, server| {
        assert!(server.terminate().success());
        *server = Waxseal::start_on(listener, &[GRACE]);
    });
}

/// What it says, started by `script` with `socket` as its standard input.
fn refusal(socket: impl AsFd, script: &str) -> String {
    let output = on_socket(socket, script, &KEYS).output().expect("a shell");
    assert_eq!(output.status.code(), Some(2), "{output:?}");
    String::from_utf8(output.stderr).unwrap()
}

#[test]
fn what_is_no_socket_for_this_process_is_refused() {
    let (listener, port) = listen();
    let udp = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    let client = std::net::TcpStream::connect((Ipv4Addr::LOCALHOST, port)).unwrap();
    for (said, expected) in [
        (refusal(&udp, HANDS_OVER), "LISTEN_FDS hands over what is no TCP socket"),
        (refusal(&client, HANDS_OVER), "LISTEN_FDS hands over a socket that does not listen"),
        (refusal(&listener, &HANDS_OVER.replace("FDS=1", "FDS=2")), "LISTEN_FDS is \"2\""),
        // They are another process's, as systemd says it.
        (refusal(&listener, &HANDS_OVER.replace("=$$", "=1")), "PORT is not set"),
        (refusal(&listener, &HANDS_OVER.replace("LISTEN_PID=$$", "")), "PORT is not set"),
    ] {
        assert!(said.contains(expected), "{said}");
    }
}
