//! The front with what cannot be had from outside: a tiny_http that answers wrongly, and a machine
//! without a directory to write to.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::os::unix::net::{UnixListener, UnixStream};
use std::thread::{self, JoinHandle};

use super::*;
use crate::http::Response;
use crate::server::listen;
use crate::server::workers::Workers;

/// A front that is running.
struct Running {
    address: SocketAddr,
    signals: UnixStream,
    front: JoinHandle<Result<(), ServeError>>,
}

impl Running {
    fn start(config: Config, rendezvous: Rendezvous, pulse: Arc<Pulse>) -> Running {
        let address = config.listener.local_addr().unwrap();
        let (ours, signals) = UnixStream::pair().unwrap();
        ours.set_nonblocking(true).unwrap();
        let front = thread::spawn(move || {
            let signals = Signals::through(mio::net::UnixStream::from_std(ours));
            Front::new(config, signals, rendezvous, pulse)?.run()
        });
        Running { address, signals, front }
    }

    /// The status and the body of the one answer.
    fn get(&self, path: &str, name: &str) -> (u16, String) {
        let mut stream = TcpStream::connect(self.address).unwrap();
        stream.set_read_timeout(Some(Duration::from_secs(10))).unwrap();
        let fields = format!("Host: a\r\nCookie: {name}\r\nConnection: close");
        write!(stream, "GET {path} HTTP/1.1\r\n{fields}\r\n\r\n").unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).unwrap();
        let (head, body) = answer.split_once("\r\n\r\n").expect("an answer");
        (head[9..12].parse().unwrap(), body.to_owned())
    }

    fn stop(mut self) {
        self.signals.write_all(b"x").unwrap();
        self.front.join().unwrap().unwrap();
    }
}

fn config() -> Config {
    Config::new(listen(Some([127, 0, 0, 1].into()), 0).unwrap())
}

/// Answers on lanes, rightly or wrongly, as the path says.
fn lie(listener: &UnixListener) {
    while let Ok((lane, _)) = listener.accept() {
        thread::spawn(move || answer_wrongly(lane));
    }
}

fn answer_wrongly(mut lane: UnixStream) -> Option<()> {
    let mut lines = BufReader::new(lane.try_clone().ok()?).lines().map_while(Result::ok);
    loop {
        let request_line = lines.next()?;
        let head: Vec<String> = lines.by_ref().take_while(|line| !line.is_empty()).collect();
        let value = |name: &str| head.iter().find_map(|line| line.strip_prefix(name));
        let number: u64 = value("Waxseal-Lane: ")?.split(' ').next()?.parse().ok()?;
        let name = value("Cookie: ").unwrap_or_default();
        let answer = |number: u64| {
            let length = name.len();
            format!("{number}\r\nHTTP/1.1 200 OK\r\nContent-Length: {length}\r\n\r\n{name}")
        };
        let text = match request_line.split(' ').nth(1)? {
            "/ahead" => answer(number + 1),
            "/behind" => answer(number - 1),
            "/none" => answer(number).split_off(number.to_string().len() + 2),
            "/surplus" => answer(number) + "x",
            "/twice" => answer(number).repeat(2),
            "/cut" => answer(number)[..20].to_owned(),
            _ => answer(number),
        };
        lane.write_all(text.as_bytes()).ok()?;
        match request_line.split(' ').nth(1)? {
            "/cut" => return None,
            // What comes late comes to whoever asks next.
            "/late" => {
                thread::sleep(Duration::from_millis(5));
                lane.write_all(answer(number).as_bytes()).ok()?;
            }
            _ => {}
        }
    }
}

#[test]
fn whatever_a_lane_says_nobody_gets_anothers_answer() {
    let (rendezvous, listener) = Rendezvous::listen().unwrap();
    thread::spawn(move || lie(&listener));
    let running = Running::start(config(), rendezvous, Arc::default());
    let wrong = ["/ahead", "/behind", "/none", "/surplus", "/twice", "/cut"];
    let right = thread::scope(|scope| {
        for thread in 0..wrong.len() {
            let running = &running;
            scope.spawn(move || {
                for turn in 0..10 {
                    let path = wrong[(thread + turn) % wrong.len()];
                    let (status, body) = running.get(path, "a-liar");
                    assert!(status == 500 && !body.contains("a-liar"), "{path}: {body}");
                    running.get("/late", "too-late");
                }
            });
        }
        let honest: Vec<_> = (0..4)
            .map(|thread| {
                let running = &running;
                scope.spawn(move || {
                    let own = |turn| {
                        let name = format!("visitor-{thread}-{turn}");
                        let (status, body) = running.get("/", &name);
                        // Where a lane broke before the answer came, there is none.
                        assert!(status == 500 || body == name, "{name}: {status} {body}");
                        status == 200
                    };
                    (0..100).filter(|turn| own(*turn)).count()
                })
            })
            .collect();
        honest.into_iter().map(|visitor| visitor.join().unwrap()).sum::<usize>()
    });
    assert!(right > 200, "{right} of 400 got their answers");
    // The lanes are there again.
    for turn in 0..50 {
        let name = format!("after-{turn}");
        assert_eq!(running.get("/", &name), (200, name));
    }
    running.stop();
}

#[test]
fn serves_where_no_directory_can_be_written() {
    let places = ["/dev/null".into(), "/nowhere".into()];
    let (rendezvous, listener) = Rendezvous::listen_in(places).unwrap();
    assert_eq!(rendezvous.directory(), None);
    let config = config();
    let workers = Workers::start(listener, &config, |request| {
        Response::text(200, request.cookies().into_owned())
    })
    .unwrap();
    let running = Running::start(config, rendezvous, Arc::clone(&workers.pulse));
    for turn in 0..100 {
        let name = format!("visitor-{turn}");
        assert_eq!(running.get("/", &name), (200, name));
    }
    running.stop();
    drop(workers);
}
