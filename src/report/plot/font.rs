//! The font that plots are measured and rasterized with: DejaVu Sans, so that no font of the system is needed.
//!
//! Fonts that browsers use instead are as wide (Verdana) or narrower, so that what fits here fits there.

use std::sync::LazyLock;

use ttf_parser::{Face, GlyphId, OutlineBuilder};

/// Families for whoever draws the text of an SVG.
pub(super) const FAMILIES: &str = "DejaVu Sans, Verdana, Helvetica, Arial, sans-serif";

/// Part of the font size above the baseline that letters and digits take.
#[cfg(test)]
pub(super) const ASCENT: f64 = 0.76;
/// Part of the font size below it.
#[cfg(test)]
pub(super) const DESCENT: f64 = 0.24;

static REGULAR: LazyLock<Face<'static>> =
    LazyLock::new(|| Face::parse(dejavu::sans::regular(), 0).expect("the embedded font is valid"));
static BOLD: LazyLock<Face<'static>> =
    LazyLock::new(|| Face::parse(dejavu::sans::bold(), 0).expect("the embedded font is valid"));

fn face(bold: bool) -> &'static Face<'static> {
    if bold { &BOLD } else { &REGULAR }
}

fn glyph(face: &Face<'_>, character: char) -> GlyphId {
    // Glyph 0 is the box for characters that the font does not have.
    face.glyph_index(character).unwrap_or_default()
}

/// Width of a line of text.
///
/// - `size`: font size; the width is in the same unit.
pub(super) fn width(text: &str, size: f64, bold: bool) -> f64 {
    let face = face(bold);
    let advance = |character| face.glyph_hor_advance(glyph(face, character)).unwrap_or(0);
    let units: f64 = text.chars().map(|c| f64::from(advance(c))).sum();
    units * size / f64::from(face.units_per_em())
}

/// Calls `outline` with every glyph of a line of text that has one.
///
/// - `outline`: where the glyph begins on the baseline and the scale from font units, then draws.
pub(super) fn glyphs<B: OutlineBuilder>(
    text: &str,
    size: f64,
    bold: bool,
    mut builder: impl FnMut(f64, f64) -> B,
    mut done: impl FnMut(B),
) {
    let face = face(bold);
    let scale = size / f64::from(face.units_per_em());
    let mut x = 0.0;
    for character in text.chars() {
        let id = glyph(face, character);
        let mut outline = builder(x, scale);
        if face.outline_glyph(id, &mut outline).is_some() {
            done(outline);
        }
        x += scale * f64::from(face.glyph_hor_advance(id).unwrap_or(0));
    }
}
