use residue_model::{Bytes, ProcessId, SharedSegment};
use residue_target::procfs::cgroup::{self, Membership};
use residue_target::procfs::limits::{self, ResourceLimits};
use residue_target::procfs::status::{self, Status};
use residue_target::procfs::{iomem, meminfo, statm, sysvipc};
use residue_target::{Draft, ErrorKind, File};

use crate::fixtures;

fn small(name: &str) -> Vec<u8> {
    fixtures::read(&format!("status_and_small/{name}"))
}

#[test]
fn status_of_a_real_program_is_read_to_the_page() {
    let expected = Status {
        uid: Some(0),
        vss: Some(Bytes::kib(245_788)),
        rss: Some(Bytes::kib(16_440)),
        peak_rss: Some(Bytes::kib(16_440)),
        anon: Some(Bytes::kib(6596)),
        file: Some(Bytes::kib(9844)),
        shmem: Some(Bytes::ZERO),
        swap: Some(Bytes::ZERO),
        data: Some(Bytes::kib(33_020)),
        threads: Some(4),
    };
    assert_eq!(status::parse(&small("status-linux-6.18-python")), expected);
}

/// The kinds of the resident set came with Linux 4.5.
#[test]
fn an_older_status_has_no_kinds_of_resident_memory() {
    let old = status::parse(&small("status-linux-3.2-constructed"));
    assert_eq!((old.rss, old.swap), (Some(Bytes::kib(3304)), Some(Bytes::ZERO)));
    assert_eq!((old.anon, old.file, old.shmem), (None, None, None));
}

#[test]
fn what_has_no_memory_has_no_sizes() {
    for name in ["status-linux-6.18-zombie", "status-linux-6.18-kernel-thread"] {
        let expected = Status { uid: Some(0), threads: Some(1), ..Status::default() };
        assert_eq!(status::parse(&small(name)), expected, "{name}");
    }
}

#[test]
fn a_status_without_numbers_says_nothing() {
    assert_eq!(status::parse(&small("status-damaged")), Status::default());
}

#[test]
fn pages_of_statm_are_pages() {
    let pages = statm::parse(&small("statm-linux-6.18-python")).expect("as the kernel wrote it");
    assert_eq!((pages.size, pages.resident, pages.shared), (61_447, 4110, 2461));
}

#[test]
fn the_machine_is_read_with_what_its_kernel_knows() {
    let now = meminfo::parse(&small("meminfo-linux-6.18-machine"));
    assert_eq!((now.total, now.available), (Some(Bytes::kib(24_684_092)), Some(Bytes::kib(22_540_708))));
    assert_eq!((now.cached, now.swap_total), (Some(Bytes::kib(4_826_956)), Some(Bytes::ZERO)));
    assert_eq!((now.shmem, now.slab_reclaimable), (Some(Bytes::kib(11_800)), Some(Bytes::kib(354_060))));
    let old = meminfo::parse(&small("meminfo-linux-3.2-constructed"));
    assert_eq!((old.total, old.available), (Some(Bytes::kib(24_684_092)), None));
}

#[test]
fn installed_memory_is_what_the_firmware_lists() {
    let kernel = Bytes(0x0120_9988 + 0x00a0_a000 + 0x0027_c100 + 0x0012_4000);
    let ram = Bytes(0x0009_ec00 + 0xbff0_0000 + 0x5_4000_0000);
    assert_eq!(iomem::parse(&small("iomem-linux-6.18-machine")), (Some(ram), Some(kernel)));
    assert_eq!(iomem::parse(&small("iomem-hidden-constructed")), (None, None));
}

#[test]
fn limits_are_known_only_where_they_are_set() {
    assert_eq!(limits::parse(&small("limits-linux-6.18-bash")), ResourceLimits::default());
    let bounded = ResourceLimits { address_space: Some(Bytes::gib(8)), data: Some(Bytes::gib(1)) };
    assert_eq!(limits::parse(&small("limits-bounded-constructed")), bounded);
}

#[test]
fn a_control_group_is_where_the_memory_controller_is() {
    let hybrid = cgroup::parse(&small("cgroup-hybrid-constructed"));
    assert_eq!(hybrid, Some(Membership::Memory("/box/a:b".into())));
    let unified = cgroup::parse(&small("cgroup-unified-constructed"));
    assert_eq!(unified, Some(Membership::Unified("/user.slice/user-1000.slice/session-2.scope".into())));
}

#[test]
fn segments_are_read_with_the_columns_of_today() {
    let expected =
        SharedSegment { id: 32_777, size: Bytes::mib(1), attached: 1, creator: 19_413, creator_uid: 0 };
    let segments = sysvipc::parse(&small("sysvipc-linux-6.18-layout"));
    assert_eq!((segments.len(), &segments[1]), (2, &expected));
    assert_eq!(sysvipc::parse(&small("sysvipc-damaged")), []);
}

/// The command line was `bash -c 'x=$(seq 2000); …'`, its arguments parted by NUL.
#[test]
fn a_process_is_drafted_from_its_small_files() {
    let mut draft = Draft::new(ProcessId(19_405), 4096);
    for (file, name) in [
        (File::Stat, "../stat/linux-6.18-bash"),
        (File::Status, "status-linux-6.18-bash"),
        (File::Cmdline, "cmdline-linux-6.18-bash"),
        (File::OomScore, "oom_score-linux-6.18-bash"),
        (File::Rollup, "../rollup/linux-6.18-bash"),
    ] {
        draft.take(file, &small(name)).expect("as the kernel wrote it");
    }
    let process = draft.process;
    assert_eq!(process.command.as_deref(), Some("/usr/bin/bash -c x=$(seq 2000); echo ready; read y; :"));
    assert_eq!((process.uid, process.oom_score), (Some(0), Some(666)));
    assert_eq!(
        (process.footprint.rss, process.footprint.uss),
        (Some(Bytes::kib(3304)), Some(Bytes::kib(292)))
    );
    assert_eq!(
        (process.footprint.anon, process.footprint.vss),
        (Some(Bytes::kib(292)), Some(Bytes(4_464_640)))
    );
}

#[test]
fn a_file_that_does_not_say_what_it_should_is_a_syntax_error() {
    for file in [File::Stat, File::Statm, File::OomScore] {
        let error = Draft::new(ProcessId(1), 4096).take(file, b"nonsense").expect_err("no number");
        assert_eq!(error.kind(), ErrorKind::Syntax, "{file:?}");
    }
}
