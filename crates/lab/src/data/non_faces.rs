//! What a detector takes for a face and is none, and faces of which neither nose nor mouth can be seen: what
//! the classifier's output *presence* is fitted to.

use super::dataset::Subset;
use super::labels::{LabelError, Split};
use maskwatch::geometry::Rect;
use serde::Deserialize;
use std::path::{Path, PathBuf};

/// What a box without a face to judge shows.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, serde::Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum NonFaceKind {
    /// A human head, from behind or so far from the side that nobody could say what it wears; or a neck.
    Hidden,
    /// No human head: an animal, a thing, a piece of clothing, a hand.
    Nobody,
}

/// One such box.
#[derive(Debug, Clone, PartialEq)]
pub struct NonFace {
    /// The picture's file.
    pub picture: PathBuf,
    /// Where the box is, in pixels of the picture.
    pub rect: Rect,
    /// What it shows.
    pub kind: NonFaceKind,
    /// Whether weights are fitted to it, or calibrated by it.
    pub subset: Subset,
}

/// A row of a table of boxes.
#[derive(Debug, Deserialize)]
struct BoxRow {
    image: String,
    x: f32,
    y: f32,
    w: f32,
    h: f32,
    kind: NonFaceKind,
}

/// A row of `negatives.csv`.
#[derive(Debug, Deserialize)]
struct PictureRow {
    image: String,
    group: String,
    split: Split,
}

/// A picture without people.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EmptyPicture {
    /// Its file.
    pub path: PathBuf,
    /// What it shows, as the table says: `dog`, `interior`, …
    pub group: String,
}

/// One picture in so many is set aside from fitting.
const SET_ASIDE: usize = 10;

/// The subset of the picture at `place` of a table.
#[must_use]
pub fn subset_at(place: usize) -> Subset {
    if place % SET_ASIDE == SET_ASIDE - 1 { Subset::Selection } else { Subset::Train }
}

/// Reads a table of boxes: columns `image,x,y,w,h,kind`, pictures below the folder `images`. One box in ten
/// is set aside.
///
/// # Errors
/// The table cannot be read, or a row is not of this kind.
pub fn read(table: &Path, images: &Path) -> Result<Vec<NonFace>, LabelError> {
    let rows: Vec<BoxRow> = rows(table)?;
    let non_face = |(place, BoxRow { image, x, y, w, h, kind }): (usize, BoxRow)| NonFace {
        picture: images.join(image),
        rect: Rect::new(x, y, w, h),
        kind,
        subset: subset_at(place),
    };
    Ok(rows.into_iter().enumerate().map(non_face).collect())
}

/// The pictures without people of one split: `negatives.csv` in the folder `data`, pictures in `negatives/`.
///
/// # Errors
/// The table cannot be read.
pub fn empty_pictures(data: &Path, split: Split) -> Result<Vec<EmptyPicture>, LabelError> {
    let rows: Vec<PictureRow> = rows(&data.join("negatives.csv"))?;
    let picture =
        |row: PictureRow| EmptyPicture { path: data.join("negatives").join(row.image), group: row.group };
    Ok(rows.into_iter().filter(|row| row.split == split).map(picture).collect())
}

fn rows<T: serde::de::DeserializeOwned>(table: &Path) -> Result<Vec<T>, LabelError> {
    let unreadable = |source| LabelError::Read { path: table.to_owned(), source };
    let file =
        std::fs::File::open(table).map_err(|source| LabelError::Open { path: table.to_owned(), source })?;
    let mut reader = csv::ReaderBuilder::new().trim(csv::Trim::All).from_reader(file);
    reader.deserialize().collect::<Result<_, _>>().map_err(unreadable)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tables_are_read_and_one_in_ten_is_set_aside() {
        let folder = tempfile::tempdir().unwrap();
        let table = folder.path().join("boxes.csv");
        let rows: String = (0..20).map(|place| format!("a/{place}.jpg,1,2.5,3,4,hidden\n")).collect();
        std::fs::write(&table, format!("image,x,y,w,h,kind\n{rows}b.jpg,0,0,9,9,nobody\n")).unwrap();
        let boxes = read(&table, Path::new("images")).unwrap();
        assert_eq!(boxes.len(), 21);
        assert_eq!(boxes[3].picture, Path::new("images/a/3.jpg"));
        assert_eq!((boxes[3].rect, boxes[3].kind), (Rect::new(1.0, 2.5, 3.0, 4.0), NonFaceKind::Hidden));
        assert_eq!(boxes[20].kind, NonFaceKind::Nobody);
        assert_eq!(boxes.iter().filter(|one| one.subset == Subset::Selection).count(), 2);
        std::fs::write(&table, "image,x,y,w,h,kind\na.jpg,0,0,9,9,somebody\n").unwrap();
        assert!(matches!(read(&table, Path::new("images")), Err(LabelError::Read { .. })));
        assert!(matches!(read(&folder.path().join("none"), Path::new("")), Err(LabelError::Open { .. })));
    }

    #[test]
    fn pictures_without_people_are_told_apart_by_split() {
        let folder = tempfile::tempdir().unwrap();
        let text = "image,group,split,source,licence\na.jpg,dog,train,x,y\nb.jpg,interior,val,x,y\n";
        std::fs::write(folder.path().join("negatives.csv"), text).unwrap();
        let val = empty_pictures(folder.path(), Split::Val).unwrap();
        assert_eq!(val.len(), 1);
        assert_eq!(
            (val[0].path.clone(), val[0].group.as_str()),
            (folder.path().join("negatives/b.jpg"), "interior")
        );
    }
}
