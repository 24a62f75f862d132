//! Valid input for each body, to begin with.

use image::codecs::jpeg::JpegEncoder;
use image::{ImageFormat, Rgb, RgbImage};
use std::io::Cursor;
use std::path::Path;

/// Input for the body `name`, some of it from the repository in `root`; `None` where there is no such body or
/// file.
pub(crate) fn seeds(root: &Path, name: &str) -> Option<Vec<Vec<u8>>> {
    let shipped = |file: &str| std::fs::read(root.join(file)).ok();
    let texts = |texts: &[&str]| texts.iter().map(|text| text.as_bytes().to_vec()).collect();
    Some(match name {
        "frame" => (0..8)
            .map(|kind| {
                let bytes = if kind == 7 { jpeg(16, 8) } else { (0..=255).cycle().take(16 * 8 * 3).collect() };
                [&[kind, 16, 8, 0, 0, 0, 0, 0][..], &bytes].concat()
            })
            .collect(),
        "picture" => vec![jpeg(40, 24), png(40, 24), shipped("tests/fixtures/astronaut.jpg")?],
        "mjpeg" => {
            let stream = [b"HTTP/1.1 200 OK\r\n\r\n".to_vec(), jpeg(64, 48), b"\r\n--next\r\n".to_vec(), jpeg(48, 64)].concat();
            vec![[vec![6, 0], stream.clone()].concat(), [vec![255, 40], stream].concat()]
        }
        "weights" => vec![without_checksum(shipped("models/detector.safetensors")?)],
        "int8_weights" => vec![without_checksum(shipped("models/int8.safetensors")?)],
        "config" => vec![
            maskwatch::config::DOCUMENTED.into(),
            b"[source]\nspec = \"command(nv12 64x48): cat x\"\n[outputs.relay]\npin = 5\nkind = \"relay\"\nactive = \"low\"\nalert = \"blink 4 0.25\"\n".to_vec(),
            b"[decision]\nevidence_seconds = 0.3\nwindow_seconds = 2\nbudget_seconds = 1\nvotes = 2\nwindow = 4\nlinger_seconds = 0.5\nre_arm_seconds = 2\n[models]\nthreads = 1\n".to_vec(),
        ],
        "source" => texts(&[
            "/dev/video0",
            "camera:usb-046d_HD_Pro_Webcam_C920-video-index0",
            "command: rpicam-vid -t 0 --codec mjpeg -o -",
            "command(yuv420p 640x480): cat (a):b",
            "pictures:command:x",
            "http://door/stream",
        ]),
        "labels" => texts(&[
            "image,x,y,w,h,label,split\na.jpg,1,2,30,40,mask,val\nb/c.png,0.5,2e1,3,4.25,no_mask,train\n",
            "split,label,h,w,y,x,image,source,n_faces\nval,incorrect,4,3,2,1,\"a,\"\"b\"\".jpg\",web,2\n",
        ]),
        "request" => texts(&[
            "{\"command\":\"pause\",\"seconds\":60}",
            "{\"command\":\"test\",\"state\":\"alert\",\"seconds\":0.5}",
            "{\"type\":\"alert\",\"at\":1.5,\"person\":3}",
        ]),
        "instruction" => texts(&[
            " {\"command\":\"silence\",\"seconds\":60}",
            " {\"command\":\"test\",\"state\":\"alert\",\"seconds\":0.5}",
            "!{\"command\":\"resume\"}",
        ]),
        "http" => texts(&[
            "GET /api/now?since=3 HTTP/1.1\r\nHost: door\r\nCookie: maskwatch=00\r\n\r\n",
            "POST /api/login HTTP/1.1\r\nHost: door\r\nOrigin: http://door\r\nContent-Type: application/json\r\n\
             Content-Length: 16\r\n\r\n{\"password\":\"a\"}GET / HTTP/1.1\r\nHost: door\r\n\r\n",
        ]),
        "secret" => texts(&[
            "$argon2id$v=19$m=19456,t=2,p=1$c29tZSBzYWx0IGhlcmU$MTIzNDU2Nzg5MDEyMzQ1Njc4OTAxMjM0NTY3ODkwMTI",
            "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef",
        ]),
        _ => return None,
    })
}

fn drawn(width: u32, height: u32) -> RgbImage {
    RgbImage::from_fn(width, height, |x, y| Rgb([(5 * x) as u8, (9 * y) as u8, (x * y) as u8]))
}

fn jpeg(width: u32, height: u32) -> Vec<u8> {
    let mut bytes = Vec::new();
    // Into memory: the encoder has nothing to fail at.
    let _ = JpegEncoder::new(&mut bytes).encode_image(&drawn(width, height));
    bytes
}

fn png(width: u32, height: u32) -> Vec<u8> {
    let mut bytes = Cursor::new(Vec::new());
    let _ = drawn(width, height).write_to(&mut bytes, ImageFormat::Png);
    bytes.into_inner()
}

/// The same file under no checksum, so that changed values come to what lies behind it.
fn without_checksum(mut file: Vec<u8>) -> Vec<u8> {
    let name = br#""crc32""#;
    if let Some(place) = file.windows(name.len()).position(|bytes| bytes == name) {
        file[place..place + name.len()].copy_from_slice(br#""sum32""#);
    }
    file
}
