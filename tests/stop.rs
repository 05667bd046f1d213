//! Servers that their program ends.

use std::net::TcpStream;
use std::sync::mpsc::{Receiver, channel};
use std::thread;
use std::time::Duration;

use waxseal::http::Response;
use waxseal::server::{Config, StopHandle, listen, serve};

/// No server takes so long to end.
const PATIENCE: Duration = Duration::from_secs(30);

/// A server with this handle, and a message once it has ended.
fn start(stop: &StopHandle) -> (u16, Receiver<()>) {
    let listener = listen(Some([127, 0, 0, 1].into()), 0).unwrap();
    let port = listener.local_addr().unwrap().port();
    let mut config = Config::new(listener);
    config.stop = Some(stop.clone());
    let (ended, ends) = channel();
    thread::spawn(move || {
        serve(config, |_| Response::text(200, "Hello")).unwrap();
        ended.send(()).unwrap();
    });
    (port, ends)
}

#[test]
fn a_handle_stops_all_servers_that_have_it_and_those_that_start_later() {
    let stop = StopHandle::new();
    let servers: Vec<_> = (0..3).map(|_| start(&stop)).collect();
    for (port, _) in &servers {
        assert!(TcpStream::connect(("127.0.0.1", *port)).is_ok());
    }
    stop.stop();
    for (_, ends) in servers {
        ends.recv_timeout(PATIENCE).expect("it ends");
    }
    start(&stop).1.recv_timeout(PATIENCE).expect("it ends at once");
}
