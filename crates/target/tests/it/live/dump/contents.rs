//! What of a process is in its core, and what is not.

use std::fs;
use std::os::unix::fs::MetadataExt;
use std::process::{Command, Stdio};

use residue_model::Bytes;
use residue_target::DumpProgress;
use residue_target::live::linux::{DumpOptions, dump, estimate};
use residue_testkit::Program;

use super::core_file::Load;
use super::{CoreFile, Folder, await_state, dumped, pid, proc_dir, signal};

const NONE: DumpOptions<'static> = DumpOptions {
    all_files: false,
    excluded: false,
    compress: false,
    force: false,
    staging: None,
    interrupted: &|| false,
};

fn letters(text: &str) -> Vec<Option<char>> {
    text.chars().map(|letter| (letter != '-').then_some(letter)).collect()
}

#[test]
fn guards_and_fences_are_left_out_and_what_stands_beside_them_is_not() {
    let posed = Program::build("posed").spawn(&[]);
    let folder = Folder::new();
    dumped(pid(&posed), &NONE, &folder.core());
    let core = CoreFile::open(&folder.core());

    if posed.number("guards") == 1 {
        assert_eq!(core.letters(posed.number("guarded"), 8), letters("abcd-fgh"));
    }
    assert_eq!(core.letters(posed.number("fenced"), 8), letters("aaaa-fff"));
    // Protected after it was written: the program cannot read it now, and the core has it.
    assert_eq!(core.letters(posed.number("hidden"), 8), letters("abcdefgh"));
}

#[test]
fn a_gibibyte_with_three_touched_pages_takes_no_mebibyte_of_the_disk() {
    let posed = Program::build("posed").spawn(&[]);
    let folder = Folder::new();
    let found = dumped(pid(&posed), &NONE, &folder.core());

    let file = fs::metadata(folder.core()).expect("it is there");
    assert_eq!((found.file_size, found.disk), (Bytes(file.len()), Bytes(file.blocks() * 512)));
    assert!(found.file_size > Bytes::gib(1) && found.disk < Bytes::mib(1), "{found:?}");
    let (core, start, size) =
        (CoreFile::open(&folder.core()), posed.number("sparse"), posed.number("sparse_bytes"));
    let byte = |at: u64| core.bytes(start + at, 1).map(|bytes| bytes[0]);
    assert_eq!((byte(0), byte(1)), (Some(b'x'), Some(0)));
    assert_eq!((byte(size / 2), byte(size - 4096), byte(size - 1)), (Some(b'y'), Some(0), Some(b'z')));
    // Touched, but zero.
    assert_eq!(core.bytes(posed.number("zeros"), 1 << 20), Some(vec![0; 1 << 20]));
}

#[test]
fn what_the_program_asks_to_leave_out_is_named_and_can_be_had() {
    let posed = Program::build("posed").spawn(&[]);
    let folder = Folder::new();
    let found = dumped(pid(&posed), &NONE, &folder.core());
    assert_eq!(CoreFile::open(&folder.core()).letters(posed.number("secret"), 8), letters("--------"));
    assert!(found.gaps.iter().any(|gap| gap.what.starts_with("32768 bytes") && gap.why.contains("DONTDUMP")));

    let all = DumpOptions { excluded: true, force: true, ..NONE };
    let found = dumped(pid(&posed), &all, &folder.core());
    assert_eq!(CoreFile::open(&folder.core()).letters(posed.number("secret"), 8), letters("abcdefgh"));
    assert_eq!(found.gaps, []);
}

/// It is not in the page table of the process, and still what it would read there. Needs root.
#[test]
fn shared_memory_that_another_process_wrote_is_saved() {
    let posed = Program::build("posed").spawn(&[]);
    let folder = Folder::new();
    dumped(pid(&posed), &NONE, &folder.core());
    let inherited = CoreFile::open(&folder.core()).letters(posed.number("inherited"), 5);
    assert_eq!(inherited, [Some('\0'), Some('\0'), Some('\0'), Some('i'), Some('\0')]);
}

#[test]
fn all_files_are_saved_on_demand_and_a_page_behind_the_end_of_one_is_a_gap() {
    let posed = Program::build("posed").spawn(&[]);
    let folder = Folder::new();
    let text = |core: &CoreFile| {
        let text = core.loads.iter().filter(|load| !load.writable && load.filed == load.size);
        text.map(|load| load.size).sum::<u64>()
    };
    dumped(pid(&posed), &NONE, &folder.core());
    let small = text(&CoreFile::open(&folder.core()));

    let found = dumped(pid(&posed), &DumpOptions { all_files: true, force: true, ..NONE }, &folder.core());
    let core = CoreFile::open(&folder.core());
    assert!(text(&core) > small + (1 << 20), "the C library alone has more");
    assert_eq!(core.letters(posed.number("cut"), 4), [Some('\0'), Some('\0'), None, None]);
    let cut = format!("8192 bytes of process {} in 1 places, the first at ", posed.pid());
    assert!(found.gaps.iter().any(|gap| gap.what.starts_with(&cut)), "{:?}", found.gaps);
}

