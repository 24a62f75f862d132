//! Hides the credentials in addresses wherever a source is shown: in the log, in the status and in errors.
//! Pure.

/// Names of values in an address that are credentials, as cameras take them.
const SECRETS: [&str; 18] = [
    "user", "username", "usr", "login", "loginuse", "account", "password", "passwd", "pass", "pwd", "pw",
    "loginpas", "token", "key", "apikey", "auth", "secret", "session",
];
/// Stands for what is hidden.
const HIDDEN: &str = "***";

/// The text with `***` for the credentials of every address in it: what stands before the `@`, and values
/// such as those of `user` and `password`.
pub(crate) fn masked(text: &str) -> String {
    let mut shown = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(start) = rest.find("://") {
        let (before, address) = rest.split_at(start + 3);
        shown.push_str(before);
        let ends = |c: char| c.is_whitespace() || matches!(c, '"' | '\'' | '`' | '<' | '>' | '|');
        let (address, behind) = address.split_at(address.find(ends).unwrap_or(address.len()));
        mask_address(address, &mut shown);
        rest = behind;
    }
    shown.push_str(rest);
    shown
}

fn mask_address(address: &str, shown: &mut String) {
    let host = &address[..address.find(['/', '?', '#']).unwrap_or(address.len())];
    // A password may have a slash that somebody forgot to code: then no port follows the colon.
    let is_port = |text: &str| text.chars().all(|c| c.is_ascii_digit());
    let cut = host.split_once(':').is_some_and(|(_, behind)| !host.starts_with('[') && !is_port(behind));
    let end = match host.rfind('@') {
        Some(at) => Some(at),
        None if cut => address.rfind('@'),
        None => None,
    };
    let rest = match end {
        Some(at) => {
            shown.push_str(HIDDEN);
            &address[at..]
        }
        None => address,
    };
    // `&` and `;` stand between values, but in a shell also behind the address.
    for (index, part) in rest.split_inclusive(['?', '&', ';', '#']).enumerate() {
        match part.split_once('=') {
            Some((name, value)) if index > 0 && is_secret(name) => {
                shown.extend([name, "=", HIDDEN]);
                shown.extend(value.chars().last().filter(|c| matches!(c, '?' | '&' | ';' | '#')));
            }
            _ => shown.push_str(part),
        }
    }
}

fn is_secret(name: &str) -> bool {
    SECRETS.iter().any(|secret| name.eq_ignore_ascii_case(secret))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn credentials_are_hidden_and_the_rest_is_kept() {
        for (text, shown) in [
            (
                "ffmpeg -i rtsp://admin:geheim@10.0.0.2:554/live -f mjpeg -",
                "ffmpeg -i rtsp://***@10.0.0.2:554/live -f mjpeg -",
            ),
            ("rtsp://admin@h/1", "rtsp://***@h/1"),
            ("curl 'http://h/a?user=me&pwd=x y'", "curl 'http://h/a?user=***&pwd=*** y'"),
            ("http://h/cgi?channel=1&Password=abc#x", "http://h/cgi?channel=1&Password=***#x"),
            ("a http://u:p@h/1 b https://v:q@i/2?token=7", "a http://***@h/1 b https://***@i/2?token=***"),
            ("rtsp://admin:p@ss@h/live", "rtsp://***@h/live"),
            ("rtsp://admin:a/b@h/live", "rtsp://***@h/live"),
            ("[rtsp @ 0x55] method DESCRIBE failed", "[rtsp @ 0x55] method DESCRIBE failed"),
            ("http://h:80/a@2x.jpg", "http://h:80/a@2x.jpg"),
            ("http://[::1]:80/a@2x.jpg", "http://[::1]:80/a@2x.jpg"),
            ("rpicam-vid -t 0 -o -", "rpicam-vid -t 0 -o -"),
        ] {
            assert_eq!(masked(text), shown);
        }
    }

    proptest! {
        #[test]
        fn no_password_is_left(
            before in "[ -~]{0,9}", user in "[a-z]{1,5}", password in "[A-Z]{8}", host in "[a-z.]{1,9}", behind in "[ -~]{0,9}",
        ) {
            let shown = masked(&format!("{before} rtsp://{user}:{password}@{host}/ {behind}"));
            prop_assert!(!shown.contains(&password) && shown.contains(&host), "{}", shown);
        }

        #[test]
        fn any_text_is_masked_once(text: String) {
            let shown = masked(&text);
            prop_assert_eq!(masked(&shown), shown);
        }
    }
}
