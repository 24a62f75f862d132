//! `make soak`: the real daemon on a camera that misbehaves by a plan, for as long as wished. It is watched
//! from outside: its outputs through the log of the simulated pins, its use of memory, threads and files
//! through /proc. Prints a table and fails if anything was not as it has to be.
//!
//! `soak [SECONDS] [SEED]` runs it; `soak writer FOLDER FORMAT START` is the camera, as the daemon starts it.

mod daemon;
mod in_process;
mod judge;
mod plan;
mod writer;

use daemon::{Daemon, Use, lives, send};
use judge::{GROWTH, Growth, Pins, TIMEOUT, Verdict};
use plan::{Fault, Numbers, Phase, Plan, monotonic};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::{Duration, SystemTime, UNIX_EPOCH};
use writer::Format;

/// Seconds after which memory and so on are taken for what they will stay.
const WARM_UP: f64 = 25.0;
/// Seconds between looks at what is to be done.
const STEP: f64 = 0.05;
/// Seconds of a calm phase before its costs are measured: whatever was started anew is so by then.
const CALM_AFTER: f64 = 2.5;

fn main() -> ExitCode {
    // cargo adds arguments of its own.
    let arguments: Vec<String> =
        std::env::args().skip(1).filter(|argument| !argument.starts_with("--")).collect();
    let outcome = match arguments.iter().map(String::as_str).collect::<Vec<_>>()[..] {
        ["writer", folder, format, start] => {
            let format = if format == Format::Yuyv.name() { Format::Yuyv } else { Format::Mjpeg };
            let start = start.parse().map_err(|_| format!("{start} is no time"));
            // The daemon goes away first, at the end: that is no failure of the camera's.
            return match start.map(|start| writer::run(Path::new(folder), format, start)) {
                Ok(_) => ExitCode::SUCCESS,
                Err(error) => fail(&error),
            };
        }
        [] => soak(180.0, None),
        [seconds] => number(seconds).and_then(|seconds| soak(seconds, None)),
        [seconds, seed] => number(seconds).and_then(|seconds| soak(seconds, Some(number(seed)? as u64))),
        _ => Err("the arguments are [SECONDS] [SEED]".to_owned()),
    };
    match outcome {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => fail(&error),
    }
}

fn fail(error: &str) -> ExitCode {
    eprintln!("error: {error}");
    ExitCode::FAILURE
}

fn number(text: &str) -> Result<f64, String> {
    text.parse().map_err(|_| format!("{text} is no number; the arguments are [SECONDS] [SEED]"))
}

/// The configuration of one moment.
#[derive(Debug, Clone)]
struct Settings {
    folder: PathBuf,
    start: f64,
    format: Format,
    /// Good reloads change the rules and a pattern back and forth.
    other: bool,
}

impl Settings {
    fn text(&self) -> Result<String, String> {
        let program = std::env::current_exe().map_err(|error| error.to_string())?;
        let kind = match self.format {
            Format::Mjpeg => "command".to_owned(),
            Format::Yuyv => format!("command(yuyv422 {}x{})", writer::SIZE.0, writer::SIZE.1),
        };
        let (program, folder) = (program.display(), self.folder.display());
        let (hold, beeps) = if self.other { (1.2, 2) } else { (1.0, 3) };
        Ok(format!(
            "[source]\nspec = \"{kind}: exec '{program}' writer '{folder}' {format} {start}\"\n\
             timeout_seconds = {TIMEOUT:?}\n\
             [decision]\nhold_seconds = {hold:?}\nre_arm_seconds = 2.0\nlinger_seconds = 1.5\n\
             look_after_seconds = 5.0\nrecheck_seconds = 0.2\n\
             [outputs.red]\n[outputs.green]\n[outputs.amber]\n[outputs.buzzer]\nalert = \"beep {beeps}\"\n",
            format = self.format.name(),
            start = self.start,
        ))
    }

    fn path(&self) -> PathBuf {
        self.folder.join("maskwatch.toml")
    }

