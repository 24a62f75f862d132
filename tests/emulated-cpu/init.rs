//! The first process of the emulated machine: runs the exactness tests beside it and ends with 0 if they
//! passed and the kernels in question were among them; the Linux kernel prints that number as it panics,
//! having lost its first process.

use std::process::Command;
use std::thread::sleep;
use std::time::Duration;

fn main() {
    let names: Vec<_> = maskwatch_kernels::int8::available().iter().map(|kernels| kernels.name()).collect();
    println!("kernels: {}", names.join(", "));
    let tests = Command::new("/int8_kernels").arg("--test-threads=1").status();
    println!("tests: {tests:?}");
    // What is printed must have left the serial port before the kernel stops.
    sleep(Duration::from_secs(1));
    let all = names.contains(&"avx512-vnni") && tests.is_ok_and(|status| status.success());
    std::process::exit(if all { 0 } else { 1 });
}
