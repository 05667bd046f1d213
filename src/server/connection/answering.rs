//! How a connection gets its answer, and hands out the bytes to be written.

use std::mem;

use super::parser::Persistence;
use super::{After, Connection, Moment, State};
use crate::http::Method;
use crate::server::message::{Answer, LARGE_ANSWER};
use crate::server::rejection::Rejection;

impl Connection {
    /// The answer of a worker came.
    pub(in crate::server) fn answer(&mut self, moment: Moment<'_>, answer: Answer) {
        let State::InFlight(in_flight) = self.state else { return };
        let after = match in_flight.persistence {
            Persistence::Close => After::Close,
            _ if moment.phase.is_draining() => After::Close,
            _ => After::NextRequest,
        };
        self.write(answer, after, in_flight.persistence);
        self.is_again = self.output.len() > LARGE_ANSWER;
        self.enter(moment, State::Answering(after));
    }

    /// The front door answers itself. Unless the request was taken, nothing can follow the answer:
    /// to reject all that a client sends at once, one after another, would keep the server from
    /// everybody else.
    pub(in crate::server) fn reject(&mut self, moment: Moment<'_>, rejection: Rejection) {
        match &self.state {
            State::InFlight(in_flight) => {
                let answer = rejected(moment, rejection, in_flight.head_only);
                self.answer(moment, answer);
            }
            State::Idle | State::Head => self.reject_at_last(moment, rejection, false),
            State::Body(request) | State::Ready(request) => {
                let head_only = request.head_only();
                self.reject_at_last(moment, rejection, head_only);
            }
            _ => {}
        }
    }

    pub(super) fn reject_at_last(
        &mut self,
        moment: Moment<'_>,
        rejection: Rejection,
        head_only: bool,
    ) {
        let answer = rejected(moment, rejection, head_only);
        self.write(answer, After::Close, Persistence::Close);
        self.enter(moment, State::Answering(After::Close));
    }

    fn write(&mut self, answer: Answer, after: After, persistence: Persistence) {
        let Answer { mut head, body } = answer;
        head.extend_from_slice(match (after, persistence) {
            (After::Close, _) => b"Connection: close\r\n\r\n",
            (After::NextRequest, Persistence::SayKeepAlive) => b"Connection: keep-alive\r\n\r\n",
            (After::NextRequest, _) => b"\r\n",
        });
        if body.len() > LARGE_ANSWER {
            self.output.append(head);
            self.output.follow(body);
        } else {
            head.extend_from_slice(&body);
            self.output.append(head);
        }
    }

    /// The bytes to be written.
    pub(in crate::server) fn output(&self) -> &[u8] {
        self.output.next()
    }

    /// So many bytes of the output were written.
    pub(in crate::server) fn wrote(&mut self, moment: Moment<'_>, count: usize) {
        self.taken += count;
        self.taken_at = moment.now;
        if !self.output.wrote(count) {
            return;
        }
        match self.state {
            State::Answering(After::Close) => self.enter(moment, State::ShuttingDown),
            State::Answering(After::NextRequest) => {
                self.enter(moment, State::Idle);
                let behind = mem::take(&mut self.input);
                self.is_again |= !behind.is_empty();
                self.receive_head(moment, &behind);
            }
            _ => {}
        }
    }
}

fn rejected(moment: Moment<'_>, rejection: Rejection, head_only: bool) -> Answer {
    let method = if head_only { Method::Head } else { Method::Get };
    Answer::render(moment.pages.answer(rejection), method)
}
