//! Host names of addresses: a thread asks the system's resolver, one address after the other, and a bounded number of answers is
//! kept.
//!
//! Nothing is asked before [`Resolver::recall_or_ask`] is called, which never waits, and nothing that is not on the screen when its
//! turn comes. A resolver that does not answer holds up its thread and nothing else.

pub mod answer;

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::time::Instant;

use anyhow::Result;
use dns_lookup::LookupErrorKind::{NoData, NoName};

use self::answer::Answer;
use super::confined::start_confined;
use super::updates::{Outlet, Update};
use crate::model::privileges::Privileges;
use crate::probe::privileges::confine::Keeps;

/// Answers that are kept. When there are more, all are forgotten, and those on the screen are asked for again.
const MOST_KEPT: usize = 4096;
/// The longest name that DNS allows.
const LONGEST: usize = 253;
/// The longest label of a name.
const LONGEST_LABEL: usize = 63;

/// The answers so far, and what the thread is asked for.
#[derive(Debug)]
pub struct Resolver {
    answers: HashMap<IpAddr, Answer>,
    /// What is to be asked, the last one first.
    wanted: Vec<IpAddr>,
    /// What the thread is asking for.
    under_way: Option<IpAddr>,
    questions: Sender<IpAddr>,
}

impl Resolver {
    /// Starts the thread, which keeps these rights and waits for questions. Nobody joins it: it may hang in the resolver
    /// when the run ends.
    pub fn start(outlet: Outlet, keeps: Keeps) -> Result<(Resolver, Privileges)> {
        let (questions, receiver) = channel();
        let (_, privileges) = start_confined(
            "names",
            keeps,
            |_| Ok(()),
            move |()| answer_all(&receiver, &outlet),
        )?;
        Ok((Resolver::new(questions), privileges))
    }

    fn new(questions: Sender<IpAddr>) -> Resolver {
        Resolver {
            answers: HashMap::new(),
            wanted: Vec::new(),
            under_way: None,
            questions,
        }
    }

    /// Returns the known names of these addresses, which are all that anybody looks at now, and asks for those that are not known.
    pub fn recall_or_ask(&mut self, addresses: &[IpAddr]) -> Vec<(IpAddr, Arc<str>)> {
        let mut known = Vec::new();
        self.wanted.clear();
        for address in addresses.iter().rev() {
            match self.answers.get(address).filter(|answer| answer.holds()) {
                Some(answer) => known.extend(answer.name().map(|name| (*address, name.clone()))),
                None if self.under_way == Some(*address) => {}
                None => self.wanted.push(*address),
            }
        }
        self.ask_next();
        known
    }

    /// Keeps the answer to a question, and asks the next one.
    pub fn learn(&mut self, address: IpAddr, answer: Answer) {
        if self.answers.len() >= MOST_KEPT {
            self.answers.clear();
        }
        self.answers.insert(address, answer);
        self.under_way = None;
        self.ask_next();
    }

    fn ask_next(&mut self) {
        if self.under_way.is_none()
            && let Some(address) = self.wanted.pop()
            && self.questions.send(address).is_ok()
        {
            self.under_way = Some(address);
        }
    }
}

fn answer_all(questions: &Receiver<IpAddr>, outlet: &Outlet) {
    for address in questions {
        outlet.send(Update::Name(address, look_up(address)));
    }
}

fn look_up(address: IpAddr) -> Answer {
    match dns_lookup::lookup_addr(&address) {
        Ok(name) if is_host_name(&name) => Answer::Name(name.as_str().into()),
        Ok(_) => Answer::Nameless,
        Err(error) if matches!(error.kind(), NoName | NoData) => Answer::Nameless,
        Err(_) => Answer::Failed(Instant::now()),
    }
}

/// Whoever owns an address chooses its name. Names are those of RFC 1123, section 2.1, whose last label is no number:
/// neither an address nor a part of one in any of the forms that are read as such (`127.1`, `0x7f000001`).
fn is_host_name(name: &str) -> bool {
    let name = name.strip_suffix('.').unwrap_or(name);
    let last = name.rsplit('.').next().unwrap_or_default();
    name.len() <= LONGEST && name.split('.').all(is_label) && !is_number(last)
}

fn is_label(label: &str) -> bool {
    let is_inner = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-';
    (1..=LONGEST_LABEL).contains(&label.len())
        && label.bytes().all(is_inner)
        && !label.starts_with('-')
        && !label.ends_with('-')
}

