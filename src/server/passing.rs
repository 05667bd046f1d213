//! What the front does with lanes: passes requests on, brings answers back, replaces what breaks.

use std::mem;
use std::time::Duration;

use log::{error, warn};
use mio::Interest;
use mio::event::Event;

use super::answers::Handed;
use super::budget::Holding;
use super::client::Want;
use super::deadlines::{Class, Deadline};
use super::front::{Front, OPEN_AGAIN};
use super::lane::{Broken, OWN_FIELD, Question};
use super::lanes::Lanes;
use super::refusal::{self, Refusal};
use super::slots::Key;

/// The pause after a lane could not be opened.
const OPEN_PAUSE: Duration = Duration::from_millis(250);
/// Where somebody has waited so long for a lane, the queue counts as standing still.
const STANDING: Duration = Duration::from_millis(250);

impl Front {
    /// Passes a visitor's request on, where a lane is free; else it waits, unless too many do.
    /// True where more can be done for the visitor.
    pub(super) fn pass(&mut self, key: Key) -> bool {
        if !self.has_lane_to_give() {
            return !self.queue(key);
        }
        let moment = Front::moment(self.now, &self.limits, self.draining);
        let Some(visitor) = self.visitors.get_mut(key) else { return false };
        let Some(request) = visitor.client.take_request(moment) else { return false };
        let Some(lane) = self.lanes.take_free() else { return false };
        self.number += 1;
        let (number, address) = (self.number, visitor.address);
        let own = format_args!("{OWN_FIELD}: {} {number} {address}", lane.number());
        let bytes = request.into_bytes(own);
        self.ask(lane, Question { number, visitor: Some(key) }, bytes);
        true
    }

    // The queue. A visitor is in it as soon as its deadline says so.

    /// Whether a visitor waits for a lane; else it has its answer: too many do.
    fn queue(&mut self, key: Key) -> bool {
        let Some(visitor) = self.visitors.get_mut(key) else { return true };
        if visitor.due.is_some_and(|(class, _, _)| class.is_queue()) {
            return true;
        }
        if self.queued >= self.limits.queue
            && let Some(oldest) = self.oldest_in_queue().filter(|oldest| self.stands(*oldest))
        {
            // Who has waited longest is the least likely to be waiting still.
            self.turn_away(oldest.2);
            self.advance(oldest.2);
        }
        if self.queued >= self.limits.queue {
            self.turn_away(key);
            return false;
        }
        true
    }

    fn turn_away(&mut self, key: Key) {
        let moment = Front::moment(self.now, &self.limits, self.draining);
        if let Some(visitor) = self.visitors.get_mut(key) {
            visitor.client.refuse(moment, refusal::BUSY);
        }
    }

    fn oldest_in_queue(&self) -> Option<Deadline> {
        let classes = [Class::Queue, Class::QueueForMore];
        classes.into_iter().filter_map(|class| self.deadlines.first(class)).min_by_key(|due| due.1)
    }

    /// The queue stands still, as far as its oldest can tell.
    fn stands(&self, oldest: Deadline) -> bool {
        // Whoever came a moment ago has all but that of its time left.
        oldest.1 <= self.now + self.limits.lane_time.saturating_sub(STANDING)
    }

    /// Whether a lane is free. Where the queue stands, those that keep the workers busy are enough:
    /// what is passed on cannot be overtaken any more.
    fn has_lane_to_give(&self) -> bool {
        let enough = self.lanes.busy() >= 2 * self.workers
            && self.oldest_in_queue().is_some_and(|oldest| self.stands(oldest));
        self.lanes.has_free() && !enough
    }

    /// Who is next: the oldest. But where the queue stands, the newest and the oldest in turn, so
    /// that a crowd that asks for much at once delays itself, and hardly those who come after it.
    /// Who has just had a large answer is not new.
    fn next_in_queue(&mut self) -> Option<Key> {
        let oldest = self.oldest_in_queue()?;
        self.newest_went = !self.newest_went && self.stands(oldest);
        let newest = self.deadlines.last(Class::Queue).filter(|_| self.newest_went);
        Some(newest.unwrap_or(oldest).2)
    }

    fn ask(&mut self, key: Key, question: Question, bytes: Vec<u8>) {
        let Some(entry) = self.lanes.get_mut(key) else { return };
        let due = self.now + self.limits.lane_time;
        entry.due = Some(due);
        entry.lane.ask(question, bytes);
        self.deadlines.insert((Class::Lane, due, key));
        self.watch();
        self.asked.push(key);
    }

    /// Writes what this turn of the loop has gathered: the questions to the lanes first, so that
    /// the workers are at them while the answers are written to the visitors.
    ///
    /// Each write wakes a thread. One after another they wake many for one switch away from the
    /// front, where between two reads each would be a switch of its own.
    pub(super) fn write_all(&mut self) {
        while !(self.asked.is_empty() && self.answered.is_empty()) {
            while let Some(lane) = self.asked.pop() {
                self.send_question(lane);
            }
            // Behind an answer there may have been the next request already.
            while let Some(visitor) = self.answered.pop() {
                self.advance(visitor);
            }
        }
    }

