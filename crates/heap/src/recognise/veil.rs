/// A text that is looked for in programs, kept so that it is not found in ours.
///
/// Residue may look at itself, or at a program that has it inside.
#[derive(Clone, Copy, Debug)]
pub(super) struct Veiled(pub(super) &'static [u8]);

const VEIL: u8 = 0x80;

/// The bytes that stand in our own program.
pub(super) const fn veil<const LENGTH: usize>(text: &[u8; LENGTH]) -> [u8; LENGTH] {
    let mut veiled = *text;
    let mut index = 0;
    while index < LENGTH {
        veiled[index] ^= VEIL;
        index += 1;
    }
    veiled
}

/// Writes a text so that only its veiled form comes into the program.
macro_rules! veiled {
    ($text:literal) => {
        $crate::recognise::veil::Veiled(const { &$crate::recognise::veil::veil($text) })
    };
}
pub(super) use veiled;

impl Veiled {
    /// The text.
    pub(super) fn plain(self) -> Vec<u8> {
        self.0.iter().map(|byte| byte ^ VEIL).collect()
    }
}

#[cfg(test)]
mod tests {
    #[test]
    fn only_the_veiled_form_is_kept() {
        let text = veiled!(b"\xff Go buildinf:");
        assert_eq!(text.plain(), b"\xff Go buildinf:");
        assert!(text.0.iter().zip(text.plain()).all(|(kept, plain)| *kept != plain));
    }
}
