//! The alarms of a handle: which stand, and which a sample sets off.

use std::ffi::c_void;

use library::analysis::growth::{History, VerdictKind};
use library::model::Limits;

use crate::border::error::{Failure, Result};
use crate::border::status::residue_status;
use crate::shape::alarm::{residue_alarm_event, residue_alarm_kind};
use crate::shape::sample::{
    RESIDUE_HAS_ANONYMOUS, RESIDUE_HAS_COMMIT, RESIDUE_HAS_REGIONS, RESIDUE_HAS_SWAP,
    RESIDUE_HAS_WORKING_SET, residue_sample,
};

/// Alarms that a handle has at most: they stand in room that was made when it was opened.
const MOST: usize = 16;

/// What the caller hands through.
#[derive(Clone, Copy, Debug)]
pub(crate) struct User(pub(crate) *mut c_void);

// SAFETY: it is never followed here. Whoever sets an alarm promises that its callback takes it on any thread that samples.
unsafe impl Send for User {}

type Callback = unsafe extern "C" fn(event: *const residue_alarm_event, user: *mut c_void);

/// A threshold, and whom to tell.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Alarm {
    id: u32,
    kind: residue_alarm_kind,
    threshold: u64,
    hysteresis: u64,
    callback: Callback,
    user: User,
    is_armed: bool,
}

/// The alarms of a handle.
#[derive(Debug, Default)]
pub(crate) struct Alarms {
    set: [Option<Alarm>; MOST],
    last_id: u32,
    growth: Growth,
}

/// Alarms that a sample set off, to be called when nothing is locked.
#[derive(Default)]
pub(crate) struct Due {
    events: [Option<(residue_alarm_event, Callback, User)>; MOST],
}

impl Due {
    pub(crate) fn call(self) {
        for (event, callback, user) in self.events.into_iter().flatten() {
            // SAFETY: whoever set the alarm promised that the callback can be called with this `user` on any thread that
            // samples; the event outlives the call.
            unsafe { callback(&raw const event, user.0) };
        }
    }
}

impl Alarm {
    pub(crate) fn new(
        kind: residue_alarm_kind,
        threshold: u64,
        hysteresis: u64,
        callback: Callback,
        user: User,
    ) -> Alarm {
        Alarm { id: 0, kind, threshold, hysteresis, callback, user, is_armed: true }
    }

    /// Whether a value sets it off; arms it again when that is far enough back.
    fn meets(&mut self, value: u64) -> bool {
        let (threshold, far) = (self.threshold, self.hysteresis);
        let (is_bad, is_back) = match self.kind {
            residue_alarm_kind::RESIDUE_ALARM_LARGEST_FREE_BELOW => {
                (value < threshold, value >= threshold.saturating_add(far))
            }
            _ => (value > threshold, value <= threshold.saturating_sub(far)),
        };
        let goes_off = self.is_armed && is_bad;
        self.is_armed = if is_bad { false } else { self.is_armed || is_back };
        goes_off
    }

    fn event(&self, value: u64, seconds: f64) -> residue_alarm_event {
        residue_alarm_event {
            size: u32::try_from(size_of::<residue_alarm_event>()).unwrap_or_default(),
            id: self.id,
            kind: self.kind,
            unused: 0,
            threshold: self.threshold,
            value,
            seconds,
        }
    }
}

impl Alarms {
    pub(crate) fn add(&mut self, alarm: Alarm) -> Result<u32> {
        let full = || Failure::argument(format!("this handle has {MOST} alarms already; help: clear one"));
        let place = self.set.iter_mut().find(|place| place.is_none()).ok_or_else(full)?;
        self.last_id += 1;
        *place = Some(Alarm { id: self.last_id, ..alarm });
        Ok(self.last_id)
    }

