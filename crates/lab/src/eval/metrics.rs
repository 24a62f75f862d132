//! Figures of merit from counts and scores: proportions with Wilson intervals, confusion matrices, area under
//! the curve, calibration error, bands. Pure arithmetic; which faces are counted is decided by the callers.

use super::named::Named;
use crate::data::labels::Label;
use serde::{Serialize, Serializer};

/// `hits` of `of` things. Its JSON is `{"hits","of","interval"}`: the fraction itself stands where the report
/// names it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Proportion {
    /// How many of them.
    pub hits: u64,
    /// How many there are.
    pub of: u64,
}

impl Proportion {
    /// Counts one more thing.
    pub fn add(&mut self, hit: bool) {
        self.hits += u64::from(hit);
        self.of += 1;
    }

    /// `hits / of`; `None` of nothing.
    #[must_use]
    pub fn fraction(&self) -> Option<f64> {
        (self.of > 0).then(|| self.hits as f64 / self.of as f64)
    }

    /// The 95 % confidence interval of the fraction by Wilson (1927), which stays within 0 to 1 and is usable
    /// for small counts and for fractions near 0 and 1; `None` of nothing.
    ///
    /// ```
    /// use maskwatch_lab::eval::metrics::Proportion;
    /// let [low, high] = Proportion { hits: 9, of: 10 }.wilson().unwrap();
    /// assert!((low - 0.596).abs() < 0.001 && (high - 0.982).abs() < 0.001);
    /// ```
    #[must_use]
    pub fn wilson(&self) -> Option<[f64; 2]> {
        // The quantile of the normal distribution that leaves 2.5 % above it.
        const Z: f64 = 1.959_963_984_540_054;
        let p = self.fraction()?;
        let n = self.of as f64;
        let centre = p + Z * Z / (2.0 * n);
        let spread = Z * (p * (1.0 - p) / n + Z * Z / (4.0 * n * n)).sqrt();
        let scale = 1.0 + Z * Z / n;
        Some([((centre - spread) / scale).max(0.0), ((centre + spread) / scale).min(1.0)])
    }
}

impl FromIterator<bool> for Proportion {
    fn from_iter<I: IntoIterator<Item = bool>>(hits: I) -> Self {
        let mut proportion = Self::default();
        hits.into_iter().for_each(|hit| proportion.add(hit));
        proportion
    }
}

impl Serialize for Proportion {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        #[derive(Serialize)]
        struct Json {
            hits: u64,
            of: u64,
            interval: Option<[f64; 2]>,
        }
        Json { hits: self.hits, of: self.of, interval: self.wilson() }.serialize(serializer)
    }
}

/// How many faces of each label were called what. Its JSON is an object per true label:
/// `{"mask":{"mask":9,"no_mask":1},…}`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Confusion {
    classes: Vec<Label>,
    /// Row by row: the true label is the row, what it was called is the column.
    counts: Vec<u64>,
}

impl Confusion {
    /// No faces yet. `classes` are the labels that take part, each once.
    #[must_use]
    pub fn new(classes: &[Label]) -> Self {
        Self { classes: classes.to_vec(), counts: vec![0; classes.len() * classes.len()] }
    }

    /// The labels that take part, in the order of rows and columns.
    #[must_use]
    pub fn classes(&self) -> &[Label] {
        &self.classes
    }

    fn place(&self, truth: Label, called: Label) -> Option<usize> {
        let position = |label| self.classes.iter().position(|class| *class == label);
        Some(position(truth)? * self.classes.len() + position(called)?)
    }

    /// Counts one face; a face with a label that takes no part is passed over.
    pub fn add(&mut self, truth: Label, called: Label) {
        if let Some(place) = self.place(truth, called) {
            self.counts[place] += 1;
        }
    }

    /// How many faces with the label `truth` were called `called`.
    #[must_use]
    pub fn count(&self, truth: Label, called: Label) -> u64 {
        self.place(truth, called).map_or(0, |place| self.counts[place])
    }

    /// How many faces were counted.
    #[must_use]
    pub fn total(&self) -> u64 {
        self.counts.iter().sum()
    }

    /// The faces that were called by their label, of all.
    #[must_use]
    pub fn accuracy(&self) -> Proportion {
        let hits = self.classes.iter().map(|class| self.count(*class, *class)).sum();
        Proportion { hits, of: self.total() }
    }

    /// The faces with the label `class` that were called so, of all with that label.
    #[must_use]
    pub fn recall(&self, class: Label) -> Proportion {
        let of = self.classes.iter().map(|called| self.count(class, *called)).sum();
        Proportion { hits: self.count(class, class), of }
    }

