//! The parameter search against brute force and against the levels of what it finds.

use rewit::stark::search::{Limits, smallest};
use rewit::stark::{Params, Shape, Table, security, size};

/// A wide table, a short one, and lookups, as in a segment.
fn segment(log_height: u32) -> Shape {
    let cpu = Table {
        log_height,
        width: 174,
        next: true,
        quotient_chunks: 2,
        constraints: 300,
        degree: 3,
        lookups: 30,
        messages: 57,
        message_width: 9,
        ..Table::default()
    };
    let range = Table {
        log_height: 16,
        width: 3,
        preprocessed: 4,
        quotient_chunks: 2,
        constraints: 8,
        degree: 3,
        lookups: 3,
        messages: 3,
        message_width: 2,
        ..Table::default()
    };
    Shape {
        tables: vec![cpu, range],
    }
}

fn bits(params: &Params, shape: &Shape) -> f64 {
    security(params, shape).provable().bits()
}

#[test]
fn what_is_found_is_secure_and_within_limits() {
    for (target, extension) in [(40.0, 4), (80.0, 4), (100.0, 4), (100.0, 5), (128.0, 5)] {
        for max_log_blowup in [1, 2, 3, 5] {
            for max_grinding in [16, 20, 26] {
                let limits = Limits {
                    extension,
                    max_log_blowup,
                    max_grinding,
                    ..Limits::default()
                };
                let shape = segment(20);
                let Some(params) = smallest(&shape, target, &limits) else {
                    continue;
                };
                params.check().expect("is in range");
                let found = bits(&params, &shape);
                assert!(found >= target, "{found} {target} {params:?}");
                let work = params.grinding;
                for bits in [
                    work.lookup,
                    work.out_of_domain,
                    work.batch,
                    work.commit,
                    work.query,
                ] {
                    assert!(bits <= max_grinding, "{params:?}");
                }
                assert!(params.log_blowup <= max_log_blowup, "{params:?}");
                assert_eq!(params.extension, extension);
                // Nothing is there to spare: a query fewer, or a bit of work, and it falls short.
                let mut fewer = params;
                fewer.num_queries -= 1;
                assert!(bits(&fewer, &shape) < target, "{params:?}");
            }
        }
    }
}

#[test]
fn a_hundred_bits_are_found_over_either_field_and_128_over_degree_five() {
    let find = |extension, bits| {
        let limits = Limits {
            extension,
            max_grinding: 26,
            ..Limits::default()
        };
        smallest(&segment(20), bits, &limits)
    };
    assert!(find(4, 100.0).is_some());
    assert!(find(5, 100.0).is_some());
    assert!(find(5, 128.0).is_some());
    // 123 bits of field are not 128 bits of security, whatever is ground.
    assert_eq!(find(4, 128.0), None);
}

#[test]
fn no_neighbour_is_smaller() {
    let shape = segment(18);
    let limits = Limits::default();
    let best = smallest(&shape, 100.0, &limits).expect("is there");
    let bytes = size::batch(&shape, &best).total();
    for log_blowup in 1..=limits.max_log_blowup {
        for log_arity in 1..=limits.max_log_arity {
            for log_final_len in 0..=8 {
                for cap_height in 0..=10 {
                    for num_queries in (20..=300).step_by(4) {
                        let params = Params {
                            log_blowup,
                            log_arity,
                            log_final_len,
                            cap_height,
                            num_queries,
                            ..best
                        };
                        let smaller = size::batch(&shape, &params).total() < bytes;
                        let mut ground = params;
                        // All the work there may be, everywhere.
                        let most = limits.max_grinding;
                        ground.grinding.lookup = most;
                        ground.grinding.out_of_domain = most;
                        ground.grinding.batch = most;
                        ground.grinding.commit = most;
                        ground.grinding.query = most;
                        assert!(
                            !smaller || bits(&ground, &shape) < 100.0,
                            "{params:?} {best:?}"
                        );
                    }
                }
            }
        }
    }
}
