//! `read`: the bytes of memory as a program says that they are, and as the kernel shows them.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use serde_json::Value;

use crate::harness::dumped::Dumped;
use crate::harness::folder::Folder;
use crate::harness::{address, number, residue, rows, text, word};

fn needles() -> Dumped {
    Dumped::of("needles", &[])
}

/// Bytes that a document writes in hexadecimal.
#[track_caller]
fn bytes(piece: &Value) -> Vec<u8> {
    let (pairs, rest) = word(piece, "hex").as_bytes().as_chunks::<2>();
    assert!(rest.is_empty());
    let byte =
        |pair: &[u8; 2]| u8::from_str_radix(str::from_utf8(pair).expect("ASCII"), 16).expect("hexadecimal");
    pairs.iter().map(byte).collect()
}

/// As debuggers show it: whole lines of sixteen, of which only what was asked for is filled.
#[test]
fn bytes_are_shown_in_lines_of_sixteen() {
    let dumped = needles();

    for target in dumped.targets() {
        assert_eq!(
            text(&["read", &target, "0x100000007ffb", "32"]),
            "0000100000007ff0                                    74 61 77 6e 79             tawny\n\
             0000100000008000  20 6f 77 6c 20 34 37 31  31 00 00 00 00 00 00 00   owl 4711.......\n\
             0000100000008010  00 00 00 00 00 00 00 00  00 00 00                 ...........\n"
        );
    }
}

#[test]
fn an_address_is_written_as_any_debugger_does() {
    let dumped = needles();
    let plain = text(&["read", &dumped.core, "0x100000007ffb", "0x10"]);

    assert_eq!(text(&["read", &dumped.core, "100000007ffb", "16"]), plain);
    assert_eq!(text(&["read", &dumped.core, "1000`00007ffb", "16"]), plain);
}

#[test]
fn a_document_holds_the_bytes_that_the_process_has() {
    let dumped = needles();
    let start = dumped.program.number("pond") + 0x2000;

    for read in dumped.documents("read", &[&format!("{start:#x}"), "24K"]) {
        assert_eq!((address(&read, "start"), address(&read, "end")), (start, start + (24 << 10)));
        assert_eq!((number(&read, "read"), number(&read, "missing")), (24 << 10, 0));
        let [piece] = rows(&read, "pieces") else { panic!("one piece: {read}") };
        assert_eq!((address(piece, "address"), number(piece, "size")), (start, 24 << 10));
        assert!(bytes(piece) == dumped.memory(start, 24 << 10), "other bytes than the kernel shows");
    }
}

/// Behind the pond stands a fence without access. Zeros instead of it would be a lie.
#[test]
fn what_cannot_be_read_is_shown_and_counted() {
    let dumped = needles();
    let end = dumped.program.number("pond") + dumped.program.number("pond_bytes");
    let start = format!("{:#x}", end - 16);

    for target in dumped.targets() {
        let said = text(&["read", &target, &start, "24"]);
        assert!(said.contains("\n0000100040040000  ?? ?? ?? ?? ?? ?? ?? ??\n"), "{said}");
        assert!(said.contains("8 of 24 bytes cannot be read"), "{said}");
        let long = text(&["read", &target, &start, "1M"]);
        assert!(long.lines().count() < 10 && long.contains("1048560 of 1048576 bytes"), "{long}");
    }
    for read in dumped.documents("read", &[&start, "0x40"]) {
        assert_eq!((number(&read, "read"), number(&read, "missing")), (16, 48));
        assert_eq!(rows(&read, "pieces").len(), 1);
        assert_eq!(bytes(&rows(&read, "pieces")[0]), [0; 16]);
    }
}