    pub(crate) fn remove(&mut self, id: u32) -> Result<()> {
        let place = self.set.iter_mut().find(|place| place.is_some_and(|alarm| alarm.id == id));
        let none = || Failure::new(residue_status::RESIDUE_NOT_FOUND, format!("there is no alarm {id}"));
        *place.ok_or_else(none)? = None;
        Ok(())
    }

    /// Which go off by a sample. `is_kept` tells whether the history has it now.
    pub(crate) fn check(&mut self, sample: &residue_sample, is_kept: bool, history: &History) -> Due {
        let mut due = Due::default();
        let Alarms { set, growth, .. } = self;
        growth.more += u32::from(is_kept);
        let watches_growth = |alarm: &Alarm| alarm.kind == residue_alarm_kind::RESIDUE_ALARM_GROWTH;
        let leak = if set.iter().flatten().any(watches_growth) {
            growth.leak(sample.seconds, history)
        } else {
            None
        };
        for (alarm, event) in set.iter_mut().zip(&mut due.events) {
            let Some(alarm) = alarm else { continue };
            let value = match alarm.kind {
                residue_alarm_kind::RESIDUE_ALARM_GROWTH => leak,
                kind => measured(kind, sample),
            };
            *event = value
                .filter(|&value| alarm.meets(value))
                .map(|value| (alarm.event(value, sample.seconds), alarm.callback, alarm.user));
        }
        due
    }
}

/// What an alarm watches, if the sample has it.
fn measured(kind: residue_alarm_kind, sample: &residue_sample) -> Option<u64> {
    match kind {
        residue_alarm_kind::RESIDUE_ALARM_LARGEST_FREE_BELOW => {
            sample.known(RESIDUE_HAS_REGIONS, sample.free_largest)
        }
        residue_alarm_kind::RESIDUE_ALARM_COMMIT_ABOVE => {
            let anonymous = sample.known(RESIDUE_HAS_ANONYMOUS, sample.anonymous);
            let private =
                anonymous.zip(sample.known(RESIDUE_HAS_SWAP, sample.swap)).map(|(ram, swap)| ram + swap);
            sample.known(RESIDUE_HAS_COMMIT, sample.commit).or(private)
        }
        residue_alarm_kind::RESIDUE_ALARM_WORKING_SET_ABOVE => {
            sample.known(RESIDUE_HAS_WORKING_SET, sample.working_set)
        }
        residue_alarm_kind::RESIDUE_ALARM_GROWTH => None,
    }
}

/// When growth was judged last: a judgement costs more than a thousand samples.
#[derive(Debug, Default)]
struct Growth {
    /// Samples kept since.
    more: u32,
    seconds: f64,
}

/// Samples and seconds between judgements.
const SAMPLES: u32 = 16;
const SECONDS: f64 = 5.0;

impl Growth {
    /// How fast it leaks, in bytes an hour, 0 when it does not; `None` while it is not time to judge.
    fn leak(&mut self, seconds: f64, history: &History) -> Option<u64> {
        if self.more < SAMPLES || seconds - self.seconds < SECONDS {
            return None;
        }
        *self = Growth { more: 0, seconds };
        let (verdict, _) = history.judge(&Limits::default());
        let rate = verdict.rate.filter(|_| verdict.kind == VerdictKind::LikelyLeak);
        #[allow(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "a leak grows, and casts saturate"
        )]
        Some(rate.map_or(0, |rate| rate.estimate.max(1.0) as u64))
    }
}

#[cfg(test)]
mod tests {
    use library::model::{Bytes, Footprint, Process, Sample};

    use super::*;

    unsafe extern "C" fn ignore(_: *const residue_alarm_event, _: *mut c_void) {}

    fn alarm(kind: residue_alarm_kind, threshold: u64, hysteresis: u64) -> Alarm {
        Alarm::new(kind, threshold, hysteresis, ignore, User(std::ptr::null_mut()))
    }

    /// Which of some values set an alarm off.
    fn offs(mut alarm: Alarm, values: &[u64]) -> Vec<u64> {
        values.iter().copied().filter(|&value| alarm.meets(value)).collect()
    }

