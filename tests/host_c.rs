//! The headers of the kernel program, compiled for the host with its own compiler and its sanitizers; where they are about maps,
//! with maps in a process's memory.
//!
//! The cases are in tests/host/*.c, one program a file. Each of its tests is a test here, by the same name. What no list of
//! cases can say of sequence numbers is asked by chance, and answered by the reference (`series`).

#[path = "support/dice.rs"]
mod dice;
#[path = "support/host.rs"]
mod host;
mod reference;
#[path = "host_c/series.rs"]
mod series;

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::process::Command;

/// A test here for each one of tests/host/`$program`.c, and one that says that none is missing.
macro_rules! host_tests {
    ($program:ident: $($test:ident)+) => {
        mod $program {
            const NAME: &str = stringify!($program);

            fn program() -> &'static std::path::Path {
                static PROGRAM: std::sync::OnceLock<std::path::PathBuf> = std::sync::OnceLock::new();
                PROGRAM.get_or_init(|| super::compile(NAME))
            }

            #[test]
            fn every_test_of_the_file_is_listed_here() {
                super::expect_list(program(), &[$(stringify!($test)),+]);
            }

            $(#[test]
            fn $test() {
                super::expect_success(program(), stringify!($test));
            })+
        }
    };
}

host_tests! { parse:
    headers_tell_the_flow_and_its_payload
    fragments_are_told_apart
    what_is_no_flow_is_other
    what_ends_early_or_contradicts_itself_is_malformed
    addresses_are_the_packets_own
    a_frame_cut_at_any_byte_is_never_read_beyond_its_end
    a_flow_whose_ip_packet_is_cut_is_malformed
    a_changed_byte_is_no_reason_to_read_beyond_the_end
    it_does_not_matter_how_much_lies_in_the_linear_part
    reading_in_place_and_copying_agree_where_both_can
    an_aggregate_stands_for_its_packets
    what_is_pushed_in_front_of_a_packet_is_passed_over
    what_is_pushed_is_in_no_packet
    the_kernels_mark_on_a_large_aggregate_is_never_sent
    classes_and_hops_are_read_where_their_group_is_on
}

host_tests! { segments:
    headers_are_walked_to_the_payload
    those_inside_a_tunnel_are_too
    what_looks_like_a_tunnel_has_to_fit_what_the_kernel_says
    what_is_no_tunnel_is_not_walked_whatever_the_kernel_says
    an_aggregate_that_ends_at_any_byte_is_never_read_beyond_its_end
    what_is_pushed_in_front_is_passed_over
    a_cut_fits_what_the_kernel_says
    what_is_not_known_is_estimated_from_what_the_kernel_says
    of_a_tunnels_flow_the_headers_inside_are_payload_and_no_number_is_placed
    the_flow_tells_where_a_packets_payload_begins_or_that_of_tcp
}

host_tests! { sequence:
    numbers_in_order_count_nothing
    a_gap_counts_what_is_missing_and_is_small_or_big
    a_number_seen_already_is_a_duplicate_and_nothing_else
    a_late_number_was_not_lost
    a_number_older_than_the_window_was_not_lost_either
    what_came_before_the_first_number_was_never_missed
    a_sender_that_starts_again_loses_nothing
    a_restart_is_taken_back_where_the_former_series_goes_on
    a_single_number_far_away_loses_nothing
    what_comes_by_a_slower_path_is_not_lost
    the_next_number_takes_the_shortcut
    a_run_of_any_length_is_known_when_it_ends
    what_is_open_lets_nothing_pass
    powers_of_two_are_told_by_their_highest_bit
    numbers_of_16_bits_wrap_and_restart_in_their_own_width
}

host_tests! { tcp:
    a_stream_in_order_counts_nothing
    the_next_segment_passes
    acknowledgements_and_keep_alives_take_no_part
    a_gap_is_the_bytes_that_are_missing
    bytes_that_fill_a_gap_were_not_lost
    a_gap_of_up_to_half_of_all_numbers_is_filled_by_what_is_in_it
    what_comes_again_and_fills_nothing_is_a_reverse_error
    a_reset_and_a_new_connection_begin_a_new_series
    payload_syn_and_fin_take_up_numbers
    the_largest_segment_is_remembered_in_16_bits
}

host_tests! { counters:
    gaps_add_up
    a_negative_gap_leaves_the_sum_exact
    a_pause_is_no_gap_and_neither_is_a_clock_that_went_back
    squares_carry_into_the_upper_half
    a_sum_of_exactly_two_to_the_64_carries
    squares_wrap_at_79_bits
    the_owner_counts_on_in_the_same_epoch
    a_new_epoch_drops_the_gaps_and_keeps_the_counts
    without_a_gap_no_epoch_begins
    epochs_differ_in_each_of_their_bits
    another_cpu_leaves_all_as_it_is
    what_others_count_adds_up
    squares_of_others_carry_as_the_owners_do
}