    fn send_question(&mut self, key: Key) {
        let Some(entry) = self.lanes.get_mut(key) else { return };
        let sent = match entry.lane.send() {
            Ok(false) => {
                let both = Interest::READABLE | Interest::WRITABLE;
                self.poll.registry().reregister(&mut entry.lane.socket, Lanes::token(key), both)
            }
            sent => sent.map(drop),
        };
        match sent {
            Ok(()) => self.count_lane(key),
            Err(_) => self.retire(key, Broken("it cannot be written to"), refusal::BROKEN_LANE),
        }
    }

    /// A lane has room to write, or something to read, which it never should.
    pub(super) fn lane_ready(&mut self, key: Key, event: &Event) {
        if event.is_writable() {
            self.send_question(key);
        }
        if let Some(entry) = self.lanes.get_mut(key)
            && let Some(broken) = entry.lane.listen()
        {
            self.retire(key, broken, refusal::BROKEN_LANE);
        }
    }

    /// Workers have handed answers over.
    pub(super) fn take_answers(&mut self) {
        let mut handed = mem::take(&mut self.handed);
        self.answers.take(&mut handed);
        handed.drain(..).for_each(|handed| self.deliver(handed));
        self.handed = handed;
    }

    fn deliver(&mut self, Handed { lane, number, answer }: Handed) {
        // Late: the lane has been retired, and whoever asked has another answer.
        let Some(entry) = self.lanes.get_mut(lane) else { return };
        let Some(question) = entry.lane.answered(number) else {
            let broken = Broken("an answer with another number");
            return self.retire(lane, broken, refusal::BROKEN_LANE);
        };
        let moment = Front::moment(self.now, &self.limits, self.draining);
        // A visitor who has left: the answer is dropped here.
        if let Some(visitor) = question.visitor.and_then(|key| self.visitors.get_mut(key)) {
            visitor.client.answer(moment, answer);
        }
        self.lane_answered(lane, question.visitor);
    }

    /// A lane's question is answered: who is next in the queue has it, before anything is written.
    fn lane_answered(&mut self, key: Key, visitor: Option<Key>) {
        if let Some(entry) = self.lanes.get_mut(key)
            && let Some(due) = entry.due.take()
        {
            self.deadlines.remove(&(Class::Lane, due, key));
        }
        if self.lanes.release(key) {
            self.open_failing = false;
            self.open_lane();
        }
        for _ in 0..self.lanes.wanted() {
            if !self.has_lane_to_give() {
                break;
            }
            let Some(next) = self.next_in_queue() else { break };
            self.advance(next);
        }
        self.answered.extend(visitor);
    }

    /// No answer in time.
    pub(super) fn lane_overdue(&mut self, key: Key) {
        if let Some(entry) = self.lanes.get_mut(key) {
            entry.due = None;
            self.retire(key, Broken("no answer in time"), refusal::NO_ANSWER);
        }
    }

    /// Closes a lane; whoever waits for it gets a refusal, and another is opened in its place.
    fn retire(&mut self, key: Key, why: Broken, refusal: Refusal) {
        let Some(entry) = self.lanes.remove(key) else { return };
        self.budget.recount(entry.counted, Holding::default());
        if let Some(due) = entry.due {
            self.deadlines.remove(&(Class::Lane, due, key));
        }
        if !self.draining {
            warn!(reason = why.0; "a lane is closed");
        }
        self.watch();
        if let Some(Question { visitor: Some(visitor), .. }) = entry.lane.question() {
            let moment = Front::moment(self.now, &self.limits, self.draining);
            if let Some(waiting) = self.visitors.get_mut(visitor)
                && waiting.client.want(&self.limits) == Want::Answer
            {
                waiting.client.refuse(moment, refusal);
            }
            self.advance(visitor);
        }
        self.open_lane();
    }

    /// Opens a lane where one is missing, one at a time.
    pub(super) fn open_lane(&mut self) {
        if self.rendezvous.is_none() || !self.lanes.wants_one() {
            return;
        }
        self.number += 1;
        let due = self.now + self.limits.probe_time;
        match self.lanes.open(self.poll.registry(), self.number, due) {
            Ok(key) => self.deadlines.insert((Class::Lane, due, key)),
            Err(error) => {
                if !self.open_failing {
                    error!(error:% = error; "a lane cannot be opened");
                }
                self.open_failing = true;
                self.deadlines.insert((Class::Own, self.now + OPEN_PAUSE, OPEN_AGAIN));
            }
        }
        self.watch();
    }

    /// Counts a lane's buffers.
    fn count_lane(&mut self, key: Key) {
        if let Some(entry) = self.lanes.get_mut(key) {
            let held = Holding { class: Some(Class::Lane), bytes: entry.lane.memory() };
            self.budget.recount(mem::replace(&mut entry.counted, held), held);
            self.relieve();
        }
    }
}
