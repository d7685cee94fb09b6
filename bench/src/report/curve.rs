//! Latency against throughput, drawn.

use std::path::Path;

use anyhow::{Result, anyhow};
use plotters::prelude::*;
use serde::Serialize;

/// Pixels.
const SIZE: (u32, u32) = (960, 640);

/// The colours of the curves, in their order; they tell apart in grey too.
const COLOURS: [RGBColor; 5] =
    [RGBColor(0, 90, 181), RGBColor(220, 50, 32), RGBColor(90, 90, 90), RGBColor(0, 140, 90), RGBColor(160, 90, 190)];

/// One way of calling, measured at growing load.
#[derive(Clone, Debug, Serialize)]
pub struct Curve {
    /// Its name.
    pub name: String,
    /// Its points, by growing load.
    pub points: Vec<Point>,
}

/// One load.
#[derive(Clone, Debug, Serialize)]
pub struct Point {
    /// What was offered: calls in flight, or calls a second.
    pub offered: String,
    /// What was reached.
    pub per_second: f64,
    /// The middle latency.
    pub p50_ms: f64,
    /// The latency that one call of a hundred passes.
    pub p99_ms: f64,
}

/// Draws p50 (solid) and p99 (thin) of every curve into an SVG file.
///
/// # Errors
///
/// The file cannot be written.
pub fn draw(curves: &[Curve], file: &Path) -> Result<()> {
    draw_into(curves, file).map_err(|error| anyhow!("{} cannot be drawn: {error}", file.display()))
}

fn draw_into(curves: &[Curve], file: &Path) -> Result<(), Box<dyn std::error::Error>> {
    let points = || curves.iter().flat_map(|curve| &curve.points);
    let most_per_second = points().map(|point| point.per_second).fold(1.0, f64::max) * 1.05;
    let (least_ms, most_ms) = points()
        .flat_map(|point| [point.p50_ms, point.p99_ms])
        .filter(|ms| *ms > 0.0)
        .fold((100.0_f64, 0.1_f64), |(least, most), ms| (least.min(ms), most.max(ms)));

    let area = SVGBackend::new(file, SIZE).into_drawing_area();
    area.fill(&WHITE)?;
    let mut chart = ChartBuilder::on(&area)
        .caption("latency against throughput: p50 thick, p99 thin", ("sans-serif", 20))
        .margin(16)
        .x_label_area_size(48)
        .y_label_area_size(64)
        .build_cartesian_2d(0.0..most_per_second, (least_ms * 0.8..most_ms * 1.25).log_scale())?;
    chart.configure_mesh().x_desc("answers a second").y_desc("milliseconds").draw()?;
    for (curve, colour) in curves.iter().zip(COLOURS.iter().cycle()) {
        let line = |of: fn(&Point) -> f64| curve.points.iter().map(move |point| (point.per_second, of(point)));
        chart
            .draw_series(LineSeries::new(line(|point| point.p50_ms), colour.stroke_width(3)).point_size(3))?
            .label(&curve.name)
            .legend(|(x, y)| PathElement::new([(x, y), (x + 18, y)], colour.stroke_width(3)));
        chart.draw_series(LineSeries::new(line(|point| point.p99_ms), colour.stroke_width(1)).point_size(2))?;
    }
    chart
        .configure_series_labels()
        .position(SeriesLabelPosition::UpperLeft)
        .background_style(WHITE.mix(0.85))
        .border_style(BLACK)
        .draw()?;
    area.present()?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_curve_is_drawn_with_its_name() {
        let point = |per_second, p99_ms| Point { offered: "1".to_owned(), per_second, p50_ms: 1.0, p99_ms };
        let curves = [
            Curve { name: "lanes".to_owned(), points: vec![point(1_000.0, 2.0), point(16_000.0, 40.0)] },
            Curve { name: "naive".to_owned(), points: vec![point(900.0, 2.0), point(2_500.0, 200.0)] },
        ];
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("curve.svg");
        draw(&curves, &file).unwrap();
        let svg = std::fs::read_to_string(&file).unwrap();
        assert!(svg.starts_with("<svg") && svg.contains("lanes") && svg.contains("naive"));
        assert!(svg.matches("<polyline").count() >= 4);
    }
}