#[test]
fn a_place_where_nothing_can_be_read_is_an_error() {
    let dumped = needles();
    let fence = dumped.program.number("pond") + dumped.program.number("pond_bytes");

    for target in dumped.targets() {
        for place in [fence, fence + (64 << 10), 0x10] {
            let file = dumped.folder.file("nothing.bin");
            let ran = residue(&["read", &target, &format!("{place:#x}"), "16"]).ended(3);
            assert!(ran.out.is_empty(), "{}", ran.text());
            ran.says(&["error: ", &format!("{place:#x}"), "help: ", "residue map"]);
            residue(&["read", &target, &format!("{place:#x}"), "16", "-o", &file]).ended(3);
            assert!(!Path::new(&file).exists(), "a file of zeros would look like memory");
        }
    }
}

#[test]
fn a_file_holds_the_bytes_as_they_are() {
    let dumped = needles();
    let start = dumped.program.number("meadow");

    for (number, target) in dumped.targets().iter().enumerate() {
        let file = dumped.folder.file(&format!("meadow{number}.bin"));
        let ran = residue(&["read", target, &format!("{start:#x}"), "20M", "-o", &file]).good();

        assert!(ran.text().contains("wrote ") && ran.text().contains("20.0 MiB"), "{}", ran.text());
        let written = fs::read(&file).expect("it was written");
        assert!(written == dumped.memory(start, 20 << 20), "other bytes than the kernel shows");
    }
}

/// An offset in the file is a distance in memory, so a hole keeps its place.
#[test]
fn a_hole_in_a_file_is_zeros_and_is_said() {
    let dumped = needles();
    let end = dumped.program.number("pond") + dumped.program.number("pond_bytes");
    let file = dumped.folder.file("hole.bin");

    let ran =
        residue(&["read", &dumped.core, &format!("{:#x}", end - 4096), "8K", "-o", &file, "--json"]).good();

    let written = ran.json();
    assert_eq!((number(&written, "read"), number(&written, "missing")), (4096, 4096));
    assert_eq!(word(&rows(&written, "files")[0], "file"), file);
    assert_eq!(fs::metadata(&file).expect("it was written").len(), 8192);
}

/// Memory holds secrets: a file of it is as private as a core.
#[test]
fn a_file_of_memory_is_its_owners_alone() {
    let dumped = needles();
    let file = dumped.folder.file("pond.bin");

    residue(&["read", &dumped.core, "0x100040000000", "4K", "-o", &file]).good();

    let mode = fs::metadata(&file).expect("it was written").permissions().mode();
    assert_eq!(mode & 0o777, 0o600, "{mode:o}");
}

#[test]
fn nothing_is_overwritten() {
    let dumped = needles();
    let file = dumped.folder.with("kept.bin", "kept");

    let ran = residue(&["read", &dumped.core, "0x100040000000", "4K", "-o", &file]).ended(4);

    ran.says(&["error: ", &file, "help: ", "another name"]);
    assert_eq!(fs::read(&file).expect("it is there"), b"kept");
    let beyond = dumped.folder.file("no-such-folder/pond.bin");
    residue(&["read", &dumped.core, "0x100040000000", "4K", "-o", &beyond])
        .ended(4)
        .says(&["error: ", &beyond]);
}

/// All of the text and nothing else, in one piece however memory is read: it stands across 1 and 16 MiB too.
#[test]
fn text_is_shown_a_line_each() {
    let dumped = needles();
    let meadow = "100000000000  tawny owl 4711\n100000007ffb  tawny owl 4711\n10000000bffb  tawny owl 4711\n\
                  100000030000  wing_id=7\n100000030100  wing_id=42\n1000000ffffd  tawny owl 4711\n\
                  100000fffff9  tawny owl 4711\n1000013ffff2  tawny owl 4711\n";

    for target in dumped.targets() {
        assert_eq!(text(&["read", &target, "0x100000000000", "20M", "--text"]), meadow, "{target}");
        let long = text(&["read", &target, "0x100040000000", "256K", "--text", "--min-length", "14"]);
        assert_eq!(long.lines().count(), 4, "{long}");
        assert!(!long.contains("wing_id"), "{long}");
    }
}

