/// A number of up to eight bytes in a file of either byte order; none behind the end.
pub(crate) fn number(bytes: &[u8], at: usize, size: usize, big_endian: bool) -> Option<u64> {
    let raw = bytes.get(at..at.checked_add(size)?)?;
    let add = |sum: u64, byte: &u8| sum << 8 | u64::from(*byte);
    Some(if big_endian { raw.iter().fold(0, add) } else { raw.iter().rev().fold(0, add) })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_number_is_read_in_the_order_of_its_file() {
        let bytes = [1, 2, 3, 4];
        assert_eq!(number(&bytes, 1, 2, false), Some(0x0302));
        assert_eq!(number(&bytes, 1, 2, true), Some(0x0203));
        assert_eq!(number(&bytes, 3, 2, true), None);
        assert_eq!(number(&bytes, usize::MAX, 2, true), None);
    }
}
