//! `maskwatch-lab draw`: a mask drawn over the faces of a picture, for free test pictures.

use crate::draw::{MaskKind, draw_mask};
use anyhow::Context;
use maskwatch::cli::outcome::Outcome;
use maskwatch::nn::weights::find;
use maskwatch::vision::detector::Detector;
use std::path::PathBuf;
use std::process::ExitCode;

/// Arguments of `maskwatch-lab draw`.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// Picture with bare faces
    picture: PathBuf,
    /// Picture to write; the file extension (.jpg or .png) decides the format
    out: PathBuf,
    /// Kind of mask
    #[arg(long, value_enum, default_value_t = Masks::Surgical)]
    mask: Masks,
    /// The detector's weights [default: the shipped ones]
    #[arg(long, value_name = "FILE")]
    detector: Option<PathBuf>,
    /// Minimum score of a face
    #[arg(long, value_name = "SCORE", default_value_t = 0.7)]
    score: f32,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
enum Masks {
    /// Light blue, three pleats, a wire over the nose
    Surgical,
    /// Black cloth, no pleats
    Cloth,
    /// White cup with a seam down the middle
    Ffp2,
}

impl Masks {
    fn kind(self) -> MaskKind {
        match self {
            Self::Surgical => MaskKind::Surgical,
            Self::Cloth => MaskKind::Cloth,
            Self::Ffp2 => MaskKind::Ffp2,
        }
    }
}

pub(crate) fn run(args: Args) -> Outcome {
    let mut picture = crate::data::dataset::open_picture(&args.picture)?;
    let weights = match &args.detector {
        Some(path) => path.clone(),
        None => find("detector.safetensors")?,
    };
    let faces = Detector::load(&weights, (640, 640), args.score)?.detect(&picture)?;
    if faces.is_empty() {
        anyhow::bail!("no face was found in {}; try a lower --score", args.picture.display());
    }
    for face in &faces {
        draw_mask(&mut picture, face, args.mask.kind());
    }
    let written = || format!("cannot write {} (its name must end in .jpg or .png)", args.out.display());
    let format = image::ImageFormat::from_path(&args.out).with_context(written)?;
    let mut bytes = std::io::Cursor::new(Vec::new());
    match format {
        image::ImageFormat::Jpeg => {
            picture.write_with_encoder(image::codecs::jpeg::JpegEncoder::new_with_quality(&mut bytes, 92))
        }
        _ => picture.write_to(&mut bytes, format),
    }
    .with_context(written)?;
    std::fs::write(&args.out, bytes.into_inner()).with_context(written)?;
    println!("{} masked faces: {}", faces.len(), args.out.display());
    Ok(ExitCode::SUCCESS)
}
