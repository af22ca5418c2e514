//! Globs: names in which `*` stands for any characters and `?` for one; nothing else is special.
//!
//! The only matcher there is: interfaces of configuration and command line, and names in filters.

use std::fmt;

/// A name, or a pattern for names.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Glob(String);

impl<S: Into<String>> From<S> for Glob {
    fn from(text: S) -> Glob {
        Glob(text.into())
    }
}

impl fmt::Display for Glob {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl Glob {
    /// The text that was written.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Whether it stands for one name alone.
    pub fn is_plain(&self) -> bool {
        !self.0.contains(['*', '?'])
    }

    /// Whether a name, which need not be text, matches byte by byte.
    pub fn matches(&self, name: &[u8]) -> bool {
        match_units(self.0.as_bytes(), name, b'*', b'?', |a, b| a == b)
    }

    /// Whether a text matches character by character, in any case.
    pub fn matches_in_any_case(&self, text: &str) -> bool {
        let pattern: Vec<char> = self.0.chars().collect();
        let text: Vec<char> = text.chars().collect();
        match_units(&pattern, &text, '*', '?', |a, b| a.eq_ignore_ascii_case(&b))
    }
}

/// Matches greedily from the left and, on a mismatch, lets the latest `*` take one unit more.
fn match_units<T: Copy + PartialEq>(
    pattern: &[T],
    text: &[T],
    any: T,
    one: T,
    is_same: fn(T, T) -> bool,
) -> bool {
    let (mut p, mut t) = (0, 0);
    let mut latest_any: Option<(usize, usize)> = None;
    while t < text.len() {
        match pattern.get(p) {
            Some(&unit) if unit == any => {
                latest_any = Some((p, t));
                p += 1;
            }
            Some(&unit) if unit == one || is_same(unit, text[t]) => {
                p += 1;
                t += 1;
            }
            _ => match &mut latest_any {
                Some((at, taken)) => {
                    *taken += 1;
                    (p, t) = (*at + 1, *taken);
                }
                None => return false,
            },
        }
    }
    pattern[p..].iter().all(|unit| *unit == any)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// The definition of a glob, exponential and obvious.
    fn matches_by_definition(glob: &[u8], name: &[u8]) -> bool {
        match (glob.split_first(), name.split_first()) {
            (None, None) => true,
            (Some((b'*', rest)), None) => matches_by_definition(rest, name),
            (Some((b'*', rest)), Some((_, tail))) => {
                matches_by_definition(rest, name) || matches_by_definition(glob, tail)
            }
            (Some((g, rest)), Some((n, tail))) => {
                (*g == b'?' || g == n) && matches_by_definition(rest, tail)
            }
            _ => false,
        }
    }

    proptest! {
        #[test]
        fn a_glob_matches_as_it_is_defined(glob in "[ab*?]{0,8}", name in "[ab]{0,10}") {
            let expected = matches_by_definition(glob.as_bytes(), name.as_bytes());
            let glob = Glob::from(glob);
            prop_assert_eq!(glob.matches(name.as_bytes()), expected);
            prop_assert_eq!(glob.matches_in_any_case(&name.to_uppercase()), expected);
        }
    }

    #[test]
    fn bytes_are_no_characters_and_case_matters_to_them_alone() {
        assert!(Glob::from("?").matches_in_any_case("ü"));
        assert!(!Glob::from("?").matches("ü".as_bytes()));
        assert!(Glob::from("eth?").matches(b"eth\xff"));
        assert!(!Glob::from("ETH*").matches(b"eth0"));
    }
}