    fn write(&self) -> Result<(), String> {
        fs::write(self.path(), self.text()?).map_err(|error| format!("{}: {error}", self.path().display()))
    }

    /// One of several bad configurations.
    fn write_bad(&self, numbers: &mut Numbers) -> Result<(), String> {
        let good = self.text()?;
        let bad = match numbers.below(5) {
            0 => good.replace("hold_seconds = ", "hold_seconds = -"),
            1 => good.replace("[decision]", "[decision"),
            2 => good.replace("linger_seconds", "linger"),
            3 => format!("{good}[models]\nint8 = \"/nowhere/int8.safetensors\"\n"),
            _ => good.replace("[outputs.red]\n", "[outputs.red]\npin = 27\n"),
        };
        fs::write(self.path(), bad).map_err(|error| format!("{}: {error}", self.path().display()))
    }
}

/// Runs the whole; whether all was as it has to be.
fn soak(seconds: f64, seed: Option<u64>) -> Result<bool, String> {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    let seed = seed.unwrap_or(u64::from(now.subsec_nanos()));
    let mut numbers = Numbers(seed);
    let plan = Plan::new(seed, seconds);
    println!(
        "soak for {:.0} s, {} phases, seed {seed}; again with: make soak DURATION={seconds} SEED={seed}",
        plan.end(),
        plan.0.len()
    );
    for phase in plan.0.iter().filter(|phase| phase.fault.is_some()) {
        let Phase { from, scene, .. } = phase;
        println!("  {from:6.1} s  {} ({})", phase.fault.map_or("", Fault::name), scene.name());
    }
    let folder = tempfile::tempdir().map_err(|error| error.to_string())?;
    writer::draw(folder.path(), &mut numbers)?;
    fs::write(folder.path().join("plan"), plan.to_string()).map_err(|error| error.to_string())?;
    let start = monotonic();
    let settings = Settings { folder: folder.path().to_owned(), start, format: Format::Mjpeg, other: false };
    settings.write()?;
    let daemon = Daemon::start(&settings.path(), start)?;
    let aside = std::thread::spawn(|| {
        let mut verdict = Verdict::default();
        in_process::run(&mut verdict).map(|()| verdict)
    });
    let mut run = Run { plan: &plan, daemon, settings, numbers, samples: Vec::new() };
    let died = run.follow();
    let Run { daemon, samples, .. } = run;
    let (log, status) = daemon.stop();

    let mut verdict =
        aside.join().map_err(|_| "the loop with slow pins or a jumping clock has panicked")??;
    verdict.check("runs to the end", !died, || "it ended by itself".to_owned());
    judge::outputs(&plan, &log, &mut verdict);
    let uses = judge::uses(&samples, &mut verdict);
    let ended = status.is_some_and(|status| status.success());
    verdict.check("ends when told to", ended, || format!("it ended with {status:?}"));
    let pins = Pins::read(&log);
    verdict.check("all outputs off at the end", pins.left_on().is_empty(), || {
        format!("{:?} are on", pins.left_on())
    });
    let marker = folder.path().display().to_string();
    let left: Vec<u32> =
        writers(folder.path()).into_iter().filter(|process| lives(*process, &marker)).collect();
    left.iter().for_each(|process| send(*process, libc::SIGKILL));
    verdict.check("no command left behind", left.is_empty(), || format!("{} live on", left.len()));
    if !verdict.passed() {
        let path = std::env::temp_dir().join("maskwatch-soak.log");
        let text: String = log.iter().map(|line| format!("{:8.2} {}\n", line.at, line.text)).collect();
        match fs::write(&path, format!("{plan}\n{text}")) {
            Ok(()) => println!("plan and log: {}", path.display()),
            Err(error) => println!("the log cannot be kept in {}: {error}", path.display()),
        }
    }
    report(&verdict, &uses);
    Ok(verdict.passed())
}

struct Run<'a> {
    plan: &'a Plan,
    daemon: Daemon,
    settings: Settings,
    numbers: Numbers,
    samples: Vec<Use>,
}

