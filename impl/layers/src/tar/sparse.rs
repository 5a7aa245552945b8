//! Maps of sparse files: four forms to read, one to know.

use super::{ArchiveError, Extent};

/// More holes than this in one file are refused: its map is held in memory.
pub(super) const MOST_EXTENTS: usize = 1 << 18;

/// Checks and types a map: in order, without overlap, within `size`. Empty pieces are left out.
pub(super) fn extents(
    pairs: impl IntoIterator<Item = (Option<u64>, Option<u64>)>,
    size: u64,
) -> Result<Vec<Extent>, ArchiveError> {
    const BAD: ArchiveError = ArchiveError::Malformed("a sparse map that makes no sense");
    let mut extents = Vec::new();
    let mut from = 0;
    for (offset, length) in pairs {
        let (offset, length) = (offset.ok_or(BAD)?, length.ok_or(BAD)?);
        let end = offset.checked_add(length).ok_or(BAD)?;
        if offset < from || end > size || extents.len() == MOST_EXTENTS {
            return Err(BAD);
        }
        if length > 0 {
            extents.push(Extent { offset, length });
        }
        from = end;
    }
    Ok(extents)
}

/// A map of offsets and lengths by turns.
pub(super) fn from_flat(map: &[u64], size: u64) -> Result<Vec<Extent>, ArchiveError> {
    if !map.len().is_multiple_of(2) {
        return Err(ArchiveError::Malformed("a sparse map with half an entry"));
    }
    extents(map.chunks_exact(2).map(|pair| (Some(pair[0]), Some(pair[1]))), size)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn maps_that_overlap_or_overrun_are_refused() {
        assert_eq!(from_flat(&[0, 4, 8, 0, 10, 2], 12).unwrap().len(), 2);
        for bad in [&[4, 4, 2, 1][..], &[0, 13], &[u64::MAX, 2], &[0, 1, 5]] {
            assert!(from_flat(bad, 12).is_err(), "{bad:?}");
        }
    }
}