    /// The mean of the recalls of all classes; `None` while one of them has no face.
    #[must_use]
    pub fn balanced_accuracy(&self) -> Option<f64> {
        let recalls: Option<Vec<f64>> =
            self.classes.iter().map(|class| self.recall(*class).fraction()).collect();
        recalls.filter(|all| !all.is_empty()).map(|all| all.iter().sum::<f64>() / all.len() as f64)
    }
}

impl Serialize for Confusion {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let row = |truth: Label| -> Named<u64> {
            self.classes.iter().map(|called| (called.name(), self.count(truth, *called))).collect()
        };
        let rows: Named<Named<u64>> = self.classes.iter().map(|truth| (truth.name(), row(*truth))).collect();
        rows.serialize(serializer)
    }
}

/// The area under the receiver operating characteristic: how often a score of `positives` is above one of
/// `negatives`, ties counted half (the Mann–Whitney statistic, from ranks in O(n log n)). `None` when either
/// is empty. Scores are finite.
#[must_use]
pub fn area_under_curve(positives: &[f32], negatives: &[f32]) -> Option<f64> {
    if positives.is_empty() || negatives.is_empty() {
        return None;
    }
    let mut scores: Vec<(f32, bool)> = positives.iter().map(|score| (*score, true)).collect();
    scores.extend(negatives.iter().map(|score| (*score, false)));
    scores.sort_by(|a, b| a.0.total_cmp(&b.0));
    let mut rank_sum = 0.0;
    let mut start = 0;
    for group in scores.chunk_by(|a, b| a.0 == b.0) {
        // Equal scores share the mean of the ranks start + 1 ..= start + len.
        let rank = start as f64 + (group.len() + 1) as f64 / 2.0;
        rank_sum += rank * group.iter().filter(|(_, positive)| *positive).count() as f64;
        start += group.len();
    }
    let (m, n) = (positives.len() as f64, negatives.len() as f64);
    Some((rank_sum - m * (m + 1.0) / 2.0) / (m * n))
}

/// How many bins [`calibration`] has.
pub const CALIBRATION_BINS: usize = 15;

/// The faces whose probability of `mask` lies in one bin.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct CalibrationBin {
    /// The lowest probability of the bin.
    pub from: f64,
    /// Where the next bin begins; the last bin includes 1.
    pub below: f64,
    /// How many faces are in it.
    pub n: u64,
    /// Their mean probability of `mask`; `None` without a face.
    pub mean_p_mask: Option<f64>,
    /// The share of them that is labelled `mask`; `None` without a face.
    pub share_mask: Option<f64>,
}

/// Whether a probability means what it says.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Calibration {
    /// The expected calibration error: the mean over all faces of |mean probability − share of masks| of
    /// their bin; 0 is perfect, `None` without a face.
    pub ece: Option<f64>,
    /// [`CALIBRATION_BINS`] bins of equal width over the probability of `mask`, 0 to 1.
    pub bins: Vec<CalibrationBin>,
}

/// The calibration of `(probability of mask, is labelled mask)` pairs over [`CALIBRATION_BINS`] bins of equal
/// width of the probability of `mask`. Probabilities are within 0 to 1.
#[must_use]
pub fn calibration(answers: &[(f32, bool)]) -> Calibration {
    let mut sums = [(0u64, 0.0f64, 0u64); CALIBRATION_BINS];
    for (p_mask, is_mask) in answers {
        let bin = (f64::from(*p_mask) * CALIBRATION_BINS as f64) as usize;
        let (n, sum, masks) = &mut sums[bin.min(CALIBRATION_BINS - 1)];
        *n += 1;
        *sum += f64::from(*p_mask);
        *masks += u64::from(*is_mask);
    }
    let error: f64 = sums.iter().map(|(_, sum, masks)| (sum - *masks as f64).abs()).sum();
    let width = 1.0 / CALIBRATION_BINS as f64;
    let bins = sums.iter().enumerate().map(|(bin, (n, sum, masks))| CalibrationBin {
        from: bin as f64 * width,
        below: (bin + 1) as f64 * width,
        n: *n,
        mean_p_mask: (*n > 0).then(|| sum / *n as f64),
        share_mask: (*n > 0).then(|| *masks as f64 / *n as f64),
    });
    let ece = (!answers.is_empty()).then(|| error / answers.len() as f64);
    Calibration { ece, bins: bins.collect() }
}

/// A half-open range of sizes, `from` up to but without `below`.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Band {
    /// What reports call it.
    pub name: &'static str,
    /// The smallest size in it.
    pub from: f32,
    /// The smallest size above it.
    pub below: f32,
}

