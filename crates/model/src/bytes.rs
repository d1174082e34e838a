use std::fmt;
use std::iter::Sum;
use std::ops::{Add, AddAssign, Sub};

use serde::{Deserialize, Serialize};

/// A size or distance in bytes.
///
/// Sums saturate: sizes come from foreign files, and a wrong total is caught where it is compared, not by a panic.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Bytes(pub u64);

impl Bytes {
    /// No bytes at all.
    pub const ZERO: Bytes = Bytes(0);

    /// So many KiB, the unit of most of `/proc`.
    pub const fn kib(count: u64) -> Bytes {
        Bytes(count.saturating_mul(1024))
    }

    /// So many MiB.
    pub const fn mib(count: u64) -> Bytes {
        Bytes(count.saturating_mul(1024 * 1024))
    }

    /// So many GiB.
    pub const fn gib(count: u64) -> Bytes {
        Bytes(count.saturating_mul(1024 * 1024 * 1024))
    }

    /// This size as a part of `whole`, from 0 to 1; 0 of an empty whole.
    pub fn share_of(self, whole: Bytes) -> f64 {
        if whole.0 == 0 { 0.0 } else { self.0 as f64 / whole.0 as f64 }
    }

    /// The distance to `other`, negative when `other` is larger.
    pub fn signed_since(self, other: Bytes) -> i64 {
        let distance = i128::from(self.0) - i128::from(other.0);
        i64::try_from(distance).unwrap_or(if distance < 0 { i64::MIN } else { i64::MAX })
    }
}

/// `1.5 MiB`: binary units, one digit behind the point, none for bytes.
impl fmt::Display for Bytes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        const UNITS: [&str; 6] = ["KiB", "MiB", "GiB", "TiB", "PiB", "EiB"];
        if self.0 < 1024 {
            return write!(f, "{} B", self.0);
        }
        let mut value = self.0 as f64 / 1024.0;
        let mut unit = 0;
        // 1023.95 and more would round to 1024.0 of the smaller unit.
        while value >= 1023.95 && unit + 1 < UNITS.len() {
            value /= 1024.0;
            unit += 1;
        }
        write!(f, "{value:.1} {}", UNITS[unit])
    }
}

impl Add for Bytes {
    type Output = Bytes;
    fn add(self, other: Bytes) -> Bytes {
        Bytes(self.0.saturating_add(other.0))
    }
}

impl AddAssign for Bytes {
    fn add_assign(&mut self, other: Bytes) {
        *self = *self + other;
    }
}

/// Saturates at zero: counters of a running process are not read at one instant.
impl Sub for Bytes {
    type Output = Bytes;
    fn sub(self, other: Bytes) -> Bytes {
        Bytes(self.0.saturating_sub(other.0))
    }
}

impl Sum for Bytes {
    fn sum<I: Iterator<Item = Bytes>>(sizes: I) -> Bytes {
        sizes.fold(Bytes::ZERO, Add::add)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sums_saturate_instead_of_wrapping() {
        assert_eq!([Bytes(u64::MAX), Bytes(1)].into_iter().sum::<Bytes>(), Bytes(u64::MAX));
        assert_eq!(Bytes(1) - Bytes(2), Bytes::ZERO);
        assert_eq!(Bytes(1).signed_since(Bytes(3)), -2);
        assert_eq!(Bytes(0).signed_since(Bytes(u64::MAX)), i64::MIN);
    }

    #[test]
    fn a_size_never_shows_1024_of_a_unit() {
        assert_eq!(Bytes(1023).to_string(), "1023 B");
        assert_eq!(Bytes::kib(1).to_string(), "1.0 KiB");
        assert_eq!(Bytes(1024 * 1024 - 1).to_string(), "1.0 MiB");
        assert_eq!(Bytes(u64::MAX).to_string(), "16.0 EiB");
    }

    #[test]
    fn a_share_of_nothing_is_nothing() {
        assert!((Bytes(5).share_of(Bytes(20)) - 0.25).abs() < 1e-12);
        assert!(Bytes(5).share_of(Bytes::ZERO).abs() < 1e-12);
    }
}
