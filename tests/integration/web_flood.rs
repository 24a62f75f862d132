//! A flood of requests, connections, garbage and half requests at the web page, while a bare person comes to
//! the door: the alert is not late.

use super::socket_flood::{EndOfFlood, time_to_alert};
use maskwatch::config::{PathChoice, WebConfig};
use maskwatch::daemon::OrderSender;
use maskwatch::daemon::listeners::Web;
use maskwatch::daemon::listeners::web::WebParts;
use maskwatch::daemon::listeners::web::password::hashed;
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

const GET: &[u8] = b"GET /api/now HTTP/1.1\r\nHost: door\r\n\r\n";

/// The kinds of trouble, each with how much of it got through.
const KINDS: [fn(TcpStream, &AtomicBool) -> u64; 5] = [
    // Comes and goes.
    |_, _| 1,
    // Asks as fast as it can.
    |mut stream, _| {
        let mut answers = [0; 1 << 14];
        let mut count = 0;
        while stream.write_all(&GET.repeat(50)).is_ok() && count < 5000 {
            count += 50;
            let _ = stream.read(&mut answers);
        }
        count
    },
    // Sends garbage.
    |mut stream, _| u64::from(stream.write_all(&[0xa5; 4096]).is_ok()),
    // Never ends its request.
    |mut stream, end| {
        let mut count = u64::from(stream.write_all(b"GET / HTTP/1.1\r\nHost: door\r\n").is_ok());
        while !end.load(Ordering::Relaxed) && stream.write_all(b"X: y\r\n").is_ok() {
            count += 1;
            std::thread::sleep(Duration::from_millis(100));
        }
        count
    },
    // Tries passwords.
    |mut stream, _| {
        let body = "{\"password\":\"wrong horse\"}";
        let length = body.len();
        let request = format!(
            "POST /api/login HTTP/1.1\r\nHost: door\r\nOrigin: http://door\r\nContent-Type: application/json\r\n\
             Content-Length: {length}\r\n\r\n{body}"
        );
        let mut answer = [0; 1024];
        u64::from(stream.write_all(request.as_bytes()).is_ok() && matches!(stream.read(&mut answer), Ok(1..)))
    },
];

fn flood(address: SocketAddr) -> EndOfFlood {
    let end = Arc::<AtomicBool>::default();
    let done: Arc<[AtomicU64; KINDS.len()]> = Arc::default();
    let kinds = KINDS.into_iter().enumerate().flat_map(|kind| std::iter::repeat_n(kind, 4));
    let threads: Vec<_> = kinds
        .map(|(index, kind)| {
            let (end, done) = (Arc::clone(&end), Arc::clone(&done));
            std::thread::spawn(move || {
                while !end.load(Ordering::Relaxed) {
                    let Ok(stream) = TcpStream::connect_timeout(&address, Duration::from_millis(500)) else {
                        continue;
                    };
                    let _ = stream.set_read_timeout(Some(Duration::from_millis(200)));
                    let _ = stream.set_write_timeout(Some(Duration::from_millis(200)));
                    done[index].fetch_add(kind(stream, &end), Ordering::Relaxed);
                }
            })
        })
        .collect();
    Box::new(move || {
        end.store(true, Ordering::Relaxed);
        threads.into_iter().for_each(|thread| thread.join().unwrap());
        let through = done.iter().map(|count| count.load(Ordering::Relaxed));
        assert!(through.clone().take(4).all(|count| count > 0), "{:?}", through.collect::<Vec<_>>());
    })
}

fn with_page(folder: &Path, orders: OrderSender) -> Web {
    let password_file = folder.join("password");
    std::fs::write(&password_file, hashed("correct horse").unwrap()).unwrap();
    std::fs::set_permissions(&password_file, std::fs::Permissions::from_mode(0o600)).unwrap();
    let listen = ([127, 0, 0, 1], 0).into();
    let config = WebConfig { listen, password_file, ..WebConfig::default() };
    let parts =
        WebParts { door: "door".into(), orders, reload: Arc::default(), counts: &PathChoice::Nowhere };
    Web::open(&config, parts).unwrap()
}

#[test]
fn a_flood_of_the_web_page_does_not_delay_an_alert() {
    let (flooded, longest) = time_to_alert(|folder, orders, listeners| {
        let web = with_page(folder, orders);
        let address = web.address().unwrap();
        listeners.add(web).unwrap();
        Some(flood(address))
    });
    // Four tenths of a second of evidence; the rest is for a machine that does other things, too.
    assert!(flooded < Duration::from_secs(2), "{flooded:?} in a flood");
    assert!(longest < Duration::from_secs(1), "{longest:?} between two frames");
}
