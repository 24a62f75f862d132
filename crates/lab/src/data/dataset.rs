//! Labelled faces to fit the classifier to: from CSV tables beside a folder of pictures, or from an
//! ImageFolder tree. Which face belongs to which subset and how often it is drawn is decided here; pixels are
//! [`super::augment`]'s.

use crate::data::labels::{self, Label, LabelError, LabelledBox, Split};
use crate::random::{Purpose, stream};
use maskwatch::geometry::Rect;
use rand::RngExt;
use rand_chacha::ChaCha8Rng;
use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

/// What a face is used for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Subset {
    /// Weights are fitted to it.
    Train,
    /// Part of the tables' split *train* that no weight is fitted to: it tells which epoch was the best, so
    /// that `val` need not. An ImageFolder has none.
    Selection,
    /// Measured and plotted. For CSV tables nothing is ever chosen by it.
    Val,
}

impl Subset {
    /// Its name in reports.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Train => "train",
            Self::Selection => "selection",
            Self::Val => "val",
        }
    }
}

/// One labelled face.
#[derive(Debug, Clone, PartialEq)]
pub struct DatasetFace {
    /// The picture's file.
    pub picture: PathBuf,
    /// Where the face is, in pixels of the picture.
    pub rect: Rect,
    /// How it wears its mask.
    pub label: Label,
    /// What it is used for.
    pub subset: Subset,
    /// The table it stands in, `faces` for `faces.csv`; for an ImageFolder `folder`.
    pub table: String,
    /// Where the picture came from, as its table says; for an ImageFolder nothing.
    pub source: String,
    /// Sampling weight relative to other faces of its class.
    pub weight: f64,
}

/// How a folder is turned into a [`Dataset`].
#[derive(Debug, Clone, PartialEq)]
pub struct DatasetOptions {
    /// Names of the CSV tables in the folder; empty for `faces.csv` and `scenes.csv`, whichever are there.
    pub tables: Vec<String>,
    /// Factors on [`DatasetFace::weight`] by name: a table (`scenes`), a source (`prajnasb`), or a text file
    /// in the folder that lists pictures (`scenes_volunteers.txt`). All that fit a face are multiplied.
    pub weights: Vec<(String, f64)>,
    /// Faces whose shorter side has fewer pixels are left out.
    pub min_side: f32,
    /// Share of the pictures in split `train` that become [`Subset::Selection`]. Tables only.
    pub selection_share: f64,
    /// Share of each class's pictures that become [`Subset::Val`]. ImageFolder only.
    pub val_share: f64,
    /// Decides the random subsets.
    pub seed: u64,
}

impl Default for DatasetOptions {
    fn default() -> Self {
        Self {
            tables: Vec::new(),
            weights: Vec::new(),
            min_side: 16.0,
            selection_share: 0.1,
            val_share: 0.2,
            seed: 1,
        }
    }
}

/// Why a folder cannot be used as a data set.
#[derive(Debug, thiserror::Error)]
pub enum DatasetError {
    /// The folder is of neither kind.
    #[error(
        "{} holds neither faces.csv or scenes.csv nor the folders mask and no_mask; name a folder that does",
        .0.display()
    )]
    Unknown(PathBuf),
    /// A table cannot be used.
    #[error(transparent)]
    Labels(#[from] LabelError),
    /// A file or folder cannot be read.
    #[error("cannot read {}", path.display())]
    Read {
        /// The file or folder.
        path: PathBuf,
        /// What the system says.
        source: std::io::Error,
    },
    /// A picture is damaged or of an unknown kind.
    #[error("{} is not a readable picture ({reason}); replace or remove it", path.display())]
    Picture {
        /// The picture's file.
        path: PathBuf,
        /// What the decoder says.
        reason: String,
    },
    /// A weight was given to a name that no face has.
    #[error(
        "no table, source or file is called {name:?}; give the weight to one of {known}, or to a file that lists pictures"
    )]
    Weight {
        /// The name given.
        name: String,
        /// Names that would do.
        known: String,
    },
    /// A subset lacks a class.
    #[error("{} has no face of class {class} to put into {subset}; add some or change the shares", folder.display())]
    Empty {
        /// The data set's folder.
        folder: PathBuf,
        /// The class that is missing.
        class: &'static str,
        /// The subset that lacks it.
        subset: &'static str,
    },
}

/// Labelled faces, in an order that depends on nothing but the folder's content.
#[derive(Debug, Clone, PartialEq)]
pub struct Dataset {
    /// The folder that was read.
    pub folder: PathBuf,
    /// The faces.
    pub faces: Vec<DatasetFace>,
}

