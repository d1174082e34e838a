use super::candidates::{Candidate, candidates, sort};
use super::extract::Texts;
use super::telling::Telling;

/// At most so many are told.
const MOST: usize = 5;
/// A string is repeated when this part of the members has it, but at least three of them.
const REPEATED: f64 = 0.1;
/// Candidates that are counted exactly.
const COUNTED: usize = 64;
/// Members are numbered in a byte.
const NUMBERED: usize = 255;

/// The most telling strings of these members, best first.
pub(super) fn telling(members: &[&Texts], background: &[&Texts]) -> Vec<Telling> {
    let members = &members[..members.len().min(NUMBERED)];
    #[allow(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "at most the number of members"
    )]
    let least = ((members.len() as f64 * REPEATED).ceil() as u8).max(3);
    if members.len() < usize::from(least) {
        return Vec::new();
    }
    let mut candidates = candidates(members, background, least);
    candidates.truncate(COUNTED);
    for candidate in &mut candidates {
        candidate.count(members, background);
    }
    candidates.retain(|candidate| candidate.members >= u64::from(least) && candidate.is_rarer_elsewhere());
    sort(&mut candidates);
    let chosen = choose(&candidates);
    chosen.into_iter().map(|candidate| candidate.tell(members)).collect()
}

/// The best that do not say the same. What belongs to a format alone is told only when there is nothing else.
fn choose<'a, 'b>(candidates: &'b [Candidate<'a>]) -> Vec<&'b Candidate<'a>> {
    let own = candidates.iter().any(|candidate| candidate.specific >= OWN);
    let mut chosen: Vec<&Candidate<'_>> = Vec::new();
    for candidate in candidates.iter().filter(|candidate| !own || candidate.specific >= OWN) {
        if chosen.len() < MOST && !chosen.iter().any(|other| candidate.is_told_by(other)) {
            chosen.push(candidate);
        }
    }
    chosen
}

/// Characters in words that are not the format's.
const OWN: usize = 5;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::content::tally::tests::noise;
    use crate::content::telling::Encoding;

    fn texts(members: impl Iterator<Item = Vec<u8>>) -> Vec<Texts> {
        members
            .map(|bytes| {
                let mut texts = Texts::default();
                texts.add(&bytes);
                texts
            })
            .collect()
    }

    fn of(members: impl Iterator<Item = Vec<u8>>, background: impl Iterator<Item = Vec<u8>>) -> Vec<Telling> {
        let (members, background) = (texts(members), texts(background));
        telling(&members.iter().collect::<Vec<_>>(), &background.iter().collect::<Vec<_>>())
    }

    /// Words without meaning, different in every member.
    fn prose(seed: u64, words: usize) -> String {
        let letters = noise(words * 6, seed);
        let word = |part: &[u8]| part.iter().map(|byte| char::from(b'a' + byte % 26)).collect::<String>();
        letters.chunks(6).map(word).collect::<Vec<_>>().join(" ")
    }

    fn page(seed: u64) -> Vec<u8> {
        format!(
            "<!DOCTYPE html>\n<html><head><meta charset=\"utf-8\"><title>{}</title></head><body>\n<p>{}</p>\
             <div class=\"forecast-widget\"><b>{}</b></div>\n<p>{}</p></body></html>",
            prose(seed, 3),
            prose(seed + 1, 40),
            prose(seed + 2, 2),
            prose(seed + 3, 300),
        )
        .into_bytes()
    }

    fn nothing() -> impl Iterator<Item = Vec<u8>> {
        std::iter::empty()
    }

    #[test]
    fn what_all_pages_of_a_site_have_is_told_and_not_what_all_pages_have() {
        let found =
            of((1..60).map(|seed| page(seed * 10)), (1..30).map(|seed| prose(seed * 7000, 400).into_bytes()));
        assert_eq!(found[0].text, "<div class=\"forecast-widget\">");
        assert_eq!((found[0].members, found[0].occurrences, found[0].encoding), (59, 59, Encoding::Ascii));
        assert!(found.iter().all(|telling| !telling.text.contains("DOCTYPE")), "{found:?}");
    }

    #[test]
    fn what_stands_elsewhere_too_is_not_telling() {
        let member = |seed: u64| {
            format!(
                "{} shared_library_text {} station-cache-entry {}",
                prose(seed, 30),
                prose(seed + 1, 9),
                prose(seed + 2, 30)
            )
        };
        let elsewhere = (1..40).map(|seed| {
            format!("{} shared_library_text {}", prose(seed * 991, 30), prose(seed * 997, 30)).into_bytes()
        });
        let found = of((1..60).map(|seed| member(seed * 10).into_bytes()), elsewhere);
        assert_eq!(found.len(), 1, "{found:?}");
        assert!(found[0].text.contains("station-cache-entry"));
    }

    #[test]
    fn a_short_tag_among_bytes_is_found_in_either_encoding() {
        let wide: Vec<u8> = "StationRecord".encode_utf16().flat_map(u16::to_le_bytes).collect();
        let tagged = |tag: &[u8], seed: u64| {
            let records = (0..20).flat_map(|index| [tag, b"\0\x01", &noise(60, seed * 100 + index)].concat());
            records.collect::<Vec<u8>>()
        };
        let found = of((1..40).map(|seed| tagged(b"\0FCST_REC", seed)), nothing());
        assert_eq!(found.iter().map(|telling| telling.text.as_str()).collect::<Vec<_>>(), ["FCST_REC"]);
        assert_eq!(found[0].occurrences, 39 * 20);
        let found = of((1..40).map(|seed| tagged(&wide, seed)), nothing());
        assert_eq!((found[0].text.as_str(), found[0].encoding), ("StationRecord", Encoding::Utf16));
    }

    #[test]
    fn where_nothing_repeats_nothing_is_told() {
        assert_eq!(of((1..60).map(|seed| noise(30_000, seed)), nothing()), []);
        assert_eq!(of((1..60).map(|seed| prose(seed * 1000, 3000).into_bytes()), nothing()), []);
        assert_eq!(of(nothing(), nothing()), []);
    }

    #[test]
    fn a_constant_inside_of_varying_text_is_told_at_its_full_length() {
        let member = |seed: u64| {
            format!("{}\"station_observed_at_local_time\":{}", prose(seed, 50), prose(seed + 1, 50))
        };
        let found = of((1..60).map(|seed| member(seed * 10).into_bytes()), nothing());
        assert_eq!(
            found.iter().map(|telling| telling.text.as_str()).collect::<Vec<_>>(),
            ["\"station_observed_at_local_time\":"]
        );
    }
}
