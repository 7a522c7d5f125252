//! What holds for every plot.

use std::fs;
use std::path::Path;

use proptest::prelude::*;

use super::axis::{Axis, Scale};
use super::bars::{Bar, Bars};
use super::dots::{Dot, DotRow, Dots};
use super::scene::{Bounds, Scene, Shape};
use super::sheet::Style;
use super::timeline::Timeline;
use super::xy::{Callout, Chart, Datum, Level, Series, overlap};
use super::*;
use crate::report::{PageOptions, Source, page};

/// Everything that the published files give.
fn published() -> Vec<Figure> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/results");
    let mut paths: Vec<_> = fs::read_dir(folder)
        .expect("is there")
        .map(|entry| entry.expect("is there").path())
        .filter(|path| path.extension().is_some_and(|e| e == "json"))
        .collect();
    paths.sort();
    let read =
        |path: &std::path::PathBuf| Source::read("published", &fs::read(path).expect("is there"));
    let sources: Vec<Source> = paths
        .iter()
        .map(|path| read(path).expect("is valid"))
        .collect();
    let options = PageOptions {
        title: "test".into(),
        created: "2026-11-22T00:00:00Z".into(),
    };
    page(&sources, &options).expect("is a page").figures
}

/// Text that lies on other text, or outside of the drawing.
fn faults(scene: &Scene) -> Vec<String> {
    let texts: Vec<(String, Bounds)> = scene
        .texts()
        .map(|t| (t.text.clone(), t.bounds()))
        .collect();
    let mut found = Vec::new();
    for (i, (text, bounds)) in texts.iter().enumerate() {
        let [left, top, right, bottom] = *bounds;
        if left < -0.5 || top < -0.5 || right > scene.width + 0.5 || bottom > scene.height + 0.5 {
            found.push(format!(
                "{text:?} is at {bounds:?} of {} × {}",
                scene.width, scene.height
            ));
        }
        // A pixel on each side is no fault: nothing is drawn there.
        let inner = [left + 1.0, top + 1.0, right - 1.0, bottom - 1.0];
        for (other, bounds) in &texts[..i] {
            if overlap(&inner, bounds) {
                found.push(format!("{text:?} is on {other:?}"));
            }
        }
    }
    found
}

fn well_formed(svg: &str) {
    let document = roxmltree::Document::parse(svg).unwrap_or_else(|error| panic!("{error}: {svg}"));
    let root = document.root_element();
    assert_eq!(root.attribute("role"), Some("img"));
    for id in root
        .attribute("aria-labelledby")
        .expect("is labelled")
        .split(' ')
    {
        let labels = root
            .children()
            .filter(|child| child.attribute("id") == Some(id));
        assert_eq!(labels.count(), 1, "{id}");
    }
}

/// Text is neither cut nor on other text, at both widths; SVG is XML; PNG has the right size and is not blank.
#[test]
fn plots_of_published_files() {
    let figures = published();
    let names: Vec<&str> = figures.iter().map(|figure| figure.id.as_str()).collect();
    for id in [
        "time-to-witness-1",
        "stages",
        "encoding-stages-1",
        "shipped-bytes",
        "proof-size",
        "folded-witness",
        "cluster-timeline",
        "cluster-map",
    ] {
        assert!(names.contains(&id), "{id} of {names:?}");
    }
    for figure in &figures {
        for size in Size::ALL {
            let scene = figure.scene(size);
            assert_eq!(
                faults(&scene),
                Vec::<String>::new(),
                "{} {}",
                figure.id,
                size.name()
            );
            well_formed(&figure.svg(size));
        }
        let png = figure.png(Size::Desktop, 2.0).expect("has memory");
        let image = tiny_skia::Pixmap::decode_png(&png).expect("is a PNG");
        let scene = figure.scene(Size::Desktop);
        assert_eq!(
            (image.width(), image.height()),
            (1920, 2 * scene.height as u32)
        );
        let drawn = image
            .pixels()
            .iter()
            .filter(|p| (p.red(), p.green(), p.blue()) != (255, 255, 255));
        assert!(drawn.count() > 10_000, "{}", figure.id);
    }
}

