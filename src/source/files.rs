//! Pictures and folders of pictures as a source. [`load`] reads a single picture file.
//!
//! Unlike a camera, this source drops no picture: each is delivered, or reported as skipped, in order.

use std::collections::{BTreeMap, BTreeSet};
use std::fs::{self, File};
use std::io::Read;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use image::RgbImage;

use super::timing::Pace;
use super::{Frame, Next, Skipped, Source, SourceError};
use crate::pixels::decode;
use crate::pixels::format::PictureError;

/// Maximum size of a picture file in bytes; no picture within the limit of pixels is larger.
const MAX_FILE_SIZE: u64 = 256 << 20;
/// The header of a picture is within this many bytes, even behind a thumbnail and colour profiles.
const HEADER: u64 = 4 << 20;
/// Extensions of picture files inside folders, in lower or upper case.
const EXTENSIONS: [&str; 6] = ["jpg", "jpeg", "jpe", "jfif", "mpo", "png"];
/// Kinds of pictures and videos that are not read, with their extensions.
const OTHERS: [(&str, &[&str]); 9] = [
    ("HEIC", &["heic", "heif", "hif"]),
    ("WebP", &["webp"]),
    ("AVIF", &["avif"]),
    ("GIF", &["gif"]),
    ("BMP", &["bmp"]),
    ("TIFF", &["tif", "tiff"]),
    ("JPEG XL or JPEG 2000", &["jxl", "jp2", "j2k"]),
    ("raw", &["dng", "cr2", "cr3", "nef", "arw", "raf", "orf", "rw2"]),
    ("video", &["mp4", "mov", "avi", "mkv", "webm", "m4v", "mts"]),
];

/// Reads one JPEG or PNG picture, upright, 8-bit RGB.
///
/// # Errors
/// [`SourceError::Unreadable`]; [`SourceError::NotAPictureFile`] for a folder, device or pipe and for a file
/// of more than 256 MiB; [`SourceError::BadPicture`]. Each names the file.
pub fn load(path: &Path) -> Result<RgbImage, SourceError> {
    let bytes = read(path)?;
    decode::picture(&bytes).map_err(|reason| SourceError::BadPicture { path: path.to_owned(), reason })
}

fn read(path: &Path) -> Result<Vec<u8>, SourceError> {
    let unreadable = |error| SourceError::Unreadable { path: path.to_owned(), error };
    let odd = |found| SourceError::NotAPictureFile { path: path.to_owned(), found };
    // Checked before it is opened: to open a named pipe would wait for its writer.
    let metadata = fs::metadata(path).map_err(unreadable)?;
    if metadata.is_dir() {
        return Err(odd("it is a folder"));
    }
    if !metadata.is_file() {
        return Err(odd("it is a device or a pipe"));
    }
    if metadata.len() > MAX_FILE_SIZE {
        return Err(odd("it is larger than 256 MiB"));
    }
    let mut bytes = Vec::with_capacity(metadata.len() as usize);
    File::open(path).and_then(|file| file.take(MAX_FILE_SIZE).read_to_end(&mut bytes)).map_err(unreadable)?;
    Ok(bytes)
}

/// The pictures that a path stands for.
#[derive(Debug, Default)]
pub struct Listing {
    /// The pictures, sorted by path.
    pub pictures: Vec<PathBuf>,
    /// What could not be read below a folder; the rest is listed.
    pub problems: Vec<SourceError>,
    /// How many pictures and videos of other kinds were left out, by the kind's name.
    pub left_out: BTreeMap<&'static str, usize>,
}

impl Listing {
    /// What was left out, with the mend, in one sentence; `None` if nothing was.
    #[must_use]
    pub fn note(&self) -> Option<String> {
        if self.left_out.is_empty() {
            return None;
        }
        let kinds: Vec<String> =
            self.left_out.iter().map(|(kind, count)| format!("{count} {kind}")).collect();
        Some(format!(
            "{} left out: maskwatch reads JPEG and PNG; convert pictures, for example with `magick mogrify -format jpg *.heic`",
            kinds.join(", ")
        ))
    }
}

/// Lists the pictures of `path`: the path itself if it is a file, otherwise every picture in it and in the
/// folders below, by its extension. Hidden files and folders are left out. Links are followed; each folder is
/// read once.
///
/// # Errors
/// If `path` itself cannot be read, or if it contains no picture.
pub fn list(path: &Path) -> Result<Listing, SourceError> {
    let unreadable = |path: &Path, error| SourceError::Unreadable { path: path.to_owned(), error };
    if !fs::metadata(path).map_err(|error| unreadable(path, error))?.is_dir() {
        return Ok(Listing { pictures: vec![path.to_owned()], ..Listing::default() });
    }
    let mut listing = Listing::default();
    let mut seen = BTreeSet::new();
    let mut folders = vec![path.to_owned()];
    while let Some(folder) = folders.pop() {
        let entries = fs::canonicalize(&folder)
            .and_then(|real| if seen.insert(real) { fs::read_dir(&folder).map(Some) } else { Ok(None) });
        let entries = match entries {
            Ok(Some(entries)) => entries,
            Ok(None) => continue,
            Err(error) if folder == path => return Err(unreadable(path, error)),
            Err(error) => {
                listing.problems.push(unreadable(&folder, error));
                continue;
            }
        };
        for entry in entries {
            let entry = match entry {
                Ok(entry) => entry,
                Err(error) => {
                    listing.problems.push(unreadable(&folder, error));
                    break;
                }
            };
            let path = entry.path();
            if entry.file_name().as_encoded_bytes().starts_with(b".") {
                continue;
            }
            // `Path::is_dir` follows links; a broken link is not a folder, and later not a readable picture.
            if path.is_dir() {
                folders.push(path);
            } else if has_extension(&path, &EXTENSIONS) {
                listing.pictures.push(path);
            } else if let Some((kind, _)) = OTHERS.iter().find(|(_, others)| has_extension(&path, others)) {
                *listing.left_out.entry(kind).or_default() += 1;
            }
        }
    }
    if listing.pictures.is_empty() && listing.problems.is_empty() {
        let left_out = listing.note().map_or_else(String::new, |note| format!(" ({note})"));
        return Err(SourceError::NoPictures { path: path.to_owned(), left_out });
    }
    listing.pictures.sort();
    Ok(listing)
}

