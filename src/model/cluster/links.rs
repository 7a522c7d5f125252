//! Links: one for each machine, both directions at once, first in, first out.

use super::outcome::Resource;
use super::trace::{Act, COORDINATOR, NONE, Trace};

/// One direction of a machine's link.
#[derive(Clone, Copy, Debug)]
pub(super) struct Direction {
    /// Seconds per byte.
    pub(super) per_byte: f64,
    /// When it is free.
    pub(super) free: f64,
    /// The last occupation of it.
    pub(super) last: u32,
    /// Seconds in use.
    pub(super) busy: f64,
    /// Bytes that went over it.
    pub(super) bytes: f64,
}

impl Direction {
    pub(super) fn new(bits_per_second: f64) -> Self {
        Self {
            per_byte: 8.0 / bits_per_second,
            free: 0.0,
            last: NONE,
            busy: 0.0,
            bytes: 0.0,
        }
    }

    /// Takes its turn for `bytes` from `now` on; returns start and end.
    fn occupy(&mut self, now: f64, bytes: f64) -> (f64, f64) {
        let start = self.free.max(now);
        let seconds = bytes * self.per_byte;
        self.free = start + seconds;
        self.busy += seconds;
        self.bytes += bytes;
        (start, self.free)
    }
}

/// Both directions of a machine's link.
#[derive(Clone, Copy, Debug)]
pub(super) struct Port {
    pub(super) out: Direction,
    pub(super) into: Direction,
    pub(super) latency: f64,
}

/// Bytes on their way: sent, not yet received.
#[derive(Clone, Copy, PartialEq, Debug)]
pub(super) struct Flight {
    pub(super) from: u32,
    pub(super) to: u32,
    pub(super) bytes: f64,
    /// The segment or join it is for.
    pub(super) task: u32,
    /// When the last byte left the sender.
    pub(super) left: f64,
    /// When it is at the receiver's link, if that is free.
    pub(super) last_byte: f64,
    /// When the first byte is there.
    pub(super) first_byte: f64,
    /// What the sender's occupation waited for, and itself.
    sent: u32,
    cause: u32,
}

/// All machines' links, and the switch between them.
#[derive(Clone, Debug)]
pub(super) struct Links {
    pub(super) ports: Vec<Port>,
    switch: Direction,
}

impl Links {
    pub(super) fn new(ports: Vec<Port>, switch_bps: f64) -> Self {
        Self {
            ports,
            switch: Direction::new(switch_bps),
        }
    }

    /// One-way latency between two machines: the mean of what their links have.
    pub(super) fn latency(&self, from: u32, to: u32) -> f64 {
        (self.ports[from as usize].latency + self.ports[to as usize].latency) / 2.0
    }

    fn resource(machine: u32, at_coordinator: Resource) -> Resource {
        if machine == COORDINATOR {
            at_coordinator
        } else {
            Resource::WorkerLinks
        }
    }

    /// Sends: occupies the sender's link, then the switch. [`Self::receive`] is due at `first_byte`.
    pub(super) fn send(
        &mut self,
        now: f64,
        [from, to]: [u32; 2],
        bytes: f64,
        task: u32,
        cause: u32,
        trace: &mut Trace,
    ) -> Flight {
        let latency = self.latency(from, to);
        let out = &mut self.ports[from as usize].out;
        let queued = out.free > now;
        let cause = if queued { out.last } else { cause };
        let (start, left) = out.occupy(now, bytes);
        let mut sent = trace.add(Act {
            start,
            end: left,
            cause,
            machine: from,
            task,
            resource: Self::resource(from, Resource::Egress),
        });
        out.last = sent;
        let (mut begin, mut end, mut cause) = (start, left, cause);
        if self.switch.per_byte > 0.0 {
            let waits = self.switch.free > start;
            let before = if waits { self.switch.last } else { cause };
            let (through, free) = self.switch.occupy(start, bytes);
            let act = trace.add(Act {
                start: through,
                end: free,
                cause: before,
                machine: COORDINATOR,
                task,
                resource: Resource::Switch,
            });
            self.switch.last = act;
            begin = through;
            if free > end {
                (end, sent) = (free, act);
            }
            if waits {
                cause = before;
            }
        }
        Flight {
            from,
            to,
            bytes,
            task,
            left,
            first_byte: begin + latency,
            last_byte: end + latency,
            sent,
            cause,
        }
    }

    /// Receives, when the first byte is there: occupies the receiver's link. Returns when all of it is there, and what
    /// that waited for.
    pub(super) fn receive(&mut self, flight: &Flight, trace: &mut Trace) -> (f64, u32) {
        let now = flight.first_byte;
        let latency = self.latency(flight.from, flight.to);
        let into = &mut self.ports[flight.to as usize].into;
        let queued = into.free > now;
        let before = into.last;
        let (start, free) = into.occupy(now, flight.bytes);
        let end = free.max(flight.last_byte);
        let wait = |start, end, cause, resource| Act {
            start,
            end,
            cause,
            machine: flight.to,
            task: flight.task,
            resource,
        };
        let resource = Self::resource(flight.to, Resource::Ingress);
        let act = if flight.last_byte >= free {
            // The sender is as slow.
            trace.add(wait(end - latency, end, flight.sent, Resource::Latency))
        } else if queued {
            trace.add(wait(start, end, before, resource))
        } else {
            let cause = trace.add(wait(
                start - latency,
                start,
                flight.cause,
                Resource::Latency,
            ));
            trace.add(wait(start, end, cause, resource))
        };
        into.last = act;
        (end, act)
    }
}
