//! `run` and `run --check` look at the files and addresses that a configuration names for the broker, the
//! page and the metrics.
#![cfg(all(feature = "mqtt", feature = "web"))]

use super::door_cli::{Running, with_networks, write_config};
use std::fs::Permissions;
use std::net::TcpListener;
use std::os::unix::fs::PermissionsExt;
use std::process::Command;
use std::time::{Duration, Instant};
use tempfile::TempDir;

/// A certificate for localhost, its key, and another key; made for these tests with
/// `openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 36500 -subj /CN=localhost`.
const CERTIFICATE: &str = "\
-----BEGIN CERTIFICATE-----\n\
MIIBmzCCAUGgAwIBAgIUDJjDYRwaYsxuG4P+MtNu5Hbn+cgwCgYIKoZIzj0EAwIw\n\
FDESMBAGA1UEAwwJbG9jYWxob3N0MCAXDTI2MTIwMTAyNDYwNloYDzIxMjYxMTA3\n\
MDI0NjA2WjAUMRIwEAYDVQQDDAlsb2NhbGhvc3QwWTATBgcqhkjOPQIBBggqhkjO\n\
PQMBBwNCAAQXNEY2SSjUELayNufArMrJf8o0Dvu1Mm1uYDFxEpJBhW/rdpiEFzKX\n\
4jtLa86aEX3va3gQyHvBd2sgqYZ1Nj5Mo28wbTAdBgNVHQ4EFgQUW0gZC1/XDSwh\n\
zEP5q8WHixYVTPQwHwYDVR0jBBgwFoAUW0gZC1/XDSwhzEP5q8WHixYVTPQwDwYD\n\
VR0TAQH/BAUwAwEB/zAaBgNVHREEEzARgglsb2NhbGhvc3SHBH8AAAEwCgYIKoZI\n\
zj0EAwIDSAAwRQIhALuMrPVh2xhcZ5hIn5Swyja4iksdraW3RhfBZSdWRw4dAiB/\n\
B8i2JL6wnaskymzuAJlcX3z2RlddR1Vp6aufQL4jGA==\n\
-----END CERTIFICATE-----\n\
";
const FITTING: &str = "\
-----BEGIN PRIVATE KEY-----\n\
MIGHAgEAMBMGByqGSM49AgEGCCqGSM49AwEHBG0wawIBAQQgx/vGtTnUXAcw0Ncx\n\
MIJzgtkmhqUZpsmoWBOo/ouRRBmhRANCAAQXNEY2SSjUELayNufArMrJf8o0Dvu1\n\
Mm1uYDFxEpJBhW/rdpiEFzKX4jtLa86aEX3va3gQyHvBd2sgqYZ1Nj5M\n\
-----END PRIVATE KEY-----\n\
";
const OTHER: &str = "\
-----BEGIN PRIVATE KEY-----\n\
MIGHAgEAMBMGByqGSM49AgEGCCqGSM49AwEHBG0wawIBAQQgdinrVE9AXJ7C3bAE\n\
E449S4kL6DXNSwNynLgyvs9L5NOhRANCAASvioEclkBYbR4RqTluM/g8+vIxMAe/\n\
zPwY1hu0DczVy/3eZyTQkq58Syy1Oe6taTiFNE5vIxsXAcqR+26DIArZ\n\
-----END PRIVATE KEY-----\n\
";

/// What the check says of `text`, in which `DIR` is the folder, and whether it ended well.
fn checked(folder: &TempDir, text: &str) -> (bool, String) {
    let text = text.replace("DIR", folder.path().to_str().unwrap());
    let begun = Instant::now();
    let ended =
        with_networks(&["run", "--check", "--config", &write_config(folder, &text)]).output().unwrap();
    assert!(begun.elapsed() < Duration::from_secs(30), "it waited: {text}");
    let said = [ended.stdout, ended.stderr].map(|said| String::from_utf8(said).unwrap()).concat();
    (ended.status.success(), said)
}

fn put(folder: &TempDir, name: &str, text: &str) {
    let path = folder.path().join(name);
    std::fs::write(&path, text).unwrap();
    std::fs::set_permissions(&path, Permissions::from_mode(0o640)).unwrap();
}

fn folder() -> TempDir {
    let folder = tempfile::tempdir().unwrap();
    for (name, text) in [("pem", CERTIFICATE), ("key", FITTING), ("other", OTHER), ("text", "nothing\n")] {
        put(&folder, name, text);
    }
    put(&folder, "mqtt.toml", "user = \"north\"\npassword = \"s3cret\"\n");
    put(
        &folder,
        "word",
        "$argon2id$v=19$m=19456,t=2,p=1$c29tZSBzYWx0IGhlcmU$MTIzNDU2Nzg5MDEyMzQ1Njc4OTAxMjM0NTY3ODkwMTI\n",
    );
    assert!(Command::new("mkfifo").arg(folder.path().join("pipe")).status().unwrap().success());
    folder
}

const GOOD: &str = "[mqtt]\nbroker = \"mqtts://h\"\ncredentials = \"DIR/mqtt.toml\"\nca = \"DIR/pem\"\n\
    certificate = \"DIR/pem\"\nkey = \"DIR/key\"\n\
    [web]\nenabled = true\npassword_file = \"DIR/word\"\ncertificate = \"DIR/pem\"\nkey = \"DIR/key\"\n\
    [metrics]\nfile = \"DIR/a.prom\"\n";

