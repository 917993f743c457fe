//! Matching the elements of two lists as a person would.
//!
//! First those with the same id, then those with the same content in the same order (the longest
//! common subsequence), then the same content elsewhere, then between what stayed in place those that
//! resemble each other most. So one slice that was inserted is one change.
//!
//! Invariants:
//! - Each element is in one pair at most.
//! - Matching the lists the other way round gives the same pairs the other way round.
//! - The work that grows with the product of the lengths is taken from a budget; when that is used
//!   up, what stands once on each side is matched, and the rest in order.

use std::cmp::Ordering;
use std::collections::HashMap;

/// Hashes of an element that are kept to tell how much it resembles another.
const SKETCH: usize = 64;
/// How much of that two elements must share which say by their ids that they are different.
const RESEMBLING: u64 = 32;
/// What two elements are worth as a pair that share nothing but their class.
const PAIR: u64 = 1;

/// What is known of an element before it is compared.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Element {
    /// Of its content.
    pub(super) print: u64,
    /// Only elements of one class become pairs.
    pub(super) class: u64,
    /// Of its id, where it has one.
    pub(super) key: Option<u64>,
}

/// Hashes of what an element says, sorted, the smallest few.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Sketch(Vec<u64>);

impl Sketch {
    pub(super) fn of(mut hashes: Vec<u64>) -> Self {
        hashes.sort_unstable();
        hashes.dedup();
        hashes.truncate(SKETCH);
        Self(hashes)
    }

    /// How much two share, from 0 to [`SKETCH`].
    fn shared(&self, other: &Self) -> u64 {
        let (mut at, mut of, mut both, mut all) = (0, 0, 0, 0_u64);
        while all < SKETCH as u64 && (at < self.0.len() || of < other.0.len()) {
            all += 1;
            match (self.0.get(at), other.0.get(of)) {
                (Some(a), Some(b)) if a == b => {
                    both += 1;
                    at += 1;
                    of += 1;
                }
                (Some(a), Some(b)) if a > b => of += 1,
                (Some(_), _) => at += 1,
                (None, _) => of += 1,
            }
        }
        both * SKETCH as u64 / all.max(1)
    }
}

/// Two elements that are one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Pair {
    pub(super) new: usize,
    pub(super) old: usize,
    /// Whether it stands elsewhere among the others.
    pub(super) moved: bool,
}

/// Which elements of two lists are one.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Matching {
    /// By their place in the newer list.
    pub(super) pairs: Vec<Pair>,
    pub(super) removed: Vec<usize>,
    pub(super) added: Vec<usize>,
}

/// Makes the sketch of an element of the older (`false`) or newer list.
pub(super) type Sketching<'a> = &'a dyn Fn(bool, usize) -> Sketch;

/// Matches two lists. `budget` is the work that may still be spent.
pub(super) fn matching(
    old: &[Element],
    new: &[Element],
    sketch: Sketching<'_>,
    budget: &mut usize,
) -> Matching {
    // One of the two directions is always taken, so that the other gives the same.
    let mut pairs = match old.cmp(new) {
        Ordering::Greater => {
            let flipped = |of_new: bool, at: usize| sketch(!of_new, at);
            let flip = |(old, new): (usize, usize)| (new, old);
            Matcher::new(new, old, &flipped).run(budget).into_iter().map(flip).collect()
        }
        _ => Matcher::new(old, new, sketch).run(budget),
    };
    pairs.sort_unstable_by_key(|(_, new)| *new);
    let stay = match old.cmp(new) {
        Ordering::Greater => {
            let mut flipped: Vec<(usize, usize)> = pairs.iter().map(|(old, new)| (*new, *old)).collect();
            flipped.sort_unstable_by_key(|(_, new)| *new);
            longest_increasing(&flipped).into_iter().map(|(new, old)| (old, new)).collect()
        }
        _ => longest_increasing(&pairs),
    };
    let stay: std::collections::HashSet<(usize, usize)> = stay.into_iter().collect();
    let rest = |count: usize, used: Vec<usize>| {
        let mut free = vec![true; count];
        used.into_iter().for_each(|at| free[at] = false);
        (0..count).filter(|at| free[*at]).collect()
    };
    Matching {
        removed: rest(old.len(), pairs.iter().map(|(old, _)| *old).collect()),
        added: rest(new.len(), pairs.iter().map(|(_, new)| *new).collect()),
        pairs: pairs
            .into_iter()
            .map(|(old, new)| Pair { new, old, moved: !stay.contains(&(old, new)) })
            .collect(),
    }
}

struct Matcher<'a> {
    old: &'a [Element],
    new: &'a [Element],
    sketch: Sketching<'a>,
    pairs: Vec<(usize, usize)>,
    free_old: Vec<bool>,
    free_new: Vec<bool>,
}

