//! The simulation: events in the order of their times, equal times in the order in which they were made.

use std::cmp::Reverse;
use std::collections::{BTreeSet, BinaryHeap, VecDeque};

use super::aggregate::{Next, Places};
use super::draw::{Random, Stream, unit};
use super::links::{Direction, Flight, Links, Port};
use super::outcome::{Milestones, Resource, Transfer};
use super::plan::{GroupPlan, Plan};
use super::trace::{Act, COORDINATOR, NONE, Trace};
use crate::{Error, Result};

/// A task that was lost so often ends the simulation.
const MOST_ATTEMPTS: u32 = 1000;

/// Attempt of a transfer whose sender was lost.
const LOST: u32 = u32::MAX;

/// What a simulation leaves.
#[derive(Debug)]
pub(super) struct Simulated {
    /// Seconds to the end.
    pub(super) makespan: f64,
    pub(super) milestones: Milestones,
    /// Number and bytes of transfers, in the order of [`Transfer::ALL`].
    pub(super) transfers: [(u64, f64); Transfer::ALL.len()],
    pub(super) links: Links,
    /// Seconds in use: the executor, then every worker.
    pub(super) busy: Vec<f64>,
    pub(super) peak_queue: u64,
    pub(super) joins: u64,
    pub(super) lost_workers: u64,
    pub(super) retries: u64,
    /// How often each segment, then each place of the tree, was finished by a worker.
    pub(super) finished: Vec<u32>,
    pub(super) trace: Trace,
    /// The last occupation.
    pub(super) last: u32,
}

/// What happens.
#[derive(Clone, Copy, PartialEq, Debug)]
enum Event {
    /// A segment is executed and encoded.
    Ready { segment: u32, act: u32 },
    /// The first byte of something is at its receiver.
    Arrive { flight: u32 },
    /// All of it is there.
    There { flight: u32, act: u32 },
    /// A worker has done what it worked on.
    Done { worker: u32, epoch: u32, act: u32 },
    /// The coordinator knows that a worker finished something: a task it had assigned (`slot`), or an object in place.
    Known {
        worker: u32,
        epoch: u32,
        task: u32,
        slot: bool,
        act: u32,
    },
    /// A join in place may start, if both objects were on the same machine.
    Local { task: u32, act: u32 },
    /// An object is to be sent to the worker that joins it.
    Send {
        from: u32,
        to: u32,
        task: u32,
        act: u32,
    },
    /// A worker is lost.
    Death { worker: u32, epoch: u32 },
    /// The coordinator notices.
    Noticed { worker: u32 },
    /// An empty machine takes its place.
    Replaced { worker: u32 },
}

#[derive(Clone, Debug)]
struct Worker {
    group: u32,
    alive: bool,
    /// Times it was lost.
    epoch: u32,
    has_program: bool,
    /// Tasks the coordinator assigned and does not know to be finished.
    outstanding: u32,
    /// When the coordinator expects it to be free.
    expected_free: f64,
    /// Key under which it is among those that take tasks.
    listed: Option<(u64, bool)>,
    /// Assigned tasks that did not start.
    queue: Vec<u32>,
    running: u32,
    started: f64,
    busy: f64,
    last: u32,
    /// Tasks whose results the coordinator waits for; kept only if workers may be lost.
    open: Vec<u32>,
}

/// A segment or a join, by its place in the tree.
#[derive(Clone, Copy, Debug)]
struct Task {
    worker: u32,
    attempt: u32,
    /// Inputs that are not there yet.
    missing: u8,
    /// Whether its object is where it is to be: at the coordinator, or in place.
    ready: bool,
    /// Where its object is, if that is not the coordinator.
    holder: u32,
    bytes: f64,
    /// When the present attempt was assigned, and what that waited for.
    assigned: f64,
    cause: u32,
    /// The last input's arrival.
    input: u32,
}