/// Every command prints one document with `--json`.
#[test]
fn text_comes_as_a_document_too() {
    let dumped = needles();

    let ran = residue(&["read", &dumped.core, "0x100000000000", "64K", "--text", "--json"]).good();

    assert_eq!(ran.json()["schema"], "residue.read/1");
}

/// `.writemem` in a loop over `!address`: a file a region, named by where it stood.
#[test]
fn every_region_that_fits_becomes_a_file() {
    let dumped = Dumped::of("pages", &["count=30"]);
    let (first, stride) = (dumped.program.number("first"), dumped.program.number("stride"));

    for (number, target) in dumped.targets().iter().enumerate() {
        let folder = dumped.folder.file(&format!("new/regions{number}"));
        let ran = residue(&["read", target, "--all-matching", "size=0x20000", "-o", &folder]).good();

        assert!(ran.text().contains("30 files") && ran.text().contains("3.8 MiB"), "{}", ran.text());
        assert_eq!(fs::read_dir(&folder).expect("it was made").count(), 30);
        for block in (0..30).map(|index| first + index * stride) {
            let path = format!("{folder}/{block:x}-{:x}.bin", block + 0x20000);
            let written = fs::read(&path).unwrap_or_else(|error| panic!("{path}: {error}"));
            assert!(written == dumped.memory(block, 0x20000), "{path}: other bytes than the kernel shows");
        }
        residue(&["read", target, "--all-matching", "size=0x20000", "-o", &folder])
            .ended(4)
            .says(&["error: ", &folder]);
    }
}

#[test]
fn the_files_of_all_regions_are_listed_in_a_document() {
    let dumped = Dumped::of("pages", &["count=30"]);
    let folder = dumped.folder.file("regions");

    let ran =
        residue(&["read", &dumped.core, "--all-matching", "size=0x20000", "-o", &folder, "--json"]).good();

    let written = ran.json();
    assert_eq!((number(&written, "read"), number(&written, "missing")), (30 * 0x20000, 0));
    let starts: Vec<u64> = rows(&written, "files").iter().map(|file| address(file, "start")).collect();
    let (first, stride) = (dumped.program.number("first"), dumped.program.number("stride"));
    assert_eq!(starts, (0..30).map(|index| first + index * stride).collect::<Vec<_>>());
    for file in rows(&written, "files") {
        assert_eq!(address(file, "end") - address(file, "start"), 0x20000);
        assert!(Path::new(word(file, "file")).is_file(), "{file}");
    }
}

#[test]
fn a_request_that_makes_no_sense_is_refused() {
    let dumped = needles();
    let folder = Folder::new();
    let out = folder.file("out");

    for (arguments, words) in [
        (&["0x100000000000", "0"][..], "length"),
        (&["0x100000000000", "lots"], "`lots`"),
        (&["0x100000000000", "99999999999G"], "`99999999999G`"),
        (&["0x100000000000", "17M"], "-o FILE"),
        (&["ffffffffffffffff", "2"], "beyond the last address"),
        (&["0x100000000000", "0xffffffffffffffff"], "beyond the last address"),
        (&["nowhere", "16"], "`nowhere`"),
        (&["0x1ffffffffffffffff", "16"], "`0x1ffffffffffffffff`"),
        (&[], "address"),
        (&["--all-matching", "size=0x40000"], "-o DIR"),
        (&["--all-matching", "colour=red", "-o", &out], "`colour`"),
    ] {
        for target in dumped.targets() {
            let ran = residue(&[&["read", target.as_str()], arguments].concat()).ended(2);
            assert!(ran.out.is_empty(), "{arguments:?}: {}", ran.text());
            ran.says(&["error: ", words, "\n  help: "]);
        }
    }
    assert!(!Path::new(&out).exists());
    for arguments in [
        &["0x100000000000", "16", "-o", &out, "--text"][..],
        &["0x100000000000", "--all-matching", "size=1", "-o", &out],
    ] {
        residue(&[&["read", &dumped.core], arguments].concat()).ended(2).says(&["error: "]);
    }
}
