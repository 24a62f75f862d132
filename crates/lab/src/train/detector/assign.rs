//! Which cells answer for which face: the simplified optimal transport assignment (SimOTA) of YOLOX
//! (<https://arxiv.org/abs/2107.08430>), which YuNet is trained with. A face takes the cells whose present
//! prediction fits it best, as many as its overlaps promise. No gradients flow through here, so it is plain
//! arithmetic on slices.
//!
//! Two things differ from the original: a face only considers cells near itself, and no face goes without a
//! cell while rearranging could give it one, since a small face beside a larger one would otherwise never be
//! learned.

use super::cells::Cell;
use maskwatch::geometry::Rect;

/// A cell's centre must lie within this many strides of the face's centre.
const CENTRE_RADIUS: f32 = 2.5;
/// The overlaps of this many best fitting cells are summed to tell how many cells a face takes.
const OVERLAPS_SUMMED: usize = 10;
/// How much a poor overlap weighs against a poor score.
const OVERLAP_WEIGHT: f32 = 3.0;
/// Added for cells that are near the face but not inside both its box and its centre: the last resort.
const OUTSIDE_COST: f32 = 1e5;

/// What a cell predicts at present.
#[derive(Debug, Clone, Copy)]
pub(super) struct Prediction {
    /// The predicted box in pixels of the input.
    pub(super) rect: Rect,
    /// Class probability times objectness, 0..=1.
    pub(super) score: f32,
}

/// One cell that is assigned to one face.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Match {
    /// Index into the cells.
    pub(super) cell: usize,
    /// Index into the faces.
    pub(super) face: usize,
    /// Intersection over union of the cell's predicted box with the face: the target of the class output.
    pub(super) overlap: f32,
}

struct CandidateCell {
    cell: usize,
    overlap: f32,
    cost: f32,
}

/// The cost of letting a prediction of this score and overlap answer for a face; falls as either rises.
pub(super) fn cost(score: f32, overlap: f32) -> f32 {
    -score.clamp(1e-12, 1.0).sqrt().ln() - OVERLAP_WEIGHT * (overlap.max(0.0) + 1e-8).ln()
}

/// Gives every face its cells. `predictions` belong to `cells` one by one. Each cell is given at most once;
/// each face has at least one, unless there are not enough cells around it. Ordered by cell.
pub(super) fn assign(cells: &[Cell], predictions: &[Prediction], faces: &[Rect]) -> Vec<Match> {
    let candidates: Vec<Vec<CandidateCell>> =
        faces.iter().map(|face| candidates(cells, predictions, face)).collect();
    let mut owners: Vec<Option<Owner>> = vec![None; cells.len()];
    for (face, candidates) in candidates.iter().enumerate() {
        for (rank, candidate) in candidates.iter().enumerate().take(wanted(candidates)) {
            let owner = &mut owners[candidate.cell];
            if owner.is_none_or(|other| candidate.cost < other.cost) {
                *owner = Some(Owner { face, rank, cost: candidate.cost });
            }
        }
    }
    rescue_all(&candidates, &mut owners);
    owners
        .iter()
        .enumerate()
        .filter_map(|(cell, owner)| {
            owner.map(|Owner { face, rank, .. }| Match {
                cell,
                face,
                overlap: candidates[face][rank].overlap,
            })
        })
        .collect()
}

#[derive(Debug, Clone, Copy)]
struct Owner {
    face: usize,
    /// Index into the face's candidates.
    rank: usize,
    cost: f32,
}

/// The cells that a face may take, cheapest first.
fn candidates(cells: &[Cell], predictions: &[Prediction], face: &Rect) -> Vec<CandidateCell> {
    let middle = face.centre();
    let mut found: Vec<CandidateCell> = cells
        .iter()
        .zip(predictions)
        .enumerate()
        .filter_map(|(index, (cell, prediction))| {
            let centre = cell.centre();
            let in_box = centre.x > face.x
                && centre.x < face.x + face.w
                && centre.y > face.y
                && centre.y < face.y + face.h;
            let reach = CENTRE_RADIUS * cell.stride;
            let near = (centre.x - middle.x).abs() < reach && (centre.y - middle.y).abs() < reach;
            if !in_box && !near {
                return None;
            }
            let overlap = prediction.rect.iou(face);
            let outside = if in_box && near { 0.0 } else { OUTSIDE_COST };
            let cost = cost(prediction.score, overlap) + outside;
            // A network that has diverged predicts no numbers; such a cell is not worth having.
            cost.is_finite().then_some(CandidateCell { cell: index, overlap, cost })
        })
        .collect();
    found.sort_by(|a, b| a.cost.total_cmp(&b.cost).then(a.cell.cmp(&b.cell)));
    found
}

