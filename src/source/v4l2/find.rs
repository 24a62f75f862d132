//! Finds the device node that a camera's name means. Names come from udev's links. A camera that returns
//! under another number is recognised by what it says of itself.

use std::io;
use std::path::{Path, PathBuf};

use rustix::io::Errno;

use super::device::{Capabilities, Device};
use super::driver::CaptureDriver;
use super::explain::explain;
use crate::source::frozen::FrozenMemory;
use crate::source::{CameraName, SourceError};

/// Folders in which udev links cameras by name.
const LINKS: [&str; 2] = ["/dev/v4l/by-id", "/dev/v4l/by-path"];
/// Suffix of the links to capture nodes; the metadata node of a camera has `index1`.
const SUFFIX: &str = "-video-index0";

/// Finds one camera, each time that it is opened.
#[derive(Debug)]
pub struct Finder {
    name: CameraName,
    known: Option<Identity>,
    /// Kept here because it must outlive the open camera.
    frozen: FrozenMemory,
}

/// What distinguishes a camera from others. The bus names the USB port, which distinguishes two cameras of
/// one model.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Identity {
    driver: String,
    card: String,
    bus: String,
}

impl Identity {
    fn of(capabilities: &Capabilities) -> Self {
        let Capabilities { driver, card, bus, .. } = capabilities.clone();
        Self { driver, card, bus }
    }
}

/// An open device that can capture.
#[derive(Debug)]
pub(super) struct Found {
    pub(super) device: Device,
    pub(super) capabilities: Capabilities,
    /// Path of the node, for messages.
    pub(super) node: String,
}

impl Finder {
    /// Makes a finder for the camera called `name`.
    #[must_use]
    pub fn new(name: CameraName) -> Self {
        Self { name, known: None, frozen: FrozenMemory::default() }
    }

    /// The memory of a frozen frame, which lasts from one opening of the camera to the next.
    pub(super) fn frozen(&self) -> FrozenMemory {
        self.frozen.clone()
    }

    /// Opens the camera at its path. If there is none or another camera now, searches for the known one.
    pub(super) fn open(&mut self) -> Result<Found, SourceError> {
        let found = match &self.name {
            CameraName::Id(id) => open(&resolve(id)?)?,
            CameraName::First => match self.known.as_ref().and_then(|known| search(known, Path::new(""))) {
                Some(found) => found,
                None => first()?,
            },
            CameraName::Path(path) => {
                let there = open(path);
                let elsewhere = match (&there, &self.known) {
                    (Ok(found), Some(known)) if Identity::of(&found.capabilities) == *known => None,
                    (_, Some(known)) => search(known, path),
                    (_, None) => None,
                };
                match elsewhere {
                    Some(found) => {
                        log::info!("camera {} is now {}", path.display(), found.node);
                        found
                    }
                    None => there?,
                }
            }
        };
        self.known = Some(Identity::of(&found.capabilities));
        Ok(found)
    }
}

fn open(path: &Path) -> Result<Found, SourceError> {
    let node = path.display().to_string();
    let not_a_camera =
        |found: &str| SourceError::NotACamera { device: node.clone(), found: found.to_owned() };
    let device = match Device::open(path) {
        Ok(Some(device)) => device,
        Ok(None) => return Err(not_a_camera("it is not a video device")),
        Err(error) => return Err(explain(&node, "opening", error)),
    };
    let capabilities = match device.capabilities() {
        Ok(capabilities) => capabilities,
        Err(error) if Errno::from_io_error(&error) == Some(Errno::NOTTY) => {
            return Err(not_a_camera("it does not speak V4L2"));
        }
        Err(error) => return Err(explain(&node, "asking what it is", error)),
    };
    if !capabilities.can_capture() {
        return Err(not_a_camera(&format!("{} is {}", capabilities.card, capabilities.other_kind())));
    }
    Ok(Found { device, capabilities, node })
}

