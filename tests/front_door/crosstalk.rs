//! No visitor may ever get another's answer.
//!
//! Thousands of visitors, interleaved, each with a name of its own in a cookie; some leave at every
//! stage of a request, some are answered too late, some handlers panic. (An answer with another
//! number, or for another lane, and a lane that says a byte: `src/server/event_loop/tests/lanes.rs`;
//! keys that are not used again: `src/server/tokens.rs`.)

use std::io::{Read, Write};
use std::net::TcpStream;
use std::thread;
use std::time::Duration;

use super::server::{Server, until};
use super::visitor::read_answer;

/// A small generator, so that a run can be repeated.
struct Dice(u64);

impl Dice {
    fn roll(&mut self, sides: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0 % sides
    }
}

fn request(name: &str, dice: &mut Dice) -> (String, String) {
    let fields = format!("HTTP/1.1\r\nHost: a\r\nCookie: {name}\r\n");
    let text = match dice.roll(6) {
        0 => format!("GET /whoami/{} {fields}\r\n", dice.roll(4)),
        1 => format!("POST /echo {fields}Content-Length: {}\r\n\r\n{name}", name.len()),
        2 => format!(
            "POST /echo {fields}Transfer-Encoding: chunked\r\n\r\n{:x}\r\n{name}\r\n0\r\n\r\n",
            name.len()
        ),
        3 => format!("GET /panic {fields}\r\n"),
        _ => format!("GET /whoami {fields}\r\n"),
    };
    let expected = if text.starts_with("GET /panic") { "500" } else { name };
    (text, expected.to_owned())
}

/// One visit; how many answers were its own.
fn visit(server: &Server, name: &str, dice: &mut Dice) -> usize {
    let mut stream = server.connect();
    let mut own = 0;
    for turn in 0..=dice.roll(4) {
        let name = format!("{name}-{turn}");
        let (text, expected) = request(&name, dice);
        match dice.roll(8) {
            // Leaves in the middle of the request,
            0 => {
                let _ = stream.write_all(&text.as_bytes()[..dice.roll(text.len() as u64) as usize]);
                return own;
            }
            // or before the answer,
            1 => {
                let _ = stream.write_all(text.as_bytes());
                return own;
            }
            // or in the middle of it,
            2 => {
                let _ = stream.write_all(text.as_bytes());
                let _ = stream.read(&mut [0; 9]);
                return own;
            }
            // or asks for two at once and takes one.
            3 => {
                let other =
                    format!("GET /whoami HTTP/1.1\r\nHost: a\r\nCookie: {name}-other\r\n\r\n");
                stream.write_all(format!("{text}{other}").as_bytes()).unwrap();
                own += check(&mut stream, &expected);
                return own;
            }
            _ => {
                stream.write_all(text.as_bytes()).unwrap();
                own += check(&mut stream, &expected);
            }
        }
    }
    own
}

fn check(stream: &mut TcpStream, expected: &str) -> usize {
    let answer = read_answer(stream).expect("an answer");
    match answer.status {
        200 => assert_eq!(answer.text(), expected),
        status => assert_eq!(status.to_string(), expected),
    }
    1
}

fn visits(server: &Server, threads: u64, each: u64) -> usize {
    thread::scope(|scope| {
        let visitors: Vec<_> = (0..threads)
            .map(|thread| {
                scope.spawn(move || {
                    let mut dice = Dice(0x9e37_79b9_7f4a_7c15 ^ (thread + 1));
                    (0..each)
                        .map(|n| visit(server, &format!("visitor-{thread}-{n}"), &mut dice))
                        .sum::<usize>()
                })
            })
            .collect();
        visitors.into_iter().map(|visitor| visitor.join().unwrap()).sum()
    })
}

#[test]
fn everyone_sees_their_own_name_only() {
    let server = Server::example(&[]);
    let threads = server.threads();
    let own = visits(&server, 48, 100);
    assert!(own > 3000, "{own}");
    assert!(!server.log().contains("a lane is"), "{}", server.log());
    until("threads are as before", || server.threads() == threads);
    server.assert_serves();
}

/// With answers that come too late all the while: lanes are given up, and others opened.
#[test]
fn late_answers_reach_nobody() {
    let server = Server::example(&["lane_ms=150"]);
    thread::scope(|scope| {
        for name in 0..4 {
            let server = &server;
            scope.spawn(move || {
                for turn in 0..6 {
                    let mut stream = server.connect();
                    let request = format!(
                        "GET /whoami/400 HTTP/1.1\r\nHost: a\r\nCookie: late-{name}-{turn}\r\n\r\n"
                    );
                    stream.write_all(request.as_bytes()).unwrap();
                    let answer = read_answer(&mut stream).unwrap();
                    assert!(matches!(answer.status, 503 | 504), "{answer:?}");
                    if answer.status == 503 {
                        continue;
                    }
                    // On the same connection the next answer is the next request's.
                    let request = format!(
                        "GET /whoami HTTP/1.1\r\nHost: a\r\nCookie: next-{name}-{turn}\r\n\r\n"
                    );
                    stream.write_all(request.as_bytes()).unwrap();
                    let answer = read_answer(&mut stream).unwrap();
                    if answer.status == 200 {
                        assert_eq!(answer.text(), format!("next-{name}-{turn}"));
                    }
                }
            });
        }
        for name in 0..8 {
            let server = &server;
            scope.spawn(move || {
                for turn in 0..100 {
                    let mut stream = server.connect();
                    let request =
                        format!("GET /whoami HTTP/1.1\r\nHost: a\r\nCookie: {name}-{turn}\r\n\r\n");
                    stream.write_all(request.as_bytes()).unwrap();
                    let answer = read_answer(&mut stream).unwrap();
                    if answer.status == 200 {
                        assert_eq!(answer.text(), format!("{name}-{turn}"));
                    }
                    thread::sleep(Duration::from_millis(10));
                }
            });
        }
    });
    assert!(server.log().contains("no answer in time"));
    until("lanes are back", || server.get("/").is_some_and(|answer| answer.status == 200));
}
