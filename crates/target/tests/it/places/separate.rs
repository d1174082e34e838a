//! Debug information that does not stand in the program: packages, links, shared tables, split units, and none at all.

use std::fs;
use std::path::{Path, PathBuf};

use residue_model::recording::Place;
use residue_target::symbols::{ImageId, Lookup};
use residue_testkit::Program;

use super::{addresses, alone, function, hex, image, objcopy, place, run};

/// A program whose debug information can be told from that of others.
fn program() -> (PathBuf, u64, Vec<Place>) {
    let path = Program::build("leakkinds.c").flag("-O2").path().expect("it compiles");
    let address = function(&path, "lose_chain");
    let (whole, gaps) = place(&image(&path), address, &alone());
    assert_eq!(gaps, [""; 0]);
    assert_eq!(whole.last().and_then(|place| place.function.as_deref()), Some("lose_chain"));
    assert!(whole.iter().all(|place| place.line.is_some()));
    (path, address, whole)
}

/// Where a package puts the debug file of a build.
fn packaged(root: &Path, id: &[u8]) -> PathBuf {
    let hex = hex(id);
    let folder = root.join(".build-id").join(&hex[..2]);
    fs::create_dir_all(&folder).expect("there is room");
    folder.join(format!("{}.debug", &hex[2..]))
}

fn id(path: &Path) -> Vec<u8> {
    image(path).build_id.expect("the linker gave it one")
}

#[test]
fn a_debug_package_tells_the_lines_of_a_stripped_program() {
    let folder = tempfile::tempdir().expect("there is room");
    let (whole, address, known) = program();
    let stripped = folder.path().join("stripped");
    objcopy(&["--strip-all"], &whole, &stripped);
    let (places, gaps) = place(&image(&stripped), address, &alone());
    assert_eq!(places, []);
    assert_eq!(gaps.len(), 1);
    assert!(
        gaps[0].starts_with("source lines of ") && gaps[0].contains("has no debug information"),
        "{gaps:?}"
    );
    let how = Lookup { debug_directories: vec![folder.path().into()], ..Lookup::default() };
    objcopy(&["--only-keep-debug"], &whole, &packaged(folder.path(), &id(&whole)));
    assert_eq!(place(&image(&stripped), address, &how), (known.clone(), Vec::new()));
    // It serves a program that is gone, too.
    let gone = ImageId { path: "/no/such/program".into(), build_id: Some(id(&whole)) };
    assert_eq!(place(&gone, address, &how), (known, Vec::new()));
}

#[test]
fn a_debug_package_of_another_build_is_not_used() {
    let folder = tempfile::tempdir().expect("there is room");
    let (whole, address, _) = program();
    let stripped = folder.path().join("stripped");
    objcopy(&["--strip-all"], &whole, &stripped);
    let other = Program::build("leakkinds.c").flag("-O1").path().expect("it compiles");
    objcopy(&["--only-keep-debug"], &other, &packaged(folder.path(), &id(&whole)));
    let how = Lookup { debug_directories: vec![folder.path().into()], ..Lookup::default() };
    assert_eq!(place(&image(&stripped), address, &how).0, []);
}

#[test]
fn a_link_leads_to_the_debug_file_when_its_checksum_is_right() {
    let folder = tempfile::tempdir().expect("there is room");
    let whole =
        Program::build("leakkinds.c").flag("-O2").flag("-Wl,--build-id=none").path().expect("it compiles");
    let address = function(&whole, "lose_chain");
    let (known, _) = place(&image(&whole), address, &alone());
    let (debug, stripped) = (folder.path().join("split.debug"), folder.path().join("stripped"));
    objcopy(&["--only-keep-debug"], &whole, &debug);
    let link = format!("--add-gnu-debuglink={}", debug.display());
    objcopy(&["--strip-all", &link], &whole, &stripped);
    let found = |how: &Lookup| place(&image(&stripped), address, how).0;
    assert_eq!(found(&alone()), known);
    let hidden = folder.path().join(".debug");
    fs::create_dir(&hidden).expect("there is room");
    fs::rename(&debug, hidden.join("split.debug")).expect("it is there");
    assert_eq!(found(&alone()), known);
    let packages = folder.path().join("packages");
    let inside = packages.join(folder.path().strip_prefix("/").expect("it is absolute"));
    fs::create_dir_all(&inside).expect("there is room");
    fs::rename(hidden.join("split.debug"), inside.join("split.debug")).expect("it is there");
    let how = Lookup { debug_directories: vec![packages], ..Lookup::default() };
    assert_eq!(found(&how), known);
    let mut bytes = fs::read(inside.join("split.debug")).expect("it is there");
    bytes.push(0);
    fs::write(inside.join("split.debug"), bytes).expect("there is room");
    assert_eq!(found(&how), []);
}

