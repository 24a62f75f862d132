//! What is done with foreign bytes, by the fuzz targets and by their twin among the tests
//! (crates/lab/tests/lab/fuzz_twin.rs). Any bytes may come; what is accepted has to hold what its type
//! promises. A body fails by a panic.

use image::RgbImage;
use maskwatch::config::{Config, OrderKind, PathChoice, WebConfig};
use maskwatch::daemon::listeners::Instructions;
use maskwatch::daemon::listeners::socket::protocol::{LONGEST_REQUEST, Message, Request};
use maskwatch::daemon::listeners::web::password::WebPassword;
use maskwatch::daemon::listeners::web::{Answers, Sessions, Token, WebParts};
use maskwatch::daemon::orders;
use maskwatch::http::{HttpLimits, answer_bytes};
use maskwatch::nn::int8::{self, QuantizedWeights};
use maskwatch::nn::weights::Weights;
use maskwatch::pixels::buffer::Pool;
use maskwatch::pixels::decode;
use maskwatch::pixels::format::{FrameFormat, MAX_PIXELS, PixelFormat};
use maskwatch::pixels::yuv::{Colours, Matrix, Range};
use maskwatch::source::SourceSpec;
use maskwatch::source::mjpeg::Splitter;
use maskwatch_kernels::int8::Reference;
use maskwatch_lab::data::labels;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

/// A body by the name of its target.
pub(crate) type Body = fn(&[u8]);

/// All of them.
pub(crate) const BODIES: [(&str, Body); 12] = [
    ("frame", frame),
    ("picture", picture),
    ("mjpeg", mjpeg),
    ("weights", weights),
    ("int8_weights", int8_weights),
    ("config", config),
    ("source", source),
    ("labels", labels),
    ("request", request),
    ("instruction", instruction),
    ("http", http),
    ("secret", secret),
];

/// A camera's frame: eight bytes say what it is taken for, the others are its bytes.
pub(crate) fn frame(data: &[u8]) {
    let Some((&[kind, width, height, gap, matrix, range, scale, _], bytes)) = data.split_first_chunk() else {
        return;
    };
    let pixels = PixelFormat::ALL[usize::from(kind) % PixelFormat::ALL.len()];
    // Sizes that the bytes may be enough for, and some that no bytes are.
    let scale = 1 << (scale % 24);
    let format = FrameFormat {
        pixels,
        width: u32::from(width) * if matrix & 0x80 == 0 { 1 } else { scale },
        height: u32::from(height) * if range & 0x80 == 0 { 1 } else { scale },
        stride: if gap == 0 { 0 } else { usize::from(width) * 3 + usize::from(gap) },
        colours: Colours {
            matrix: [Matrix::Bt601, Matrix::Bt709, Matrix::Bt2020, Matrix::Smpte240m]
                [usize::from(matrix % 4)],
            range: [Range::Limited, Range::Full][usize::from(range % 2)],
        },
    };
    let needed = format.bytes();
    let rgb = decode::frame_to_rgb(bytes, &format);
    let picture = decode::frame(bytes.to_vec().into(), &format, &Pool::default());
    assert_eq!(rgb.is_ok(), picture.is_ok());
    let (Ok(rgb), Ok(picture)) = (rgb, picture) else { return };
    assert_eq!(rgb.dimensions(), picture.dimensions());
    assert!(rgb == picture.to_rgb());
    if let Ok(Some(needed)) = needed {
        assert_eq!(rgb.dimensions(), (format.width, format.height));
        assert!(needed <= bytes.len(), "a frame was made of fewer bytes than it takes");
    }
    check(&rgb);
}

/// A picture file.
pub(crate) fn picture(data: &[u8]) {
    if let Ok(rgb) = decode::picture(data) {
        check(&rgb);
    }
}

fn check(picture: &RgbImage) {
    let (width, height) = picture.dimensions();
    let pixels = u64::from(width) * u64::from(height);
    assert!(pixels > 0 && pixels <= MAX_PIXELS);
    assert_eq!(picture.as_raw().len() as u64, 3 * pixels);
}

/// A pipe of JPEG pictures: the first two bytes say how it is cut and where a picture is given up.
pub(crate) fn mjpeg(data: &[u8]) {
    let Some((&[step, limit], stream)) = data.split_first_chunk() else { return };
    let limit = if limit == 0 { usize::MAX } else { 40 * usize::from(limit) };
    let mut splitter = Splitter::with_limit(limit);
    let (mut used, mut longest) = (0, 0);
    for chunk in stream.chunks(1 + usize::from(step)) {
        splitter.push(chunk, |picture| {
            assert!(picture.starts_with(&[0xFF, 0xD8]) && picture.ends_with(&[0xFF, 0xD9]));
            (used, longest) = (used + picture.len(), longest.max(picture.len()));
            // As from a camera that agreed on a size.
            let format = FrameFormat::new(PixelFormat::Mjpeg, 64, 64);
            if let Ok(rgb) = decode::frame_to_rgb(picture, &format) {
                assert!(rgb.width() * rgb.height() <= 2 * 64 * 64);
                check(&rgb);
            }
        });
    }
    assert!(longest <= limit.saturating_add(1));
    assert!(splitter.stray() as usize + used <= stream.len(), "a byte was counted twice");
}

/// A file of f32 weights.
pub(crate) fn weights(data: &[u8]) {
    let Ok(weights) = Weights::from_bytes(data, Path::new("fuzz")) else { return };
    for tensor in weights.tensors().values() {
        let values = tensor.flatten_all().and_then(|tensor| tensor.to_vec1::<f32>());
        assert!(values.is_ok_and(|values| values.iter().all(|value| value.is_finite())));
    }
    // Whether they are those of a network is another question, which must not be the end either.
    let _ = maskwatch::nn::yunet::YuNet::new(&weights, maskwatch::nn::Mode::Inference);
    let _ = maskwatch::nn::mobilenet_v2::MobileNetV2::new(&weights, maskwatch::nn::Mode::Inference);
}

