//! Values of the options of a cluster.

use rewit::model::cluster::{Axis, Stragglers};

use super::note::parse_number;
use crate::cli::units::{parse_bandwidth, parse_seconds};

/// Most values of a list.
const MOST_VALUES: usize = 1000;

/// A link: bandwidth, and latency one way.
#[derive(Clone, Copy, PartialEq, Debug)]
pub(super) struct LinkArg {
    pub(super) bits_per_second: f64,
    pub(super) latency_seconds: Option<f64>,
}

pub(super) fn parse_link(text: &str) -> Result<LinkArg, String> {
    let (bandwidth, latency) = match text.split_once(',') {
        Some((bandwidth, latency)) => (bandwidth, Some(parse_seconds(latency)?)),
        None => (text, None),
    };
    Ok(LinkArg {
        bits_per_second: parse_bandwidth(bandwidth)?,
        latency_seconds: latency,
    })
}

/// A file, how many machines are like the one measured, and how many times as fast they are.
#[derive(Clone, PartialEq, Debug)]
pub(super) struct ProfileArg {
    pub(super) path: String,
    pub(super) count: Option<u64>,
    pub(super) speed: f64,
}

pub(super) fn parse_profile(text: &str) -> Result<ProfileArg, String> {
    let plain = |path: &str| ProfileArg {
        path: path.to_owned(),
        count: None,
        speed: 1.0,
    };
    let Some((path, count)) = text.rsplit_once(':') else {
        return Ok(plain(text));
    };
    let (count, speed) = match count.split_once('@') {
        Some((count, speed)) => (count, Some(speed)),
        None => (count, None),
    };
    // A path may have a colon in it.
    let Ok(count) = count.parse() else {
        return Ok(plain(text));
    };
    let speed = match speed {
        Some(speed) => parse_number(speed)?,
        None => 1.0,
    };
    Ok(ProfileArg {
        path: path.to_owned(),
        count: Some(count),
        speed,
    })
}

/// A part of a whole: `5%` or `0.05`.
fn parse_part(text: &str) -> Result<f64, String> {
    let part = match text.strip_suffix('%') {
        Some(percent) => parse_number(percent.trim())? / 100.0,
        None => parse_number(text)?,
    };
    if (0.0..=1.0).contains(&part) {
        Ok(part)
    } else {
        Err("expected a part such as 5% or 0.05, from 0 to 1".to_owned())
    }
}

pub(super) fn parse_stragglers(text: &str) -> Result<Stragglers, String> {
    const EXPECTED: &str =
        "expected which part of tasks takes how many times as long, such as 5%:3x";
    let (fraction, slowdown) = text.split_once(':').ok_or(EXPECTED)?;
    let slowdown = parse_number(slowdown.strip_suffix('x').unwrap_or(slowdown))?;
    if slowdown < 1.0 {
        return Err(EXPECTED.to_owned());
    }
    Ok(Stragglers {
        fraction: parse_part(fraction)?,
        slowdown,
    })
}

/// How workers are lost: per hour, or per task.
#[derive(Clone, Copy, PartialEq, Debug)]
pub(super) enum LossArg {
    PerHour(f64),
    PerTask(f64),
}

pub(super) fn parse_loss(text: &str) -> Result<LossArg, String> {
    match text.strip_suffix("/h") {
        Some(rate) => {
            let rate = parse_number(rate.trim())?;
            if rate < 0.0 {
                return Err("expected losses per hour such as 0.01/h, not negative".to_owned());
            }
            Ok(LossArg::PerHour(rate))
        }
        None => parse_part(text).map(LossArg::PerTask).map_err(|_| {
            "expected losses per hour such as 0.01/h, or per task such as 1%".to_owned()
        }),
    }
}

/// A price: a number, with `/h` or without.
pub(super) fn parse_price(text: &str) -> Result<f64, String> {
    let price = parse_number(text.strip_suffix("/h").unwrap_or(text).trim())?;
    if price < 0.0 {
        return Err("expected a price such as 2.5/h, not negative".to_owned());
    }
    Ok(price)
}

