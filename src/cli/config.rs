//! `maskwatch config`: shows the configuration that counts, what differs from the defaults, copies its files,
//! and sets the password of the web page.

use super::configuration::config_file;
use super::outcome::{Outcome, print};
use crate::config::{Config, ConfigFiles, ShownValues, config_files, drop_ins, show};
use crate::plain_file;
use crate::text::escaped;
use anyhow::{Context, bail};
use jiff::Zoned;
use std::fs::{DirBuilder, File};
use std::io::{ErrorKind, Write};
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

/// Where copies go if nobody says.
const USUAL_BACKUPS: &str = "/var/backups/maskwatch";
/// Copies that can be made within one second.
const MOST_AT_ONCE: u32 = 100;

/// Arguments of `maskwatch config`.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// Configuration file; by default /etc/maskwatch/maskwatch.toml if there is one, else the built-in
    /// defaults
    #[arg(long, value_name = "FILE", global = true)]
    config: Option<PathBuf>,
    #[command(subcommand)]
    task: ConfigTask,
}

#[derive(Debug, clap::Subcommand)]
enum ConfigTask {
    /// Print every value that counts, and where it comes from: a file and line, or the defaults
    Show,
    /// Print the values that differ from the defaults
    Diff,
    /// Copy the file and its drop-in files into a new folder, named after them and the time
    Backup {
        /// Where the new folder is made
        #[arg(value_name = "DIR", default_value = USUAL_BACKUPS)]
        folder: PathBuf,
    },
    /// Set the password of the web page: asked in a terminal, or read from the standard input
    #[cfg(feature = "web")]
    Password {
        /// File for its hash; by default web.password_file of the configuration
        #[arg(value_name = "FILE")]
        hash: Option<PathBuf>,
    },
}

pub(crate) fn run(args: Args) -> Outcome {
    let file = config_file(args.config.as_deref());
    match args.task {
        ConfigTask::Show => print_values(file, ShownValues::All)?,
        ConfigTask::Diff => print_values(file, ShownValues::Changed)?,
        ConfigTask::Backup { folder } => {
            let Some(file) = file else {
                bail!("there is no configuration file to copy; name one with --config");
            };
            back_up(file, &folder)?;
        }
        #[cfg(feature = "web")]
        ConfigTask::Password { hash } => {
            let configured = || file.map_or_else(|| Ok(Config::default()), Config::load);
            let hash = match hash {
                Some(hash) => hash,
                None => configured()?.web.password_file,
            };
            super::password::set(&hash)?;
        }
    }
    Ok(ExitCode::SUCCESS)
}

fn print_values(file: Option<&Path>, shown: ShownValues) -> anyhow::Result<()> {
    let files = file.map(ConfigFiles::read).transpose()?;
    print(&show(files.as_ref(), shown)?)?;
    // Zones of the web page are no part of these files.
    let config = file.map(Config::load).transpose()?.unwrap_or_default();
    if config.has_drawn_zones() {
        let file = config.web.zones_file.display().to_string();
        print(&format!("# the zones are those that were drawn in the web page: {}\n", escaped(&file)))?;
    }
    Ok(())
}

/// Copies the files of the configuration `file`, also if it is refused. Nothing is ever written over.
fn back_up(file: &Path, folder: &Path) -> anyhow::Result<()> {
    let files = config_files(file)?;
    let copy = new_folder(file, folder)?;
    let copied = files.iter().try_for_each(|file_or_drop_in| {
        let within = if file_or_drop_in == file { copy.clone() } else { copy.join(name(&drop_ins(file))) };
        copy_into(file_or_drop_in, &within)
    });
    if let Err(error) = copied {
        // Half a copy is worse than none; the folder is new, and nobody else's.
        let _ = std::fs::remove_dir_all(&copy);
        return Err(error);
    }
    let count = match files.len() {
        1 => "1 file".to_owned(),
        several => format!("{several} files"),
    };
    print(&format!("{}: {count}\n", copy.display()))
}

/// Makes the folder for a copy of `file`: for the eyes of its maker alone, since addresses may hold
/// credentials.
fn new_folder(file: &Path, folder: &Path) -> anyhow::Result<PathBuf> {
    let failed = |path: &Path| {
        format!(
            "{} cannot be made; name a folder that you may write, as in `config backup DIR`",
            path.display()
        )
    };
    let mut private = DirBuilder::new();
    private.mode(0o700);
    if !folder.is_dir() {
        DirBuilder::new().mode(0o700).recursive(true).create(folder).with_context(|| failed(folder))?;
    }
    let stem = file.file_stem().map_or_else(|| "maskwatch".into(), |stem| stem.to_string_lossy());
    let time = Zoned::now().strftime("%Y-%m-%dT%H-%M-%S");
    for number in 1..=MOST_AT_ONCE {
        let more = if number == 1 { String::new() } else { format!("-{number}") };
        let path = folder.join(format!("{stem}-{time}{more}"));
        match private.create(&path) {
            Ok(()) => return Ok(path),
            Err(error) if error.kind() == ErrorKind::AlreadyExists => {}
            Err(error) => return Err(error).with_context(|| failed(&path)),
        }
    }
    bail!("{} has too many copies of this second; try again", folder.display())
}

/// Copies `file` with its rights into the folder `within`, in which there is none of this name.
fn copy_into(file: &Path, within: &Path) -> anyhow::Result<()> {
    let target = within.join(name(file));
    let copy = || {
        std::fs::create_dir_all(within)?;
        let mut source = plain_file::open(file)?;
        let about = source.metadata()?;
        let mut written = File::create_new(&target)?;
        std::io::copy(&mut source, &mut written)?;
        written.set_permissions(about.permissions())?;
        written.flush()?;
        written.sync_all()
    };
    copy().with_context(|| format!("{} cannot be copied to {}", file.display(), target.display()))
}

fn name(path: &Path) -> &std::ffi::OsStr {
    path.file_name().unwrap_or_default()
}
