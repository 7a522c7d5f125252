//! Tests against closed forms, recurrences that know nothing of events, and properties.

mod closed;
mod faults;
mod properties;
mod recurrences;
mod refused;

use super::plan::Plan;
use super::simulate::{Simulated, simulate};
use super::*;
use crate::model::{Costs, EncodingCost, FoldCost, ProofCost, Quantity};

/// Seconds and bytes of one segment, chosen so that sums are exact in binary.
#[derive(Clone, Copy, Debug)]
pub(super) struct Numbers {
    pub(super) cycles_per_second: f64,
    pub(super) encode: f64,
    pub(super) shipment: f64,
    pub(super) program: f64,
    pub(super) decode: f64,
    pub(super) regenerate: f64,
    pub(super) prove: f64,
    pub(super) proof: f64,
    pub(super) join: f64,
    pub(super) joined: f64,
}

/// An executor that is fast, work of two seconds, and nothing to send.
pub(super) const PLAIN: Numbers = Numbers {
    cycles_per_second: 1024.0 * 1024.0,
    encode: 0.0,
    shipment: 0.0,
    program: 0.0,
    decode: 0.125,
    regenerate: 0.375,
    prove: 1.5,
    proof: 0.0,
    join: 0.25,
    joined: 0.0,
};

/// Bits per second that take no time.
pub(super) const UNLIMITED: f64 = 1e18;

pub(super) fn measured(value: f64) -> Quantity {
    Quantity::measured(value, Vec::new(), "test")
}

/// Segments of 2^10 cycles.
pub(super) fn costs(numbers: &Numbers) -> Costs {
    let encoding = |encoding: &str, compression: &str, bytes| EncodingCost {
        encoding: encoding.to_owned(),
        compression: compression.to_owned(),
        bytes: measured(bytes),
        encode_seconds: measured(numbers.encode),
        decode_seconds: measured(numbers.decode),
        regenerate_seconds: measured(numbers.regenerate),
    };
    Costs {
        machine: "test".to_owned(),
        guest: "test".to_owned(),
        backend: "cpu".to_owned(),
        log_cycles: 10,
        witness_bytes: measured(1e6),
        program_bytes: measured(numbers.program),
        input_bytes: measured(0.0),
        execute_hz: measured(2.0 * numbers.cycles_per_second),
        record_reads_hz: measured(numbers.cycles_per_second / 2.0),
        record_all_hz: measured(numbers.cycles_per_second),
        encodings: vec![
            encoding("pages-1k", "raw", numbers.shipment),
            encoding("delta-prev", "raw", numbers.shipment),
            encoding("reads", "raw", 2.0 * numbers.shipment),
            encoding("input", "raw", numbers.shipment),
            encoding("witness", "raw", 100.0 * numbers.shipment),
        ],
        proof: Some(ProofCost {
            seconds: measured(numbers.prove),
            bytes: measured(numbers.proof),
            statement_bytes: measured(0.0),
            verify_seconds: measured(0.0),
            peak_memory_bytes: None,
            johnson_bits: None,
        }),
        fold: Some(FoldCost {
            log_rows: 6,
            seconds: measured(4.0 * numbers.prove),
            accumulator_bytes: measured(8.0 * numbers.proof),
            merge_seconds: measured(2.0 * numbers.join),
        }),
    }
}

/// So many segments and equal workers, links without limit, no aggregation.
pub(super) fn cluster(numbers: &Numbers, segments: u64, workers: u64) -> Cluster {
    let costs = costs(numbers);
    let link = LinkCost::declared(UNLIMITED, 0.0, "test");
    Cluster {
        cycles: segments << costs.log_cycles,
        executor: costs.clone(),
        executor_link: link.clone(),
        executor_price: None,
        groups: vec![Group {
            name: "workers".to_owned(),
            count: workers,
            costs,
            link,
            speed: 1.0,
            price: None,
        }],
        encoding: "pages-1k".to_owned(),
        compression: "raw".to_owned(),
        aggregation: Aggregation::None,
        placement: Placement::Coordinator,
        stragglers: None,
        loss: None,
        wrap: None,
        switch: None,
        egress_price: None,
        prefetch: 1,
        seed: 1,
        replicates: 0,
    }
}

pub(super) fn fri(numbers: &Numbers) -> Aggregation {
    Aggregation::Fri {
        join_seconds: measured(numbers.join),
        join_bytes: measured(numbers.joined),
    }
}

pub(super) fn links(cluster: &mut Cluster, bits_per_second: f64, latency: f64) {
    let link = LinkCost::declared(bits_per_second, latency, "test");
    cluster.executor_link = link.clone();
    for group in &mut cluster.groups {
        group.link = link.clone();
    }
}

pub(super) fn run(cluster: &Cluster) -> Simulated {
    let (plan, _) = Plan::new(cluster).unwrap();
    simulate(&plan.nominal(), true).unwrap()
}

pub(super) fn seconds(cluster: &Cluster) -> f64 {
    run(cluster).makespan
}

#[track_caller]
pub(super) fn assert_close(found: f64, expected: f64) {
    let off = (found - expected).abs();
    assert!(
        off <= 1e-9 * expected.abs().max(1e-9),
        "{found} is not {expected}"
    );
}

pub(super) fn bytes(found: &Simulated, what: Transfer) -> (u64, f64) {
    found.transfers[what as usize]
}
