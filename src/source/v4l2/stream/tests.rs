//! A stand-in for the kernel that knows who owns each buffer and refuses what the kernel would refuse.

use std::cell::RefCell;
use std::collections::VecDeque;
use std::rc::Rc;

use proptest::prelude::*;

use super::*;
use crate::source::v4l2::choice::Offer;
use crate::source::v4l2::format::{FourCc, Negotiated};

const SIZE: usize = 4;

#[derive(Debug, Clone, Copy, PartialEq)]
enum Owner {
    User,
    Queued,
    Done,
}

#[derive(Debug, Default)]
struct Kernel {
    owners: Vec<Owner>,
    memory: Vec<[u8; SIZE]>,
    queued: VecDeque<usize>,
    done: VecDeque<Filled>,
    streaming: bool,
    sequence: u32,
    mapped: usize,
    closed: bool,
    /// What happens during the next waits: that many frames come, each good or not.
    script: VecDeque<Vec<bool>>,
    fail: Option<i32>,
}

impl Kernel {
    /// A frame comes from the sensor; without a queued buffer it is lost, as in a real driver.
    fn deliver(&mut self, good: bool) {
        self.sequence += 1;
        let Some(index) = self.queued.pop_front() else { return };
        self.owners[index] = Owner::Done;
        self.memory[index] = self.sequence.to_le_bytes();
        self.done.push_back(Filled {
            index: index as u32,
            used: SIZE,
            damaged: !good,
            sequence: self.sequence,
            captured: Instant::now(),
        });
    }
}

#[derive(Debug, Clone)]
struct Fake(Rc<RefCell<Kernel>>);

#[derive(Debug)]
struct FakeBuffer(Rc<RefCell<Kernel>>, usize);

impl CaptureBuffer for FakeBuffer {
    fn len(&self) -> usize {
        SIZE
    }

    fn copy(&self, length: usize, into: &mut Vec<u8>) {
        let kernel = self.0.borrow();
        assert_eq!(kernel.owners[self.1], Owner::User, "read a buffer that the driver owns");
        *into = kernel.memory[self.1][..length].to_vec();
    }
}

impl Drop for FakeBuffer {
    fn drop(&mut self) {
        self.0.borrow_mut().mapped -= 1;
    }
}

impl CaptureDriver for Fake {
    type Buffer = FakeBuffer;

    fn offers(&self) -> Vec<Offer> {
        Vec::new()
    }

    fn rates(&self, _: FourCc, _: u32, _: u32) -> Vec<f64> {
        Vec::new()
    }

    fn set_format(&self, _: FourCc, _: u32, _: u32) -> io::Result<Negotiated> {
        Err(io::ErrorKind::Unsupported.into())
    }

    fn request_buffers(&self, count: u32) -> io::Result<u32> {
        let mut kernel = self.0.borrow_mut();
        kernel.owners = vec![Owner::User; count as usize];
        kernel.memory = vec![[0; SIZE]; count as usize];
        Ok(count)
    }

    fn map(&self, index: u32) -> io::Result<FakeBuffer> {
        self.0.borrow_mut().mapped += 1;
        Ok(FakeBuffer(Rc::clone(&self.0), index as usize))
    }

    fn queue(&self, index: u32) -> io::Result<()> {
        let mut kernel = self.0.borrow_mut();
        let index = index as usize;
        assert_eq!(kernel.owners[index], Owner::User, "queued a buffer that the driver owns");
        kernel.owners[index] = Owner::Queued;
        kernel.queued.push_back(index);
        Ok(())
    }

    fn dequeue(&self) -> io::Result<Option<Filled>> {
        let mut kernel = self.0.borrow_mut();
        if let Some(errno) = kernel.fail {
            return Err(io::Error::from_raw_os_error(errno));
        }
        let filled = kernel.done.pop_front();
        if let Some(filled) = filled {
            kernel.owners[filled.index as usize] = Owner::User;
        }
        Ok(filled)
    }

    fn start(&self) -> io::Result<()> {
        self.0.borrow_mut().streaming = true;
        Ok(())
    }

    fn stop(&self) -> io::Result<()> {
        let mut kernel = self.0.borrow_mut();
        kernel.streaming = false;
        kernel.closed = true;
        // As from a device that was unplugged.
        Err(io::Error::from_raw_os_error(libc::ENODEV))
    }

    fn wait(&self, _: Duration) -> io::Result<bool> {
        let mut kernel = self.0.borrow_mut();
        for good in kernel.script.pop_front().unwrap_or_default() {
            kernel.deliver(good);
        }
        Ok(!kernel.done.is_empty() || kernel.fail.is_some())
    }
}

