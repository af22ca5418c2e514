//! How segments are called: by when they were begun, so that their names are an index of the recording.

/// What all names end with.
const ENDING: &str = ".flowrec";
/// What the names of their indices end with.
const INDEX_ENDING: &str = ".flowidx";

/// The name of a segment. In order by time, and those of one moment by run and number.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct SegmentName {
    /// When it was begun, ms since 1970.
    pub began_ms: u64,
    /// The run that it is of.
    pub run: u64,
    /// Counts the run's segments.
    pub number: u64,
}

impl SegmentName {
    /// The segment that is called so.
    pub fn parse(name: &str) -> Option<SegmentName> {
        let mut parts = name.strip_suffix(ENDING)?.split('-');
        let parsed = SegmentName {
            began_ms: parts.next()?.parse().ok()?,
            run: u64::from_str_radix(parts.next()?, 16).ok()?,
            number: parts.next()?.parse().ok()?,
        };
        // Another spelling of it would be another file.
        (parsed.to_string() == name).then_some(parsed)
    }

    /// The segment whose index is called so.
    pub fn parse_index(name: &str) -> Option<SegmentName> {
        let stem = name.strip_suffix(INDEX_ENDING)?;
        SegmentName::parse(&format!("{stem}{ENDING}"))
    }

    /// What its index is called.
    pub fn index(&self) -> String {
        let name = self.to_string();
        format!("{}{INDEX_ENDING}", name.trim_end_matches(ENDING))
    }
}

impl std::fmt::Display for SegmentName {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let SegmentName {
            began_ms,
            run,
            number,
        } = self;
        write!(f, "{began_ms:014}-{run:016x}-{number:06}{ENDING}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_says_which_segment_it_is_and_names_are_in_the_order_of_time() {
        let name = |began_ms, number| SegmentName {
            began_ms,
            run: 0xfeed,
            number,
        };
        let first = name(1_764_000_000_123, 7);
        assert_eq!(
            first.to_string(),
            "01764000000123-000000000000feed-000007.flowrec"
        );
        assert_eq!(SegmentName::parse(&first.to_string()), Some(first));
        assert_eq!(
            first.index(),
            "01764000000123-000000000000feed-000007.flowidx"
        );
        assert_eq!(SegmentName::parse_index(&first.index()), Some(first));
        assert_eq!(SegmentName::parse(&first.index()), None);
        assert_eq!(SegmentName::parse_index(&first.to_string()), None);
        assert!(first < name(1_764_000_000_124, 0) && first < name(1_764_000_000_123, 8));
        assert!(first.to_string() < name(1_764_000_000_124, 0).to_string());
        for other in [
            "",
            ".flowrec",
            "1-feed-7.flowrec",
            "01764000000123-000000000000feed-000007.flowrec.old",
            "01764000000123-000000000000FEED-000007.flowrec",
            "+1764000000123-000000000000feed-000007.flowrec",
            "01764000000123-000000000000feed-000007-1.flowrec",
        ] {
            assert_eq!(SegmentName::parse(other), None, "{other}");
        }
    }
}