/// What is swept.
#[derive(Clone, PartialEq, Debug)]
pub(super) enum SweepArg {
    /// Every encoding that was measured.
    Encodings,
    /// Every size of a segment that was measured, from one to another.
    Segments(f64, f64),
    /// An axis with its values.
    Axis(Axis, Vec<f64>),
}

pub(super) fn parse_axis(text: &str) -> Result<Axis, String> {
    [Axis::Machines, Axis::Bandwidth, Axis::Segment]
        .into_iter()
        .find(|axis| axis.name() == text.trim())
        .ok_or_else(|| "expected machines, bandwidth or segment".to_owned())
}

/// `machines=1,10,100`, `bandwidth=0.1Gb/s..1Tb/s`, `segment=14..20`, `encoding=all`.
pub(super) fn parse_sweep(text: &str) -> Result<SweepArg, String> {
    const ORDER: &str = "expected a range from low to high";
    const EXPECTED: &str = "expected machines=, bandwidth= or segment= and values such as 1,10,100 or 1..1000, or encoding=all";
    let (axis, values) = text.split_once('=').ok_or(EXPECTED)?;
    if axis == "encoding" {
        return if values == "all" {
            Ok(SweepArg::Encodings)
        } else {
            Err("expected encoding=all; --encoding takes one".to_owned())
        };
    }
    let axis = parse_axis(axis).map_err(|_| EXPECTED)?;
    let number = |text: &str| -> Result<f64, String> {
        let value = match axis {
            Axis::Bandwidth => parse_bandwidth(text)?,
            Axis::Machines | Axis::Segment => parse_number(text.trim())?,
        };
        let whole = axis == Axis::Bandwidth || value.fract() == 0.0;
        // The range of links, and more machines than any model takes.
        if whole && (1.0..=1e18).contains(&value) {
            Ok(value)
        } else {
            Err(EXPECTED.to_owned())
        }
    };
    if axis == Axis::Segment
        && let Some((low, high)) = values.split_once("..")
        && !values.contains(',')
    {
        let (low, high) = (number(low)?, number(high.trim_start_matches('='))?);
        return if low <= high {
            Ok(SweepArg::Segments(low, high))
        } else {
            Err(ORDER.to_owned())
        };
    }
    let mut found = Vec::new();
    for part in values.split(',') {
        match part.split_once("..") {
            Some((low, high)) => {
                let (low, high) = (number(low)?, number(high.trim_start_matches('='))?);
                if low > high {
                    return Err(ORDER.to_owned());
                }
                found.extend(spaced(axis, low, high));
            }
            None => found.push(number(part)?),
        }
    }
    found.sort_by(f64::total_cmp);
    found.dedup();
    if found.len() > MOST_VALUES {
        return Err(format!("expected at most {MOST_VALUES} values"));
    }
    Ok(SweepArg::Axis(axis, found))
}

/// Values from `low` to `high`: each size of a segment, otherwise 1, 2 and 5 of each decade and both ends.
pub(super) fn spaced(axis: Axis, low: f64, high: f64) -> Vec<f64> {
    if axis == Axis::Segment {
        let (low, high) = (low as u32, high.min(64.0) as u32);
        return (low..=high).map(f64::from).collect();
    }
    let mut values = vec![low];
    let mut decade = 10f64.powf(low.log10().floor());
    while decade <= high {
        let inside = [1.0, 2.0, 5.0].map(|step| step * decade);
        values.extend(inside.into_iter().filter(|&v| v > low && v < high));
        decade *= 10.0;
    }
    values.push(high);
    values.dedup();
    values
}

