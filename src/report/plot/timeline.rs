//! Who works when: a lane for each resource.

use super::axis::{Axis, Scale, frame, horizontal};
use super::font;
use super::scene::{Anchor, Ink, Scene};
use super::sheet::{Entry, Sheet, Size, Style, label};
use super::words::fit;

/// Most lanes drawn.
const MAX_LANES: usize = 40;
/// Most spans drawn; of more, those are left out that are shortest and not critical.
const MAX_SPANS: usize = 4000;

/// A stretch of work.
#[derive(Clone, PartialEq, Debug)]
pub struct TimelineSpan {
    /// Who works.
    pub lane: String,
    /// At what.
    pub label: String,
    /// When it begins, in seconds.
    pub start: f64,
    /// When it ends.
    pub end: f64,
    /// Whether the whole waits for it.
    pub critical: bool,
}

/// A chart of lanes.
#[derive(Clone, Debug)]
pub(super) struct Timeline {
    pub(super) spans: Vec<TimelineSpan>,
    pub(super) format: fn(f64) -> String,
}

impl Timeline {
    /// Draws it.
    pub(super) fn draw(&self, size: Size, title: &str, source: &str) -> Scene {
        let legend = [("at work", 0), ("on the critical path", 1)].map(|(name, index)| Entry {
            name: name.into(),
            style: Style::field(index),
        });
        let mut lanes: Vec<&str> = Vec::new();
        for span in &self.spans {
            if !lanes.contains(&span.lane.as_str()) && lanes.len() < MAX_LANES {
                lanes.push(&span.lane);
            }
        }
        let font = size.font();
        let pitch = if size == Size::Phone { 14.0 } else { 17.0 };
        let small = font.min(pitch - 3.0);
        let height = pitch * lanes.len() as f64 + 3.5 * font;
        // On a wide sheet the legend is a row above the lanes, too.
        let mut sheet = Sheet::new(size, title, source, &legend, height);
        let scene = &mut sheet.scene;
        let [left, top, right, _] = sheet.area;
        let widths = lanes.iter().map(|lane| font::width(lane, small, false));
        let names = widths.fold(0.0, f64::max).min(0.3 * scene.width);
        let scale = Scale::from_zero(self.spans.iter().map(|span| span.end));
        let bottom = top + pitch * lanes.len() as f64;
        let frame = frame([left + names + 8.0, top, right - 1.6 * font, bottom], scale);
        let axis = Axis {
            name: "seconds from the start (modelled)".into(),
            scale,
            format: self.format,
        };
        horizontal(scene, &frame, &axis, font);
        for (row, lane) in lanes.iter().enumerate() {
            let y = top + pitch * row as f64;
            let name = fit(lane, small, false, names + 0.5);
            let at = (left + names, y + pitch / 2.0 + 0.36 * small);
            label(scene, at, Anchor::End, small, Ink::Text, false, name);
            scene.line(
                vec![(frame.left, y), (frame.right, y)],
                Ink::Grid,
                0.6,
                None,
            );
        }
        for span in self.drawn() {
            let Some(row) = lanes.iter().position(|lane| *lane == span.lane) else {
                continue;
            };
            let from = frame.x(span.start.max(0.0));
            let to = frame.x(span.end);
            // The shortest is still seen.
            let width = (to - from).max(0.6);
            let y = top + pitch * row as f64 + 2.0;
            let title = format!(
                "{}: {}, {} to {}",
                span.lane,
                span.label,
                (self.format)(span.start),
                (self.format)(span.end)
            );
            let ink = Ink::Series(usize::from(span.critical));
            scene.rect((from, y), (width, pitch - 4.0), ink, 0.85, &title);
        }
        sheet.scene
    }

    /// The spans that are drawn, critical ones last and so on top.
    fn drawn(&self) -> Vec<&TimelineSpan> {
        let mut spans: Vec<&TimelineSpan> = self
            .spans
            .iter()
            .filter(|span| span.start.is_finite() && span.end.is_finite() && span.end >= span.start)
            .collect();
        let length = |span: &TimelineSpan| span.end - span.start;
        spans.sort_by(|a, b| {
            let by_length = length(b).total_cmp(&length(a));
            b.critical.cmp(&a.critical).then(by_length)
        });
        spans.truncate(MAX_SPANS);
        spans.sort_by_key(|span| span.critical);
        spans
    }
}
