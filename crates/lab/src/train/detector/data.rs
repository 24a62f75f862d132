//! The pictures that the detector is fitted to, their faces, and how often each is drawn.
//!
//! A picture is of use only if no face in it is missing from the labels, since what is not listed counts as
//! background.

use super::truth::{TrueFace, Truth};
use crate::data::dataset::{DatasetError, open_picture};
use crate::data::labels::{self, Label, LabelledBox, Split};
use crate::data::non_faces::{self, EmptyPicture};
use crate::train::error::TrainError;
use image::RgbImage;
use rand::{Rng, RngExt};
use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

/// A picture with its faces.
#[derive(Debug, Clone)]
pub(super) struct TrainingPicture {
    /// As the labels name it.
    pub(super) name: String,
    /// Where it lies.
    pub(super) path: PathBuf,
    /// The table that lists it, `faces` for `faces.csv`.
    pub(super) table: String,
    /// Where it came from.
    pub(super) source: String,
    /// Its faces.
    pub(super) truth: Truth,
    /// Whether people have marked every face. Otherwise a detector has, and may have missed some.
    pub(super) annotated: bool,
    /// How often it is drawn in comparison with others of its source.
    pub(super) weight: f64,
}

impl TrainingPicture {
    /// Decodes the picture.
    ///
    /// # Errors
    /// When the file cannot be read or is not a picture.
    pub(super) fn open(&self) -> Result<RgbImage, DatasetError> {
        open_picture(&self.path)
    }
}

/// Reads the pictures of split `train` whose faces are all listed: those of tables without the column
/// `n_faces`, and of others those where as many faces are listed as were counted. Ordered by table and name.
///
/// `tables` are names of CSV files in `folder`; if there are none, `faces.csv` and `scenes.csv`, whichever
/// are there. `negatives` adds the pictures without people, as the source `negatives`. `weights` are factors
/// by name: a table (`scenes`), a source, or a text file in the folder that lists pictures.
///
/// # Errors
/// A file cannot be used, a weight fits nothing, or no picture is left.
pub(super) fn read(
    folder: &Path,
    tables: &[String],
    negatives: bool,
    weights: &[(String, f64)],
) -> Result<Vec<TrainingPicture>, TrainError> {
    let usual = ["faces.csv".to_owned(), "scenes.csv".to_owned()];
    let usual = usual.into_iter().filter(|name| folder.join(name).is_file());
    let tables: Vec<String> = if tables.is_empty() { usual.collect() } else { tables.to_vec() };
    let rows = tables.iter().map(|name| labels::read(&folder.join(name)));
    let rows = rows.collect::<Result<Vec<_>, _>>().map_err(DatasetError::Labels)?;
    // A picture that is held out anywhere is held out everywhere.
    let held_out: BTreeSet<String> =
        rows.iter().flatten().filter(|row| row.split != Split::Train).map(|row| row.image.clone()).collect();
    let mut pictures = Vec::new();
    for (table, rows) in tables.iter().zip(rows) {
        let mut by_picture: BTreeMap<String, Vec<LabelledBox>> = BTreeMap::new();
        for row in rows.into_iter().filter(|row| !held_out.contains(&row.image)) {
            by_picture.entry(row.image.clone()).or_default().push(row);
        }
        for (name, rows) in by_picture {
            pictures.extend(picture(folder, table, name, &rows));
        }
    }
    if negatives {
        let empty = non_faces::empty_pictures(folder, Split::Train).map_err(DatasetError::Labels)?;
        pictures.extend(empty.into_iter().map(without_people));
    }
    for (name, factor) in weights {
        weigh(&mut pictures, folder, name, *factor)?;
    }
    if !pictures.iter().any(|picture| picture.weight > 0.0) {
        return Err(TrainError::Data(format!(
            "{} does not name a picture of split train with all its faces; name another folder or table",
            folder.display()
        )));
    }
    Ok(pictures)
}

fn without_people(picture: EmptyPicture) -> TrainingPicture {
    TrainingPicture {
        name: picture.path.file_name().unwrap_or_default().to_string_lossy().into_owned(),
        path: picture.path,
        table: "negatives".to_owned(),
        source: "negatives".to_owned(),
        truth: Truth::default(),
        annotated: true,
        weight: 1.0,
    }
}