/// Marks of break-even lie on the line of the witness in place.
#[test]
fn break_even_marks_are_on_the_line() {
    let figures = published();
    let figure = figures
        .iter()
        .find(|f| f.id == "time-to-witness-1")
        .expect("is there");
    let scene = figure.scene(Size::Desktop);
    // The line of the greatest width, and not the sample of it in the legend.
    let lines = scene.shapes.iter().filter_map(|shape| match shape {
        Shape::Line { points, width, .. } if *width > 2.5 && points.len() > 2 => Some(points),
        _ => None,
    });
    let line: Vec<_> = lines.flatten().collect();
    let right = line.iter().map(|point| point.0).fold(0.0, f64::max);
    let mut marks = 0;
    for shape in &scene.shapes {
        let Shape::Mark { at, .. } = shape else {
            continue;
        };
        if at.0 > right {
            continue;
        }
        let after = line
            .iter()
            .position(|point| point.0 >= at.0)
            .expect("is within");
        let (a, b) = (line[after - 1], line[after]);
        let y = a.1 + (b.1 - a.1) * (at.0 - a.0) / (b.0 - a.0);
        assert!((y - at.1).abs() < 0.5, "{at:?} is {y} on the line");
        marks += 1;
    }
    assert!(marks >= 8, "{marks}");
}

fn format(value: f64) -> String {
    bytes(value)
}

fn axis(scale: Scale) -> Axis {
    Axis {
        name: "axis".into(),
        scale,
        format,
    }
}

/// A field is as long as its value.
#[test]
fn bars_are_as_long_as_their_values() {
    let bar = |name: &str, values: &[f64]| Bar {
        name: name.into(),
        parts: values.iter().copied().enumerate().collect(),
    };
    let bars = Bars {
        name: "bytes".into(),
        format,
        parts: vec!["a".into(), "b".into()],
        bars: vec![bar("one", &[1.0, 2.0]), bar("two", &[4.0, 0.0])],
    };
    let scene = bars.draw(Size::Desktop, "t", "s");
    let [(start, one), (second, two), (third, four)] = titled(&scene)[..] else {
        panic!("{:?}", titled(&scene))
    };
    assert!((two - 2.0 * one).abs() < 1e-9 && (four - 4.0 * one).abs() < 1e-9);
    assert!((second - start - one).abs() < 1e-9 && third == start);
}

#[test]
fn scales_have_round_ends() {
    assert_eq!(
        Scale::from_zero([0.0, 37.0].into_iter()),
        Scale::Linear(0.0, 40.0)
    );
    assert_eq!(
        Scale::from_zero(std::iter::empty()),
        Scale::Linear(0.0, 1.0)
    );
    assert_eq!(Scale::log(std::iter::empty()), Scale::Log(0.0, 1.0));
    assert_eq!(
        Scale::log([-1.0, 0.0, f64::NAN].into_iter()),
        Scale::Log(0.0, 1.0)
    );
    let Scale::Log(low, high) = Scale::log([3.0, 70.0].into_iter()) else {
        panic!("is logarithmic")
    };
    assert!(
        (low - 2f64.log10()).abs() < 1e-12 && (high - 2.0).abs() < 1e-12,
        "{low} {high}"
    );
    let scale = Scale::Log(8.0, 12.0);
    assert_eq!([1e8, 1e10, 1e12].map(|v| scale.part(v)), [0.0, 0.5, 1.0]);
    assert!(!scale.holds(9e7) && scale.holds(1e12) && !scale.holds(f64::NAN) && !scale.holds(0.0));
}

/// Numbers as a file could have them, and as none should.
fn number() -> impl Strategy<Value = f64> {
    prop_oneof![
        4 => 1e-9..1e12f64,
        1 => Just(0.0),
        1 => Just(1e308),
        1 => Just(f64::MIN_POSITIVE / 4.0),
        1 => any::<f64>(),
    ]
}

fn word() -> impl Strategy<Value = String> {
    prop_oneof![
        "[a-z0-9 -]{0,20}",
        Just("<script>alert(1)</script>".to_owned()),
        Just("]]>\"'&\u{0}\u{202e}\u{ffff}".to_owned()),
        "\\PC{0,200}",
        any::<String>(),
    ]
    .prop_map(|text| one_line(&text, MAX_NAME))
}

