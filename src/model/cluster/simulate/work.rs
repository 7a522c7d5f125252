//! What arrives, starts, ends and is lost.

use super::{Engine, Event, LOST, MOST_LOST, Task};
use crate::model::cluster::aggregate::Next;
use crate::model::cluster::draw::{Stream, unit};
use crate::model::cluster::links::Flight;
use crate::model::cluster::outcome::{Resource, Transfer};
use crate::model::cluster::trace::{Act, COORDINATOR, NONE};
use crate::{Error, Result};

impl Engine<'_> {
    /// Something has arrived whole.
    pub(super) fn received(
        &mut self,
        sent: Flight,
        kind: Transfer,
        attempt: u32,
        epoch: u32,
        act: u32,
    ) -> Result<()> {
        let task = sent.task;
        if sent.to != COORDINATOR {
            let state = &self.workers[sent.to as usize - 1];
            let present = state.alive && (sent.from != COORDINATOR || state.epoch == epoch);
            if present && kind != Transfer::Program && self.tasks[task as usize].attempt == attempt
            {
                if task < self.plan.segments {
                    let milestones = &mut self.out.milestones;
                    if milestones.last_shipped == 0.0 {
                        milestones.first_shipped = self.now;
                    }
                    milestones.last_shipped = self.now;
                }
                self.input_there(task, act);
            }
            return Ok(());
        }
        if attempt == LOST {
            return Ok(());
        }
        if self.plan.in_place {
            self.wrap(act);
            return Ok(());
        }
        let done = &mut self.tasks[task as usize];
        if done.ready {
            return Ok(());
        }
        done.bytes = sent.bytes;
        let worker = done.worker;
        self.workers[worker as usize]
            .open
            .retain(|&open| open != task);
        if !self.plan.aggregate {
            self.tasks[task as usize].ready = true;
            self.left -= 1;
            if self.left == 0 {
                self.wrap(act);
            }
            return Ok(());
        }
        self.object_ready(task, act);
        self.dispatch(act)
    }

    /// An object is where it can be joined.
    pub(super) fn object_ready(&mut self, task: u32, act: u32) {
        let mut node = task;
        loop {
            self.tasks[node as usize].ready = true;
            match self.places.next(node) {
                Next::Root => {
                    if self.plan.in_place {
                        let Task { holder, bytes, .. } = self.tasks[node as usize];
                        let kind = if node < self.plan.segments {
                            Transfer::Object
                        } else {
                            Transfer::JoinReturned
                        };
                        self.send([holder, COORDINATOR], bytes, node, kind, act);
                    } else {
                        self.wrap(act);
                    }
                    return;
                }
                Next::Carried { parent } => {
                    let Task { holder, bytes, .. } = self.tasks[node as usize];
                    let carried = &mut self.tasks[parent as usize];
                    (carried.holder, carried.bytes) = (holder, bytes);
                    node = parent;
                }
                Next::Joined { parent, neighbour } => {
                    if self.tasks[neighbour as usize].ready {
                        if self.plan.in_place {
                            self.join_in_place(parent, act);
                        } else {
                            self.joins_waiting.push_back(parent);
                        }
                    }
                    return;
                }
            }
        }
    }

    /// Has one of the two machines that hold a join's objects join them: that which is expected to be done first.
    pub(super) fn join_in_place(&mut self, task: u32, act: u32) {
        let holders = self
            .places
            .joined(task)
            .map(|node| self.tasks[node as usize].holder);
        let done = |machine: u32| {
            let free = self.workers[machine as usize - 1].expected_free;
            free.max(self.now) + self.group(machine - 1).join.value
        };
        let [left, right] = holders;
        let (to, from) = if done(right) < done(left) {
            (right, left)
        } else {
            (left, right)
        };
        let worker = to - 1;
        let seconds = self.group(worker).join.value;
        let state = &mut self.workers[worker as usize];
        state.expected_free = state.expected_free.max(self.now) + seconds;
        state.queue.push(task);
        self.list(worker);
        let joined = &mut self.tasks[task as usize];
        joined.worker = worker;
        joined.attempt += 1;
        joined.missing = 1;
        // The coordinator tells the machine that is to send, or the one that has both.
        let teller = if from == to { to } else { from };
        let latency = self.links.latency(COORDINATOR, teller);
        let told = self.out.trace.add(Act {
            start: self.now,
            end: self.now + latency,
            cause: act,
            machine: teller,
            task,
            resource: Resource::Latency,
        });
        let event = if from == to {
            Event::Local { task, act: told }
        } else {
            Event::Send {
                from,
                to,
                task,
                act: told,
            }
        };
        self.at(self.now + latency, event);
    }

    /// An input of a task is on its worker.
    pub(super) fn input_there(&mut self, task: u32, act: u32) {
        let state = &mut self.tasks[task as usize];
        state.missing -= 1;
        state.input = act;
        if state.missing == 0 {
            let worker = state.worker;
            self.start(worker, act);
        }
    }

    /// Starts a worker on what it can do, if it is idle: joins first, then segments as they were assigned.
    ///
    /// - `cause`: what it waited for.
    pub(super) fn start(&mut self, worker: u32, cause: u32) {
        let state = &self.workers[worker as usize];
        if state.running != NONE || !state.alive {
            return;
        }
        let there = |&&task: &&u32| self.tasks[task as usize].missing == 0;
        let join = |&&task: &&u32| task >= self.plan.segments;
        let mut ready = state.queue.iter().filter(there);
        let found = ready.clone().find(join).or_else(|| ready.next());
        let Some(&task) = found else {
            return;
        };
        let attempt = self.tasks[task as usize].attempt;
        let group = self.group(worker);
        let mut parts = if task < self.plan.segments {
            let decode = group
                .decode
                .draw(|| self.random(Stream::Decode, task, attempt));
            let regenerate = group
                .regenerate
                .draw(|| self.random(Stream::Regenerate, task, attempt));
            let prove = group
                .prove
                .draw(|| self.random(Stream::Prove, task, attempt));
            let before = decode + regenerate + group.growth * f64::from(task);
            [(Resource::Regenerate, before), (Resource::Prove, prove)]
        } else {
            let join = group.join.draw(|| self.random(Stream::Join, task, attempt));
            [(Resource::Regenerate, 0.0), (Resource::Join, join)]
        };
        if let Some(stragglers) = self.plan.stragglers
            && unit(self.random(Stream::Straggler, task, attempt)) < stragglers.fraction
        {
            for (_, seconds) in &mut parts {
                *seconds *= stragglers.slowdown;
            }
        }
        let seconds = parts[0].1 + parts[1].1;
        if let Some(loss) = self.plan.loss
            && unit(self.random(Stream::Loss, task, attempt)) < loss.per_task
        {
            let part = unit(self.random(Stream::LossTime, task, attempt));
            let epoch = self.workers[worker as usize].epoch;
            self.at(self.now + part * seconds, Event::Death { worker, epoch });
        }
        let (mut from, mut act) = (self.now, cause);
        for (resource, seconds) in parts {
            if task >= self.plan.segments && resource != Resource::Join {
                continue;
            }
            act = self.out.trace.add(Act {
                start: from,
                end: from + seconds,
                cause: act,
                machine: worker + 1,
                task,
                resource,
            });
            from += seconds;
        }
        let state = &mut self.workers[worker as usize];
        state.queue.retain(|&other| other != task);
        state.running = task;
        state.started = self.now;
        state.last = act;
        let epoch = state.epoch;
        self.at(from, Event::Done { worker, epoch, act });
    }

    /// A worker has done what it worked on.
    pub(super) fn done(&mut self, worker: u32, act: u32) {
        let state = &mut self.workers[worker as usize];
        let task = std::mem::replace(&mut state.running, NONE);
        state.busy += self.now - state.started;
        let epoch = state.epoch;
        self.out.finished[task as usize] += 1;
        let segment = task < self.plan.segments;
        if segment {
            let milestones = &mut self.out.milestones;
            if milestones.first_proven == 0.0 {
                milestones.first_proven = self.now;
            }
            milestones.last_proven = self.now;
        } else {
            self.out.joins += 1;
        }
        let group = self.group(worker);
        let cost = if segment {
            &group.object_bytes
        } else {
            &group.join_bytes
        };
        let bytes = cost.draw(|| self.random(Stream::Bytes, task, 0));
        let object = &mut self.tasks[task as usize];
        (object.bytes, object.holder) = (bytes, worker + 1);
        let latency = self.links.latency(COORDINATOR, worker + 1);
        let known = self.out.trace.add(Act {
            start: self.now,
            end: self.now + latency,
            cause: act,
            machine: worker + 1,
            task,
            resource: Resource::Latency,
        });
        self.at(
            self.now + latency,
            Event::Known {
                worker,
                epoch,
                task,
                slot: segment || !self.plan.in_place,
                act: known,
            },
        );
        if !self.plan.in_place {
            let kind = if segment {
                Transfer::Object
            } else {
                Transfer::JoinReturned
            };
            self.send([worker + 1, COORDINATOR], bytes, task, kind, act);
        }
        self.start(worker, act);
    }

    pub(super) fn death(&mut self, worker: u32, epoch: u32) {
        let Some(loss) = self.plan.loss else {
            return;
        };
        let state = &mut self.workers[worker as usize];
        if state.epoch != epoch || !state.alive {
            return;
        }
        state.alive = false;
        state.epoch += 1;
        if state.running != NONE {
            state.busy += self.now - state.started;
        }
        state.running = NONE;
        // Whatever has not left its link by now is lost too.
        for (flight, tag) in self.flights.iter().zip(&mut self.flight_kinds) {
            if flight.from == worker + 1 && flight.left > self.now {
                tag.1 = LOST;
            }
        }
        self.out.lost_workers += 1;
        self.at(self.now + loss.detection_seconds, Event::Noticed { worker });
    }

    /// The coordinator notices that a worker is lost, and has its tasks done by others.
    ///
    /// # Errors
    /// [`Error::Usage`] if far more were lost than a job could survive.
    pub(super) fn noticed(&mut self, worker: u32) -> Result<()> {
        if self.out.lost_workers > MOST_LOST {
            return Err(Error::Usage(format!(
                "more than {MOST_LOST} workers were lost; give fewer losses (--loss)"
            )));
        }
        self.unlist(worker);
        let state = &mut self.workers[worker as usize];
        state.queue.clear();
        // It takes no task until it is replaced.
        state.outstanding = u32::MAX;
        let mut open = std::mem::take(&mut state.open);
        open.sort_unstable();
        let mut cause = NONE;
        for &task in open.iter().rev() {
            let lost = &mut self.tasks[task as usize];
            if lost.ready || lost.worker != worker {
                continue;
            }
            cause = self.out.trace.add(Act {
                start: lost.assigned,
                end: self.now,
                cause: lost.cause,
                machine: worker + 1,
                task,
                resource: Resource::Lost,
            });
            self.out.retries += 1;
            if task < self.plan.segments {
                self.segments_waiting.push_front(task);
            } else {
                self.joins_waiting.push_front(task);
            }
        }
        let replaced = self.plan.loss.and_then(|loss| loss.replacement_seconds);
        if let Some(seconds) = replaced {
            self.at(self.now + seconds, Event::Replaced { worker });
        }
        self.dispatch(cause)
    }
}