impl<'a> Matcher<'a> {
    fn new(old: &'a [Element], new: &'a [Element], sketch: Sketching<'a>) -> Self {
        let (free_old, free_new) = (vec![true; old.len()], vec![true; new.len()]);
        Self { old, new, sketch, pairs: Vec::new(), free_old, free_new }
    }

    fn run(mut self, budget: &mut usize) -> Vec<(usize, usize)> {
        self.by_key();
        self.by_content(budget);
        self.by_resemblance(budget);
        self.pairs
    }

    fn pair(&mut self, old: usize, new: usize) {
        self.pairs.push((old, new));
        self.free_old[old] = false;
        self.free_new[new] = false;
    }

    fn free(&self) -> (Vec<usize>, Vec<usize>) {
        let free = |free: &[bool]| (0..free.len()).filter(|at| free[*at]).collect();
        (free(&self.free_old), free(&self.free_new))
    }

    fn by_key(&mut self) {
        let keyed = |elements: &[Element]| {
            let keys = elements.iter().enumerate();
            once(keys.filter_map(|(at, element)| Some(((element.key?, element.class), at))))
        };
        let (old, new) = (keyed(self.old), keyed(self.new));
        let mut both: Vec<(usize, usize)> =
            old.iter().filter_map(|(key, at)| Some((*at, *new.get(key)?))).collect();
        both.sort_unstable();
        both.into_iter().for_each(|(old, new)| self.pair(old, new));
    }

    fn by_content(&mut self, budget: &mut usize) {
        let (old, new) = self.free();
        let same = |at: usize, of: usize| {
            let (old, new) = (&self.old[old[at]], &self.new[new[of]]);
            (old.print, old.class) == (new.print, new.class)
        };
        let before = (0..old.len().min(new.len())).take_while(|at| same(*at, *at)).count();
        let room = old.len().min(new.len()) - before;
        let after = (1..=room).take_while(|at| same(old.len() - at, new.len() - at)).count();
        let (old_middle, new_middle) = (before..old.len() - after, before..new.len() - after);
        let cells = old_middle.len().saturating_mul(new_middle.len());
        let mut found: Vec<(usize, usize)> = (0..before).map(|at| (at, at)).collect();
        found.extend((1..=after).map(|at| (old.len() - at, new.len() - at)));
        if cells <= *budget {
            *budget -= cells;
            let common = common_subsequence(old_middle.len(), new_middle.len(), |at, of| {
                same(old_middle.start + at, new_middle.start + of)
            });
            found.extend(common.into_iter().map(|(at, of)| (old_middle.start + at, new_middle.start + of)));
        } else {
            let prints = |elements: &[Element], free: &[usize], range: std::ops::Range<usize>| {
                once(range.map(|at| ((elements[free[at]].print, elements[free[at]].class), at)))
            };
            let (olds, news) = (prints(self.old, &old, old_middle), prints(self.new, &new, new_middle));
            let mut both: Vec<(usize, usize)> =
                olds.iter().filter_map(|(print, at)| Some((*at, *news.get(print)?))).collect();
            both.sort_unstable_by_key(|(_, new)| *new);
            found.extend(longest_increasing(&both));
        }
        for (at, of) in found {
            self.pair(old[at], new[of]);
        }
        self.elsewhere();
    }

    /// Pairs what has the same content and stands elsewhere.
    fn elsewhere(&mut self) {
        let (old, new) = self.free();
        let mut waiting: HashMap<(u64, u64), std::collections::VecDeque<usize>> = HashMap::new();
        for at in old {
            waiting.entry((self.old[at].print, self.old[at].class)).or_default().push_back(at);
        }
        for at in new {
            let same = waiting.get_mut(&(self.new[at].print, self.new[at].class));
            if let Some(found) = same.and_then(std::collections::VecDeque::pop_front) {
                self.pair(found, at);
            }
        }
    }

    /// Pairs what changed: what lies between the same two neighbours that stayed.
    fn by_resemblance(&mut self, budget: &mut usize) {
        let mut pairs = self.pairs.clone();
        pairs.sort_unstable_by_key(|(_, new)| *new);
        let anchors = longest_increasing(&pairs);
        let (old, new) = self.free();
        let mut gaps: HashMap<usize, (Vec<usize>, Vec<usize>)> = HashMap::new();
        for at in old {
            let gap = anchors.partition_point(|(old, _)| *old < at);
            gaps.entry(gap).or_default().0.push(at);
        }
        for at in new {
            let gap = anchors.partition_point(|(_, new)| *new < at);
            gaps.entry(gap).or_default().1.push(at);
        }
        let mut gaps: Vec<_> = gaps.into_iter().collect();
        gaps.sort_unstable();
        for (_, (old, new)) in gaps {
            self.between(&old, &new, budget);
        }
    }