struct Engine<'p> {
    plan: &'p Plan,
    places: Places,
    now: f64,
    made: u64,
    events: BinaryHeap<Reverse<(u64, u64, u32)>>,
    /// Events by their numbers in the heap, and numbers that are free.
    slots: Vec<Event>,
    free_slots: Vec<u32>,
    flights: Vec<Flight>,
    flight_kinds: Vec<(Transfer, u32, u32)>,
    free_flights: Vec<u32>,
    links: Links,
    workers: Vec<Worker>,
    tasks: Vec<Task>,
    /// Workers that take tasks, by group and by whether they have the program: `[2·group + has_program]`.
    takers: Vec<BTreeSet<(u64, u32)>>,
    joins_waiting: VecDeque<u32>,
    segments_waiting: VecDeque<u32>,
    left: u32,
    executor_last: u32,
    out: Simulated,
    end: Option<u32>,
}

/// Runs a plan.
///
/// - `keep`: whether to keep what is needed for a critical path and a timeline.
///
/// # Errors
/// [`Error::Usage`] if so many workers are lost that the job never ends.
pub(super) fn simulate(plan: &Plan, keep: bool) -> Result<Simulated> {
    let mut engine = Engine::new(plan, keep);
    engine.begin();
    while let Some(Reverse((time, _, slot))) = engine.events.pop() {
        engine.now = f64::from_bits(time);
        let event = engine.slots[slot as usize];
        engine.free_slots.push(slot);
        engine.on(event)?;
        if let Some(last) = engine.end {
            return Ok(engine.finish(last));
        }
    }
    Err(all_lost(engine.now))
}

fn all_lost(now: f64) -> Error {
    Error::Usage(format!(
        "every worker is lost {now:.0} s after the start, and none is replaced; give --loss-replace, or fewer losses"
    ))
}

impl<'p> Engine<'p> {
    fn new(plan: &'p Plan, keep: bool) -> Self {
        let places = Places::new(plan.segments);
        let mut ports = vec![Port {
            out: Direction::new(plan.out_bps),
            into: Direction::new(plan.in_bps),
            latency: plan.latency,
        }];
        let mut workers = Vec::new();
        for (group, kind) in plan.groups.iter().enumerate() {
            for _ in 0..kind.count {
                ports.push(Port {
                    out: Direction::new(kind.out_bps),
                    into: Direction::new(kind.in_bps),
                    latency: kind.latency,
                });
                workers.push(Worker {
                    group: group as u32,
                    alive: true,
                    epoch: 0,
                    has_program: plan.program_bytes == 0.0,
                    outstanding: 0,
                    expected_free: 0.0,
                    listed: None,
                    queue: Vec::new(),
                    running: NONE,
                    started: 0.0,
                    busy: 0.0,
                    last: NONE,
                    open: Vec::new(),
                });
            }
        }
        let task = Task {
            worker: NONE,
            attempt: 0,
            missing: 0,
            ready: false,
            holder: COORDINATOR,
            bytes: 0.0,
            assigned: 0.0,
            cause: NONE,
            input: NONE,
        };
        let num_tasks = if plan.aggregate {
            places.len()
        } else {
            plan.segments as usize
        };
        let links = Links::new(ports, plan.switch_bps);
        Self {
            plan,
            now: 0.0,
            made: 0,
            events: BinaryHeap::new(),
            slots: Vec::new(),
            free_slots: Vec::new(),
            flights: Vec::new(),
            flight_kinds: Vec::new(),
            free_flights: Vec::new(),
            tasks: vec![task; num_tasks],
            takers: vec![BTreeSet::new(); 2 * plan.groups.len()],
            joins_waiting: VecDeque::new(),
            segments_waiting: VecDeque::new(),
            left: plan.segments,
            executor_last: NONE,
            out: Simulated {
                makespan: 0.0,
                milestones: Milestones::default(),
                transfers: Default::default(),
                links: links.clone(),
                busy: Vec::new(),
                peak_queue: 0,
                joins: 0,
                lost_workers: 0,
                retries: 0,
                finished: vec![0; num_tasks],
                trace: Trace::new(keep),
                last: NONE,
            },
            links,
            workers,
            places,
            end: None,
        }
    }

