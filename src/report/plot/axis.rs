//! Axes: from values to pixels, and where the ticks are.

use super::font;
use super::scene::{Anchor, Ink, Scene, Text};
use super::words::short;

/// An axis of numbers.
#[derive(Clone, Debug)]
pub(super) struct Axis {
    /// What it counts, with its unit unless the ticks have one.
    pub(super) name: String,
    /// The range of values, and how they are laid out.
    pub(super) scale: Scale,
    /// The text of a tick.
    pub(super) format: fn(f64) -> String,
}

/// How values are laid out.
#[derive(Clone, Copy, PartialEq, Debug)]
pub(super) enum Scale {
    /// Evenly, from one value to another.
    Linear(f64, f64),
    /// By their logarithm; the ends are base-10 logarithms.
    Log(f64, f64),
    /// The same for powers of two; the ends are base-2 logarithms.
    Log2(f64, f64),
}

impl Scale {
    /// From zero to a round number no less than the values.
    pub(super) fn from_zero(values: impl Iterator<Item = f64>) -> Self {
        let most = values.filter(|v| v.is_finite()).fold(0.0, f64::max);
        if most <= 0.0 || most > 1e300 {
            return Self::Linear(0.0, if most > 0.0 { most } else { 1.0 });
        }
        let step = step(most, 5.0);
        let end = (most / step).ceil() * step;
        Self::Linear(
            0.0,
            if end.is_finite() && end > 0.0 {
                end
            } else {
                most
            },
        )
    }

    /// Around the values above zero, to the next 1, 2 or 5 times a power of ten; a decade if there
    /// are none.
    pub(super) fn log(values: impl Iterator<Item = f64>) -> Self {
        let logs = values.filter(|v| *v > 0.0 && v.is_finite()).map(f64::log10);
        let (least, most) = logs.fold((f64::INFINITY, f64::NEG_INFINITY), |(a, b), log| {
            (a.min(log), b.max(log))
        });
        if least > most {
            return Self::Log(0.0, 1.0);
        }
        // A little room, so that no mark is on the frame.
        let room = 0.03 * (most - least).max(0.3);
        let (low, high) = (floor_125(least - room), ceil_125(most + room));
        Self::Log(low, high.max(low + 0.3))
    }

    /// Around the values above zero, to whole powers of two.
    pub(super) fn log2(values: impl Iterator<Item = f64>) -> Self {
        let logs = values.filter(|v| *v > 0.0 && v.is_finite()).map(f64::log2);
        let (least, most) = logs.fold((f64::INFINITY, f64::NEG_INFINITY), |(a, b), log| {
            (a.min(log), b.max(log))
        });
        if least > most {
            return Self::Log2(0.0, 1.0);
        }
        Self::Log2(least.floor() - 0.3, most.ceil() + 0.3)
    }

    /// Where a value is: 0 at the start of the axis, 1 at its end.
    pub(super) fn part(self, value: f64) -> f64 {
        match self {
            Self::Linear(from, to) => (value - from) / (to - from),
            Self::Log(from, to) => (value.log10() - from) / (to - from),
            Self::Log2(from, to) => (value.log2() - from) / (to - from),
        }
    }

    /// Whether a value is on the axis.
    pub(super) fn holds(self, value: f64) -> bool {
        (-1e-9..=1.0 + 1e-9).contains(&self.part(value))
    }

    /// Values that can have a tick, in sets of ever fewer.
    fn candidates(self) -> Vec<Vec<f64>> {
        match self {
            Self::Linear(from, to) => {
                let sets = [10.0, 8.0, 5.0, 4.0, 2.0, 1.0].map(|parts| {
                    let step = step(to - from, parts);
                    let first = (from / step).ceil();
                    let ticks = (0..=20).map(|i| (first + f64::from(i)) * step);
                    ticks.filter(|tick| *tick <= to * (1.0 + 1e-9)).collect()
                });
                sets.to_vec()
            }
            Self::Log2(from, to) => [1, 2, 4, 8, 16, 64, 256]
                .map(|stride| {
                    let powers = from.ceil() as i32..=to.floor() as i32;
                    let ticks = powers.filter(|p| p.rem_euclid(stride) == 0);
                    ticks.map(|p| 2f64.powi(p)).collect()
                })
                .to_vec(),
            Self::Log(from, to) => {
                let decades = (from.floor() as i32, to.ceil() as i32);
                let set = |digits: &[f64], stride: i32| {
                    let powers = (decades.0..=decades.1).filter(|p| p.rem_euclid(stride) == 0);
                    let ticks = powers.flat_map(|p| digits.iter().map(move |d| d * 10f64.powi(p)));
                    ticks.filter(|tick| self.holds(*tick)).collect::<Vec<f64>>()
                };
                let mut sets = Vec::new();
                if decades.1 - decades.0 <= 6 {
                    sets.push(set(&[1.0, 2.0, 5.0], 1));
                    if decades.1 - decades.0 <= 2 {
                        sets.push(set(&[1.0, 3.0], 1));
                    }
                }
                let strides = [1, 2, 3, 4, 6, 12, 24, 48, 96, 192];
                sets.extend(strides.map(|stride| set(&[1.0], stride)));
                sets
            }
        }
    }

