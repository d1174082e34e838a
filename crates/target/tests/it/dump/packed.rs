//! Dumps that were packed: the same dump, with a word about how far it is.

use std::io::Write;
use std::iter;

use flate2::Compression;
use flate2::write::GzEncoder;
use liblzma::write::XzEncoder;
use lz4_flex::frame::{BlockSize, FrameEncoder, FrameInfo};
use residue_model::Snapshot;
use residue_target::{is_dump, open_dump};

use super::elf::{Core, READ, WRITE, X86_64, page, small};
use super::{mdmp, open, path_of, try_open, why, written};

const ROOM: &str = "memory takes everything";

type Pack = fn(&[u8]) -> Vec<u8>;

const PACKINGS: [(&str, Pack); 4] = [("zstd", zstd), ("xz", xz), ("gzip", gzip), ("lz4", lz4)];

fn zstd(bytes: &[u8]) -> Vec<u8> {
    zstd::encode_all(bytes, 1).expect(ROOM)
}

fn xz(bytes: &[u8]) -> Vec<u8> {
    let mut packer = XzEncoder::new(Vec::new(), 1);
    packer.write_all(bytes).expect(ROOM);
    packer.finish().expect(ROOM)
}

fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut packer = GzEncoder::new(Vec::new(), Compression::fast());
    packer.write_all(bytes).expect(ROOM);
    packer.finish().expect(ROOM)
}

/// In small blocks: of one that is not whole nothing can be unpacked.
fn lz4(bytes: &[u8]) -> Vec<u8> {
    let small = FrameInfo::new().block_size(BlockSize::Max64KB);
    let mut packer = FrameEncoder::with_frame_info(small, Vec::new());
    packer.write_all(bytes).expect(ROOM);
    packer.finish().expect(ROOM)
}

/// A core of so many bytes that nothing packs well.
fn large(megabytes: usize) -> Vec<u8> {
    let mut state = 0x2545_f491_4f6c_dd1d_u64;
    let random = iter::repeat_with(|| {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        state.to_le_bytes()
    });
    let bytes: Vec<u8> = random.take(megabytes << 17).flatten().collect();
    small().load(0x7f22_0000_0000, READ | WRITE, &bytes).build()
}

fn without_path(mut snapshot: Snapshot) -> Snapshot {
    snapshot.dump.as_mut().expect("it is one").file.clear();
    snapshot
}

#[test]
fn a_packed_dump_is_the_dump() {
    for plain in [small().build(), mdmp::small().build()] {
        let expected = without_path(open(&plain).sound());
        for (name, pack) in PACKINGS {
            let packed = written(&pack(&plain));
            assert!(is_dump(&path_of(&packed)), "{name}");
            let opened = open(&pack(&plain));
            assert_eq!(without_path(opened.sound()), expected, "{name}");
        }
    }
}

/// Pages of zeros are left out of the temporary file: they must come back as zeros, the last ones too.
#[test]
fn zeros_survive_packing() {
    let bytes = [page(0), page(1), page(0), vec![0; 5000]].concat();
    let core = Core::of(X86_64).load(0x1_0000, READ, &bytes).build();
    for (name, pack) in PACKINGS {
        let opened = open(&pack(&core));
        assert_eq!(opened.read(0x1_0000, 0x10_0000), bytes, "{name}");
    }
}

#[test]
fn progress_rises_to_the_size_of_the_packed_file() {
    let core = large(2);
    for (name, pack) in PACKINGS {
        let file = written(&pack(&core));
        let length = file.as_file().metadata().expect("it was written").len();
        let mut told = Vec::new();
        open_dump(&path_of(&file), &mut |done, of| told.push((done, of))).expect("it is whole");
        assert!(told.len() > 2, "{name}: {told:?}");
        assert!(told.windows(2).all(|pair| pair[0].0 <= pair[1].0), "{name}: {told:?}");
        assert!(told.iter().all(|&(_, of)| of == length), "{name}: {told:?}");
        assert_eq!(told.last(), Some(&(length, length)), "{name}");
    }
}

#[test]
fn a_plain_file_has_no_progress_to_tell() {
    let file = written(&small().build());
    open_dump(&path_of(&file), &mut |_, _| panic!("nothing is unpacked")).expect("it is whole");
}

/// The disk was full, or the copy broke off: what there is gets shown, and how much is missing told.
#[test]
fn a_packed_core_that_was_cut_gives_what_it_holds() {
    let core = large(1);
    for (name, pack) in PACKINGS {
        let packed = pack(&core);
        let opened = open(&packed[..packed.len() / 2]);
        let snapshot = opened.sound();
        let reason = why(&snapshot, &format!("what the {name} file held behind its break"));
        assert!(reason.contains("cannot be unpacked to its end"), "{name}: {reason}");
        assert!(snapshot.gaps.iter().any(|gap| gap.why.contains("the core is cut off")), "{name}");
        let saved = snapshot.dump.as_ref().expect("it is one").saved.0;
        assert!((300_000..1 << 20).contains(&saved), "{name}: {saved} of half");
        assert_eq!(opened.read(0x41_5000, 0x1000), page(0x48), "{name}");
    }
}

#[test]
fn a_packed_core_cut_before_its_headers_is_refused() {
    for (name, pack) in PACKINGS {
        let packed = pack(&small().build());
        let Err(error) = try_open(&packed[..20]) else { panic!("{name} opens") };
        assert!(error.remedy().is_some(), "{name}: {error}");
    }
}

/// Files in parts, one behind the other: `cat a.zst b.zst` unpacks to both, for every tool.
#[test]
fn a_file_of_several_frames_is_read_to_its_end() {
    let core = small().build();
    let (first, second) = core.split_at(9000);
    let expected = without_path(open(&core).sound());
    for (name, pack) in &PACKINGS[..3] {
        let opened = open(&[pack(first), pack(second)].concat());
        assert_eq!(without_path(opened.sound()), expected, "{name}");
    }
}

#[cfg(target_os = "linux")]
mod linux {
    use std::process::Command;
    use std::{env, fs};

    use super::*;

    /// The temporary file has no name: whatever ends us leaves nothing behind. In a process of its own, for its TMPDIR.
    #[test]
    fn nothing_is_left_in_the_temporary_folder() {
        const CHILD: &str = "RESIDUE_TEST_PACKED";
        if let Ok(path) = env::var(CHILD) {
            let folder = env::var("TMPDIR").expect("it was set");
            let opened = open_dump(&path, &mut |_, _| {
                assert_eq!(fs::read_dir(&folder).expect("it is there").count(), 0, "while it is unpacked");
            });
            opened.expect("it is whole").snapshot().expect("it is whole");
            assert_eq!(fs::read_dir(&folder).expect("it is there").count(), 0, "while it is open");
            return;
        }
        let folder = tempfile::tempdir().expect("there is room");
        let file = written(&zstd(&large(1)));
        let name = "dump::packed::linux::nothing_is_left_in_the_temporary_folder";
        let child = Command::new(env::current_exe().expect("we run"))
            .args(["--exact", name, "--nocapture"])
            .envs([
                (CHILD, path_of(&file).as_str()),
                ("TMPDIR", folder.path().to_str().expect("a plain path")),
            ])
            .output()
            .expect("we run");
        let said = String::from_utf8_lossy(&child.stdout);
        assert!(
            child.status.success() && said.contains("1 passed"),
            "{said}{}",
            String::from_utf8_lossy(&child.stderr)
        );
        assert_eq!(fs::read_dir(folder.path()).expect("it is there").count(), 0);
    }
}
