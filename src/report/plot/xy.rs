//! Numbers against numbers: lines and marks.

use super::axis::{Axis, Frame, axes};
use super::font;
use super::scene::{Anchor, Bounds, Form, Ink, Point, Scene};
use super::sheet::{Entry, Sheet, Size, Style, label};
use super::words::fit;

/// Most lines across with their names on them.
const MAX_NAMED: usize = 2;

/// A place in the data.
#[derive(Clone, PartialEq, Debug)]
pub(super) struct Datum {
    pub(super) x: f64,
    pub(super) y: f64,
    /// What it is, for whoever points at it.
    pub(super) title: String,
}

/// Places that belong together.
#[derive(Clone, PartialEq, Debug)]
pub(super) struct Series {
    pub(super) name: String,
    pub(super) style: Style,
    pub(super) data: Vec<Datum>,
}

/// A value that others are held against: a line across.
#[derive(Clone, PartialEq, Debug)]
pub(super) struct Level {
    pub(super) value: f64,
    pub(super) name: String,
}

/// A place on the lower axis that is worth a line upwards and words.
#[derive(Clone, PartialEq, Debug)]
pub(super) struct Callout {
    pub(super) x: f64,
    pub(super) name: String,
}

/// A chart of lines and marks.
#[derive(Clone, Debug)]
pub(super) struct Chart {
    pub(super) x: Axis,
    pub(super) y: Axis,
    pub(super) series: Vec<Series>,
    pub(super) levels: Vec<Level>,
    pub(super) callouts: Vec<Callout>,
}

impl Chart {
    /// Draws it.
    pub(super) fn draw(&self, size: Size, title: &str, source: &str) -> Scene {
        let mut legend: Vec<Entry> = self
            .series
            .iter()
            .filter(|series| !series.name.is_empty())
            .map(|series| Entry {
                name: series.name.clone(),
                style: series.style,
            })
            .collect();
        // Many lines across would have their names on the data.
        let listed = self.levels.len() > MAX_NAMED;
        if listed {
            legend.extend(self.levels.iter().enumerate().map(|(index, level)| Entry {
                name: level.name.clone(),
                style: level_style(index, true),
            }));
        }
        let mut sheet = Sheet::new(size, title, source, &legend, size.height());
        let font = size.font();
        let scene = &mut sheet.scene;
        let frame = axes(scene, sheet.area, &self.x, &self.y, font);
        let data = self.pixels(&frame);
        for (index, level) in self.levels.iter().enumerate() {
            if self.y.scale.holds(level.value) {
                let (y, style) = (frame.y(level.value), level_style(index, listed));
                scene.line(
                    vec![(frame.left, y), (frame.right, y)],
                    style.ink,
                    1.4,
                    style.dash,
                );
            }
        }
        for callout in self.callouts.iter().filter(|c| self.x.scale.holds(c.x)) {
            let x = frame.x(callout.x);
            scene.line(
                vec![(x, frame.top), (x, frame.bottom)],
                Ink::Muted,
                1.2,
                Some((2.0, 3.0)),
            );
        }
        for (series, points) in self.series.iter().zip(&data) {
            let Style {
                ink,
                form,
                filled,
                line,
                dash,
                ..
            } = series.style;
            if let Some(width) = line {
                scene.line(points.iter().map(|(at, _)| *at).collect(), ink, width, dash);
            }
            for (at, title) in points {
                if let Some(form) = form {
                    scene.mark(
                        *at,
                        form,
                        ink,
                        filled,
                        if form == Form::Circle { 3.6 } else { 4.0 },
                        title,
                    );
                }
            }
        }
        let mut taken: Vec<Bounds> = Vec::new();
        self.name_callouts(scene, &frame, font, &mut taken);
        if !listed {
            let levels = self
                .levels
                .iter()
                .filter(|level| self.y.scale.holds(level.value));
            name_levels(scene, &frame, font, levels, &data, &mut taken);
        }
        sheet.scene
    }

