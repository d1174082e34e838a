//! Lines and inlined functions of programs that are compiled here, with binutils as the second opinion.

mod compared;
mod debuginfod;
mod hostile;
mod separate;

use std::ffi::OsStr;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use object::{Object, ObjectSymbol, SymbolKind};
use residue_model::recording::Place;
use residue_target::symbols::{ImageId, Lookup};

/// The image as a recording names it.
fn image(path: &Path) -> ImageId {
    let bytes = fs::read(path).expect("it was made");
    let file = object::File::parse(&*bytes).expect("it is a program");
    let build_id = file.build_id().expect("its notes are whole").map(<[u8]>::to_vec);
    ImageId { path: path.into(), build_id }
}

/// About so many addresses of a program, all of them inside of functions.
fn addresses(path: &Path, about: u64) -> Vec<u64> {
    let bytes = fs::read(path).expect("it was made");
    let file = object::File::parse(&*bytes).expect("it is a program");
    let is_function =
        |symbol: &object::Symbol<'_, '_>| symbol.kind() == SymbolKind::Text && symbol.size() > 0;
    let functions = || file.symbols().filter(is_function);
    let all: u64 = functions().map(|symbol| symbol.size()).sum();
    let step = usize::try_from((all / about).max(1)).expect("a program is small");
    let each = |symbol: object::Symbol<'_, '_>| symbol.address()..symbol.address() + symbol.size();
    let mut found: Vec<u64> = functions().flat_map(each).step_by(step).collect();
    found.sort_unstable();
    found.dedup();
    found
}

/// Where a function of the program's own begins.
fn function(path: &Path, name: &str) -> u64 {
    let bytes = fs::read(path).expect("it was made");
    let file = object::File::parse(&*bytes).expect("it is a program");
    let found = file.symbols().find(|symbol| symbol.name() == Ok(name));
    found.unwrap_or_else(|| panic!("{} has no {name}", path.display())).address()
}

/// What is known of one address, and why no more is.
fn place(image: &ImageId, address: u64, how: &Lookup) -> (Vec<Place>, Vec<String>) {
    let mut named = how.name(image, &[address]);
    let whys = named.gaps.iter().map(|gap| format!("{}: {}", gap.what, gap.why)).collect();
    (named.places.remove(0), whys)
}

fn run<T: AsRef<OsStr>>(program: &str, arguments: &[T]) -> String {
    let done = Command::new(program).args(arguments).output().expect("it is installed");
    assert!(done.status.success(), "{program}: {}", String::from_utf8_lossy(&done.stderr));
    String::from_utf8_lossy(&done.stdout).into_owned()
}

fn objcopy(options: &[&str], from: &Path, to: &Path) {
    let options = options.iter().map(Into::into);
    run("objcopy", &options.chain([from.to_owned(), to.to_owned()]).collect::<Vec<PathBuf>>());
}

/// Nothing that is installed on the machine.
fn alone() -> Lookup {
    Lookup { debug_directories: Vec::new(), ..Lookup::default() }
}

fn hex(id: &[u8]) -> String {
    id.iter().fold(String::new(), |text, byte| text + &format!("{byte:02x}"))
}
