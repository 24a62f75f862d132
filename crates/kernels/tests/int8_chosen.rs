//! The kernels that this CPU announces, and no others: `MASKWATCH_EXPECT_KERNELS` names them, the fastest
//! first, where a script knows which CPU it emulates.
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test may fail loudly")]

use maskwatch_kernels::int8::{available, fastest};

#[test]
fn kernels_are_those_that_the_cpu_announces() {
    let names: Vec<&str> = available().iter().map(|kernels| kernels.name()).collect();
    assert_eq!(names.last(), Some(&"scalar"), "the reference is always there");
    assert_eq!(names[0], fastest().name());
    match std::env::var("MASKWATCH_EXPECT_KERNELS") {
        Ok(expected) => assert_eq!(names.join(" "), expected),
        Err(_) => eprintln!("MASKWATCH_EXPECT_KERNELS is not set; this CPU has {}", names.join(" ")),
    }
}
