/// A sampled block stands for many: so fine are counts and bytes kept then.
const FINE: u64 = 1024;

/// How much a recorded allocation stands for.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Estimate {
    /// Itself.
    Exact,
    /// It was picked by chance: a byte is picked every so often in the mean, and with it its block.
    Sampled(f64),
}

/// What a block adds to sums, in units of [`Estimate::unit`].
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(crate) struct Weight {
    pub(crate) blocks: u64,
    pub(crate) bytes: u64,
    /// The variances that it adds to the estimates of blocks and of bytes.
    pub(crate) variance: [f64; 2],
}

impl Estimate {
    pub(crate) fn of(interval: u64) -> Estimate {
        if interval == 0 { Estimate::Exact } else { Estimate::Sampled(interval as f64) }
    }

    /// What one block counts in the sums.
    pub(crate) fn unit(self) -> u64 {
        match self {
            Estimate::Exact => 1,
            Estimate::Sampled(_) => FINE,
        }
    }

    /// The weight of a block of a size: one over the chance that it had to be picked (Horvitz and Thompson).
    #[inline]
    #[allow(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "it is at least 1, and saturates"
    )]
    pub(crate) fn weigh(self, size: u64) -> Weight {
        let Estimate::Sampled(interval) = self else {
            return Weight { blocks: 1, bytes: size, variance: [0.0; 2] };
        };
        let size = size.max(1) as f64;
        let chance = -(-size / interval).exp_m1();
        let variance = (1.0 - chance) / (chance * chance);
        Weight {
            blocks: (FINE as f64 / chance).round() as u64,
            bytes: (FINE as f64 * size / chance).round() as u64,
            variance: [variance, variance * size * size],
        }
    }

    /// The weight of what is never picked by chance: mappings.
    pub(crate) fn certain(self, blocks: u64, size: u64) -> Weight {
        let unit = self.unit();
        Weight { blocks: blocks * unit, bytes: size.saturating_mul(unit), variance: [0.0; 2] }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_large_block_stands_for_itself_and_a_small_one_for_many() {
        let sampled = Estimate::of(1 << 19);

        assert_eq!(Estimate::of(0).weigh(48), Weight { blocks: 1, bytes: 48, variance: [0.0; 2] });
        assert_eq!(sampled.weigh(1 << 30).blocks, sampled.unit());
        let small = sampled.weigh(16);
        // 1 / (1 - e^(-16 / 524288)) = 32768.5
        assert_eq!((small.blocks + 512) / 1024, 32769);
        assert_eq!((small.bytes + 512) / 1024, 524_296);
    }
}