/// Both of the same stopped process, so that nothing moves between them.
#[test]
fn writable_memory_is_what_gcore_says() {
    let posed = Program::build("posed").spawn(&["threads=8"]);
    let who = pid(&posed);
    let folder = Folder::new();
    signal(who, "-STOP");
    await_state(who, 'T');
    let made = Command::new("gcore")
        .args(["-o", &folder.core().display().to_string(), &who.to_string()])
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .status();
    assert!(made.is_ok_and(|status| status.success()), "gdb is installed");
    await_state(who, 'T');
    dumped(who, &NONE, &folder.core());
    let (ours, theirs) =
        (CoreFile::open(&folder.core()), CoreFile::open(&folder.core().with_extension(who.to_string())));

    let mut compared = 0;
    // Of a region with a guard in it gdb 13 shows nothing but zeros, and the gibibyte takes long.
    let left_out = [posed.number("guarded"), posed.number("sparse")];
    let in_both = |load: &&Load| load.writable && load.filed > 0 && !left_out.contains(&load.address);
    for load in theirs.loads.iter().filter(in_both) {
        for page in (load.address..load.address + load.filed).step_by(4096) {
            let their = theirs.bytes(page, 4096).expect("it says so");
            match ours.bytes(page, 4096) {
                Some(our) => assert!(our == their, "the page at {page:#x} differs"),
                // It shows guards as zeros.
                None => assert!(their.iter().all(|&byte| byte == 0), "the page at {page:#x} is missing"),
            }
            compared += 1;
        }
    }
    assert!(compared > 1000, "{compared} pages");
    let mut threads = theirs.threads();
    threads.sort_unstable();
    let mut our_threads = ours.threads();
    our_threads.sort_unstable();
    assert_eq!(our_threads, threads);
}

#[test]
fn a_compressed_core_is_the_same() {
    let posed = Program::build("posed").spawn(&["threads=0", "sparse_mib=16"]);
    let folder = Folder::new();
    signal(pid(&posed), "-STOP");
    await_state(pid(&posed), 'T');
    dumped(pid(&posed), &NONE, &folder.core());
    let path = folder.core().with_extension("zst");
    let mut told = Vec::new();
    let options = DumpOptions { compress: true, ..NONE };
    let found = dump(&proc_dir(), pid(&posed), &options, &path, &mut |progress| told.push(progress))
        .expect("it can be compressed");

    assert!(found.file_size < Bytes::mib(1), "{found:?}");
    assert_eq!(folder.names().len(), 2);
    let stopped = told.iter().position(|progress| *progress == DumpProgress::Stopped);
    let resumed = told.iter().position(|progress| matches!(progress, DumpProgress::Resumed(_)));
    let compressed = told.iter().position(|progress| matches!(progress, DumpProgress::Compressed(..)));
    assert!(stopped.is_some() && stopped < resumed && resumed < compressed, "{told:?}");
    assert!(told.contains(&DumpProgress::Copied(found.saved, found.saved)));
    let plain = folder.core().with_extension("plain");
    zstd::stream::copy_decode(
        fs::File::open(&path).expect("it is there"),
        fs::File::create(&plain).expect("there is room"),
    )
    .expect("it is whole");
    let (ours, theirs) = (CoreFile::open(&folder.core()), CoreFile::open(&plain));
    assert_eq!(ours.notes, theirs.notes);
    let start = posed.number("hidden");
    assert_eq!(ours.bytes(start, 4096), theirs.bytes(start, 4096));
    assert_eq!(ours.loads.len(), theirs.loads.len());
}

/// With room for less than there is, chunks go round while the process stands.
#[test]
fn memory_larger_than_the_staging_is_copied_whole() {
    let pulse = Program::build("pulse").spawn(&["mib=100"]);
    let folder = Folder::new();
    let options = DumpOptions { staging: Some(Bytes::mib(1)), ..NONE };
    let expected = estimate(&proc_dir(), pid(&pulse), &options).expect("it runs");
    let found = dumped(pid(&pulse), &options, &folder.core());

    assert_eq!((expected.staging, expected.stopped), (Bytes::mib(16), found.estimate));
    assert!(expected.size.0.abs_diff(found.saved.0) < 1 << 20, "{expected:?}, {found:?}");
    let core = CoreFile::open(&folder.core());
    let bytes = core.bytes(pulse.number("start"), 100 << 20).expect("all of it is there");
    let mut state = 88_172_645_463_325_252_u64;
    for (number, word) in bytes.chunks_exact(8).enumerate() {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        assert_eq!(u64::from_le_bytes(word.try_into().expect("eight")), state, "word {number}");
    }
}
