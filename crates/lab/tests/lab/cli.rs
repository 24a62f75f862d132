//! What the command prints about itself and about wrong use, as snapshots in `tests/cli`. After a wanted
//! change: `TRYCMD=overwrite cargo test -p maskwatch-lab --test lab cli`, and a look at the
//! difference.

#[test]
fn help_and_errors() {
    let cases = trycmd::TestCases::new();
    // Named, since cargo may keep the binary in another folder than the tests, where another one may lie.
    cases.register_bin("maskwatch-lab", std::path::Path::new(env!("CARGO_BIN_EXE_maskwatch-lab")));
    cases.env("MASKWATCH_SHARED", "../shared").env("RUST_BACKTRACE", "0").case("tests/cli/*.trycmd");
}