    fn at(&mut self, time: f64, event: Event) {
        let slot = match self.free_slots.pop() {
            Some(slot) => {
                self.slots[slot as usize] = event;
                slot
            }
            None => {
                self.slots.push(event);
                self.slots.len() as u32 - 1
            }
        };
        self.made += 1;
        // Bits of numbers that are not negative are in the order of the numbers.
        self.events.push(Reverse((time.to_bits(), self.made, slot)));
    }

    fn random(&self, stream: Stream, task: u32, attempt: u32) -> u64 {
        Random::keyed(self.plan.seed, stream, u64::from(task), attempt)
    }

    fn begin(&mut self) {
        for worker in 0..self.workers.len() as u32 {
            self.list(worker);
            self.live(worker);
        }
        self.execute(0);
    }

    /// Has the executor work on a segment, as it does on one after another.
    fn execute(&mut self, segment: u32) {
        let plan = self.plan;
        let cycles = if segment + 1 == plan.segments {
            plan.last_cycles
        } else {
            plan.segment_cycles
        };
        let mut seconds = cycles * plan.execute.value;
        for (number, cost) in plan.prepare.iter().enumerate() {
            seconds += cost.draw(|| self.random(Stream::Prepare, segment, number as u32));
        }
        let end = self.now + seconds;
        let act = self.out.trace.add(Act {
            start: self.now,
            end,
            cause: self.executor_last,
            machine: COORDINATOR,
            task: segment,
            resource: Resource::Executor,
        });
        self.executor_last = act;
        self.out.milestones.last_executed = end;
        if segment == 0 {
            self.out.milestones.first_executed = end;
        }
        self.at(end, Event::Ready { segment, act });
    }

    /// Draws when a worker is lost whatever it does.
    fn live(&mut self, worker: u32) {
        let Some(loss) = self.plan.loss.filter(|loss| loss.per_hour > 0.0) else {
            return;
        };
        let epoch = self.workers[worker as usize].epoch;
        let u = unit(self.random(Stream::Lifetime, worker, epoch));
        let seconds = -(1.0 - u).ln() * 3600.0 / loss.per_hour;
        self.at(self.now + seconds, Event::Death { worker, epoch });
    }

