//! What all plots have: a title, a legend, and a line that says where the numbers are from.

use super::font;
use super::scene::{Anchor, Form, Ink, Point, Scene, Text};
use super::words::{fit, wrap};

/// For which width a plot is drawn: text is as large in both.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Size {
    /// 960 pixels across.
    Desktop,
    /// 360 pixels across.
    Phone,
}

impl Size {
    /// Both.
    pub const ALL: [Self; 2] = [Self::Desktop, Self::Phone];

    /// Its name in class names and file names.
    pub fn name(self) -> &'static str {
        match self {
            Self::Desktop => "desktop",
            Self::Phone => "phone",
        }
    }

    /// Pixels across.
    pub(super) fn width(self) -> f64 {
        match self {
            Self::Desktop => 960.0,
            Self::Phone => 360.0,
        }
    }

    /// Font size of labels.
    pub(super) fn font(self) -> f64 {
        match self {
            Self::Desktop => 13.0,
            Self::Phone => 11.5,
        }
    }

    /// Height of the axes and what is inside them, where the data do not ask for another.
    pub(super) fn height(self) -> f64 {
        match self {
            Self::Desktop => 450.0,
            Self::Phone => 330.0,
        }
    }
}

/// How a series is drawn.
#[derive(Clone, Copy, PartialEq, Debug)]
pub(super) struct Style {
    /// Its colour.
    pub(super) ink: Ink,
    /// The form of its marks; none if it has none.
    pub(super) form: Option<Form>,
    /// Whether marks are filled.
    pub(super) filled: bool,
    /// Width of its line; none if it has none.
    pub(super) line: Option<f64>,
    /// Dash and gap of the line.
    pub(super) dash: Option<(f64, f64)>,
    /// Whether it is a field of colour.
    pub(super) field: bool,
}

impl Style {
    /// A line, which differs from others in colour and, beyond a few, in its dashes.
    pub(super) fn line(index: usize) -> Self {
        let dashes = [None, Some((7.0, 4.0)), Some((2.0, 3.0)), Some((11.0, 3.0))];
        Self {
            ink: Ink::Series(index),
            form: None,
            filled: true,
            line: Some(2.0),
            dash: dashes[(index % 10 / 3 + index / 10) % 4],
            field: false,
        }
    }

    /// Marks, which differ from others in colour and form.
    pub(super) fn marks(index: usize, filled: bool) -> Self {
        Self {
            form: Some(Form::of(index)),
            filled,
            line: None,
            dash: None,
            ..Self::line(index)
        }
    }

    /// A field of colour.
    pub(super) fn field(index: usize) -> Self {
        Self {
            line: None,
            dash: None,
            field: true,
            ..Self::line(index)
        }
    }
}

/// A series in the legend.
#[derive(Clone, PartialEq, Debug)]
pub(super) struct Entry {
    pub(super) name: String,
    pub(super) style: Style,
}

/// A sheet with a title, before the data are drawn.
pub(super) struct Sheet {
    pub(super) scene: Scene,
    /// Left, top, right and bottom of what is left for the data.
    pub(super) area: [f64; 4],
}

/// Space around everything.
const MARGIN: f64 = 10.0;
/// Length of the sample of a line.
const SAMPLE: f64 = 26.0;

impl Sheet {
    /// Writes title and source, draws the legend, and leaves `height` pixels for the data.
    ///
    /// The legend is beside the data on a wide sheet and above them on a narrow one.
    pub(super) fn new(
        size: Size,
        title: &str,
        source: &str,
        legend: &[Entry],
        height: f64,
    ) -> Self {
        let (width, font) = (size.width(), size.font());
        let mut scene = Scene::new(width, 0.0);
        let mut y = MARGIN;
        let heading = font + 2.0;
        for line in wrap(title, heading, true, width - 2.0 * MARGIN) {
            y += heading;
            label(
                &mut scene,
                (MARGIN, y),
                Anchor::Start,
                heading,
                Ink::Text,
                true,
                line,
            );
            y += 0.35 * heading;
        }
        y += 6.0;
        let mut right = width - MARGIN;
        let mut bottom = y + height;
        if size == Size::Phone {
            y = rows(&mut scene, legend, y, font);
            bottom = y + height;
        } else if !legend.is_empty() {
            let most = 280.0;
            let text = legend
                .iter()
                .map(|entry| font::width(&entry.name, font, false));
            let column = text.fold(0.0, f64::max).min(most) + SAMPLE + 8.0;
            right -= column;
            let mut at = y + 2.4 * font;
            for entry in legend {
                draw_entry(&mut scene, entry, (right + 4.0, at), font, most);
                at += 1.55 * font;
            }
            bottom = bottom.max(at);
            right -= 12.0;
        }
        let footer = font - 2.0;
        let mut end = bottom + 6.0;
        for line in wrap(source, footer, false, width - 2.0 * MARGIN) {
            end += 1.3 * footer;
            label(
                &mut scene,
                (MARGIN, end),
                Anchor::Start,
                footer,
                Ink::Muted,
                false,
                line,
            );
        }
        scene.height = (end + MARGIN).ceil();
        Self {
            scene,
            area: [MARGIN, y, right, bottom],
        }
    }
}

/// Adds a text.
pub(super) fn label(
    scene: &mut Scene,
    at: Point,
    anchor: Anchor,
    size: f64,
    ink: Ink,
    bold: bool,
    text: String,
) {
    scene.text(Text {
        at,
        anchor,
        size,
        ink,
        bold,
        upwards: false,
        text,
    });
}

/// Draws a legend in rows; returns where it ends.
fn rows(scene: &mut Scene, legend: &[Entry], top: f64, font: f64) -> f64 {
    if legend.is_empty() {
        return top;
    }
    let most = scene.width - 2.0 * MARGIN - SAMPLE;
    let (mut x, mut y) = (MARGIN, top + font);
    for entry in legend {
        let width = font::width(&entry.name, font, false).min(most) + SAMPLE + 12.0;
        if x > MARGIN && x + width - 12.0 > scene.width - MARGIN {
            (x, y) = (MARGIN, y + 1.5 * font);
        }
        draw_entry(scene, entry, (x, y), font, most);
        x += width;
    }
    y + font
}

fn draw_entry(scene: &mut Scene, entry: &Entry, (x, y): Point, font: f64, most: f64) {
    let Style {
        ink,
        form,
        filled,
        line,
        dash,
        field,
    } = entry.style;
    let middle = y - 0.34 * font;
    if let Some(width) = line {
        scene.line(
            vec![(x, middle), (x + SAMPLE - 6.0, middle)],
            ink,
            width,
            dash,
        );
    }
    if let Some(form) = form {
        scene.mark(
            (x + (SAMPLE - 6.0) / 2.0, middle),
            form,
            ink,
            filled,
            4.0,
            "",
        );
    }
    if field {
        let side = 0.9 * font;
        scene.rect(
            (x + SAMPLE - 8.0 - side, y - 0.8 * font),
            (side, side),
            ink,
            1.0,
            "",
        );
    }
    let text = fit(&entry.name, font, false, most);
    label(
        scene,
        (x + SAMPLE, y),
        Anchor::Start,
        font,
        Ink::Text,
        false,
        text,
    );
}