/// The first camera that gives pictures which can be read.
fn first() -> Result<Found, SourceError> {
    let (mut raw, mut refused) = (None, None);
    for path in nodes().unwrap_or_default() {
        match open(&path) {
            Ok(found) if gives_pictures(&found) => {
                let Found { capabilities, node, .. } = &found;
                let lasting = lasting_name(&path);
                let lasting =
                    lasting.map_or_else(String::new, |name| format!("; its lasting name is {name}"));
                log::info!("the first camera is {node} ({}){lasting}", capabilities.card);
                return Ok(found);
            }
            Ok(found) if found.capabilities.is_media_controlled() => raw = Some(found.capabilities.card),
            Err(error @ (SourceError::CameraPermission { .. } | SourceError::CameraBusy { .. })) => {
                refused = refused.or(Some(error));
            }
            _ => {}
        }
    }
    // What is there and may not be opened says more than that nothing else is.
    let seen = raw.map_or_else(String::new, |card| format!(" but the raw sensor {card}"));
    Err(refused.unwrap_or(SourceError::NoCamera { seen }))
}

/// The cameras that give pictures which can be read, by their lasting names where they have one.
#[must_use]
pub fn cameras() -> Vec<CameraName> {
    let usable = |path: &PathBuf| open(path).is_ok_and(|found| gives_pictures(&found));
    let named = |path: PathBuf| CameraName::Path(lasting_name(&path).map_or(path, PathBuf::from));
    nodes().unwrap_or_default().into_iter().filter(usable).map(named).collect()
}

/// Whether a node offers pictures that can be read, and not the raw data of a sensor.
fn gives_pictures(found: &Found) -> bool {
    let is_raw = found.capabilities.is_media_controlled();
    !is_raw && found.device.offers().iter().any(|offer| offer.fourcc.pixels().is_some())
}

/// The link by which udev names a node whatever its number.
fn lasting_name(node: &Path) -> Option<String> {
    let links = LINKS.iter().filter_map(|folder| std::fs::read_dir(folder).ok()).flatten();
    let leads_here = |link: &PathBuf| std::fs::canonicalize(link).is_ok_and(|target| target == node);
    links.filter_map(|entry| Some(entry.ok()?.path())).find(leads_here).map(|link| link.display().to_string())
}

/// Searches all video nodes except the one already `tried` for the `known` camera. A camera may have more
/// nodes with the same identity, for metadata, H.264 or raw data: only a node that offers pictures counts.
fn search(known: &Identity, tried: &Path) -> Option<Found> {
    let mut others = Vec::new();
    for path in nodes().unwrap_or_default() {
        if path != tried
            && let Ok(found) = open(&path)
            && found.device.offers().iter().any(|offer| offer.fourcc.pixels().is_some())
        {
            others.push(found);
        }
    }
    let identities: Vec<_> = others.iter().map(|found| Identity::of(&found.capabilities)).collect();
    pick(known, &identities).map(|index| others.swap_remove(index))
}

/// The camera at the same USB port, else the only one of the same model. Pure.
fn pick(known: &Identity, others: &[Identity]) -> Option<usize> {
    let same_model = |other: &Identity| other.driver == known.driver && other.card == known.card;
    if let Some(index) = others.iter().position(|other| other == known) {
        return Some(index);
    }
    let mut alike = others.iter().enumerate().filter(|(_, other)| same_model(other));
    match (alike.next(), alike.next()) {
        (Some((index, _)), None) => Some(index),
        _ => None,
    }
}

/// Paths /dev/video0, /dev/video1, … by number.
fn nodes() -> io::Result<Vec<PathBuf>> {
    let mut numbers: Vec<u32> = std::fs::read_dir("/dev")?
        .filter_map(|entry| entry.ok()?.file_name().to_str()?.strip_prefix("video")?.parse().ok())
        .collect();
    numbers.sort_unstable();
    Ok(numbers.into_iter().map(|number| PathBuf::from(format!("/dev/video{number}"))).collect())
}

