//! Writes the valid input that the fuzzer begins with into FOLDER/TARGET/.

#[allow(dead_code, reason = "its bodies are the targets' affair")]
mod bodies;
mod seeds;

use std::path::Path;
use std::process::ExitCode;

fn main() -> ExitCode {
    let Some(folder) = std::env::args().nth(1) else {
        eprintln!("error: name the folder to write to");
        return ExitCode::FAILURE;
    };
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    for (name, _) in bodies::BODIES {
        let folder = Path::new(&folder).join(name);
        let written = std::fs::create_dir_all(&folder).and_then(|()| {
            let seeds = seeds::seeds(&root, name).unwrap_or_default();
            let write = |(index, seed): (usize, &Vec<u8>)| std::fs::write(folder.join(format!("seed-{index}")), seed);
            seeds.iter().enumerate().try_for_each(write)
        });
        if let Err(error) = written {
            eprintln!("error: {} cannot be written ({error})", folder.display());
            return ExitCode::FAILURE;
        }
    }
    ExitCode::SUCCESS
}