    /// The ticks with their texts: as many as there is room for.
    ///
    /// - `length`: pixels of the axis.
    /// - `extent`: pixels that a text takes along it, with what is to be free around it.
    fn ticks(
        self,
        length: f64,
        format: fn(f64) -> String,
        extent: impl Fn(&str) -> f64,
    ) -> Vec<(f64, String)> {
        let mut last = Vec::new();
        for set in self.candidates() {
            let ticks: Vec<(f64, String)> = set
                .into_iter()
                .filter(|value| self.part(*value).is_finite())
                .map(|value| (self.part(value), tick(value, format)))
                .collect();
            let room = ticks.windows(2).all(|pair| {
                let needed = (extent(&pair[0].1) + extent(&pair[1].1)) / 2.0;
                (pair[1].0 - pair[0].0) * length >= needed
            });
            if room && !ticks.is_empty() {
                return ticks;
            }
            last = ticks;
        }
        last.truncate(1);
        last
    }

    /// Where there are lines between ticks: at 2 to 9 times every power of ten.
    fn minor(self, length: f64) -> Vec<f64> {
        let Self::Log(from, to) = self else {
            return Vec::new();
        };
        if length / (to - from) < 60.0 {
            return Vec::new();
        }
        let powers = from.floor() as i32..=to.ceil() as i32;
        let values = powers.flat_map(|p| (2..=9).map(move |d| f64::from(d) * 10f64.powi(p)));
        values
            .filter(|value| self.holds(*value))
            .map(|value| self.part(value))
            .collect()
    }
}

/// The text of a tick; zero is zero in any unit.
fn tick(value: f64, format: fn(f64) -> String) -> String {
    if value == 0.0 {
        "0".to_owned()
    } else {
        short(&format(value))
    }
}

/// The largest 1, 2 or 5 times a power of ten that is no more than `range / parts`, at least.
fn step(range: f64, parts: f64) -> f64 {
    let rough = range / parts;
    if !rough.is_finite() || rough <= 0.0 {
        return 1.0;
    }
    let power = 10f64.powf(rough.log10().floor());
    let digit = [5.0, 2.0, 1.0]
        .into_iter()
        .find(|digit| digit * power <= rough * (1.0 + 1e-9));
    let step = digit.unwrap_or(1.0) * power;
    if step > 0.0 { step } else { rough }
}

/// Logarithms of 1, 2 and 5.
const DIGITS: [f64; 3] = [
    0.0,
    std::f64::consts::LOG10_2,
    1.0 - std::f64::consts::LOG10_2,
];

/// The largest logarithm of 1, 2 or 5 times a power of ten that is at most `log`.
fn floor_125(log: f64) -> f64 {
    let power = log.floor();
    let digit = DIGITS
        .into_iter()
        .rfind(|digit| power + digit <= log + 1e-9);
    power + digit.unwrap_or(0.0)
}

/// The least such logarithm that is at least `log`.
fn ceil_125(log: f64) -> f64 {
    let power = log.floor();
    let digit = DIGITS.into_iter().find(|digit| power + digit >= log - 1e-9);
    power + digit.unwrap_or(1.0)
}

/// Where data goes: the rectangle inside the axes.
#[derive(Clone, Copy, PartialEq, Debug)]
pub(super) struct Frame {
    pub(super) left: f64,
    pub(super) top: f64,
    pub(super) right: f64,
    pub(super) bottom: f64,
    x: Scale,
    y: Scale,
}

