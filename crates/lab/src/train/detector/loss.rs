//! YuNet's four losses over a batch, as differentiable candle tensors. Which cell answers for which face is
//! decided in [`assign`](super::assign); this is the arithmetic around it.
//!
//! The terms are those that YuNet was trained with, and so are their weights but for the landmarks': binary
//! cross-entropy for objectness (1 where a cell answers for a face) and class (the predicted box's overlap
//! with that face), the smoothed extended intersection over union for boxes
//! (<https://ieeexplore.ieee.org/document/9429909>), smooth L1 for landmarks.

use super::assign::{Match, Prediction, assign};
use super::cells::Cell;
use super::truth::Truth;
use candle_core::{DType, Result, Tensor};
use maskwatch::geometry::Rect;

const BOX_WEIGHT: f64 = 5.0;
/// Five times as much as YuNet was trained with: landmarks below masks are what it has to learn.
const LANDMARK_WEIGHT: f64 = 0.5;
/// Below this value the box loss is quadratic, above it linear.
const BOX_KNEE: f64 = 0.1;
/// Below this error, in strides, the landmark loss is quadratic, above it linear.
const LANDMARK_KNEE: f64 = 1.0 / 9.0;
/// Cells whose centre comes this near to a region to ignore, in strides, are ignored with it.
const IGNORED_MARGIN: f32 = 0.5;

/// The network's raw outputs for a batch, the cells of all levels joined in the order of
/// [`grid`](super::cells::grid).
pub(super) struct CellOutputs {
    /// Class logits, `[batch, cells]`.
    pub(super) class: Tensor,
    /// Objectness logits, `[batch, cells]`.
    pub(super) objectness: Tensor,
    /// Boxes as `dx, dy, ln w, ln h` in strides, `[batch, cells, 4]`.
    pub(super) boxes: Tensor,
    /// Landmarks in strides, `[batch, cells, 10]`.
    pub(super) landmarks: Tensor,
}

impl CellOutputs {
    /// What every cell of one picture of the batch predicts at present.
    fn predictions(&self, picture: usize, cells: &[Cell]) -> Result<Vec<Prediction>> {
        let column = |tensor: &Tensor| tensor.get(picture)?.to_dtype(DType::F32)?.to_vec1::<f32>();
        let (class, objectness) = (column(&self.class)?, column(&self.objectness)?);
        let boxes = self.boxes.get(picture)?.to_dtype(DType::F32)?.to_vec2::<f32>()?;
        Ok(cells
            .iter()
            .zip(boxes)
            .zip(class.iter().zip(&objectness))
            .map(|((cell, raw), (class, objectness))| Prediction {
                rect: cell.decode([raw[0], raw[1], raw[2], raw[3]]),
                score: sigmoid(*class) * sigmoid(*objectness),
            })
            .collect())
    }
}

fn sigmoid(logit: f32) -> f32 {
    1.0 / (1.0 + (-logit).exp())
}

/// What the outputs of a batch should have been.
pub(super) struct Targets {
    /// The cells that answer for a face, counted through the whole batch.
    positives: Vec<u32>,
    /// For each of these, the class target.
    overlaps: Vec<f32>,
    /// For each of these, left, top, right and bottom of its face, in strides from the cell's corner.
    corners: Vec<[f32; 4]>,
    /// For each of these, the raw landmarks and 1, or zeros and 0 where the landmarks are not known.
    landmarks: Vec<([f32; 10], f32)>,
    /// For every cell of the batch 1 or 0.
    objectness: Vec<f32>,
    /// For every cell of the batch 1, or 0 where its objectness is not judged.
    judged: Vec<f32>,
}