    #[test]
    fn it_goes_off_once_and_again_after_it_was_back() {
        let below = alarm(residue_alarm_kind::RESIDUE_ALARM_LARGEST_FREE_BELOW, 100, 0);
        assert_eq!(offs(below, &[150, 99, 50, 100, 98]), [99, 98]);
        let above = alarm(residue_alarm_kind::RESIDUE_ALARM_COMMIT_ABOVE, 100, 0);
        assert_eq!(offs(above, &[100, 101, 150, 100, 102]), [101, 102]);
    }

    #[test]
    fn with_hysteresis_it_must_be_back_by_that_much() {
        let below = alarm(residue_alarm_kind::RESIDUE_ALARM_LARGEST_FREE_BELOW, 100, 20);
        assert_eq!(offs(below, &[99, 119, 98, 120, 97]), [99, 97]);
        let above = alarm(residue_alarm_kind::RESIDUE_ALARM_WORKING_SET_ABOVE, 100, 20);
        assert_eq!(offs(above, &[101, 81, 102, 80, 103]), [101, 103]);
    }

    #[test]
    fn a_handle_has_room_for_sixteen() {
        let mut alarms = Alarms::default();
        let any = alarm(residue_alarm_kind::RESIDUE_ALARM_COMMIT_ABOVE, 1, 0);
        let ids: Vec<u32> = (0..MOST).map(|_| alarms.add(any).expect("room")).collect();
        assert!(alarms.add(any).is_err());
        alarms.remove(ids[3]).expect("it is there");
        assert_eq!(alarms.remove(ids[3]).expect_err("it is gone").status, residue_status::RESIDUE_NOT_FOUND);
        assert_eq!(alarms.add(any), Ok(17), "a number is not given again");
    }

    #[test]
    fn a_value_that_is_not_known_sets_nothing_off() {
        let unknown = residue_sample::default();
        for number in [1, 2, 3] {
            let kind = [
                residue_alarm_kind::RESIDUE_ALARM_LARGEST_FREE_BELOW,
                residue_alarm_kind::RESIDUE_ALARM_COMMIT_ABOVE,
                residue_alarm_kind::RESIDUE_ALARM_WORKING_SET_ABOVE,
            ][number - 1];
            assert_eq!(measured(kind, &unknown), None);
        }
        let linux = residue_sample {
            present: RESIDUE_HAS_ANONYMOUS | RESIDUE_HAS_SWAP,
            anonymous: 5,
            swap: 2,
            ..residue_sample::default()
        };
        assert_eq!(measured(residue_alarm_kind::RESIDUE_ALARM_COMMIT_ABOVE, &linux), Some(7));
    }

    #[test]
    fn a_leak_goes_off_when_it_is_judged_and_not_before() {
        let mut alarms = Alarms::default();
        alarms.add(alarm(residue_alarm_kind::RESIDUE_ALARM_GROWTH, 0, 0)).expect("room");
        let mut history = History::new(&Process::default(), None);
        let mut offs = Vec::new();
        for second in 0..120_u32 {
            let bytes = Bytes((50 << 20) + (u64::from(second) << 20));
            let footprint = Footprint { anon: Some(bytes), swap: Some(Bytes::ZERO), ..Footprint::default() };
            let seconds = f64::from(second);
            history.push(&Sample { seconds, footprint, ..Sample::default() });
            let due = alarms.check(&residue_sample { seconds, ..residue_sample::default() }, true, &history);
            offs.extend(due.events.iter().flatten().map(|(event, ..)| (event.seconds, event.value)));
        }
        let [(seconds, rate)] = offs[..] else { panic!("once: {offs:?}") };
        assert!((seconds + 1.0).rem_euclid(16.0) < 1e-9, "{seconds}");
        assert!(rate > 3_000 << 20 && rate < 4_200 << 20, "{rate}");
    }
}
