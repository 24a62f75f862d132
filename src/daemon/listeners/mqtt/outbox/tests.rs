use super::*;
use proptest::prelude::*;
use tempfile::TempDir;

/// As long as a real one.
fn event(number: u64) -> Vec<u8> {
    format!("{number:0200}").into_bytes()
}

fn numbers(batch: &[Vec<u8>]) -> Vec<u64> {
    batch.iter().map(|event| String::from_utf8(event.clone()).unwrap().parse().unwrap()).collect()
}

fn outbox(folder: &TempDir, most: usize) -> Outbox {
    Outbox::open(Some(&folder.path().join("events")), most)
}

/// All that still wait, in order.
fn drain(outbox: &mut Outbox) -> Vec<u64> {
    outbox.resume();
    let mut all = Vec::new();
    while let Some(batch) = outbox.next_batch(7) {
        all.extend(numbers(&batch));
        outbox.confirm();
    }
    all
}

#[test]
fn while_the_broker_is_there_nothing_is_written() {
    let folder = tempfile::tempdir().unwrap();
    let mut outbox = outbox(&folder, 1000);
    let path = folder.path().join("events");
    let empty = std::fs::read(&path).unwrap();
    outbox.resume();
    for number in 0..100 {
        outbox.add(event(number));
        assert_eq!(numbers(&outbox.next_batch(9).unwrap()), [number]);
        outbox.confirm();
    }
    assert_eq!(std::fs::read(&path).unwrap(), empty);
}

#[test]
fn what_waits_outlives_the_daemon() {
    let folder = tempfile::tempdir().unwrap();
    let mut first = outbox(&folder, 1000);
    first.resume();
    (0..5).for_each(|number| first.add(event(number)));
    assert_eq!(first.next_batch(3).unwrap().len(), 3);
    // The broker goes away with three of them, and the power with the daemon.
    first.suspend();
    first.add(event(5));
    drop(first);
    let mut second = outbox(&folder, 1000);
    assert_eq!(second.take_problem(), None);
    assert_eq!(drain(&mut second), [0, 1, 2, 3, 4, 5]);
    assert_eq!(outbox(&folder, 1000).len(), 0);
}

#[test]
fn without_a_file_events_wait_in_memory() {
    let mut outbox = Outbox::open(Some(Path::new("/nowhere/events")), 300);
    let told = outbox.take_problem().unwrap();
    assert!(told.contains("events wait in memory; let the daemon's user write it"), "{told}");
    (0..310).for_each(|number| outbox.add(event(number)));
    assert_eq!(outbox.take_dropped(), 10);
    assert_eq!(drain(&mut outbox), (10..310).collect::<Vec<_>>());
}

#[derive(Debug, Clone)]
enum Step {
    Add,
    Resume,
    Suspend,
    Send(usize),
    Confirm,
    Restart,
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let step = prop_oneof![
        6 => Just(Step::Add),
        1 => Just(Step::Resume),
        1 => Just(Step::Suspend),
        2 => (1..9usize).prop_map(Step::Send),
        2 => Just(Step::Confirm),
        1 => Just(Step::Restart),
    ];
    prop::collection::vec(step, 0..120)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, ..ProptestConfig::default() })]

    /// However broker and daemon come and go: all arrive at least once and in order, but for the oldest
    /// beyond the bound.
    #[test]
    fn all_arrive_at_least_once_and_in_order(steps in steps(), most in 100..130usize) {
        let folder = tempfile::tempdir().unwrap();
        let mut outbox = outbox(&folder, most);
        let (mut added, mut dropped) = (0, 0);
        let mut arrived: Vec<u64> = Vec::new();
        let mut is_there = false;
        for step in steps {
            match step {
                Step::Add => {
                    for _ in 0..5 {
                        outbox.add(event(added));
                        added += 1;
                    }
                }
                Step::Resume => {
                    outbox.resume();
                    is_there = true;
                }
                Step::Suspend => {
                    outbox.suspend();
                    is_there = false;
                }
                Step::Send(count) if is_there => {
                    arrived.extend(outbox.next_batch(count).iter().flat_map(|batch| numbers(batch)));
                }
                Step::Send(_) => {}
                Step::Confirm if is_there => outbox.confirm(),
                Step::Confirm => {}
                Step::Restart => {
                    dropped += outbox.take_dropped();
                    outbox.suspend();
                    drop(outbox);
                    outbox = self::outbox(&folder, most);
                    is_there = false;
                }
            }
            prop_assert!(outbox.len() <= most);
        }
        outbox.suspend();
        dropped += outbox.take_dropped();
        arrived.extend(drain(&mut outbox));
        let mut highest = None;
        let mut firsts = Vec::new();
        for number in arrived {
            if highest.is_none_or(|highest| number > highest) {
                firsts.push(number);
                highest = Some(number);
            }
        }
        prop_assert!(firsts.len() as u64 + dropped >= added, "{firsts:?} of {added}, {dropped} dropped");
        prop_assert!(firsts.is_sorted());
    }
}

#[test]
fn a_torn_line_is_said_once() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("events");
    std::fs::write(&path, [&event(0)[..], b"\n", b"{\"half"].concat()).unwrap();
    let mut torn = outbox(&folder, 1000);
    let told = torn.take_problem().unwrap();
    assert!(told.contains("events ended within a line") && told.contains("its last 6 bytes"), "{told}");
    assert_eq!((torn.take_problem(), drain(&mut torn)), (None, vec![0]));
    assert_eq!(outbox(&folder, 1000).take_problem(), None);
}
