//! Plots: drawn once as shapes, written as SVG or PNG, for wide and for narrow pages.
//!
//! A [`Figure`] is what to draw. Its shapes are laid out by this module with the widths of an
//! embedded font, so that the same drawing comes out as SVG and, without any font of the system,
//! as PNG.

mod axis;
mod bandwidth;
mod bars;
mod dots;
mod folded;
mod font;
mod map;
mod raster;
mod scene;
mod sheet;
mod shipped;
mod sizes;
mod stages;
mod svg;
mod timeline;
mod words;
mod xy;

#[cfg(test)]
mod tests;

pub use map::MapData;
pub use sheet::Size;
pub use timeline::TimelineSpan;

pub(super) use bandwidth::time_to_witness;
pub(super) use folded::folded_witness;
pub(super) use shipped::shipped_bytes;
pub(super) use sizes::proof_sizes;
pub(super) use stages::{encoding_stages, segment_stages};
pub(super) use words::{MAX_NAME, bandwidth as format_bits, bytes, one_line, seconds, short};

use crate::{Error, Result};
use scene::Scene;

/// A plot with its words.
#[derive(Clone, Debug)]
pub struct Figure {
    /// Its name in files and in a page: lower-case letters, digits and hyphens.
    pub id: String,
    /// What it shows.
    pub title: String,
    /// What readers who do not see it are told.
    pub description: String,
    /// Where the numbers are from.
    pub source: String,
    /// What is drawn.
    plot: Plot,
}

#[derive(Clone, Debug)]
enum Plot {
    Chart(xy::Chart),
    Bars(bars::Bars),
    Dots(dots::Dots),
    Timeline(timeline::Timeline),
    Map(MapData),
}

impl Figure {
    fn new(id: &str, title: String, description: String, source: &str, plot: Plot) -> Self {
        Self {
            id: id.to_owned(),
            title,
            description,
            source: one_line(source, 300),
            plot,
        }
    }

    /// A timeline of modelled work; none without spans.
    ///
    /// - `title`: what it shows.
    /// - `source`: where the numbers are from.
    pub fn timeline(title: &str, source: &str, spans: &[TimelineSpan]) -> Option<Self> {
        let clean = |span: &TimelineSpan| TimelineSpan {
            lane: one_line(&span.lane, MAX_NAME),
            label: one_line(&span.label, MAX_NAME),
            ..span.clone()
        };
        let spans: Vec<TimelineSpan> = spans.iter().map(clean).collect();
        if spans.is_empty() {
            return None;
        }
        let end = spans.iter().map(|span| span.end).fold(0.0, f64::max);
        let description = format!(
            "A lane for each resource of the cluster and a field for each stretch of its work, over {}; those that \
             the whole waits for are marked.",
            seconds(end)
        );
        Some(Self::new(
            "cluster-timeline",
            one_line(title, 200),
            description,
            source,
            Plot::Timeline(timeline::Timeline {
                spans,
                format: seconds,
            }),
        ))
    }

    /// A map of what is best where; none if nothing is anywhere.
    pub fn map(id: &str, title: &str, source: &str, data: MapData) -> Option<Self> {
        data.best.iter().flatten().flatten().next()?;
        let description = format!(
            "A field for each pair of {} and {}, in the colour of what is best there.",
            one_line(&data.x_name, MAX_NAME),
            one_line(&data.y_name, MAX_NAME)
        );
        Some(Self::new(
            id,
            one_line(title, 200),
            description,
            source,
            Plot::Map(data),
        ))
    }

    fn scene(&self, size: Size) -> Scene {
        let (title, source) = (&self.title, &self.source);
        match &self.plot {
            Plot::Chart(chart) => chart.draw(size, title, source),
            Plot::Bars(bars) => bars.draw(size, title, source),
            Plot::Dots(dots) => dots.draw(size, title, source),
            Plot::Timeline(timeline) => timeline.draw(size, title, source),
            Plot::Map(map) => map.draw(size, title, source),
        }
    }

    /// The plot as an `svg` element, which is a file of its own, too.
    ///
    /// Its elements have classes by which a page can change their colours: `f-NAME` if filled,
    /// `s-NAME` if stroked, with `text`, `muted`, `grid`, `paper` and `d0` to `d9` as names.
    pub fn svg(&self, size: Size) -> String {
        let id = format!("{}-{}", self.id, size.name());
        svg::svg(&self.scene(size), &id, &self.title, &self.description)
    }

    /// The plot as the bytes of a PNG, on white.
    ///
    /// - `scale`: pixels of the image a pixel of the plot, from 0.1 to 8.
    ///
    /// # Errors
    /// [`Error::Resource`] if there is no memory for the image.
    pub fn png(&self, size: Size, scale: f64) -> Result<Vec<u8>> {
        let scale = if scale.is_finite() {
            scale.clamp(0.1, 8.0)
        } else {
            1.0
        };
        raster::png(&self.scene(size), scale)
            .ok_or_else(|| Error::Resource(format!("no memory for the image of {}", self.id)))
    }
}
