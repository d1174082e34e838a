//! What is held of a process, and of the same process in a core.

use residue_model::{Address, Memory};
use residue_target::live::linux::{DumpOptions, ProcDir, dump};
use residue_target::{StillProgress, Stillness, Target, open_dump};
use residue_testkit::Program;

use super::{Busy, WAYS, bytes, letters, process, still};

#[test]
fn memory_is_what_the_program_wrote() {
    let pulse = Program::build("pulse").spawn(&["mib=24"]);
    for how in WAYS {
        let still = still(&pulse, how);
        let held = bytes(&still, pulse.number("start"), 24 << 20).expect("all of it is there");
        let mut state = 88_172_645_463_325_252_u64;
        for (number, word) in held.chunks_exact(8).enumerate() {
            state ^= state << 13;
            state ^= state >> 7;
            state ^= state << 17;
            assert_eq!(u64::from_le_bytes(word.try_into().expect("eight")), state, "{how:?}: word {number}");
        }
        assert_eq!(still.stop.expect("it was running").forking.is_some(), how == Stillness::Forked);
    }
}

#[test]
fn guards_and_untouched_pages_are_not_held_and_their_neighbours_are() {
    let posed = Program::build("posed").spawn(&[]);
    for how in WAYS {
        let still = still(&posed, how);
        if posed.number("guards") == 1 {
            assert_eq!(letters(&still, posed.number("guarded"), 8), "abcd-fgh", "{how:?}");
        }
        assert_eq!(letters(&still, posed.number("fenced"), 8), "aaaa-fff", "{how:?}");
        // The program may not read it now.
        assert_eq!(letters(&still, posed.number("hidden"), 8), "abcd-fgh", "{how:?}");
        // Of a gibibyte, the three pages that were touched.
        let sparse = posed.number("sparse");
        let all = posed.number("sparse_bytes");
        let page = |at: u64| bytes(&still, sparse + at, 4096).map(|bytes| bytes[0]);
        assert_eq!((page(0), page(4096), page(all / 2)), (Some(b'x'), None, Some(b'y')), "{how:?}");
        assert_eq!(bytes(&still, sparse + all - 1, 1), Some(vec![b'z']), "{how:?}");
        // What a dump should leave out can point to blocks all the same.
        assert_eq!(letters(&still, posed.number("secret"), 8), "abcdefgh", "{how:?}");
        // Variables, the heap, and the stack.
        let text = b"residue stood here";
        assert_eq!(bytes(&still, posed.number("text"), text.len()).as_deref(), Some(&text[..]));
        assert_eq!(bytes(&still, posed.number("modified"), 8).as_deref(), Some(&b"modified"[..]));
        let pieces = still.pieces();
        assert!(pieces.0.windows(2).all(|pair| pair[0].0.0 + (pair[0].1.len() as u64) < pair[1].0.0));
    }
}

/// A gibibyte of shared memory that the program has never touched stays so.
#[test]
fn nothing_is_touched_on_behalf_of_the_program() {
    let posed = Program::build("posed").spawn(&["threads=0"]);
    for how in WAYS {
        let rss =
            |still: &residue_target::Still<'_>| still.snapshot.process.footprint.rss.expect("it is told").0;
        let before = rss(&still(&posed, how));
        let after = rss(&still(&posed, how));
        assert!(after < before + (1 << 20), "{how:?}: {before} became {after}");
    }
}

#[test]
fn every_thread_has_its_registers() {
    let busy = Busy::start("registers", &["holding=1", "computing=1"]);
    for how in WAYS {
        let still = still(&busy.running, how);
        let threads = &still.snapshot.threads;
        assert_eq!(threads.len(), 8, "{how:?}");
        assert!(threads[0].is_main);
        if how == Stillness::Running {
            assert!(threads.iter().all(|thread| thread.registers.is_empty()));
            continue;
        }
        let regions = &still.snapshot.regions;
        for thread in threads {
            let pointer = thread.stack_pointer.expect("it was stopped");
            assert!(regions.iter().any(|region| region.range.contains(pointer) && region.protection.write));
            assert_eq!(thread.name, "busy");
        }
        #[cfg(target_arch = "x86_64")]
        {
            let holder = u32::try_from(busy.running.number("holder")).expect("a number of a thread");
            let holder = threads.iter().find(|thread| thread.tid == holder).expect("it is there");
            assert_eq!(holder.registers.len(), 27);
            assert_eq!(holder.registers[2..4], [0x99aa_bbcc_ddee_ff00, 0x1122_3344_5566_7788], "{how:?}");
            assert_eq!(holder.thread_pointer, Some(Address(busy.running.number("holder_self"))));
        }
    }
}

#[test]
fn the_cost_is_told_before_and_after() {
    let pulse = Program::build("pulse").spawn(&["mib=64"]);
    let process = process(pulse.pid());
    for how in WAYS {
        let mut told = Vec::new();
        let still = process.still(how, &mut |progress| told.push(progress)).expect("it can be held");
        let stop = still.stop.expect("it was running");
        let StillProgress::Estimated(estimate) = told[0] else { panic!("{told:?}") };
        assert_eq!(estimate.stopped, stop.estimated);
        assert!(estimate.size.0.abs_diff(stop.copied.0) < 1 << 20, "{estimate:?}, {stop:?}");
        if how == Stillness::Running {
            assert_eq!((told.len(), stop.measured.as_nanos()), (1, 0));
        } else {
            assert_eq!(told[1..], [StillProgress::Stopped, StillProgress::Resumed(stop.measured)]);
            assert!(stop.measured.as_nanos() > 0);
        }
        let pieces = still.pieces();
        assert_eq!(pieces.0.iter().map(|(_, bytes)| bytes.len() as u64).sum::<u64>(), stop.copied.0);
    }
}

/// The core is written after the process was held: what did not change meanwhile is the same.
#[test]
fn a_core_is_borrowed_and_has_the_same_registers() {
    let posed = Program::build("posed").spawn(&[]);
    let folder = tempfile::tempdir().expect("there is a folder for temporary files");
    let path = folder.path().join("core");
    let live = still(&posed, Stillness::Stopped);
    let proc_dir = ProcDir::open().expect("tests run where /proc is mounted");
    dump(&proc_dir, residue_model::ProcessId(posed.pid()), &DumpOptions::default(), &path, &mut |_| {})
        .expect("it can be written");
    let core = open_dump(path.to_str().expect("a plain path"), &mut |_, _| {}).expect("it is a core");
    for how in WAYS {
        let dead = core.still(how, &mut |progress| panic!("{progress:?} of a file")).expect("it stands");
        assert_eq!(dead.stop, None);
        assert_eq!(letters(&dead, posed.number("fenced"), 8), "aaaa-fff");
        let (mut here, mut there) = ([0; 64], [0; 64]);
        let at = Address(posed.number("modified"));
        assert_eq!(
            (live.pieces().read(at, &mut here), core.memory().expect("it has").read(at, &mut there)),
            (64, 64)
        );
        assert_eq!(here, there);
        let blocked = |still: &residue_target::Still<'_>| -> Vec<_> {
            let threads = still.snapshot.threads.iter().filter(|thread| thread.tid == posed.pid());
            threads
                .map(|thread| (thread.registers.clone(), thread.stack_pointer, thread.thread_pointer))
                .collect()
        };
        let (ours, theirs) = (blocked(&live), blocked(&dead));
        assert_eq!(ours.len(), 1);
        assert!(!ours[0].0.is_empty());
        assert_eq!(ours, theirs, "the main thread waits for a line, in both");
    }
}
