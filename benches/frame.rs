//! What a frame costs before and around the networks: 640×480 frames of each format sampled straight into the
//! networks' buffers, against a full-size RGB picture that fast_image_resize resizes; and JPEG decoded into
//! memory that is used again, against the image crate. In turns, on one thread; medians.
//! `cargo bench --bench frame`

use image::{ImageFormat, RgbImage};
use maskwatch::bench::{interleaved, machine};
use maskwatch::geometry::Rect;
use maskwatch::pixels::buffer::{Bytes, Pool};
use maskwatch::pixels::decode;
use maskwatch::pixels::format::{FrameFormat, PixelFormat};
use maskwatch::pixels::picture::View;
use maskwatch::pixels::preprocess;
use maskwatch::pixels::sampler::Sampler;
use maskwatch_resize::{Filter, Resizer};
use std::cell::RefCell;
use std::hint::black_box;
use std::path::Path;
use std::time::Duration;

const PORTRAIT: &[u8] = include_bytes!("../tests/fixtures/astronaut.jpg");
const SIZE: (u32, u32) = (640, 480);
/// The face on the frame, and how the shipped classifier sees it but for its size.
const FACE: Rect = Rect::new(247.0, 61.0, 85.0, 104.0);
const MARGIN: f32 = 1.1;
/// The detector's inputs and the part of them that a frame of 4:3 fills.
const INPUTS: [((u32, u32), (u32, u32)); 2] = [((320, 256), (320, 240)), ((480, 384), (480, 360))];

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let portrait = image::load_from_memory_with_format(PORTRAIT, ImageFormat::Jpeg)?.to_rgb8();
    let mut picture = RgbImage::from_pixel(SIZE.0, SIZE.1, image::Rgb([90, 95, 100]));
    image::imageops::replace(&mut picture, &preprocess::resize(&portrait, 480, 480), 80, 0);
    let mut arguments = std::env::args().skip_while(|argument| argument != "--write");
    if let (Some(_), Some(folder)) = (arguments.next(), arguments.next()) {
        return write(&portrait, Path::new(&folder));
    }
    println!("{}; one thread; medians in milliseconds", machine());

    println!("\nto the detector's input    RGB picture, then resized    straight");
    let state = RefCell::new((Sampler::default(), vec![0; 3 * 480 * 384], Resizer::default()));
    for pixels in [PixelFormat::Rgb24, PixelFormat::Yuyv422, PixelFormat::Nv12, PixelFormat::Yuv420p] {
        let format = FrameFormat::new(pixels, SIZE.0, SIZE.1);
        let bytes = encode(&picture, pixels);
        let view = View::new(&bytes, &format)?;
        for (input, fitted) in INPUTS {
            let straight = || {
                let (sampler, canvas, _) = &mut *state.borrow_mut();
                sampler.letterbox(view, input, canvas);
            };
            let resized = || {
                let (_, canvas, resizer) = &mut *state.borrow_mut();
                let rgb = decode::frame_to_rgb(&bytes, &format).unwrap_or_default();
                let bytes = 3 * fitted.0 as usize * fitted.1 as usize;
                assert!(resizer.resize(&rgb, None, fitted, Filter::Bilinear, &mut canvas[..bytes]));
            };
            let [before, now] = medians([Box::new(resized), Box::new(straight)]);
            println!("{pixels:8} {:>3}x{}  {before:22.3}  {now:18.3}", input.0, input.1);
        }
    }

    println!("\na face's crop              whole RGB picture first      straight");
    for pixels in [PixelFormat::Rgb24, PixelFormat::Yuyv422, PixelFormat::Nv12] {
        let format = FrameFormat::new(pixels, SIZE.0, SIZE.1);
        let bytes = encode(&picture, pixels);
        let view = View::new(&bytes, &format)?;
        for side in [128, 224] {
            let straight = || {
                let (sampler, canvas, _) = &mut *state.borrow_mut();
                sampler.face_crop(view, &FACE, MARGIN, side, canvas);
            };
            let whole = || {
                black_box(preprocess::face_crop(&view.to_rgb(), &FACE, MARGIN, side));
            };
            let [before, now] = medians([Box::new(whole), Box::new(straight)]);
            println!("{pixels:8} {side:>3}      {before:22.3}  {now:18.3}");
        }
    }

    let mut jpeg = Vec::new();
    picture.write_to(&mut std::io::Cursor::new(&mut jpeg), ImageFormat::Jpeg)?;
    let (raw, decoded) = (Pool::default(), Pool::default());
    let format = FrameFormat::new(PixelFormat::Mjpeg, SIZE.0, SIZE.1);
    let [before, now] = medians([
        Box::new(|| {
            black_box(image::load_from_memory_with_format(&jpeg, ImageFormat::Jpeg).is_ok());
        }),
        Box::new(|| {
            let mut bytes: Bytes = raw.take();
            bytes.as_mut_vec().extend_from_slice(&jpeg);
            black_box(decode::frame(bytes, &format, &decoded).is_ok());
        }),
    ]);
    println!("\nJPEG, {} bytes       image crate                  memory used again", jpeg.len());
    println!("                 {before:22.3}  {now:18.3}");
    Ok(())
}

