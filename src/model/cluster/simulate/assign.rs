//! Which worker gets which task.

use super::{Engine, Event, MOST_ATTEMPTS};
use crate::model::cluster::draw::Stream;
use crate::model::cluster::outcome::Transfer;
use crate::model::cluster::plan::GroupPlan;
use crate::model::cluster::trace::COORDINATOR;
use crate::{Error, Result};

impl<'p> Engine<'p> {
    pub(super) fn group(&self, worker: u32) -> &'p GroupPlan {
        &self.plan.groups[self.workers[worker as usize].group as usize]
    }

    /// Puts a worker among those that take tasks, if it does, under what is known of it.
    pub(super) fn list(&mut self, worker: u32) {
        self.unlist(worker);
        let state = &mut self.workers[worker as usize];
        if state.outstanding <= self.plan.prefetch {
            let key = (state.expected_free.to_bits(), state.has_program);
            state.listed = Some(key);
            self.takers[2 * state.group as usize + usize::from(key.1)].insert((key.0, worker));
        }
    }

    pub(super) fn unlist(&mut self, worker: u32) {
        let state = &mut self.workers[worker as usize];
        if let Some((free, has_program)) = state.listed.take() {
            self.takers[2 * state.group as usize + usize::from(has_program)]
                .remove(&(free, worker));
        }
    }

    /// Seconds a task is expected to take a worker of a group.
    pub(super) fn expected(&self, group: &GroupPlan, task: u32) -> f64 {
        if task < self.plan.segments {
            group.decode.value
                + group.regenerate.value
                + group.growth * f64::from(task)
                + group.prove.value
        } else {
            group.join.value
        }
    }

    /// When a task's inputs are expected on a worker of a group: after what waits to leave the coordinator.
    pub(super) fn expected_there(&self, group: &GroupPlan, task: u32, has_program: bool) -> f64 {
        let plan = self.plan;
        let per_byte = 8.0 / plan.out_bps.min(group.in_bps);
        let mut bytes = 0.0;
        if task < plan.segments {
            bytes += plan.shipment_bytes.value;
            if !has_program {
                bytes += plan.program_bytes;
            }
        } else {
            for input in self.places.joined(task) {
                bytes += self.tasks[input as usize].bytes;
            }
        }
        let start = self.links.ports[COORDINATOR as usize]
            .out
            .free
            .max(self.now);
        start + bytes * per_byte + (plan.latency + group.latency) / 2.0
    }

    /// The worker that is expected to be done with a task first, of those that take one.
    pub(super) fn choose(&self, task: u32) -> Option<u32> {
        let mut best: Option<(f64, u32)> = None;
        for (number, group) in self.plan.groups.iter().enumerate() {
            let seconds = self.expected(group, task);
            for has_program in [true, false] {
                let Some(&(free, worker)) =
                    self.takers[2 * number + usize::from(has_program)].first()
                else {
                    continue;
                };
                let there = self.expected_there(group, task, has_program);
                let done = f64::from_bits(free).max(there) + seconds;
                if best.is_none_or(|(least, _)| done < least) {
                    best = Some((done, worker));
                }
            }
        }
        best.map(|(_, worker)| worker)
    }

    /// Assigns waiting tasks while workers take any, joins first.
    pub(super) fn dispatch(&mut self, cause: u32) -> Result<()> {
        loop {
            let joins = !self.joins_waiting.is_empty();
            let waiting = if joins {
                &self.joins_waiting
            } else {
                &self.segments_waiting
            };
            let Some(&task) = waiting.front() else {
                break;
            };
            if self.tasks[task as usize].ready {
                // A result that was given up for lost came after all.
                if joins {
                    self.joins_waiting.pop_front();
                } else {
                    self.segments_waiting.pop_front();
                }
                continue;
            }
            let Some(worker) = self.choose(task) else {
                break;
            };
            if joins {
                self.joins_waiting.pop_front();
            } else {
                self.segments_waiting.pop_front();
            }
            self.assign(task, worker, cause)?;
        }
        while self.on_egress.front().is_some_and(|&left| left <= self.now) {
            self.on_egress.pop_front();
        }
        let held = (self.segments_waiting.len() + self.on_egress.len()) as u64;
        self.out.peak_queue = self.out.peak_queue.max(held);
        Ok(())
    }

    pub(super) fn assign(&mut self, task: u32, worker: u32, cause: u32) -> Result<()> {
        let group = self.group(worker);
        let seconds = self.expected(group, task);
        let segment = task < self.plan.segments;
        let has_program = self.workers[worker as usize].has_program;
        let there = self.expected_there(group, task, has_program);
        let state = &mut self.workers[worker as usize];
        state.outstanding += 1;
        state.expected_free = state.expected_free.max(there) + seconds;
        let needs_program = segment && !state.has_program;
        state.has_program |= segment;
        state.queue.push(task);
        if self.plan.loss.is_some() {
            state.open.push(task);
        }
        self.list(worker);
        let assigned = &mut self.tasks[task as usize];
        assigned.worker = worker;
        assigned.attempt += 1;
        assigned.assigned = self.now;
        assigned.cause = cause;
        let attempt = assigned.attempt;
        if attempt > MOST_ATTEMPTS {
            return Err(Error::Usage(format!(
                "a task was lost {MOST_ATTEMPTS} times; give fewer losses (--loss)"
            )));
        }
        let again = attempt > 1;
        let kind = |first| if again { Transfer::Retry } else { first };
        if segment {
            if needs_program {
                self.send(
                    [COORDINATOR, worker + 1],
                    self.plan.program_bytes,
                    task,
                    Transfer::Program,
                    cause,
                );
            }
            let bytes = self
                .plan
                .shipment_bytes
                .draw(|| self.random(Stream::Shipment, task, 0));
            self.tasks[task as usize].missing = 1;
            let to = [COORDINATOR, worker + 1];
            self.send(to, bytes, task, kind(Transfer::Shipment), cause);
        } else {
            self.tasks[task as usize].missing = 2;
            for input in self.places.joined(task) {
                let bytes = self.tasks[input as usize].bytes;
                let to = [COORDINATOR, worker + 1];
                self.send(to, bytes, task, kind(Transfer::JoinSent), cause);
            }
        }
        Ok(())
    }

    pub(super) fn send(
        &mut self,
        way: [u32; 2],
        bytes: f64,
        task: u32,
        kind: Transfer,
        cause: u32,
    ) {
        let flight = self
            .links
            .send(self.now, way, bytes, task, cause, &mut self.out.trace);
        if way[0] == COORDINATOR && kind != Transfer::Program && task < self.plan.segments {
            self.on_egress.push_back(flight.left);
        }
        let total = &mut self.out.transfers[kind as usize];
        total.0 += 1;
        total.1 += bytes;
        let worker = way[usize::from(way[0] == COORDINATOR)] - 1;
        let epoch = self.workers[worker as usize].epoch;
        let tag = (kind, self.tasks[task as usize].attempt, epoch);
        let first_byte = flight.first_byte;
        let number = match self.free_flights.pop() {
            Some(number) => {
                self.flights[number as usize] = flight;
                self.flight_kinds[number as usize] = tag;
                number
            }
            None => {
                self.flights.push(flight);
                self.flight_kinds.push(tag);
                self.flights.len() as u32 - 1
            }
        };
        self.at(first_byte, Event::Arrive { flight: number });
    }
}
