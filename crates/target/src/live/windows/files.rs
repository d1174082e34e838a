use std::sync::Arc;

use residue_model::{Address, Pages};
use windows_sys::Win32::Storage::FileSystem::QueryDosDeviceW;
use windows_sys::Win32::System::ProcessStatus::GetMappedFileNameW;

use super::access::Handle;
use super::text::{filled, wide};
use crate::windows::Queried;

/// The files that are mapped into a process, each by where it begins, in order of address.
pub(super) fn mapped(process: &Handle, queried: &[Queried]) -> Vec<(Address, Arc<str>)> {
    let drives = Drives::read();
    let is_section = |query: &&Queried| {
        matches!(query.pages.kind, Some(Pages::MAPPED | Pages::IMAGE))
            && query.range.start == query.allocation_base
    };
    let file = |query: &Queried| {
        let base = query.allocation_base;
        let name = name(process, base)?;
        Some((base, drives.letter(&name).into()))
    };
    queried.iter().filter(is_section).filter_map(file).collect()
}

fn name(process: &Handle, base: Address) -> Option<String> {
    let at = usize::try_from(base.0).ok()?;
    filled(4 * 1024, |buffer, length| {
        // SAFETY: the buffer has room for as many characters as is told; the address is only looked up.
        unsafe { GetMappedFileNameW(process.raw(), at as *const _, buffer, length) }
    })
}

/// Which device stands behind which letter: the kernel names files by the device.
struct Drives(Vec<(char, String)>);

impl Drives {
    fn read() -> Drives {
        let device = |letter: char| {
            let name: Vec<u16> = format!("{letter}:\0").encode_utf16().collect();
            let mut target = [0_u16; 512];
            // SAFETY: the name ends in zero, and the buffer has room for as many characters as is told.
            let length = unsafe { QueryDosDeviceW(name.as_ptr(), target.as_mut_ptr(), 512) };
            // Several names may follow one another; the first is the one that holds.
            (length > 0).then(|| (letter, wide(&target)))
        };
        Drives(('A'..='Z').filter_map(device).collect())
    }

    /// `C:\x` for `\Device\HarddiskVolume3\x`, and for the `\??\C:\x` of Wine.
    fn letter(&self, path: &str) -> String {
        if let Some(plain) = path.strip_prefix(r"\??\") {
            return plain.to_owned();
        }
        let by_letter = self.0.iter().find_map(|(letter, device)| {
            let rest = path.strip_prefix(device.as_str()).filter(|rest| rest.starts_with('\\'))?;
            Some(format!("{letter}:{rest}"))
        });
        by_letter.unwrap_or_else(|| path.to_owned())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_device_becomes_its_letter_and_no_other() {
        let drives =
            Drives(vec![('C', r"\Device\HarddiskVolume3".into()), ('D', r"\Device\HarddiskVolume33".into())]);
        assert_eq!(drives.letter(r"\Device\HarddiskVolume3\a.txt"), r"C:\a.txt");
        assert_eq!(drives.letter(r"\Device\HarddiskVolume33\a.txt"), r"D:\a.txt");
        assert_eq!(drives.letter(r"\??\Z:\b"), r"Z:\b");
        assert_eq!(drives.letter(r"\Device\Mup\host\x"), r"\Device\Mup\host\x");
    }
}
