//! The front with what cannot be had from outside: workers that answer wrongly, lanes that speak, and
//! a machine without a directory to write to.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::os::unix::net::{UnixListener, UnixStream};
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::{self, JoinHandle};

use tiny_http::Method;

use super::*;
use crate::http::{Request, Response};
use crate::server::answers::Answer;
use crate::server::listen;
use crate::server::workers::Workers;

/// A front that is running.
struct Running {
    address: SocketAddr,
    signals: UnixStream,
    front: JoinHandle<Result<(), ServeError>>,
    workers: Option<Workers>,
}

impl Running {
    /// With workers that `begin` starts behind the listener.
    fn start(
        config: Config,
        (rendezvous, listener): (Rendezvous, UnixListener),
        begin: impl FnOnce(UnixListener, &Config, Arc<Answers>) -> Option<Workers>,
    ) -> Running {
        let (poll, answers) = waiting(&config.limits).unwrap();
        let workers = begin(listener, &config, Arc::clone(&answers));
        let pulse = workers.as_ref().map(|workers| Arc::clone(&workers.pulse)).unwrap_or_default();
        let address = config.listener.local_addr().unwrap();
        let (ours, signals) = UnixStream::pair().unwrap();
        ours.set_nonblocking(true).unwrap();
        let front = thread::spawn(move || {
            let signals = Signals::through(mio::net::UnixStream::from_std(ours));
            Front::new(config, (poll, answers), signals, rendezvous, pulse)?.run()
        });
        Running { address, signals, front, workers }
    }

    fn get(&self, path: &str, name: &str) -> (u16, String) {
        self.ask(&format!("GET {path}"), name, &[])
    }

    fn post(&self, path: &str, name: &str, body: &[u8]) -> (u16, String) {
        self.ask(&format!("POST {path}"), name, body)
    }

    /// The status and the body of the one answer.
    fn ask(&self, what: &str, name: &str, body: &[u8]) -> (u16, String) {
        let mut stream = TcpStream::connect(self.address).unwrap();
        stream.set_read_timeout(Some(Duration::from_secs(10))).unwrap();
        let length = body.len();
        let fields = format!("Host: a\r\nCookie: {name}\r\nContent-Length: {length}");
        write!(stream, "{what} HTTP/1.1\r\n{fields}\r\nConnection: close\r\n\r\n").unwrap();
        stream.write_all(body).unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).unwrap();
        let (head, body) = answer.split_once("\r\n\r\n").expect("an answer");
        (head[9..12].parse().unwrap(), body.to_owned())
    }

    /// Asks until an answer was so quick that the front takes it for one.
    fn warm_up(&self) {
        let mut began = Instant::now();
        while self.get("/", "quick").0 != 200 || began.elapsed() > Duration::from_millis(40) {
            began = Instant::now();
        }
    }

    fn stop(mut self) {
        self.signals.write_all(b"x").unwrap();
        self.front.join().unwrap().unwrap();
        drop(self.workers);
    }
}

fn config() -> Config {
    Config::new(listen(Some([127, 0, 0, 1].into()), 0).unwrap())
}

/// tiny_http and workers that answer with what they know of the visitor.
fn echo(listener: UnixListener, config: &Config, answers: Arc<Answers>) -> Option<Workers> {
    let handler = |request: &mut Request<'_>| Response::text(200, request.cookies().into_owned());
    Some(Workers::start(listener, config, answers, handler).unwrap())
}

/// In place of tiny_http and its workers: answers rightly or wrongly, as the path says.
fn lie(listener: UnixListener, _: &Config, answers: Arc<Answers>) -> Option<Workers> {
    thread::spawn(move || take_lanes(&listener, &answers));
    None
}

fn take_lanes(listener: &UnixListener, answers: &Arc<Answers>) {
    while let Ok((lane, _)) = listener.accept() {
        let answers = Arc::clone(answers);
        thread::spawn(move || answer_wrongly(lane, &answers));
    }
}

