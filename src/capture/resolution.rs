//! The unit of an interface's time stamps.

/// What a unit is in ns.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Unit {
    Nanoseconds(u64),
    /// So many of them are one ns.
    PartsOfNanosecond(u64),
    /// 2 to the power of minus this, in seconds.
    BinaryFraction(u32),
}

/// How a time stamp is read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Resolution {
    unit: Unit,
    /// Added to each, seconds.
    offset_s: i64,
}

impl Default for Resolution {
    /// Microseconds.
    fn default() -> Resolution {
        Resolution {
            unit: Unit::Nanoseconds(1000),
            offset_s: 0,
        }
    }
}

impl Resolution {
    /// Takes the unit of an option `if_tsresol`.
    pub fn set_unit(&mut self, told: u8) {
        let exponent = u32::from(told & 0x7f);
        self.unit = match (told >> 7, exponent) {
            (0, 0..=9) => Unit::Nanoseconds(10u64.pow(9 - exponent)),
            (0, _) => Unit::PartsOfNanosecond(10u64.saturating_pow(exponent - 9)),
            _ => Unit::BinaryFraction(exponent),
        };
    }

    /// Takes the seconds of an option `if_tsoffset`.
    pub fn set_offset(&mut self, seconds: i64) {
        self.offset_s = seconds;
    }

    /// ns since 1970; what lies before, or beyond what 64 bits hold, is there as near as it can be.
    #[inline]
    pub fn nanoseconds(self, stamp: u64) -> u64 {
        let ns = match self.unit {
            Unit::Nanoseconds(ns) => stamp.saturating_mul(ns),
            Unit::PartsOfNanosecond(parts) => stamp / parts,
            Unit::BinaryFraction(bits) => {
                let ns = (u128::from(stamp) * 1_000_000_000) >> bits;
                u64::try_from(ns).unwrap_or(u64::MAX)
            }
        };
        match self.offset_s {
            0 => ns,
            seconds => {
                let ns = i128::from(ns) + i128::from(seconds) * 1_000_000_000;
                u64::try_from(ns.max(0)).unwrap_or(u64::MAX)
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(told: u8, offset_s: i64, stamp: u64) -> u64 {
        let mut resolution = Resolution::default();
        resolution.set_unit(told);
        resolution.set_offset(offset_s);
        resolution.nanoseconds(stamp)
    }

    #[test]
    fn stamps_are_read_in_their_units() {
        assert_eq!(Resolution::default().nanoseconds(1_500_000), 1_500_000_000);
        assert_eq!(read(6, 0, 1_500_000), 1_500_000_000);
        assert_eq!(read(9, 0, 1_500_000), 1_500_000);
        assert_eq!(read(0, 0, 3), 3_000_000_000);
        assert_eq!(read(12, 0, 5_999), 5);
        assert_eq!(read(0x80 | 10, 0, 1536), 1_500_000_000);
        assert_eq!(read(0x80, 0, 2), 2_000_000_000);
        assert_eq!(read(9, 2, 5), 2_000_000_005);
        assert_eq!(read(9, -2, 3_000_000_000), 1_000_000_000);
    }

    #[test]
    fn no_stamp_is_beyond_what_can_be_said() {
        assert_eq!(read(0, 0, u64::MAX), u64::MAX);
        assert_eq!(read(0x80, 0, u64::MAX), u64::MAX);
        assert_eq!(read(0x7f, 0, u64::MAX - 1), 0);
        assert_eq!(read(0xff, 0, u64::MAX), 0);
        assert_eq!(read(9, i64::MIN, 1), 0);
        assert_eq!(read(9, i64::MAX, u64::MAX), u64::MAX);
    }
}
