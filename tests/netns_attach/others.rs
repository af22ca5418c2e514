//! Filters of others on the clsact qdisc, further runs among them, and somebody who takes ours away.

use std::ops::Range;
use std::os::linux::net::SocketAddrExt;
use std::os::unix::net::{SocketAddr, UnixDatagram};
use std::sync::mpsc::{Sender, channel};
use std::thread::JoinHandle;

use flowtop::netns::Namespace;
use flowtop::probe::clsact::{is_ours, remove_leftover};
use nix::sys::signal::Signal;
use serde_json::Value;

use super::support::pair::{Pair, RECEIVER_LINK};
use super::support::program::{self, Flowtop, PROGRAM, flows, interface};
use super::{
    ARGUMENTS, add_filter_of_others, chain, clsact, counted, everything, filters, ip, ours, send,
    shared_pair, support,
};

/// Priority and handle of all filters, in the kernel's order.
fn places(pair: &Pair) -> Vec<(u64, String)> {
    let place = |filter: &Value| {
        let handle = filter["options"]["handle"].as_str().expect("a handle");
        (
            filter["pref"].as_u64().expect("a priority"),
            handle.to_owned(),
        )
    };
    filters(&pair.receiver).iter().map(place).collect()
}

#[test]
fn filters_of_others_in_the_first_places_stay_and_are_told() {
    if !support::root() {
        return;
    }
    let of_others = [
        // Our handle.
        "prio 1 handle 0xf107 protocol all",
        // Another protocol than ours.
        "prio 2 handle 0x1 protocol ip",
    ];
    let pair = shared_pair("clsact");
    for words in of_others {
        add_filter_of_others(&pair.receiver, words);
    }
    // Another kind of filter: matches every packet.
    ip(
        &pair.receiver,
        "tc filter add dev veth1 ingress prio 3 protocol all u32 match u32 0 0 action mirred egress mirror dev other0 continue",
    );
    let before = everything(&pair.receiver);
    let mut run = clsact(&pair.receiver);
    let expected = (4, "0xf107".to_owned());
    assert!(places(&pair).contains(&expected), "{:?}", places(&pair));
    send(&pair, 100);
    run.settle(100);
    let ended = run.finish();
    assert_eq!(counted(&ended.record), 100);
    assert_eq!(
        ended.errors,
        "flowtop: veth1: filters of others come first; what they drop or redirect is not counted\n"
    );
    assert_eq!(everything(&pair.receiver), before);
}

#[test]
fn a_filter_of_others_at_our_priority_shares_it() {
    if !support::root() {
        return;
    }
    let pair = shared_pair("clsact");
    add_filter_of_others(&pair.receiver, "prio 1 handle 0x5 protocol all");
    let before = everything(&pair.receiver);
    let mut run = clsact(&pair.receiver);
    assert_eq!(places(&pair)[0], (1, "0xf107".to_owned()));
    send(&pair, 100);
    run.settle(100);
    let ended = run.finish();
    assert_eq!((counted(&ended.record), ended.errors.as_str()), (100, ""));
    assert_eq!(everything(&pair.receiver), before);
}

#[test]
fn runs_on_one_interface_count_the_same_and_the_first_outlives_the_others() {
    if !support::root() {
        return;
    }
    for use_clsact in [false, true] {
        let pair = Pair::quiet();
        let start = || match use_clsact {
            true => clsact(&pair.receiver),
            false => Flowtop::watch(&pair, "{}"),
        };
        let on_hook = || match use_clsact {
            true => filters(&pair.receiver).len(),
            false => chain::length(&pair),
        };
        let mut first = start();
        let mut second = start();
        let mut third = start();
        assert_eq!(on_hook(), 3, "clsact: {use_clsact}");
        send(&pair, 200);
        for run in [&mut first, &mut second, &mut third] {
            run.settle(200);
        }
        let ended = second.finish();
        assert_eq!((counted(&ended.record), ended.errors.as_str()), (200, ""));
        assert_eq!(on_hook(), 2, "clsact: {use_clsact}");
        send(&pair, 100);
        for run in [first, third] {
            let mut run = run;
            run.settle(300);
            let ended = run.finish();
            assert_eq!((counted(&ended.record), ended.errors.as_str()), (300, ""));
        }
        assert_eq!(on_hook(), 0, "clsact: {use_clsact}");
    }
}

