//! A frame with more faces than there is time for: it is said in the log and counted in `ctl health`.

use crate::door_cli::{Running, with_networks, write_config};
use image::imageops::{FilterType, crop_imm, replace, resize};
use image::{Rgb, RgbImage};

/// The bare face of the fixture, again and again, as a poster or a crowd would have it.
fn crowd() -> RgbImage {
    let portrait = image::open("tests/fixtures/astronaut.jpg").unwrap().to_rgb8();
    let face = resize(&*crop_imm(&portrait, 150, 20, 150, 200), 78, 104, FilterType::Triangle);
    let mut frame = RgbImage::from_pixel(640, 480, Rgb([90, 95, 100]));
    for (x, y) in (0..8).flat_map(|x| (0..4).map(move |y| (x, y))) {
        replace(&mut frame, &face, x * 80, 8 + y * 116);
    }
    frame
}

#[test]
fn faces_for_which_there_is_no_time_are_logged_and_counted() {
    let folder = tempfile::tempdir().unwrap();
    let picture = folder.path().join("crowd.jpg");
    crowd().save(&picture).unwrap();
    let socket = folder.path().join("door.sock").display().to_string();
    let config = write_config(
        &folder,
        &format!(
            "[source]\nspec = \"command: while sleep 0.1; do cat '{}'; done\"\n[socket]\npath = \"{socket}\"\n\
             [decision]\nbudget_seconds = 0.05\n[models]\nthreads = 1\nclassifier_input = 224\n",
            picture.display()
        ),
    );
    let mut daemon = Running::start(&mut with_networks(&["run", "--dry-run", "--config", &config]));
    daemon.wait_for("faces of a frame were left for the next ones, since there was no time for them");
    let output = with_networks(&["ctl", "--socket", &socket, "health"]).output().unwrap();
    let text = String::from_utf8(output.stdout).unwrap();
    let counted = text.split(", ").find_map(|part| part.trim().strip_suffix(" faces left out"));
    assert!(counted.is_some_and(|count| count.parse::<u64>().unwrap() > 0), "{text}");
    // Whoever is there is alerted all the same.
    daemon.wait_for("alert for person");
    daemon.send("-TERM");
    assert!(daemon.child.wait().unwrap().success());
}