#[test]
fn files_that_can_be_used_are_fine() {
    assert_eq!(checked(&folder(), GOOD), (true, "the configuration is fine\n".into()));
}

#[test]
fn a_file_that_cannot_be_used_is_named_with_its_key() {
    let folder = folder();
    let (mqtt, rest) = GOOD.split_once("[web]").unwrap();
    for (section, key, from, to, told) in [
        ("mqtt", "credentials", "mqtt.toml", "none", "cannot be read (No such file"),
        ("mqtt", "credentials", "mqtt.toml", "pipe", "cannot be read (it is a pipe or a device)"),
        ("mqtt", "credentials", "mqtt.toml", "text", "does not hold just user"),
        ("mqtt", "ca", "pem", "pipe", "cannot be read (it is a pipe or a device); name another file"),
        ("mqtt", "ca", "pem", "text", "holds no certificate in PEM; name another file"),
        ("mqtt", "certificate", "pem", "none", "cannot be read (No such file"),
        ("mqtt", "key", "key", "text", "holds no private key in PEM"),
        ("mqtt", "key", "key", "pipe", "cannot be read (it is a pipe or a device)"),
        ("mqtt", "key", "key", "other", "do not belong together ("),
        ("web", "password_file", "word", "none", "cannot be read (No such file"),
        ("web", "password_file", "word", "pipe", "cannot be read (it is a pipe or a device)"),
        ("web", "password_file", "word", "text", "holds no password of this program"),
        ("web", "certificate", "pem", "text", "holds no certificate; give a PEM file"),
        ("web", "key", "key", "pipe", "it is a pipe or a device"),
        ("web", "certificate", "pem", "pipe", "it is a pipe or a device"),
        ("metrics", "file", "a.prom", "none/a.prom", "none; make it, or write the file into another one"),
    ] {
        let (from, to) = (format!("\n{key} = \"DIR/{from}\""), format!("\n{key} = \"DIR/{to}\""));
        let text = if section == "mqtt" {
            format!("{}[web]{rest}", mqtt.replace(&from, &to))
        } else {
            format!("{mqtt}[web]{}", rest.replace(&from, &to))
        };
        assert_ne!(text, GOOD);
        let (is_fine, said) = checked(&folder, &text);
        let has_key = said.contains(&format!("error: {section}.{key}"))
            || said.contains(&format!("and {section}.{key}"));
        assert!(!is_fine && has_key && said.contains(told), "{section}.{key}: {said}");
        assert_eq!(said.lines().count(), 1, "{said}");
        assert!(!said.contains("s3cret"), "{said}");
    }
    let unfit = GOOD.replace("/key\"", "/other\"");
    let (is_fine, said) = checked(&folder, &unfit);
    assert!(!is_fine && said.lines().count() == 2, "one line for each: {said}");
    assert!(said.contains("error: web.certificate: the certificate "), "{said}");
}

/// One address for two listeners.
const SHARED: &str = "[web]\nenabled = true\npassword_file = \"DIR/word\"\nlisten = \"127.0.0.1:PORT\"\n\
    [metrics]\nlisten = \"127.0.0.1:PORT\"\n";

#[test]
fn one_address_for_page_and_metrics_is_an_error() {
    let (is_fine, said) = checked(&folder(), &SHARED.replace("PORT", "9101"));
    let told = "error: metrics.listen is 127.0.0.1:9101, where web.listen (127.0.0.1:9101) is in the way; \
                give them different ports\n";
    assert_eq!((is_fine, said.as_str()), (false, told));
    let apart = SHARED.replacen("PORT", "9101", 1).replace("PORT", "9102");
    assert_eq!(checked(&folder(), &apart), (true, "the configuration is fine\n".into()));
}

#[test]
fn the_daemon_warns_of_them_at_the_start_and_at_a_reload_and_works() {
    let folder = folder();
    let picture = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/fixtures/astronaut.jpg");
    let write = |more: &str| {
        let source = format!("[source]\nspec = \"command: while cat '{picture}'; do sleep 0.1; done\"\n");
        let more = more.replace("DIR", folder.path().to_str().unwrap());
        write_config(&folder, &(source + "frozen_seconds = 0\n" + &more))
    };
    let broken = GOOD.replace("DIR/pem", "DIR/pipe").replace("DIR/word", "DIR/text").replace("mqtts", "mqtt");
    let unused = broken.replace("ca = \"DIR/pipe\"\ncertificate = \"DIR/pipe\"\nkey = \"DIR/key\"\n", "");
    let config = write(&unused.replace("mqtt.toml", "none").replace("DIR/a.prom", "DIR/none/a.prom"));
    let mut command = with_networks(&["run", "--dry-run", "--config", &config]);
    let mut door = Running::start(command.env("RUNTIME_DIRECTORY", "").env("STATE_DIRECTORY", ""));
    door.wait_for_all(&[
        "mqtt.credentials: ",
        "web.password_file: ",
        "web.certificate: ",
        "metrics.file: there is no folder ",
        "alert for person",
    ]);
    let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    write(&SHARED.replace("PORT", &port.to_string()));
    door.send("-HUP");
    door.wait_for_all(&["metrics.listen is 127.0.0.1:", "the configuration was reloaded"]);
    door.send("-TERM");
    assert!(door.child.wait().unwrap().success());
}