#[test]
fn what_a_killed_run_left_is_removed_by_the_next_one_and_what_a_living_one_has_is_not() {
    if !support::root() {
        return;
    }
    let pair = shared_pair("clsact");
    let before = everything(&pair.receiver);
    let mut living = clsact(&pair.receiver);
    leave_filter(&pair.receiver);
    assert_eq!(
        ours(&pair.receiver),
        2,
        "of the living and of the killed one"
    );
    let next = clsact(&pair.receiver);
    assert_eq!(ours(&pair.receiver), 2, "of the living and of the next one");
    send(&pair, 50);
    living.settle(50);
    for run in [living, next] {
        let mut run = run;
        run.settle(50);
        let ended = run.finish();
        assert_eq!((counted(&ended.record), ended.errors.as_str()), (50, ""));
    }
    assert_eq!(everything(&pair.receiver), before);
}

/// Which would count as alive from there on.
#[test]
fn what_a_killed_run_left_is_removed_by_the_run_that_takes_its_handle_on_another_interface() {
    if !support::root() {
        return;
    }
    let pair = shared_pair("clsact");
    let before = places(&pair);
    leave_filter(&pair.receiver);
    assert_eq!(ours(&pair.receiver), 1);
    let arguments = ["-i", "other0", "-t", "0.1"];
    let next = Flowtop::start_with(&pair.receiver, "{}", &arguments, |command| {
        command.env("FLOWTOP_CLSACT", "1");
    });
    assert_eq!(places(&pair), before);
    assert_eq!(next.finish().errors, "");
}

/// As when a run begins while `doctor --clean` looks at the links.
#[test]
fn a_leftover_whose_handle_is_taken_meanwhile_stays() {
    if !support::root() {
        return;
    }
    let pair = Pair::quiet();
    leave_filter(&pair.receiver);
    let ifindex = pair.receiver_ifindex();
    let all = pair
        .receiver
        .within(|| Ok(flowtop::probe::filters::list(ifindex)?));
    let all = all.expect("the filters");
    let left = all.iter().find(|filter| is_ours(filter)).expect("one");
    let remove = || {
        let removed = pair.receiver.within(|| Ok(remove_leftover(ifindex, left)?));
        removed.expect("no error")
    };
    let taken = Names::hold(&pair.receiver, 0xf107..0xf108);
    assert!(!remove());
    assert_eq!(ours(&pair.receiver), 1);
    taken.let_go();
    assert_eq!([remove(), remove()], [true, false]);
    assert_eq!(ours(&pair.receiver), 0);
}

/// As when two runs that begin at once find the same leftover.
#[test]
fn a_filter_that_somebody_else_has_removed_already_is_no_error() {
    if !support::root() {
        return;
    }
    let pair = shared_pair("clsact");
    let ifindex = pair.receiver_ifindex();
    let removed = pair.receiver.within(|| {
        let mut found = flowtop::probe::filters::list(ifindex)?;
        found.retain(|filter| filter.handle != 0);
        for filter in found.iter().chain(&found) {
            flowtop::probe::filters::remove(ifindex, filter)?;
        }
        Ok(found.len())
    });
    assert_eq!(removed.expect("nothing is left to do"), 2);
    assert_eq!(filters(&pair.receiver).len(), 0);
}

/// Lets a stopped run go on for two readings, which are a second apart unless the kernel has it wait for others.
fn go_on_for_two_readings(run: &mut Flowtop) {
    let begun = format!("{:.3}", jiff::Timestamp::now());
    run.signal(Signal::SIGCONT);
    for _ in 0..2 {
        run.until("a reading", |record| record["time"].as_str() > Some(&begun));
    }
}

