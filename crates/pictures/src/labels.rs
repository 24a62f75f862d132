//! Labelled boxes from CSV files: which face is where in which picture, and how it wears its mask. Only the
//! table is read here; pictures are opened by whoever needs their pixels.

use maskwatch_vision::geometry::Rect;
use maskwatch_vision::nn::head::{MASK, NO_MASK};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::fmt;
use std::fs::File;
use std::path::{Component, Path, PathBuf};
use std::str::FromStr;

/// How a face wears its mask.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Label {
    /// Nose and mouth are covered.
    Mask,
    /// The face is bare.
    NoMask,
    /// A mask is there, but nose or mouth is not covered by it.
    Incorrect,
}

impl Label {
    /// Every label, in the order in which tables list them.
    pub const ALL: [Self; 3] = [Self::Mask, Self::NoMask, Self::Incorrect];

    /// The word that stands for this label in CSV files and reports.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Mask => "mask",
            Self::NoMask => "no_mask",
            Self::Incorrect => "incorrect",
        }
    }

    /// Its class among the paper's two, by its index among the network's logits; none for *incorrect*.
    #[must_use]
    pub const fn class(self) -> Option<usize> {
        match self {
            Self::Mask => Some(MASK),
            Self::NoMask => Some(NO_MASK),
            Self::Incorrect => None,
        }
    }
}

impl fmt::Display for Label {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.pad(self.name())
    }
}

impl FromStr for Label {
    type Err = &'static str;

    fn from_str(word: &str) -> Result<Self, Self::Err> {
        Self::ALL
            .into_iter()
            .find(|label| label.name() == word)
            .ok_or("it must be mask, no_mask or incorrect")
    }
}

/// Which part of the data a picture belongs to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Split {
    /// Networks are fitted to it.
    Train,
    /// Networks are measured on it and never fitted to it.
    Val,
}

impl Split {
    /// The word that stands for this split in CSV files, on the command line and in reports.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Train => "train",
            Self::Val => "val",
        }
    }
}

impl fmt::Display for Split {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.pad(self.name())
    }
}

impl FromStr for Split {
    type Err = &'static str;

    fn from_str(word: &str) -> Result<Self, Self::Err> {
        [Self::Train, Self::Val]
            .into_iter()
            .find(|split| split.name() == word)
            .ok_or("it must be train or val")
    }
}

/// One row of a CSV file: one face of one picture.
#[derive(Debug, Clone, PartialEq)]
pub struct LabelledBox {
    /// The picture, relative to the folder of images; never leads out of it.
    pub image: String,
    /// Where the face is, in pixels of that picture; finite, width and height above 0.
    pub rect: Rect,
    /// How it wears its mask.
    pub label: Label,
    /// Which part of the data the picture belongs to.
    pub split: Split,
    /// Where the picture came from: column `source`, else the first folder of `image`, else nothing.
    pub source: Option<String>,
    /// How many faces the picture shows, labelled or not (column `n_faces`), where that is known.
    pub n_faces: Option<u32>,
}

/// Why a CSV file cannot be used. Each message is one sentence that names the file, and the line where there
/// is one.
#[derive(Debug, thiserror::Error)]
pub enum LabelError {
    /// The file cannot be opened.
    #[error("cannot open the labels {}, check the path and its permissions", path.display())]
    Open {
        /// The CSV file.
        path: PathBuf,
        /// What the system says.
        source: std::io::Error,
    },
    /// The first line lacks a column, or has it twice.
    #[error("{}:1: {problem}; the first line must name the columns image,x,y,w,h,label,split", path.display())]
    Columns {
        /// The CSV file.
        path: PathBuf,
        /// What is wrong with the first line.
        problem: String,
    },
    /// A row cannot be used.
    #[error("{}:{line}: {problem}", path.display())]
    Row {
        /// The CSV file.
        path: PathBuf,
        /// The line in the file, counted from 1.
        line: u64,
        /// What is wrong with it and what it should be.
        problem: String,
    },
    /// The file breaks off, is not text, or its rows differ in length.
    #[error("cannot read the labels {}", path.display())]
    Read {
        /// The CSV file.
        path: PathBuf,
        /// What the reader says, with its line.
        source: csv::Error,
    },
}

/// Reads labelled boxes: columns `image,x,y,w,h,label,split` in any order, optional `source` and `n_faces`,
/// others are passed over. Boxes are in pixels, (x, y) is the top left corner.
///
/// # Errors
/// The file cannot be opened or read, a column is missing, or a row has a number that is not finite, a width
/// or height that is not above 0, an unknown label or split, or a picture outside the folder of images.
pub fn read(path: &Path) -> Result<Vec<LabelledBox>, LabelError> {
    let file = File::open(path).map_err(|source| LabelError::Open { path: path.to_owned(), source })?;
    parse(file, path)
}