impl Targets {
    /// Assigns cells to the faces of every picture of the batch, given what the cells predict at present.
    ///
    /// # Errors
    /// The outputs do not have the promised shapes.
    pub(super) fn new(outputs: &CellOutputs, cells: &[Cell], truths: &[Truth]) -> Result<Self> {
        let all = cells.len() * truths.len();
        let mut targets = Self {
            positives: Vec::new(),
            overlaps: Vec::new(),
            corners: Vec::new(),
            landmarks: Vec::new(),
            objectness: vec![0.0; all],
            judged: Vec::with_capacity(all),
        };
        for (picture, truth) in truths.iter().enumerate() {
            let faces: Vec<Rect> = truth.faces.iter().map(|face| face.rect).collect();
            let predictions = outputs.predictions(picture, cells)?;
            targets.judged.extend(cells.iter().map(|cell| judged(cell, &truth.ignored)));
            for found in assign(cells, &predictions, &faces) {
                targets.push(picture * cells.len(), &cells[found.cell], found, truth);
            }
        }
        Ok(targets)
    }

    fn push(&mut self, offset: usize, cell: &Cell, found: Match, truth: &Truth) {
        let face = &truth.faces[found.face];
        let (x, y) = (face.rect.x / cell.stride - cell.column, face.rect.y / cell.stride - cell.row);
        self.corners.push([x, y, x + face.rect.w / cell.stride, y + face.rect.h / cell.stride]);
        self.landmarks.push(match &face.landmarks {
            Some(landmarks) => (cell.encode_landmarks(landmarks), 1.0),
            None => ([0.0; 10], 0.0),
        });
        self.overlaps.push(found.overlap);
        let index = offset + found.cell;
        self.objectness[index] = 1.0;
        self.judged[index] = 1.0;
        self.positives.push(index as u32);
    }

    /// How many cells answer for a face.
    pub(super) fn positives(&self) -> usize {
        self.positives.len()
    }
}

fn judged(cell: &Cell, ignored: &[Rect]) -> f32 {
    let (centre, margin) = (cell.centre(), IGNORED_MARGIN * cell.stride);
    let within = |rect: &Rect| {
        centre.x > rect.x - margin
            && centre.x < rect.x + rect.w + margin
            && centre.y > rect.y - margin
            && centre.y < rect.y + rect.h + margin
    };
    if ignored.iter().any(within) { 0.0 } else { 1.0 }
}

/// The four terms, each a scalar tensor that already carries its weight.
pub(super) struct Losses {
    pub(super) class: Tensor,
    pub(super) objectness: Tensor,
    pub(super) boxes: Tensor,
    pub(super) landmarks: Tensor,
}

impl Losses {
    /// The losses of `outputs` against `targets`, per cell that answers for a face.
    ///
    /// # Errors
    /// The outputs do not have the promised shapes.
    pub(super) fn new(outputs: &CellOutputs, targets: &Targets) -> Result<Self> {
        let (dtype, device) = (outputs.objectness.dtype(), outputs.objectness.device());
        let vector = |values: &[f32]| Tensor::new(values, device)?.to_dtype(dtype);
        let rows = |values: &[f32], width: usize| vector(values)?.reshape(((), width));
        let count = targets.positives().max(1) as f64;

        let objectness = cross_entropy(&outputs.objectness.flatten_all()?, &vector(&targets.objectness)?)?;
        let objectness = ((objectness * vector(&targets.judged)?)?.sum_all()? / count)?;
        if targets.positives.is_empty() {
            let nothing = Tensor::zeros((), dtype, device)?;
            let [class, boxes, landmarks] = [nothing.clone(), nothing.clone(), nothing];
            return Ok(Self { class, objectness, boxes, landmarks });
        }

        let positives = Tensor::new(targets.positives.as_slice(), device)?;
        let class = outputs.class.flatten_all()?.index_select(&positives, 0)?;
        let class = (cross_entropy(&class, &vector(&targets.overlaps)?)?.sum_all()? / count)?;

        let boxes = outputs.boxes.flatten(0, 1)?.index_select(&positives, 0)?;
        let corners = rows(targets.corners.as_flattened(), 4)?;
        let boxes = (smooth(&extended_iou_distance(&boxes, &corners)?, BOX_KNEE)?.sum_all()? / count)?;

        let (raw, known): (Vec<[f32; 10]>, Vec<f32>) = targets.landmarks.iter().copied().unzip();
        let landmarks = outputs.landmarks.flatten(0, 1)?.index_select(&positives, 0)?;
        let raw = rows(raw.as_flattened(), 10)?;
        let error = smooth(&(landmarks - raw)?.abs()?, LANDMARK_KNEE)?.sum(1)?;
        let faces = f64::from(known.iter().sum::<f32>().max(1.0));
        let landmarks = ((error * vector(&known)?)?.sum_all()? / faces)?;

        Ok(Self {
            class,
            objectness,
            boxes: (boxes * BOX_WEIGHT)?,
            landmarks: (landmarks * LANDMARK_WEIGHT)?,
        })
    }

