//! Symbols that stand beside the file: debug packages, and the small packed table that Fedora puts inside.

use std::fmt::Write as _;
use std::io::Read;

use liblzma::read::XzDecoder;
use object::read::elf::{FileHeader, SectionHeader};
use object::{Endianness, ReadRef, elf};

use super::build::BuildId;
use super::contents::Contents;
use super::open::open_regular;

/// Where distributions put the symbols of their packages.
const ROOT: &str = "/usr/lib/debug/.build-id";
/// Unpacked tables are smaller.
const MOST: u64 = 64 * 1024 * 1024;

/// The file with the symbols of a build, when its debug package is installed.
pub(super) fn debug_file(id: &BuildId) -> Option<Contents> {
    debug_file_below(ROOT, id)
}

fn debug_file_below(root: &str, id: &BuildId) -> Option<Contents> {
    let (first, rest) = id.0.split_first()?;
    let mut path = format!("{root}/{first:02x}/");
    for byte in rest {
        write!(path, "{byte:02x}").expect("a string takes everything");
    }
    path.push_str(".debug");
    // Named by the ID: only root writes there.
    Some(Contents::of_file(open_regular(&path).ok()?))
}

/// The packed symbol table inside a file: `.gnu_debugdata`.
pub(super) fn packed(contents: &Contents) -> Option<Contents> {
    let bytes = {
        let cache = contents.cache();
        match (&cache).read_bytes_at(4, 1).ok()?[0] {
            1 => section(elf::FileHeader32::<Endianness>::parse(&cache).ok()?, &cache)?.to_vec(),
            _ => section(elf::FileHeader64::<Endianness>::parse(&cache).ok()?, &cache)?.to_vec(),
        }
    };
    let mut unpacked = Vec::new();
    // What comes before a damage is as good as it was.
    let _ = XzDecoder::new(bytes.as_slice()).take(MOST).read_to_end(&mut unpacked);
    (!unpacked.is_empty()).then_some(Contents::Bytes(unpacked))
}

fn section<'a, H: FileHeader<Endian = Endianness>, R: ReadRef<'a>>(header: &H, data: R) -> Option<&'a [u8]> {
    let endian = header.endian().ok()?;
    let sections = header.sections(endian, data).ok()?;
    let (_, section) = sections.section_by_name(endian, b".gnu_debugdata")?;
    section.data(endian, data).ok()
}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    use std::fs::File;
    use std::path::Path;
    use std::process::Command;

    use residue_testkit::Program;

    use super::super::build::file_id;
    use super::super::layout::Layout;
    use super::super::table::SymbolTable;
    use super::*;

    fn run(program: &str, arguments: &[&Path]) {
        let status = Command::new(program).args(arguments).status();
        assert!(status.is_ok_and(|status| status.success()), "{program} {arguments:?}");
    }

    fn names(contents: &Contents) -> usize {
        let mut table = SymbolTable::default();
        table.add(contents);
        table.sort();
        table.named(b"hidden_count").count()
    }

    #[test]
    fn the_symbols_of_a_debug_package_are_found_by_the_build_id() {
        let folder = tempfile::tempdir().expect("there is room");
        let program =
            Program::build("named").flag("-Wl,--build-id=0xabcdef0011223344").path().expect("it compiles");
        let debug = folder.path().join("ab/cdef0011223344.debug");
        std::fs::create_dir(folder.path().join("ab")).expect("there is room");
        run("objcopy", &[Path::new("--only-keep-debug"), &program, &debug]);
        let contents = Contents::of_file(File::open(&program).expect("it was compiled"));
        let layout = Layout::read(&contents.cache()).expect("it is a program");
        let id = file_id(&layout, &contents).expect("the linker gave it one");
        let root = folder.path().to_str().expect("a plain path");
        assert_eq!(names(&debug_file_below(root, &id).expect("it is there")), 1);
        assert!(debug_file_below(root, &BuildId(vec![0xab; 8])).is_none());
        assert!(debug_file_below(root, &BuildId(Vec::new())).is_none());
    }

    #[test]
    fn a_packed_table_inside_the_file_is_unpacked() {
        let folder = tempfile::tempdir().expect("there is room");
        let inside = |name: &str| folder.path().join(name);
        let program = Program::build("named").path().expect("it compiles");
        let packed_bytes = {
            let mut packer = liblzma::read::XzEncoder::new(File::open(&program).expect("it was compiled"), 1);
            let mut bytes = Vec::new();
            packer.read_to_end(&mut bytes).expect("it can be packed");
            bytes
        };
        std::fs::write(inside("table.xz"), &packed_bytes).expect("there is room");
        let add = format!(".gnu_debugdata={}", inside("table.xz").display());
        let stripped = inside("stripped");
        run(
            "objcopy",
            &[Path::new("--strip-all"), Path::new("--add-section"), Path::new(&add), &program, &stripped],
        );
        let contents = Contents::of_file(File::open(&stripped).expect("it was made"));
        assert_eq!(names(&contents), 0);
        assert_eq!(names(&packed(&contents).expect("it is inside")), 1);
        let plain = Contents::of_file(File::open(&program).expect("it was compiled"));
        assert!(packed(&plain).is_none());
    }
}