/// Takes our filter away in each of several ways; the run must notice, say so, and go on.
#[test]
fn a_filter_that_somebody_takes_away_is_put_back_within_two_seconds_and_that_is_told() {
    if !support::root() {
        return;
    }
    let pair = Pair::quiet();
    let ways = [
        "tc filter del dev veth1 ingress prio 1 handle 0xf107 bpf",
        "tc filter del dev veth1 ingress",
        "tc qdisc del dev veth1 clsact",
        // Another filter in its place, which lets everything pass.
        "tc filter replace dev veth1 ingress prio 1 handle 0xf107 protocol all bpf bytecode",
    ];
    // The pace of a run that nobody asked to be quicker.
    let mut run = Flowtop::start_with(&pair.receiver, "{}", &["-i", RECEIVER_LINK], |command| {
        command.env("FLOWTOP_CLSACT", "1");
    });
    for (number, words) in (0..).zip(ways) {
        send(&pair, 10);
        run.settle(10 * (number + 1));
        let words: Vec<&str> = words.split(' ').collect();
        let bytecode: &[&str] = if number == 3 { &["1,6 0 0 0"] } else { &[] };
        // Stopped meanwhile: it would be as quick as we are.
        run.stop();
        support::run(&pair.receiver, words[0], &[&words[1..], bytecode].concat());
        assert_eq!(ours(&pair.receiver), 0, "{words:?}");
        go_on_for_two_readings(&mut run);
        assert_eq!(ours(&pair.receiver), 1, "{words:?}");
        run.until("the hook", |record| {
            interface(record, RECEIVER_LINK)["hook"] == "clsact"
        });
    }
    send(&pair, 10);
    run.settle(50);
    let ended = run.finish();
    assert_eq!(counted(&ended.record), 50);
    let told = "flowtop: veth1: the program was taken off the hook; it is attached again\n";
    let behind =
        "flowtop: veth1: filters of others come first; what they drop or redirect is not counted\n";
    assert_eq!(ended.errors, told.repeat(3) + behind + told);
    let left: Vec<_> = places(&pair);
    assert_eq!(left, [(1, "0xf107".to_owned())], "somebody else's");
}

#[test]
fn a_tcx_link_that_somebody_detaches_is_put_back_within_two_seconds_and_that_is_told() {
    if !support::root() {
        return;
    }
    let pair = Pair::quiet();
    let mut run = Flowtop::start(&pair.receiver, "{}", &["-i", RECEIVER_LINK]);
    for times in 1..=2 {
        send(&pair, 10);
        run.settle(10 * times);
        // Stopped meanwhile: it would be as quick as we are.
        run.stop();
        chain::clear(&pair);
        assert_eq!(chain::length(&pair), 0);
        go_on_for_two_readings(&mut run);
        assert_eq!(chain::length(&pair), 1);
        run.until("the hook", |record| {
            interface(record, RECEIVER_LINK)["hook"] == "tcx"
        });
    }
    send(&pair, 10);
    run.settle(30);
    let ended = run.finish();
    assert_eq!(counted(&ended.record), 30);
    let told = "flowtop: veth1: the program was taken off the hook; it is attached again\n";
    assert_eq!(ended.errors, told.repeat(2));
    assert_eq!(chain::length(&pair), 0);
}

#[test]
fn an_ingress_qdisc_of_others_serves_as_well() {
    if !support::root() {
        return;
    }
    let pair = Pair::quiet();
    ip(&pair.receiver, "tc qdisc add dev veth1 ingress");
    let before = everything(&pair.receiver);
    for use_clsact in [false, true] {
        let mut run = Flowtop::start_with(&pair.receiver, "{}", &ARGUMENTS, |command| {
            if use_clsact {
                command.env("FLOWTOP_CLSACT", "1");
            }
        });
        send(&pair, 30);
        run.settle(30);
        let record = run.last_record();
        assert_eq!(counted(&record), 30);
        assert_eq!(flows(&record).count(), 1);
        let hook = if use_clsact { "clsact" } else { "tcx" };
        assert_eq!(program::interface(&record, RECEIVER_LINK)["hook"], hook);
        assert_eq!(everything(&pair.receiver), before);
    }
}