impl Frame {
    /// Pixels across of a value.
    pub(super) fn x(&self, value: f64) -> f64 {
        self.left + self.x.part(value) * (self.right - self.left)
    }

    /// Pixels down of a value.
    pub(super) fn y(&self, value: f64) -> f64 {
        self.bottom - self.y.part(value) * (self.bottom - self.top)
    }
}

/// Draws axes with grid, ticks and names in a rectangle: left, top, right, bottom.
///
/// The name of the upward axis is above it, as it reads.
pub(super) fn axes(scene: &mut Scene, area: [f64; 4], x: &Axis, y: &Axis, font: f64) -> Frame {
    let [left, top, right, bottom] = area;
    let top = top + 1.7 * font;
    let bottom = bottom - 3.2 * font;
    let rows = y.scale.ticks(bottom - top, y.format, |_| 1.9 * font);
    let widest = rows.iter().map(|(_, text)| font::width(text, font, false));
    let frame = Frame {
        left: left + widest.fold(0.0, f64::max) + 8.0,
        top,
        // Half a tick's text may stand out.
        right: right - 1.6 * font,
        bottom,
        x: x.scale,
        y: y.scale,
    };
    horizontal(scene, &frame, x, font);
    let height = frame.bottom - frame.top;
    for part in y.scale.minor(height) {
        let at = frame.bottom - part * height;
        scene.line(
            vec![(frame.left, at), (frame.right, at)],
            Ink::Grid,
            0.4,
            None,
        );
    }
    for (part, text) in rows {
        let at = frame.bottom - part * height;
        scene.line(
            vec![(frame.left, at), (frame.right, at)],
            Ink::Grid,
            1.0,
            None,
        );
        scene.text(Text {
            at: (frame.left - 6.0, at + 0.36 * font),
            anchor: Anchor::End,
            size: font,
            ink: Ink::Muted,
            bold: false,
            upwards: false,
            text,
        });
    }
    scene.text(Text {
        at: (left, frame.top - 0.75 * font),
        anchor: Anchor::Start,
        size: font,
        ink: Ink::Text,
        bold: false,
        upwards: false,
        text: y.name.clone(),
    });
    frame
}

/// Draws the lower axis of a frame and the lines of the grid above it.
pub(super) fn horizontal(scene: &mut Scene, frame: &Frame, x: &Axis, font: f64) {
    let width = frame.right - frame.left;
    for part in x.scale.minor(width) {
        let at = frame.left + part * width;
        scene.line(
            vec![(at, frame.top), (at, frame.bottom)],
            Ink::Grid,
            0.4,
            None,
        );
    }
    let extent = |text: &str| font::width(text, font, false) + 1.2 * font;
    for (part, text) in x.scale.ticks(width, x.format, extent) {
        let at = frame.left + part * width;
        scene.line(
            vec![(at, frame.top), (at, frame.bottom)],
            Ink::Grid,
            1.0,
            None,
        );
        // A text at the end of the axis stays within the drawing.
        let half = font::width(&text, font, false) / 2.0;
        let at = at.min(scene.width - half - 2.0).max(half + 2.0);
        scene.text(Text {
            at: (at, frame.bottom + 1.5 * font),
            anchor: Anchor::Middle,
            size: font,
            ink: Ink::Muted,
            bold: false,
            upwards: false,
            text,
        });
    }
    scene.line(
        vec![(frame.left, frame.bottom), (frame.right, frame.bottom)],
        Ink::Muted,
        1.0,
        None,
    );
    let name = super::words::fit(&x.name, font, false, scene.width - 8.0);
    let half = font::width(&name, font, false) / 2.0;
    let middle = f64::midpoint(frame.left, frame.right);
    scene.text(Text {
        at: (
            middle.min(scene.width - half - 4.0).max(half + 4.0),
            frame.bottom + 2.9 * font,
        ),
        anchor: Anchor::Middle,
        size: font,
        ink: Ink::Text,
        bold: false,
        upwards: false,
        text: name,
    });
}

/// A frame without an upward axis.
pub(super) fn frame(area: [f64; 4], x: Scale) -> Frame {
    let [left, top, right, bottom] = area;
    Frame {
        left,
        top,
        right,
        bottom,
        x,
        y: Scale::Linear(0.0, 1.0),
    }
}
