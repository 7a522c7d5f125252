//! Parts that make up a whole: bars of fields, one bar a line.

use super::axis::{Axis, Scale, frame, horizontal};
use super::font;
use super::scene::{Anchor, Ink, Scene};
use super::sheet::{Entry, Sheet, Size, Style, label};
use super::words::fit;

/// Most bars drawn.
pub(super) const MAX_BARS: usize = 24;

/// A bar.
#[derive(Clone, PartialEq, Debug)]
pub(super) struct Bar {
    pub(super) name: String,
    /// Numbers of parts, with their values.
    pub(super) parts: Vec<(usize, f64)>,
}

/// A chart of bars.
#[derive(Clone, Debug)]
pub(super) struct Bars {
    /// What the values count.
    pub(super) name: String,
    /// The text of a value.
    pub(super) format: fn(f64) -> String,
    /// Names of parts, in the order in which they are stacked.
    pub(super) parts: Vec<String>,
    pub(super) bars: Vec<Bar>,
}

impl Bars {
    /// Draws it.
    pub(super) fn draw(&self, size: Size, title: &str, source: &str) -> Scene {
        let used = |index: usize| {
            let parts = self.bars.iter().flat_map(|bar| &bar.parts);
            parts
                .clone()
                .any(|&(part, value)| part == index && value > 0.0)
        };
        let legend: Vec<Entry> = self
            .parts
            .iter()
            .enumerate()
            .filter(|(index, _)| used(*index))
            .map(|(index, name)| Entry {
                name: name.clone(),
                style: Style::field(index),
            })
            .collect();
        let bars = &self.bars[..self.bars.len().min(MAX_BARS)];
        let font = size.font();
        // On a narrow sheet the name is above its bar.
        let (pitch, thick) = match size {
            Size::Desktop => (30.0, 19.0),
            Size::Phone => (2.9 * font, 1.25 * font),
        };
        let height = pitch * bars.len() as f64 + 3.5 * font;
        let mut sheet = Sheet::new(size, title, source, &legend, height);
        let scene = &mut sheet.scene;
        let [left, top, right, _] = sheet.area;
        let totals = || {
            let total = |bar: &Bar| {
                bar.parts
                    .iter()
                    .map(|(_, value)| value.max(0.0))
                    .sum::<f64>()
            };
            bars.iter().map(total)
        };
        let words: Vec<String> = totals().map(self.format).collect();
        let widest = |texts: &mut dyn Iterator<Item = &String>| {
            let widths = texts.map(|text| font::width(text, font, false));
            widths.fold(0.0, f64::max)
        };
        let room = widest(&mut words.iter()) + 10.0;
        let most = 0.36 * scene.width;
        let names = widest(&mut bars.iter().map(|bar| &bar.name)).min(most);
        let indent = match size {
            Size::Desktop => names + 8.0,
            Size::Phone => 0.0,
        };
        let scale = Scale::from_zero(totals());
        let bottom = top + pitch * bars.len() as f64;
        let frame = frame([left + indent, top, right - room, bottom], scale);
        let axis = Axis {
            name: self.name.clone(),
            scale,
            format: self.format,
        };
        horizontal(scene, &frame, &axis, font);
        for (row, (bar, words)) in bars.iter().zip(words).enumerate() {
            let row_top = top + pitch * row as f64;
            let (bar_top, name_at) = match size {
                Size::Desktop => (row_top + (pitch - thick) / 2.0, (left + names, Anchor::End)),
                Size::Phone => (row_top + pitch - thick - 2.0, (left, Anchor::Start)),
            };
            let baseline = match size {
                Size::Desktop => bar_top + thick / 2.0 + 0.36 * font,
                Size::Phone => bar_top - 0.38 * font,
            };
            let most = if size == Size::Phone {
                right - left
            } else {
                names
            };
            let name = fit(&bar.name, font, false, most + 0.5);
            label(
                scene,
                (name_at.0, baseline),
                name_at.1,
                font,
                Ink::Text,
                false,
                name,
            );
            let mut sum = 0.0;
            for &(part, value) in &bar.parts {
                let value = value.max(0.0);
                let (from, to) = (frame.x(sum), frame.x(sum + value));
                let part_name = self.parts.get(part).map_or("", String::as_str);
                let title = format!("{}: {part_name} {}", bar.name, (self.format)(value));
                scene.rect(
                    (from, bar_top),
                    (to - from, thick),
                    Ink::Series(part),
                    1.0,
                    &title,
                );
                sum += value;
            }
            let at = (frame.x(sum) + 6.0, bar_top + thick / 2.0 + 0.36 * font);
            label(scene, at, Anchor::Start, font, Ink::Text, false, words);
        }
        sheet.scene
    }
}
