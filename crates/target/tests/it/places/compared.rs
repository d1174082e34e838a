//! Many addresses of programs in C, C++ and Rust, compared with `addr2line -i -f`.

use std::fs;
use std::path::Path;

use residue_model::recording::Place;
use residue_target::symbols::demangle;
use residue_testkit::Program;

use super::{addresses, alone, image, objcopy, run};

const ABOUT: u64 = 400;

#[test]
fn c_has_the_lines_that_binutils_shows() {
    compare(&Program::build("leakkinds.c").flag("-O2").flag("-gdwarf-5"));
    compare(&Program::build("leakkinds.c").flag("-O2").flag("-gdwarf-4"));
    compare(&Program::build("leakkinds.c").flag("-O2").flag("-ffunction-sections").flag("-Wl,--gc-sections"));
}

#[test]
fn cpp_has_the_lines_that_binutils_shows() {
    compare(&Program::build("heapgen").flag("-O2").flag("-gdwarf-5"));
    compare(&Program::build("heapgen").flag("-O3").flag("-gdwarf-4").flag("-gz=zlib"));
    compare(&Program::build("leakkinds.cpp").flag("-O2").flag("-gdwarf-5"));
    compare(&Program::build("leakkinds.cpp").flag("-O2").flag("-flto"));
}

#[test]
fn rust_has_the_lines_that_binutils_shows() {
    compare(&Program::build("leakkinds.rs").flag("-Cdebuginfo=2"));
    compare(&Program::build("leakkinds.rs").flag("-Cdebuginfo=2").flag("-Csymbol-mangling-version=v0"));
}

/// A library begins so low that what the linker threw away would cover its code, stood it where it says: at 0.
#[test]
fn what_the_linker_threw_away_covers_nothing() {
    compare(
        &Program::build("leakkinds.cpp").flag("-O0").flag("-ffunction-sections").flag("-Wl,--gc-sections"),
    );
}

/// Binutils 2.40 finds no function in it.
#[test]
fn types_of_their_own_change_nothing() {
    let plain = Program::build("leakkinds.cpp").flag("-O2").flag("-gdwarf-5");
    let typed = plain.clone().flag("-fdebug-types-section").path().expect("it compiles");
    let plain = plain.path().expect("it compiles");
    let addresses = addresses(&plain, ABOUT);
    let named = alone().name(&image(&plain), &addresses);
    assert_eq!(alone().name(&image(&typed), &addresses), named);
}

#[test]
fn packed_sections_are_unpacked() {
    let folder = tempfile::tempdir().expect("there is room");
    let plain = Program::build("heapgen").flag("-O2").path().expect("it compiles");
    let addresses = addresses(&plain, ABOUT);
    let named = alone().name(&image(&plain), &addresses);
    for form in ["zlib", "zlib-gnu", "zstd"] {
        let packed = folder.path().join(form);
        objcopy(&[&format!("--compress-debug-sections={form}")], &plain, &packed);
        assert!(
            fs::metadata(&packed).expect("it was made").len() < fs::metadata(&plain).expect("it is").len()
        );
        assert_eq!(alone().name(&image(&packed), &addresses), named, "{form}");
    }
}

fn compare(program: &Program) {
    let path = program.path().expect("it compiles");
    let addresses = addresses(&path, ABOUT);
    let named = alone().name(&image(&path), &addresses);
    let theirs = binutils(&path, &addresses);
    let (mut lines, mut inlined, mut disputed) = (0, 0, Vec::new());
    for ((address, ours), theirs) in addresses.iter().zip(&named.places).zip(&theirs) {
        assert_eq!(ours.len(), theirs.len(), "{address:#x} in {}: {ours:#?} {theirs:#?}", path.display());
        for (ours, theirs) in ours.iter().zip(theirs) {
            let what = || format!("{address:#x} in {}: {ours:#?} {theirs:#?}", path.display());
            assert!(is_same(ours, &theirs.0), "{}", what());
            assert_eq!(ours.line, theirs.2, "{}", what());
            let Some(file) = ours.file.as_deref().map(plain) else {
                // Where no line is known, it names the unit.
                assert_eq!(theirs.2, None, "{}", what());
                continue;
            };
            if file != plain(&theirs.1) {
                disputed.push((*address, file, what()));
            }
        }
        lines += usize::from(ours.iter().any(|place| place.line.is_some()));
        inlined += ours.iter().filter(|place| place.is_inlined).count();
        assert!(!ours.last().is_some_and(|place: &Place| place.is_inlined));
    }
    judge(&path, &disputed);
    assert!(addresses.len() > 100 && lines > 100, "{} addresses, {lines} lines", addresses.len());
    assert!(inlined > 20 || path.ends_with("leakkinds"), "{inlined} in {}", path.display());
}

