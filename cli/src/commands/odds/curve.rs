//! The curve of a banner: the chance that a rarity has come, by pulls, as SVG and as PNG.

use std::sync::Arc;

use anyhow::Context as _;
use auric_api::summon::v1 as api;
use plotters::prelude::*;
use resvg::{tiny_skia, usvg};

use crate::fault::Fault;

const SIZE: (u32, u32) = (960, 540);

/// The most pulls that are drawn: what comes later is a line at the top.
const PULLS_MAX: usize = 200;

/// Only what takes longer than this is worth a line: half of all players have it by the second pull.
const WAIT_MIN: i64 = 2;

/// Draws the curves as SVG.
pub fn svg(odds: &api::Odds) -> Result<String, Fault> {
    let mut text = String::new();
    draw(odds, SVGBackend::with_string(&mut text, SIZE))
        .map_err(|error| anyhow::anyhow!("it cannot be drawn: {error}"))?;
    Ok(text)
}

/// Draws them as PNG, with letters of its own: the fonts of the machine make no difference.
pub fn png(odds: &api::Odds) -> Result<Vec<u8>, Fault> {
    let mut fonts = usvg::fontdb::Database::new();
    fonts.load_font_data(epaint_default_fonts::UBUNTU_LIGHT.to_vec());
    fonts.set_sans_serif_family("Ubuntu");
    let options =
        usvg::Options { fontdb: Arc::new(fonts), font_family: "Ubuntu".to_owned(), ..usvg::Options::default() };
    let tree = usvg::Tree::from_str(&svg(odds)?, &options).context("the drawing cannot be read")?;
    let mut picture = tiny_skia::Pixmap::new(SIZE.0, SIZE.1).context("the picture has no size")?;
    resvg::render(&tree, tiny_skia::Transform::identity(), &mut picture.as_mut());
    Ok(picture.encode_png().context("the picture cannot be written")?)
}

#[expect(clippy::cast_precision_loss, clippy::as_conversions, reason = "the places of a drawing need no more")]
fn draw<'a>(
    odds: &api::Odds,
    backend: SVGBackend<'a>,
) -> Result<(), DrawingAreaErrorKind<<SVGBackend<'a> as DrawingBackend>::ErrorType>> {
    let area = backend.into_drawing_area();
    area.fill(&WHITE)?;
    let lines: Vec<(String, &api::Until)> = odds.waits.iter().filter_map(line).collect();
    let pulls = lines.iter().map(|(_, until)| until.curve_ppb.len()).max().unwrap_or(1).min(PULLS_MAX);
    let whose = if odds.player_id.is_empty() { String::new() } else { format!(", {}", odds.player_id) };
    let mut chart = ChartBuilder::on(&area)
        .caption(format!("{}{whose}: chance that it has come", odds.banner_id), ("sans-serif", 22))
        .margin(16)
        .x_label_area_size(44)
        .y_label_area_size(60)
        .build_cartesian_2d(0.0..pulls as f64, 0.0..100.0)?;
    chart
        .configure_mesh()
        .x_desc("pulls")
        .y_desc("percent")
        .label_style(("sans-serif", 15))
        .x_label_formatter(&|pulls| format!("{pulls:.0}"))
        .y_label_formatter(&|percent| format!("{percent:.0} %"))
        .draw()?;
    for (index, (name, until)) in lines.iter().enumerate() {
        let colour = Palette99::pick(index).to_rgba();
        let mut points = vec![(0.0, 0.0)];
        points.extend(until.curve_ppb.iter().take(pulls).enumerate().map(|(pull, ppb)| {
            let percent = *ppb as f64 / 10_000_000.0;
            ((pull + 1) as f64, percent)
        }));
        if until.curve_ppb.len() < pulls {
            points.push((pulls as f64, points.last().map_or(0.0, |(_, percent)| *percent)));
        }
        chart
            .draw_series(LineSeries::new(points, colour.stroke_width(2)))?
            .label(name.clone())
            .legend(move |(x, y)| PathElement::new([(x, y), (x + 20, y)], colour.stroke_width(3)));
    }
    chart
        .configure_series_labels()
        .position(SeriesLabelPosition::LowerRight)
        .background_style(WHITE.mix(0.85))
        .border_style(BLACK.mix(0.3))
        .label_font(("sans-serif", 15))
        .draw()?;
    area.present()
}

fn line(wait: &api::Wait) -> Option<(String, &api::Until)> {
    let until = wait.from_now.as_ref().or(wait.from_start.as_ref())?;
    let name = if wait.featured { format!("{} featured", wait.rarity) } else { wait.rarity.clone() };
    (until.p50_pulls > WAIT_MIN && !until.curve_ppb.is_empty()).then_some((name, until))
}
