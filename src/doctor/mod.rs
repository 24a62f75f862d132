//! Examines a door: what is in order, what is not, and how to mend it. Nothing here drives a pin or changes a
//! file. Whatever is told by the system is read below a root that tests can fake.
//!
//! - `board`: which board it is, its processor, heat, supply and memory; `clock`: whether its time is
//!   believed.
//! - `networks`: whether they load, and how fast this board looks.
//! - `camera`: frames of the source, really measured.
//! - `pins`: who owns them.
//! - `report`: what a check found; `web` and `broker`: the page and the broker.
//! - `service`: what systemd and the journal tell, and the drop-ins that a configuration needs.

mod board;
mod broker;
mod camera;
mod clock;
mod networks;
mod offer;
mod pins;
mod report;
mod service;
mod web;

pub use networks::{InputSizes, fit};
pub use report::{DaemonReport, Diagnosis, Root, Severity};

use crate::config::Config;
use crate::pixels::picture::View;

/// What the source of `config` gives: it is opened, and frames are counted for two seconds.
#[must_use]
pub fn look(config: &Config) -> Vec<Diagnosis> {
    camera::examine(config, None)
}

/// How bright and how sharp a frame is.
#[must_use]
pub fn sight(picture: View<'_>) -> Diagnosis {
    camera::sight_of(picture)
}

/// The names of the drop-ins that `config` needs and that the service called `service` does not have yet.
#[must_use]
pub fn missing_drop_ins(root: &Root, service: &str, config: &Config) -> Vec<&'static str> {
    service::missing(root, service, config).into_iter().map(|(name, _)| name).collect()
}

/// A door to examine.
#[derive(Debug)]
pub struct Door<'a> {
    /// The system.
    pub root: &'a Root,
    /// The checked configuration; without one, only the board and the service are examined.
    pub config: Option<&'a Config>,
    /// The daemon, if it runs and answers.
    pub running: Option<&'a DaemonReport>,
    /// The service's name, such as `maskwatch`.
    pub service: &'a str,
}

impl Door<'_> {
    /// Examines everything and tells each finding as soon as it is there. It takes some seconds, most of them
    /// for the camera.
    pub fn examine(&self, tell: &mut dyn FnMut(Diagnosis)) {
        board::examine(self.root).into_iter().for_each(&mut *tell);
        clock::examine(self.root, self.config).into_iter().for_each(&mut *tell);
        if let Some(config) = self.config {
            networks::examine(config).into_iter().for_each(&mut *tell);
            camera::examine(config, self.running).into_iter().for_each(&mut *tell);
            pins::examine(self.root, config, self.running.is_some()).into_iter().for_each(&mut *tell);
            web::examine(config).into_iter().for_each(&mut *tell);
            broker::examine(config).into_iter().for_each(&mut *tell);
        }
        service::examine(self.root, self.service, self.config).into_iter().for_each(&mut *tell);
    }
}
