//! Who is told what the daemon does: the log, the service manager, the clients of the local socket, … Each
//! listener has a thread and a bounded queue of its own, so none can hold up the loop or another listener:
//! one that is too slow loses events, which are counted.
//!
//! A new way out is a file here with a [`Listener`], and a line where the listeners are added (`cli/run.rs`).

pub mod counts;
mod hall;
mod hooks;
mod log;
mod metrics;
#[cfg(feature = "mqtt")]
mod mqtt;
mod notice;
mod service;
pub mod socket;
mod usable;
#[cfg(feature = "web")]
pub mod web;
#[cfg_attr(not(feature = "web"), allow(dead_code, reason = "the web page alone looks through it"))]
mod window;

pub use counts::Counts;
pub use hall::{Listener, Listeners, LostNotices};
pub use hooks::Hooks;
pub use log::Log;
pub use metrics::{Metrics, MetricsError};
#[cfg(feature = "mqtt")]
pub use mqtt::{DayCounts, Instructions, Mqtt, client_options};
pub use notice::{LookReport, Notice};
pub use service::Service;
pub use socket::Socket;
pub use usable::problems;
#[cfg(feature = "web")]
pub use web::Web;
pub use window::Window;
