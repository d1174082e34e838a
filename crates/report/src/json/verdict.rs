use residue_analysis::growth::{Interval, Place, Signal, Verdict, VerdictKind};
use residue_model::{LimitKind, Process, ProcessId};
use serde::Serialize;

use crate::words;

/// The object that stands for one judged series, in every document that has one.
#[derive(Serialize)]
pub(super) struct VerdictRow {
    pid: ProcessId,
    verdict: VerdictKind,
    confidence: f64,
    signal: Signal,
    rate_bytes_per_hour: Option<Interval>,
    #[serde(rename = "where")]
    places: Option<Vec<PlaceRow>>,
    forecast: Option<ForecastRow>,
    need_seconds: Option<f64>,
    why: Vec<String>,
    next: String,
}

#[derive(Serialize)]
struct PlaceRow {
    usage: &'static str,
    rate: Interval,
    judged: bool,
    share: f64,
}

#[derive(Serialize)]
struct ForecastRow {
    limit: LimitRow,
    eta: Eta,
}

#[derive(Serialize)]
struct LimitRow {
    kind: LimitKind,
    bytes: u64,
    source: String,
}

#[derive(Serialize)]
struct Eta {
    low: f64,
    high: Option<f64>,
}

impl VerdictRow {
    pub(super) fn of(verdict: &Verdict, process: &Process) -> VerdictRow {
        let text = words::verdict(verdict, process);
        let place = |place: &Place| PlaceRow {
            usage: place.class.key(),
            rate: place.rate,
            judged: place.judged,
            share: place.share,
        };
        let forecast = verdict.forecast.as_ref().map(|forecast| ForecastRow {
            limit: LimitRow {
                kind: forecast.limit.kind,
                bytes: forecast.limit.limit.0,
                source: forecast.limit.source.clone(),
            },
            eta: Eta { low: forecast.low_seconds, high: forecast.high_seconds },
        });
        VerdictRow {
            pid: process.pid,
            verdict: verdict.kind,
            confidence: verdict.confidence,
            signal: verdict.signal,
            rate_bytes_per_hour: verdict.rate,
            places: verdict.places.as_ref().map(|places| places.iter().map(place).collect()),
            forecast,
            need_seconds: verdict.need_seconds,
            why: text.why,
            next: text.next,
        }
    }
}