fn picture(folder: &Path, table: &str, name: String, rows: &[LabelledBox]) -> Option<TrainingPicture> {
    let listed = u32::try_from(rows.len()).ok()?;
    if rows.iter().any(|row| row.n_faces.is_some_and(|count| count != listed)) {
        return None;
    }
    let faces = rows
        .iter()
        .map(|row| TrueFace { rect: row.rect, is_bare: row.label == Label::NoMask, landmarks: None })
        .collect();
    Some(TrainingPicture {
        path: folder.join("images").join(&name),
        table: table.trim_end_matches(".csv").to_owned(),
        source: rows.first()?.source.clone().unwrap_or_default(),
        truth: Truth { faces, ignored: Vec::new() },
        annotated: rows.iter().all(|row| row.n_faces.is_none()),
        weight: 1.0,
        name,
    })
}

fn weigh(
    pictures: &mut [TrainingPicture],
    folder: &Path,
    name: &str,
    factor: f64,
) -> Result<(), DatasetError> {
    let list = folder.join(name);
    let listed: BTreeSet<String> = if list.is_file() {
        let text = std::fs::read_to_string(&list)
            .map_err(|source| DatasetError::Read { path: list.clone(), source })?;
        text.lines().map(|line| line.trim().to_owned()).collect()
    } else {
        BTreeSet::new()
    };
    let mut fits = false;
    for picture in pictures.iter_mut() {
        if picture.table == name || picture.source == name || listed.contains(&picture.name) {
            picture.weight *= factor;
            fits = true;
        }
    }
    if fits {
        return Ok(());
    }
    let known: BTreeSet<&str> =
        pictures.iter().flat_map(|picture| [&*picture.table, &*picture.source]).collect();
    let known = known.into_iter().filter(|name| !name.is_empty()).collect::<Vec<_>>().join(", ");
    Err(DatasetError::Weight { name: name.to_owned(), known })
}

/// Takes a subset out for choosing the best weights: a fifth of each source, at most `most` pictures, none of
/// those that count for less than others.
/// Returns what is left for fitting, and the subset.
pub(super) fn carve(
    pictures: Vec<TrainingPicture>,
    most: usize,
    random: &mut impl Rng,
) -> (Vec<TrainingPicture>, Vec<TrainingPicture>) {
    let mut candidates: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for picture in pictures.iter().filter(|picture| picture.weight >= 1.0) {
        candidates.entry(picture.source.clone()).or_default().push(picture.name.clone());
    }
    let mut chosen = BTreeSet::new();
    for mut names in candidates.into_values() {
        for _ in 0..(names.len() / 5).min(most) {
            chosen.insert(names.swap_remove(random.random_range(0..names.len())));
        }
    }
    pictures.into_iter().partition(|picture| !chosen.contains(&picture.name))
}

/// Draws pictures at random, some more often than others.
#[derive(Debug)]
pub(super) struct PictureSampler {
    pictures: Vec<TrainingPicture>,
    /// For each picture the sum of the weights up to and with it.
    sums: Vec<f64>,
}

impl PictureSampler {
    /// Gives `share` of the draws (0..=1) to annotated pictures. The rest is divided among the sources by the
    /// square root of their size, so that large ones do not drown the others.
    pub(super) fn new(pictures: Vec<TrainingPicture>, share: f64) -> Self {
        let mut sources: BTreeMap<(bool, &str), f64> = BTreeMap::new();
        for picture in &pictures {
            *sources.entry((picture.annotated, &picture.source)).or_default() += picture.weight;
        }
        let total = |annotated: bool| -> f64 {
            sources.iter().filter(|(key, _)| key.0 == annotated).map(|(_, size)| size.sqrt()).sum()
        };
        let totals = [total(false), total(true)];
        // With pictures of one kind only there is nothing to share.
        let share = if totals[0] == 0.0 { 1.0 } else { share };
        let share = if totals[1] == 0.0 { 0.0 } else { share };
        let mut sum = 0.0;
        let sums = pictures.iter().map(|picture| {
            let size = sources[&(picture.annotated, picture.source.as_str())];
            let share = if picture.annotated { share } else { 1.0 - share };
            sum += share * picture.weight
                / size.max(f64::MIN_POSITIVE).sqrt()
                / totals[usize::from(picture.annotated)];
            sum
        });
        Self { sums: sums.collect(), pictures }
    }