fn figure(plot: Plot, words: &[String]) -> Figure {
    Figure::new("id", words[0].clone(), words[1].clone(), &words[2], plot)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(96))]

    #[test]
    fn charts_stand_anything(
        points in prop::collection::vec((number(), number()), 0..30),
        words in prop::collection::vec(word(), 6),
        levels in prop::collection::vec(number(), 0..5),
        kind in 0..3usize,
    ) {
        let scale = |values: Vec<f64>| match kind {
            0 => Scale::log(values.into_iter()),
            1 => Scale::log2(values.into_iter()),
            _ => Scale::from_zero(values.into_iter()),
        };
        let data = points.iter().map(|&(x, y)| Datum { x, y, title: words[3].clone() }).collect();
        let chart = Chart {
            x: axis(scale(points.iter().map(|p| p.0).collect())),
            y: axis(scale(points.iter().map(|p| p.1).collect())),
            series: vec![
                Series { name: words[4].clone(), style: Style::line(1), data },
                Series { name: words[5].clone(), style: Style::marks(2, false), data: Vec::new() },
            ],
            callouts: levels.iter().map(|&x| Callout { x, name: words[5].clone() }).collect(),
            levels: levels.into_iter().map(|value| Level { value, name: words[3].clone() }).collect(),
        };
        let figure = figure(Plot::Chart(chart), &words);
        for size in Size::ALL {
            well_formed(&figure.svg(size));
        }
        figure.png(Size::Phone, 0.5).expect("has memory");
    }

    #[test]
    fn bars_and_dots_stand_anything(
        values in prop::collection::vec((0..12usize, number()), 0..30),
        words in prop::collection::vec(word(), 5),
    ) {
        let bars = values.chunks(3).map(|parts| Bar { name: words[3].clone(), parts: parts.to_vec() });
        let bars = Bars { name: "b".into(), format, parts: vec![words[4].clone(); 12], bars: bars.collect() };
        let dot = |&(group, raw): &(usize, f64)| Dot { group, raw, least: Some((raw / 3.0, words[4].clone())) };
        let rows = values.chunks(2).map(|dots| DotRow { name: words[3].clone(), dots: dots.iter().map(dot).collect() });
        let dots = Dots { name: "d".into(), format, groups: vec![words[4].clone(); 3], rows: rows.collect() };
        for plot in [Plot::Bars(bars), Plot::Dots(dots)] {
            let figure = figure(plot, &words);
            for size in Size::ALL {
                well_formed(&figure.svg(size));
            }
            figure.png(Size::Phone, 0.5).expect("has memory");
        }
    }

    #[test]
    fn timelines_and_maps_stand_anything(
        spans in prop::collection::vec((0..60u8, number(), number(), any::<bool>()), 0..60),
        fields in prop::collection::vec(prop::option::of(0..20usize), 0..40),
        words in prop::collection::vec(any::<String>(), 4),
    ) {
        let span = |&(lane, start, length, critical): &(u8, f64, f64, bool)| TimelineSpan {
            lane: format!("{lane}{}", words[3]),
            label: words[2].clone(),
            start,
            end: start + length,
            critical,
        };
        let all: Vec<TimelineSpan> = spans.iter().map(span).collect();
        let timeline = Figure::timeline(&words[0], &words[1], &all);
        let best: Vec<Vec<Option<usize>>> = fields.chunks(7).map(<[_]>::to_vec).collect();
        let map = MapData {
            x_name: words[0].clone(),
            xs: vec![words[1].clone(); 7],
            y_name: words[2].clone(),
            ys: vec![words[3].clone(); best.len()],
            names: vec![words[0].clone(); 5],
            best,
            close: Vec::new(),
        };
        let map = Figure::map("map", &words[0], &words[1], map);
        for figure in [timeline, map].into_iter().flatten() {
            for size in Size::ALL {
                well_formed(&figure.svg(size));
            }
            figure.png(Size::Phone, 0.5).expect("has memory");
        }
    }
}

/// A lane's fields are where its work is in time, and critical ones are drawn last.
#[test]
fn timelines_place_work_in_time() {
    let span = |start: f64, end: f64, critical| TimelineSpan {
        lane: "worker".into(),
        label: "segment".into(),
        start,
        end,
        critical,
    };
    let timeline = Timeline {
        spans: vec![span(2.0, 4.0, true), span(0.0, 1.0, false)],
        format: seconds,
    };
    let scene = timeline.draw(Size::Desktop, "t", "s");
    let [(start, second), (critical, two)] = titled(&scene)[..] else {
        panic!("{:?}", titled(&scene))
    };
    assert!((two - 2.0 * second).abs() < 1e-9 && (critical - start - two).abs() < 1e-9);
}

/// Left ends and widths of the rectangles that have a title.
fn titled(scene: &Scene) -> Vec<(f64, f64)> {
    let fields = scene.shapes.iter().filter_map(|shape| match shape {
        Shape::Rect {
            at, size, title, ..
        } if !title.is_empty() => Some((at.0, size.0)),
        _ => None,
    });
    fields.collect()
}
