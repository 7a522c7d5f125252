//! Up to which bandwidth it is faster to recompute a witness than to ship it.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Bits in a gigabit.
pub const GIGABIT: f64 = 1e9;

/// Bandwidths of the report, in gigabits per second.
pub const LINKS_GBPS: [f64; 5] = [1.0, 10.0, 25.0, 100.0, 400.0];

/// A way to get a witness to a machine: send so many bytes, then work so long.
#[derive(Clone, Copy, PartialEq, Debug)]
pub struct Route {
    /// Bytes on the wire.
    pub bytes: f64,
    /// Seconds of work on the machine that receives them.
    pub seconds: f64,
}

impl Route {
    /// Seconds from the first byte sent to the witness ready: `8·bytes/bandwidth + seconds`.
    ///
    /// Neither the link's latency nor any overlap of sending and working is in it.
    ///
    /// - `bandwidth`: bits per second, above zero.
    pub fn total_seconds(&self, bandwidth: f64) -> f64 {
        8.0 * self.bytes / bandwidth + self.seconds
    }
}

/// Where recomputing is faster than shipping.
#[derive(Clone, Copy, PartialEq, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", tag = "faster", deny_unknown_fields)]
pub enum Crossing {
    /// Recomputing is faster on links below this bandwidth.
    Below {
        /// The break-even bandwidth.
        bits_per_second: f64,
    },
    /// Recomputing is faster on links above this bandwidth: it sends more, yet works less.
    Above {
        /// The break-even bandwidth.
        bits_per_second: f64,
    },
    /// Recomputing is faster on every link.
    Always,
    /// Recomputing is faster on no link.
    Never,
}

impl Crossing {
    /// Whether recomputing is faster at a bandwidth in bits per second.
    pub fn recompute_is_faster(&self, bandwidth: f64) -> bool {
        match *self {
            Self::Below { bits_per_second } => bandwidth < bits_per_second,
            Self::Above { bits_per_second } => bandwidth > bits_per_second,
            Self::Always => true,
            Self::Never => false,
        }
    }
}

/// Compares recomputing, which sends `S` bytes and works `T` seconds, with shipping the witness,
/// which sends `W` bytes and works `D` seconds.
///
/// Both take as long at `bw* = 8·(W − S)/(T − D)` bits per second.
///
/// - `S < W`, `T > D`: recomputing is faster below `bw*`. With `D = 0` this is `8·(W − S)/T`.
/// - `S ≤ W`, `T ≤ D`, not both equal: always.
/// - `S ≥ W`, `T ≥ D`: never (a tie is not faster).
/// - `S > W`, `T < D`: above `bw*`.
pub fn break_even(recompute: Route, ship: Route) -> Crossing {
    let saved_bytes = ship.bytes - recompute.bytes;
    let added_seconds = recompute.seconds - ship.seconds;
    let bits_per_second = 8.0 * saved_bytes / added_seconds;
    if saved_bytes <= 0.0 && added_seconds >= 0.0 {
        Crossing::Never
    } else if saved_bytes >= 0.0 && added_seconds <= 0.0 {
        Crossing::Always
    } else if saved_bytes > 0.0 {
        Crossing::Below { bits_per_second }
    } else {
        Crossing::Above { bits_per_second }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn route(bytes: f64, seconds: f64) -> Route {
        Route { bytes, seconds }
    }

    #[test]
    fn closed_forms() {
        // 1 GB against nothing, half a second of work: 16 Gb/s.
        let found = break_even(route(0.0, 0.5), route(1e9, 0.0));
        assert_eq!(
            found,
            Crossing::Below {
                bits_per_second: 16.0 * GIGABIT
            }
        );
        // The note: 51 GB of witness, 1 GB of snapshot, 4 s: 100 Gb/s.
        let found = break_even(route(1e9, 4.0), route(51e9, 0.0));
        assert_eq!(
            found,
            Crossing::Below {
                bits_per_second: 100.0 * GIGABIT
            }
        );
        // Work that shipping needs too does not count.
        let found = break_even(route(1e9, 5.0), route(51e9, 1.0));
        assert_eq!(
            found,
            Crossing::Below {
                bits_per_second: 100.0 * GIGABIT
            }
        );
        assert_eq!(route(1e9, 0.25).total_seconds(8.0 * GIGABIT), 1.25);
    }

    #[test]
    fn cases_without_a_crossing() {
        let ship = route(100.0, 1.0);
        assert_eq!(break_even(route(100.0, 2.0), ship), Crossing::Never);
        assert_eq!(break_even(route(101.0, 2.0), ship), Crossing::Never);
        assert_eq!(break_even(route(101.0, 1.0), ship), Crossing::Never);
        assert_eq!(break_even(ship, ship), Crossing::Never);
        assert_eq!(break_even(route(99.0, 1.0), ship), Crossing::Always);
        assert_eq!(break_even(route(100.0, 0.5), ship), Crossing::Always);
        assert_eq!(break_even(route(99.0, 0.5), ship), Crossing::Always);
        assert_eq!(
            break_even(route(200.0, 0.5), ship),
            Crossing::Above {
                bits_per_second: 1600.0
            }
        );
    }

    /// On a grid of routes, the verdict agrees with the totals on both sides of the crossing.
    #[test]
    fn agrees_with_totals() {
        let sizes = [0.0, 1.0, 1e3, 7e8, 1e9];
        let times = [0.0, 1e-6, 0.1, 3.0];
        let all = || sizes.iter().flat_map(|&b| times.map(|s| route(b, s)));
        for a in all() {
            for b in all() {
                let crossing = break_even(a, b);
                let mut bandwidths = LINKS_GBPS.map(|gbps| gbps * GIGABIT).to_vec();
                if let Crossing::Below { bits_per_second } | Crossing::Above { bits_per_second } =
                    crossing
                {
                    assert!(bits_per_second > 0.0);
                    bandwidths.extend([bits_per_second * 0.99, bits_per_second * 1.01]);
                    let [x, y] = [a, b].map(|r| r.total_seconds(bits_per_second));
                    assert!((x - y).abs() <= 1e-9 * x.max(y), "{a:?} {b:?}");
                }
                for bandwidth in bandwidths {
                    let faster = a.total_seconds(bandwidth) < b.total_seconds(bandwidth);
                    assert_eq!(
                        crossing.recompute_is_faster(bandwidth),
                        faster,
                        "{a:?} {b:?}"
                    );
                }
            }
        }
    }
}
