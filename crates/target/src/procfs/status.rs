//! `status`: owner, and the resident set by kind, in about 5 µs however large the process is.
//!
//! Source: `proc_pid_status(5)`. Readable for every process by everyone. `RssAnon`, `RssFile`, `RssShmem` since Linux 4.5.

use residue_model::Bytes;

use super::number::{decimal, key_value};

/// What memory work needs of `status`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Status {
    /// The real user.
    pub uid: Option<u32>,
    /// Virtual size.
    pub vss: Option<Bytes>,
    /// Resident.
    pub rss: Option<Bytes>,
    /// The most that was ever resident.
    pub peak_rss: Option<Bytes>,
    /// Resident anonymous memory.
    pub anon: Option<Bytes>,
    /// Resident files.
    pub file: Option<Bytes>,
    /// Resident shared memory.
    pub shmem: Option<Bytes>,
    /// Swapped out.
    pub swap: Option<Bytes>,
    /// brk and private writable mappings: what `RLIMIT_DATA` bounds.
    pub data: Option<Bytes>,
    /// Threads.
    pub threads: Option<u64>,
}

/// Reads what is known; a process without memory has none of the sizes.
pub fn parse(text: &[u8]) -> Status {
    let mut status = Status::default();
    for (key, value) in text.split(|&byte| byte == b'\n').filter_map(key_value) {
        let size = || decimal(value).map(Bytes::kib);
        match key {
            b"Uid" => status.uid = decimal(value).and_then(|uid| u32::try_from(uid).ok()),
            b"VmSize" => status.vss = size(),
            b"VmRSS" => status.rss = size(),
            b"VmHWM" => status.peak_rss = size(),
            b"RssAnon" => status.anon = size(),
            b"RssFile" => status.file = size(),
            b"RssShmem" => status.shmem = size(),
            b"VmSwap" => status.swap = size(),
            b"VmData" => status.data = size(),
            b"Threads" => status.threads = decimal(value),
            _ => {}
        }
    }
    status
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_are_bytes_and_the_real_user_is_the_first_of_four() {
        let status =
            parse(b"Name:\tx\nUid:\t33\t0\t0\t0\nVmHWM:\t    1800 kB\nVmRSS:\t    1744 kB\nRssAnon:\t     112 kB\nThreads:\t4\n");
        assert_eq!(
            (status.uid, status.rss, status.anon),
            (Some(33), Some(Bytes::kib(1744)), Some(Bytes::kib(112)))
        );
        assert_eq!((status.threads, status.swap, status.peak_rss), (Some(4), None, Some(Bytes::kib(1800))));
    }

    #[test]
    fn a_name_cannot_pose_as_a_field() {
        // The kernel escapes line ends in names here, unlike in `stat`.
        let status = parse(b"Name:\tx\\nVmRSS: 1 kB\nUid:\t5\n");
        assert_eq!((status.rss, status.uid), (None, Some(5)));
    }
}
