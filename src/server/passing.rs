//! What the front does with lanes: passes requests on, brings answers back, replaces what breaks.

use std::mem;
use std::net::IpAddr;
use std::time::Duration;

use log::{error, warn};
use mio::event::Event;

use super::answers::Handed;
use super::budget::Holding;
use super::client::Want;
use super::deadlines::{Class, Deadline};
use super::front::{Front, OPEN_AGAIN};
use super::gathering::Request;
use super::lane::{Broken, OWN_FIELD, Question};
use super::lanes::Entry;
use super::refusal::{self, Refusal};
use super::slots::Key;

/// The pause after a lane could not be opened.
const OPEN_PAUSE: Duration = Duration::from_millis(250);
/// So many questions are under way for each worker at most: whoever is done finds the next.
const AHEAD: usize = 2;
/// The same while answers are quick: the more goes over a lane together, the less each costs. But
/// what is passed on cannot be overtaken any more.
const AHEAD_WHILE_QUICK: usize = 4;
/// An answer is quick that comes so soon after its question.
const QUICK: Duration = Duration::from_millis(50);
/// Where somebody has waited so long for a lane, the queue counts as standing still.
const STANDING: Duration = Duration::from_millis(250);

impl Front {
    /// Passes a visitor's request on, where nobody waits before it and a lane has a seat; else it
    /// waits, unless too many do. True where more can be done for the visitor.
    pub(super) fn pass(&mut self, key: Key) -> bool {
        let is_next = self.next_in_queue().is_none_or(|(next, _)| next == key);
        let Some(lane) = self.lane_for(key).filter(|_| is_next) else { return !self.queue(key) };
        let moment = Front::moment(self.now, &self.limits, self.draining);
        let Some(visitor) = self.visitors.get_mut(key) else { return false };
        let Some(request) = visitor.client.take_request(moment) else { return false };
        let address = visitor.address;
        self.ask(lane, key, address, &request);
        true
    }

    /// The lane that a visitor's request goes over, if it can go now.
    fn lane_for(&mut self, key: Key) -> Option<Key> {
        let alone = self.visitors.get_mut(key)?.client.needs_lane_alone();
        let ahead = if self.quick { AHEAD_WHILE_QUICK } else { AHEAD };
        if self.lanes.questions() >= self.workers * ahead {
            return None;
        }
        self.lanes.with_seat(alone)
    }

    /// Those whose turn it is have the seats that there are.
    ///
    /// Who needs a lane alone may wait for one while others have seats. Then nobody goes, so that
    /// one empties soon: each lane has a question already, so that the workers are not idle once
    /// all lanes are open.
    pub(super) fn serve_queue(&mut self) {
        while let Some((next, newest)) = self.next_in_queue()
            && self.lane_for(next).is_some()
        {
            self.advance(next);
            self.newest_went = newest;
        }
    }