/// Reads what is bare where a mask is worn wrongly, by picture: columns `image,kind`. Nothing where there is
/// no such file.
///
/// # Errors
/// The file cannot be opened or read.
pub fn kinds(path: &Path) -> Result<BTreeMap<String, String>, LabelError> {
    if !path.exists() {
        return Ok(BTreeMap::new());
    }
    let file = File::open(path).map_err(|source| LabelError::Open { path: path.to_owned(), source })?;
    let mut reader = csv::ReaderBuilder::new().trim(csv::Trim::All).from_reader(file);
    let rows = reader.deserialize().collect::<Result<_, _>>();
    rows.map_err(|source| LabelError::Read { path: path.to_owned(), source })
}

/// The same from the text of a file; `path` stands for it in errors.
///
/// # Errors
/// As [`read`], but for opening.
pub fn parse(text: impl std::io::Read, path: &Path) -> Result<Vec<LabelledBox>, LabelError> {
    let mut reader = csv::ReaderBuilder::new().trim(csv::Trim::All).from_reader(text);
    let unreadable = |source| LabelError::Read { path: path.to_owned(), source };
    let columns = Columns::find(reader.headers().map_err(unreadable)?)
        .map_err(|problem| LabelError::Columns { path: path.to_owned(), problem })?;
    let mut boxes = Vec::new();
    let mut record = csv::StringRecord::new();
    while reader.read_record(&mut record).map_err(unreadable)? {
        let row = columns.row(&record).map_err(|problem| LabelError::Row {
            path: path.to_owned(),
            line: record.position().map_or(0, csv::Position::line),
            problem,
        })?;
        boxes.push(row);
    }
    Ok(boxes)
}

/// Where each column stands in a row.
struct Columns {
    image: usize,
    /// x, y, w, h.
    rect: [usize; 4],
    label: usize,
    split: usize,
    source: Option<usize>,
    n_faces: Option<usize>,
}

impl Columns {
    fn find(names: &csv::StringRecord) -> Result<Self, String> {
        let optional = |wanted: &str| {
            let mut places = names.iter().enumerate().filter(|(_, name)| *name == wanted);
            let first = places.next().map(|(place, _)| place);
            match places.next() {
                Some(_) => Err(format!("the column {wanted} is there twice")),
                None => Ok(first),
            }
        };
        let needed =
            |wanted: &str| optional(wanted)?.ok_or_else(|| format!("the column {wanted} is missing"));
        Ok(Self {
            image: needed("image")?,
            rect: [needed("x")?, needed("y")?, needed("w")?, needed("h")?],
            label: needed("label")?,
            split: needed("split")?,
            source: optional("source")?,
            n_faces: optional("n_faces")?,
        })
    }

    fn row(&self, record: &csv::StringRecord) -> Result<LabelledBox, String> {
        // The reader has made sure that every row is as long as the first line.
        let field = |place: usize| record.get(place).unwrap_or_default();
        let image = field(self.image);
        check_image(image)?;
        let [x, y, w, h] = self.rect.map(field);
        let rect = Rect::new(number("x", x)?, number("y", y)?, number("w", w)?, number("h", h)?);
        if rect.w <= 0.0 || rect.h <= 0.0 {
            return Err(format!("the box is {w} × {h} pixels, width and height must be above 0"));
        }
        let source = match self.source.map(field).filter(|source| !source.is_empty()) {
            Some(source) => Some(source.to_owned()),
            None => image.split_once('/').map(|(folder, _)| folder.to_owned()),
        };
        let n_faces = match self.n_faces.map(field).filter(|count| !count.is_empty()) {
            Some(count) => Some(
                count
                    .parse()
                    .map_err(|_| format!("n_faces is {count:?}, it must be a whole number or empty"))?,
            ),
            None => None,
        };
        Ok(LabelledBox {
            image: image.to_owned(),
            rect,
            label: word("label", field(self.label))?,
            split: word("split", field(self.split))?,
            source,
            n_faces,
        })
    }
}

fn check_image(image: &str) -> Result<(), String> {
    let inside = Path::new(image).components().all(|part| matches!(part, Component::Normal(_)));
    if image.is_empty() || !inside {
        return Err(format!(
            "image is {image:?}, it must be a path inside the folder of images, without a leading / or .."
        ));
    }
    Ok(())
}

fn word<T: FromStr<Err = &'static str>>(column: &str, text: &str) -> Result<T, String> {
    text.parse().map_err(|mend| format!("{column} is {text:?}, {mend}"))
}