impl Band {
    const fn new(name: &'static str, from: f32, below: f32) -> Self {
        Self { name, from, below }
    }

    /// Whether `size` lies in this band.
    #[must_use]
    pub fn contains(&self, size: f32) -> bool {
        self.from <= size && size < self.below
    }
}

/// Bands of the face size, min(w, h) in pixels of the stored picture.
pub const FACE_SIZE_BANDS: [Band; 5] = [
    Band::new("0-16", 0.0, 16.0),
    Band::new("16-24", 16.0, 24.0),
    Band::new("24-48", 24.0, 48.0),
    Band::new("48-96", 48.0, 96.0),
    Band::new("96+", 96.0, f32::INFINITY),
];

/// Bands of the width of a face in percent of the picture's width.
pub const FRAME_SHARE_BANDS: [Band; 7] = [
    Band::new("0-2.5", 0.0, 2.5),
    Band::new("2.5-5", 2.5, 5.0),
    Band::new("5-10", 5.0, 10.0),
    Band::new("10-20", 10.0, 20.0),
    Band::new("20-40", 20.0, 40.0),
    Band::new("40-70", 40.0, 70.0),
    Band::new("70+", 70.0, f32::INFINITY),
];

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const TWO: [Label; 2] = [Label::Mask, Label::NoMask];

    fn label() -> impl Strategy<Value = Label> {
        prop::sample::select(&Label::ALL[..])
    }

    /// Scores on a coarse grid, so that ties are common.
    fn scores() -> impl Strategy<Value = Vec<f32>> {
        prop::collection::vec((0u8..=20).prop_map(|step| f32::from(step) / 20.0), 0..40)
    }

    #[test]
    fn wilson_intervals_as_published() {
        // Newcombe (1998), table I, method 3: 81/263, 15/148, 0/20, 1/29.
        for (hits, of, low, high) in [
            (81, 263, 0.2553, 0.3662),
            (15, 148, 0.0624, 0.1605),
            (0, 20, 0.0, 0.1611),
            (1, 29, 0.0061, 0.1718),
        ] {
            let [measured_low, measured_high] = Proportion { hits, of }.wilson().unwrap();
            assert!((measured_low - low).abs() < 5e-5 && (measured_high - high).abs() < 5e-5, "{hits}/{of}");
        }
        assert_eq!(Proportion::default().wilson(), None);
        assert_eq!(Proportion::default().fraction(), None);
    }

    #[test]
    fn a_confusion_matrix_in_json() {
        let mut confusion = Confusion::new(&TWO);
        confusion.add(Label::Mask, Label::NoMask);
        confusion.add(Label::NoMask, Label::NoMask);
        confusion.add(Label::Incorrect, Label::NoMask);
        let json = serde_json::to_string(&confusion).unwrap();
        assert_eq!(json, r#"{"mask":{"mask":0,"no_mask":1},"no_mask":{"mask":0,"no_mask":1}}"#);
        assert_eq!((confusion.total(), confusion.balanced_accuracy()), (2, Some(0.5)));
        assert_eq!(Confusion::new(&[]).balanced_accuracy(), None);
    }

    #[test]
    fn a_perfect_and_a_useless_ranking() {
        assert_eq!(area_under_curve(&[0.9, 0.8], &[0.1]), Some(1.0));
        assert_eq!(area_under_curve(&[0.1], &[0.9]), Some(0.0));
        assert_eq!(area_under_curve(&[0.5; 3], &[0.5; 4]), Some(0.5));
        assert_eq!(area_under_curve(&[], &[0.5]), None);
    }

    #[test]
    fn calibration_of_known_answers() {
        // One bin at 0.95: three of four are masks, so it is off by 0.2; one bin at 0.05 that is right but
        // for 0.05.
        let figures = calibration(&[
            (0.95, true),
            (0.95, true),
            (0.95, true),
            (0.95, false),
            (0.05, false),
            (1.0, true),
        ]);
        assert_eq!(figures.bins.len(), 15);
        assert_eq!((figures.bins[14].n, figures.bins[0].n), (5, 1));
        let expected = ((0.96f64 - 0.8) * 5.0 + 0.05) / 6.0;
        assert!((figures.ece.unwrap() - expected).abs() < 1e-6);
        assert_eq!(calibration(&[]).ece, None);
    }

    #[test]
    fn bands_leave_no_gap() {
        for bands in [&FACE_SIZE_BANDS[..], &FRAME_SHARE_BANDS[..]] {
            assert!(bands[0].from == 0.0 && bands[bands.len() - 1].below == f32::INFINITY);
            assert!(bands.windows(2).all(|pair| pair[0].below == pair[1].from));
        }
        assert!(!FACE_SIZE_BANDS[1].contains(24.0) && FACE_SIZE_BANDS[2].contains(24.0));
    }

    proptest! {
        #[test]
        fn wilson_holds_the_fraction_and_solves_its_equation(of in 1u64..5000, part in 0.0f64..=1.0) {
            let hits = (of as f64 * part) as u64;
            let proportion = Proportion { hits, of };
            let p = proportion.fraction().unwrap();
            let [low, high] = proportion.wilson().unwrap();
            prop_assert!(0.0 <= low && low <= p + 1e-12 && p <= high + 1e-12 && high <= 1.0);
            // An end of the interval is a share q whose own standard error puts p at exactly 1.96 of them.
            for q in [low, high].into_iter().filter(|q| *q > 0.0 && *q < 1.0) {
                let errors = (p - q).abs() / (q * (1.0 - q) / of as f64).sqrt();
                prop_assert!(hits == 0 || hits == of || (errors - 1.96).abs() < 1e-3, "{errors}");
            }
        }

        #[test]
        fn the_confusion_matrix_counts_like_a_loop(
            answers in prop::collection::vec((label(), label()), 0..60),
            size in 1usize..=3,
        ) {
            let classes = &Label::ALL[..size];
            let mut confusion = Confusion::new(classes);
            answers.iter().for_each(|(truth, called)| confusion.add(*truth, *called));
            let counted: Vec<_> = answers
                .iter()
                .filter(|(truth, called)| classes.contains(truth) && classes.contains(called))
                .collect();
            prop_assert_eq!(confusion.total(), counted.len() as u64);
            let right = counted.iter().filter(|(truth, called)| truth == called).count() as u64;
            prop_assert_eq!(confusion.accuracy(), Proportion { hits: right, of: counted.len() as u64 });
            let mut recalls = Vec::new();
            for class in classes {
                let recall: Proportion = counted
                    .iter()
                    .filter(|(truth, _)| truth == class)
                    .map(|(truth, called)| truth == called)
                    .collect();
                prop_assert_eq!(confusion.recall(*class), recall);
                recalls.push(recall.fraction());
            }
            let mean = recalls.iter().copied().sum::<Option<f64>>().map(|sum| sum / recalls.len() as f64);
            prop_assert_eq!(confusion.balanced_accuracy().is_some(), mean.is_some());
            if let (Some(balanced), Some(mean)) = (confusion.balanced_accuracy(), mean) {
                prop_assert!((balanced - mean).abs() < 1e-12);
            }
        }

        #[test]
        fn the_area_under_the_curve_is_the_share_of_ordered_pairs(
            positives in scores(), negatives in scores(),
        ) {
            let mut ordered = 0.0;
            for p in &positives {
                for n in &negatives {
                    ordered += if p > n { 1.0 } else if p == n { 0.5 } else { 0.0 };
                }
            }
            let pairs = (positives.len() * negatives.len()) as f64;
            match area_under_curve(&positives, &negatives) {
                Some(area) => prop_assert!((area - ordered / pairs).abs() < 1e-9),
                None => prop_assert_eq!(pairs, 0.0),
            }
        }

        #[test]
        fn the_calibration_error_is_that_of_its_bins(
            answers in prop::collection::vec((0.0f32..=1.0, any::<bool>()), 1..80),
        ) {
            let mut expected = 0.0;
            for bin in 0..15 {
                let inside: Vec<_> = answers
                    .iter()
                    .filter(|(p, _)| {
                        let p = f64::from(*p) * 15.0;
                        f64::from(bin) <= p && (p < f64::from(bin + 1) || bin == 14)
                    })
                    .collect();
                if inside.is_empty() {
                    continue;
                }
                let n = inside.len() as f64;
                let mean = inside.iter().map(|(p, _)| f64::from(*p)).sum::<f64>() / n;
                let share = inside.iter().filter(|(_, mask)| *mask).count() as f64 / n;
                expected += n / answers.len() as f64 * (mean - share).abs();
            }
            let figures = calibration(&answers);
            prop_assert!((figures.ece.unwrap() - expected).abs() < 1e-9);
            prop_assert_eq!(figures.bins.iter().map(|bin| bin.n).sum::<u64>(), answers.len() as u64);
        }

        #[test]
        fn every_size_is_in_one_band(size in 0.0f32..500.0) {
            for bands in [&FACE_SIZE_BANDS[..], &FRAME_SHARE_BANDS[..]] {
                prop_assert_eq!(bands.iter().filter(|band| band.contains(size)).count(), 1);
            }
        }
    }
}