impl Dataset {
    /// Reads a folder: CSV tables with pictures in `images/`, or an ImageFolder tree with `mask/`, `no_mask/`
    /// and, if there is one, `incorrect/`, whose pictures are taken as faces whole.
    ///
    /// # Errors
    /// The folder is of neither kind, a file in it cannot be read, a weight fits nothing, or a class is
    /// missing.
    pub fn load(folder: &Path, options: &DatasetOptions) -> Result<Self, DatasetError> {
        let tables = if options.tables.is_empty() {
            let usual = ["faces.csv", "scenes.csv"].map(str::to_owned);
            usual.into_iter().filter(|name| folder.join(name).is_file()).collect()
        } else {
            options.tables.clone()
        };
        let is_tree = folder.join("mask").is_dir() && folder.join("no_mask").is_dir();
        let mut faces = if !tables.is_empty() {
            from_tables(folder, &tables, options)?
        } else if is_tree {
            from_tree(folder, options)?
        } else {
            return Err(DatasetError::Unknown(folder.to_owned()));
        };
        for (name, factor) in &options.weights {
            weigh(&mut faces, folder, name, *factor)?;
        }
        let dataset = Self { folder: folder.to_owned(), faces };
        let subsets: &[Subset] = if tables.is_empty() {
            &[Subset::Train, Subset::Val]
        } else {
            &[Subset::Train, Subset::Selection]
        };
        for subset in subsets {
            for label in [Label::Mask, Label::NoMask] {
                let drawn =
                    |face: &&DatasetFace| face.subset == *subset && face.label == label && face.weight > 0.0;
                if !dataset.faces.iter().any(|face| drawn(&face)) {
                    let (folder, class, subset) = (folder.to_owned(), label.name(), subset.name());
                    return Err(DatasetError::Empty { folder, class, subset });
                }
            }
        }
        Ok(dataset)
    }

    /// Indices of the faces in a subset.
    #[must_use]
    pub fn subset(&self, subset: Subset) -> Vec<usize> {
        (0..self.faces.len()).filter(|&index| self.faces[index].subset == subset).collect()
    }

    /// The pictures that show the faces of a subset.
    #[must_use]
    pub fn pictures(&self, subset: Subset) -> BTreeSet<&Path> {
        let of_subset = self.faces.iter().filter(|face| face.subset == subset);
        of_subset.map(|face| face.picture.as_path()).collect()
    }

    /// The subset that decides which epoch was the best: [`Subset::Selection`], for an ImageFolder
    /// [`Subset::Val`].
    #[must_use]
    pub fn chosen_by(&self) -> Subset {
        let selection = self.faces.iter().any(|face| face.subset == Subset::Selection);
        if selection { Subset::Selection } else { Subset::Val }
    }

    /// CRC-32 over what a run depends on: which faces there are, in which subsets, with which weights. The
    /// folder's own name and the pictures' content do not count.
    #[must_use]
    pub fn checksum(&self) -> String {
        let mut hasher = crc32fast::Hasher::new();
        for DatasetFace { picture, rect, label, subset, weight, .. } in &self.faces {
            let picture = picture.strip_prefix(&self.folder).unwrap_or(picture);
            let line = format!("{} {rect:?} {label} {} {weight}\n", picture.display(), subset.name());
            hasher.update(line.as_bytes());
        }
        format!("{:08x}", hasher.finalize())
    }

    /// Number of faces by table and source (`faces/rmfd`), then by subset and class (`train mask`).
    #[must_use]
    pub fn summary(&self) -> BTreeMap<String, BTreeMap<String, usize>> {
        let mut counts: BTreeMap<String, BTreeMap<String, usize>> = BTreeMap::new();
        for face in &self.faces {
            let origin = format!("{}/{}", face.table, face.source);
            let group = format!("{} {}", face.subset.name(), face.label);
            *counts.entry(origin.trim_end_matches('/').to_owned()).or_default().entry(group).or_default() +=
                1;
        }
        counts
    }
}

fn from_tables(
    folder: &Path,
    tables: &[String],
    options: &DatasetOptions,
) -> Result<Vec<DatasetFace>, DatasetError> {
    let paths = tables.iter().map(|name| folder.join(name));
    let rows: Vec<Vec<LabelledBox>> = paths.map(|path| labels::read(&path)).collect::<Result<_, _>>()?;
    let mut faces = faces_of(folder, tables, &rows, options);
    let selection = selection(&faces, options);
    for face in faces.iter_mut().filter(|face| face.subset == Subset::Train) {
        if selection.contains(&face.picture) {
            face.subset = Subset::Selection;
        }
    }
    Ok(faces)
}

/// The faces in the rows of the tables of these names, nothing set aside yet.
fn faces_of(
    folder: &Path,
    tables: &[String],
    rows: &[Vec<LabelledBox>],
    options: &DatasetOptions,
) -> Vec<DatasetFace> {
    let mut faces = Vec::new();
    for (name, rows) in tables.iter().zip(rows) {
        let table =
            Path::new(name).file_stem().map_or_else(String::new, |stem| stem.to_string_lossy().into_owned());
        let large = rows.iter().filter(|row| row.rect.side() >= options.min_side);
        faces.extend(large.map(|row| DatasetFace {
            picture: folder.join("images").join(&row.image),
            rect: row.rect,
            label: row.label,
            subset: if row.split == Split::Val { Subset::Val } else { Subset::Train },
            table: table.clone(),
            source: row.source.clone().unwrap_or_default(),
            weight: 1.0,
        }));
    }
    faces
}