host_tests! { table:
    there_is_room_for_as_many_flows_as_the_table_is_made_for
    there_is_room_in_small_tables_and_in_large_ones
    few_flows_are_in_their_second_set_and_all_are_found
    a_displaced_flow_is_found_when_its_first_set_has_room_again
    user_space_is_told_of_the_sets_of_new_flows
    of_two_full_sets_the_flow_idle_longest_gives_way
    a_flow_that_is_there_already_is_found_and_not_brought_in_again
    a_flow_gives_way_after_the_limit_and_not_before
    a_flow_that_is_held_or_was_not_read_or_has_a_packet_is_not_replaced
    a_flow_that_another_cpu_holds_is_waited_for
    a_flow_that_stays_keeps_what_changed_while_its_place_was_wanted
    a_flow_that_was_changed_is_looked_at_anew_and_may_still_go
    epochs_that_wrap_are_carried
    a_packet_knows_what_became_of_its_flow_while_it_kept_it
    a_packet_knows_whether_its_flow_still_is_in_the_slot
    a_new_flow_begins_with_its_first_packet_and_nothing_else
    of_an_epoch_that_begins_nothing_is_shared_yet
    keys_differ_in_each_of_their_bits
    the_way_back_has_another_hash
}

host_tests! { payload:
    a_number_is_read_as_its_profile_says
    a_payload_that_says_more_than_the_packet_has_yields_no_number
    only_the_payload_is_searched
    what_is_found_is_what_looking_at_each_position_finds
    a_pattern_is_found_at_every_position
    a_payload_far_within_the_packet_is_searched_by_a_copy
}

host_tests! { account:
    interfaces_are_found_in_their_place_or_one_of_seven_behind_it
    volumes_add_up
    each_field_of_a_flow_says_which_rules_it_satisfies
    a_longer_prefix_counts_and_another_address_matches_no_rule
    the_first_rule_is_the_lowest_bit
    a_profile_is_its_banks_and_its_rules
    what_was_filtered_is_known_by_all_of_its_key_and_the_rules
    later_fragments_have_the_ports_of_their_first_one
    a_fragment_of_the_other_familys_protocol_is_no_flow
    gaps_have_32_buckets_for_each_power_of_two
    echo_messages_are_told_by_their_type
    what_has_numbers_is_sequenced
    a_flow_has_its_packets_gaps_and_numbers
    a_flow_without_numbers_is_counted_like_any_other
    the_first_rule_and_the_first_slot_are_as_good_as_any
    a_flow_that_had_stopped_begins_a_new_epoch
    a_focused_flow_keeps_a_histogram
    acknowledgements_and_what_has_no_number_take_no_lock
    what_no_rule_matches_is_filtered_and_remembered
    what_finds_no_place_is_untracked_and_who_gives_way_is_counted
    rules_that_change_keep_a_flow_whose_profile_stays
    a_stream_keeps_its_numbers_under_another_profile
    a_flow_that_no_rule_admits_any_more_is_retired
    a_number_that_finds_the_flow_locked_is_contended
    the_next_number_needs_no_lock
    no_number_passes_beside_a_series_that_is_closed
    who_comes_too_late_is_told_by_the_slot
    other_cpus_than_the_owner_share_their_counters
    each_datagram_of_an_aggregate_has_its_number
    no_more_segments_are_read_than_there_may_be
    numbers_are_those_of_the_protocol_or_the_payload
    echo_numbers_have_16_bits
    a_number_that_cannot_be_placed_ends_its_series
    the_segments_of_a_stream_tell_small_gaps_from_big_ones
}

host_tests! { groups:
    numbers_add_up_in_their_own_width
    the_latest_value_stays
    a_value_is_told_to_change_but_not_where_it_begins
    a_new_flow_begins_where_the_former_one_left_off
    a_packet_of_a_former_flow_changes_nothing
    what_another_cpu_changes_meanwhile_stays
    who_always_comes_second_is_counted
    a_long_number_adds_up_over_both_of_its_words
    what_another_cpu_adds_meanwhile_is_carried
    cpus_that_count_at_once_lose_nothing
    the_longest_gap_is_kept_whoever_comes_between
}

fn compile(name: &str) -> PathBuf {
    host::compile(
        &format!("tests/host/{name}.c"),
        &format!("host-{name}"),
        &[],
    )
}

fn expect_list(program: &Path, listed: &[&str]) {
    let output = Command::new(program).output().expect("run the program");
    let text = String::from_utf8_lossy(&output.stdout);
    let existing: BTreeSet<&str> = text.lines().collect();
    assert_eq!(existing, listed.iter().copied().collect());
}

fn expect_success(program: &Path, test: &str) {
    let output = Command::new(program)
        .arg(test)
        .output()
        .expect("run the program");
    assert!(
        output.status.success(),
        "{}{}",
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr)
    );
}
