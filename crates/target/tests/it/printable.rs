use proptest::prelude::*;
use residue_target::procfs::printable;

proptest! {
    #[test]
    fn no_bytes_reach_the_terminal_as_commands(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
        let text = printable(&bytes);
        prop_assert!(!text.chars().any(char::is_control), "{text:?}");
    }

    #[test]
    fn no_characters_reach_the_terminal_as_commands(name in "\\PC{0,20}[\\x00-\\x1f\\x7f-\\u{9f}\\u{202a}-\\u{202e}]{0,4}\\PC{0,20}") {
        let text = printable(name.as_bytes());
        let is_override = |character: char| ('\u{202a}'..='\u{202e}').contains(&character);
        prop_assert!(!text.chars().any(|character| character.is_control() || is_override(character)), "{text:?}");
    }

    #[test]
    fn plain_text_stays_as_it_is(name in "[ -~äöüß€漢字]{0,60}") {
        prop_assert_eq!(printable(name.as_bytes()), name);
    }

    #[test]
    fn two_names_one_after_the_other_are_the_name_of_both(a in "\\PC{0,20}", b in proptest::collection::vec(any::<u8>(), 0..40)) {
        // Whole characters in front: nothing that follows can change how they are read.
        let both = printable(&[a.as_bytes(), &b].concat());
        prop_assert_eq!(both, printable(a.as_bytes()) + &printable(&b));
    }
}