/// Frames with nobody on them, the space shuttle behind the astronaut, for benches/daemon.sh.
fn write(portrait: &RgbImage, folder: &Path) -> Result<(), Box<dyn std::error::Error>> {
    let nobody = image::imageops::crop_imm(portrait, 345, 94, 150, 112).to_image();
    let nobody = preprocess::resize(&nobody, SIZE.0, SIZE.1);
    std::fs::write(folder.join("yuyv422"), encode(&nobody, PixelFormat::Yuyv422))?;
    nobody.save_with_format(folder.join("mjpeg"), ImageFormat::Jpeg)?;
    Ok(())
}

fn medians(contestants: [Box<dyn FnMut() + '_>; 2]) -> [f64; 2] {
    let mut contestants = Vec::from(contestants);
    let spreads = interleaved(Duration::from_secs(1), &mut contestants);
    [spreads[0].p50_ms, spreads[1].p50_ms]
}

/// BT.601 in limited range, chroma of each pair's first pixel: near enough for timing.
fn encode(picture: &RgbImage, pixels: PixelFormat) -> Vec<u8> {
    let (width, height) = picture.dimensions();
    let coded = |x: u32, y: u32| -> [u8; 3] {
        let [r, g, b] = picture.get_pixel(x, y).0.map(i32::from);
        let luma = 16 + ((66 * r + 129 * g + 25 * b) >> 8);
        let cb = 128 + ((-38 * r - 74 * g + 112 * b) >> 8);
        let cr = 128 + ((112 * r - 94 * g - 18 * b) >> 8);
        [luma, cb, cr].map(|value| value.clamp(0, 255) as u8)
    };
    let places = |step: u32| {
        (0..height).step_by(step as usize).flat_map(move |y| (0..width).step_by(2).map(move |x| (x, y)))
    };
    let luma = (0..height).flat_map(|y| (0..width).map(move |x| coded(x, y)[0]));
    match pixels {
        PixelFormat::Yuyv422 => places(1)
            .flat_map(|(x, y)| {
                let [first, cb, cr] = coded(x, y);
                [first, cb, coded(x + 1, y)[0], cr]
            })
            .collect(),
        PixelFormat::Nv12 => luma
            .chain(places(2).flat_map(|(x, y)| {
                let [_, cb, cr] = coded(x, y);
                [cb, cr]
            }))
            .collect(),
        PixelFormat::Yuv420p => {
            let plane = |index: usize| places(2).map(move |(x, y)| coded(x, y)[index]);
            luma.chain(plane(1)).chain(plane(2)).collect()
        }
        _ => picture.as_raw().clone(),
    }
}