/// How many cells a face takes: the sum of its best overlaps, at least one, and never one from outside while
/// there is one inside.
fn wanted(candidates: &[CandidateCell]) -> usize {
    let inside = candidates.iter().take_while(|candidate| candidate.cost < OUTSIDE_COST).count();
    let mut overlaps: Vec<f32> = candidates[..inside].iter().map(|candidate| candidate.overlap).collect();
    overlaps.sort_by(|a, b| b.total_cmp(a));
    let promised: f32 = overlaps.iter().take(OVERLAPS_SUMMED).sum();
    (promised as usize).clamp(1, inside.max(1))
}

/// Finds a cell for every face that lost all of its own to others.
fn rescue_all(candidates: &[Vec<CandidateCell>], owners: &mut [Option<Owner>]) {
    let mut held = vec![0usize; candidates.len()];
    for owner in owners.iter().flatten() {
        held[owner.face] += 1;
    }
    for face in 0..candidates.len() {
        if held[face] == 0 {
            let mut visited = vec![false; owners.len()];
            rescue(face, candidates, owners, &mut held, &mut visited);
        }
    }
}

/// Gives `face` one cell: a free one, one of a face that holds several, or one whose owner can itself be
/// moved elsewhere (an augmenting path). Tells whether that worked; if not, nothing has changed.
fn rescue(
    face: usize,
    candidates: &[Vec<CandidateCell>],
    owners: &mut [Option<Owner>],
    held: &mut [usize],
    visited: &mut [bool],
) -> bool {
    for (rank, candidate) in candidates[face].iter().enumerate() {
        if std::mem::replace(&mut visited[candidate.cell], true) {
            continue;
        }
        let available = match owners[candidate.cell] {
            None => true,
            Some(owner) if owner.face == face => false,
            Some(owner) if held[owner.face] > 1 => {
                held[owner.face] -= 1;
                true
            }
            Some(owner) => {
                rescue(owner.face, candidates, owners, held, visited) && {
                    held[owner.face] -= 1;
                    true
                }
            }
        };
        if available {
            owners[candidate.cell] = Some(Owner { face, rank, cost: candidate.cost });
            held[face] += 1;
            return true;
        }
    }
    false
}

#[cfg(test)]
mod tests {
    use super::super::cells::grid;
    use super::*;
    use proptest::prelude::*;
    use std::collections::HashSet;

    const SIDE: usize = 160;

    fn face() -> impl Strategy<Value = Rect> {
        (0f32..150.0, 0f32..150.0, 6f32..90.0, 6f32..90.0).prop_map(|(x, y, w, h)| {
            Rect::new(x, y, w.min(SIDE as f32 - x).max(6.0), h.min(SIDE as f32 - y).max(6.0))
        })
    }

    /// A box around each cell, of any size, with any score.
    fn predictions(side: usize) -> impl Strategy<Value = Vec<Prediction>> {
        let cells = grid(side, side);
        proptest::collection::vec((-1f32..1.0, -1f32..1.0, -1f32..2.0, -1f32..2.0, 0f32..=1.0), cells.len())
            .prop_map(move |raws| {
                cells
                    .iter()
                    .zip(raws)
                    .map(|(cell, (x, y, w, h, score))| Prediction { rect: cell.decode([x, y, w, h]), score })
                    .collect()
            })
    }

    fn holders(matches: &[Match]) -> HashSet<usize> {
        matches.iter().map(|found| found.face).collect()
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]

        #[test]
        fn every_face_gets_a_cell_and_no_cell_two_faces(
            faces in proptest::collection::vec(face(), 0..6), predictions in predictions(SIDE),
        ) {
            let cells = grid(SIDE, SIDE);
            let matches = assign(&cells, &predictions, &faces);
            prop_assert!(matches.windows(2).all(|pair| pair[0].cell < pair[1].cell));
            prop_assert_eq!(holders(&matches).len(), faces.len());
            for found in matches {
                let overlap = predictions[found.cell].rect.iou(&faces[found.face]);
                prop_assert_eq!(found.overlap, overlap);
            }
        }

