//! Line charts of a training run, drawn into a picture: accuracy and loss over epochs or steps. Only drawing;
//! the numbers come from the runs of [`crate::train`].

use embedded_graphics::mono_font::{MonoFont, MonoTextStyle, ascii};
use embedded_graphics::pixelcolor::Rgb888;
use embedded_graphics::prelude::{
    DrawTarget, Drawable, OriginDimensions, Pixel, Point, Primitive, RgbColor, Size,
};
use embedded_graphics::primitives::{Line, PrimitiveStyle, Rectangle};
use embedded_graphics::text::{Alignment, Baseline, Text, TextStyleBuilder};
use image::{Rgb, RgbImage};
use std::convert::Infallible;

/// One line of a chart.
#[derive(Debug, Clone, PartialEq)]
pub struct Series {
    /// Its name in the legend.
    pub name: String,
    /// Points (x, y) with x rising; points that are not finite are left out.
    pub points: Vec<(f64, f64)>,
}

/// One chart: lines over a common axis.
#[derive(Debug, Clone, PartialEq)]
pub struct Chart {
    /// Written above.
    pub title: String,
    /// Written below the horizontal axis.
    pub x_label: String,
    /// The lines; colours go by their order.
    pub series: Vec<Series>,
    /// Minimum end of the horizontal axis, so that an unfinished run shows its progress.
    pub x_end: f64,
    /// The vertical axis never goes beyond these.
    pub y_limits: (f64, f64),
}

const WIDTH: u32 = 760;
const HEIGHT: u32 = 480;
const LEFT: i32 = 78;
const RIGHT: i32 = 22;
const TOP: i32 = 52;
const BOTTOM: i32 = 62;
const TITLE: MonoFont<'static> = ascii::FONT_10X20;
const TEXT: MonoFont<'static> = ascii::FONT_9X15;
const INK: Rgb888 = Rgb888::new(40, 40, 40);
const GRID: Rgb888 = Rgb888::new(224, 224, 224);
/// Blue, orange, green, purple, grey: told apart by the colour-blind too (Okabe & Ito).
const COLOURS: [Rgb888; 5] = [
    Rgb888::new(0, 114, 178),
    Rgb888::new(213, 94, 0),
    Rgb888::new(0, 158, 115),
    Rgb888::new(204, 121, 167),
    Rgb888::new(110, 110, 110),
];

/// Draws charts side by side on white, 760 × 480 pixels each.
///
/// ```
/// use maskwatch_lab::curves::{Chart, Series, draw};
/// let loss = Series { name: "train".into(), points: vec![(1.0, 0.7), (2.0, 0.4)] };
/// let chart = Chart {
///     title: "Loss".into(),
///     x_label: "epoch".into(),
///     series: vec![loss],
///     x_end: 10.0,
///     y_limits: (0.0, f64::MAX),
/// };
/// assert_eq!(draw(&[chart]).dimensions(), (760, 480));
/// ```
#[must_use]
pub fn draw(charts: &[Chart]) -> RgbImage {
    let mut picture = RgbImage::from_pixel(WIDTH * charts.len().max(1) as u32, HEIGHT, Rgb([255; 3]));
    for (place, chart) in charts.iter().enumerate() {
        let mut canvas = ChartCanvas { picture: &mut picture, left: place as u32 * WIDTH };
        draw_chart(&mut canvas, chart);
    }
    picture
}

fn draw_chart(canvas: &mut ChartCanvas<'_>, chart: &Chart) {
    let axes = Axes::of(chart);
    canvas.text(&chart.title, Point::new(WIDTH as i32 / 2, 22), &TITLE, Alignment::Center);
    let corner = Point::new(LEFT, TOP);
    let end = Point::new(WIDTH as i32 - RIGHT, HEIGHT as i32 - BOTTOM);
    for y in ticks(axes.y.0, axes.y.1, 6) {
        let at = axes.place(axes.x.0, y);
        canvas.line(Point::new(corner.x, at.y), Point::new(end.x, at.y), GRID, 1);
        canvas.text(&number(y, axes.y), Point::new(corner.x - 8, at.y), &TEXT, Alignment::Right);
    }
    for x in ticks(axes.x.0, axes.x.1, 8) {
        let at = axes.place(x, axes.y.0);
        canvas.line(Point::new(at.x, corner.y), Point::new(at.x, end.y), GRID, 1);
        canvas.text(&number(x, axes.x), Point::new(at.x, end.y + 16), &TEXT, Alignment::Center);
    }
    let middle = Point::new(i32::midpoint(corner.x, end.x), HEIGHT as i32 - 20);
    canvas.text(&chart.x_label, middle, &TEXT, Alignment::Center);
    canvas.line(Point::new(corner.x, corner.y), Point::new(corner.x, end.y), INK, 2);
    canvas.line(Point::new(corner.x, end.y), Point::new(end.x, end.y), INK, 2);
    for (series, colour) in chart.series.iter().zip(COLOURS.iter().cycle()) {
        let points: Vec<Point> = series
            .points
            .iter()
            .filter(|p| p.0.is_finite() && p.1.is_finite())
            .map(|p| axes.place(p.0, p.1))
            .collect();
        for pair in points.windows(2) {
            canvas.line(pair[0], pair[1], *colour, 3);
        }
        for point in points.iter().filter(|_| points.len() <= 40) {
            canvas.fill(Rectangle::with_center(*point, Size::new(7, 7)), *colour);
        }
    }
    draw_legend(canvas, chart, &axes);
}

