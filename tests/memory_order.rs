//! The flow table on a machine that keeps no order which nobody asked for, arm64 for one: what table.h, claim.h, counters.h and
//! probe::table do to a slot's words, tried by loom in each order in which it can come out.
//!
//! Each step that keeps an order is weakened in turn, and the same scenario then has to fail: so none is there for nothing, and the
//! scenarios can tell. What the steps are made of on each side is in `Step`; what a reading comes to is decoded by `abi` itself.

#[path = "memory_order/scenarios.rs"]
mod scenarios;
#[path = "memory_order/slot.rs"]
mod slot;

use slot::Step;

/// Tries all orders with up to three preemptions.
fn explore(scenario: fn(Option<Step>), weakened: Option<Step>) {
    let mut model = loom::model::Builder::new();
    model.preemption_bound = Some(3);
    model.check(move || scenario(weakened));
}

/// A scenario as it is, and with each of these steps weakened.
macro_rules! scenario {
    ($scenario:ident: $($test:ident = $step:ident)+) => {
        mod $scenario {
            use super::scenarios::$scenario;
            use super::{Step, explore};

            #[test]
            fn holds() {
                explore($scenario, None);
            }

            $(#[test]
            #[should_panic(expected = "order: ")]
            fn $test() {
                explore($scenario, Some(Step::$step));
            })+
        }
    };
}

scenario! { the_key_is_that_of_the_life_found:
    needs_the_key_loaded_behind_the_control_word = Dependency
    needs_a_barrier_where_a_slot_is_claimed = Claim
    needs_a_barrier_where_a_slot_is_published = Publish
    needs_a_barrier_where_an_arrival_is_exchanged = Arrival
}

scenario! { the_place_of_a_flow_with_a_packet_is_not_taken:
    needs_a_barrier_where_a_flow_is_marked = Mark
    needs_a_barrier_where_an_arrival_is_exchanged = Arrival
    needs_a_second_look_at_the_last_arrival = SecondLook
    needs_the_packet_to_take_the_mark_away = TakeMarkAway
}

scenario! { what_changes_meanwhile_stays:
    needs_a_mark_that_leaves_all_else = MarkAlone
    needs_a_mark_that_is_taken_away_alone = Restore
    needs_an_epoch_to_be_that_of_the_life_found = EpochOfLife
}

scenario! { counters_of_a_new_life_are_its_own:
    needs_a_barrier_where_a_slot_is_claimed = Claim
    needs_a_fence_before_the_control_word_is_looked_at_again = FenceBehindCounters
    needs_the_control_word_to_be_looked_at_again = LookAgain
}

scenario! { a_new_flow_has_its_first_packet:
    needs_a_barrier_where_a_slot_is_published = Publish
}

scenario! { a_new_flow_is_visited:
    needs_a_claim_to_be_told_behind_it = TellBehind
}

scenario! { a_new_flow_is_visited_beside_another_one_of_its_set:
    needs_a_barrier_where_a_slot_is_claimed = Claim
    needs_a_claim_to_be_told_behind_it = TellBehind
    needs_a_fence_behind_what_is_taken_back = FenceBehindClaims
}

scenario! { what_the_owner_counted_stays_with_its_life:
    needs_a_barrier_where_a_flow_is_marked = Mark
    needs_a_barrier_where_an_arrival_is_exchanged = Arrival
    needs_a_second_look_at_the_last_arrival = SecondLook
    needs_a_packet_to_be_counted_behind_its_check = CheckFirst
}

scenario! { what_others_counted_stays_with_its_life:
    needs_a_barrier_where_a_flow_is_marked = Mark
    needs_a_barrier_where_an_arrival_is_exchanged = Arrival
    needs_a_second_look_at_the_last_arrival = SecondLook
    needs_a_packet_to_be_counted_behind_its_check = CheckFirst
    needs_what_others_counted_of_the_former_flow_to_be_emptied = EmptyShared
}

scenario! { what_others_count_first_is_not_lost:
    needs_what_others_counted_of_the_former_flow_to_be_emptied = EmptyShared
}

