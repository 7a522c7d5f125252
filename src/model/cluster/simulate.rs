//! The simulation: events in the order of their times, equal times in the order in which they were made.

mod assign;
mod work;

use std::cmp::Reverse;
use std::collections::{BTreeSet, BinaryHeap, VecDeque};

use super::aggregate::Places;
use super::draw::{Random, Stream, unit};
use super::links::{Direction, Flight, Links, Port};
use super::outcome::{Milestones, Resource, Transfer};
use super::plan::Plan;
use super::trace::{Act, COORDINATOR, NONE, Trace};
use crate::{Error, Result};

/// A task that was lost so often ends the simulation.
const MOST_ATTEMPTS: u32 = 1000;
/// Most workers that are lost: a job that loses more is not worth simulating to its end.
const MOST_LOST: u64 = 100_000;

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
    /// When each shipment that was handed to the coordinator's link has left it, ascending.
    on_egress: VecDeque<f64>,
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
            on_egress: VecDeque::new(),
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
