//! `residue.pc`, filled in as an installation would.

use std::env;
use std::fs;
use std::process::Command;

use crate::harness::{built, here, said, scratch};

#[test]
fn a_program_finds_the_library_by_its_package_file() {
    let folder = scratch("package");
    let include = here().join("include");
    let template = fs::read_to_string(here().join("residue.pc.in")).expect("it is there");
    let filled = template
        .replace("@prefix@", &folder.display().to_string())
        .replace("@libdir@", &built().display().to_string())
        .replace("@includedir@", &include.display().to_string())
        .replace("@version@", env!("CARGO_PKG_VERSION"));
    assert!(!filled.contains('@'), "{filled}");
    fs::write(folder.join("residue.pc"), filled).expect("it can be written");
    let asked = |arguments: &[&str]| {
        said(Command::new("pkg-config").env("PKG_CONFIG_PATH", &folder).args(arguments).arg("residue"))
    };
    assert_eq!(asked(&["--modversion"]).trim(), env!("CARGO_PKG_VERSION"));
    let flags = asked(&["--cflags", "--libs"]);
    let program = folder.join("watch");
    let mut cc = Command::new("cc");
    cc.arg(here().join("examples/watch.c")).arg("-o").arg(&program).args(flags.split_whitespace());
    said(&mut cc);
    let watched = said(Command::new(&program).env("LD_LIBRARY_PATH", built()).args(["self", "1", "1"]));
    assert!(watched.contains("working set"), "{watched}");

    // Without the shared library: all of it goes into the program.
    let private = asked(&["--libs-only-l", "--static"]);
    let private = private.split_whitespace().filter(|flag| *flag != "-lresidue");
    let program = folder.join("watch-static");
    let mut cc = Command::new("cc");
    cc.arg("-I").arg(&include).arg(here().join("examples/watch.c")).arg(built().join("libresidue.a"));
    said(cc.args(private).arg("-o").arg(&program));
    let watched = said(Command::new(&program).args(["self", "1", "1"]));
    assert!(watched.contains("working set"), "{watched}");
}
