//! Labels that a second look at the picture corrected, kept in a table of their own: the tables of labels stay as they came,
//! and figures can be told with and without the corrections.

use super::labels::{Label, LabelledBox};
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
    image: String,
    x: f32,
    y: f32,
    label: Label,
    seen: Seen,
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
        "cannot read the corrections {}; the first line must name the columns image,x,y,label,seen, label being mask, no_mask \
         or incorrect, and seen one of these or no_face",
        path.display()
    )]
    Read {
        /// The CSV file.
        path: PathBuf,
        /// What the reader says, with its line.
        source: csv::Error,
    },
    /// A row speaks of a box that its picture does not have, or has with another label.
    #[error(
        "{}:{line}: {image} has no box at {x},{y} that is labelled {label}; take the row out, or take the box from the \
         labels as they are",
        path.display()
    )]
    NoSuchBox {
        /// The CSV file.
        path: PathBuf,
        /// The line in the file, counted from 1.
        line: u64,
        /// The picture.
        image: String,
        /// Left edge of the box, in pixels.
        x: f32,
        /// Top edge of the box, in pixels.
        y: f32,
        /// The label that the row expects.
        label: Label,
    },
    /// None of the rows speaks of a picture among the labels.
    #[error("{} corrects no picture of these labels; leave it out, or name the labels that it belongs to", path.display())]
    Unused {
        /// The CSV file.
        path: PathBuf,
    },
}

impl Corrections {
    /// Reads corrections: columns `image,x,y,label,seen` in any order, others are passed over. `x,y` is the top left corner of the
    /// box as its table has it, `label` the label there, and `seen` the true one, or `no_face` where there is none.
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

    /// Corrects the boxes of `tables`: labels become what was seen, boxes without a face are taken out. Rows for pictures that none
    /// of the tables has are passed over. Gives the number of boxes whose label was not what was seen.
    ///
    /// # Errors
    /// A picture lacks the box that a row speaks of, or the tables have none of the pictures. Nothing is changed then.
    pub fn apply(&self, tables: &mut [Vec<LabelledBox>]) -> Result<usize, CorrectionError> {
        let mut places: HashMap<&str, Vec<(usize, usize)>> = HashMap::new();
        for (table, boxes) in tables.iter().enumerate() {
            for (place, row) in boxes.iter().enumerate() {
                places.entry(&row.image).or_default().push((table, place));
            }
        }
        let mut seen: HashMap<(usize, usize), Option<Label>> = HashMap::new();
        let mut changes = 0;
        for (line, row) in &self.rows {
            let Some(places) = places.get(row.image.as_str()) else { continue };
            let fits = |place: &&(usize, usize)| {
                let LabelledBox { rect, label, .. } = &tables[place.0][place.1];
                (rect.x, rect.y, *label) == (row.x, row.y, row.label) && !seen.contains_key(*place)
            };
            let place = places.iter().find(fits).ok_or_else(|| CorrectionError::NoSuchBox {
                path: self.path.clone(),
                line: *line,
                image: row.image.clone(),
                x: row.x,
                y: row.y,
                label: row.label,
            })?;
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

    const HEADER: &str = "image,x,y,label,seen\n";

    fn boxes() -> Vec<LabelledBox> {
        let text = "image,x,y,w,h,label,split\n\
                    a.jpg,1.5,2,30,40,mask,val\n\
                    b.jpg,1,2,30,40,no_mask,val\n\
                    b.jpg,50,2,30,40,no_mask,val\n\
                    c.jpg,1,2,30,40,mask,train\n";
        parse(text.as_bytes(), Path::new("faces.csv")).unwrap()
    }

    fn read(rows: &str) -> Result<Corrections, CorrectionError> {
        Corrections::parse(format!("{HEADER}{rows}").as_bytes(), Path::new("seen.csv"))
    }

    #[test]
    fn labels_become_what_was_seen() {
        let mut corrected = boxes();
        let rows = "a.jpg,1.5,2,mask,incorrect\nb.jpg,50,2,no_mask,no_face\nelsewhere.jpg,0,0,mask,no_mask\nc.jpg,1,2,mask,mask\n";
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
        let rows = read("b.jpg,1,2,no_mask,mask\na.jpg,1.5,2,mask,no_face\n").unwrap();
        assert_eq!(rows.apply(&mut tables).unwrap(), 2);
        assert_eq!(tables[0].iter().map(|row| row.image.as_str()).collect::<Vec<_>>(), ["c.jpg"]);
        assert_eq!(tables[1].iter().map(|row| row.label).collect::<Vec<_>>(), [Label::Mask, Label::NoMask]);
    }

    #[test]
    fn columns_in_any_order_with_others() {
        let text = "seen, readers ,label,y,x,image\nmask,2 of 3,no_mask,2,1,b.jpg\n";
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
            ("a.jpg,1.5,2,mask,masked\n", "seen.csv"),
            ("a.jpg,left,2,mask,no_mask\n", "line: 2"),
            ("a.jpg,1.5\n", "line: 2"),
            ("a.jpg,1,2,mask,no_mask\n", "seen.csv:2: a.jpg has no box at 1,2 that is labelled mask"),
            ("a.jpg,nan,2,mask,no_mask\n", "has no box at NaN,2"),
            ("a.jpg,1.5,2,no_mask,mask\n", "labelled no_mask"),
            ("c.jpg,1,2,mask,no_mask\nc.jpg,1,2,mask,no_face\n", "seen.csv:3: c.jpg has no box"),
            ("d.jpg,1,2,mask,no_mask\n", "corrects no picture of these labels"),
            ("", "corrects no picture of these labels"),
        ] {
            let message = refused(row);
            assert!(message.contains(part), "{row}: {message}");
        }
        let missing = Corrections::read(Path::new("/does/not/exist.csv")).expect_err("no such file");
        assert!(missing.to_string().contains("/does/not/exist.csv"));
        let columns = Corrections::parse(&b"image,x,y,seen\na.jpg,1,2,mask\n"[..], Path::new("seen.csv"));
        assert!(columns.expect_err("no label").to_string().contains("must name the columns"));
    }
}