    fn between(&mut self, old: &[usize], new: &[usize], budget: &mut usize) {
        if old.is_empty() || new.is_empty() {
            return;
        }
        let cells = old.len().saturating_mul(new.len()).saturating_mul(SKETCH);
        let chosen = if cells <= *budget {
            *budget -= cells;
            let olds: Vec<Sketch> = old.iter().map(|at| (self.sketch)(false, *at)).collect();
            let news: Vec<Sketch> = new.iter().map(|at| (self.sketch)(true, *at)).collect();
            heaviest(old.len(), new.len(), |at, of| {
                let (older, newer) = (&self.old[old[at]], &self.new[new[of]]);
                let shared = olds[at].shared(&news[of]);
                let told_apart = older.key.is_some() && newer.key.is_some();
                let fits = older.class == newer.class && (!told_apart || shared >= RESEMBLING);
                if fits { PAIR + shared } else { 0 }
            })
        } else {
            in_order(old.len(), new.len(), |at, of| {
                let (older, newer) = (&self.old[old[at]], &self.new[new[of]]);
                older.class == newer.class && (older.key.is_none() || newer.key.is_none())
            })
        };
        for (at, of) in chosen {
            self.pair(old[at], new[of]);
        }
    }
}

/// Returns those that are there once, with their place.
fn once<K: std::hash::Hash + Eq>(found: impl Iterator<Item = (K, usize)>) -> HashMap<K, usize> {
    let mut places: HashMap<K, Option<usize>> = HashMap::new();
    for (key, at) in found {
        places.entry(key).and_modify(|place| *place = None).or_insert(Some(at));
    }
    places.into_iter().filter_map(|(key, at)| Some((key, at?))).collect()
}

/// Returns a longest common subsequence of two sequences of these lengths.
fn common_subsequence(old: usize, new: usize, same: impl Fn(usize, usize) -> bool) -> Vec<(usize, usize)> {
    heaviest(old, new, |at, of| u64::from(same(at, of)))
}

/// Returns the pairs, in order on both sides, that together weigh most; those without weight are none.
fn heaviest(old: usize, new: usize, weight: impl Fn(usize, usize) -> u64) -> Vec<(usize, usize)> {
    let width = new + 1;
    let mut best = vec![0_u64; (old + 1) * width];
    let mut weights = vec![0_u64; old * new];
    for at in (0..old).rev() {
        for of in (0..new).rev() {
            let own = weight(at, of);
            weights[at * new + of] = own;
            let skip = best[(at + 1) * width + of].max(best[at * width + of + 1]);
            let take = if own > 0 { own + best[(at + 1) * width + of + 1] } else { 0 };
            best[at * width + of] = skip.max(take);
        }
    }
    let (mut at, mut of) = (0, 0);
    let mut pairs = Vec::new();
    while at < old && of < new {
        let (here, own) = (best[at * width + of], weights[at * new + of]);
        if own > 0 && here == own + best[(at + 1) * width + of + 1] {
            pairs.push((at, of));
            at += 1;
            of += 1;
        } else if here == best[(at + 1) * width + of] {
            at += 1;
        } else {
            of += 1;
        }
    }
    pairs
}

/// Pairs what fits from front to back, in time that grows with the lengths only.
fn in_order(old: usize, new: usize, fits: impl Fn(usize, usize) -> bool) -> Vec<(usize, usize)> {
    (0..old.min(new)).filter(|at| fits(*at, *at)).map(|at| (at, at)).collect()
}

