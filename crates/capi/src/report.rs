//! The page that a person looks at.

use std::ffi::c_char;
use std::fs::{self, File, OpenOptions};
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use library::analysis::{Diagnosis, Inside, Map};
use library::model::{Gap, Series};
use library::report::html;

use crate::entry::entry;
use crate::error::{Failure, Result};
use crate::pointer::{path, value};
use crate::process::residue_process;
use crate::status::residue_status;

/// Samples that a verdict needs at least.
const FEWEST: usize = 12;

/// Writes a page that a browser opens: the address space as a picture, its sums and every region. When the handle has
/// taken 12 samples or more, it is the verdict on them instead, with the memory over time, findings and sums.
///
/// `path_utf8` is UTF-8 and ends in zero. The page is written beside it under another name and takes its place when it is
/// whole: whatever fails, what stood there before still does.
///
/// This understands every region: it takes milliseconds to seconds, allocates meanwhile, and frees that before it
/// returns. Other threads can use the handle meanwhile. Fails with `RESIDUE_WRITE_FAILED` when the file cannot be written,
/// otherwise as `residue_summary`.
///
/// # Safety
/// `process` is open; `path_utf8` is null or points to bytes that end in zero.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn residue_report_html(
    process: *mut residue_process,
    path_utf8: *const c_char,
) -> residue_status {
    entry(|| {
        // SAFETY: as the caller promises.
        let (process, path) = unsafe { (value(process, "process")?, path(path_utf8, "path_utf8")?) };
        let (subject, series) = {
            let watch = process.lock()?;
            let series = watch.history.series();
            (watch.source.subject(), (series.samples.len() >= FEWEST).then(|| series.clone()))
        };
        let page = page(&subject.map()?, series)?;
        replace(Path::new(path), page.as_bytes())?;
        Ok(residue_status::RESIDUE_OK)
    })
}

fn page(map: &Arc<Map>, series: Option<Series>) -> Result<String> {
    let page = match series {
        Some(series) => html::triage(&diagnosis(Map::clone(map), series)),
        None => html::map(map),
    };
    Ok(page.map_err(library::Error::from)?)
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

/// Puts a file in the place of another, whole or not at all.
fn replace(path: &Path, content: &[u8]) -> Result<()> {
    let draft = beside(path);
    let done = write(&draft, content).and_then(|()| fs::rename(&draft, path));
    done.map_err(|error| {
        // It may never have been made.
        let _ = fs::remove_file(&draft);
        let text = format!("failed to write {}; cause: {error}", path.display());
        Failure::new(residue_status::RESIDUE_WRITE_FAILED, text)
    })
}

fn write(path: &Path, content: &[u8]) -> io::Result<()> {
    let mut file: File = OpenOptions::new().write(true).create_new(true).open(path)?;
    file.write_all(content)
}

/// A name that nothing else uses, in the same folder: nothing is moved from one disk to another.
fn beside(path: &Path) -> PathBuf {
    static DRAFTS: AtomicU32 = AtomicU32::new(0);
    let number = DRAFTS.fetch_add(1, Ordering::Relaxed);
    let mut name = path.as_os_str().to_owned();
    name.push(format!(".{}-{number}.tmp", std::process::id()));
    name.into()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn folder(name: &str) -> PathBuf {
        let folder = std::env::temp_dir().join(format!("residue-capi-{}-{name}", std::process::id()));
        fs::create_dir_all(&folder).expect("a temporary folder");
        folder
    }

    fn names(folder: &Path) -> Vec<String> {
        let entries = fs::read_dir(folder).expect("it is there");
        entries.map(|entry| entry.expect("readable").file_name().to_string_lossy().into_owned()).collect()
    }

    #[test]
    fn a_page_takes_the_place_of_the_one_before() {
        let folder = folder("replaced");
        let path = folder.join("page.html");
        replace(&path, b"first").expect("it can be written");
        replace(&path, b"second").expect("it can be written again");
        assert_eq!(fs::read(&path).expect("it is there"), b"second");
        assert_eq!(names(&folder), ["page.html"]);
        fs::remove_dir_all(folder).expect("ours");
    }

    #[test]
    fn what_cannot_be_replaced_stays_and_no_draft_is_left() {
        let folder = folder("kept");
        let path = folder.join("page.html");
        fs::create_dir_all(path.join("inside")).expect("a folder where the page should go");
        let failure = replace(&path, b"page").expect_err("a folder is no file");
        assert_eq!(failure.status, residue_status::RESIDUE_WRITE_FAILED);
        assert_eq!(names(&folder), ["page.html"]);
        assert!(path.join("inside").is_dir());
        fs::remove_dir_all(folder).expect("ours");
    }
}