scenario! { an_epochs_gaps_are_its_own:
    needs_a_barrier_where_counters_become_another_epochs = Own
    needs_what_makes_counters_valid_to_be_set_last = OwnLast
    needs_a_fence_before_the_control_word_is_looked_at_again = FenceBehindCounters
    needs_the_control_word_to_be_looked_at_again = LookAgain
}

scenario! { an_epochs_shared_gaps_are_its_own:
    needs_a_barrier_where_an_epoch_begins = Mark
    needs_what_is_shared_of_it_to_be_emptied_before = EmptyFirst
    needs_a_fence_before_the_control_word_is_looked_at_again = FenceBehindCounters
    needs_the_control_word_to_be_looked_at_again = LookAgain
}

scenario! { shared_squares_are_whole:
    needs_a_barrier_before_the_carry = Carry
    needs_the_upper_half_to_be_looked_at_again = LookAgainAtCounters
    needs_a_fence_before_the_upper_half_is_looked_at_again = FenceBehindCounters
    needs_the_bit_that_is_in_both_halves = CommonBit
}

scenario! { squares_of_two_cpus_are_whole:
    needs_a_barrier_before_the_carry = Carry
}

scenario! { squares_are_whole:
    needs_a_barrier_before_the_carry = Carry
    needs_the_counters_word_to_be_looked_at_again = LookAgainAtCounters
    needs_a_fence_before_the_counters_word_is_looked_at_again = FenceBehindCounters
    needs_the_bit_that_is_in_both_halves = CommonBit
}

scenario! { the_lock_hands_over_what_it_protects:
    needs_a_barrier_where_it_is_taken = Lock
    needs_a_barrier_where_it_is_given_back = Unlock
}

scenario! { what_passes_beside_the_lock_is_known:
    needs_nothing_to_pass_while_one_is_judged = Close
    needs_the_run_to_be_known = EndRun
    needs_the_series_to_be_opened_as_one_word = OneWord
    needs_a_look_at_whether_it_is_open = LookAtPlain
}

scenario! { what_passes_on_two_cpus_is_known:
    needs_nothing_to_pass_while_one_is_judged = Close
    needs_the_run_to_be_known = EndRun
    needs_the_series_to_be_opened_as_one_word = OneWord
    needs_a_look_at_whether_it_is_open = LookAtPlain
}

scenario! { what_passes_is_of_the_life_found:
    needs_a_barrier_where_a_flow_is_marked = Mark
    needs_a_barrier_where_an_arrival_is_exchanged = Arrival
    needs_a_second_look_at_the_last_arrival = SecondLook
    needs_a_packet_to_pass_behind_its_check = CheckFirst
}

scenario! { no_flow_is_retired_under_a_judge:
    needs_a_look_at_the_lock_before = RetireUnlocked
}

/// Of an atomic operation whose result nobody uses the compiler makes one that orders nothing (an exchange always returns
/// one). These may be such; all others keep what was there before.
const UNORDERED: [&str; 3] = [
    "__sync_fetch_and_add(&histogram->counts[bucket], 1);",
    "__sync_fetch_and_add(counter, more);",
    "__sync_fetch_and_or(sets, bit);",
];

#[test]
fn the_program_has_the_barriers_of_the_model() {
    let folder = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("src/bpf");
    let mut seen = Vec::new();
    for entry in std::fs::read_dir(folder).expect("the headers") {
        let path = entry.expect("a header").path();
        if path.extension().is_none_or(|extension| extension != "h") {
            continue;
        }
        let text = std::fs::read_to_string(&path).expect("a header");
        for (at, _) in text.match_indices("__sync_fetch_and_") {
            let (before, from) = text.split_at(at);
            let statement = from.split_inclusive(';').next().expect("a statement");
            let behind = from[statement.len()..].trim_start();
            if before.ends_with("= ") {
                assert!(
                    behind.starts_with("KEEP(before);"),
                    "{}: {statement}",
                    path.display()
                );
            } else {
                assert!(
                    UNORDERED.contains(&statement),
                    "{}: {statement}",
                    path.display()
                );
                seen.push(statement.to_owned());
            }
        }
    }
    assert_eq!(seen.len(), UNORDERED.len());
}