/// What debug information says nothing of has its name from the symbols, which tell parameters too.
fn is_same(ours: &Place, theirs: &str) -> bool {
    let Some(name) = ours.function.as_deref() else { return false };
    let is_bare = format!("::{name}").contains(&format!("::{theirs}("));
    name == theirs || is_bare || theirs == "??" && !ours.is_inlined
}

/// Binutils 2.40 shows some lines of headers as lines of the unit's main file: of such a dispute GDB is the judge.
fn judge(path: &Path, disputed: &[(u64, String, String)]) {
    let ask = |(address, ..): &(u64, String, String)| ["-ex".to_owned(), format!("info line *{address:#x}")];
    let path = path.to_str().expect("a plain path").to_owned();
    let options = ["-nx".to_owned(), "-batch".to_owned()].into_iter().chain(disputed.iter().flat_map(ask));
    if disputed.is_empty() {
        return;
    }
    let told = run("gdb", &options.chain([path]).collect::<Vec<_>>());
    let told: Vec<&str> = told.lines().filter(|line| line.starts_with("Line ")).collect();
    assert_eq!(told.len(), disputed.len(), "{told:#?}");
    for (told, (_, file, what)) in told.iter().zip(disputed) {
        let named = told.split('"').nth(1).map(plain);
        assert_eq!(named.as_ref(), Some(file), "{what}");
    }
}

/// Without `./` and `x/..`, which binutils writes out in other places.
fn plain(path: &str) -> String {
    let mut parts: Vec<&str> = Vec::new();
    for part in path.split('/') {
        match part {
            "." => {}
            ".." if parts.last().is_some_and(|last| !matches!(*last, "" | "..")) => drop(parts.pop()),
            part => parts.push(part),
        }
    }
    parts.join("/")
}

/// For each address the functions, their files and lines, the innermost first.
///
/// It is asked without symbols: where they stand, binutils 2.40 takes them for the names of what was inlined there.
fn binutils(path: &Path, addresses: &[u64]) -> Vec<Vec<(String, String, Option<u32>)>> {
    let folder = tempfile::tempdir().expect("there is room");
    let bare = folder.path().join("bare");
    let options = ["--only-keep-debug", "--decompress-debug-sections", "--wildcard", "--strip-symbol=*"];
    objcopy(&options, path, &bare);
    let path = bare.to_str().expect("a plain path").to_owned();
    let options = ["-i", "-f", "-a", "-e"].map(str::to_owned).into_iter().chain([path]);
    let all: Vec<String> = options.chain(addresses.iter().map(|address| format!("{address:#x}"))).collect();
    let text = run("addr2line", &all);
    let mut lines = text.lines();
    let mut found: Vec<Vec<_>> = Vec::new();
    while let Some(line) = lines.next() {
        if line.starts_with("0x") {
            found.push(Vec::new());
            continue;
        }
        let place = lines.next().expect("a name is followed by a place");
        let place = place.split(" (discriminator").next().unwrap_or(place);
        let (file, line_number) = place.rsplit_once(':').expect("a file and a line");
        let last = found.last_mut().expect("an address comes first");
        last.push((
            demangle(line.as_bytes()),
            file.to_owned(),
            line_number.parse().ok().filter(|&line| line > 0),
        ));
    }
    found
}