    fn group(&self, worker: u32) -> &'p GroupPlan {
        &self.plan.groups[self.workers[worker as usize].group as usize]
    }

    /// Puts a worker among those that take tasks, if it does, under what is known of it.
    fn list(&mut self, worker: u32) {
        self.unlist(worker);
        let state = &mut self.workers[worker as usize];
        if state.outstanding <= self.plan.prefetch {
            let key = (state.expected_free.to_bits(), state.has_program);
            state.listed = Some(key);
            self.takers[2 * state.group as usize + usize::from(key.1)].insert((key.0, worker));
        }
    }

    fn unlist(&mut self, worker: u32) {
        let state = &mut self.workers[worker as usize];
        if let Some((free, has_program)) = state.listed.take() {
            self.takers[2 * state.group as usize + usize::from(has_program)]
                .remove(&(free, worker));
        }
    }

    /// Seconds a task is expected to take a worker of a group.
    fn expected(&self, group: &GroupPlan, task: u32) -> f64 {
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
    fn expected_there(&self, group: &GroupPlan, task: u32, has_program: bool) -> f64 {
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
    fn choose(&self, task: u32) -> Option<u32> {
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
    fn dispatch(&mut self, cause: u32) -> Result<()> {
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
        let waiting = self.segments_waiting.len() as u64;
        self.out.peak_queue = self.out.peak_queue.max(waiting);
        Ok(())
    }

    fn assign(&mut self, task: u32, worker: u32, cause: u32) -> Result<()> {
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

    fn send(&mut self, way: [u32; 2], bytes: f64, task: u32, kind: Transfer, cause: u32) {
        let flight = self
            .links
            .send(self.now, way, bytes, task, cause, &mut self.out.trace);
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

    fn on(&mut self, event: Event) -> Result<()> {
        match event {
            Event::Ready { segment, act } => {
                if segment + 1 < self.plan.segments {
                    self.execute(segment + 1);
                }
                self.segments_waiting.push_back(segment);
                self.dispatch(act)
            }
            Event::Arrive { flight } => {
                let sent = self.flights[flight as usize];
                let (there, act) = self.links.receive(&sent, &mut self.out.trace);
                self.at(there, Event::There { flight, act });
                Ok(())
            }
            Event::There { flight, act } => {
                self.free_flights.push(flight);
                let sent = self.flights[flight as usize];
                let (kind, attempt, epoch) = self.flight_kinds[flight as usize];
                self.received(sent, kind, attempt, epoch, act)
            }
            Event::Done { worker, epoch, act } => {
                if self.workers[worker as usize].epoch == epoch {
                    self.done(worker, act);
                }
                Ok(())
            }
            Event::Known {
                worker,
                epoch,
                task,
                slot,
                act,
            } => {
                let state = &mut self.workers[worker as usize];
                if state.epoch == epoch {
                    if slot {
                        state.outstanding -= 1;
                    }
                    let rest = state.queue.iter().copied();
                    let rest: Vec<u32> = rest
                        .chain((state.running != NONE).then_some(state.running))
                        .collect();
                    let group = self.group(worker);
                    let seconds: f64 = rest.iter().map(|&task| self.expected(group, task)).sum();
                    // What is still on its way to it was expected not to be there before.
                    let state = &mut self.workers[worker as usize];
                    let idle = state.running == NONE && !state.queue.is_empty();
                    let least = if idle { state.expected_free } else { 0.0 };
                    state.expected_free = least.max(self.now + seconds);
                    self.list(worker);
                }
                if self.plan.in_place {
                    self.object_ready(task, act);
                }
                self.dispatch(act)
            }
            Event::Local { task, act } => {
                self.input_there(task, act);
                Ok(())
            }
            Event::Send {
                from,
                to,
                task,
                act,
            } => {
                let [left, right] = self.places.joined(task);
                let moved = if self.tasks[left as usize].holder == from {
                    left
                } else {
                    right
                };
                let bytes = self.tasks[moved as usize].bytes;
                self.send([from, to], bytes, task, Transfer::JoinSent, act);
                Ok(())
            }
            Event::Death { worker, epoch } => {
                self.death(worker, epoch);
                Ok(())
            }
            Event::Noticed { worker } => self.noticed(worker),
            Event::Replaced { worker } => {
                let state = &mut self.workers[worker as usize];
                state.alive = true;
                // What was on its way to the lost machine is not for this one.
                state.epoch += 1;
                state.has_program = self.plan.program_bytes == 0.0;
                state.expected_free = self.now;
                state.outstanding = 0;
                let port = &mut self.links.ports[worker as usize + 1];
                port.out.free = self.now;
                port.into.free = self.now;
                self.list(worker);
                self.live(worker);
                self.dispatch(NONE)
            }
        }
    }

    /// Something has arrived whole.
    fn received(
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
    fn object_ready(&mut self, task: u32, act: u32) {
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
    fn join_in_place(&mut self, task: u32, act: u32) {
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
    fn input_there(&mut self, task: u32, act: u32) {
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
    fn start(&mut self, worker: u32, cause: u32) {
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
    fn done(&mut self, worker: u32, act: u32) {
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

    fn death(&mut self, worker: u32, epoch: u32) {
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
    fn noticed(&mut self, worker: u32) -> Result<()> {
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

    /// The final object is at the coordinator.
    fn wrap(&mut self, act: u32) {
        self.out.milestones.aggregated = self.now;
        let end = self.now + self.plan.wrap;
        let last = if self.plan.wrap > 0.0 {
            self.out.trace.add(Act {
                start: self.now,
                end,
                cause: act,
                machine: COORDINATOR,
                task: 0,
                resource: Resource::Wrap,
            })
        } else {
            act
        };
        self.out.makespan = end;
        self.end = Some(last);
    }

    fn finish(mut self, last: u32) -> Simulated {
        let plan = self.plan;
        let executor = self.out.milestones.last_executed;
        self.out.busy = vec![executor + plan.wrap];
        for worker in &mut self.workers {
            // A task given up for lost may still run when its result is no longer needed.
            if worker.running != NONE {
                worker.busy += self.now - worker.started;
            }
            self.out.busy.push(worker.busy);
        }
        self.out.links = self.links;
        self.out.last = last;
        self.out
    }
}