fn answer_wrongly(mut lane: UnixStream, answers: &Answers) -> Option<()> {
    let mut lines = BufReader::new(lane.try_clone().ok()?).lines().map_while(Result::ok);
    loop {
        let request_line = lines.next()?;
        let head: Vec<String> = lines.by_ref().take_while(|line| !line.is_empty()).collect();
        let value = |name: &str| head.iter().find_map(|line| line.strip_prefix(name));
        let mut own = value("Waxseal-Lane: ")?.split(' ');
        let key: usize = own.next()?.parse().ok()?;
        let number = u64::from_str_radix(own.next()?, 16).ok()?;
        let name = value("Cookie: ").unwrap_or_default();
        let hand_over = |key: usize, number: u64| {
            let answer = Answer::render(Response::text(200, name.to_owned()), &Method::Get);
            answers.hand_over(Handed { lane: Key::from_number(key), number, answer });
        };
        match request_line.split(' ').nth(1)? {
            "/ahead" => hand_over(key, number.wrapping_add(1)),
            "/behind" => hand_over(key, number.wrapping_sub(1)),
            "/next-lane" => {
                hand_over(key ^ 1, number);
                lane.write_all(b"x").ok()?;
            }
            "/spoken" => lane.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n").ok()?,
            "/cut" => return None,
            "/twice" => {
                hand_over(key, number);
                hand_over(key, number);
            }
            "/surplus" => {
                hand_over(key, number);
                lane.write_all(b"x").ok()?;
            }
            // What comes late comes to whoever asks next.
            "/late" => {
                hand_over(key, number);
                thread::sleep(Duration::from_millis(5));
                hand_over(key, number);
            }
            "/slow" => {
                thread::sleep(Duration::from_millis(1500));
                hand_over(key, number);
            }
            "/held" => {
                thread::sleep(Duration::from_millis(800));
                hand_over(key, number);
            }
            _ => hand_over(key, number),
        }
    }
}

