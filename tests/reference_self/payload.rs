//! Where a payload's number is found.

use flowtop::model::rule::{ByteOrder, PayloadRequirement, SequenceProfile, SequenceWidth};

use crate::reference::payload::{read_number, segments};

fn profile(pattern: Option<u32>, offset: Option<u16>) -> SequenceProfile {
    SequenceProfile {
        pattern,
        offset,
        ..SequenceProfile::OFF
    }
}

#[test]
fn an_offset_counts_from_the_payload() {
    let payload = [0, 0, 1, 2, 3, 4, 5];
    assert_eq!(
        read_number(&payload, &profile(None, Some(2))),
        Some(0x0102_0304)
    );
    assert_eq!(
        read_number(&payload, &profile(None, Some(3))),
        Some(0x0203_0405)
    );
    assert_eq!(
        read_number(&payload, &profile(None, Some(4))),
        None,
        "one byte is missing"
    );
}

#[test]
fn a_pattern_is_found_at_any_alignment_and_the_first_one_counts() {
    let payload = [
        9, 0xca, 0xfe, 0xca, 0xfe, 0, 0, 0, 7, 0xca, 0xfe, 0xca, 0xfe, 0, 0, 0, 8,
    ];
    assert_eq!(
        read_number(&payload, &profile(Some(0xcafe_cafe), Some(4))),
        Some(7)
    );
    assert_eq!(
        read_number(&payload, &profile(Some(0xcafe_cafe), None)),
        Some(0xcafe_cafe)
    );
    assert_eq!(
        read_number(&payload, &profile(Some(0xfe00_0000), Some(5))),
        Some(0xcafe_cafe)
    );
    assert_eq!(
        read_number(&payload, &profile(Some(0x1234_5678), Some(4))),
        None
    );
}

#[test]
fn the_pattern_is_looked_for_at_the_first_5000_positions() {
    let mut payload = vec![0xff; 6000];
    payload[5000..5008].copy_from_slice(&[1, 2, 3, 4, 0, 0, 0, 9]);
    let wanted = profile(Some(0x0102_0304), Some(4));
    assert_eq!(read_number(&payload, &wanted), None);
    payload[4999..5007].copy_from_slice(&[1, 2, 3, 4, 0, 0, 0, 9]);
    assert_eq!(read_number(&payload, &wanted), Some(9));
    let far = profile(Some(0x0102_0304), Some(997));
    assert_eq!(
        read_number(&payload, &far),
        Some(0xffff_ffff),
        "4999 + 997 + 4 = 6000"
    );
    assert_eq!(
        read_number(&payload, &profile(far.pattern, Some(998))),
        None
    );
}

#[test]
fn an_aggregate_has_a_payload_for_each_segment() {
    let lengths = |payload: &[u8], size| {
        segments(payload, size)
            .iter()
            .map(|s| s.len())
            .collect::<Vec<_>>()
    };
    assert_eq!(lengths(&[0; 10], 4), [4, 4, 2]);
    assert_eq!(lengths(&[0; 10], 0), [10]);
    assert_eq!(lengths(&[], 4), [0]);
}

#[test]
fn numbers_have_two_widths_and_two_orders() {
    let payload = [0x80, 1, 2, 3, 4];
    let read = |width, byte_order, offset| {
        let profile = SequenceProfile {
            width,
            byte_order,
            ..profile(None, Some(offset))
        };
        read_number(&payload, &profile)
    };
    use {ByteOrder::*, SequenceWidth::*};
    assert_eq!(read(Bits32, Little, 1), Some(0x0403_0201));
    assert_eq!(read(Bits16, Big, 3), Some(0x0304));
    assert_eq!(read(Bits16, Little, 3), Some(0x0403));
    assert_eq!(read(Bits16, Big, 4), None, "one byte is missing");
}

#[test]
fn a_payload_that_is_not_rtp_has_no_rtp_number() {
    let rtp = SequenceProfile {
        require: Some(PayloadRequirement::RtpVersion2),
        width: SequenceWidth::Bits16,
        ..profile(None, Some(2))
    };
    assert_eq!(read_number(&[0x80, 0, 0, 7], &rtp), Some(7));
    assert_eq!(read_number(&[0xbf, 0, 0, 7], &rtp), Some(7));
    assert_eq!(read_number(&[0x40, 0, 0, 7], &rtp), None);
    assert_eq!(read_number(&[0xc0, 0, 0, 7], &rtp), None);
    assert_eq!(read_number(&[], &rtp), None);
}
