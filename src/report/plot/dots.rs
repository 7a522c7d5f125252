//! Sizes over many powers of ten: a range of dots a line.

use super::axis::{Axis, Scale, frame, horizontal};
use super::font;
use super::scene::{Anchor, Form, Ink, Scene};
use super::sheet::{Entry, Sheet, Size, Style, label};
use super::words::fit;

/// Most lines drawn.
const MAX_ROWS: usize = 40;

/// A value of a line, from its largest form to its smallest.
#[derive(Clone, PartialEq, Debug)]
pub(super) struct Dot {
    /// Number of the group: its colour.
    pub(super) group: usize,
    /// The value as it is.
    pub(super) raw: f64,
    /// The smallest it becomes, and how; none if that is no smaller.
    pub(super) least: Option<(f64, String)>,
}

/// A line.
#[derive(Clone, PartialEq, Debug)]
pub(super) struct DotRow {
    pub(super) name: String,
    pub(super) dots: Vec<Dot>,
}

/// A chart of dots.
#[derive(Clone, Debug)]
pub(super) struct Dots {
    /// What the values count.
    pub(super) name: String,
    /// The text of a value.
    pub(super) format: fn(f64) -> String,
    /// Names of groups.
    pub(super) groups: Vec<String>,
    pub(super) rows: Vec<DotRow>,
}

impl Dots {
    /// Draws it.
    pub(super) fn draw(&self, size: Size, title: &str, source: &str) -> Scene {
        let mut legend: Vec<Entry> = self
            .groups
            .iter()
            .enumerate()
            .map(|(index, name)| Entry {
                name: name.clone(),
                style: Style {
                    form: Some(Form::Circle),
                    ..Style::marks(index, true)
                },
            })
            .collect();
        let smallest = Style {
            form: Some(Form::Circle),
            ink: Ink::Muted,
            ..Style::marks(0, false)
        };
        legend.push(Entry {
            name: "smallest compressed".into(),
            style: smallest,
        });
        let rows = &self.rows[..self.rows.len().min(MAX_ROWS)];
        let font = size.font();
        let per_dot = 1.15 * font;
        let name_height = if size == Size::Phone {
            1.6 * font
        } else {
            0.6 * font
        };
        let heights: Vec<f64> = rows
            .iter()
            .map(|row| name_height + per_dot * row.dots.len().max(1) as f64)
            .collect();
        let total: f64 = heights.iter().sum();
        let mut sheet = Sheet::new(size, title, source, &legend, total + 3.5 * font);
        let scene = &mut sheet.scene;
        let [left, top, right, _] = sheet.area;
        let widths = rows.iter().map(|row| font::width(&row.name, font, false));
        let names = widths.fold(0.0, f64::max).min(0.36 * scene.width);
        let indent = if size == Size::Phone {
            4.0
        } else {
            names + 12.0
        };
        let dots = || rows.iter().flat_map(|row| &row.dots);
        let values = dots().flat_map(|dot| [Some(dot.raw), dot.least.as_ref().map(|l| l.0)]);
        let scale = Scale::log(values.flatten());
        let frame = frame([left + indent, top, right - 1.6 * font, top + total], scale);
        let axis = Axis {
            name: self.name.clone(),
            scale,
            format: self.format,
        };
        horizontal(scene, &frame, &axis, font);
        let mut y = top;
        for (row, height) in rows.iter().zip(heights) {
            scene.line(vec![(left, y), (frame.right, y)], Ink::Grid, 1.0, None);
            let (at, anchor, most) = if size == Size::Phone {
                ((left, y + 1.15 * font), Anchor::Start, right - left)
            } else {
                (
                    (left + names, y + height / 2.0 + 0.36 * font),
                    Anchor::End,
                    names,
                )
            };
            let name = fit(&row.name, font, false, most + 0.5);
            label(scene, at, anchor, font, Ink::Text, false, name);
            let start = y + height - per_dot * row.dots.len() as f64 - 0.3 * font;
            for (index, dot) in row.dots.iter().enumerate() {
                let at = start + per_dot * (index as f64 + 0.5);
                self.dot(scene, &row.name, dot, |value| (frame.x(value), at));
            }
            y += height;
        }
        sheet.scene
    }

    fn dot(&self, scene: &mut Scene, row: &str, dot: &Dot, place: impl Fn(f64) -> (f64, f64)) {
        let group = self.groups.get(dot.group).map_or("", String::as_str);
        let ink = Ink::Series(dot.group);
        let title =
            |value: f64, form: &str| format!("{row}, {group}, {form}: {}", (self.format)(value));
        if dot.raw <= 0.0 {
            return;
        }
        if let Some((least, form)) = dot.least.as_ref().filter(|least| least.0 > 0.0) {
            scene.line(vec![place(*least), place(dot.raw)], ink, 2.0, None);
            scene.mark(
                place(*least),
                Form::Circle,
                ink,
                false,
                4.0,
                &title(*least, form),
            );
        }
        scene.mark(
            place(dot.raw),
            Form::Circle,
            ink,
            true,
            4.0,
            &title(dot.raw, "raw"),
        );
    }
}
