//! Which faces make up a batch: masked and bare ones by turns, and on request those whose mask is worn
//! incorrectly or on which something can be drawn.

use crate::data::dataset::{Dataset, DatasetFace, Subset};
use crate::data::labels::Label;
use maskwatch::nn::head::{MASK, NO_MASK};
use rand::RngExt;
use rand_chacha::ChaCha8Rng;

/// Faces that are drawn at random by their [`DatasetFace::weight`].
#[derive(Debug, Clone, Default)]
struct Group {
    /// Sum of the weights up to and with a face, and its index.
    sums: Vec<(f64, usize)>,
}

impl Group {
    fn new(dataset: &Dataset, wanted: impl Fn(usize, &DatasetFace) -> bool) -> Self {
        let mut sum = 0.0;
        let mut sums = Vec::new();
        for index in dataset.subset(Subset::Train) {
            let face = &dataset.faces[index];
            if face.weight > 0.0 && wanted(index, face) {
                sum += face.weight;
                sums.push((sum, index));
            }
        }
        Self { sums }
    }

    fn draw(&self, generator: &mut ChaCha8Rng) -> Option<usize> {
        let &(total, last) = self.sums.last()?;
        let at = generator.random_range(0.0..1.0) * total;
        let place = self.sums.partition_point(|(sum, _)| *sum <= at);
        Some(self.sums.get(place).map_or(last, |&(_, index)| index))
    }
}

/// Draws faces of the subset train at random, within each group by [`DatasetFace::weight`].
#[derive(Debug, Clone)]
pub struct FaceSampler {
    classes: [Group; 2],
    incorrect: Group,
}

impl FaceSampler {
    /// A sampler over the faces of [`Subset::Train`].
    #[must_use]
    pub fn new(dataset: &Dataset) -> Self {
        let of = |class| Group::new(dataset, |_, face| face.label.class() == class);
        Self { classes: [Some(MASK), Some(NO_MASK)].map(of), incorrect: of(None) }
    }

    /// `count` indices into [`Dataset::faces`], masked and bare faces taking turns; a face may come more than
    /// once.
    pub fn draw(&self, count: usize, generator: &mut ChaCha8Rng) -> Vec<usize> {
        (0..count).filter_map(|turn| self.classes[turn % 2].draw(generator)).collect()
    }

    /// `count` faces labelled *incorrect*; none where there are none.
    pub fn draw_incorrect(&self, count: usize, generator: &mut ChaCha8Rng) -> Vec<usize> {
        (0..count).filter_map(|_| self.incorrect.draw(generator)).collect()
    }
}

/// Draws faces of one class on which something can be drawn.
#[derive(Debug, Clone)]
pub struct DrawableSampler(Group);

impl DrawableSampler {
    /// A sampler over the faces of [`Subset::Train`] labelled so that `can_be_drawn_on`, by their index.
    #[must_use]
    pub fn new(dataset: &Dataset, label: Label, can_be_drawn_on: impl Fn(usize) -> bool) -> Self {
        Self(Group::new(dataset, |index, face| face.label == label && can_be_drawn_on(index)))
    }

    /// One of them; none where there are none.
    pub fn draw(&self, generator: &mut ChaCha8Rng) -> Option<usize> {
        self.0.draw(generator)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::data::dataset::DatasetOptions;
    use crate::data::dataset::tests::tables;
    use crate::data::labels::Label;
    use crate::random::{Purpose, stream};

    #[test]
    fn draws_are_balanced_and_follow_the_weights() {
        let folder = tables();
        let weights = vec![("old".into(), 3.0), ("scenes".into(), 0.0)];
        let dataset =
            Dataset::load(folder.path(), &DatasetOptions { weights, ..DatasetOptions::default() }).unwrap();
        let sampler = FaceSampler::new(&dataset);
        let drawn = sampler.draw(4000, &mut stream(1, Purpose::Batch, 0));
        assert_eq!(drawn, sampler.draw(4000, &mut stream(1, Purpose::Batch, 0)));
        let share = |wanted: &dyn Fn(&DatasetFace) -> bool| {
            drawn.iter().filter(|&&index| wanted(&dataset.faces[index])).count() as f64 / drawn.len() as f64
        };
        assert!((share(&|face| face.label == Label::Mask) - 0.5).abs() < 1e-9);
        assert!((share(&|face| face.source == "old") - 0.75).abs() < 0.03);
        assert!(drawn.iter().all(|&index| dataset.faces[index].table == "faces"));
        assert!(drawn.iter().all(|&index| dataset.faces[index].subset == Subset::Train));
    }

    #[test]
    fn incorrect_and_drawable_faces_are_drawn_on_request() {
        let folder = tables();
        let dataset = Dataset::load(folder.path(), &DatasetOptions::default()).unwrap();
        let mut generator = stream(1, Purpose::Batch, 0);
        let incorrect = FaceSampler::new(&dataset).draw_incorrect(5, &mut generator);
        assert_eq!(incorrect.len(), 5);
        assert!(incorrect.iter().all(|&index| dataset.faces[index].label == Label::Incorrect));
        assert!(incorrect.iter().all(|&index| dataset.faces[index].subset == Subset::Train));
        let third = |index: usize| index.is_multiple_of(3);
        let drawable = DrawableSampler::new(&dataset, Label::NoMask, third);
        let drawn: Vec<_> = (0..50).filter_map(|_| drawable.draw(&mut generator)).collect();
        assert_eq!(drawn.len(), 50);
        assert!(drawn.iter().all(|&index| third(index) && dataset.faces[index].label == Label::NoMask));
        assert_eq!(DrawableSampler::new(&dataset, Label::Mask, |_| false).draw(&mut generator), None);
    }
}