/// Returns a longest part of the pairs, sorted by their newer place, whose older places rise as well.
fn longest_increasing(pairs: &[(usize, usize)]) -> Vec<(usize, usize)> {
    // For each length the pair with the smallest older place that a run of it ends with.
    let mut ends: Vec<usize> = Vec::new();
    let mut before: Vec<Option<usize>> = Vec::with_capacity(pairs.len());
    for (number, (old, _)) in pairs.iter().enumerate() {
        let length = ends.partition_point(|end| pairs[*end].0 < *old);
        before.push(length.checked_sub(1).map(|shorter| ends[shorter]));
        match ends.get_mut(length) {
            Some(end) => *end = number,
            None => ends.push(number),
        }
    }
    let mut run = Vec::with_capacity(ends.len());
    let mut next = ends.last().copied();
    while let Some(number) = next {
        run.push(pairs[number]);
        next = before[number];
    }
    run.reverse();
    run
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn elements(text: &str) -> Vec<Element> {
        text.bytes().map(|byte| Element { print: byte.into(), class: 0, key: None }).collect()
    }

    fn keyed(text: &str) -> Vec<Element> {
        text.bytes().map(|byte| Element { print: 0, class: 0, key: Some(byte.into()) }).collect()
    }

    /// Two capital letters of one kind resemble each other and the small one.
    fn sketch_of<'a>(old: &'a str, new: &'a str) -> impl Fn(bool, usize) -> Sketch + 'a {
        move |of_new, at| {
            let text = if of_new { new } else { old };
            Sketch::of(vec![u64::from(text.as_bytes()[at].to_ascii_lowercase())])
        }
    }

    fn matched(old: &str, new: &str) -> Matching {
        matching(&elements(old), &elements(new), &sketch_of(old, new), &mut 100_000)
    }

    fn pairs(matching: &Matching) -> Vec<(usize, usize, bool)> {
        matching.pairs.iter().map(|pair| (pair.old, pair.new, pair.moved)).collect()
    }

    #[test]
    fn one_insertion_is_one_addition() {
        let found = matched("abcd", "abxcd");
        assert_eq!((found.added, found.removed), (vec![2], vec![]));
        let found = matched("aaaa", "aaaaa");
        assert_eq!((found.added.len(), found.removed.len()), (1, 0));
    }

    #[test]
    fn what_moved_is_one_move() {
        let found = matched("abcd", "bcda");
        let moved: Vec<_> = found.pairs.iter().filter(|pair| pair.moved).map(|pair| pair.old).collect();
        assert_eq!((moved, found.added.len(), found.removed.len()), (vec![0], 0, 0));
    }

    #[test]
    fn what_changed_is_found_by_what_it_resembles() {
        // The capital is the small letter, edited.
        let found = matched("a", "xA");
        assert_eq!((pairs(&found), found.added), (vec![(0, 1, false)], vec![0]));
        let found = matched("abc", "Bc");
        assert_eq!((pairs(&found), found.removed), (vec![(1, 0, false), (2, 1, false)], vec![0]));
        // In one place there is another one now: it changed altogether.
        assert_eq!(pairs(&matched("abc", "axc")), [(0, 0, false), (1, 1, false), (2, 2, false)]);
    }

    #[test]
    fn ids_come_before_content() {
        let (old, new) = (keyed("abc"), keyed("cab"));
        let found = matching(&old, &new, &|_, _| Sketch::default(), &mut 100_000);
        assert_eq!(found.pairs.len(), 3);
        assert_eq!(found.pairs.iter().filter(|pair| pair.moved).count(), 1);
        // Different ids and nothing in common: not the same.
        let found = matching(
            &[Element { print: 1, class: 0, key: Some(1) }],
            &[Element { print: 2, class: 0, key: Some(2) }],
            &|of_new, _| Sketch::of(vec![u64::from(of_new)]),
            &mut 100_000,
        );
        assert_eq!((found.added, found.removed), (vec![0], vec![0]));
    }

    #[test]
    fn without_budget_what_stands_once_is_still_matched() {
        let old: Vec<Element> = (0..5000).map(|n| Element { print: n, class: 0, key: None }).collect();
        let mut new = old.clone();
        new.insert(2000, Element { print: 9999, class: 0, key: None });
        new.insert(1000, Element { print: 9998, class: 0, key: None });
        let found = matching(&old, &new, &|_, _| Sketch::default(), &mut 0);
        assert_eq!((found.added, found.removed.len()), (vec![1000, 2001], 0));
        assert!(found.pairs.iter().all(|pair| !pair.moved));
    }

    proptest! {
        #[test]
        fn the_other_way_round_gives_the_same_pairs(old in "[a-eA-E]{0,12}", new in "[a-eA-E]{0,12}", budget in 0_usize..2000) {
            let there = matching(&elements(&old), &elements(&new), &sketch_of(&old, &new), &mut budget.clone());
            let back = matching(&elements(&new), &elements(&old), &sketch_of(&new, &old), &mut budget.clone());
            let mut flipped: Vec<_> =
                back.pairs.iter().map(|pair| Pair { old: pair.new, new: pair.old, moved: pair.moved }).collect();
            flipped.sort_unstable();
            prop_assert_eq!(&there.pairs, &flipped);
            prop_assert_eq!((&there.added, &there.removed), (&back.removed, &back.added));
            let mut seen: Vec<usize> = there.pairs.iter().map(|pair| pair.old).chain(there.removed).collect();
            seen.sort_unstable();
            prop_assert_eq!(seen, (0..old.len()).collect::<Vec<_>>());
        }

        #[test]
        fn a_list_matches_itself(text in "[a-c]{0,20}") {
            let found = matched(&text, &text);
            prop_assert!(found.pairs.iter().all(|pair| pair.old == pair.new && !pair.moved));
            prop_assert_eq!(found.pairs.len(), text.len());
        }
    }
}