fn capture(script: &[&[bool]]) -> (Rc<RefCell<Kernel>>, Stream<Fake>) {
    let script = script.iter().map(|frames| frames.to_vec()).collect();
    let kernel = Rc::new(RefCell::new(Kernel { script, ..Kernel::default() }));
    let stream = Stream::start(Fake(Rc::clone(&kernel))).unwrap();
    (kernel, stream)
}

/// The number in the frame that was grabbed, or a word.
fn grab(stream: &mut Stream<Fake>) -> Result<u32, String> {
    let mut bytes = Vec::new();
    match stream.grab(Duration::from_millis(1), &mut bytes) {
        Ok(Grab::Frame { sequence, .. }) => {
            assert_eq!(bytes, sequence.to_le_bytes());
            Ok(sequence)
        }
        Ok(Grab::Damaged) => Err("damaged".into()),
        Ok(Grab::Nothing) => Err("nothing".into()),
        Err(error) => Err(error.to_string()),
    }
}

#[test]
fn the_newest_of_several_frames_wins() {
    let (_, mut stream) = capture(&[&[true], &[true, true, true]]);
    assert_eq!(grab(&mut stream), Ok(1));
    assert_eq!(grab(&mut stream), Ok(4));
}

#[test]
fn a_timeout_gives_no_buffer_away() {
    let (kernel, mut stream) = capture(&[&[], &[true], &[], &[], &[true]]);
    assert_eq!(grab(&mut stream), Err("nothing".into()));
    assert_eq!(grab(&mut stream), Ok(1));
    assert_eq!(grab(&mut stream), Err("nothing".into()));
    assert_eq!(grab(&mut stream), Err("nothing".into()));
    assert_eq!(grab(&mut stream), Ok(2));
    assert_eq!(kernel.borrow().queued.len(), BUFFERS as usize);
}

#[test]
fn a_full_queue_is_old_and_a_fresh_frame_is_awaited() {
    // Ten frames while nobody looked: four were kept, six lost; then the eleventh comes.
    let (_, mut stream) = capture(&[&[true; 10], &[true]]);
    assert_eq!(grab(&mut stream), Ok(11));
    // If no fresh one comes, the old one is better than nothing.
    let (_, mut stream) = capture(&[&[true; 10], &[]]);
    assert_eq!(grab(&mut stream), Ok(4));
    let (_, mut stream) = capture(&[&[true; 10], &[false]]);
    assert_eq!(grab(&mut stream), Ok(4));
}

#[test]
fn damaged_frames_are_passed_over_and_told() {
    let (_, mut stream) = capture(&[&[true, false], &[false], &[false, false, true]]);
    assert_eq!(grab(&mut stream), Ok(1));
    assert_eq!(grab(&mut stream), Err("damaged".into()));
    assert_eq!(grab(&mut stream), Ok(6));
}

#[test]
fn an_unplugged_device_ends_it_without_a_panic() {
    let (kernel, mut stream) = capture(&[&[true], &[true]]);
    assert_eq!(grab(&mut stream), Ok(1));
    kernel.borrow_mut().fail = Some(libc::ENODEV);
    assert!(grab(&mut stream).unwrap_err().contains("No such device"));
    drop(stream);
    let kernel = kernel.borrow();
    assert!(kernel.closed && !kernel.streaming);
    assert_eq!(kernel.mapped, 0);
}

#[test]
fn a_driver_that_lies_about_buffers_is_not_believed() {
    let (kernel, mut stream) = capture(&[&[true], &[true]]);
    kernel.borrow_mut().deliver(true);
    kernel.borrow_mut().done[0].used = SIZE + 1;
    assert_eq!(grab(&mut stream), Ok(2), "too long for its buffer: damaged");
    kernel.borrow_mut().owners.push(Owner::Done);
    let wild = Filled { index: 4, used: 1, damaged: false, sequence: 9, captured: Instant::now() };
    kernel.borrow_mut().done.push_back(wild);
    assert!(grab(&mut stream).unwrap_err().contains("never gave"));
}

proptest! {
    #[test]
    fn no_buffer_is_ever_lost_or_given_twice(script in prop::collection::vec(prop::collection::vec(any::<bool>(), 0..9), 1..30)) {
        let scripts: Vec<&[bool]> = script.iter().map(Vec::as_slice).collect();
        let (kernel, mut stream) = capture(&scripts);
        let mut last = 0;
        while !kernel.borrow().script.is_empty() {
            if let Ok(sequence) = grab(&mut stream) {
                prop_assert!(sequence > last, "{sequence} after {last}");
                last = sequence;
            }
            let kernel = kernel.borrow();
            // Between two calls every buffer is with the driver.
            prop_assert!(!kernel.owners.contains(&Owner::User));
        }
    }
}