/// A file of int8 weights.
pub(crate) fn int8_weights(data: &[u8]) {
    let Ok(weights) = QuantizedWeights::from_bytes(data.to_vec(), Path::new("fuzz")) else { return };
    let _ = int8::yunet::YuNet::new(&weights, int8::yunet::DETECTOR, &Reference::UNSIGNED);
    let _ = int8::mobilenet_v2::MobileNetV2::new(&weights, &Reference::UNSIGNED);
}

/// A line that a client of the local socket sends, and one that it gets.
pub(crate) fn request(data: &[u8]) {
    match Request::parse(data) {
        Ok(request) => {
            assert!(data.len() <= LONGEST_REQUEST);
            if let Err(problem) = request.command() {
                assert!(problem.contains("use ") && !problem.contains(char::is_control), "{problem:?}");
            }
        }
        Err(problem) => assert!(!problem.is_empty() && !problem.contains(char::is_control), "{problem:?}"),
    }
    if let Ok(message) = Message::parse(data) {
        let line = message.line();
        assert_eq!(line.bytes().filter(|byte| *byte == b'\n').count(), 1, "{line:?}");
    }
}

/// A message of a broker on the topic of orders; the first byte says whether it was kept.
pub(crate) fn instruction(data: &[u8]) {
    let Some((&kept, payload)) = data.split_first() else { return };
    let (sender, received) = orders();
    let mut instructions = Instructions::new(vec![OrderKind::Silence, OrderKind::Test], sender);
    let answer = instructions.take(payload, kept & 1 == 1);
    let order = received.next();
    assert_eq!(answer.is_none(), order.is_some(), "what is not followed is answered at once");
    assert!(kept & 1 == 0 || order.is_none(), "a kept order is followed");
    if let Some(Message::Answer { ok, error, .. }) = &answer {
        assert!(!ok && error.as_ref().is_some_and(|error| !error.contains(char::is_control)), "{answer:?}");
    }
}

/// A configuration.
pub(crate) fn config(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else { return };
    match Config::parse(text, "fuzz.toml") {
        Ok(config) => {
            assert_eq!(config.source.spec.to_string().parse(), Ok(config.source.spec.clone()));
            assert!(config.decision.evidence <= config.decision.window);
            assert!(config.decision.linger <= config.decision.re_arm);
            let mut pins: Vec<u32> = config.outputs.outputs.iter().map(|output| output.pin).collect();
            pins.sort_unstable();
            assert!(pins.windows(2).all(|pair| pair[0] != pair[1]), "two outputs on one pin");
        }
        Err(error) => {
            let error = error.to_string();
            // "line 2: …", or "line 2, column 5: …" where it is no TOML.
            let line = error.strip_prefix("fuzz.toml line ").and_then(|rest| rest.split([':', ',']).next());
            let number: usize = line.map_or(0, |number| number.parse().unwrap_or(0));
            assert!((1..=text.lines().count().max(1) + 1).contains(&number), "{error}");
        }
    }
}

/// The name of a source.
pub(crate) fn source(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else { return };
    if let Ok(spec) = text.parse::<SourceSpec>() {
        assert!(spec.to_string().parse() == Ok(spec));
    }
}

/// A table of labelled boxes.
pub(crate) fn labels(data: &[u8]) {
    for row in labels::parse(data, Path::new("fuzz.csv")).unwrap_or_default() {
        assert!(row.rect.x.is_finite() && row.rect.y.is_finite());
        assert!(row.rect.w.is_finite() && row.rect.w > 0.0 && row.rect.h.is_finite() && row.rect.h > 0.0);
        let leads_out =
            Path::new(&row.image).components().any(|part| !matches!(part, std::path::Component::Normal(_)));
        assert!(!leads_out && !row.image.is_empty(), "{}", row.image);
    }
}

/// The hash of some password.
const HASH: &str =
    "$argon2id$v=19$m=8,t=1,p=1$c29tZSBzYWx0IGhlcmU$MTIzNDU2Nzg5MDEyMzQ1Njc4OTAxMjM0NTY3ODkwMTI";

/// What a browser sends, or something else, to the web page. Nobody gets in without the password.
pub(crate) fn http(data: &[u8]) {
    let password = WebPassword::parse(HASH).unwrap();
    let (orders, received) = orders();
    let parts =
        WebParts { door: "fuzz".into(), orders, reload: Arc::default(), counts: &PathChoice::Nowhere };
    let site = Answers::new(&WebConfig { preview: true, ..WebConfig::default() }, parts, password).site;
    let (often, patience) = (100_000, Duration::from_millis(500));
    let usual = HttpLimits::default();
    let limits = HttpLimits { patience, requests_a_second: often, requests_a_second_each: often, ..usual };
    let answers = answer_bytes(site, limits, data.to_vec()).unwrap();
    assert!(answers.is_empty() || answers.starts_with(b"HTTP/1."));
    assert!(!answers.windows(6).any(|part| part == b"\"csrf\""), "somebody got in");
    assert!(received.next().is_none(), "somebody gave an order");
}

/// A line of a password file, and the number in a cookie.
pub(crate) fn secret(data: &[u8]) {
    let text = String::from_utf8_lossy(data);
    let _ = WebPassword::parse(&text);
    let (token, now, sessions) = (Token::random().unwrap(), Instant::now(), Sessions::default());
    sessions.begin(now).unwrap();
    assert!(!token.is(&text) && sessions.find(&text, now).is_none(), "256 bits were guessed");
}