/// The link that `id`, a name or a part of one, means.
fn resolve(id: &str) -> Result<PathBuf, SourceError> {
    let mut links: Vec<PathBuf> = Vec::new();
    for folder in LINKS {
        // The folder is missing if there is no camera or no udev.
        let Ok(entries) = std::fs::read_dir(folder) else { continue };
        links.extend(entries.filter_map(|entry| Some(entry.ok()?.path())));
    }
    links.sort();
    let names: Vec<String> = links
        .iter()
        .map(|link| link.file_name().unwrap_or_default().to_string_lossy().into_owned())
        .collect();
    // Links in both folders may lead to the same node.
    let target = |index: usize| std::fs::canonicalize(&links[index]).unwrap_or_else(|_| links[index].clone());
    let mut fitting = matching(&names, id);
    fitting.dedup_by_key(|index| target(*index));
    match *fitting {
        [] => Err(SourceError::NoSuchCamera { device: id.to_owned() }),
        [only] => Ok(links[only].clone()),
        _ => Err(SourceError::SeveralCameras {
            name: format!("camera:{id}"),
            found: fitting.iter().map(|&index| names[index].clone()).collect(),
        }),
    }
}

/// Indices of the names that `id` means: a whole name, a whole name without its suffix, or all that contain
/// it. Pure.
fn matching(names: &[String], id: &str) -> Vec<usize> {
    let places = |fits: &dyn Fn(&str) -> bool| -> Vec<usize> {
        names.iter().enumerate().filter(|(_, name)| fits(name)).map(|(index, _)| index).collect()
    };
    let exact = places(&|name| name == id || name.strip_suffix(SUFFIX) == Some(id));
    if exact.is_empty() { places(&|name| name.ends_with(SUFFIX) && name.contains(id)) } else { exact }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn identity(card: &str, bus: &str) -> Identity {
        Identity { driver: "uvcvideo".into(), card: card.into(), bus: bus.into() }
    }

    #[test]
    fn a_camera_is_known_again_by_port_then_by_make() {
        let known = identity("HD Webcam", "usb-1.2");
        let other = identity("Capture Dongle", "usb-1.2");
        let moved = identity("HD Webcam", "usb-1.4");
        assert_eq!(pick(&known, &[other.clone(), moved.clone(), known.clone()]), Some(2));
        assert_eq!(pick(&known, &[other.clone(), moved.clone()]), Some(1));
        assert_eq!(
            pick(&known, &[moved.clone(), identity("HD Webcam", "usb-1.3")]),
            None,
            "which of the two?"
        );
        assert_eq!(pick(&known, &[other]), None);
    }

    #[test]
    fn names_mean_capture_nodes() {
        let names: Vec<String> = [
            "usb-046d_HD_Pro_Webcam_C920_A1-video-index0",
            "usb-046d_HD_Pro_Webcam_C920_A1-video-index1",
            "usb-046d_HD_Pro_Webcam_C920_B2-video-index0",
            "usb-Sonix_Camera-video-index0",
        ]
        .map(String::from)
        .into();
        assert_eq!(matching(&names, "usb-046d_HD_Pro_Webcam_C920_A1-video-index1"), [1]);
        assert_eq!(matching(&names, "usb-046d_HD_Pro_Webcam_C920_B2"), [2]);
        assert_eq!(matching(&names, "Sonix"), [3]);
        assert_eq!(matching(&names, "C920"), [0, 2]);
        assert!(matching(&names, "Logitech").is_empty());
    }

    #[test]
    fn a_name_that_is_no_camera_is_refused() {
        let told = |name: CameraName| Finder::new(name).open().unwrap_err().to_string();
        assert_eq!(
            told(CameraName::Path("/dev/null".into())),
            "/dev/null is not a camera (it is not a video device); name the capture device, see `v4l2-ctl --list-devices`"
        );
        assert_eq!(
            told(CameraName::Path("/dev/video-none".into())),
            "camera /dev/video-none is not there; plug it in, or see what there is with `ls -l /dev/v4l/by-id`"
        );
        assert!(told(CameraName::Id("Sonix 9".into())).starts_with("camera Sonix 9 is not there"));
    }
}
