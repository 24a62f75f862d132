//! Contact sheets of classified faces, one picture per kind: the most wrong answers come first, wrong ones
//! are framed.

use super::faces::FaceAnswer;
use crate::data::labels::Label;
use image::{Rgb, RgbImage, imageops};
use maskwatch::geometry::Rect;
use maskwatch::pixels::annotate::{Mark, annotate};
use maskwatch::pixels::preprocess;
use std::collections::BTreeMap;
use std::path::Path;
use std::sync::{Mutex, PoisonError};

/// Pixels of a face on a sheet.
const TILE: u32 = 96;
const COLUMNS: usize = 12;
const ROWS: usize = 10;
/// Side of the square that is shown, as a multiple of the face's longer side.
const MARGIN: f32 = 1.4;
const WRONG: Rgb<u8> = Rgb([220, 30, 30]);

struct SheetTile {
    /// The probability of the label; the sheet begins with the lowest.
    right: f32,
    place: u64,
    picture: RgbImage,
}

/// Sheets under names; several threads may add to them.
#[derive(Default)]
pub struct Sheets {
    tiles: Mutex<BTreeMap<&'static str, Vec<SheetTile>>>,
}

impl Sheets {
    /// Adds one face of `picture` to the sheet `name`. `place` orders faces with equal answers.
    pub fn add(
        &self,
        name: &'static str,
        place: u64,
        label: Label,
        answer: &FaceAnswer,
        picture: &RgbImage,
        rect: &Rect,
    ) {
        let mut tile = preprocess::face_crop(picture, rect, MARGIN, TILE);
        // A mask worn wrongly should not pass as one.
        if (answer.called() == Label::Mask) != (label == Label::Mask) {
            let side = (TILE - 2) as f32;
            let rect = Rect::new(1.0, 1.0, side, side);
            annotate(&mut tile, &[Mark { rect, text: String::new(), colour: WRONG }]);
        }
        let p_mask = answer.probabilities.mask;
        let right = if label == Label::Mask { p_mask } else { 1.0 - p_mask };
        // A panic between the two lines of a `push` left whole tiles behind.
        let mut tiles = self.tiles.lock().unwrap_or_else(PoisonError::into_inner);
        let sheet = tiles.entry(name).or_default();
        sheet.push(SheetTile { right, place, picture: tile });
        if sheet.len() >= 2 * COLUMNS * ROWS {
            keep_worst(sheet);
        }
    }

    /// Writes each sheet to `folder`, which must exist, as NAME.png.
    ///
    /// # Errors
    /// When a file cannot be written.
    pub fn write(self, folder: &Path) -> image::ImageResult<()> {
        let tiles = self.tiles.into_inner().unwrap_or_else(PoisonError::into_inner);
        for (name, mut sheet) in tiles {
            keep_worst(&mut sheet);
            let rows = sheet.len().div_ceil(COLUMNS) as u32;
            let mut picture = RgbImage::new(TILE * COLUMNS.min(sheet.len()) as u32, TILE * rows);
            for (index, tile) in sheet.iter().enumerate() {
                let (x, y) = ((index % COLUMNS) as u32 * TILE, (index / COLUMNS) as u32 * TILE);
                imageops::replace(&mut picture, &tile.picture, x.into(), y.into());
            }
            picture.save(folder.join(format!("{name}.png")))?;
        }
        Ok(())
    }
}

fn keep_worst(sheet: &mut Vec<SheetTile>) {
    sheet.sort_by(|a, b| a.right.total_cmp(&b.right).then(a.place.cmp(&b.place)));
    sheet.truncate(COLUMNS * ROWS);
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::data::pictures::tests::row;
    use maskwatch::vision::classifier::Probabilities;

    #[test]
    fn the_worst_come_first_and_wrong_ones_are_framed() {
        let sheets = Sheets::default();
        let rect = Rect::new(0.0, 0.0, 40.0, 40.0);
        for place in 0..250u64 {
            let p_mask = place as f32 / 250.0;
            let face = row("a.png", [0.0, 0.0, 40.0, 40.0], Label::NoMask);
            let shade = (place / 2) as u8;
            let picture = RgbImage::from_pixel(40, 40, Rgb([shade; 3]));
            let answer = FaceAnswer { face, probabilities: Probabilities::of_mask(p_mask) };
            sheets.add("cup", place, Label::NoMask, &answer, &picture, &rect);
        }
        let folder = tempfile::tempdir().unwrap();
        sheets.write(folder.path()).unwrap();
        let sheet = image::open(folder.path().join("cup.png")).unwrap().into_rgb8();
        assert_eq!(sheet.dimensions(), (TILE * COLUMNS as u32, TILE * ROWS as u32));
        let middle = |index: u32| sheet.get_pixel(TILE * (index % 12) + 48, TILE * (index / 12) + 48)[0];
        assert_eq!((middle(0), middle(119)), (124, 65));
        assert_eq!(sheet.get_pixel(1, 1), &WRONG);

        let sheets = Sheets::default();
        let face = row("a.png", [0.0, 0.0, 40.0, 40.0], Label::NoMask);
        let picture = RgbImage::from_pixel(40, 40, Rgb([7; 3]));
        let answer = FaceAnswer { face, probabilities: Probabilities::of_mask(0.9) };
        sheets.add("mask", 0, Label::Mask, &answer, &picture, &rect);
        sheets.write(folder.path()).unwrap();
        let sheet = image::open(folder.path().join("mask.png")).unwrap().into_rgb8();
        assert!(sheet.dimensions() == (TILE, TILE) && sheet.pixels().all(|pixel| pixel.0 == [7; 3]));
    }
}