    /// All places in pixels.
    fn pixels<'d>(&'d self, frame: &Frame) -> Vec<Vec<(Point, &'d str)>> {
        let inside = |datum: &&Datum| self.x.scale.holds(datum.x) && self.y.scale.holds(datum.y);
        let mut places = Vec::new();
        for series in &self.series {
            let data = series.data.iter().filter(inside);
            let place =
                |datum: &'d Datum| ((frame.x(datum.x), frame.y(datum.y)), datum.title.as_str());
            places.push(data.map(place).collect());
        }
        places
    }

    fn name_callouts(&self, scene: &mut Scene, frame: &Frame, font: f64, taken: &mut Vec<Bounds>) {
        let mut y = frame.top + 1.2 * font;
        for callout in self.callouts.iter().filter(|c| self.x.scale.holds(c.x)) {
            let x = frame.x(callout.x);
            let text = fit(&callout.name, font, false, frame.right - frame.left - 12.0);
            let width = font::width(&text, font, false);
            let left = if x + 6.0 + width <= frame.right {
                x + 6.0
            } else if x - 6.0 - width >= frame.left {
                x - 6.0 - width
            } else {
                frame.right - width - 3.0
            };
            taken.push(plate(scene, (left, y), width, font));
            label(
                scene,
                (left, y),
                Anchor::Start,
                font,
                Ink::Text,
                false,
                text,
            );
            y += 1.5 * font;
        }
    }
}

/// How a line across is drawn: all alike if their names are on them.
fn level_style(index: usize, listed: bool) -> Style {
    let dashes = [(6.0, 4.0), (2.0, 3.0), (10.0, 3.0), (4.0, 2.0), (1.0, 4.0)];
    Style {
        ink: Ink::Muted,
        line: Some(1.4),
        dash: Some(dashes[if listed { index % dashes.len() } else { 0 }]),
        ..Style::line(0)
    }
}

/// Clears the ground under a text.
fn plate(scene: &mut Scene, (x, y): Point, width: f64, font: f64) -> Bounds {
    let bounds = [x - 3.0, y - 0.95 * font, x + width + 3.0, y + 0.32 * font];
    let size = (bounds[2] - bounds[0], bounds[3] - bounds[1]);
    scene.rect((bounds[0], bounds[1]), size, Ink::Paper, 0.8, "");
    bounds
}

/// Names lines across where the least of the data is covered, and no other name.
fn name_levels<'l>(
    scene: &mut Scene,
    frame: &Frame,
    font: f64,
    levels: impl Iterator<Item = &'l Level>,
    data: &[Vec<(Point, &str)>],
    taken: &mut Vec<Bounds>,
) {
    for level in levels {
        let text = fit(&level.name, font, false, frame.right - frame.left - 12.0);
        let width = font::width(&text, font, false);
        let line = frame.y(level.value);
        let mut best: Option<(usize, Point)> = None;
        for below in [false, true] {
            let y = line + if below { 1.1 * font } else { -0.4 * font };
            for part in [0.0, 1.0, 0.25, 0.75, 0.5] {
                let x = frame.left + 6.0 + part * (frame.right - frame.left - width - 12.0);
                let bounds = [x - 3.0, y - 0.95 * font, x + width + 3.0, y + 0.32 * font];
                if bounds[1] < frame.top || bounds[3] > frame.bottom {
                    continue;
                }
                let hidden = data
                    .iter()
                    .flatten()
                    .filter(|((px, py), _)| {
                        (bounds[0]..bounds[2]).contains(px) && (bounds[1]..bounds[3]).contains(py)
                    })
                    .count();
                let clash = taken.iter().any(|other| overlap(&bounds, other));
                let cost = hidden + if clash { 1_000_000 } else { 0 };
                if best.is_none_or(|(least, _)| cost < least) {
                    best = Some((cost, (x, y)));
                }
            }
        }
        if let Some((cost, at)) = best
            && cost < 1_000_000
        {
            taken.push(plate(scene, at, width, font));
            label(scene, at, Anchor::Start, font, Ink::Muted, false, text);
        }
    }
}

/// Whether two rectangles have a place in common.
pub(super) fn overlap(a: &Bounds, b: &Bounds) -> bool {
    a[0] < b[2] && b[0] < a[2] && a[1] < b[3] && b[1] < a[3]
}
