//! What is best where: a field for each pair of values.

use super::font;
use super::scene::{Anchor, Ink, Scene};
use super::sheet::{Entry, Sheet, Size, Style, label};
use super::words::{fit, one_line};

/// What is best for each pair of values.
#[derive(Clone, PartialEq, Debug)]
pub struct MapData {
    /// What goes across.
    pub x_name: String,
    /// Its values in words, from left to right.
    pub xs: Vec<String>,
    /// What goes up.
    pub y_name: String,
    /// Its values in words, from the bottom up.
    pub ys: Vec<String>,
    /// Names of what can be best.
    pub names: Vec<String>,
    /// The number of the best, by `y` and then `x`; none where there is none.
    pub best: Vec<Vec<Option<usize>>>,
    /// Where another is as good to within what can be told: drawn pale. By `y` and then `x`; false where missing.
    pub close: Vec<Vec<bool>>,
}

/// Most fields in a direction.
const MAX_FIELDS: usize = 100;

impl MapData {
    /// Draws it.
    pub(super) fn draw(&self, size: Size, title: &str, source: &str) -> Scene {
        let used = |index: usize| self.best.iter().flatten().any(|best| *best == Some(index));
        let legend: Vec<Entry> = self
            .names
            .iter()
            .enumerate()
            .filter(|(index, _)| used(*index))
            .map(|(index, name)| Entry {
                name: one_line(name, 40),
                style: Style::field(index),
            })
            .collect();
        let font = size.font();
        let xs = &self.xs[..self.xs.len().min(MAX_FIELDS)];
        let ys = &self.ys[..self.ys.len().min(MAX_FIELDS)];
        let mut sheet = Sheet::new(size, title, source, &legend, size.height());
        let scene = &mut sheet.scene;
        let [left, top, right, bottom] = sheet.area;
        let (top, bottom) = (top + 1.7 * font, bottom - 3.2 * font);
        let widths = ys.iter().map(|y| font::width(y, font, false));
        let names = widths.fold(0.0, f64::max).min(0.3 * scene.width);
        let (left_edge, right) = (left + names + 8.0, right - 1.6 * font);
        let field = (
            (right - left_edge) / xs.len().max(1) as f64,
            (bottom - top) / ys.len().max(1) as f64,
        );
        let name = fit(&self.y_name, font, false, right - left);
        label(
            scene,
            (left, top - 0.75 * font),
            Anchor::Start,
            font,
            Ink::Text,
            false,
            name,
        );
        let stride = |needed: f64, pitch: f64| (needed / pitch.max(1e-9)).ceil().max(1.0) as usize;
        let rows = stride(1.5 * font, field.1);
        for (j, y) in ys.iter().enumerate() {
            let y_top = bottom - field.1 * (j + 1) as f64;
            if j.is_multiple_of(rows) {
                let at = (left + names, y_top + field.1 / 2.0 + 0.36 * font);
                let text = fit(&one_line(y, 40), font, false, names + 0.5);
                label(scene, at, Anchor::End, font, Ink::Muted, false, text);
            }
            for (i, x) in xs.iter().enumerate() {
                let best = self
                    .best
                    .get(j)
                    .and_then(|row| row.get(i))
                    .copied()
                    .flatten();
                let Some(best) = best else { continue };
                let winner = self.names.get(best).map_or("", String::as_str);
                let title = one_line(&format!("{x}, {y}: {winner}"), 200);
                let at = (left_edge + field.0 * i as f64, y_top);
                let inner = (field.0 - 1.0, field.1 - 1.0);
                let close = self.close.get(j).and_then(|row| row.get(i)) == Some(&true);
                let opacity = if close { 0.35 } else { 0.95 };
                scene.rect(at, inner, Ink::Series(best), opacity, &title);
            }
        }
        let widest = xs
            .iter()
            .map(|x| font::width(x, font, false))
            .fold(0.0, f64::max);
        let columns = stride(widest.min(120.0) + font, field.0);
        for (i, x) in xs.iter().enumerate().step_by(columns) {
            let text = fit(&one_line(x, 40), font, false, 120.0);
            let half = font::width(&text, font, false) / 2.0;
            let at = left_edge + field.0 * (i as f64 + 0.5);
            let at = at.min(scene.width - half - 2.0).max(half + 2.0);
            label(
                scene,
                (at, bottom + 1.5 * font),
                Anchor::Middle,
                font,
                Ink::Muted,
                false,
                text,
            );
        }
        let middle = f64::midpoint(left_edge, right);
        let name = fit(&self.x_name, font, false, right - left);
        label(
            scene,
            (middle, bottom + 2.9 * font),
            Anchor::Middle,
            font,
            Ink::Text,
            false,
            name,
        );
        sheet.scene
    }
}
