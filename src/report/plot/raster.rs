//! A drawing as PNG.

use tiny_skia::{
    Color, FillRule, LineJoin, Paint, Path, PathBuilder, Pixmap, Rect, Stroke, StrokeDash,
    Transform,
};
use ttf_parser::OutlineBuilder;

use super::font;
use super::scene::{Anchor, Form, Ink, Scene, Shape, Text};

/// The drawing on white as the bytes of a PNG; `None` if there is no memory for its pixels.
///
/// - `scale`: pixels of the image a pixel of the drawing.
pub(super) fn png(scene: &Scene, scale: f64) -> Option<Vec<u8>> {
    let pixels = |length: f64| (length * scale).round().max(1.0) as u32;
    let mut pixmap = Pixmap::new(pixels(scene.width), pixels(scene.height))?;
    pixmap.fill(Color::WHITE);
    let transform = Transform::from_scale(scale as f32, scale as f32);
    for shape in &scene.shapes {
        draw(shape, &mut pixmap, transform);
    }
    pixmap.encode_png().ok()
}

fn paint(ink: Ink, opacity: f64) -> Paint<'static> {
    let channel = |range| u8::from_str_radix(&ink.hex()[range], 16).unwrap_or(0);
    let mut paint = Paint::default();
    let alpha = (opacity.clamp(0.0, 1.0) * 255.0).round() as u8;
    paint.set_color_rgba8(channel(1..3), channel(3..5), channel(5..7), alpha);
    paint
}

fn polygon(points: &[(f64, f64)], close: bool) -> Option<Path> {
    let mut path = PathBuilder::new();
    for (i, &(x, y)) in points.iter().enumerate() {
        if i == 0 {
            path.move_to(x as f32, y as f32);
        } else {
            path.line_to(x as f32, y as f32);
        }
    }
    if close {
        path.close();
    }
    path.finish()
}

fn draw(shape: &Shape, pixmap: &mut Pixmap, transform: Transform) {
    match shape {
        Shape::Line {
            points,
            ink,
            width,
            dash,
        } => {
            let stroke = Stroke {
                width: *width as f32,
                line_join: LineJoin::Round,
                dash: dash.and_then(|(on, off)| StrokeDash::new(vec![on as f32, off as f32], 0.0)),
                ..Stroke::default()
            };
            if let Some(path) = polygon(points, false) {
                pixmap.stroke_path(&path, &paint(*ink, 1.0), &stroke, transform, None);
            }
        }
        Shape::Rect {
            at,
            size,
            ink,
            opacity,
            ..
        } => {
            let [x, y, width, height] = [at.0, at.1, size.0, size.1].map(|value| value as f32);
            if let Some(rect) = Rect::from_xywh(x, y, width, height) {
                pixmap.fill_rect(rect, &paint(*ink, *opacity), transform, None);
            }
        }
        Shape::Mark {
            at,
            radius,
            form,
            ink,
            filled,
            ..
        } => {
            let path = if *form == Form::Circle {
                PathBuilder::from_circle(at.0 as f32, at.1 as f32, *radius as f32)
            } else {
                polygon(&form.corners(*at, *radius), true)
            };
            let Some(path) = path else { return };
            let fill = if *filled { *ink } else { Ink::Paper };
            let stroke = Stroke {
                width: 1.5,
                ..Stroke::default()
            };
            pixmap.fill_path(&path, &paint(fill, 1.0), FillRule::Winding, transform, None);
            pixmap.stroke_path(&path, &paint(*ink, 1.0), &stroke, transform, None);
        }
        Shape::Text(text) => draw_text(text, pixmap, transform),
    }
}

fn draw_text(text: &Text, pixmap: &mut Pixmap, transform: Transform) {
    let width = font::width(&text.text, text.size, text.bold);
    let start = match text.anchor {
        Anchor::Start => 0.0,
        Anchor::Middle => -width / 2.0,
        Anchor::End => -width,
    };
    let mut place = transform.pre_translate(text.at.0 as f32, text.at.1 as f32);
    if text.upwards {
        place = place.pre_rotate(-90.0);
    }
    let paint = paint(text.ink, 1.0);
    let builder = |x: f64, scale: f64| Outline {
        path: PathBuilder::new(),
        x: (start + x) as f32,
        scale: scale as f32,
    };
    font::glyphs(&text.text, text.size, text.bold, builder, |outline| {
        if let Some(path) = outline.path.finish() {
            pixmap.fill_path(&path, &paint, FillRule::Winding, place, None);
        }
    });
}

/// A glyph's outline, from font units to pixels.
struct Outline {
    path: PathBuilder,
    x: f32,
    scale: f32,
}

impl Outline {
    fn at(&self, x: f32, y: f32) -> (f32, f32) {
        (self.x + self.scale * x, -self.scale * y)
    }
}

impl OutlineBuilder for Outline {
    fn move_to(&mut self, x: f32, y: f32) {
        let (x, y) = self.at(x, y);
        self.path.move_to(x, y);
    }

    fn line_to(&mut self, x: f32, y: f32) {
        let (x, y) = self.at(x, y);
        self.path.line_to(x, y);
    }

    fn quad_to(&mut self, x1: f32, y1: f32, x: f32, y: f32) {
        let ((x1, y1), (x, y)) = (self.at(x1, y1), self.at(x, y));
        self.path.quad_to(x1, y1, x, y);
    }

    fn curve_to(&mut self, x1: f32, y1: f32, x2: f32, y2: f32, x: f32, y: f32) {
        let (a, b, c) = (self.at(x1, y1), self.at(x2, y2), self.at(x, y));
        self.path.cubic_to(a.0, a.1, b.0, b.1, c.0, c.1);
    }

    fn close(&mut self) {
        self.path.close();
    }
}
