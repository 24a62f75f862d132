//! `maskwatch setup`: from a camera and some wires to a configuration that fits them. It asks in a terminal;
//! everything can also be said by options. What it changes is shown before it is written.

mod ask;
mod change;
mod plan;

use super::configuration::USUAL_CONFIG;
use super::outcome::{Outcome, print};
use super::values::size;
use crate::config::{Config, LONGEST_CONFIG};
use crate::doctor::{self, Root, Severity};
use crate::outputs::{Output, PINS};
use crate::plain_file;
use crate::source::SourceSpec;
use crate::text::escaped;
use crate::vision::classifier::Input;
use anyhow::{Context, bail};
use ask::Questions;
use atomic_write_file::AtomicWriteFile;
use change::{KeyChange, change};
use plan::{Plan, line};
use std::collections::HashSet;
use std::io::{IsTerminal, Write};
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};
use toml_edit::Value;

/// Arguments of `maskwatch setup`.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// Configuration file to write; only the keys that change are touched
    #[arg(long, value_name = "FILE", default_value = USUAL_CONFIG)]
    config: PathBuf,
    /// Where frames come from, as in source.spec
    #[arg(long, value_name = "SOURCE")]
    source: Option<SourceSpec>,
    /// Pin of an output by its BCM number, such as red=17. Can be given several times
    #[arg(long = "output", value_name = "NAME=PIN", value_parser = output)]
    outputs: Vec<(String, u32)>,
    /// Size at which faces are searched, multiples of 32, such as 320x256
    #[arg(long, value_name = "WIDTHxHEIGHT", value_parser = size, conflicts_with = "fit")]
    detector_input: Option<(u32, u32)>,
    /// Time the networks, and choose sizes that this board can do
    #[arg(long)]
    fit: bool,
    /// Ask nothing: what the options do not say stays as it is
    #[arg(long)]
    yes: bool,
    /// Do not try the camera
    #[arg(long)]
    no_camera: bool,
    /// Put the service's drop-ins in place, start it now and with the board
    #[arg(long)]
    enable: bool,
    /// Show what would change, and change nothing
    #[arg(long)]
    dry_run: bool,
    /// Name of the service
    #[arg(long, value_name = "NAME", value_parser = service, default_value = "maskwatch")]
    service: String,
    /// Folder in which the system's files are, for tests
    #[arg(long, hide = true, value_name = "DIR", default_value = "/")]
    root: PathBuf,
}