    /// What is minimised: the sum of the four.
    pub(super) fn total(&self) -> Result<Tensor> {
        &(&self.class + &self.objectness)? + &(&self.boxes + &self.landmarks)?
    }

    /// Class, objectness, box and landmark loss as numbers.
    pub(super) fn values(&self) -> Result<[f32; 4]> {
        let value = |loss: &Tensor| loss.to_dtype(DType::F32)?.to_scalar::<f32>();
        Ok([value(&self.class)?, value(&self.objectness)?, value(&self.boxes)?, value(&self.landmarks)?])
    }
}

/// Binary cross-entropy of logits against targets in 0..=1, element by element, without overflow.
fn cross_entropy(logits: &Tensor, targets: &Tensor) -> Result<Tensor> {
    let tail = (logits.abs()?.neg()?.exp()? + 1.0)?.log()?;
    ((logits.relu()? - (logits * targets)?)? + tail)?.contiguous()
}

/// `x²/2k` below the knee `k` and `x − k/2` above it, for `x` ≥ 0.
fn smooth(x: &Tensor, knee: f64) -> Result<Tensor> {
    let below = x.minimum(knee)?;
    (below.sqr()? * (0.5 / knee))? + (x - below)?
}

/// One minus the extended intersection over union of raw boxes `[n, 4]` with corners `[n, 4]` (both in
/// strides from the cell's corner). It goes on growing where the boxes no longer touch, so that there is
/// always a direction to move in: the intersection turns negative there.
fn extended_iou_distance(raw: &Tensor, corners: &Tensor) -> Result<Tensor> {
    let column = |tensor: &Tensor, index: usize| tensor.narrow(1, index, 1)?.squeeze(1);
    let (w, h) = (column(raw, 2)?.exp()?, column(raw, 3)?.exp()?);
    let (x, y) = (column(raw, 0)?, column(raw, 1)?);
    let (left, right) = ((&x - (&w * 0.5)?)?, (&x + (&w * 0.5)?)?);
    let (top, bottom) = ((&y - (&h * 0.5)?)?, (&y + (&h * 0.5)?)?);
    let [to_left, to_top, to_right, to_bottom] =
        [column(corners, 0)?, column(corners, 1)?, column(corners, 2)?, column(corners, 3)?];

    // All lengths from the top left corner of the smallest box around both.
    let (origin_x, origin_y) = (left.minimum(&to_left)?, top.minimum(&to_top)?);
    let begin_x = (left.maximum(&to_left)? - &origin_x)?;
    let begin_y = (top.maximum(&to_top)? - &origin_y)?;
    let end_x = (right.minimum(&to_right)? - &origin_x)?;
    let end_y = (bottom.minimum(&to_bottom)? - &origin_y)?;
    let outer = ((&end_x * &end_y)? + (begin_x.minimum(&end_x)? * begin_y.minimum(&end_y)?)?)?;
    let strips = ((&begin_x * begin_y.maximum(&end_y)?)? + (begin_x.maximum(&end_x)? * &begin_y)?)?;
    let intersection = (outer - strips)?;

    let target_area = ((to_right - to_left)? * (to_bottom - to_top)?)?;
    let union = (((w * h)? + target_area)? - &intersection)?;
    1.0 - (intersection / union)?
}

