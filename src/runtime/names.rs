//! Host names of addresses: asked of the system's resolver by a thread of its own, kept within limits.
//!
//! Nothing is asked before [`Resolver::want`] is called, and that never waits. A resolver that does not answer holds
//! up its thread and nothing else.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};

use super::updates::{Outlet, Update};

/// Answers that are kept; when there are more, all are forgotten and those on the screen asked for anew.
const MOST_KEPT: usize = 4096;
/// Questions that may wait. What does not fit is asked for again while it is on the screen.
const MOST_WAITING: usize = 64;
/// The longest name that DNS allows.
const LONGEST: usize = 253;

/// What is known of an address.
#[derive(Debug, Clone)]
enum Answer {
    /// The question is under way.
    Asked,
    /// The answer; `None`: it has no name.
    Known(Option<Arc<str>>),
}

/// Answers so far, and the way to the thread that asks.
#[derive(Debug, Default)]
pub struct Resolver {
    answers: HashMap<IpAddr, Answer>,
    questions: Option<SyncSender<IpAddr>>,
}

impl Resolver {
    /// Asks for the names of these addresses, unless that was done; returns those that are known already.
    pub fn want(&mut self, addresses: &[IpAddr], outlet: &Outlet) -> Vec<(IpAddr, Arc<str>)> {
        let mut known = Vec::new();
        for address in addresses {
            match self.answers.get(address) {
                Some(Answer::Known(Some(name))) => known.push((*address, name.clone())),
                Some(_) => {}
                None => self.ask(*address, outlet),
            }
        }
        known
    }

    /// Takes in an answer.
    pub fn learn(&mut self, address: IpAddr, name: Option<Arc<str>>) {
        self.answers.insert(address, Answer::Known(name));
    }

    fn ask(&mut self, address: IpAddr, outlet: &Outlet) {
        if self.questions.is_none() {
            self.questions = start(outlet).ok();
        }
        let asked = self.questions.as_ref().map(|queue| queue.try_send(address));
        if !matches!(asked, Some(Ok(()))) {
            return;
        }
        if self.answers.len() >= MOST_KEPT {
            self.answers
                .retain(|_, answer| matches!(answer, Answer::Asked));
        }
        self.answers.insert(address, Answer::Asked);
    }
}

/// Nobody waits for this thread: it may hang in the resolver when the run ends.
fn start(outlet: &Outlet) -> std::io::Result<SyncSender<IpAddr>> {
    let (sender, receiver) = sync_channel(MOST_WAITING);
    let outlet = outlet.try_clone()?;
    std::thread::Builder::new()
        .name("names".into())
        .spawn(move || answer_all(&receiver, &outlet))?;
    Ok(sender)
}

fn answer_all(questions: &Receiver<IpAddr>, outlet: &Outlet) {
    for address in questions {
        outlet.tell(Update::Name(address, look_up(address)));
    }
}

fn look_up(address: IpAddr) -> Option<Arc<str>> {
    let name = dns_lookup::lookup_addr(&address).ok()?;
    is_host_name(&name).then(|| Arc::from(name.as_str()))
}

/// Whoever owns an address chooses its name: nothing but letters, digits and what stands between them.
fn is_host_name(name: &str) -> bool {
    let fits = |c: char| c.is_ascii_alphanumeric() || "-._".contains(c);
    !name.is_empty() && name.len() <= LONGEST && name.chars().all(fits)
}

#[cfg(test)]
mod tests {
    use super::super::updates::Inlet;
    use super::*;

    #[test]
    fn a_name_that_could_steer_a_terminal_is_no_name() {
        assert!(is_host_name("db-1.example.org") && is_host_name("_dmarc.x"));
        for name in ["", "a b", "\u{1b}[31mred", "a\u{202e}b", &"x".repeat(254)] {
            assert!(!is_host_name(name), "{name:?}");
        }
    }

    #[test]
    fn each_address_is_asked_for_once_and_the_answer_kept() {
        let (outlet, _inlet) = Inlet::pair().expect("sockets");
        let address = IpAddr::from([192, 0, 2, 1]);
        let (queue, questions) = sync_channel(1);
        let mut resolver = Resolver {
            questions: Some(queue),
            ..Resolver::default()
        };
        let other = IpAddr::from([192, 0, 2, 2]);
        for _ in 0..3 {
            // The second does not fit into the queue, and is not taken for asked.
            assert!(resolver.want(&[address, other], &outlet).is_empty());
        }
        assert_eq!(questions.try_iter().collect::<Vec<_>>(), [address]);
        resolver.learn(address, Some("one".into()));
        assert_eq!(
            resolver.want(&[address, other], &outlet),
            [(address, "one".into())]
        );
        assert_eq!(questions.try_iter().collect::<Vec<_>>(), [other]);
        resolver.learn(other, None);
        assert!(resolver.want(&[other], &outlet).is_empty());
        assert_eq!(questions.try_iter().count(), 0);
    }

    #[test]
    fn answers_stay_within_limits() {
        let (outlet, _inlet) = Inlet::pair().expect("sockets");
        let (queue, questions) = sync_channel(1);
        let mut resolver = Resolver {
            questions: Some(queue),
            ..Resolver::default()
        };
        for number in 0..20_000_u32 {
            let address = IpAddr::from(number.to_be_bytes());
            resolver.want(&[address], &outlet);
            resolver.learn(address, None);
            questions.try_recv().expect("asked");
            assert!(resolver.answers.len() <= MOST_KEPT);
        }
    }
}
