//! Labels that a second look at the picture corrected, kept in a table of their own: the tables of labels stay as they came,
//! and figures can be told with and without the corrections. The table names no picture and no place in it, but the CRC-32 of both,
//! so that it can be passed on where the pictures and their annotations must not.

use super::labels::{Label, LabelledBox};
use crate::geometry::Rect;
use serde::Deserialize;
use std::collections::HashMap;
use std::fs::File;
use std::path::{Path, PathBuf};

/// What was seen where a table has a labelled box.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Seen {
    Mask,
    NoMask,
    Incorrect,
    /// There is no human face.
    NoFace,
}

impl Seen {
    const fn label(self) -> Option<Label> {
        match self {
            Self::Mask => Some(Label::Mask),
            Self::NoMask => Some(Label::NoMask),
            Self::Incorrect => Some(Label::Incorrect),
            Self::NoFace => None,
        }
    }
}

/// One row: which box, how it is labelled and what was seen there; the same where nothing else was.
#[derive(Debug, Clone, PartialEq, Deserialize)]
struct Correction {
    face: String,
    label: Label,
    seen: Seen,
}

/// What stands for a labelled box in corrections: the CRC-32 of its picture, left and top edge in pixels, as eight hexadecimal digits.
///
/// ```
/// use maskwatch::{eval::corrections::face, geometry::Rect};
/// // The CRC-32 of "street/1.jpg,1.5,20".
/// assert_eq!(face("street/1.jpg", &Rect::new(1.5, 20.0, 30.0, 40.0)), "155b1f56");
/// ```
#[must_use]
pub fn face(image: &str, rect: &Rect) -> String {
    format!("{:08x}", crc32fast::hash(format!("{image},{},{}", rect.x, rect.y).as_bytes()))
}

/// Corrections of labelled boxes, from a CSV file.
#[derive(Debug, Clone, PartialEq)]
pub struct Corrections {
    path: PathBuf,
    /// Each with its line in the file.
    rows: Vec<(u64, Correction)>,
}

/// Why corrections cannot be used. Each message is one sentence that names the file.
#[derive(Debug, thiserror::Error)]
pub enum CorrectionError {
    /// The file cannot be opened.
    #[error("cannot open the corrections {}, check the path and its permissions", path.display())]
    Open {
        /// The CSV file.
        path: PathBuf,
        /// What the system says.
        source: std::io::Error,
    },
    /// The file is no such table.
    #[error(
        "cannot read the corrections {}; the first line must name the columns face,label,seen, label being mask, no_mask \
         or incorrect, and seen one of these or no_face",
        path.display()
    )]
    Read {
        /// The CSV file.
        path: PathBuf,
        /// What the reader says, with its line.
        source: csv::Error,
    },
    /// A row speaks of a box that has another label, or of two boxes.
    #[error(
        "{}:{line}: {face} stands for {count} faces that are labelled {label}, not for one; take the row out, or correct the \
         labels as they came",
        path.display()
    )]
    NotOne {
        /// The CSV file.
        path: PathBuf,
        /// The line in the file, counted from 1.
        line: u64,
        /// What stands for the box, see [`face`].
        face: String,
        /// How many boxes with that label it stands for.
        count: usize,
        /// The label that the row expects.
        label: Label,
    },
    /// None of the rows speaks of a face among the labels.
    #[error("{} corrects no face of these labels; leave it out, or name the labels that it belongs to", path.display())]
    Unused {
        /// The CSV file.
        path: PathBuf,
    },
}

impl Corrections {
    /// Reads corrections: columns `face,label,seen` in any order, others are passed over. What `face` is, [`face`] says; `label` is
    /// the label in the table, and `seen` the true one, or `no_face` where there is none.
    ///
    /// # Errors
    /// The file cannot be opened or is no such table.
    pub fn read(path: &Path) -> Result<Self, CorrectionError> {
        let file =
            File::open(path).map_err(|source| CorrectionError::Open { path: path.to_owned(), source })?;
        Self::parse(file, path)
    }

    /// The same from the text of a file; `path` stands for it in errors.
    ///
    /// # Errors
    /// The text is no such table.
    pub fn parse(text: impl std::io::Read, path: &Path) -> Result<Self, CorrectionError> {
        let unreadable = |source| CorrectionError::Read { path: path.to_owned(), source };
        let mut reader = csv::ReaderBuilder::new().trim(csv::Trim::All).from_reader(text);
        let names = reader.headers().map_err(unreadable)?.clone();
        let mut rows = Vec::new();
        let mut record = csv::StringRecord::new();
        while reader.read_record(&mut record).map_err(unreadable)? {
            let line = record.position().map_or(0, csv::Position::line);
            rows.push((line, record.deserialize(Some(&names)).map_err(unreadable)?));
        }
        Ok(Self { path: path.to_owned(), rows })
    }

