//! What a plot consists of: lines, areas, marks and text at places in pixels, with colours by role.

#[cfg(test)]
use super::font;

/// A place in pixels, from the upper left corner.
pub(super) type Point = (f64, f64);

/// What a shape is drawn with, by role: its colour depends on the scheme.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Ink {
    /// Text and emphasized lines.
    Text,
    /// Text and lines of less weight.
    Muted,
    /// Lines of the grid.
    Grid,
    /// The ground.
    Paper,
    /// Data, by number.
    Series(usize),
}

/// Colours of data on a light ground: told apart with any colour vision, and of a contrast of at
/// least 3 to 1 on white. After Okabe and Ito, with paler ones darkened.
const SERIES: [&str; 10] = [
    "#0072b2", "#d55e00", "#008f68", "#aa4499", "#8f6b00", "#882255", "#3b8ec2", "#6b6b6b",
    "#117733", "#332288",
];

/// Colours of data there are.
pub(super) const NUM_SERIES: usize = SERIES.len();

impl Ink {
    /// The colour on a light ground.
    pub(super) fn hex(self) -> &'static str {
        match self {
            Self::Text => "#1b1b1b",
            Self::Muted => "#5a5a5a",
            Self::Grid => "#dedede",
            Self::Paper => "#ffffff",
            Self::Series(index) => SERIES[index % NUM_SERIES],
        }
    }

    /// Its name in class names, by which a page can give it another colour.
    pub(super) fn name(self) -> String {
        match self {
            Self::Text => "text".into(),
            Self::Muted => "muted".into(),
            Self::Grid => "grid".into(),
            Self::Paper => "paper".into(),
            Self::Series(index) => format!("d{}", index % NUM_SERIES),
        }
    }
}

/// The form of a mark.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Form {
    /// A disc.
    Circle,
    /// A square.
    Square,
    /// A square on its corner.
    Diamond,
    /// A triangle, point up.
    Triangle,
}

impl Form {
    /// The form for a number.
    pub(super) fn of(index: usize) -> Self {
        [Self::Circle, Self::Square, Self::Triangle, Self::Diamond][index % 4]
    }

    /// Its corners around a centre; none for a circle.
    pub(super) fn corners(self, (x, y): Point, r: f64) -> Vec<Point> {
        match self {
            Self::Circle => Vec::new(),
            Self::Square => {
                let r = 0.89 * r;
                vec![
                    (x - r, y - r),
                    (x + r, y - r),
                    (x + r, y + r),
                    (x - r, y + r),
                ]
            }
            Self::Diamond => {
                let r = 1.25 * r;
                vec![(x, y - r), (x + r, y), (x, y + r), (x - r, y)]
            }
            Self::Triangle => {
                let r = 1.2 * r;
                vec![(x, y - r), (x + r, y + 0.8 * r), (x - r, y + 0.8 * r)]
            }
        }
    }
}

/// Which end of a text is at its place.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Anchor {
    /// The left end.
    Start,
    /// The middle.
    Middle,
    /// The right end.
    End,
}

/// A line of text.
#[derive(Clone, PartialEq, Debug)]
pub(super) struct Text {
    /// Its place, on the baseline.
    pub(super) at: Point,
    /// Which end is there.
    pub(super) anchor: Anchor,
    /// Font size in pixels.
    pub(super) size: f64,
    /// Colour.
    pub(super) ink: Ink,
    /// Whether it is bold.
    pub(super) bold: bool,
    /// Whether it runs upwards.
    pub(super) upwards: bool,
    /// What it says.
    pub(super) text: String,
}

/// Something drawn.
#[derive(Clone, PartialEq, Debug)]
pub(super) enum Shape {
    /// A line through points.
    Line {
        points: Vec<Point>,
        ink: Ink,
        width: f64,
        /// Lengths of dash and gap.
        dash: Option<(f64, f64)>,
    },
    /// A rectangle, filled.
    Rect {
        at: Point,
        size: Point,
        ink: Ink,
        opacity: f64,
        /// What it stands for, for whoever points at it.
        title: String,
    },
    /// A mark at a point of the data.
    Mark {
        at: Point,
        radius: f64,
        form: Form,
        ink: Ink,
        /// Filled, or an outline only.
        filled: bool,
        /// What it stands for, for whoever points at it.
        title: String,
    },
    /// Text.
    Text(Text),
}

/// A finished drawing.
#[derive(Clone, PartialEq, Debug)]
pub(super) struct Scene {
    /// Pixels across.
    pub(super) width: f64,
    /// Pixels down.
    pub(super) height: f64,
    /// What is drawn, from the ground up.
    pub(super) shapes: Vec<Shape>,
}

/// A rectangle that text takes: left, top, right, bottom.
pub(super) type Bounds = [f64; 4];

#[cfg(test)]
impl Text {
    /// The rectangle it takes.
    pub(super) fn bounds(&self) -> Bounds {
        let width = font::width(&self.text, self.size, self.bold);
        let start = match self.anchor {
            Anchor::Start => 0.0,
            Anchor::Middle => -width / 2.0,
            Anchor::End => -width,
        };
        let (x, y) = self.at;
        let (up, down) = (font::ASCENT * self.size, font::DESCENT * self.size);
        if self.upwards {
            [x - up, y - start - width, x + down, y - start]
        } else {
            [x + start, y - up, x + start + width, y + down]
        }
    }
}

impl Scene {
    /// An empty drawing.
    pub(super) fn new(width: f64, height: f64) -> Self {
        Self {
            width,
            height,
            shapes: Vec::new(),
        }
    }

    /// Draws a line through points; nothing if there are fewer than two.
    pub(super) fn line(
        &mut self,
        points: Vec<Point>,
        ink: Ink,
        width: f64,
        dash: Option<(f64, f64)>,
    ) {
        let drawable = points.iter().all(|(x, y)| x.is_finite() && y.is_finite());
        if points.len() > 1 && drawable {
            self.shapes.push(Shape::Line {
                points,
                ink,
                width,
                dash,
            });
        }
    }

    /// Draws a filled rectangle; nothing if it has no area.
    pub(super) fn rect(&mut self, at: Point, size: Point, ink: Ink, opacity: f64, title: &str) {
        let drawable = [at.0, at.1, size.0, size.1].iter().all(|v| v.is_finite());
        if drawable && size.0 > 0.0 && size.1 > 0.0 {
            self.shapes.push(Shape::Rect {
                at,
                size,
                ink,
                opacity,
                title: title.to_owned(),
            });
        }
    }

    /// Draws a mark.
    pub(super) fn mark(
        &mut self,
        at: Point,
        form: Form,
        ink: Ink,
        filled: bool,
        radius: f64,
        title: &str,
    ) {
        if at.0.is_finite() && at.1.is_finite() {
            self.shapes.push(Shape::Mark {
                at,
                radius,
                form,
                ink,
                filled,
                title: title.to_owned(),
            });
        }
    }

    /// Draws text; nothing if it is empty.
    pub(super) fn text(&mut self, text: Text) {
        if !text.text.is_empty() && text.at.0.is_finite() && text.at.1.is_finite() {
            self.shapes.push(Shape::Text(text));
        }
    }

    /// All text.
    #[cfg(test)]
    pub(super) fn texts(&self) -> impl Iterator<Item = &Text> {
        self.shapes.iter().filter_map(|shape| match shape {
            Shape::Text(text) => Some(text),
            _ => None,
        })
    }
}
