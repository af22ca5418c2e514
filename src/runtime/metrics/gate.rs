//! Who is served: users by name and password, as HTTP's Basic scheme says them (RFC 7617).

use base64::Engine;
use base64::prelude::BASE64_STANDARD;

/// The users, by name and hash of the password.
#[derive(Default)]
pub struct Gate {
    users: Vec<(String, String)>,
    /// What users said who were let in: a hash takes long to check, and scrapers come all the time.
    known: Vec<String>,
}

impl Gate {
    /// Lets in these users, and nobody else; none: anybody.
    pub fn new(users: Vec<(String, String)>) -> Gate {
        Gate {
            users,
            known: Vec::new(),
        }
    }

    /// Whether who says this in `Authorization` is let in.
    pub fn admits(&mut self, authorization: &str) -> bool {
        if self.users.is_empty() || self.known.iter().any(|known| is_same(known, authorization)) {
            return true;
        }
        let is_right = self.is_right(authorization);
        if is_right {
            if self.known.len() >= self.users.len() {
                self.known.remove(0);
            }
            self.known.push(authorization.to_owned());
        }
        is_right
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
    use super::*;

    #[test]
    fn users_with_their_passwords_are_let_in_and_nobody_else() {
        let hash = |password| bcrypt::hash(password, 4).expect("a hash");
        let users = [("ann", "one"), ("bob", "two:three")];
        let mut gate = Gate::new(users.map(|(u, p)| (u.to_owned(), hash(p))).to_vec());
        let say = |text: &str| format!("Basic {}", BASE64_STANDARD.encode(text));
        for _ in 0..2 {
            assert!(gate.admits(&say("ann:one")) && gate.admits(&say("bob:two:three")));
            assert!(gate.admits(&say("ann:one").replace("Basic", "bASIC")));
            for wrong in [
                "ann:two:three",
                "bob:one",
                "carl:one",
                "ann",
                "",
                ":",
                "ann:one ",
            ] {
                assert!(!gate.admits(&say(wrong)), "{wrong}");
            }
            for wrong in ["", "Basic", "Basic !", "Bearer one", "ann:one"] {
                assert!(!gate.admits(wrong), "{wrong}");
            }
            assert!(!gate.admits(&say("ann:one").replace("Basic", "Digest")));
        }
        assert_eq!(gate.known.len(), 2);
        assert!(Gate::default().admits("anything"));
    }
}
