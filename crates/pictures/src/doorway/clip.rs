//! One clip: who comes to which door when, and the camera's frames of it. Every frame is a function of the
//! clip and the time alone, so the same seed gives the same frames, at any rate and on any number of threads.

use super::background::{self, DoorBackground};
use super::gathering::Gathering;
use super::path::{FRAME, Path, Wave};
use super::person::{self, DoorPerson, PersonLook};
use image::RgbImage;
use maskwatch_vision::geometry::Rect;
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;
use std::ops::Range;
use std::sync::Arc;
use std::time::Duration;

/// The door is empty for so many seconds first, and in the end.
const EMPTY: f32 = 0.3;
/// In company, everybody comes within so many seconds.
const STAGGER: f32 = 0.9;
/// Where everybody stands who comes to the place of the one before, in pixels across.
const SAME_PLACE: Range<f32> = 240.0..400.0;
/// Seconds from when the first is gone until the next comes.
const GAP: Range<f32> = 0.2..4.5;
/// Seconds before the first leaves at which the one behind him comes into view.
const BEHIND: Range<f32> = 0.4..1.2;
/// Values of sensor noise that are kept; frames begin at random places in them.
const NOISE: usize = 1 << 15;
/// The time in which usable sizes are searched, in seconds.
const FINE: f32 = 0.01;

/// One person in one clip.
#[derive(Debug, Clone)]
struct Visit {
    person: Arc<DoorPerson>,
    path: Path,
    look: PersonLook,
}

/// A door with people who come to it.
#[derive(Debug, Clone)]
pub struct Clip {
    background: DoorBackground,
    visits: Vec<Visit>,
    /// How the exposure drifts.
    drift: Wave,
    noise: Vec<i8>,
    noise_seed: u64,
    /// Where the first frame lies between two, 0 to 1.
    phase: f32,
}

impl Clip {
    /// Draws the clip in which these people come, in this way.
    #[must_use]
    pub fn draw(gathering: Gathering, people: &[Arc<DoorPerson>], random: &mut ChaCha8Rng) -> Self {
        let background = background::draw(random);
        let mut visits: Vec<Visit> = Vec::with_capacity(people.len());
        for (index, person) in people.iter().enumerate() {
            let path = path(gathering, (index, people.len()), &visits, person.aspect(), random);
            let look = PersonLook::draw(background.light, random);
            visits.push(Visit { person: Arc::clone(person), path, look });
        }
        // The darker, the more noise.
        let strength = random.random_range(1.0..3.0f32) / background.light;
        let noise = (0..NOISE)
            .map(|_| {
                // The sum of four uniform numbers is near enough to a normal one.
                let sum: f32 = (0..4).map(|_| random.random_range(-1.0..1.0f32)).sum();
                (sum * 0.87 * strength) as i8
            })
            .collect();
        Self {
            background,
            visits,
            drift: Wave::draw(0.12, 0.15..0.6, random),
            noise,
            noise_seed: random.random(),
            phase: random.random_range(0.0..1.0),
        }
    }

    /// The people of the clip.
    pub fn people(&self) -> impl ExactSizeIterator<Item = &DoorPerson> {
        self.visits.iter().map(|visit| &*visit.person)
    }

    /// Seconds from the first frame to the last.
    #[must_use]
    pub fn length(&self) -> f32 {
        EMPTY + self.visits.iter().map(|visit| visit.path.end()).fold(0.0, f32::max)
    }

    /// The box of each person's face at `seconds`, in pixels of the frame, it may reach over the frame's
    /// edges; nothing while the person is not there.
    #[must_use]
    pub fn faces(&self, seconds: f32) -> Vec<Option<Rect>> {
        self.visits
            .iter()
            .map(|Visit { person, path, .. }| Some(path.pose(seconds)?.rect(person.aspect())))
            .collect()
    }

    /// Which of `faces`, the boxes at one moment, can be judged: the whole face is in the frame, nobody
    /// nearer stands before it, and its shorter side is at least `side` pixels.
    #[must_use]
    pub fn usable(faces: &[Option<Rect>], side: f32) -> Vec<bool> {
        let hidden = |index: usize, face: &Rect| {
            let others = faces.iter().enumerate().filter(|(other, _)| *other != index);
            others.filter_map(|(_, other)| other.as_ref()).any(|other| hides(other, face))
        };
        let usable = |(index, face): (usize, &Option<Rect>)| {
            let face = face.as_ref();
            face.is_some_and(|face| face.side() >= side && within_frame(face) && !hidden(index, face))
        };
        faces.iter().enumerate().map(usable).collect()
    }

