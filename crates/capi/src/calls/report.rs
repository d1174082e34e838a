//! The page that a person looks at.

use std::ffi::c_char;
use std::path::Path;

use library::analysis::{Diagnosis, Inside, Map};
use library::model::{Gap, Limits, Series};
use library::report::html;

use crate::border::entry::entry;
use crate::border::error::Result;
use crate::border::pointer::{path, value};
use crate::border::status::residue_status;
use crate::handle::process::residue_process;

/// Samples that a verdict needs at least.
const FEWEST: usize = 12;

/// Writes the address space as a page that a browser opens: a picture to zoom, its sums and every region.
///
/// `path_utf8` is UTF-8 and ends in zero. The page is written beside it under another name and takes its place when it is
/// whole: whatever fails, what stood there before still does. Only its owner can read it. What stands there and is no
/// regular file is left alone.
///
/// This understands every region: it takes milliseconds to seconds, allocates meanwhile, and frees that before it
/// returns. Other threads can use the handle meanwhile. Fails with `RESIDUE_WRITE_FAILED` when the file cannot be written,
/// otherwise as `residue_summary`.
///
/// # Safety
/// `process` is open; `path_utf8` is null or points to bytes that end in zero.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn residue_map_html(
    process: *mut residue_process,
    path_utf8: *const c_char,
) -> residue_status {
    entry(|| {
        // SAFETY: as the caller promises.
        let (process, path) = unsafe { (value(process, "process")?, path(path_utf8, "path_utf8")?) };
        let subject = process.lock()?.source.subject();
        write(path, html::map(&*subject.map()?))
    })
}

/// Writes the diagnosis as a page that a browser opens: the verdict on the samples that the handle has taken, the memory
/// over time, findings and sums. With fewer than 12 samples, and of a dump, it is the page of `residue_map_html`.
///
/// Otherwise as `residue_map_html`.
///
/// # Safety
/// As for `residue_map_html`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn residue_report_html(
    process: *mut residue_process,
    path_utf8: *const c_char,
) -> residue_status {
    entry(|| {
        // SAFETY: as the caller promises.
        let (process, path) = unsafe { (value(process, "process")?, path(path_utf8, "path_utf8")?) };
        let (subject, history) = {
            let watch = process.lock()?;
            (watch.source.subject(), (watch.history.len() >= FEWEST).then(|| watch.history.clone()))
        };
        let map = subject.map()?;
        write(
            path,
            match history {
                Some(history) => {
                    let (_, series) = history.judge(&Limits::default());
                    html::triage(&diagnosis(Map::clone(&map), series.clone()))
                }
                None => html::map(&map),
            },
        )
    })
}

fn write(path: &str, page: library::report::Result<String>) -> Result<residue_status> {
    let page = page.map_err(library::Error::from)?;
    library::write_whole(Path::new(path), page.as_bytes())?;
    Ok(residue_status::RESIDUE_OK)
}

fn diagnosis(map: Map, series: Series) -> Diagnosis {
    let gaps = vec![
        Gap::new("what is in memory", "the C library does not look into it: residue triage does"),
        Gap::new(
            "which memory grows",
            "samples of the C library are not summed by usage: residue triage's are",
        ),
    ];
    Diagnosis::of(map, series, Inside::default(), gaps)
}
