use std::collections::BTreeSet;
use std::sync::Arc;

use residue_model::{Address, Range, Region};

use crate::Image;

/// A program or library, by the regions that its file is mapped to.
#[derive(Clone, Debug)]
pub(super) struct Library {
    /// Its path.
    pub(super) path: Arc<str>,
    /// What of it cannot be written: texts among it.
    pub(super) fixed: Vec<Range>,
    /// Its variables; those that begin as zeros stand behind it without a name.
    pub(super) variables: Vec<Range>,
}

impl Library {
    /// All that are mapped, in order of address.
    pub(super) fn all(regions: &[Region]) -> Vec<Library> {
        let mut all: Vec<Library> = Vec::new();
        let mut end = Address(0);
        for region in regions {
            let known = all.iter_mut().rev().find(|library| *library.path == *region.name());
            match (region.name.as_ref().filter(|_| region.is_file() && !region.protection.shared), known) {
                (Some(_), Some(library)) => library.take(region),
                (Some(path), None) => {
                    let mut library =
                        Library { path: path.clone(), fixed: Vec::new(), variables: Vec::new() };
                    library.take(region);
                    all.push(library);
                }
                (None, _)
                    if region.name().is_empty() && region.range.start == end && region.protection.write =>
                {
                    if let Some(library) = all.last_mut() {
                        library.take(region);
                    }
                }
                _ => {}
            }
            end = if region.is_file() { region.range.end } else { Address(0) };
        }
        all
    }

    fn take(&mut self, region: &Region) {
        match region.protection {
            protection if protection.write => self.variables.push(region.range),
            protection if protection.read => self.fixed.push(region.range),
            _ => {}
        }
    }

    /// The last part of its path.
    pub(super) fn file_name(&self) -> &str {
        self.path.rsplit('/').next().unwrap_or_default()
    }

    /// What comes behind `.so.` in its name.
    pub(super) fn so_version(&self) -> Option<String> {
        let (_, version) = self.file_name().split_once(".so.")?;
        version.starts_with(|digit: char| digit.is_ascii_digit()).then(|| version.to_owned())
    }

    /// Memory that its variables point to and no file stands behind: an allocator in use has some.
    pub(super) fn memory(&self, image: &Image<'_>, all: &[Library]) -> Vec<Range> {
        // Zeros of other libraries stand without a name too, and whoever uses them points there.
        let is_variable = |range: Range| {
            let mut variables = all.iter().flat_map(|library| &library.variables);
            variables.any(|variable| *variable == range)
        };
        let variables = self.variables.iter().flat_map(|range| image.pieces.within(*range));
        let words = variables.flat_map(|(_, bytes)| bytes.chunks_exact(8));
        let words = words.filter_map(|word| word.try_into().ok().map(u64::from_le_bytes));
        let pointed: BTreeSet<usize> =
            words.filter_map(|word| Region::find(image.regions, Address(word))).collect();
        let regions = pointed.into_iter().map(|index| &image.regions[index]);
        regions
            .filter(|region| is_heap(region))
            .map(|region| region.range)
            .filter(|range| !is_variable(*range))
            .collect()
    }
}

fn is_heap(region: &Region) -> bool {
    let is_stack = region.name().starts_with("[stack") || !region.threads.is_empty();
    region.protection.write && region.is_private_anonymous() && !is_stack
}

#[cfg(test)]
mod tests {
    use residue_model::{NoMemory, Pieces, Protection};

    use super::*;

    fn region(start: u64, end: u64, write: bool, name: &str) -> Region {
        let protection = Protection { read: true, write, ..Protection::default() };
        let range = Range { start: Address(start), end: Address(end) };
        let name = (!name.is_empty()).then(|| name.into());
        Region { range, protection, name, ..Region::default() }
    }

    fn regions() -> [Region; 6] {
        [
            region(0x1000, 0x2000, false, "/lib/libone.so.1.2"),
            region(0x2000, 0x3000, true, "/lib/libone.so.1.2"),
            region(0x3000, 0x4000, true, ""),
            region(0x8000, 0x9000, true, "/lib/libtwo.so"),
            region(0x9000, 0xa000, true, ""),
            region(0x2_0000, 0x3_0000, true, ""),
        ]
    }

    #[test]
    fn zeros_behind_a_file_are_its_variables() {
        let all = Library::all(&regions());
        assert_eq!(all.len(), 2);
        assert_eq!((all[0].fixed.len(), all[0].variables.len(), all[1].variables.len()), (1, 2, 2));
        assert_eq!((all[0].so_version().as_deref(), all[1].so_version()), (Some("1.2"), None));
    }

    /// A library that waits to be used points to itself and to others, not to memory that it made.
    #[test]
    fn variables_that_point_to_memory_show_that_it_is_used() {
        let regions = regions();
        let all = Library::all(&regions);
        let points = |word: u64| {
            let bytes = word.to_le_bytes();
            let pieces = Pieces(vec![(Address(0x3010), &bytes[..])]);
            let image = Image { pieces: &pieces, regions: &regions, threads: &[], rest: &NoMemory };
            !all[0].memory(&image, &all).is_empty()
        };
        assert!(points(0x2_0040));
        assert!(!points(0x3800), "its own");
        assert!(!points(0x9800), "those of another library");
        assert!(!points(7));
    }
}
