//! Who comes together, and how: everybody comes once in each kind of gathering.

use super::person::DoorPerson;
use crate::random::{Purpose, stream};
use rand::RngExt;
use rand::seq::SliceRandom;
use rand_chacha::ChaCha8Rng;
use std::ops::RangeInclusive;
use std::sync::Arc;

/// People who come at once.
const COMPANY: RangeInclusive<usize> = 2..=4;

/// How the people of a clip come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Gathering {
    /// One person.
    Alone,
    /// Two to four within a second, each to a place of its own.
    InCompany,
    /// Two, the second to the same place a few seconds after the first has left.
    InTurn,
    /// Two, the second from behind the first, who hides him until he leaves.
    InLine,
    /// Two, from both sides, who cross before the door.
    Crossing,
}

impl Gathering {
    /// All of them with their names in reports.
    pub const NAMES: [(&str, Self); 5] = [
        ("alone", Self::Alone),
        ("in_company", Self::InCompany),
        ("in_turn", Self::InTurn),
        ("in_line", Self::InLine),
        ("crossing", Self::Crossing),
    ];

    /// Its name in reports.
    #[must_use]
    pub fn name(self) -> &'static str {
        Self::NAMES.iter().find(|(_, gathering)| *gathering == self).map_or("", |(name, _)| name)
    }
}

/// The people of one clip.
pub type GatheredPeople = (Gathering, Vec<Arc<DoorPerson>>);

/// Who comes together: everybody once in each kind of gathering. Who is left over comes in no pair.
#[must_use]
pub fn groups(people: &[Arc<DoorPerson>], seed: u64) -> Vec<GatheredPeople> {
    let mut groups: Vec<GatheredPeople> =
        people.iter().map(|person| (Gathering::Alone, vec![Arc::clone(person)])).collect();
    let mut random = stream(seed, Purpose::Groups, 0);
    groups.extend(companies(people, &mut random).into_iter().map(|group| (Gathering::InCompany, group)));
    for gathering in [Gathering::InTurn, Gathering::InLine, Gathering::Crossing] {
        let mut people = people.to_vec();
        people.shuffle(&mut random);
        groups.extend(people.chunks_exact(2).map(|pair| (gathering, pair.to_vec())));
    }
    groups
}

fn companies(people: &[Arc<DoorPerson>], random: &mut ChaCha8Rng) -> Vec<Vec<Arc<DoorPerson>>> {
    let (mut companies, mut left) = (Vec::new(), people.to_vec());
    left.shuffle(random);
    while left.len() >= *COMPANY.start() {
        let mut size = random.random_range(COMPANY);
        // Nobody is left to come alone a second time.
        if left.len() <= size || left.len() - size < *COMPANY.start() {
            size = if left.len() <= *COMPANY.end() { left.len() } else { *COMPANY.start() };
        }
        companies.push(left.split_off(left.len() - size));
    }
    companies
}
