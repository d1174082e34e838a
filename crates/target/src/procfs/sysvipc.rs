//! `sysvipc/shm`: the System V shared memory segments of an IPC namespace. Source: `proc_sysvipc_shm(5)`, `shmctl(2)`.

use residue_model::{Bytes, SharedSegment};

use super::number::decimal;

/// Reads all segments, whatever the order of the columns.
pub fn parse(text: &[u8]) -> Vec<SharedSegment> {
    let mut lines = text.split(|&byte| byte == b'\n');
    let heads: Vec<&[u8]> = lines.next().map(|line| words(line).collect()).unwrap_or_default();
    lines.filter_map(|line| segment(&heads, line)).collect()
}

fn segment(heads: &[&[u8]], line: &[u8]) -> Option<SharedSegment> {
    let values: Vec<&[u8]> = words(line).collect();
    let column = |name: &[u8]| decimal(values.get(heads.iter().position(|&head| head == name)?)?);
    Some(SharedSegment {
        id: column(b"shmid")?,
        size: Bytes(column(b"size")?),
        attached: column(b"nattch")?,
        creator: u32::try_from(column(b"cpid")?).ok()?,
        creator_uid: u32::try_from(column(b"cuid")?).ok()?,
    })
}

fn words(line: &[u8]) -> impl Iterator<Item = &[u8]> {
    line.split(u8::is_ascii_whitespace).filter(|word| !word.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_are_found_by_name() {
        let text = b"       key      shmid perms                  size  cpid  lpid nattch   uid   gid  cuid  cgid\n\
                              0      98307   600               4194304  4321  4321      2  1000  1000  1000  1000\n";
        let expected =
            SharedSegment { id: 98_307, size: Bytes::mib(4), attached: 2, creator: 4321, creator_uid: 1000 };
        assert_eq!(parse(text), [expected]);
        assert_eq!(parse(b""), []);
    }
}
