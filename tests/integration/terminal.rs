//! A pseudo-terminal in which a command runs as in a person's: it has the keyboard, a size, and Ctrl-C.

use rustix::fs::{Mode, OFlags, open};
use rustix::pty::{OpenptFlags, grantpt, openpt, ptsname, unlockpt};
use rustix::termios::{LocalModes, Winsize, tcgetattr, tcsetwinsize};
use std::fs::File;
use std::io::{Read, Write};
use std::os::fd::OwnedFd;
use std::process::{Child, Command, ExitStatus};
use std::sync::mpsc::{Receiver, channel};
use std::time::{Duration, Instant};

/// How long anything is waited for.
const LIMIT: Duration = Duration::from_secs(120);

/// A command in a terminal; ended when dropped.
pub(super) struct Session {
    keyboard: File,
    /// Its other side, which stays open: what a command leaves behind can be looked at.
    screen: OwnedFd,
    read: Receiver<Vec<u8>>,
    /// All that was written to the terminal.
    pub(super) text: String,
    child: Child,
}

impl Session {
    /// Starts `command` in a terminal of 80 by 24 letters.
    pub(super) fn start(command: &Command) -> Self {
        let keyboard = openpt(OpenptFlags::RDWR | OpenptFlags::NOCTTY).unwrap();
        grantpt(&keyboard).unwrap();
        unlockpt(&keyboard).unwrap();
        let name = ptsname(&keyboard, Vec::new()).unwrap();
        let screen = open(name.as_c_str(), OFlags::RDWR | OFlags::NOCTTY, Mode::empty()).unwrap();
        // A session of its own, which this terminal controls: so Ctrl-C reaches the command and nobody else.
        let mut session = Command::new("setsid");
        session.args(["--ctty", "--wait"]).arg(command.get_program()).args(command.get_args());
        for (name, value) in command.get_envs() {
            match value {
                Some(value) => session.env(name, value),
                None => session.env_remove(name),
            };
        }
        let side = || screen.try_clone().unwrap();
        session.env("TERM", "xterm-256color").stdin(side()).stdout(side()).stderr(side());
        let mut output = File::from(keyboard.try_clone().unwrap());
        let (send, read) = channel();
        std::thread::spawn(move || {
            let mut bytes = [0; 4096];
            while let Ok(count @ 1..) = output.read(&mut bytes) {
                if send.send(bytes[..count].to_vec()).is_err() {
                    return;
                }
            }
        });
        let keyboard = File::from(keyboard);
        resize(&keyboard, 80, 24);
        Self { keyboard, screen, read, text: String::new(), child: session.spawn().unwrap() }
    }

    /// Types `keys`.
    pub(super) fn send(&mut self, keys: &str) {
        self.keyboard.write_all(keys.as_bytes()).unwrap();
    }

    /// Gives the terminal another size.
    pub(super) fn resize(&mut self, columns: u16, rows: u16) {
        resize(&self.keyboard, columns, rows);
    }

    /// Waits until `wanted` was written, after everything that was waited for before; returns what came up to
    /// its end.
    pub(super) fn wait_for(&mut self, wanted: &str) -> String {
        let began = Instant::now();
        loop {
            if let Some(at) = self.text.find(wanted) {
                let rest = self.text.split_off(at + wanted.len());
                return std::mem::replace(&mut self.text, rest);
            }
            let left = LIMIT.checked_sub(began.elapsed());
            let bytes = left.and_then(|left| self.read.recv_timeout(left).ok());
            let Some(bytes) = bytes else { panic!("{wanted:?} was never written, but {:?}", self.text) };
            self.text += &String::from_utf8_lossy(&bytes);
        }
    }

    /// Waits for the end of the command; what it wrote last is in `text`.
    pub(super) fn end(&mut self) -> ExitStatus {
        let began = Instant::now();
        let status = loop {
            if let Some(status) = self.child.try_wait().unwrap() {
                break status;
            }
            assert!(began.elapsed() < LIMIT, "it does not end; it wrote {:?}", self.text);
            std::thread::sleep(Duration::from_millis(10));
        };
        while let Ok(bytes) = self.read.recv_timeout(Duration::from_millis(500)) {
            self.text += &String::from_utf8_lossy(&bytes);
        }
        status
    }

    /// Whether keys are shown and lines can be edited, as a shell leaves it to a command.
    pub(super) fn is_usable(&self) -> bool {
        let usual = LocalModes::ECHO | LocalModes::ICANON | LocalModes::ISIG;
        tcgetattr(&self.screen).unwrap().local_modes.contains(usual)
    }
}

fn resize(terminal: &File, columns: u16, rows: u16) {
    let size = Winsize { ws_row: rows, ws_col: columns, ws_xpixel: 0, ws_ypixel: 0 };
    tcsetwinsize(terminal, size).unwrap();
}

impl Drop for Session {
    fn drop(&mut self) {
        // Where it has ended already, this says so and does nothing.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
