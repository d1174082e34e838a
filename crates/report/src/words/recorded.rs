//! What a recording tells, in whole phrases.

use residue_analysis::recorded::{Frame, Growth, Measure, Recorded, Section, Shape, Site};
use residue_model::Bytes;
use residue_model::recording::{AllocationKind, End, Program, Recording};

use crate::units::{change, count, counted, date, duration, percent, rate, rate_like, size};

/// `parse at json.c:5`, `parse in libjson.so+0x1a2b`, `libjson.so+0x1a2b`: never a name that nobody knows.
pub fn frame(frame: &Frame) -> String {
    let place = place(frame);
    match frame.short_function() {
        Some(function) if frame.line.is_some() => format!("{function} at {place}"),
        Some(function) => format!("{function} in {place}"),
        None => place,
    }
}

/// Where it is: file and line, or as far as is known.
pub fn place(frame: &Frame) -> String {
    match (frame.file_name(), frame.line, frame.module_name()) {
        (Some(file), Some(line), _) => format!("{file}:{line}"),
        (_, _, Some(module)) => format!("{module}+{:#x}", frame.address),
        _ => format!("{:#x}, code made at run time", frame.address),
    }
}

/// Its name as one of many: `parse`, `libjson.so+0x1a2b`.
pub fn function(frame: &Frame) -> String {
    frame.short_function().unwrap_or_else(|| place(frame))
}

/// From whom memory was asked, where that is not an allocator.
pub fn kind(kind: AllocationKind) -> Option<&'static str> {
    match kind {
        AllocationKind::Heap => None,
        AllocationKind::Mapping => Some("mmap"),
        AllocationKind::Break => Some("brk"),
    }
}

/// What was recorded: `shop (pid 812)`.
pub fn program(program: &Program) -> String {
    let name = program.command.first().map_or(program.executable.as_str(), String::as_str);
    let name = name.rsplit(['/', '\\']).next().unwrap_or(name);
    match program.pid {
        0 => name.to_owned(),
        pid => format!("{name} (pid {pid})"),
    }
}

/// For how long, from when, and how it ended.
pub fn time(program: &Program) -> String {
    let from = program.started.and_then(date).map(|date| format!(" from {date}")).unwrap_or_default();
    let end = match program.end {
        Some(End::Exited(code)) => format!("it ended with code {code}"),
        Some(End::Killed(signal)) => format!("signal {signal} ended it"),
        Some(End::Replaced) => "then it became another program, which has a recording of its own".into(),
        Some(End::Left) => "then it ran on by itself".into(),
        None => "how it ended is not known".into(),
    };
    format!("recorded for {}{from}; {end}", duration(program.recorded.as_secs_f64()))
}

/// Whether sums are exact.
pub fn exactness(recording: &Recording) -> String {
    let lost = recording.totals.dropped;
    match recording.sampling {
        Some(sampling) => format!(
            "sampled: about one allocation in {} was picked, all figures are estimates, and a path that held less than {} may \
             not show at all",
            size(sampling.interval),
            size(residue_analysis::recorded::Estimate::unseen(sampling))
        ),
        None if lost > 0 => format!("{} lost: sums are wrong by as many", counted(lost, "event")),
        None => "every allocation was recorded".into(),
    }
}

/// The answer in a sentence.
pub fn verdict(recorded: &Recorded) -> String {
    if recorded.is_blind() {
        return "NOTHING WAS RECORDED: the program asked for no memory, or in no way that is seen".into();
    }
    let mut parts = Vec::new();
    if let Some((blocks, bytes)) = recorded.lost().filter(|(blocks, _)| *blocks > 0) {
        let who = if recorded.is_window { "" } else { " when the program ended" };
        parts.push(format!("{} in {} lost: nobody could reach them{who}", size(bytes), are(blocks, "block")));
    }
    let of = |shape: Shape| {
        recorded.sites.iter().filter(move |site| site.growth.shape == shape && site.growth.net > 0)
    };
    let leaks = of(Shape::Leak).count() as u64;
    if leaks > 0 {
        let grow = if leaks == 1 { "goes" } else { "go" };
        let until = if recorded.is_window { "all of this time" } else { "to the end" };
        parts.push(format!("{} {grow} on growing {until}", counted(leaks, "site")));
    }
    let unsure = of(Shape::Growing).count() as u64;
    if unsure > 0 {
        let more = if leaks > 0 { "more " } else { "" };
        let seem = if unsure == 1 { "grows" } else { "grow" };
        let sites = format!("{} {more}{}", count(unsure), if unsure == 1 { "site" } else { "sites" });
        parts.push(format!("{sites} {seem} on little evidence"));
    }
    if parts.is_empty() {
        let found = if recorded.recording.sampling.is_some() { "what was picked of it" } else { "it" };
        let lost = match recorded.lost() {
            Some(_) => ", and nothing is lost",
            None => "; whether something is lost, nobody could look",
        };
        return format!("no site of {found} goes on growing{lost}");
    }
    parts.join("; ")
}

fn are(number: u64, what: &str) -> String {
    format!("{} {}", counted(number, what), if number == 1 { "is" } else { "are" })
}

/// What a section of the page is called.
pub fn section(section: Section) -> &'static str {
    match section {
        Section::Lost => "LOST: NOBODY COULD REACH IT AT THE END",
        Section::Growing => "GROWING TO THE END",
        Section::Live => "NOT FREED AT THE END",
        Section::Peak => "AT THE PEAK",
        Section::Allocated => "ASKED FOR IN ALL",
        Section::Temporary => "TEMPORARY: FREED BY THE NEXT CALL",
        Section::Wasted => "WASTED: GIVEN BEYOND WHAT WAS ASKED FOR",
    }
}

