//! Counts as a picture: one bar for each period, made of the kinds of people.

use crate::daemon::listeners::counts::{DoorCounts, Period};
use crate::decide::Verdict;
use crate::pixels::annotate::label;
use image::{Rgb, RgbImage};

/// Size of the picture.
const SIZE: (u32, u32) = (960, 540);
/// Where the bars are: left, top, right and bottom.
const PLOT: (u32, u32, u32, u32) = (70, 60, 940, 480);
const PAPER: Rgb<u8> = Rgb([255, 255, 255]);
const GRID: Rgb<u8> = Rgb([215, 215, 215]);
/// Lines across the picture.
const LINES: u32 = 4;

/// Draws the periods.
pub(super) fn draw(title: &str, periods: &[Period]) -> RgbImage {
    let (left, top, right, bottom) = PLOT;
    let mut picture = RgbImage::from_pixel(SIZE.0, SIZE.1, PAPER);
    let most = periods.iter().map(|period| period.counted.people).max().unwrap_or(0);
    // A number that the lines divide without rest.
    let scale = most.max(1).div_ceil(LINES).saturating_mul(LINES);
    let height = |count: u32| (u64::from(count) * u64::from(bottom - top) / u64::from(scale)) as u32;
    for line in 0..=LINES {
        let y = bottom - (bottom - top) * line / LINES;
        fill(&mut picture, (left, y, right, y + 1), GRID);
        label(&mut picture, (4, y.saturating_sub(8)), &format!("{}", scale / LINES * line), PAPER);
    }
    let step = (right - left) as f32 / periods.len().max(1) as f32;
    for (index, Period { counted, .. }) in periods.iter().enumerate() {
        let from = left + (step * index as f32) as u32;
        let to =
            (left + (step * (index + 1) as f32) as u32).saturating_sub((step * 0.2) as u32).max(from + 1);
        let mut below = 0;
        for (count, verdict) in kinds(counted) {
            let (low, high) = (bottom - height(below), bottom - height(below + count));
            fill(&mut picture, (from, high, to.min(right), low), Rgb(verdict.colour()));
            below += count;
        }
    }
    label(&mut picture, (left, 8), title, PAPER);
    let mut x = 330;
    for (name, verdict) in [
        ("masked", Verdict::Masked),
        ("incorrect", Verdict::Incorrect),
        ("unmasked", Verdict::Unmasked),
        ("unsure", Verdict::Unsure),
    ] {
        label(&mut picture, (x, 8), name, Rgb(verdict.colour()));
        x += 130;
    }
    if let (Some(first), Some(last)) = (periods.first(), periods.last()) {
        label(&mut picture, (left, bottom + 12), &first.begin, PAPER);
        if periods.len() > 1 {
            label(&mut picture, (right - 210, bottom + 12), &format!("to {}", last.begin), PAPER);
        }
    }
    picture
}

/// From the bottom to the top.
fn kinds(counted: &DoorCounts) -> [(u32, Verdict); 4] {
    [
        (counted.masked, Verdict::Masked),
        (counted.incorrect, Verdict::Incorrect),
        (counted.unmasked, Verdict::Unmasked),
        (counted.unsure, Verdict::Unsure),
    ]
}

fn fill(picture: &mut RgbImage, (left, top, right, bottom): (u32, u32, u32, u32), colour: Rgb<u8>) {
    for y in top..bottom.min(SIZE.1) {
        for x in left..right.min(SIZE.0) {
            picture.put_pixel(x, y, colour);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn share(picture: &RgbImage, verdict: Verdict) -> f32 {
        let (left, top, right, bottom) = PLOT;
        let wanted = Rgb(verdict.colour());
        let all = (left..right).flat_map(|x| (top..bottom).map(move |y| (x, y)));
        let found = all.filter(|(x, y)| *picture.get_pixel(*x, *y) == wanted).count();
        found as f32 / ((right - left) * (bottom - top)) as f32
    }

    #[test]
    fn bars_are_as_high_as_what_was_counted() {
        let counted = DoorCounts { people: 4, masked: 3, unmasked: 1, ..DoorCounts::default() };
        let period = |begin: &str| Period { begin: begin.into(), counted };
        let picture = draw("people by day", &[period("2026-11-29"), period("2026-11-30")]);
        let (masked, unmasked) = (share(&picture, Verdict::Masked), share(&picture, Verdict::Unmasked));
        assert!((0.55..0.65).contains(&masked) && (0.18..0.22).contains(&unmasked), "{masked} {unmasked}");
        assert_eq!(share(&picture, Verdict::Unsure), 0.0);
    }

    #[test]
    fn nothing_and_more_periods_than_pixels_can_be_drawn() {
        draw("people by hour", &[]);
        let counted = DoorCounts { people: u32::MAX, masked: u32::MAX, ..DoorCounts::default() };
        let many: Vec<Period> = (0..2000).map(|index| Period { begin: index.to_string(), counted }).collect();
        draw("people by hour", &many);
    }
}
