//! A drawing as SVG.

use maud::{Markup, html};

use super::font::FAMILIES;
use super::scene::{Anchor, Form, Point, Scene, Shape, Text};

/// Two decimals are a hundredth of a pixel.
fn number(value: f64) -> String {
    let text = format!("{value:.2}");
    text.trim_end_matches('0').trim_end_matches('.').to_owned()
}

fn points(points: &[Point]) -> String {
    let pairs = points
        .iter()
        .map(|&(x, y)| format!("{},{}", number(x), number(y)));
    pairs.collect::<Vec<_>>().join(" ")
}

/// The drawing as an `svg` element that stands alone or in a page.
///
/// Elements have the classes `f-NAME` (filled) and `s-NAME` (stroked) with the name of their ink, by
/// which a page can change their colours.
///
/// - `id`: of the element; those of its title and description begin with it.
/// - `title`, `description`: what readers who do not see it are told.
pub(super) fn svg(scene: &Scene, id: &str, title: &str, description: &str) -> String {
    let (title_id, description_id) = (format!("{id}-title"), format!("{id}-desc"));
    let size = [number(scene.width), number(scene.height)];
    html! {
        svg xmlns="http://www.w3.org/2000/svg" id=(id) role="img"
            aria-labelledby=(format!("{title_id} {description_id}"))
            width=(size[0]) height=(size[1]) viewBox=(format!("0 0 {} {}", size[0], size[1]))
            font-family=(FAMILIES)
        {
            title id=(title_id) { (title) }
            desc id=(description_id) { (description) }
            @for shape in &scene.shapes { (element(shape)) "\n" }
        }
    }
    .into_string()
}

fn element(shape: &Shape) -> Markup {
    match shape {
        Shape::Line {
            points: line,
            ink,
            width,
            dash,
        } => html! {
            polyline class=(format!("s-{}", ink.name())) fill="none" stroke=(ink.hex())
                stroke-width=(number(*width)) stroke-linejoin="round"
                stroke-dasharray=[dash.map(|(on, off)| format!("{} {}", number(on), number(off)))]
                points=(points(line)) {}
        },
        Shape::Rect {
            at,
            size,
            ink,
            opacity,
            title,
        } => html! {
            rect class=(format!("f-{}", ink.name())) fill=(ink.hex())
                fill-opacity=[(*opacity < 1.0).then(|| number(*opacity))]
                x=(number(at.0)) y=(number(at.1)) width=(number(size.0)) height=(number(size.1))
            { (tip(title)) }
        },
        Shape::Mark {
            at,
            radius,
            form,
            ink,
            filled,
            title,
        } => {
            let fill = if *filled {
                *ink
            } else {
                super::scene::Ink::Paper
            };
            let class = format!("f-{} s-{}", fill.name(), ink.name());
            html! {
                @if *form == Form::Circle {
                    circle class=(class) fill=(fill.hex()) stroke=(ink.hex()) stroke-width="1.5"
                        cx=(number(at.0)) cy=(number(at.1)) r=(number(*radius)) { (tip(title)) }
                } @else {
                    polygon class=(class) fill=(fill.hex()) stroke=(ink.hex()) stroke-width="1.5"
                        points=(points(&form.corners(*at, *radius))) { (tip(title)) }
                }
            }
        }
        Shape::Text(text) => text_element(text),
    }
}

fn text_element(text: &Text) -> Markup {
    let [x, y] = [number(text.at.0), number(text.at.1)];
    let anchor = match text.anchor {
        Anchor::Start => None,
        Anchor::Middle => Some("middle"),
        Anchor::End => Some("end"),
    };
    html! {
        text class=(format!("f-{}", text.ink.name())) fill=(text.ink.hex())
            font-size=(number(text.size)) font-weight=[text.bold.then_some("bold")]
            text-anchor=[anchor] transform=[text.upwards.then(|| format!("rotate(-90 {x} {y})"))]
            x=(x) y=(y)
        { (text.text) }
    }
}

fn tip(title: &str) -> Markup {
    html! { @if !title.is_empty() { title { (title) } } }
}
