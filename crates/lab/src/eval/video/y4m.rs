//! Frames of a film in the format YUV4MPEG2 (a text line for the film, one for each frame, planes between),
//! as ffmpeg writes it.

use maskwatch::pixels::buffer::{Bytes, Pool};
use maskwatch::pixels::format::{FrameFormat, PictureError, PixelFormat};
use maskwatch::pixels::picture::Picture;
use std::io::{BufRead, Read};

/// Longest line of the format that is read, in bytes.
const LONGEST_LINE: u64 = 4096;

/// Why a film could not be read. The texts follow the name of a clip.
#[derive(Debug, thiserror::Error)]
pub enum Y4mError {
    /// The bytes are of another format.
    #[error("it is not a YUV4MPEG2 film in 4:2:0 ({0})")]
    Header(String),
    /// The data ends within a frame or cannot be read.
    #[error("it cannot be read to the end: {0}")]
    Read(#[from] std::io::Error),
    /// A frame is impossible.
    #[error("a frame cannot be used: {0}")]
    Frame(#[from] PictureError),
}

/// Reads a film frame by frame.
pub struct Y4mReader<R> {
    from: R,
    format: FrameFormat,
    rate: f64,
    bytes: usize,
    pool: Pool,
}

impl<R: BufRead> Y4mReader<R> {
    /// Reads the film's line.
    ///
    /// # Errors
    /// When it is of another format.
    pub fn new(mut from: R) -> Result<Self, Y4mError> {
        let line = line(&mut from)?.unwrap_or_default();
        let wrong = || Y4mError::Header(format!("its first line is {line:.60?}"));
        let mut words = line.split(' ');
        if words.next() != Some("YUV4MPEG2") {
            return Err(wrong());
        }
        let (mut width, mut height, mut rate) = (0, 0, None);
        for word in words {
            let Some((kind, value)) = word.split_at_checked(1) else { continue };
            match kind {
                "W" => width = value.parse().map_err(|_| wrong())?,
                "H" => height = value.parse().map_err(|_| wrong())?,
                "F" => rate = ratio(value),
                "C" if !["420", "420jpeg", "420mpeg2", "420paldv"].contains(&value) => return Err(wrong()),
                _ => {}
            }
        }
        let format = FrameFormat::new(PixelFormat::Yuv420p, width, height);
        let bytes = format.bytes()?.ok_or_else(wrong)?;
        let rate = rate.ok_or_else(wrong)?;
        Ok(Self { from, format, rate, bytes, pool: Pool::default() })
    }

    /// Frames a second.
    pub fn rate(&self) -> f64 {
        self.rate
    }

    /// Reads the next frame; nothing at the end.
    ///
    /// # Errors
    /// When the data ends within a frame.
    pub fn next_frame(&mut self) -> Result<Option<Picture>, Y4mError> {
        let Some(line) = line(&mut self.from)? else { return Ok(None) };
        if !line.starts_with("FRAME") {
            return Err(Y4mError::Header(format!("a frame begins with {line:.60?}")));
        }
        let mut bytes: Bytes = self.pool.take();
        bytes.as_mut_vec().resize(self.bytes, 0);
        self.from.read_exact(bytes.as_mut_vec())?;
        Ok(Some(Picture::new(bytes, &self.format)?))
    }
}

fn ratio(text: &str) -> Option<f64> {
    let (frames, seconds) = text.split_once(':')?;
    let rate = frames.parse::<f64>().ok()? / seconds.parse::<f64>().ok()?;
    (rate.is_finite() && rate > 0.0).then_some(rate)
}

/// The next line without its end; nothing where there is none.
fn line(from: &mut impl BufRead) -> Result<Option<String>, Y4mError> {
    let mut bytes = Vec::new();
    from.take(LONGEST_LINE).read_until(b'\n', &mut bytes)?;
    if bytes.is_empty() {
        return Ok(None);
    }
    if bytes.pop() != Some(b'\n') {
        return Err(Y4mError::Header("a line does not end".into()));
    }
    Ok(Some(String::from_utf8_lossy(&bytes).into_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn frames_are_read_to_the_end_and_a_cut_film_is_an_error() {
        let mut film = b"YUV4MPEG2 W4 H2 F30000:1001 Ip A1:1 C420jpeg XYSCSS=420JPEG\n".to_vec();
        for luma in [40u8, 200] {
            film.extend(b"FRAME\n");
            film.extend([luma; 8]);
            film.extend([128; 4]);
        }
        let mut reader = Y4mReader::new(film.as_slice()).unwrap();
        assert!((reader.rate() - 29.97).abs() < 0.01);
        let first = reader.next_frame().unwrap().unwrap().to_rgb();
        let second = reader.next_frame().unwrap().unwrap().to_rgb();
        assert_eq!((first.dimensions(), second.dimensions()), ((4, 2), (4, 2)));
        assert!(first.get_pixel(0, 0).0[0] < second.get_pixel(0, 0).0[0]);
        assert!(reader.next_frame().unwrap().is_none());
        let cut = &film[..film.len() - 3];
        let mut reader = Y4mReader::new(cut).unwrap();
        reader.next_frame().unwrap();
        assert!(matches!(reader.next_frame(), Err(Y4mError::Read(_))));
    }

    #[test]
    fn what_is_no_film_is_refused() {
        for bytes in
            ["", "RIFF", "YUV4MPEG2 W4 H2 F25:1 C444\n", "YUV4MPEG2 W0 H2 F25:1\n", "YUV4MPEG2 W4 H2 F0:0\n"]
        {
            assert!(Y4mReader::new(bytes.as_bytes()).is_err(), "{bytes:?}");
        }
    }
}
