//! The frames of a clip at a wanted rate.

use super::y4m::Y4mReader;
use crate::eval::error::EvalError;
use maskwatch::pixels::picture::Picture;
use std::fs::File;
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

/// Whether ffmpeg can be started; clips that are not YUV4MPEG2 need it.
#[must_use]
pub fn has_ffmpeg() -> bool {
    let ffmpeg = Command::new("ffmpeg").arg("-version").stdout(Stdio::null()).stderr(Stdio::null()).status();
    ffmpeg.is_ok_and(|status| status.success())
}

/// Whether reading the clip `path` takes ffmpeg.
#[must_use]
pub fn needs_ffmpeg(path: &Path) -> bool {
    path.extension().is_none_or(|extension| extension != "y4m")
}

/// Ends ffmpeg when the clip is done with.
struct Decoder(Child);

impl Drop for Decoder {
    fn drop(&mut self) {
        // It has ended already, or is not wanted any more; either way nobody waits for its answer.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// The frames of a clip at a wanted rate: for each time the nearest frame.
pub struct ClipFrames {
    path: PathBuf,
    film: Y4mReader<Box<dyn BufRead + Send>>,
    _decoder: Option<Decoder>,
    /// Frames a second that are given, and how many were.
    rate: f64,
    given: u64,
    /// How many frames of the clip were read, and the last of them.
    read: u64,
    newest: Option<Picture>,
}

impl ClipFrames {
    /// Opens the clip `path`.
    ///
    /// # Errors
    /// When it cannot be read or decoded.
    pub fn open(path: &Path, rate: f64) -> Result<Self, EvalError> {
        let (bytes, decoder) = decoded(path)?;
        let film = Y4mReader::new(bytes).map_err(|error| unreadable(path, &error))?;
        Ok(Self { path: path.into(), film, _decoder: decoder, rate, given: 0, read: 0, newest: None })
    }

    /// The next frame and its time; nothing at the end.
    ///
    /// # Errors
    /// When the clip cannot be decoded to its end.
    pub fn next_frame(&mut self) -> Result<Option<(Duration, Picture)>, EvalError> {
        let seconds = self.given as f64 / self.rate;
        let nearest = (seconds * self.film.rate()).round() as u64;
        while self.read <= nearest {
            match self.film.next_frame().map_err(|error| unreadable(&self.path, &error))? {
                Some(picture) => self.newest = Some(picture),
                None => return Ok(None),
            }
            self.read += 1;
        }
        self.given += 1;
        Ok(self.newest.clone().map(|picture| (Duration::from_secs_f64(seconds), picture)))
    }
}

fn unreadable(path: &Path, problem: &dyn std::fmt::Display) -> EvalError {
    EvalError::Clip { path: path.into(), problem: problem.to_string() }
}

/// The clip's bytes as YUV4MPEG2.
fn decoded(path: &Path) -> Result<(Box<dyn BufRead + Send>, Option<Decoder>), EvalError> {
    if !needs_ffmpeg(path) {
        let file = File::open(path).map_err(|error| unreadable(path, &error))?;
        return Ok((Box::new(BufReader::new(file)), None));
    }
    // The colours of webcams, whatever the clip's are.
    let colours = "scale=out_color_matrix=bt601:out_range=tv";
    let mut decoder = Command::new("ffmpeg")
        .args(["-nostdin", "-v", "error", "-i"])
        .arg(path)
        .args(["-an", "-vf", colours, "-pix_fmt", "yuv420p", "-f", "yuv4mpegpipe", "-"])
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .spawn()
        .map_err(|error| unreadable(path, &format!("ffmpeg could not be started ({error})")))?;
    let frames = decoder.stdout.take().ok_or_else(|| unreadable(path, &"ffmpeg has no output"))?;
    Ok((Box::new(BufReader::with_capacity(1 << 20, frames)), Some(Decoder(decoder))))
}
