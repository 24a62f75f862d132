//! The camera of the soak: a command that writes frames as the plan says, and misbehaves as the plan says.
//! Started by the daemon, again and again; where it is in the plan follows from the clock.

use crate::plan::{Fault, Numbers, Phase, Plan, Scene, monotonic};
use image::codecs::jpeg::JpegEncoder;
use image::{Rgb, RgbImage, imageops};
use std::fs;
use std::io::Write;
use std::path::Path;
use std::time::Duration;

pub(crate) const SIZE: (u32, u32) = (640, 480);
/// Frames a second.
const RATE: f64 = 10.0;
/// Pictures of each scene, which differ as those of a person who does not stand quite still.
const VARIANTS: usize = 4;

/// The two ways in which frames are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Format {
    Mjpeg,
    Yuyv,
}

impl Format {
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Mjpeg => "mjpeg",
            Self::Yuyv => "yuyv",
        }
    }
}

/// Draws the pictures of all scenes into `folder`, in both formats.
pub(crate) fn draw(folder: &Path, numbers: &mut Numbers) -> Result<(), String> {
    let fixture = |name: &str| {
        let path = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/fixtures/");
        image::open(format!("{path}{name}"))
            .map(image::DynamicImage::into_rgb8)
            .map_err(|error| error.to_string())
    };
    let portraits = [("bare", fixture("astronaut.jpg")?), ("masked", fixture("astronaut-masked.jpg")?)];
    for variant in 0..VARIANTS {
        let mut wall = RgbImage::from_fn(SIZE.0, SIZE.1, |x, y| {
            let light = 70 + (x / 8 + y / 6) as u8 / 2 + (numbers.next() % 5) as u8;
            // A door post: without an edge the camera would seem to be covered.
            let shade = if (600..620).contains(&x) { light / 2 } else { light };
            Rgb([shade, shade, shade / 8 * 7])
        });
        save(folder, "nobody", variant, &wall)?;
        let black = RgbImage::new(SIZE.0, SIZE.1);
        save(folder, "black", variant, &black)?;
        let at = |numbers: &mut Numbers, around: i64| around + numbers.below(9) as i64 - 4;
        let (x, y) = (at(numbers, 80), at(numbers, 10));
        for (name, portrait) in &portraits {
            let person = imageops::resize(portrait, 460, 460, imageops::FilterType::Triangle);
            imageops::overlay(&mut wall, &person, x, y);
            save(folder, name, variant, &wall)?;
        }
    }
    Ok(())
}

fn save(folder: &Path, name: &str, variant: usize, picture: &RgbImage) -> Result<(), String> {
    let mut jpeg = Vec::new();
    JpegEncoder::new_with_quality(&mut jpeg, 85).encode_image(picture).map_err(|error| error.to_string())?;
    for (format, bytes) in [(Format::Mjpeg, jpeg), (Format::Yuyv, yuyv(picture))] {
        let path = folder.join(format!("{name}-{variant}.{}", format.name()));
        fs::write(&path, bytes).map_err(|error| format!("{}: {error}", path.display()))?;
    }
    Ok(())
}

/// BT.601 in limited range (ITU-R BT.601-7), each pair of pixels with the colour of its first one.
fn yuyv(picture: &RgbImage) -> Vec<u8> {
    let row = |pair: &[u8]| {
        let value = |at: usize| f32::from(pair[at]);
        let luma = |at: usize| 16.0 + 0.257 * value(at) + 0.504 * value(at + 1) + 0.098 * value(at + 2);
        let (red, green, blue) = (value(0), value(1), value(2));
        let cb = 128.0 - 0.148 * red - 0.291 * green + 0.439 * blue;
        let cr = 128.0 + 0.439 * red - 0.368 * green - 0.071 * blue;
        [luma(0), cb, luma(3), cr].map(|value| value.round() as u8)
    };
    picture.as_raw().chunks_exact(6).flat_map(row).collect()
}

