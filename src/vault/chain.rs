//! Order of files that name the ones before them by SHA-256: manifests and ledger entries.
//!
//! Two writers at once, or a replica that was away, make a fork, which the next file joins by
//! naming both ends. Order is by chain first and by time second, so it is the same for everybody
//! who sees the same files.

use std::collections::{BTreeSet, HashMap, HashSet};

use crate::ids::{Digest, SnapshotId};

/// A file of a chain.
pub(super) trait Link {
    /// Its id; time first.
    fn id(&self) -> &SnapshotId;
    /// SHA-256 of its bytes, by which others name it.
    fn digest(&self) -> Digest;
    /// The files before it.
    fn parents(&self) -> &[Digest];
}

/// Sorts oldest first: a file after all that it names, else by time.
pub(super) fn sort<T: Link>(list: &mut Vec<T>) {
    list.sort_by(|a, b| a.id().cmp(b.id()));
    let at: HashMap<Digest, usize> = list.iter().enumerate().map(|(at, link)| (link.digest(), at)).collect();
    let mut waiting: Vec<usize> = vec![0; list.len()];
    let mut children: Vec<Vec<usize>> = vec![Vec::new(); list.len()];
    for (child, link) in list.iter().enumerate() {
        for parent in link.parents().iter().filter_map(|parent| at.get(parent)) {
            waiting[child] += 1;
            children[*parent].push(child);
        }
    }
    let mut ready: BTreeSet<usize> = (0..list.len()).filter(|at| waiting[*at] == 0).collect();
    let mut order = Vec::with_capacity(list.len());
    while let Some(next) = ready.pop_first() {
        order.push(next);
        for child in &children[next] {
            waiting[*child] -= 1;
            if waiting[*child] == 0 {
                ready.insert(*child);
            }
        }
    }
    // Digests cannot form a cycle, so every file was ready once.
    let mut slots: Vec<Option<T>> = std::mem::take(list).into_iter().map(Some).collect();
    list.extend(order.into_iter().filter_map(|at| slots[at].take()));
}

/// Returns the SHA-256 of those that no other names, sorted.
pub(super) fn heads<'a, T: Link + 'a>(list: impl IntoIterator<Item = &'a T> + Clone) -> Vec<Digest> {
    let named: HashSet<Digest> = list.clone().into_iter().flat_map(Link::parents).copied().collect();
    let mut heads: Vec<_> =
        list.into_iter().map(Link::digest).filter(|digest| !named.contains(digest)).collect();
    heads.sort_unstable();
    heads
}

#[cfg(test)]
mod tests {
    use super::*;

    struct File(SnapshotId, Digest, Vec<Digest>);

    impl Link for File {
        fn id(&self) -> &SnapshotId {
            &self.0
        }
        fn digest(&self) -> Digest {
            self.1
        }
        fn parents(&self) -> &[Digest] {
            &self.2
        }
    }

    fn file(hour: u8, n: u8, parents: &[u8]) -> File {
        let id = format!("20261121T{hour:02}0000Z-0000000{n}").parse().expect("an id");
        File(id, Digest([n; 32]), parents.iter().map(|n| Digest([*n; 32])).collect())
    }

    #[test]
    fn the_chain_goes_before_the_clock_and_a_fork_has_two_heads() {
        // 2 was written by a clock that is behind, 3 and 4 fork from it.
        let mut list = vec![file(9, 1, &[]), file(3, 2, &[1]), file(12, 3, &[2]), file(11, 4, &[2])];
        sort(&mut list);
        assert_eq!(list.iter().map(|file| file.1.0[0]).collect::<Vec<_>>(), [1, 2, 4, 3]);
        assert_eq!(heads(&list), [Digest([3; 32]), Digest([4; 32])]);
    }
}
