//! Host names of addresses: a thread asks the system's resolver, and a bounded number of answers is kept.
//!
//! Nothing is asked before [`Resolver::recall_or_ask`] is called, and that never waits. A resolver that does not answer
//! holds up its thread and nothing else.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};

use anyhow::Result;

use super::confined::start_confined;
use super::updates::{Outlet, Update};
use crate::model::privileges::Privileges;
use crate::probe::privileges::confine::Keeps;

/// Answers that are kept. When there are more, all are forgotten, and those on the screen are asked for again.
const MOST_KEPT: usize = 4096;
/// Questions that may be queued. What does not fit is asked for again while it is on the screen.
const MOST_WAITING: usize = 64;
/// The longest name that DNS allows.
const LONGEST: usize = 253;
/// The longest label of a name.
const LONGEST_LABEL: usize = 63;

/// What is known of an address.
#[derive(Debug, Clone)]
enum Answer {
    /// The question is under way.
    Asked,
    /// The answer; `None`: it has no name.
    Known(Option<Arc<str>>),
}

/// The answers so far, and the queue of the thread that asks.
#[derive(Debug)]
pub struct Resolver {
    answers: HashMap<IpAddr, Answer>,
    questions: SyncSender<IpAddr>,
}

impl Resolver {
    /// Starts the thread, which keeps these rights and waits for questions. Nobody joins it: it may hang in the resolver
    /// when the run ends.
    pub fn start(outlet: Outlet, keeps: Keeps) -> Result<(Resolver, Privileges)> {
        let (questions, receiver) = sync_channel(MOST_WAITING);
        let (_, privileges) = start_confined(
            "names",
            keeps,
            |_| Ok(()),
            move |()| answer_all(&receiver, &outlet),
        )?;
        let resolver = Resolver {
            answers: HashMap::new(),
            questions,
        };
        Ok((resolver, privileges))
    }

    /// Returns the known names of these addresses, and asks for those that were not asked for yet.
    pub fn recall_or_ask(&mut self, addresses: &[IpAddr]) -> Vec<(IpAddr, Arc<str>)> {
        let mut known = Vec::new();
        for address in addresses {
            match self.answers.get(address) {
                Some(Answer::Known(Some(name))) => known.push((*address, name.clone())),
                Some(_) => {}
                None => self.ask(*address),
            }
        }
        known
    }

    /// Keeps an answer.
    pub fn learn(&mut self, address: IpAddr, name: Option<Arc<str>>) {
        self.answers.insert(address, Answer::Known(name));
    }

    fn ask(&mut self, address: IpAddr) {
        if self.questions.try_send(address).is_err() {
            return;
        }
        if self.answers.len() >= MOST_KEPT {
            self.answers
                .retain(|_, answer| matches!(answer, Answer::Asked));
        }
        self.answers.insert(address, Answer::Asked);
    }
}

fn answer_all(questions: &Receiver<IpAddr>, outlet: &Outlet) {
    for address in questions {
        outlet.send(Update::Name(address, look_up(address)));
    }
}

fn look_up(address: IpAddr) -> Option<Arc<str>> {
    let name = dns_lookup::lookup_addr(&address).ok()?;
    is_host_name(&name).then(|| Arc::from(name.as_str()))
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

    fn resolver() -> (Resolver, Receiver<IpAddr>) {
        let (questions, asked) = sync_channel(1);
        let answers = HashMap::new();
        (Resolver { answers, questions }, asked)
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

    #[test]
    fn each_address_is_asked_for_once_and_the_answer_kept() {
        let address = IpAddr::from([192, 0, 2, 1]);
        let (mut resolver, questions) = resolver();
        let other = IpAddr::from([192, 0, 2, 2]);
        for _ in 0..3 {
            // The second does not fit into the queue, and does not count as asked.
            assert!(resolver.recall_or_ask(&[address, other]).is_empty());
        }
        assert_eq!(questions.try_iter().collect::<Vec<_>>(), [address]);
        resolver.learn(address, Some("one".into()));
        assert_eq!(
            resolver.recall_or_ask(&[address, other]),
            [(address, "one".into())]
        );
        assert_eq!(questions.try_iter().collect::<Vec<_>>(), [other]);
        resolver.learn(other, None);
        assert!(resolver.recall_or_ask(&[other]).is_empty());
        assert_eq!(questions.try_iter().count(), 0);
    }

    #[test]
    fn answers_stay_within_limits() {
        let (mut resolver, questions) = resolver();
        for number in 0..20_000_u32 {
            let address = IpAddr::from(number.to_be_bytes());
            resolver.recall_or_ask(&[address]);
            resolver.learn(address, None);
            questions.try_recv().expect("asked");
            assert!(resolver.answers.len() <= MOST_KEPT);
        }
    }
}