fn number(column: &str, text: &str) -> Result<f32, String> {
    match text.parse::<f32>() {
        Ok(value) if value.is_finite() => Ok(value),
        _ => Err(format!("{column} is {text:?}, it must be a finite number of pixels")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const HEADER: &str = "image,x,y,w,h,label,split\n";

    fn read_text(text: &str) -> Result<Vec<LabelledBox>, LabelError> {
        parse(text.as_bytes(), Path::new("faces.csv"))
    }

    fn message(text: &str) -> String {
        format!("{:#}", anyhow::Error::from(read_text(text).expect_err(text)))
    }

    #[test]
    fn a_plain_row() {
        let boxes = read_text(&format!("{HEADER}street/1.jpg,1.5,-2,30,40.25,no_mask,val\n")).unwrap();
        let expected = LabelledBox {
            image: "street/1.jpg".into(),
            rect: Rect::new(1.5, -2.0, 30.0, 40.25),
            label: Label::NoMask,
            split: Split::Val,
            source: Some("street".into()),
            n_faces: None,
        };
        assert_eq!(boxes, [expected]);
    }

    #[test]
    fn columns_in_any_order_with_source_and_count() {
        let text = "\u{feff}split, label ,h,w,y,x,image,cluster,source,n_faces\r\n\
                    train,mask,4,3,2,1,\"a, b.jpg\",7,volunteers,2\r\n\
                    val,incorrect,4,3,2,1,c.jpg,8,,\r\n";
        let boxes = read_text(text).unwrap();
        assert_eq!(boxes[0].image, "a, b.jpg");
        assert_eq!(boxes[0].rect, Rect::new(1.0, 2.0, 3.0, 4.0));
        assert_eq!((boxes[0].source.as_deref(), boxes[0].n_faces), (Some("volunteers"), Some(2)));
        assert_eq!((boxes[0].label, boxes[0].split), (Label::Mask, Split::Train));
        assert_eq!((boxes[1].source.as_deref(), boxes[1].n_faces), (None, None));
        assert_eq!(boxes[1].label, Label::Incorrect);
    }

    #[test]
    fn a_header_alone_has_no_boxes() {
        assert_eq!(read_text(HEADER).unwrap(), []);
    }

    #[test]
    fn errors_name_file_line_and_mend() {
        for (row, part) in [
            ("a.jpg,nan,0,1,1,mask,val", "x is \"nan\""),
            ("a.jpg,0,1e39,1,1,mask,val", "y is \"1e39\""),
            ("a.jpg,0,,1,1,mask,val", "y is \"\""),
            ("a.jpg,0,0,-1,1,mask,val", "-1 × 1 pixels"),
            ("a.jpg,0,0,1,0,mask,val", "1 × 0 pixels"),
            ("a.jpg,0,0,1,1,masked,val", "must be mask, no_mask or incorrect"),
            ("a.jpg,0,0,1,1,mask,test", "must be train or val"),
            ("../a.jpg,0,0,1,1,mask,val", "inside the folder of images"),
            ("a/../../b.jpg,0,0,1,1,mask,val", "inside the folder of images"),
            ("/etc/passwd,0,0,1,1,mask,val", "inside the folder of images"),
            (",0,0,1,1,mask,val", "inside the folder of images"),
        ] {
            let message = message(&format!("{HEADER}ok.jpg,0,0,1,1,mask,val\n{row}\n"));
            assert!(message.starts_with("faces.csv:3: ") && message.contains(part), "{row}: {message}");
        }
        let count = "image,x,y,w,h,label,split,n_faces\na.jpg,0,0,1,1,mask,val,-1\n";
        assert!(message(count).contains("faces.csv:2: n_faces is \"-1\""));
    }

    #[test]
    fn errors_of_the_whole_file() {
        assert!(message("").contains("the column image is missing"));
        assert!(message("image,x,y,w,label,split\n").contains("the column h is missing"));
        assert!(message("image,x,x,y,w,h,label,split\n").contains("the column x is there twice"));
        assert!(message(&format!("{HEADER}a.jpg,1,2\n")).contains("line: 2"));
        let not_text = parse(&b"image,x,y,w,h,label,split\n\xff\xfe,0,0,1,1,mask,val\n"[..], Path::new("f"));
        assert!(matches!(not_text, Err(LabelError::Read { .. })));
        let missing = read(Path::new("/does/not/exist.csv")).expect_err("no such file");
        assert!(missing.to_string().contains("/does/not/exist.csv"));
    }

    proptest! {
        #[test]
        fn any_text_is_read_or_refused(text in "(image,x,y,w,h,label,split\n)?[-a-z0-9.,/\"\n]{0,120}") {
            if let Ok(boxes) = read_text(&text) {
                for row in boxes {
                    prop_assert!(row.rect.x.is_finite() && row.rect.y.is_finite());
                    prop_assert!(row.rect.w > 0.0 && row.rect.h > 0.0);
                    prop_assert!(!row.image.contains(".."));
                }
            }
        }
    }
}