/// As inet_aton(3) reads a part of an address: decimal, octal or hexadecimal.
fn is_number(label: &str) -> bool {
    let hexadecimal = label.strip_prefix("0x").or(label.strip_prefix("0X"));
    match hexadecimal {
        Some(digits) => digits.bytes().all(|byte| byte.is_ascii_hexdigit()),
        None => label.bytes().all(|byte| byte.is_ascii_digit()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::runtime::names::answer::PAUSE;

    fn resolver() -> (Resolver, Receiver<IpAddr>) {
        let (questions, asked) = channel();
        (Resolver::new(questions), asked)
    }

    #[test]
    fn a_name_that_could_steer_a_terminal_is_no_name() {
        for name in [
            "",
            "a b",
            "\u{1b}[31mred",
            "a\u{202e}b",
            "ä.example",
            "a\0b",
        ] {
            assert!(!is_host_name(name), "{name:?}");
        }
    }

    #[test]
    fn a_name_that_reads_as_an_address_is_no_name() {
        let label = "x".repeat(63);
        let longest = format!("{label}.{label}.{label}.{}", &label[..61]);
        for name in [
            "db-1.example.org",
            "dns.google.",
            "3com.com",
            "4chan",
            "router",
            "1.2.3.4.example.org",
            "1-2-3-4.dsl.example.net",
            "xn--bcher-kva.example",
            "dead.beef",
            "0xy",
            &longest,
        ] {
            assert!(is_host_name(name), "{name}");
        }
        for name in [
            "8.8.8.8",
            "8.8.8.8.",
            "127.1",
            "134744072",
            "0x8080808",
            "0X7f.0.0.0x1",
            "010.0.0.1",
            "example.0x",
            "2001:db8::1",
            "[::1]",
            "::ffff:8.8.8.8",
            "fe80::1%eth0",
            "_dmarc.example.org",
            "-a.example",
            "a-.example",
            "a..example",
            ".example",
            ".",
            "..",
            &format!("{label}x.example"),
            &format!("x{longest}"),
        ] {
            assert!(!is_host_name(name), "{name}");
        }
    }

    fn addresses<const N: usize>() -> [IpAddr; N] {
        std::array::from_fn(|number| IpAddr::from([192, 0, 2, number as u8]))
    }

    #[test]
    fn each_address_is_asked_for_once_and_the_answer_kept() {
        let [address, other] = addresses();
        let (mut resolver, questions) = resolver();
        for _ in 0..3 {
            // The second one has to wait for its turn.
            assert!(resolver.recall_or_ask(&[address, other]).is_empty());
        }
        assert_eq!(questions.try_iter().collect::<Vec<_>>(), [address]);
        resolver.learn(address, Answer::Name("one".into()));
        assert_eq!(questions.try_iter().collect::<Vec<_>>(), [other]);
        assert_eq!(
            resolver.recall_or_ask(&[address, other]),
            [(address, "one".into())]
        );
        resolver.learn(other, Answer::Nameless);
        assert!(resolver.recall_or_ask(&[other]).is_empty());
        assert_eq!(questions.try_iter().count(), 0);
    }

    #[test]
    fn what_nobody_looks_at_any_more_is_not_asked_for() {
        let [first, second, third] = addresses();
        let (mut resolver, questions) = resolver();
        resolver.recall_or_ask(&[first, second]);
        resolver.recall_or_ask(&[third]);
        resolver.learn(first, Answer::Nameless);
        assert_eq!(questions.try_iter().collect::<Vec<_>>(), [first, third]);
        resolver.recall_or_ask(&[second]);
        resolver.recall_or_ask(&[]);
        resolver.learn(third, Answer::Nameless);
        assert_eq!(questions.try_iter().count(), 0);
    }

    #[test]
    fn what_could_not_be_found_out_is_asked_for_again_but_not_at_once() {
        let [address] = addresses();
        let (mut resolver, questions) = resolver();
        resolver.recall_or_ask(&[address]);
        resolver.learn(address, Answer::Failed(Instant::now()));
        resolver.recall_or_ask(&[address]);
        assert_eq!(questions.try_iter().count(), 1);
        let before = Instant::now().checked_sub(PAUSE);
        resolver.learn(address, Answer::Failed(before.expect("a time before")));
        resolver.recall_or_ask(&[address]);
        assert_eq!(questions.try_iter().count(), 1);
    }

    #[test]
    fn answers_stay_within_limits() {
        let (mut resolver, questions) = resolver();
        for number in 0..20_000_u32 {
            let address = IpAddr::from(number.to_be_bytes());
            resolver.recall_or_ask(&[address]);
            resolver.learn(address, Answer::Nameless);
            questions.try_recv().expect("asked");
            assert!(resolver.answers.len() <= MOST_KEPT);
        }
    }
}