        /// Only so many faces can be served as there are cells around them, and that many are.
        #[test]
        fn a_crowd_gets_as_many_cells_as_there_are(
            face in face(), crowd in 1usize..40, predictions in predictions(64),
        ) {
            let face = Rect::new(face.x.min(50.0), face.y.min(50.0), face.w.min(14.0), face.h.min(14.0));
            let cells = grid(64, 64);
            let around = candidates(&cells, &predictions, &face).len();
            let matches = assign(&cells, &predictions, &vec![face; crowd]);
            prop_assert_eq!(holders(&matches).len(), crowd.min(around));
        }

        #[test]
        fn cost_falls_with_score_and_overlap(score in 0f32..1.0, overlap in 0f32..1.0, more in 0.001f32..0.5) {
            prop_assert!(cost((score + more).min(1.0), overlap) <= cost(score, overlap));
            prop_assert!(cost(score, (overlap + more).min(1.0)) <= cost(score, overlap));
        }

        /// Alone, a face takes its cheapest cells: none left out is better than one taken.
        #[test]
        fn a_lone_face_takes_the_cheapest(face in face(), predictions in predictions(SIDE)) {
            let cells = grid(SIDE, SIDE);
            let taken: HashSet<usize> =
                assign(&cells, &predictions, &[face]).iter().map(|found| found.cell).collect();
            let all = candidates(&cells, &predictions, &face);
            let dearest = all.iter().filter(|c| taken.contains(&c.cell)).map(|c| c.cost).fold(0.0, f32::max);
            prop_assert!(all.iter().filter(|c| !taken.contains(&c.cell)).all(|c| c.cost >= dearest));
        }

        /// A crowd beside a lone face: chains of moves free a cell where taking a neighbour's spare is not
        /// enough.
        #[test]
        fn served_faces_are_as_many_as_any_arrangement_serves(
            faces in proptest::collection::vec((0f32..56.0, 0f32..56.0), 1..60), predictions in predictions(64),
        ) {
            let faces: Vec<Rect> = faces.iter().map(|&(x, y)| Rect::new(x, y, 7.0, 7.0)).collect();
            let cells = grid(64, 64);
            let wishes: Vec<Vec<usize>> = faces
                .iter()
                .map(|face| candidates(&cells, &predictions, face).iter().map(|c| c.cell).collect())
                .collect();
            let served = holders(&assign(&cells, &predictions, &faces)).len();
            prop_assert_eq!(served, most_served(&wishes, cells.len()));
        }
    }

    /// The size of a maximum matching, by flow: breadth-first augmenting paths, written apart from the code
    /// above.
    fn most_served(wishes: &[Vec<usize>], cells: usize) -> usize {
        let mut holder: Vec<Option<usize>> = vec![None; cells];
        let mut holds: Vec<Option<usize>> = vec![None; wishes.len()];
        for start in 0..wishes.len() {
            let mut came_from: Vec<Option<usize>> = vec![None; cells];
            let mut queue = std::collections::VecDeque::from([start]);
            'search: while let Some(face) = queue.pop_front() {
                for &cell in &wishes[face] {
                    if came_from[cell].is_some() {
                        continue;
                    }
                    came_from[cell] = Some(face);
                    if let Some(next) = holder[cell] {
                        queue.push_back(next);
                        continue;
                    }
                    let mut free = Some(cell);
                    while let Some(cell) = free {
                        let face = came_from[cell].unwrap();
                        holder[cell] = Some(face);
                        free = holds[face].replace(cell);
                    }
                    break 'search;
                }
            }
        }
        holds.iter().flatten().count()
    }

    #[test]
    fn a_well_fitted_face_takes_several_cells() {
        let face = Rect::new(40.0, 40.0, 48.0, 48.0);
        let cells = grid(SIDE, SIDE);
        let exact = vec![Prediction { rect: face, score: 0.9 }; cells.len()];
        assert_eq!(assign(&cells, &exact, &[face]).len(), OVERLAPS_SUMMED);
        let poor = vec![Prediction { rect: Rect::new(0.0, 0.0, 4.0, 4.0), score: 0.9 }; cells.len()];
        assert_eq!(assign(&cells, &poor, &[face]).len(), 1);
    }

    #[test]
    fn a_diverged_network_breaks_nothing() {
        let face = Rect::new(40.0, 40.0, 48.0, 48.0);
        let cells = grid(SIDE, SIDE);
        let nothing = Prediction { rect: Rect::new(f32::NAN, 0.0, f32::INFINITY, 1.0), score: f32::NAN };
        assert!(assign(&cells, &vec![nothing; cells.len()], &[face]).len() <= 1);
    }
}
