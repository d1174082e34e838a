//! The header that is committed is the one that the code makes.

use std::fs;
use std::process::Command;

use cbindgen::{Builder, Config};

use crate::harness::{here, scratch};

#[test]
fn the_header_is_the_one_that_the_code_makes() {
    let config = Config::from_file(here().join("cbindgen.toml")).expect("cbindgen.toml is one");
    let bindings =
        Builder::new().with_crate(here()).with_config(config).generate().expect("the code can be read");
    let mut made = Vec::new();
    bindings.write(&mut made);
    let made = String::from_utf8(made).expect("it is text");
    let path = here().join("include/residue.h");
    if std::env::var_os("RESIDUE_BLESS").is_some() {
        fs::write(&path, &made).expect("it can be written");
    }
    let committed = fs::read_to_string(&path).unwrap_or_default();
    let line = made.lines().zip(committed.lines()).position(|(made, committed)| made != committed);
    assert!(
        made == committed,
        "include/residue.h is not what the code makes, from line {} on: RESIDUE_BLESS=1 cargo test -p residue-capi header",
        line.map_or_else(|| "the end".into(), |line| (line + 1).to_string()),
    );
}

/// Each language that reads C headers is stricter in its own way.
#[test]
fn the_header_is_good_c99_and_good_cpp() {
    let folder = scratch("header");
    for (name, compiler, standard) in [("use.c", "cc", "-std=c99"), ("use.cpp", "c++", "-std=c++11")] {
        let source = folder.join(name);
        let text = "#include <residue.h>\nint main(void) { struct residue_sample sample; sample.size = sizeof sample;\n\
             return (int)residue_sample((struct residue_process *)0, &sample) + (int)sizeof(residue_status); }\n";
        fs::write(&source, text).expect("it can be written");
        let mut command = Command::new(compiler);
        command.args([standard, "-Wall", "-Wextra", "-Wpedantic", "-Werror", "-fsyntax-only", "-I"]);
        let output = command.arg(here().join("include")).arg(&source).output().expect("a compiler");
        assert!(output.status.success(), "{name}: {}", String::from_utf8_lossy(&output.stderr));
    }
}