/// What is weighed: of a `window` of the time, other things stood at the end.
pub fn measure(measure: Measure, window: bool) -> &'static str {
    match measure {
        Measure::Live if window => "stood at the end of the window",
        Measure::Live => "not freed at the end",
        Measure::Peak => "stood when the program held most",
        Measure::Allocated => "allocated",
        Measure::Temporary => "freed by the next call of their thread",
    }
}

/// What something weighs, in full: `1.2 MiB (1 258 291 B)`, `12 500 blocks`.
pub fn weight(measure: Measure, weight: u64) -> String {
    match weight {
        _ if !measure.is_bytes() => counted(weight, "block"),
        0..1024 => size(Bytes(weight)),
        _ => format!("{} ({} B)", size(Bytes(weight)), count(weight)),
    }
}

/// What a shape of growth is called.
pub fn shape(shape: Shape) -> &'static str {
    match shape {
        Shape::Leak => "grows to the end",
        Shape::Growing => "grows, on little evidence",
        Shape::Filling => "levels off, as a cache that fills",
        Shape::Steady => "steady",
        Shape::Burst => "a burst",
        Shape::Short => "there too shortly to say",
    }
}

/// The numbers behind a shape.
pub fn growth(growth: &Growth) -> String {
    let mut parts = vec![shape(growth.shape).to_owned()];
    if let Some(interval) = growth.rate {
        let (low, high) =
            (rate_like(interval.low, interval.estimate), rate_like(interval.high, interval.estimate));
        parts.push(format!("{} (95 %: {low} … {high})", rate(interval.estimate)));
    }
    let span = duration(growth.span.as_secs_f64());
    parts.push(format!("rose in {} over {span}", counted(u64::from(growth.rises), "step")));
    match growth.thirds {
        Some((first, last)) if last < 0.5 * first => {
            parts.push(format!("slows down from {} to {}", rate(first), rate(last)));
        }
        _ => {}
    }
    match growth.kept {
        Some(kept) if kept > 0.99 => parts.push("nothing old is freed".into()),
        Some(kept) if kept < 0.5 => {
            parts.push(format!("it turns over: of the old {} is left", percent(kept)));
        }
        _ => {}
    }
    if let Some(still) = growth.still_for {
        parts.push(format!("not any more for the last {}", duration(still.as_secs_f64())));
    }
    if growth.freed_at_end {
        parts.push("given back when the program ended".into());
    }
    parts.join(", ")
}

/// What else is to be said of what a site still holds at the end; None when nothing is.
pub fn remains(site: &Site, recording: &Recording) -> Option<String> {
    let mut parts = Vec::new();
    if site.is_young(recording.program.recorded) {
        let age = site.sums.ages.0.iter().filter(|(_, blocks, _)| *blocks > 0).map(|(age, ..)| *age).max();
        let age = duration(age.unwrap_or_default().as_secs_f64());
        parts.push(format!("all young: the oldest is about {age} old"));
    }
    match (site.sums.lost_blocks, site.sums.lost) {
        (Some(lost), Some(bytes)) if lost > 0 => parts.push(format!("{} of it lost", size(bytes))),
        _ => {}
    }
    if matches!(site.growth.shape, Shape::Leak | Shape::Growing | Shape::Filling) {
        parts.push(shape(site.growth.shape).to_owned());
    }
    (!parts.is_empty()).then(|| parts.join(", "))
}

/// The bounds of an estimate.
pub fn bounds(site: &Site) -> Option<String> {
    #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "bounds are not negative")]
    let bytes = |value: f64| size(Bytes(value as u64));
    let live = site.estimate?.live;
    Some(format!("in 19 of 20 cases {} … {} stood at the end", bytes(live.low), bytes(live.high)))
}

/// Why a site is given more than it asks for.
pub fn waste(site: &Site) -> String {
    let sums = &site.sums;
    let share = percent(site.slack().share_of(sums.usable));
    let blocks = if sums.smallest == sums.largest {
        format!("of blocks of {}", size(sums.smallest))
    } else {
        format!("of blocks of {} to {}", size(sums.smallest), size(sums.largest))
    };
    if sums.aligned == 0 {
        return format!("{share} {blocks}");
    }
    let aligned = percent(sums.aligned as f64 / (sums.allocations as f64).max(1.0));
    format!("{share} {blocks}, {aligned} of them aligned to {}", size(Bytes(sums.largest_alignment)))
}

/// `+1.5 MiB in 3 blocks`.
pub fn net(bytes: i64, blocks: i64) -> String {
    format!("{} in {blocks:+} blocks", change(bytes))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn code_without_a_name_is_told_by_module_and_offset() {
        let bare = Frame { module: Some("/usr/lib/libjson.so".into()), address: 0x1a2b, ..Frame::default() };
        assert_eq!(frame(&bare), "libjson.so+0x1a2b");
        let named = Frame { function: Some("app::parse(int)".into()), ..bare.clone() };
        assert_eq!(frame(&named), "app::parse in libjson.so+0x1a2b");
        let lined = Frame { file: Some("/src/json.c".into()), line: Some(5), ..named };
        assert_eq!(frame(&lined), "app::parse at json.c:5");
        let made = Frame { module: None, ..bare };
        assert_eq!(frame(&made), "0x1a2b, code made at run time");
    }
}