impl Run<'_> {
    /// Lives through the plan; whether the daemon has died.
    fn follow(&mut self) -> bool {
        for (index, phase) in self.plan.0.iter().enumerate() {
            if let Err(error) = phase.fault.map_or(Ok(()), |fault| self.begin(fault)) {
                println!("error: {error}");
            }
            let mut measured = phase.from;
            loop {
                let now = monotonic() - self.settings.start;
                if now >= phase.to {
                    break;
                }
                if self.daemon.has_ended() {
                    return true;
                }
                let is_calm = phase.fault.is_none() && now > (phase.from + CALM_AFTER).max(WARM_UP);
                if is_calm && now >= measured + 0.5 {
                    self.samples.extend(self.daemon.measure(self.settings.format.name()));
                    measured = now;
                }
                std::thread::sleep(Duration::from_secs_f64(STEP.min(phase.to - now)));
            }
            match phase.fault {
                Some(Fault::DaemonStopped) => self.daemon.send(libc::SIGCONT),
                Some(Fault::WriterStopped) => {
                    writers(&self.settings.folder)
                        .into_iter()
                        .for_each(|process| self.signal_writer(process, libc::SIGCONT));
                }
                _ => {}
            }
            if (index + 1) % 10 == 0 {
                println!("{:6.1} s of {:.0} s are over", phase.to, self.plan.end());
            }
        }
        false
    }

    fn begin(&mut self, fault: Fault) -> Result<(), String> {
        match fault {
            Fault::DaemonStopped => self.daemon.send(libc::SIGSTOP),
            Fault::WriterStopped => {
                writers(&self.settings.folder)
                    .last()
                    .into_iter()
                    .for_each(|process| self.signal_writer(*process, libc::SIGSTOP));
            }
            Fault::BadReload => {
                self.settings.write_bad(&mut self.numbers)?;
                self.daemon.send(libc::SIGHUP);
            }
            Fault::Reload => {
                self.settings.other = !self.settings.other;
                self.settings.write()?;
                self.daemon.send(libc::SIGHUP);
            }
            Fault::OtherSource => {
                let formats = [Format::Mjpeg, Format::Yuyv];
                self.settings.format = formats[usize::from(self.settings.format == Format::Mjpeg)];
                self.settings.write()?;
                self.daemon.send(libc::SIGHUP);
            }
            _ => {}
        }
        Ok(())
    }

    /// The numbers of processes are used again: only one that is our writer gets a signal.
    fn signal_writer(&self, process: u32, signal: libc::c_int) {
        if lives(process, &self.settings.folder.display().to_string()) {
            send(process, signal);
        }
    }
}

/// The processes of all writers so far.
fn writers(folder: &Path) -> Vec<u32> {
    let text = fs::read_to_string(folder.join("writers")).unwrap_or_default();
    text.lines().filter_map(|line| line.parse().ok()).collect()
}

fn report(verdict: &Verdict, uses: &[Growth]) {
    println!("\n{:<40} {:>8} {:>8}   seconds until right: median, most", "what", "checked", "failed");
    for (name, row) in &verdict.0 {
        let mut delays = row.delays.clone();
        delays.sort_by(f64::total_cmp);
        let times = match (delays.get(delays.len() / 2), delays.last()) {
            (Some(median), Some(most)) => format!("{median:.2}, {most:.2}"),
            _ => String::new(),
        };
        println!("{name:<40} {:>8} {:>8}   {times}", row.checked, row.failures.len());
        row.failures.iter().take(5).for_each(|failure| println!("    {failure}"));
    }
    println!("\n{:<40} {:>10} {:>10}", "median of the first and last third", "first", "last");
    for Growth { format, first, last } in uses {
        let line = |what: &str, first: u64, last: u64| {
            println!("{:<40} {first:>10} {last:>10}", format!("{what} with {format}"));
        };
        line("KiB of resident memory", first.memory, last.memory);
        line("threads", first.threads, last.threads);
        line("open files", first.files, last.files);
    }
    println!("memory may grow by {GROWTH} KiB, the others not at all");
    println!("\n{}", if verdict.passed() { "soak: passed" } else { "soak: FAILED" });
}