#[cfg(test)]
mod tests {
    use super::super::cells::grid;
    use super::super::truth::TrueFace;
    use super::*;
    use candle_core::{Device, Var};
    use maskwatch::geometry::Point;

    const SIDE: usize = 64;

    fn truths() -> Vec<Truth> {
        let landmarks = [(20.0, 22.0), (33.0, 21.0), (27.0, 28.0), (22.0, 34.0), (31.0, 34.5)];
        let known = TrueFace {
            rect: Rect::new(14.0, 12.0, 25.0, 29.0),
            is_bare: true,
            landmarks: Some(landmarks.map(|(x, y)| Point { x, y })),
        };
        let unknown = TrueFace { rect: Rect::new(45.0, 40.0, 11.0, 14.0), is_bare: false, landmarks: None };
        vec![
            Truth { faces: vec![known, unknown], ignored: vec![Rect::new(50.0, 2.0, 9.0, 9.0)] },
            Truth { faces: vec![], ignored: vec![] },
        ]
    }

    /// Raw outputs that are neither right nor at a kink of the losses.
    fn outputs() -> Vec<Var> {
        let cells = grid(SIDE, SIDE).len();
        let wave = |width: usize, scale: f64, shift: f64| {
            let values: Vec<f64> =
                (0..2 * cells * width).map(|i| ((i * i % 97) as f64 * 0.731).sin() * scale + shift).collect();
            let shape = if width == 1 { vec![2, cells] } else { vec![2, cells, width] };
            Var::from_tensor(&Tensor::from_vec(values, shape, &Device::Cpu).unwrap()).unwrap()
        };
        vec![wave(1, 2.0, 0.0), wave(1, 3.0, -1.0), wave(4, 0.7, 0.6), wave(10, 1.5, 0.5)]
    }

    fn view(variables: &[Var]) -> CellOutputs {
        let [class, objectness, boxes, landmarks] =
            [0, 1, 2, 3].map(|index| variables[index].as_tensor().clone());
        CellOutputs { class, objectness, boxes, landmarks }
    }

    #[test]
    fn gradients_equal_differences() {
        let (variables, cells) = (outputs(), grid(SIDE, SIDE));
        let targets = Targets::new(&view(&variables), &cells, &truths()).unwrap();
        assert!(targets.positives() >= 2);
        let total = |variables: &[Var]| Losses::new(&view(variables), &targets).unwrap().total().unwrap();
        let gradients = total(&variables).backward().unwrap();
        let mut compared = 0;
        for (which, variable) in variables.iter().enumerate() {
            let gradient: Vec<f64> =
                gradients.get(variable).unwrap().flatten_all().unwrap().to_vec1().unwrap();
            let values: Vec<f64> = variable.flatten_all().unwrap().to_vec1().unwrap();
            // Every element that has a gradient and a few of those that have none.
            let chosen = (0..values.len()).filter(|&i| gradient[i] != 0.0 || i % 61 == 0);
            for index in chosen {
                let step = 1e-6;
                let at = |shift: f64| {
                    let mut moved = values.clone();
                    moved[index] += shift;
                    let moved = Tensor::from_vec(moved, variable.shape(), &Device::Cpu).unwrap();
                    variable.set(&moved).unwrap();
                    total(&variables).to_scalar::<f64>().unwrap()
                };
                let difference = (at(step) - at(-step)) / (2.0 * step);
                at(0.0);
                assert!(
                    (difference - gradient[index]).abs() < 1e-6 * (1.0 + difference.abs()),
                    "output {which}, element {index}: {difference} against {}",
                    gradient[index]
                );
                compared += 1;
            }
        }
        assert!(compared > 200, "{compared}");
    }

