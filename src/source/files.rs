//! Pictures and folders of pictures as a source. [`load`] reads a single picture file.
//!
//! Unlike a camera, this source drops no picture: each is delivered, or reported as skipped, in order.

use std::collections::BTreeSet;
use std::fs::{self, File};
use std::io::Read;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use image::RgbImage;

use super::timing::Pace;
use super::{Frame, Next, Skipped, Source, SourceError};
use crate::pixels::decode;

/// Maximum size of a picture file in bytes; no picture within the limit of pixels is larger.
const MAX_FILE_SIZE: u64 = 256 << 20;
/// Extensions of picture files inside folders, in lower or upper case.
const EXTENSIONS: [&str; 3] = ["jpg", "jpeg", "png"];

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

/// Lists the pictures of `path`: the path itself if it is a file, otherwise every .jpg, .jpeg and .png in it
/// and in the folders below, sorted by path. Hidden files and folders are left out. Links are followed; each
/// folder is read once.
///
/// # Errors
/// If `path` or a folder below it cannot be read, or if it contains no picture.
pub fn list(path: &Path) -> Result<Vec<PathBuf>, SourceError> {
    let unreadable = |path: &Path, error| SourceError::Unreadable { path: path.to_owned(), error };
    if !fs::metadata(path).map_err(|error| unreadable(path, error))?.is_dir() {
        return Ok(vec![path.to_owned()]);
    }
    let mut pictures = Vec::new();
    let mut seen = BTreeSet::new();
    let mut folders = vec![path.to_owned()];
    while let Some(folder) = folders.pop() {
        let failed = |error| unreadable(&folder, error);
        if !seen.insert(fs::canonicalize(&folder).map_err(failed)?) {
            continue;
        }
        for entry in fs::read_dir(&folder).map_err(failed)? {
            let entry = entry.map_err(failed)?;
            let path = entry.path();
            if entry.file_name().as_encoded_bytes().starts_with(b".") {
                continue;
            }
            // `Path::is_dir` follows links; a broken link is not a folder, and later not a readable picture.
            if path.is_dir() {
                folders.push(path);
            } else if has_picture_name(&path) {
                pictures.push(path);
            }
        }
    }
    if pictures.is_empty() {
        return Err(SourceError::NoPictures { path: path.to_owned() });
    }
    pictures.sort();
    Ok(pictures)
}

fn has_picture_name(path: &Path) -> bool {
    let extension = path.extension().and_then(|extension| extension.to_str()).unwrap_or_default();
    EXTENSIONS.iter().any(|known| extension.eq_ignore_ascii_case(known))
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
            found.extend(list(path.as_ref())?);
        }
        Ok(Self {
            paths: found,
            place: 0,
            repeat,
            pace: frames_per_second.and_then(Pace::new),
            sequence: 0,
            good_in_this_round: false,
            last_defect: String::new(),
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
            Err(SourceError::BadPicture { reason, .. }) => {
                self.last_defect = format!("{name}: {reason}");
                Ok(Next::Skipped(Skipped { name, reason }))
            }
            Err(other) => Err(other),
        }
    }

    /// Goes back to the first picture. A round without a usable picture is an error, since the source would
    /// go on without end and give no frame.
    fn rewind(&mut self) -> Result<(), SourceError> {
        if !std::mem::take(&mut self.good_in_this_round) {
            let last = std::mem::take(&mut self.last_defect);
            return Err(SourceError::OnlyBadPictures { count: self.paths.len(), last });
        }
        self.place = 0;
        Ok(())
    }
}

impl Source for Pictures {
    /// A file that is missing or may not be read is an error, but not the end: the next call goes on with the
    /// next file.
    fn next(&mut self, wait: Duration) -> Result<Next, SourceError> {
        if self.place == self.paths.len() && self.repeat && !self.paths.is_empty() {
            self.rewind()?;
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