pub(crate) fn run(args: Args) -> Outcome {
    let asks = !args.yes && !args.dry_run;
    if asks && !std::io::stdin().is_terminal() {
        bail!("setup asks questions, and there is no terminal; say everything by options, with --yes");
    }
    let mut named = HashSet::new();
    if let Some((twice, _)) = args.outputs.iter().find(|(output, _)| !named.insert(output)) {
        bail!("--output names {} twice; give each output once", escaped(twice));
    }
    let name = args.config.display().to_string();
    let (text, config) = match plain_file::read_text(&args.config, LONGEST_CONFIG) {
        Ok(text) => {
            let config = Config::load(&args.config).context("mend it, or name another file with --config")?;
            (text, config)
        }
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => (String::new(), Config::default()),
        Err(error) => bail!("{name} cannot be read ({error}); run setup as root, or name another file"),
    };
    let mut wanted = Plan {
        source: args.source.clone(),
        outputs: args.outputs.clone(),
        sizes: args.detector_input.map(|size| (size, None)),
        fit: args.fit,
    };
    let mut questions = asks.then(Questions::begin).transpose()?;
    if let Some(questions) = &questions {
        questions.ask(&mut wanted, &config)?;
    }
    let mut planned = config.clone();
    if let Some(spec) = &wanted.source {
        planned.source.spec.clone_from(spec);
    }
    if !asks && !args.no_camera {
        let found = doctor::look(&planned);
        found.iter().try_for_each(|finding| print(&format!("{}\n", line(finding))))?;
        if found.iter().any(|finding| finding.level == Severity::Error) {
            bail!("nothing is written, since the camera gives no pictures; --no-camera writes all the same");
        }
    }
    if wanted.fit {
        let (sizes, finding) = doctor::fit(&planned);
        questions.as_ref().map_or(Ok(()), Questions::go_on)?;
        print(&format!("{}\n", line(&finding)))?;
        wanted.sizes = sizes.map(|(size, input)| (size, Some(input)));
    }
    let changed = change(&text, &changes(&wanted, &config), &name)?;
    let planned = Config::parse(&changed.text, &name).context("nothing was written")?;

    if changed.differences.is_empty() {
        print(&format!("{}: nothing changes\n", escaped(&name)))?;
    } else {
        print(&format!("{}:\n", escaped(&name)))?;
        changed.differences.iter().try_for_each(|difference| print(&format!("  {difference}\n")))?;
        let agreed = |questions: &Questions| questions.yes("Write it?");
        let write = !args.dry_run && questions.as_ref().map_or(Ok(args.yes), agreed)?;
        if write {
            save(&args.config, &changed.text)?;
            print("written\n")?;
            if let Some(questions) = &mut questions {
                questions.outcome = "the configuration was written";
            }
            let counts =
                Config::load(&args.config).context("what was written does not fit its drop-in files")?;
            let parts =
                |config: &Config| (config.source.spec.clone(), config.outputs.clone(), config.vision());
            if parts(&counts) != parts(&planned) {
                print(&format!(
                    "but files in {}.d say otherwise; maskwatch config show tells which\n",
                    escaped(&name)
                ))?;
            }
        } else {
            print("nothing was written\n")?;
            return Ok(ExitCode::SUCCESS);
        }
    }
    let missing = doctor::missing_drop_ins(&Root::new(&args.root), &args.service, &planned);
    if args.dry_run {
        for name in missing {
            print(&format!("the service needs the drop-in {name}\n"))?;
        }
        return Ok(ExitCode::SUCCESS);
    }
    let agreed = |questions: &Questions| questions.yes("Start the service now, and with the board?");
    if args.enable || questions.as_ref().map_or(Ok(false), agreed)? {
        enable(&args, &missing)?;
    } else {
        print(&format!("next: sudo systemctl restart {}, then maskwatch doctor\n", args.service))?;
    }
    Ok(ExitCode::SUCCESS)
}

/// The keys that make `config` what is wanted.
fn changes(wanted: &Plan, config: &Config) -> Vec<KeyChange> {
    let mut changes = Vec::new();
    if let Some(spec) = &wanted.source {
        changes.push(KeyChange::new(&["source"], "spec", spec.to_string()));
    }
    if let Some(((width, height), classifier)) = wanted.sizes {
        changes.push(KeyChange::new(&["detector"], "width", i64::from(width)));
        changes.push(KeyChange::new(&["detector"], "height", i64::from(height)));
        let input = classifier.map(|input| match input {
            Input::Auto => Value::from("auto"),
            Input::Side(side) => Value::from(i64::from(side)),
        });
        changes.extend(input.map(|input| KeyChange::new(&["models"], "classifier_input", input)));
    }
    let pin_of = |name: &str| config.outputs.outputs.iter().find(|output| output.name == name).map(|o| o.pin);
    let moved: Vec<&(String, u32)> =
        wanted.outputs.iter().filter(|(name, pin)| pin_of(name) != Some(*pin)).collect();
    if !moved.is_empty() {
        // A file with one table of an output has no others but those that it names.
        changes.extend(
            config.outputs.outputs.iter().map(|Output { name, .. }| KeyChange::table(&["outputs", name])),
        );
    }
    for (name, pin) in moved {
        changes.push(KeyChange::new(&["outputs", name], "pin", i64::from(*pin)));
    }
    changes
}