#[test]
fn a_program_that_was_built_anew_is_not_asked() {
    let folder = tempfile::tempdir().expect("there is room");
    let (whole, address, known) = program();
    let anew = folder.path().join("program");
    objcopy(&[], &Program::build("leakkinds.c").flag("-O1").path().expect("it compiles"), &anew);
    let recorded = ImageId { path: anew.clone(), ..image(&whole) };
    let (places, gaps) = place(&recorded, address, &alone());
    assert_eq!(places, []);
    assert!(gaps.len() == 1 && gaps[0].contains("was built anew since"), "{gaps:?}");
    // In another root stands the one that ran.
    let inside = folder.path().join("root").join(anew.strip_prefix("/").expect("it is absolute"));
    fs::create_dir_all(inside.parent().expect("it has a folder")).expect("there is room");
    objcopy(&[], &whole, &inside);
    let how = Lookup { roots: vec![folder.path().join("root")], ..alone() };
    assert_eq!(place(&recorded, address, &how), (known, Vec::new()));
}

#[test]
fn without_a_build_id_a_gap_says_that_nothing_was_compared() {
    let (whole, address, known) = program();
    let (places, gaps) = place(&ImageId { path: whole, build_id: None }, address, &alone());
    assert_eq!(places, known);
    assert!(gaps.len() == 1 && gaps[0].contains("has no build ID"), "{gaps:?}");
}

/// A function that nobody outside calls stands behind one that is exported: it is not called by the name of that.
#[test]
fn a_stripped_program_gets_no_wrong_names() {
    let folder = tempfile::tempdir().expect("there is room");
    let source = folder.path().join("library.c");
    let text = "int hidden(int x);\n\
                __attribute__((visibility(\"default\"))) int shown(int x) { return hidden(x) + 1; }\n\
                __attribute__((visibility(\"hidden\"), noinline)) int hidden(int x) { return x * x; }\n\
                __asm__(\".text\\n.globl bare\\n.type bare, @function\\nbare: nop\\nnop\\nret\\n\");\n\
                __asm__(\".type unseen, @function\\nunseen: nop\\nret\\n.size unseen, .-unseen\\n\");\n";
    fs::write(&source, text).expect("there is room");
    let whole = folder.path().join("library.so");
    let text = |path: &Path| path.to_str().expect("a plain path").to_owned();
    let flags = ["-shared", "-fPIC", "-O1", "-o"].map(str::to_owned);
    run("cc", &flags.into_iter().chain([text(&whole), text(&source)]).collect::<Vec<_>>());
    let stripped = folder.path().join("stripped.so");
    objcopy(&["--strip-all"], &whole, &stripped);
    let name = |path: &Path, address: u64| {
        let (mut places, _) = place(&image(path), address, &alone());
        places.pop().and_then(|place| place.function)
    };
    let (hidden, shown, bare) =
        (function(&whole, "hidden"), function(&whole, "shown"), function(&whole, "bare"));
    let unseen = function(&whole, "unseen");
    for (address, at_most, in_stripped) in [
        (shown, "shown", Some("shown")),
        (shown + 1, "shown", Some("shown")),
        (hidden, "hidden", None),
        (hidden + 2, "hidden", None),
        (bare, "bare", Some("bare")),
        (bare + 2, "bare", None),
        (unseen, "unseen", None),
        (unseen + 1, "unseen", None),
    ] {
        assert_eq!(name(&whole, address).as_deref(), Some(at_most), "{address:#x}");
        assert_eq!(name(&stripped, address).as_deref(), in_stripped, "{address:#x}");
    }
}

