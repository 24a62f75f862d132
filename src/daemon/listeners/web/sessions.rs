//! Who has given the password: a few sessions in memory, each known by the random number in its cookie. Each
//! has a second number that every change has to bring along, since other pages cannot know it.

use super::password::{PasswordError, random};
use crate::http::Turns;
use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

/// Sessions at a time; the one that rested longest goes first.
const MOST: usize = 16;
/// A session that rests for so long is over,
const REST: Duration = Duration::from_secs(12 * 3600);
/// and any session after this.
const LONGEST: Duration = Duration::from_secs(7 * 24 * 3600);
/// Attempts at the password: of one address one in so many seconds, and so many at once,
const EACH: (Duration, u32) = (Duration::from_secs(10), 5);
/// and of all addresses together.
const TOGETHER: (Duration, u32) = (Duration::from_millis(500), 10);
/// Addresses whose attempts are remembered.
const MOST_ADDRESSES: usize = 256;

/// A random number as text.
#[derive(Clone, PartialEq, Eq)]
pub struct Token(String);

impl Token {
    /// A new one.
    ///
    /// # Errors
    /// When the system gives no random numbers.
    pub fn random() -> Result<Self, PasswordError> {
        let bytes: [u8; 32] = random()?;
        Ok(Self(bytes.iter().map(|byte| format!("{byte:02x}")).collect()))
    }

    /// Its text.
    #[must_use]
    pub fn text(&self) -> &str {
        &self.0
    }

    /// Whether `text` is it. How long that takes tells nothing of where they differ.
    #[must_use]
    pub fn is(&self, text: &str) -> bool {
        let pairs = self.0.bytes().zip(text.bytes());
        self.0.len() == text.len() && pairs.fold(0, |differing, (a, b)| differing | (a ^ b)) == 0
    }
}

/// One session.
struct WebSession {
    token: Token,
    csrf: Token,
    began: Instant,
    used: Instant,
}

/// All sessions.
#[derive(Default)]
pub struct Sessions(Mutex<Vec<WebSession>>);

impl Sessions {
    fn living(&self, now: Instant) -> MutexGuard<'_, Vec<WebSession>> {
        let mut sessions = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let since = |moment| now.saturating_duration_since(moment);
        sessions.retain(|session| since(session.used) <= REST && since(session.began) <= LONGEST);
        sessions
    }

    /// Begins a session: the number for its cookie, and that for its changes.
    ///
    /// # Errors
    /// When the system gives no random numbers.
    pub fn begin(&self, now: Instant) -> Result<(Token, Token), PasswordError> {
        let (token, csrf) = (Token::random()?, Token::random()?);
        let mut sessions = self.living(now);
        if sessions.len() >= MOST
            && let Some(longest) = (0..sessions.len()).min_by_key(|index| sessions[*index].used)
        {
            sessions.swap_remove(longest);
        }
        sessions.push(WebSession { token: token.clone(), csrf: csrf.clone(), began: now, used: now });
        Ok((token, csrf))
    }

    /// The number for changes of the session with this cookie, if there is one.
    #[must_use]
    pub fn find(&self, cookie: &str, now: Instant) -> Option<Token> {
        let mut sessions = self.living(now);
        let session = sessions.iter_mut().find(|session| session.token.is(cookie))?;
        session.used = now;
        Some(session.csrf.clone())
    }

    /// Ends a session.
    pub fn end(&self, cookie: &str, now: Instant) {
        self.living(now).retain(|session| !session.token.is(cookie));
    }
}

/// How often the password may be tried.
pub(super) struct Attempts {
    all: Turns,
    each: HashMap<IpAddr, (Instant, Turns)>,
}

impl Default for Attempts {
    fn default() -> Self {
        Self { all: Turns::new(TOGETHER.0, TOGETHER.1), each: HashMap::new() }
    }
}

impl Attempts {
    /// Whether `address` may try at `now`.
    pub(super) fn may(&mut self, address: IpAddr, now: Instant) -> bool {
        if self.each.len() >= MOST_ADDRESSES && !self.each.contains_key(&address) {
            let oldest = self.each.iter().min_by_key(|(_, (used, _))| *used).map(|(address, _)| *address);
            oldest.and_then(|oldest| self.each.remove(&oldest));
        }
        let (used, own) = self.each.entry(address).or_insert_with(|| (now, Turns::new(EACH.0, EACH.1)));
        *used = now;
        own.turn(now, Duration::ZERO).is_some() && self.all.turn(now, Duration::ZERO).is_some()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::net::Ipv4Addr;

    #[test]
    fn a_session_is_known_by_its_cookie_until_it_ends() {
        let (sessions, now) = (Sessions::default(), Instant::now());
        let (token, csrf) = sessions.begin(now).unwrap();
        assert!(token.text().len() == 64 && token != csrf);
        assert!(sessions.find(token.text(), now).is_some_and(|found| found == csrf));
        for wrong in ["", csrf.text(), &token.text()[1..], &token.text().to_uppercase().replace('A', "B")] {
            assert!(sessions.find(wrong, now).is_none() || wrong == token.text());
        }
        assert!(sessions.find(token.text(), now + REST).is_some());
        assert!(sessions.find(token.text(), now + 2 * REST + Duration::from_secs(1)).is_none(), "it rested");
        let (token, _) = sessions.begin(now).unwrap();
        sessions.end(token.text(), now);
        assert!(sessions.find(token.text(), now).is_none());
    }

    #[test]
    fn sessions_are_few_and_do_not_last_for_ever() {
        let (sessions, start) = (Sessions::default(), Instant::now());
        let (first, _) = sessions.begin(start).unwrap();
        let mut now = start;
        while now < start + LONGEST {
            now += REST / 2;
            assert_eq!(sessions.find(first.text(), now).is_some(), now <= start + LONGEST);
        }
        let many: Vec<_> = (0..2 * MOST as u64)
            .map(|second| sessions.begin(now + Duration::from_secs(second)).unwrap().0)
            .collect();
        let known = many.iter().filter(|token| sessions.find(token.text(), now).is_some()).count();
        assert_eq!(known, MOST);
        assert!(sessions.find(many[2 * MOST - 1].text(), now).is_some(), "the newest");
    }

    #[test]
    fn guessing_is_slow_for_one_address_and_for_many() {
        let (mut attempts, now) = (Attempts::default(), Instant::now());
        let one = Ipv4Addr::LOCALHOST.into();
        let tried = (0..100).filter(|_| attempts.may(one, now)).count();
        assert_eq!(tried, 5);
        assert!(attempts.may(one, now + EACH.0));
        let later = now + Duration::from_secs(60);
        let many =
            (0..10_000u32).filter(|number| attempts.may(Ipv4Addr::from_bits(*number).into(), later)).count();
        assert_eq!((many, attempts.each.len()), (10, MOST_ADDRESSES));
    }

    proptest! {
        #[test]
        fn any_text_is_the_token_or_not(text in "\\PC{0,80}") {
            let token = Token("0123456789abcdef".repeat(4));
            prop_assert_eq!(token.is(&text), text == token.text());
        }
    }
}
