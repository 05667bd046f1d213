//! The event loop with tiny_http and workers, some of which are held.

use std::time::Duration;

use super::rig::{Gate, Rig, config};
use crate::http::{Request, Response};
use crate::server::rejection_pages::RejectionPages;

fn echo(request: &mut Request) -> Response {
    Response::text(200, request.cookies().into_owned())
}

/// All of these share the first lane, but for a body that is read late, which has one alone.
#[test]
fn a_slow_request_delays_no_other_on_its_lane() {
    let gate = Gate::default();
    let mut rig = Rig::with_workers(config(2), gate.handler());
    for length in [0, 1024, 1025, 60_000] {
        let name = format!("slow-{length}");
        let mut slow = rig.post("/held", &name, length);
        rig.until(|_| gate.has_come(&name).then_some(()));
        for turn in 0..20 {
            let other = format!("other-{turn}");
            assert_eq!(rig.get("/", &other), (200, other));
        }
        assert!(slow.is_waiting(), "with a body of {length} bytes");
        gate.open(&name);
        assert_eq!(rig.answer(slow), (200, name));
    }
}

/// Its head goes as well; a lane that carries its request goes on.
#[test]
fn a_request_whose_client_has_gone_is_not_handled() {
    let gate = Gate::default();
    let mut rig = Rig::with_workers(config(1), gate.handler());
    let held = rig.ask("/held", "held");
    rig.until(|_| gate.has_come("held").then_some(()));
    let gone = rig.ask("/held", "gone");
    rig.until_in_flight(2);
    let before = rig.event_loop.connections.len();
    gone.reset();
    rig.until(|rig| (rig.event_loop.connections.len() < before).then_some(()));
    gate.open("held");
    assert_eq!(rig.answer(held), (200, "held".to_owned()));
    rig.until_in_flight(0);
    assert!(!gate.has_come("gone"));
    assert_eq!(rig.get("/", "next"), (200, "next".to_owned()));
}

/// A lane that was opened in place of another has not answered its probe in time, since the one
/// worker is busy.
#[test]
fn lanes_are_replaced_in_a_drain_too() {
    let gate = Gate::default();
    let mut config = config(1);
    config.limits.lane_time = Duration::from_secs(10);
    let mut rig = Rig::with_workers(config, gate.handler());
    rig.until_complete();
    let overdue = rig.ask("/held", "overdue");
    rig.until(|_| gate.has_come("overdue").then_some(()));
    rig.later(Duration::from_secs(10));
    assert_eq!(rig.answer(overdue).0, 504);
    let waiting = rig.ask("/", "waiting");
    (0..10).for_each(|_| rig.turn());
    rig.stop();
    rig.later(Duration::from_secs(6));
    gate.open("overdue");
    assert_eq!(rig.answer(waiting), (200, "waiting".to_owned()));
    rig.until_drained();
}

/// Far more than a lane holds on its way, so that the handler is done before all of it is sent.
#[test]
fn a_body_that_no_handler_reads_leaves_the_lane_in_order() {
    const LENGTH: usize = 8 << 20;
    let mut config = config(1);
    config.limits.body = LENGTH;
    let mut rig = Rig::with_workers(config, echo);
    for turn in 0..4 {
        let name = format!("client-{turn}");
        let client = rig.post("/", &name, LENGTH);
        assert_eq!(rig.answer(client), (200, name.clone()));
        assert_eq!(rig.get("/", &name), (200, name));
    }
}

#[test]
fn an_answer_without_a_clear_end_is_not_passed_on() {
    let handler = |request: &mut Request| match request.path() {
        "/status" => Response::text(101, "x"),
        "/length" => Response::text(200, "x").with_header("content-length", "9"),
        "/coding" => Response::text(200, "x").with_header("Transfer-Encoding", "chunked"),
        _ => Response::text(200, "x"),
    };
    let mut rig = Rig::with_workers(config(1), handler);
    for path in ["/status", "/length", "/coding"] {
        assert_eq!(rig.get(path, "").0, 500, "{path}");
        assert_eq!(rig.get("/", ""), (200, "x".to_owned()));
    }
}

/// By the event loop, and by a worker.
#[test]
fn what_the_server_answers_itself_looks_as_the_site_does() {
    let mut config = config(1);
    config.rejection_pages = RejectionPages::new(|rejection| {
        Response::html(rejection.status(), format!("<p>{}", rejection.why()))
    });
    let handler = |request: &mut Request| match request.path() {
        "/panic" => panic!("as asked"),
        "/length" => Response::text(200, "x").with_header("content-length", "9"),
        _ => Response::text(200, "x"),
    };
    let mut rig = Rig::with_workers(config, handler);
    let fault = (500, "<p>the fault is on our side".to_owned());
    assert_eq!(rig.get("/panic", ""), fault);
    assert_eq!(rig.get("/length", ""), fault);
    let bad_target = (400, "<p>malformed request target".to_owned());
    assert_eq!(rig.get("no-path", ""), bad_target);
    assert_eq!(rig.get("/", ""), (200, "x".to_owned()));
}