/// The legend stands in the corner that has the fewest points near it, right above or right below.
fn draw_legend(canvas: &mut ChartCanvas<'_>, chart: &Chart, axes: &Axes) {
    let letters = chart.series.iter().map(|series| series.name.len()).max().unwrap_or(0) as i32;
    let size = Size::new((letters * 9 + 58) as u32, (chart.series.len() * 20 + 10) as u32);
    let left = WIDTH as i32 - RIGHT - 10 - size.width as i32;
    let corners = [TOP + 10, HEIGHT as i32 - BOTTOM - 10 - size.height as i32].map(|y| Point::new(left, y));
    let crowd = |corner: &Point| {
        let near = Rectangle::new(*corner - Point::new(20, 20), size + Size::new(40, 40));
        let points = chart.series.iter().flat_map(|series| &series.points);
        points.filter(|p| near.contains(axes.place(p.0, p.1))).count()
    };
    let corner = if crowd(&corners[0]) <= crowd(&corners[1]) { corners[0] } else { corners[1] };
    canvas.fill(Rectangle::new(corner, size), Rgb888::WHITE);
    for (row, (series, colour)) in chart.series.iter().zip(COLOURS.iter().cycle()).enumerate() {
        let at = corner + Point::new(8, 15 + 20 * row as i32);
        canvas.line(at, at + Point::new(28, 0), *colour, 3);
        canvas.text(&series.name, at + Point::new(38, 0), &TEXT, Alignment::Left);
    }
}

/// Where values lie on the chart.
struct Axes {
    x: (f64, f64),
    y: (f64, f64),
}

impl Axes {
    fn of(chart: &Chart) -> Self {
        let points = || {
            chart
                .series
                .iter()
                .flat_map(|series| &series.points)
                .filter(|p| p.0.is_finite() && p.1.is_finite())
        };
        let range = |values: &mut dyn Iterator<Item = f64>| {
            values.fold((f64::MAX, f64::MIN), |(low, high), value| (low.min(value), high.max(value)))
        };
        let (x_low, x_high) = range(&mut points().map(|p| p.0));
        let (y_low, y_high) = range(&mut points().map(|p| p.1));
        if x_low > x_high {
            return Self { x: (0.0, chart.x_end.max(1.0)), y: (0.0, 1.0) };
        }
        let room = ((y_high - y_low) * 0.08).max(1e-3);
        let y = ((y_low - room).max(chart.y_limits.0), (y_high + room).min(chart.y_limits.1));
        let y = if y.0 < y.1 { y } else { (y_low - room, y_high + room) };
        Self { x: (x_low.min(0.0), x_high.max(chart.x_end).max(x_low.min(0.0) + 1e-3)), y }
    }

    fn place(&self, x: f64, y: f64) -> Point {
        let share = |value: f64, (low, high): (f64, f64)| ((value - low) / (high - low)).clamp(0.0, 1.0);
        let width = f64::from(WIDTH as i32 - LEFT - RIGHT);
        let height = f64::from(HEIGHT as i32 - TOP - BOTTOM);
        Point::new(
            LEFT + (share(x, self.x) * width).round() as i32,
            HEIGHT as i32 - BOTTOM - (share(y, self.y) * height).round() as i32,
        )
    }
}

/// Round values from `low` to `high`, at most about `count` of them: steps of 1, 2 or 5 times a power of ten.
fn ticks(low: f64, high: f64, count: u32) -> Vec<f64> {
    let step = step_of(low, high, count);
    let first = (low / step - 1e-9).ceil() as i64;
    let last = (high / step + 1e-9).floor() as i64;
    (first..=last).map(|i| i as f64 * step).collect()
}