/// Debian's debug packages have what several programs share in a file of its own.
#[test]
fn tables_that_programs_share_are_found() {
    let folder = tempfile::tempdir().expect("there is room");
    let inside = |name: &str| folder.path().join(name).to_str().expect("a plain path").to_owned();
    for version in ["-gdwarf-4", "-gdwarf-5"] {
        let built = |flag: &str| Program::build("leakkinds.cpp").flag("-O2").flag(version).flag(flag).path();
        let whole = built("-DONE").expect("it compiles");
        let addresses = addresses(&whole, 300);
        let known = alone().name(&image(&whole), &addresses);
        assert!(known.gaps.is_empty() && known.places.iter().filter(|places| places.len() > 1).count() > 50);
        fs::copy(&whole, inside("one")).expect("there is room");
        fs::copy(built("-DTWO").expect("it compiles"), inside("two")).expect("there is room");
        run("dwz", &["-m".into(), inside("shared"), inside("one"), inside("two")]);
        let one = image(Path::new(&inside("one")));
        assert!(alone().name(&one, &addresses) == known, "{version}");
        // With another file of that name, what is only there stays unknown.
        fs::copy(inside("two"), inside("shared")).expect("there is room");
        let without = alone().name(&one, &addresses);
        assert!(without.gaps.len() == 1 && without.gaps[0].why.contains("shared"), "{:?}", without.gaps);
        assert!(without.places != known.places, "{version}");
        for (without, known) in without.places.iter().flatten().zip(known.places.iter().flatten()) {
            assert!(without.function.is_none() || without.function == known.function, "{version}");
        }
    }
}

/// What `-gsplit-dwarf` leaves beside the program, in both its forms.
#[test]
fn split_debug_information_is_found_beside_the_program_and_packed() {
    for version in ["-gdwarf-4", "-gdwarf-5"] {
        let folder = tempfile::tempdir().expect("there is room");
        let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../testkit/programs/leakkinds.c");
        let inside = |name: &str| folder.path().join(name).to_str().expect("a plain path").to_owned();
        let source = source.to_str().expect("a plain path").to_owned();
        let flags = ["-O2", "-pthread", "-w", version].map(str::to_owned);
        let compile = |more: &[String]| run("cc", &[&flags, more].concat());
        compile(&["-c".into(), source.clone(), "-o".into(), inside("whole.o")]);
        compile(&["-c".into(), "-gsplit-dwarf".into(), source, "-o".into(), inside("split.o")]);
        for program in ["whole", "split"] {
            compile(&[inside(&format!("{program}.o")), "-o".into(), inside(program)]);
        }
        let (whole, split) = (PathBuf::from(inside("whole")), PathBuf::from(inside("split")));
        let addresses = addresses(&whole, 300);
        let known = alone().name(&image(&whole), &addresses).places;
        assert!(known.iter().filter(|places| places.len() > 1).count() > 10, "{version}");
        let named = || alone().name(&image(&split), &addresses);
        assert!(named().places == known, "{version}");
        assert_eq!(named().gaps, [], "{version}");
        // The packer of binutils 2.40 knows the older form only.
        if version == "-gdwarf-4" {
            run("dwp", &["-e".into(), inside("split"), "-o".into(), inside("split.dwp")]);
        }
        fs::remove_file(inside("split.dwo")).expect("it is there");
        if version == "-gdwarf-4" {
            assert!(named().places == known, "{version}, packed: {:?}", named().gaps);
            fs::remove_file(inside("split.dwp")).expect("it is there");
        }
        let without = named();
        assert!(without.gaps.len() == 1 && without.gaps[0].why.contains("split.dwo"), "{:?}", without.gaps);
        // Functions come from the symbols then, and lines stay.
        for (places, known) in without.places.iter().zip(&known) {
            assert!(places.len() <= 1);
            let (place, known) = (places.first(), known.first());
            assert_eq!(place.map(|place| place.line), known.map(|place| place.line), "{version}");
        }
    }
}