fn has_extension(path: &Path, extensions: &[&str]) -> bool {
    let extension = path.extension().and_then(|extension| extension.to_str()).unwrap_or_default();
    extensions.iter().any(|known| extension.eq_ignore_ascii_case(known))
}

/// The width and height of a picture file, as its header says; `None` if it does not say so in its first
/// part.
#[must_use]
pub fn dimensions(path: &Path) -> Option<(u32, u32)> {
    if !fs::metadata(path).ok()?.is_file() {
        return None;
    }
    let mut bytes = Vec::new();
    File::open(path).and_then(|file| file.take(HEADER).read_to_end(&mut bytes)).ok()?;
    decode::dimensions(&bytes)
}

/// A source of picture files.
#[derive(Debug)]
pub struct Pictures {
    paths: Vec<PathBuf>,
    place: usize,
    repeat: bool,
    pace: Option<Pace>,
    sequence: u64,
    good_in_this_round: bool,
    last_defect: String,
    ended: bool,
}

impl Pictures {
    /// Lists the pictures of all `paths`, in their order. At most `frames_per_second` are delivered, or as
    /// many as are asked for. With `repeat` the first picture follows the last one.
    ///
    /// # Errors
    /// As [`list`].
    pub fn open<P: AsRef<Path>>(
        paths: impl IntoIterator<Item = P>,
        frames_per_second: Option<f32>,
        repeat: bool,
    ) -> Result<Self, SourceError> {
        let mut found = Vec::new();
        for path in paths {
            let listing = list(path.as_ref())?;
            for problem in &listing.problems {
                log::warn!("{problem}");
            }
            if let Some(note) = listing.note() {
                log::warn!("{}: {note}", path.as_ref().display());
            }
            found.extend(listing.pictures);
        }
        Ok(Self {
            paths: found,
            place: 0,
            repeat,
            pace: frames_per_second.and_then(Pace::new),
            sequence: 0,
            good_in_this_round: false,
            last_defect: String::new(),
            ended: false,
        })
    }

    /// Number of pictures in one round.
    #[must_use]
    pub fn len(&self) -> usize {
        self.paths.len()
    }

    /// Whether there is no picture.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.paths.is_empty()
    }

    fn load_next(&mut self, now: Instant) -> Result<Next, SourceError> {
        let Some(path) = self.paths.get(self.place) else { return Ok(Next::End) };
        let name = path.display().to_string();
        let sequence = self.sequence;
        self.place += 1;
        self.sequence += 1;
        match load(path) {
            Ok(picture) => {
                self.good_in_this_round = true;
                Ok(Next::Frame(Frame { picture: picture.into(), name: Some(name), sequence, captured: now }))
            }
            Err(error) => {
                let reason = match error {
                    SourceError::BadPicture { reason, .. } => reason,
                    SourceError::Unreadable { error, .. } => PictureError::Unreadable(error.to_string()),
                    SourceError::NotAPictureFile { found, .. } => PictureError::Unreadable(found.to_owned()),
                    other => return Err(other),
                };
                self.last_defect = format!("{name}: {reason}");
                Ok(Next::Skipped(Skipped { name, reason }))
            }
        }
    }

    /// A round without a usable picture is an error: a source that repeats would go on without end and give
    /// no frame, and one that ends would seem to have done its work.
    fn end_round(&mut self) -> Result<(), SourceError> {
        if self.place > 0 && !std::mem::take(&mut self.good_in_this_round) {
            let last = std::mem::take(&mut self.last_defect);
            return Err(SourceError::OnlyBadPictures { count: self.paths.len(), last });
        }
        Ok(())
    }
}

impl Source for Pictures {
    /// A file that has vanished or may not be read is skipped like one that is damaged.
    fn next(&mut self, wait: Duration) -> Result<Next, SourceError> {
        if self.place == self.paths.len() && !self.ended {
            self.end_round()?;
            (self.place, self.ended) = if self.repeat { (0, false) } else { (self.place, true) };
        }
        let mut now = Instant::now();
        if let Some(pace) = &mut self.pace
            && self.place < self.paths.len()
        {
            let delay = pace.delay(now);
            std::thread::sleep(delay.min(wait));
            if delay > wait {
                return Ok(Next::Nothing);
            }
            now = Instant::now();
            pace.took(now);
        }
        self.load_next(now)
    }

    fn describe(&self) -> String {
        match &*self.paths {
            [only] => format!("picture {}", only.display()),
            [first, .., last] => {
                format!("{} pictures, {} to {}", self.paths.len(), first.display(), last.display())
            }
            [] => "no pictures".to_owned(),
        }
    }
}