fn step_of(low: f64, high: f64, count: u32) -> f64 {
    let rough = (high - low).max(1e-9) / f64::from(count);
    let power = 10f64.powf(rough.log10().floor());
    [1.0, 2.0, 5.0, 10.0]
        .map(|factor| factor * power)
        .into_iter()
        .find(|step| *step >= rough)
        .unwrap_or(rough)
}

fn number(value: f64, (low, high): (f64, f64)) -> String {
    let decimals = (-step_of(low, high, 8).log10().floor()).clamp(0.0, 4.0) as usize;
    format!("{value:.decimals$}")
}

/// One chart's part of the picture.
struct ChartCanvas<'a> {
    picture: &'a mut RgbImage,
    left: u32,
}

impl ChartCanvas<'_> {
    fn line(&mut self, from: Point, to: Point, colour: Rgb888, width: u32) {
        let style = PrimitiveStyle::with_stroke(colour, width);
        let Ok(()) = Line::new(from, to).into_styled(style).draw(self);
    }

    fn fill(&mut self, area: Rectangle, colour: Rgb888) {
        let Ok(()) = area.into_styled(PrimitiveStyle::with_fill(colour)).draw(self);
    }

    fn text(&mut self, text: &str, at: Point, font: &MonoFont<'_>, alignment: Alignment) {
        let style = TextStyleBuilder::new().alignment(alignment).baseline(Baseline::Middle).build();
        let Ok(_) = Text::with_text_style(text, at, MonoTextStyle::new(font, INK), style).draw(self);
    }
}

impl OriginDimensions for ChartCanvas<'_> {
    fn size(&self) -> Size {
        Size::new(WIDTH, HEIGHT)
    }
}

impl DrawTarget for ChartCanvas<'_> {
    type Color = Rgb888;
    type Error = Infallible;

    fn draw_iter<I>(&mut self, pixels: I) -> Result<(), Infallible>
    where
        I: IntoIterator<Item = Pixel<Rgb888>>,
    {
        for Pixel(at, colour) in pixels {
            let (Ok(x), Ok(y)) = (u32::try_from(at.x), u32::try_from(at.y)) else { continue };
            if x < WIDTH && y < HEIGHT {
                self.picture.put_pixel(self.left + x, y, Rgb([colour.r(), colour.g(), colour.b()]));
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn chart(series: Vec<Vec<(f64, f64)>>) -> Chart {
        let name = |points| Series { name: "accuracy".into(), points };
        Chart {
            title: "Accuracy".into(),
            x_label: "epoch".into(),
            series: series.into_iter().map(name).collect(),
            x_end: 10.0,
            y_limits: (0.0, 1.0),
        }
    }

    #[test]
    fn lines_are_where_their_values_are() {
        let chart = chart(vec![vec![(0.0, 0.5), (10.0, 0.5)], vec![(0.0, 0.9), (10.0, 0.9)]]);
        let axes = Axes::of(&chart);
        let picture = draw(std::slice::from_ref(&chart));
        for (y, colour) in [(0.5, COLOURS[0]), (0.9, COLOURS[1])] {
            let at = axes.place(2.5, y);
            let expected = Rgb([colour.r(), colour.g(), colour.b()]);
            assert_eq!(*picture.get_pixel(at.x as u32, at.y as u32), expected);
        }
        assert!(axes.place(0.0, 0.9).y < axes.place(0.0, 0.5).y, "more is higher");
    }

    #[test]
    fn ticks_are_round() {
        assert_eq!(ticks(0.0, 10.0, 6), [0.0, 2.0, 4.0, 6.0, 8.0, 10.0]);
        let fine: Vec<String> = ticks(0.93, 1.0, 6).iter().map(|y| number(*y, (0.93, 1.0))).collect();
        assert_eq!(fine, ["0.94", "0.96", "0.98", "1.00"]);
        assert_eq!(number(200.0, (0.0, 400.0)), "200");
    }

    #[test]
    fn empty_charts_are_drawn_too() {
        assert_eq!(draw(&[chart(vec![]), chart(vec![vec![]])]).dimensions(), (2 * WIDTH, HEIGHT));
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(16))]
        #[test]
        fn any_values_can_be_drawn(points in prop::collection::vec(
            (prop::num::f64::NORMAL | prop::num::f64::INFINITE | prop::num::f64::QUIET_NAN | prop::num::f64::ZERO,
             prop::num::f64::NORMAL | prop::num::f64::INFINITE | prop::num::f64::QUIET_NAN | prop::num::f64::ZERO), 0..6)) {
            let _ = draw(&[chart(vec![points])]);
        }
    }
}