/// Two axes: `bandwidth×machines`, with `x` or a comma between them too.
pub(super) fn parse_map(text: &str) -> Result<[Axis; 2], String> {
    const EXPECTED: &str =
        "expected two of machines, bandwidth and segment, such as bandwidth×machines";
    let (across, down) = ["×", "x", ","]
        .iter()
        .find_map(|between| text.split_once(between))
        .ok_or(EXPECTED)?;
    let axes = [parse_axis(across)?, parse_axis(down)?];
    if axes[0] == axes[1] {
        return Err(EXPECTED.to_owned());
    }
    Ok(axes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn links_and_profiles() {
        let link = |bits_per_second, latency_seconds| {
            Ok(LinkArg {
                bits_per_second,
                latency_seconds,
            })
        };
        assert_eq!(parse_link("10Gb/s"), link(1e10, None));
        assert_eq!(parse_link("25Gb/s,1ms"), link(25e9, Some(1e-3)));
        for text in ["", "10Gb/s,", ",50us", "fast", "1GB/s", "0"] {
            assert!(parse_link(text).is_err(), "{text}");
        }
        let profile = |path: &str, count, speed| {
            Ok(ProfileArg {
                path: path.to_owned(),
                count,
                speed,
            })
        };
        assert_eq!(parse_profile("a.json"), profile("a.json", None, 1.0));
        assert_eq!(parse_profile("a.json:5"), profile("a.json", Some(5), 1.0));
        assert_eq!(
            parse_profile("c:/a.json:5@2.5"),
            profile("c:/a.json", Some(5), 2.5)
        );
        assert_eq!(parse_profile("c:/a.json"), profile("c:/a.json", None, 1.0));
        assert!(parse_profile("a.json:5@fast").is_err());
    }

    #[test]
    fn faults_and_prices() {
        let stragglers = |fraction, slowdown| Ok(Stragglers { fraction, slowdown });
        assert_eq!(parse_stragglers("5%:3x"), stragglers(0.05, 3.0));
        assert_eq!(parse_stragglers("0.1:2"), stragglers(0.1, 2.0));
        for text in ["5%", "5%:0.5x", "101%:2", "nan:2", "5%:x", "-1%:2"] {
            assert!(parse_stragglers(text).is_err(), "{text}");
        }
        assert_eq!(parse_loss("0.01/h"), Ok(LossArg::PerHour(0.01)));
        assert_eq!(parse_loss("1%"), Ok(LossArg::PerTask(0.01)));
        for text in ["", "-1/h", "2", "nan/h", "1/d"] {
            assert!(parse_loss(text).is_err(), "{text}");
        }
        assert_eq!(parse_price("2.5/h"), Ok(2.5));
        assert_eq!(parse_price("0"), Ok(0.0));
        assert!(parse_price("-1").is_err() && parse_price("inf").is_err());
    }

    #[test]
    fn sweeps_and_maps() {
        let axis = |axis, values: &[f64]| Ok(SweepArg::Axis(axis, values.to_vec()));
        assert_eq!(
            parse_sweep("machines=100,1,10,10"),
            axis(Axis::Machines, &[1.0, 10.0, 100.0])
        );
        assert_eq!(
            parse_sweep("machines=3..25"),
            axis(Axis::Machines, &[3.0, 5.0, 10.0, 20.0, 25.0])
        );
        assert_eq!(
            parse_sweep("segment=14..16"),
            Ok(SweepArg::Segments(14.0, 16.0))
        );
        assert_eq!(
            parse_sweep("segment=14..16,20"),
            axis(Axis::Segment, &[14.0, 15.0, 16.0, 20.0])
        );
        assert_eq!(
            parse_sweep("bandwidth=1Gb/s,2.5e9"),
            axis(Axis::Bandwidth, &[1e9, 2.5e9])
        );
        assert_eq!(parse_sweep("encoding=all"), Ok(SweepArg::Encodings));
        for text in [
            "",
            "machines",
            "machines=",
            "machines=1.5",
            "machines=0",
            "machines=9..3",
            "segment=20..14",
            "machines=-3..9",
            "machines=nan",
            "bandwidth=1GB/s",
            "encoding=one",
            "color=1",
            "segment=1..1e300,x",
        ] {
            assert!(parse_sweep(text).is_err(), "{text}");
        }
        assert_eq!(
            parse_map("bandwidth×machines"),
            Ok([Axis::Bandwidth, Axis::Machines])
        );
        assert_eq!(
            parse_map("machines x segment"),
            Ok([Axis::Machines, Axis::Segment])
        );
        for text in ["", "machines", "machines×machines", "a×b"] {
            assert!(parse_map(text).is_err(), "{text}");
        }
    }
}