    /// Draws one picture.
    pub(super) fn draw(&self, random: &mut impl Rng) -> &TrainingPicture {
        let last = self.sums.last().copied().unwrap_or_default();
        let at = random.random_range(0.0..1.0) * last;
        let index = self.sums.partition_point(|&sum| sum <= at);
        &self.pictures[index.min(self.pictures.len() - 1)]
    }

    /// CRC-32 over what is drawn and how often. The folder's own path does not matter.
    pub(super) fn checksum(&self) -> String {
        let mut hasher = crc32fast::Hasher::new();
        for (picture, sum) in self.pictures.iter().zip(&self.sums) {
            hasher.update(format!("{} {:?} {sum}\n", picture.name, picture.truth).as_bytes());
        }
        format!("{:08x}", hasher.finalize())
    }

    /// All pictures.
    pub(super) fn pictures(&self) -> &[TrainingPicture] {
        &self.pictures
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rand::SeedableRng;
    use rand_chacha::ChaCha8Rng;

    fn read_text(
        tables: &[(&str, &str)],
        weights: &[(&str, f64)],
    ) -> Result<Vec<TrainingPicture>, TrainError> {
        let folder = tempfile::tempdir().unwrap();
        for (name, text) in tables {
            std::fs::write(folder.path().join(name), text).unwrap();
        }
        std::fs::write(folder.path().join("few.txt"), "town/a.jpg\n").unwrap();
        let weights: Vec<(String, f64)> =
            weights.iter().map(|(name, factor)| ((*name).to_owned(), *factor)).collect();
        std::fs::write(folder.path().join("negatives.csv"), NEGATIVES).unwrap();
        let negatives = weights.iter().any(|(name, _)| name == "negatives");
        read(folder.path(), &[], negatives, &weights)
    }

    const FACES: &str = "image,x,y,w,h,label,split,source,n_faces\n\
        web/one.jpg,1,2,30,40,mask,train,web,1\n\
        web/more.jpg,1,2,30,40,mask,train,web,2\n\
        web/held.jpg,1,2,30,40,mask,val,web,1\n\
        web/twice.jpg,1,2,30,40,mask,train,web,1\n\
        group/all.jpg,1,2,30,40,no_mask,train,group,2\n\
        group/all.jpg,51,2,30,40,no_mask,train,group,2\n\
        prajnasb/drawn.jpg,1,2,30,40,mask,train,prajnasb,1\n";
    const SCENES: &str = "image,x,y,w,h,label,split\n\
        town/a.jpg,1,2,30,40,mask,train\n\
        town/a.jpg,41,2,3,4,incorrect,train\n\
        town/b.jpg,1,2,30,40,no_mask,val\n\
        web/twice.jpg,1,2,30,40,mask,val\n";

    #[test]
    fn only_pictures_with_all_faces_and_never_val() {
        let weights = [("few.txt", 0.5), ("prajnasb", 0.25), ("scenes", 0.5)];
        let pictures = read_text(&[("faces.csv", FACES), ("scenes.csv", SCENES)], &weights).unwrap();
        let names: Vec<&str> = pictures.iter().map(|picture| picture.name.as_str()).collect();
        assert_eq!(names, ["group/all.jpg", "prajnasb/drawn.jpg", "web/one.jpg", "town/a.jpg"]);
        let faces: Vec<usize> = pictures.iter().map(|picture| picture.truth.faces.len()).collect();
        assert_eq!(faces, [2, 1, 1, 2]);
        assert_eq!(pictures.iter().filter(|picture| picture.annotated).count(), 1);
        assert_eq!(pictures.iter().map(|picture| picture.weight).collect::<Vec<_>>(), [1.0, 0.25, 1.0, 0.25]);
        assert!(pictures[2].path.ends_with("images/web/one.jpg"));
    }

    const NEGATIVES: &str = "image,group,split,source,licence\ndog.jpg,dog,train,x,y\ncat.jpg,cat,val,x,y\n";

    #[test]
    fn pictures_without_people_have_no_face_to_find() {
        let pictures = read_text(&[("scenes.csv", SCENES)], &[("negatives", 0.5)]).unwrap();
        let empty: Vec<&TrainingPicture> =
            pictures.iter().filter(|picture| picture.source == "negatives").collect();
        assert_eq!(empty.len(), 1, "that of split val is left out");
        assert!(empty[0].path.ends_with("negatives/dog.jpg") && empty[0].truth == Truth::default());
        assert!(empty[0].annotated && empty[0].weight == 0.5);
    }

    #[test]
    fn what_fits_nothing_is_refused() {
        let only_val = "image,x,y,w,h,label,split\nb.jpg,1,2,30,40,no_mask,val\n";
        let nothing = read_text(&[("scenes.csv", only_val)], &[]).unwrap_err().to_string();
        assert!(nothing.contains("does not name a picture of split train"), "{nothing}");
        let unknown = read_text(&[("faces.csv", FACES)], &[("nowhere", 0.5)]).unwrap_err().to_string();
        assert!(unknown.contains("\"nowhere\""), "{unknown}");
        assert!(read_text(&[("faces.csv", FACES)], &[("faces", 0.0)]).is_err());
    }

    fn many() -> Vec<TrainingPicture> {
        let picture = |source: &str, index: usize, annotated: bool| TrainingPicture {
            name: format!("{source}/{index}"),
            path: PathBuf::new(),
            table: String::new(),
            source: source.to_owned(),
            truth: Truth::default(),
            annotated,
            weight: if source == "twins" { 0.3 } else { 1.0 },
        };
        let web = (0..400).map(|index| picture("web", index, false));
        let few = (0..25).map(|index| picture("few", index, false));
        let twins = (0..25).map(|index| picture("twins", index, false));
        web.chain(few).chain(twins).chain((0..50).map(|index| picture("town", index, true))).collect()
    }

    #[test]
    fn the_subset_is_disjoint_bounded_and_repeatable() {
        let carved = |seed| carve(many(), 30, &mut ChaCha8Rng::seed_from_u64(seed));
        let (training, selection) = carved(1);
        assert_eq!(training.len() + selection.len(), 500);
        let names = |pictures: &[TrainingPicture]| -> BTreeSet<String> {
            pictures.iter().map(|picture| picture.name.clone()).collect()
        };
        assert!(names(&training).is_disjoint(&names(&selection)));
        let count = |source: &str| selection.iter().filter(|picture| picture.source == source).count();
        assert_eq!([count("web"), count("few"), count("town"), count("twins")], [30, 5, 10, 0]);
        assert_eq!(names(&carved(1).1), names(&selection));
        assert_ne!(names(&carved(2).1), names(&selection));
    }

    #[test]
    fn one_kind_of_pictures_is_enough() {
        for share in [0.0, 1.0] {
            for annotated in [false, true] {
                let pictures = many().into_iter().filter(|picture| picture.annotated == annotated);
                let sampler = PictureSampler::new(pictures.collect(), share);
                let mut random = ChaCha8Rng::seed_from_u64(5);
                let drawn: BTreeSet<&str> =
                    (0..50).map(|_| sampler.draw(&mut random).name.as_str()).collect();
                assert!(drawn.len() > 10, "{share} {annotated} {}", drawn.len());
            }
        }
    }

    #[test]
    fn draws_follow_the_shares() {
        let sampler = PictureSampler::new(many(), 0.4);
        let mut random = ChaCha8Rng::seed_from_u64(5);
        let mut counts: BTreeMap<&str, f64> = BTreeMap::new();
        for _ in 0..20_000 {
            *counts.entry(&sampler.draw(&mut random).source).or_default() += 1.0 / 20_000.0;
        }
        assert!((counts["town"] - 0.4).abs() < 0.02, "{counts:?}");
        // 400 against 25 pictures: four times as often, not sixteen.
        assert!((counts["web"] / counts["few"] - 4.0).abs() < 0.5, "{counts:?}");
        assert!((counts["few"] / counts["twins"] - 0.3f64.sqrt().recip()).abs() < 0.3, "{counts:?}");
    }
}