/// Whole pictures of train that are set aside, the same share of every source.
fn selection(faces: &[DatasetFace], options: &DatasetOptions) -> BTreeSet<PathBuf> {
    let mut pictures: BTreeMap<(&str, &str), BTreeSet<PathBuf>> = BTreeMap::new();
    for face in faces.iter().filter(|face| face.subset == Subset::Train) {
        pictures.entry((&face.table, &face.source)).or_default().insert(face.picture.clone());
    }
    let mut chosen = BTreeSet::new();
    for (stratum, pictures) in pictures.into_values().enumerate() {
        let mut generator = stream(options.seed, Purpose::Subsets, stratum as u64);
        chosen.extend(take(pictures.into_iter().collect(), options.selection_share, &mut generator));
    }
    chosen
}

/// A random `share` of `items`, rounded to the nearest number.
fn take<T>(mut items: Vec<T>, share: f64, generator: &mut ChaCha8Rng) -> Vec<T> {
    let count = ((items.len() as f64 * share).round() as usize).min(items.len());
    for place in 0..count {
        let other = generator.random_range(place..items.len());
        items.swap(place, other);
    }
    items.truncate(count);
    items
}

fn from_tree(folder: &Path, options: &DatasetOptions) -> Result<Vec<DatasetFace>, DatasetError> {
    let mut faces = Vec::new();
    let labels = Label::ALL.into_iter().filter(|label| folder.join(label.name()).is_dir());
    for (stratum, label) in labels.enumerate() {
        let paths = pictures_in(&folder.join(label.name()))?;
        let mut generator = stream(options.seed, Purpose::Subsets, stratum as u64);
        let val: BTreeSet<PathBuf> =
            take(paths.clone(), options.val_share, &mut generator).into_iter().collect();
        for picture in paths {
            let (width, height) = dimensions(&picture)?;
            faces.push(DatasetFace {
                rect: Rect::new(0.0, 0.0, width as f32, height as f32),
                label,
                subset: if val.contains(&picture) { Subset::Val } else { Subset::Train },
                table: "folder".to_owned(),
                source: String::new(),
                weight: 1.0,
                picture,
            });
        }
    }
    Ok(faces)
}

/// The JPEG and PNG files of a folder and the folders in it, sorted.
fn pictures_in(folder: &Path) -> Result<Vec<PathBuf>, DatasetError> {
    let failed = |source| DatasetError::Read { path: folder.to_owned(), source };
    let mut pictures = Vec::new();
    for entry in std::fs::read_dir(folder).map_err(failed)? {
        let path = entry.map_err(failed)?.path();
        let extension = path.extension().map(|extension| extension.to_string_lossy().to_lowercase());
        if path.is_dir() {
            pictures.extend(pictures_in(&path)?);
        } else if matches!(extension.as_deref(), Some("jpg" | "jpeg" | "png")) {
            pictures.push(path);
        }
    }
    pictures.sort();
    Ok(pictures)
}

fn dimensions(path: &Path) -> Result<(u32, u32), DatasetError> {
    let reader = image::ImageReader::open(path)
        .and_then(image::ImageReader::with_guessed_format)
        .map_err(|source| DatasetError::Read { path: path.to_owned(), source })?;
    reader
        .into_dimensions()
        .map_err(|error| DatasetError::Picture { path: path.to_owned(), reason: error.to_string() })
}

/// Decodes a face's picture.
///
/// # Errors
/// When the file cannot be read or is not a picture; the error names it.
pub fn open_picture(path: &Path) -> Result<image::RgbImage, DatasetError> {
    let bytes = std::fs::read(path).map_err(|source| DatasetError::Read { path: path.to_owned(), source })?;
    maskwatch::pixels::decode::picture(&bytes)
        .map_err(|error| DatasetError::Picture { path: path.to_owned(), reason: error.to_string() })
}

fn weigh(faces: &mut [DatasetFace], folder: &Path, name: &str, factor: f64) -> Result<(), DatasetError> {
    let list = folder.join(name);
    let listed: BTreeSet<PathBuf> = if list.is_file() {
        let text =
            std::fs::read_to_string(&list).map_err(|source| DatasetError::Read { path: list, source })?;
        text.lines()
            .map(str::trim)
            .filter(|line| !line.is_empty())
            .map(|line| folder.join("images").join(line))
            .collect()
    } else {
        BTreeSet::new()
    };
    let mut found = false;
    for face in faces.iter_mut() {
        if face.table == name || face.source == name || listed.contains(&face.picture) {
            face.weight *= factor;
            found = true;
        }
    }
    if !found {
        let known: BTreeSet<&str> = faces
            .iter()
            .flat_map(|face| [face.table.as_str(), face.source.as_str()])
            .filter(|name| !name.is_empty())
            .collect();
        let known = known.into_iter().collect::<Vec<_>>().join(", ");
        return Err(DatasetError::Weight { name: name.to_owned(), known });
    }
    Ok(())
}

#[cfg(test)]
pub(crate) mod tests;