    fn ask(&mut self, key: Key, visitor: Key, address: IpAddr, request: &Request) {
        let Some(entry) = self.lanes.get_mut(key) else { return };
        let (number, due) = (self.numbers.draw(), self.now + self.limits.lane_time);
        if !entry.lane.has_unsent() {
            self.asked.push(key);
        }
        let question = Question { number, visitor: Some(visitor), due };
        let own = format_args!("{OWN_FIELD}: {} {number:x} {address}", key.number());
        entry.lane.ask(question, request, own);
        if entry.due.is_none() {
            entry.due = Some(due);
            self.deadlines.insert((Class::Lane, due, key));
        }
        self.watch();
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

    /// Who is next: the oldest. But where the queue stands, the newest and the oldest in turn, so
    /// that a crowd that asks for much at once delays itself, and hardly those who come after it.
    /// Who has just had a large answer is not new. True where it is the newest's turn.
    fn next_in_queue(&self) -> Option<(Key, bool)> {
        let oldest = self.oldest_in_queue()?;
        let newest_goes = !self.newest_went && self.stands(oldest);
        let newest = self.deadlines.last(Class::Queue).filter(|_| newest_goes);
        Some((newest.unwrap_or(oldest).2, newest_goes))
    }

    /// Writes what this turn of the loop has gathered: the questions to the lanes first, so that
    /// the workers are at them while the answers are written to the visitors.
    ///
    /// Each write wakes a thread. One after another they wake many for one switch away from the
    /// front, where between two reads each would be a switch of its own.
    pub(super) fn write_all(&mut self) {
        loop {
            // Whatever it was that made room.
            self.serve_queue();
            if self.asked.is_empty() && self.answered.is_empty() {
                break;
            }
            while let Some(lane) = self.asked.pop() {
                self.send_questions(lane);
            }
            // Behind an answer there may have been the next request already.
            while let Some(visitor) = self.answered.pop() {
                self.advance(visitor);
            }
        }
    }

    fn send_questions(&mut self, key: Key) {
        let Some(entry) = self.lanes.get_mut(key) else { return };
        let sent = entry.lane.send();
        match sent.and_then(|all| entry.watch_writing(!all, self.poll.registry(), key)) {
            Ok(()) => self.count_lane(key),
            Err(_) => self.retire(key, Broken("it cannot be written to")),
        }
    }

    /// A lane has room to write, or something to read, which it never should.
    pub(super) fn lane_ready(&mut self, key: Key, event: &Event) {
        if event.is_writable() {
            self.send_questions(key);
        }
        if let Some(entry) = self.lanes.get_mut(key)
            && let Some(broken) = entry.lane.listen()
        {
            self.retire(key, broken);
        }
    }

    /// Workers have handed answers over.
    pub(super) fn take_answers(&mut self) {
        let mut handed = mem::take(&mut self.handed);
        self.answers.take(&mut handed);
        handed.drain(..).for_each(|handed| self.deliver(handed));
        self.handed = handed;
        // Before newcomers of this turn are turned away, since the queue is full.
        self.serve_queue();
    }

    fn deliver(&mut self, Handed { lane, number, answer }: Handed) {
        // Late: the lane has been closed, and whoever asked has another answer.
        let Some(entry) = self.lanes.get_mut(lane) else { return };
        let Some(question) = entry.lane.answered(number) else {
            // It may be one that was left for too long, where the lane is given up, or would be.
            if !entry.lane.is_given_up() && !self.draining {
                self.retire(lane, Broken("an answer with another number"));
            }
            return;
        };
        if question.visitor.is_some() {
            self.quick = self.now + self.limits.lane_time <= question.due + QUICK;
        }
        let moment = Front::moment(self.now, &self.limits, self.draining);
        // A visitor who has left: the answer is dropped here.
        if let Some(visitor) = question.visitor.and_then(|key| self.visitors.get_mut(key)) {
            visitor.client.answer(moment, answer);
        }
        self.answered.extend(question.visitor);
        if self.lanes.answered(lane) {
            self.lane_opened(lane);
        }
        self.close_given_up(lane);
    }

    /// The probe is answered.
    fn lane_opened(&mut self, key: Key) {
        self.open_failing = false;
        // The probe had a time of its own.
        self.forget_lane_due(key);
        self.open_lane();
    }

    /// An answer may be overdue: who waits for it gets a refusal. The lane is given up where another
    /// can take its place, but others who have asked keep their time.
    pub(super) fn lane_overdue(&mut self, key: Key) {
        // In a drain no other can take its place.
        if self.lanes.is_probed(key) && self.rendezvous.is_some() {
            return self.retire(key, Broken("no answer in time"));
        }
        let Some(entry) = self.lanes.get_mut(key) else { return };
        let overdue = entry.lane.leave_overdue(self.now, self.now + self.limits.lane_time);
        entry.due = entry.lane.due();
        if let Some(due) = entry.due {
            self.deadlines.insert((Class::Lane, due, key));
        }
        self.quick &= overdue.is_empty();
        if !overdue.is_empty() && !entry.lane.is_given_up() && self.rendezvous.is_some() {
            entry.lane.give_up();
            warn!(reason = "no answer in time"; "a lane is given up");
            self.open_lane();
        }
        for question in overdue {
            self.refuse(question, refusal::NO_ANSWER);
        }
        self.close_given_up(key);
    }

    /// Closes a lane that is given up and has no more questions.
    fn close_given_up(&mut self, key: Key) {
        if let Some(Entry { lane, .. }) = self.lanes.get_mut(key)
            && lane.is_given_up()
            && lane.count() == 0
        {
            self.close(key);
        }
    }

    /// Closes a lane at once, and opens another in its place. All who have asked over it get a
    /// refusal: which of their requests tiny_http had read, nobody can tell.
    fn retire(&mut self, key: Key, why: Broken) {
        let Some(entry) = self.close(key) else { return };
        if !self.draining {
            warn!(reason = why.0; "a lane is closed");
        }
        for question in entry.lane.questions() {
            self.refuse(*question, refusal::BROKEN_LANE);
        }
        self.open_lane();
    }

    fn close(&mut self, key: Key) -> Option<Entry> {
        self.forget_lane_due(key);
        let entry = self.lanes.remove(key)?;
        self.budget.recount(entry.counted, Holding::default());
        self.watch();
        Some(entry)
    }

    fn forget_lane_due(&mut self, key: Key) {
        if let Some(due) = self.lanes.get_mut(key).and_then(|entry| entry.due.take()) {
            self.deadlines.remove(&(Class::Lane, due, key));
        }
    }

    /// Nobody answers this: whoever waits gets a refusal.
    fn refuse(&mut self, question: Question, refusal: Refusal) {
        let Some(visitor) = question.visitor else { return };
        let moment = Front::moment(self.now, &self.limits, self.draining);
        if let Some(waiting) = self.visitors.get_mut(visitor)
            && waiting.client.want(&self.limits) == Want::Answer
        {
            waiting.client.refuse(moment, refusal);
        }
        self.advance(visitor);
    }

    /// Opens a lane where one is missing, one at a time.
    pub(super) fn open_lane(&mut self) {
        if self.rendezvous.is_none() || self.open_paused || !self.lanes.wants_one() {
            return;
        }
        let due = self.now + self.limits.probe_time;
        match self.lanes.open(self.poll.registry(), self.numbers.draw(), due) {
            Ok(key) => self.deadlines.insert((Class::Lane, due, key)),
            Err(error) => {
                if !self.open_failing {
                    error!(error:% = error; "a lane cannot be opened");
                }
                self.open_failing = true;
                self.open_paused = true;
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