#[test]
fn whatever_workers_and_lanes_say_nobody_gets_anothers_answer() {
    let running = Running::start(config(), Rendezvous::listen().unwrap(), lie);
    let wrong = ["/ahead", "/behind", "/next-lane", "/spoken", "/cut"];
    let right = thread::scope(|scope| {
        for thread in 0..wrong.len() {
            let running = &running;
            scope.spawn(move || {
                for turn in 0..10 {
                    let path = wrong[(thread + turn) % wrong.len()];
                    let (status, body) = running.get(path, "a-liar");
                    assert!(status == 500 && !body.contains("a-liar"), "{path}: {body}");
                    // Their own answer comes, or none; what follows it comes to nobody.
                    for path in ["/late", "/twice", "/surplus"] {
                        let (status, body) = running.get(path, path);
                        assert!(status == 500 || body == path, "{path}: {status} {body}");
                    }
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

/// An answer that comes too late, while the lane that was opened instead is asked something else.
#[test]
fn a_late_answer_is_dropped_and_breaks_no_other_lane() {
    let mut config = config();
    config.workers = 1;
    config.limits.lane_time = Duration::from_secs(1);
    let running = Running::start(config, Rendezvous::listen().unwrap(), lie);
    assert_eq!(running.get("/slow", "late").0, 504);
    assert_eq!(running.get("/held", "next"), (200, "next".to_owned()));
    running.stop();
}

/// tiny_http and workers who sleep as long as the path says, in milliseconds.
fn sleepy(listener: UnixListener, config: &Config, answers: Arc<Answers>) -> Option<Workers> {
    let handler = |request: &mut Request<'_>| {
        let ms = request.path().trim_start_matches('/').parse().unwrap_or_default();
        thread::sleep(Duration::from_millis(ms));
        Response::text(200, request.cookies().into_owned())
    };
    Some(Workers::start(listener, config, answers, handler).unwrap())
}

/// All of these share the first lane, but for the body that is read late, which would hold it.
#[test]
fn whoever_is_slow_delays_nobody_else_on_the_lane() {
    let mut config = config();
    config.workers = 2;
    let running = Running::start(config, Rendezvous::listen().unwrap(), sleepy);
    for body in [0, 1024, 1025, 60_000] {
        thread::scope(|scope| {
            let slow = scope.spawn(|| running.post("/2000", "slow", &vec![b'x'; body]));
            thread::sleep(Duration::from_millis(300));
            for turn in 0..20 {
                let name = format!("visitor-{turn}");
                assert_eq!(running.get("/", &name), (200, name));
            }
            assert!(!slow.is_finished(), "with a body of {body} bytes the others waited");
            assert_eq!(slow.join().unwrap(), (200, "slow".to_owned()));
        });
    }
    running.stop();
}

/// The lane is given up for one who has waited too long; another has asked over it since, and the
/// late answer comes before that other's.
#[test]
fn whoever_asked_over_a_lane_that_is_given_up_has_an_answer() {
    let mut config = config();
    config.workers = 2;
    config.limits.lane_time = Duration::from_secs(3);
    let running = Running::start(config, Rendezvous::listen().unwrap(), sleepy);
    thread::scope(|scope| {
        let slow = scope.spawn(|| running.get("/4000", "late"));
        thread::sleep(Duration::from_secs(2));
        assert_eq!(running.get("/2500", "other"), (200, "other".to_owned()));
        assert_eq!(slow.join().unwrap().0, 504);
    });
    assert_eq!(running.get("/", "next"), (200, "next".to_owned()));
    running.stop();
}

/// With one worker there is one lane, which those who share it would never leave empty.
#[test]
fn whoever_needs_a_lane_alone_has_its_turn() {
    let mut config = config();
    config.workers = 1;
    config.limits.lane_time = Duration::from_secs(5);
    let running = Running::start(config, Rendezvous::listen().unwrap(), sleepy);
    let done = AtomicBool::new(false);
    thread::scope(|scope| {
        for visitor in 0..3 {
            let (running, done) = (&running, &done);
            scope.spawn(move || {
                while !done.load(Ordering::Relaxed) {
                    let name = format!("visitor-{visitor}");
                    assert_eq!(running.get("/10", &name), (200, name));
                }
            });
        }
        thread::sleep(Duration::from_millis(100));
        let answers: Vec<_> = (0..3).map(|_| running.post("/", "long", &[b'x'; 1025]).0).collect();
        done.store(true, Ordering::Relaxed);
        assert_eq!(answers, [200; 3]);
    });
    running.stop();
}

#[test]
fn a_lane_that_does_not_answer_its_probe_is_replaced() {
    let mut config = config();
    config.workers = 1;
    config.limits.probe_time = Duration::from_millis(200);
    let running = Running::start(config, Rendezvous::listen().unwrap(), |listener, _, answers| {
        thread::spawn(move || {
            let _silent = listener.accept();
            take_lanes(&listener, &answers);
        });
        None
    });
    assert_eq!(running.get("/", "served"), (200, "served".to_owned()));
    running.stop();
}

/// Two sleepy workers whose answers have been quick, and nobody waits for a lane.
fn two_without_a_queue() -> Running {
    let mut config = config();
    config.workers = 2;
    config.limits.queue = 0;
    config.limits.lane_time = Duration::from_secs(1);
    let running = Running::start(config, Rendezvous::listen().unwrap(), sleepy);
    running.warm_up();
    running
}

/// Nobody waits for what is overdue, but it still keeps the workers busy: nothing more is passed on
/// until enough of it is done.
#[test]
fn what_is_overdue_is_still_under_way() {
    let running = two_without_a_queue();
    thread::scope(|scope| {
        let slow: Vec<_> = (0..8)
            .map(|_| {
                thread::sleep(Duration::from_millis(10));
                scope.spawn(|| running.get("/700", "slow").0)
            })
            .collect();
        thread::sleep(Duration::from_millis(1300));
        assert_eq!(running.get("/", "refused").0, 503);
        let statuses: Vec<_> = slow.into_iter().map(|visitor| visitor.join().unwrap()).collect();
        assert_eq!(statuses, [200, 200, 504, 504, 504, 504, 504, 504]);
        thread::sleep(Duration::from_millis(2000));
        assert_eq!(running.get("/", "next"), (200, "next".to_owned()));
    });
    running.stop();
}

/// Then answers are not quick any more, however quick they were before.
#[test]
fn where_an_answer_is_overdue_less_is_passed_on() {
    let running = two_without_a_queue();
    thread::scope(|scope| {
        let overdue = scope.spawn(|| running.get("/3000", "overdue").0);
        thread::sleep(Duration::from_millis(1500));
        let others: Vec<_> =
            (0..8).map(|_| scope.spawn(|| running.get("/600", "slow").0)).collect();
        let others: Vec<_> = others.into_iter().map(|other| other.join().unwrap()).collect();
        let refused = others.iter().filter(|status| **status == 503).count();
        assert_eq!(refused, 5, "two for each of two workers, of which one is overdue: {others:?}");
        assert_eq!(overdue.join().unwrap(), 504);
    });
    running.stop();
}

/// The one worker is busy, so the lane that was opened in place of another has not answered its probe
/// in time. In a drain there will be no other.
#[test]
fn a_drain_waits_for_the_last_lane() {
    let mut config = config();
    config.workers = 1;
    config.limits.lane_time = Duration::from_secs(2);
    config.limits.probe_time = Duration::from_millis(600);
    let running = Running::start(config, Rendezvous::listen().unwrap(), sleepy);
    let after = |ms| thread::sleep(Duration::from_millis(ms));
    thread::scope(|scope| {
        let overdue = scope.spawn(|| running.get("/3400", "overdue").0);
        after(2200);
        let waiting = scope.spawn(|| running.get("/", "waiting"));
        after(100);
        (&running.signals).write_all(b"x").unwrap();
        assert_eq!(overdue.join().unwrap(), 504);
        assert_eq!(waiting.join().unwrap(), (200, "waiting".to_owned()));
    });
    running.front.join().unwrap().unwrap();
}

/// Where the queue stands still, its newest and its oldest go in turn.
#[test]
fn a_crowd_is_served_from_both_ends() {
    let mut config = config();
    config.workers = 1;
    let running = Running::start(config, Rendezvous::listen().unwrap(), sleepy);
    let order = Mutex::new(Vec::new());
    thread::scope(|scope| {
        for visitor in 0..40 {
            let (running, order) = (&running, &order);
            scope.spawn(move || {
                assert_eq!(running.get("/40", "x").0, 200);
                order.lock().unwrap().push(visitor);
            });
            thread::sleep(Duration::from_millis(3));
        }
    });
    let order = order.into_inner().unwrap();
    let turn = |visitor: usize| order.iter().position(|other| *other == visitor);
    assert!(turn(12) < turn(25), "the oldest waited for everybody: {order:?}");
    assert!(turn(38) < turn(25), "the newest waited for everybody: {order:?}");
    running.stop();
}

/// Far more than a lane holds on its way, so that the handler is done before all of it is sent.
#[test]
fn a_body_that_nobody_reads_leaves_the_lane_in_order() {
    let mut config = config();
    config.workers = 1;
    config.limits.body = 8 << 20;
    let running = Running::start(config, Rendezvous::listen().unwrap(), echo);
    for turn in 0..4 {
        let name = format!("visitor-{turn}");
        let body = vec![b'x'; 8 << 20];
        assert_eq!(running.post("/", &name, &body), (200, name.clone()));
        assert_eq!(running.get("/", &name), (200, name));
    }
    running.stop();
}

#[test]
fn an_answer_without_a_clear_end_is_not_passed_on() {
    let handler = |request: &mut Request<'_>| match request.path() {
        "/status" => Response::text(101, "x"),
        "/length" => Response::text(200, "x").with_header("content-length", "9"),
        "/coding" => Response::text(200, "x").with_header("Transfer-Encoding", "chunked"),
        _ => Response::text(200, "x"),
    };
    let running =
        Running::start(config(), Rendezvous::listen().unwrap(), |listener, config, answers| {
            Some(Workers::start(listener, config, answers, handler).unwrap())
        });
    for path in ["/status", "/length", "/coding"] {
        assert_eq!(running.get(path, "").0, 500, "{path}");
        assert_eq!(running.get("/", ""), (200, "x".to_owned()));
    }
    running.stop();
}

#[test]
fn serves_where_no_directory_can_be_written() {
    let places = ["/dev/null".into(), "/nowhere".into()];
    let (rendezvous, listener) = Rendezvous::listen_in(places).unwrap();
    assert_eq!(rendezvous.directory(), None);
    let running = Running::start(config(), (rendezvous, listener), echo);
    for turn in 0..100 {
        let name = format!("visitor-{turn}");
        assert_eq!(running.get("/", &name), (200, name));
    }
    running.stop();
}