/// Names that somebody holds. Its thread has descriptors of its own, so that no child that another test forks has them too,
/// and they are free as soon as they are let go.
pub struct Names {
    let_go: Sender<()>,
    holder: JoinHandle<()>,
}

impl Names {
    pub fn hold(namespace: &Namespace, numbers: Range<u32>) -> Names {
        let ((let_go, waits), (tell, held)) = (channel::<()>(), channel());
        let hold = move || {
            // SAFETY: plain numbers. From here on the thread has a table of descriptors of its own, with nobody else's.
            let outcome =
                unsafe { libc::close_range(3, u32::MAX, libc::CLOSE_RANGE_UNSHARE as i32) };
            assert_eq!(outcome, 0, "close_range");
            let names: Vec<UnixDatagram> = numbers.map(|n| bind(n).expect("bind")).collect();
            tell.send(()).expect("a listener");
            let _ = waits.recv();
            drop(names);
        };
        let holder = namespace.within(|| Ok(std::thread::spawn(hold)));
        held.recv().expect("names");
        Names {
            let_go,
            holder: holder.expect("a thread"),
        }
    }

    pub fn let_go(self) {
        drop(self.let_go);
        self.holder.join().expect("no panic");
    }
}

/// What is said of a link where all names are taken.
pub fn no_name_left(link: &str) -> String {
    format!(
        "flowtop: attach to {link}: the names of all 64 runs that there is room for on clsact are taken \
        (see: ss -xa | grep flowtop-clsact)\n"
    )
}

/// As a run does that is killed.
fn leave_filter(namespace: &Namespace) {
    let killed = clsact(namespace);
    killed.signal(Signal::SIGKILL);
    killed.wait();
}

fn bind(number: u32) -> std::io::Result<UnixDatagram> {
    let name = format!("flowtop-clsact-{number:x}");
    UnixDatagram::bind_addr(&SocketAddr::from_abstract_name(name)?)
}

/// What SECURITY.md says that a local user can do to runs on clsact, and what not.
#[test]
fn names_of_runs_that_others_hold_keep_leftovers_and_new_runs_away_and_do_no_more() {
    if !support::root() {
        return;
    }
    let pair = Pair::quiet();
    leave_filter(&pair.receiver);
    let first = Names::hold(&pair.receiver, 0xf107..0xf108);
    let living = clsact(&pair.receiver);
    assert_eq!(ours(&pair.receiver), 2, "of the killed and of the living");
    let others = Names::hold(&pair.receiver, 0xf109..0xf107 + 64);
    let taken = pair.receiver.within(|| Ok(bind(0xf108)?));
    taken.expect_err("it lives");
    let line = no_name_left(RECEIVER_LINK);
    // By its name, and by a glob that finds nothing else.
    for wanted in [RECEIVER_LINK, "veth*"] {
        let mut command = support::command(&pair.receiver, PROGRAM);
        command.args(["-i", wanted, "--json"]);
        command.env("FLOWTOP_CLSACT", "1");
        let refused = command.output().expect("flowtop");
        assert_eq!(String::from_utf8_lossy(&refused.stderr), line, "{wanted}");
        assert_eq!(refused.status.code(), Some(1));
    }
    first.let_go();
    others.let_go();
    let next = clsact(&pair.receiver);
    assert_eq!(ours(&pair.receiver), 2, "of the living and of the next one");
    send(&pair, 5);
    for mut run in [living, next] {
        run.settle(5);
        assert_eq!(counted(&run.finish().record), 5);
    }
    assert_eq!(ours(&pair.receiver), 0);
}
