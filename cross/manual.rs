//! Writes the manual pages and shell completions of the command into a folder:
//! `cargo run --example manual -- FOLDER`. They come from the definition of the command line itself, so they
//! cannot say anything else. Used by `make deb`.

use clap::CommandFactory;
use clap_complete::{Shell, generate_to};
use clap_mangen::Man;
use clap_mangen::roff::{Roff, bold, roman};
use std::error::Error;
use std::fs;
use std::path::{Path, PathBuf};

/// What `--help` does not say, for the main page: title, and paragraphs that are a term with its meaning.
const SECTIONS: [(&str, &[(&str, &str)]); 3] = [
    (
        "FILES",
        &[
            (
                "/etc/maskwatch/maskwatch.toml",
                "The configuration of the service. Every value is optional and explained there; `maskwatch run --check` tells what is wrong with it.",
            ),
            (
                "/etc/maskwatch/maskwatch.toml.d/*.toml",
                "Laid over it key by key, in the order of their names; `maskwatch config show` tells what counts.",
            ),
            (
                "/etc/maskwatch/NAME.toml, NAME.toml.d/*.toml",
                "The same of maskwatch@NAME.service, one of several doors on a board.",
            ),
            (
                "/usr/share/maskwatch/drop-ins/*.conf",
                "Additions to the unit for what needs more rights than it has (a CSI camera through rpicam-vid, a network camera, hardware PWM, \
                 rppal through /dev/mem); each says when to copy it to /etc/systemd/system/maskwatch.service.d/.",
            ),
            ("/usr/lib/udev/rules.d/60-maskwatch.rules", "Gives the pins to the group gpio."),
        ],
    ),
    (
        "SIGNALS",
        &[
            ("SIGTERM, SIGINT", "Switch every output off and end."),
            ("SIGHUP", "Read the configuration again; one with a mistake is refused, and the old one stays."),
        ],
    ),
    (
        "EXIT STATUS",
        &[
            ("0", "Done, or stopped by a signal."),
            ("1", "An error, which standard error names in one sentence."),
            ("2", "A mistake on the command line."),
        ],
    ),
];

fn main() -> Result<(), Box<dyn Error>> {
    let folder = PathBuf::from(std::env::args_os().nth(1).ok_or("usage: manual FOLDER")?);
    let manual = folder.join("manual");
    fs::create_dir_all(&manual)?;
    // `maskwatch help` is no page of its own.
    let mut command = maskwatch::cli::Cli::command().disable_help_subcommand(true);
    clap_mangen::generate_to(command.clone(), &manual)?;
    write_main_page(&command, &manual)?;
    for (shell, name) in [(Shell::Bash, "bash"), (Shell::Zsh, "zsh"), (Shell::Fish, "fish")] {
        let completions = folder.join("completions").join(name);
        fs::create_dir_all(&completions)?;
        generate_to(shell, &mut command, "maskwatch", &completions)?;
    }
    // bash-completion looks for a file with the command's own name.
    let bash = folder.join("completions/bash");
    fs::rename(bash.join("maskwatch.bash"), bash.join("maskwatch"))?;
    Ok(())
}

/// The page of `maskwatch` itself: what clap knows of it, and the sections above.
fn write_main_page(command: &clap::Command, folder: &Path) -> Result<(), Box<dyn Error>> {
    let mut page = Vec::new();
    Man::new(command.clone()).render(&mut page)?;
    let mut sections = Roff::new();
    for (title, paragraphs) in SECTIONS {
        sections.control("SH", [title]);
        for (term, meaning) in paragraphs {
            sections.control("TP", []).text([bold(*term)]).text([roman(*meaning)]);
        }
    }
    sections.to_writer(&mut page)?;
    fs::write(folder.join("maskwatch.1"), page)?;
    Ok(())
}
