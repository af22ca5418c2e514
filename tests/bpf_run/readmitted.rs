//! New rules, and the flows that are there already: which of them go on where they are.

use flowtop::model::rule::{Rule, SequenceProfile};
use flowtop::model::snapshot::FlowSample;
use flowtop::probe::{Options, Probe, TestContext};

use crate::arrivals::any;
use crate::support;
use crate::support::frames::Udp;

/// All to a port, with numbers where the payload begins.
fn to_port(port: u16) -> Rule {
    Rule {
        name: format!("to {port}"),
        destination_ports: vec![port..=port],
        profile: Some(SequenceProfile {
            offset: Some(0),
            ..SequenceProfile::OFF
        }),
        ..any(false)
    }
}

fn change(probe: &mut Probe, rules: &[Rule]) {
    let changed = probe.apply_rules(rules, &SequenceProfile::OFF);
    changed.expect("rules");
}

fn show(probe: &mut Probe, port: u16, number: u32) {
    let frame = Udp::to_port(port).with_number(number, 0, 20).frame();
    let shown = probe.test_frame(&frame, TestContext::default(), 1);
    shown.expect("show a frame");
}

/// The flow to this port: there is one.
fn flow_to(probe: &mut Probe, port: u16) -> FlowSample {
    let mut flows = probe.snapshot().flows;
    flows.retain(|flow| flow.key.destination_port == port);
    let [flow] = flows[..] else {
        panic!("one flow: {flows:#?}");
    };
    flow
}

#[test]
fn a_flow_whose_numbers_stay_where_they_are_goes_on_under_new_rules() {
    if !support::root() {
        return;
    }
    let mut probe = Probe::load(&Options::default()).expect("load the program");
    let ports = [5000, 5001];
    let rules = ports.map(to_port);
    let reversed = [rules[1].clone(), rules[0].clone()];
    change(&mut probe, &rules);
    let before = ports.map(|port| {
        (1..=3).for_each(|number| show(&mut probe, port, number));
        let flow = flow_to(&mut probe, port);
        (flow.slot, flow.generation)
    });
    // Two more numbers are missing each time.
    for (rules, number, lost) in [(&rules, 6, 2), (&reversed, 9, 4)] {
        change(&mut probe, rules);
        for (port, before) in ports.into_iter().zip(before) {
            show(&mut probe, port, number);
            let flow = flow_to(&mut probe, port);
            assert_eq!((flow.slot, flow.generation), before);
            assert_eq!(flow.counts.sequence.map(|numbers| numbers.lost), Some(lost));
            let rule = rules.iter().position(|rule| *rule == to_port(port));
            assert_eq!(flow.rule.map(usize::from), rule);
        }
    }
}