struct Pictures(Vec<(&'static str, Vec<Vec<u8>>)>);

impl Pictures {
    fn load(folder: &Path, format: Format) -> std::io::Result<Self> {
        let mut pictures = Vec::new();
        for name in ["nobody", "bare", "masked", "black"] {
            let variant = |index| fs::read(folder.join(format!("{name}-{index}.{}", format.name())));
            pictures.push((name, (0..VARIANTS).map(variant).collect::<Result<_, _>>()?));
        }
        Ok(Self(pictures))
    }

    fn get(&self, name: &str, count: usize) -> &[u8] {
        let (_, variants) = self.0.iter().find(|(known, _)| *known == name).unwrap_or(&self.0[0]);
        &variants[count % variants.len()]
    }
}

/// Writes frames until the reader is gone. Appends its process number to the file `writers` of `folder`.
pub(crate) fn run(folder: &Path, format: Format, start: f64) -> Result<(), Box<dyn std::error::Error>> {
    let mut log = fs::OpenOptions::new().create(true).append(true).open(folder.join("writers"))?;
    writeln!(log, "{}", std::process::id())?;
    let plan: Plan = fs::read_to_string(folder.join("plan"))?.parse()?;
    let pictures = Pictures::load(folder, format)?;
    let mut out = std::io::stdout().lock();
    let mut numbers = Numbers(u64::from(std::process::id()));
    // A stall that the daemon must end is over for the command that it starts next.
    let born = monotonic() - start;
    for count in 0.. {
        std::thread::sleep(Duration::from_secs_f64(1.0 / RATE));
        let now = monotonic() - start;
        let Some(Phase { scene, fault, from, .. }) = plan.at(now) else { return Ok(()) };
        let picture = pictures.get(scene.name(), count);
        match fault {
            Some(Fault::Loss) if count % 2 == 0 => {}
            Some(Fault::Loss) => {
                std::thread::sleep(Duration::from_millis(numbers.below(60) as u64));
                out.write_all(picture)?;
            }
            Some(Fault::SomeCorrupt) if numbers.below(3) > 0 => out.write_all(picture)?,
            Some(fault @ (Fault::SomeCorrupt | Fault::AllCorrupt)) => {
                let all = *fault == Fault::AllCorrupt;
                out.write_all(&corrupt(picture, format, all, &mut numbers))?;
            }
            Some(Fault::Stall) => {}
            Some(Fault::LongStall) if born < *from => {}
            Some(Fault::Exit) if born < *from => {
                out.write_all(&picture[..picture.len() / 2])?;
                out.flush()?;
                std::process::exit(3);
            }
            Some(Fault::Black) => out.write_all(pictures.get("black", count))?,
            // What else there is, is done to the processes from outside.
            _ => out.write_all(picture)?,
        }
        out.flush()?;
    }
    Ok(())
}

/// Cut off, or not a picture at all; where some are still whole, also with its image data overwritten, which
/// may leave something that can be decoded. Raw frames have no marks by which a reader could find the next
/// one: of them the bytes are right in number and noise, or none at all.
fn corrupt(picture: &[u8], format: Format, all: bool, numbers: &mut Numbers) -> Vec<u8> {
    let mut bytes = picture.to_vec();
    let noise = |numbers: &mut Numbers, bytes: &mut [u8]| bytes.fill_with(|| numbers.next() as u8);
    match (format, all, numbers.below(3)) {
        (Format::Yuyv, true, _) => bytes.clear(),
        (Format::Yuyv, false, _) => noise(numbers, &mut bytes),
        (Format::Mjpeg, _, 0) => bytes.truncate(picture.len() / 4 + numbers.below(picture.len() / 2)),
        (Format::Mjpeg, false, 1) => noise(numbers, &mut bytes[picture.len() / 3..picture.len() / 2]),
        (Format::Mjpeg, ..) => noise(numbers, &mut bytes),
    }
    bytes
}

/// The scene's outputs when all is well.
pub(crate) const fn lit(scene: Scene) -> &'static [&'static str] {
    match scene {
        Scene::Nobody => &[],
        Scene::Bare => &["red"],
        Scene::Masked => &["green"],
    }
}