    #[test]
    fn perfect_outputs_cost_nothing() {
        let cells = grid(SIDE, SIDE);
        let truths = &truths()[..1];
        let face = &truths[0].faces[0];
        let count = cells.len();
        let boxes: Vec<f32> = cells
            .iter()
            .flat_map(|cell| {
                let (middle, s) = (face.rect.centre(), cell.stride);
                [
                    middle.x / s - cell.column,
                    middle.y / s - cell.row,
                    (face.rect.w / s).ln(),
                    (face.rect.h / s).ln(),
                ]
            })
            .collect();
        let landmarks: Vec<f32> =
            cells.iter().flat_map(|cell| cell.encode_landmarks(&face.landmarks.unwrap())).collect();
        let logits = |value: f32| Tensor::full(value, (1, count), &Device::Cpu).unwrap();
        let mut outputs = CellOutputs {
            class: logits(20.0),
            objectness: logits(-20.0),
            boxes: Tensor::from_vec(boxes, (1, count, 4), &Device::Cpu).unwrap(),
            landmarks: Tensor::from_vec(landmarks, (1, count, 10), &Device::Cpu).unwrap(),
        };
        let alone = [Truth { faces: vec![face.clone()], ignored: vec![] }];
        let targets = Targets::new(&outputs, &cells, &alone).unwrap();
        let right: Vec<f32> = targets.objectness.iter().map(|&target| target * 40.0 - 20.0).collect();
        outputs.objectness = Tensor::from_vec(right, (1, count), &Device::Cpu).unwrap();
        let values = Losses::new(&outputs, &targets).unwrap().values().unwrap();
        assert!(values.iter().all(|value| value.abs() < 1e-3), "{values:?}");
    }

    #[test]
    fn ignored_cells_are_neither_right_nor_wrong() {
        let cells = grid(SIDE, SIDE);
        let ignored = Truth { faces: vec![], ignored: vec![Rect::new(0.0, 0.0, 64.0, 64.0)] };
        let outputs = view(&outputs());
        let narrowed = CellOutputs {
            class: outputs.class.narrow(0, 0, 1).unwrap(),
            objectness: outputs.objectness.narrow(0, 0, 1).unwrap(),
            boxes: outputs.boxes.narrow(0, 0, 1).unwrap(),
            landmarks: outputs.landmarks.narrow(0, 0, 1).unwrap(),
        };
        let targets = Targets::new(&narrowed, &cells, &[ignored]).unwrap();
        assert_eq!(Losses::new(&narrowed, &targets).unwrap().values().unwrap(), [0.0; 4]);
        let background = Targets::new(&narrowed, &cells, &[Truth::default()]).unwrap();
        assert!(Losses::new(&narrowed, &background).unwrap().values().unwrap()[1] > 0.0);
    }

    #[test]
    fn the_box_loss_grows_with_distance_even_without_overlap() {
        let corners = Tensor::new(&[[0f64, 0.0, 2.0, 2.0]], &Device::Cpu).unwrap();
        let distance = |x: f64, y: f64| {
            let raw = Tensor::new(&[[1.0 + x, 1.0 + y, 2f64.ln(), 2f64.ln()]], &Device::Cpu).unwrap();
            extended_iou_distance(&raw, &corners).unwrap().to_vec1::<f64>().unwrap()[0]
        };
        assert!(distance(0.0, 0.0).abs() < 1e-12);
        assert!((distance(1.0, 0.0) - (1.0 - 1.0 / 3.0)).abs() < 1e-12);
        for (x, y) in [(1.0, 0.0), (0.0, 1.0), (1.0, 1.0), (-1.0, 0.5)] {
            let far: Vec<f64> = [0.5, 1.0, 2.0, 4.0].iter().map(|&by| distance(x * by, y * by)).collect();
            assert!(far.windows(2).all(|pair| pair[0] < pair[1]), "{x} {y}: {far:?}");
        }
    }
}
