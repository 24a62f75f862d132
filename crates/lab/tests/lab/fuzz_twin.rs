//! The bodies of the fuzz targets (tests/fuzz) on the stable toolchain: each with input that is valid, valid
//! input with some bytes changed, cut, doubled or moved, and plain noise. What the fuzzer does by coverage
//! for hours, this does by chance for seconds; `MASKWATCH_FUZZ_FACTOR=20` makes it twenty times as long.

#[path = "../../../../tests/fuzz/bodies.rs"]
mod bodies;
#[path = "../../../../tests/fuzz/seeds.rs"]
mod seeds;

use bodies::{BODIES, Body};
use proptest::prelude::*;
use proptest::sample::Index;
use proptest::test_runner::{Config, TestRunner};
use std::path::Path;

/// One change of some bytes.
#[derive(Debug, Clone)]
enum Edit {
    Flip(Index, u8),
    /// The bytes of a number at a limit, of one to eight bytes, either way round.
    Number(Index, usize, usize, bool),
    Cut(Index),
    Remove(Index, usize),
    Repeat(Index, usize, usize),
    Move(Index, Index, usize),
    Insert(Index, Vec<u8>),
}

const LIMITS: [u64; 9] = [0, 1, 0x7F, 0x80, 0xFF, 0x7FFF, 0xFFFF, 0x7FFF_FFFF, u64::MAX];

fn edit() -> impl Strategy<Value = Edit> {
    prop_oneof![
        4 => (any::<Index>(), any::<u8>()).prop_map(|(place, bits)| Edit::Flip(place, bits)),
        2 => (any::<Index>(), 0..LIMITS.len(), 1usize..9, any::<bool>())
            .prop_map(|(place, limit, length, big)| Edit::Number(place, limit, length, big)),
        1 => any::<Index>().prop_map(Edit::Cut),
        1 => (any::<Index>(), 1usize..40).prop_map(|(place, length)| Edit::Remove(place, length)),
        1 => (any::<Index>(), 1usize..40, 1usize..20).prop_map(|(place, length, times)| Edit::Repeat(place, length, times)),
        1 => (any::<Index>(), any::<Index>(), 1usize..60).prop_map(|(from, to, length)| Edit::Move(from, to, length)),
        1 => (any::<Index>(), prop::collection::vec(any::<u8>(), 1..20)).prop_map(|(place, bytes)| Edit::Insert(place, bytes)),
    ]
}

impl Edit {
    fn apply(&self, bytes: &mut Vec<u8>) {
        if bytes.is_empty() {
            return;
        }
        let end = |start: usize, length: usize, bytes: &[u8]| (start + length).min(bytes.len());
        match self {
            Self::Flip(place, bits) => {
                let place = place.index(bytes.len());
                bytes[place] ^= bits;
            }
            Self::Number(place, limit, length, big) => {
                let start = place.index(bytes.len());
                let end = end(start, *length, bytes);
                let number = LIMITS[*limit].to_le_bytes();
                bytes[start..end].copy_from_slice(&number[..end - start]);
                if *big {
                    bytes[start..end].reverse();
                }
            }
            Self::Cut(place) => bytes.truncate(place.index(bytes.len())),
            Self::Remove(place, length) => {
                let start = place.index(bytes.len());
                bytes.drain(start..end(start, *length, bytes));
            }
            Self::Repeat(place, length, times) => {
                let start = place.index(bytes.len());
                let part = bytes[start..end(start, *length, bytes)].repeat(*times);
                bytes.splice(start..start, part);
            }
            Self::Move(from, to, length) => {
                let start = from.index(bytes.len());
                let part: Vec<u8> = bytes.drain(start..end(start, *length, bytes)).collect();
                let place = if bytes.is_empty() { 0 } else { to.index(bytes.len()) };
                bytes.splice(place..place, part);
            }
            Self::Insert(place, more) => {
                let place = place.index(bytes.len());
                bytes.splice(place..place, more.iter().copied());
            }
        }
    }
}

/// Where the changes are made: in large files mostly in the header, which is small and says what the rest is.
fn apply(edits: &[Edit], seed: &[u8], header_only: bool) -> Vec<u8> {
    let header = if header_only { seed.len().min(4096) } else { seed.len() };
    let mut bytes = seed[..header].to_vec();
    edits.iter().for_each(|edit| edit.apply(&mut bytes));
    bytes.extend_from_slice(&seed[header..]);
    bytes
}

fn run(name: &str, cases: u32) {
    let factor = std::env::var("MASKWATCH_FUZZ_FACTOR").map_or(1, |factor| factor.parse().unwrap());
    let cases = cases * factor;
    let body: Body = BODIES.into_iter().find(|(known, _)| *known == name).unwrap().1;
    let seeds = seeds::seeds(Path::new("../.."), name).unwrap();
    seeds.iter().for_each(|seed| body(seed));
    let mut runner = TestRunner::new(Config { cases, failure_persistence: None, ..Config::default() });
    let changed = (any::<Index>(), prop::collection::vec(edit(), 1..12), any::<bool>());
    runner
        .run(&changed, |(seed, edits, header_only)| {
            body(&apply(&edits, &seeds[seed.index(seeds.len())], header_only));
            Ok(())
        })
        .unwrap();
    let mut runner =
        TestRunner::new(Config { cases: cases / 4, failure_persistence: None, ..Config::default() });
    runner
        .run(&prop::collection::vec(any::<u8>(), 0..400), |bytes| {
            body(&bytes);
            Ok(())
        })
        .unwrap();
}

#[test]
fn frames_of_any_format() {
    run("frame", 10_000);
}

#[test]
fn picture_files() {
    run("picture", 2000);
}

#[test]
fn pipes_of_jpeg_pictures() {
    run("mjpeg", 5000);
}

#[test]
fn files_of_f32_weights() {
    run("weights", 2000);
}

#[test]
fn files_of_int8_weights() {
    run("int8_weights", 300);
}

#[test]
fn configurations() {
    run("config", 8000);
}

#[test]
fn names_of_sources() {
    run("source", 30_000);
}

#[test]
fn tables_of_labels() {
    run("labels", 15_000);
}

#[test]
fn requests_at_the_local_socket() {
    run("request", 40_000);
}

#[test]
fn orders_of_a_broker() {
    run("instruction", 20_000);
}

#[test]
fn what_browsers_send() {
    run("http", 3000);
}

#[test]
fn passwords_and_cookies() {
    run("secret", 10_000);
}

/// Every body has its test above, and its target for the fuzzer.
#[test]
fn nothing_is_left_out() {
    let root = Path::new("../../tests");
    let here = std::fs::read_to_string("tests/lab/fuzz_twin.rs").unwrap();
    let manifest = std::fs::read_to_string(root.join("fuzz/Cargo.toml")).unwrap();
    for (name, _) in BODIES {
        assert!(here.contains(&format!("run(\"{name}\", ")), "{name} has no test");
        assert!(manifest.contains(&format!("name = \"{name}\"")), "{name} has no target");
        assert!(root.join(format!("fuzz/targets/{name}.rs")).exists(), "{name} has no target");
    }
}
