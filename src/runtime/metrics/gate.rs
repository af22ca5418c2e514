//! Who is served: users by name and password, as HTTP's Basic scheme says them (RFC 7617).

use std::time::Instant;

use base64::Engine;
use base64::prelude::BASE64_STANDARD;

/// A password was checked just now: the next one is from then on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Later(pub Instant);

/// The users, by name and hash of the password.
#[derive(Default)]
pub struct Gate {
    users: Vec<(String, String)>,
    /// What users said who were let in: a hash takes long to check, and scrapers come all the time.
    known: Vec<String>,
    /// No other hash is checked before.
    rests_until: Option<Instant>,
}

impl Gate {
    /// Lets in these users, and nobody else; none: anybody.
    pub fn new(users: Vec<(String, String)>) -> Gate {
        Gate {
            users,
            ..Gate::default()
        }
    }

    /// Whether who says this in `Authorization` is let in.
    pub fn admits(&mut self, authorization: &str) -> Result<bool, Later> {
        if self.users.is_empty() || self.known.iter().any(|known| is_same(known, authorization)) {
            return Ok(true);
        }
        let began = Instant::now();
        if let Some(until) = self.rests_until.filter(|until| began < *until) {
            return Err(Later(until));
        }
        let is_right = self.is_right(authorization);
        // For as long as that took, those who are known have their turn.
        self.rests_until = Some(Instant::now() + began.elapsed());
        if is_right {
            if self.known.len() >= self.users.len() {
                self.known.remove(0);
            }
            self.known.push(authorization.to_owned());
        }
        Ok(is_right)
    }

    fn is_right(&self, authorization: &str) -> bool {
        let (scheme, said) = authorization.split_once(' ').unwrap_or_default();
        let said = BASE64_STANDARD.decode(said.trim()).unwrap_or_default();
        let said = String::from_utf8(said).unwrap_or_default();
        let Some((name, password)) = said.split_once(':') else {
            return false;
        };
        let user = self.users.iter().find(|(user, _)| user == name);
        // A name that nobody has takes as long.
        let hash = user.or(self.users.first()).map(|(_, hash)| hash.as_str());
        let is_password = bcrypt::verify(password, hash.unwrap_or_default()).unwrap_or(false);
        scheme.eq_ignore_ascii_case("basic") && user.is_some() && is_password
    }
}

/// Whether both are the same, in a time that does not tell how much of them is.
fn is_same(known: &str, said: &str) -> bool {
    let differences = known.bytes().zip(said.bytes()).map(|(a, b)| a ^ b);
    known.len() == said.len() && differences.fold(0, |all, one| all | one) == 0
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    fn say(text: &str) -> String {
        format!("Basic {}", BASE64_STANDARD.encode(text))
    }

    /// Whether who says this is let in, sooner or later.
    fn admits(gate: &mut Gate, said: &str) -> bool {
        gate.rests_until = None;
        gate.admits(said).expect("a check")
    }

    #[test]
    fn users_with_their_passwords_are_let_in_and_nobody_else() {
        let hash = |password| bcrypt::hash(password, 4).expect("a hash");
        let users = [("ann", "one"), ("bob", "two:three")];
        let mut gate = Gate::new(users.map(|(u, p)| (u.to_owned(), hash(p))).to_vec());
        for _ in 0..2 {
            assert!(admits(&mut gate, &say("ann:one")) && admits(&mut gate, &say("bob:two:three")));
            assert!(admits(&mut gate, &say("ann:one").replace("Basic", "bASIC")));
            for wrong in [
                "ann:two:three",
                "bob:one",
                "carl:one",
                "ann",
                "",
                ":",
                "ann:one ",
            ] {
                assert!(!admits(&mut gate, &say(wrong)), "{wrong}");
            }
            for wrong in ["", "Basic", "Basic !", "Bearer one", "ann:one"] {
                assert!(!admits(&mut gate, wrong), "{wrong}");
            }
            assert!(!admits(
                &mut gate,
                &say("ann:one").replace("Basic", "Digest")
            ));
        }
        assert_eq!(gate.known.len(), 2);
        assert_eq!(Gate::default().admits("anything"), Ok(true));
    }

    #[test]
    fn who_is_known_does_not_wait_for_those_whose_passwords_are_checked() {
        let hash = bcrypt::hash("one", 4).expect("a hash");
        let mut gate = Gate::new(vec![("ann".to_owned(), hash)]);
        assert!(admits(&mut gate, &say("ann:one")));
        gate.rests_until = None;
        let before = Instant::now();
        assert_eq!(gate.admits(&say("ann:two")), Ok(false));
        assert!(gate.rests_until.is_some_and(|until| until > before));
        let later = Instant::now() + Duration::from_secs(60);
        gate.rests_until = Some(later);
        assert_eq!(gate.admits(&say("ann:two")), Err(Later(later)));
        assert_eq!(gate.admits(&say("ann:one")), Ok(true));
    }
}