/// Writes the file, whole or not at all. Its owner and rights stay.
fn save(path: &Path, text: &str) -> anyhow::Result<()> {
    let written = || {
        if let Some(folder) = path.parent().filter(|folder| !folder.as_os_str().is_empty()) {
            std::fs::create_dir_all(folder)?;
        }
        let mut file = AtomicWriteFile::open(path)?;
        file.write_all(text.as_bytes())?;
        file.commit()
    };
    written().map_err(|error: std::io::Error| {
        anyhow::anyhow!("{} cannot be written ({error}); run setup as root (sudo)", path.display())
    })
}

/// Puts drop-ins in place, and starts the service.
fn enable(args: &Args, drop_ins: &[&'static str]) -> anyhow::Result<()> {
    let below = |path: &str| args.root.join(path);
    let folder = below(&format!("etc/systemd/system/{}.service.d", args.service));
    for name in drop_ins {
        let from = below(&format!("usr/share/maskwatch/drop-ins/{name}"));
        let copied = std::fs::create_dir_all(&folder).and_then(|()| std::fs::copy(&from, folder.join(name)));
        copied.with_context(|| {
            format!("the drop-in {} cannot be put in place; run setup as root (sudo)", from.display())
        })?;
        print(&format!("the drop-in {name} is in place\n"))?;
    }
    for arguments in [&["daemon-reload"][..], &["enable", &args.service], &["restart", &args.service]] {
        let told = format!("systemctl {}", arguments.join(" "));
        let status = Command::new("systemctl").args(arguments).status();
        let status = status.with_context(|| format!("{told} cannot be run; is systemd installed?"))?;
        if !status.success() {
            bail!("{told} failed; `systemctl status {}` says why", args.service);
        }
    }
    print(&format!("{} runs; maskwatch watch shows what it sees\n", args.service))
}

/// Reads the name of a service: a folder is named by it.
fn service(text: &str) -> Result<String, String> {
    let may_be = |byte: u8| byte.is_ascii_alphanumeric() || b"@-_:".contains(&byte);
    let is_name = !text.is_empty() && text.len() <= 200 && text.bytes().all(may_be);
    is_name.then(|| text.to_owned()).ok_or_else(|| "give a name such as maskwatch or maskwatch@north".into())
}

/// Reads `NAME=PIN`.
fn output(text: &str) -> Result<(String, u32), String> {
    let parts = text.split_once('=').and_then(|(name, pin)| Some((name.to_owned(), pin.parse().ok()?)));
    parts.filter(|(name, pin)| !name.is_empty() && PINS.contains(pin)).ok_or_else(|| {
        format!("give NAME=PIN with the BCM number {} to {}, such as red=17", PINS.start(), PINS.end())
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn outputs_are_named_with_their_pins() {
        assert_eq!(output("red=5"), Ok(("red".into(), 5)));
        for wrong in ["red", "=5", "red=", "red=GPIO5", "red=512", "red=-1"] {
            assert!(output(wrong).unwrap_err().contains("such as red=17"), "{wrong}");
        }
    }

    #[test]
    fn a_service_is_a_name_and_no_path() {
        for name in ["maskwatch", "maskwatch@north-2"] {
            assert_eq!(service(name).as_deref(), Ok(name));
        }
        for wrong in ["", "../x", "a/b", "a.d", "a b"] {
            assert!(service(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn what_is_as_it_was_needs_no_change() {
        let config = Config::default();
        let wanted = Plan { outputs: vec![("red".into(), 17)], ..Plan::default() };
        assert!(changes(&wanted, &config).is_empty());
        // Moving one of the usual outputs keeps the others.
        let wanted = Plan { outputs: vec![("red".into(), 5)], ..Plan::default() };
        let text = change("", &changes(&wanted, &config), "door.toml").unwrap().text;
        let moved = Config::parse(&text, "door.toml").unwrap();
        let pins =
            |config: &Config| config.outputs.outputs.iter().map(|output| output.pin).collect::<Vec<_>>();
        assert_eq!((pins(&config), pins(&moved)), (vec![17, 27, 22, 23], vec![5, 27, 22, 23]));
    }
}