    /// Corrects the boxes of `tables`: labels become what was seen, boxes without a face are taken out. Rows for faces that none
    /// of the tables has are passed over. Gives the number of boxes whose label was not what was seen.
    ///
    /// # Errors
    /// A row stands for a face with another label or for several, or the tables have none of the faces. Nothing is changed then.
    pub fn apply(&self, tables: &mut [Vec<LabelledBox>]) -> Result<usize, CorrectionError> {
        let mut places: HashMap<String, Vec<(usize, usize)>> = HashMap::new();
        for (table, boxes) in tables.iter().enumerate() {
            for (place, row) in boxes.iter().enumerate() {
                places.entry(face(&row.image, &row.rect)).or_default().push((table, place));
            }
        }
        let mut seen: HashMap<(usize, usize), Option<Label>> = HashMap::new();
        let mut changes = 0;
        for (line, row) in &self.rows {
            let Some(places) = places.get(&row.face) else { continue };
            let fits = |place: &&(usize, usize)| {
                tables[place.0][place.1].label == row.label && !seen.contains_key(*place)
            };
            let fitting: Vec<_> = places.iter().filter(fits).collect();
            let [place] = fitting[..] else {
                return Err(CorrectionError::NotOne {
                    path: self.path.clone(),
                    line: *line,
                    face: row.face.clone(),
                    count: fitting.len(),
                    label: row.label,
                });
            };
            seen.insert(*place, row.seen.label());
            changes += usize::from(row.seen.label() != Some(row.label));
        }
        if seen.is_empty() {
            return Err(CorrectionError::Unused { path: self.path.clone() });
        }
        for (table, boxes) in tables.iter_mut().enumerate() {
            let rows = std::mem::take(boxes).into_iter().enumerate();
            let corrected = rows.filter_map(|(place, row)| match seen.get(&(table, place)) {
                Some(seen) => Some(LabelledBox { label: (*seen)?, ..row }),
                None => Some(row),
            });
            boxes.extend(corrected);
        }
        Ok(changes)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::eval::labels::parse;
    use std::slice::from_mut;

    const HEADER: &str = "face,label,seen\n";

    fn boxes() -> Vec<LabelledBox> {
        let text = "image,x,y,w,h,label,split\n\
                    a.jpg,1.5,2,30,40,mask,val\n\
                    b.jpg,1,2,30,40,no_mask,val\n\
                    b.jpg,50,2,30,40,no_mask,val\n\
                    c.jpg,1,2,30,40,mask,train\n";
        parse(text.as_bytes(), Path::new("faces.csv")).unwrap()
    }

    /// Reads rows in which `image@x@y` stands for the CRC-32 of the three.
    fn read(rows: &str) -> Result<Corrections, CorrectionError> {
        let digest = |row: &str| {
            let (place, rest) = row.split_once(',').unwrap_or((row, ""));
            format!("{:08x},{rest}\n", crc32fast::hash(place.replace('@', ",").as_bytes()))
        };
        let rows: String = rows.lines().map(digest).collect();
        Corrections::parse(format!("{HEADER}{rows}").as_bytes(), Path::new("seen.csv"))
    }

    #[test]
    fn labels_become_what_was_seen() {
        let mut corrected = boxes();
        let rows = "a.jpg@1.5@2,mask,incorrect\nb.jpg@50@2,no_mask,no_face\nelsewhere.jpg@0@0,mask,no_mask\nc.jpg@1@2,mask,mask\n";
        assert_eq!(read(rows).unwrap().apply(from_mut(&mut corrected)).unwrap(), 2);
        let mut expected = boxes();
        expected[0].label = Label::Incorrect;
        expected.remove(2);
        assert_eq!(corrected, expected);
    }

    #[test]
    fn a_box_may_be_in_any_of_several_tables() {
        let mut tables = [boxes(), boxes()];
        tables[0].retain(|row| row.image != "b.jpg");
        tables[1].retain(|row| row.image == "b.jpg");
        let rows = read("b.jpg@1@2,no_mask,mask\na.jpg@1.5@2,mask,no_face\n").unwrap();
        assert_eq!(rows.apply(&mut tables).unwrap(), 2);
        assert_eq!(tables[0].iter().map(|row| row.image.as_str()).collect::<Vec<_>>(), ["c.jpg"]);
        assert_eq!(tables[1].iter().map(|row| row.label).collect::<Vec<_>>(), [Label::Mask, Label::NoMask]);
    }

    #[test]
    fn columns_in_any_order_with_others() {
        let text =
            format!("seen, readers ,label,face\nmask,2 of 3,no_mask,{}\n", face("b.jpg", &boxes()[1].rect));
        let mut corrected = boxes();
        let corrections = Corrections::parse(text.as_bytes(), Path::new("seen.csv")).unwrap();
        assert_eq!(corrections.apply(from_mut(&mut corrected)).unwrap(), 1);
        assert_eq!(corrected[1].label, Label::Mask);
    }

    #[test]
    fn errors_name_file_line_and_mend() {
        let refused = |rows: &str| {
            let mut all = boxes();
            let error = read(rows).and_then(|rows| rows.apply(from_mut(&mut all))).expect_err(rows);
            assert_eq!(all, boxes(), "nothing is changed");
            format!("{:#}", anyhow::Error::from(error))
        };
        for (row, part) in [
            ("a.jpg@1.5@2,mask,masked\n", "seen.csv"),
            ("a.jpg@1.5@2\n", "line: 2"),
            ("a.jpg@1.5@2,no_mask,mask\n", "stands for 0 faces that are labelled no_mask"),
            ("c.jpg@1@2,mask,no_mask\nc.jpg@1@2,mask,no_face\n", "seen.csv:3: "),
            ("d.jpg@1@2,mask,no_mask\n", "corrects no face of these labels"),
            ("", "corrects no face of these labels"),
        ] {
            let message = refused(row);
            assert!(message.contains(part), "{row}: {message}");
        }
        let missing = Corrections::read(Path::new("/does/not/exist.csv")).expect_err("no such file");
        assert!(missing.to_string().contains("/does/not/exist.csv"));
        let columns = Corrections::parse(&b"face,seen\n01234567,mask\n"[..], Path::new("seen.csv"));
        assert!(columns.expect_err("no label").to_string().contains("must name the columns"));
    }
}