    /// When each person can be judged first: the whole face is in the frame, nobody nearer stands before it,
    /// and its shorter side is at least `side` pixels.
    #[must_use]
    pub fn usable_from(&self, side: f32) -> Vec<Option<Duration>> {
        let mut first = vec![None; self.visits.len()];
        for step in 0..=(self.length() / FINE) as u32 {
            let seconds = step as f32 * FINE;
            for (first, usable) in first.iter_mut().zip(Self::usable(&self.faces(seconds), side)) {
                if usable {
                    first.get_or_insert(Duration::from_secs_f32(seconds));
                }
            }
        }
        first
    }

    /// Frame `index`, which is taken at `seconds`.
    #[must_use]
    pub fn render(&self, index: u64, seconds: f32) -> RgbImage {
        let mut frame = self.background.picture.clone();
        let mut there: Vec<_> =
            self.visits.iter().filter_map(|visit| Some((visit, visit.path.pose(seconds)?))).collect();
        // The nearest is drawn last.
        there.sort_by(|(_, one), (_, other)| one.width.total_cmp(&other.width));
        for (Visit { person, path, look }, pose) in there {
            person::draw(&mut frame, person, look, &pose, path.velocity(seconds));
        }
        self.expose(&mut frame, index, seconds);
        frame
    }

    /// Drifting exposure and sensor noise.
    fn expose(&self, frame: &mut RgbImage, index: u64, seconds: f32) {
        // 7 bits behind the point: a product still fits into 16.
        let gain = (128.0 * (1.0 + self.drift.at(seconds))) as u16;
        let mut random = ChaCha8Rng::seed_from_u64(self.noise_seed);
        random.set_stream(index);
        let row = 3 * frame.width() as usize;
        for row in frame.chunks_exact_mut(row) {
            let start = random.random_range(0..NOISE - row.len());
            for (value, noise) in row.iter_mut().zip(&self.noise[start..]) {
                let exposed = ((u16::from(*value) * gain) >> 7) as i16;
                *value = (exposed + i16::from(*noise)).clamp(0, 255) as u8;
            }
        }
    }

    /// Seconds of the clip at which frame `index` is taken, at so many frames a second.
    pub fn time(&self, index: u64, rate: f32) -> f32 {
        (index as f32 + self.phase) / rate
    }

    /// The number of frames at so many frames a second.
    #[must_use]
    pub fn frames(&self, rate: f32) -> u64 {
        ((self.length() * rate - self.phase).max(0.0)) as u64 + 1
    }
}

/// Draws the way of person `index` of `count`, with a face `aspect` times as high as wide, behind those who
/// came before.
fn path(
    gathering: Gathering,
    (index, count): (usize, usize),
    before: &[Visit],
    aspect: f32,
    random: &mut ChaCha8Rng,
) -> Path {
    let alone = gathering == Gathering::Alone;
    let lanes = if matches!(gathering, Gathering::InTurn | Gathering::InLine) { 1 } else { count.max(1) };
    let wide = FRAME.0 as f32 / lanes as f32;
    let lane = if lanes == 1 && !alone { SAME_PLACE } else { wide * index as f32..wide * (index + 1) as f32 };
    let first = before.first().map(|first| &first.path);
    let appears = match (gathering, first) {
        (Gathering::InTurn, Some(first)) => first.end() + random.random_range(GAP),
        (Gathering::InLine, Some(first)) => first.standing().end - random.random_range(BEHIND),
        (Gathering::InCompany, _) => EMPTY + random.random_range(0.0..STAGGER),
        _ => EMPTY,
    };
    let path = Path::draw(appears, lane, alone, aspect, random);
    if gathering == Gathering::Crossing { path.across(index == 0) } else { path }
}

/// Whether nothing of `face` is cut off.
fn within_frame(face: &Rect) -> bool {
    let (across, down) = (FRAME.0 as f32, FRAME.1 as f32);
    face.x >= 0.0 && face.y >= 0.0 && face.x + face.w <= across && face.y + face.h <= down
}

/// Whether `nearer` may hide `face`, with hair and shoulders.
fn hides(nearer: &Rect, face: &Rect) -> bool {
    let wide =
        Rect::new(nearer.x - 0.3 * nearer.w, nearer.y - 0.3 * nearer.h, 1.6 * nearer.w, 3.0 * nearer.h);
    nearer.w > face.w && wide.iou(face) > 0.0
}
