//! Which documents are created incomplete, so that no circle of links is left.
//!
//! To find the fewest is hard in general (a feedback vertex set). Circles lie within strongly connected
//! components; small ones, which most are, are solved exactly. In a large one the document is taken
//! whose links go through it most (those that wait for it times those that it waits for), then what is
//! in no circle any more is set aside, and so on; when half of it is gone, its components are looked
//! for again.
//!
//! What a document is a translation of cannot be sent later: that need stays with a chosen document.

use std::collections::BinaryHeap;

use super::{Waits, number};

/// Documents of a component that is solved exactly: 2⁸ sets of them are looked at.
const EXACT_MAX: usize = 8;

/// Documents that are created incomplete if they have to be.
#[derive(Debug, Default)]
pub(super) struct Chosen {
    /// The component that each document is in, what is needed before what needs it.
    pub(super) circle_of: Vec<u32>,
    /// Number of components.
    pub(super) circles: usize,
    ranks: Vec<u32>,
}

impl Chosen {
    /// Returns the place of a chosen document among the chosen: which is created first.
    pub(super) fn rank(&self, node: u32) -> Option<u32> {
        Some(self.ranks[node as usize]).filter(|rank| *rank != u32::MAX)
    }
}

/// Chooses documents to be created incomplete.
pub(super) fn choose(waits: &Waits) -> Chosen {
    choose_with(waits, EXACT_MAX)
}

/// The same with another bound for what is solved exactly.
pub(super) fn choose_with(waits: &Waits, exact_max: usize) -> Chosen {
    let count = waits.original.len();
    let mut search = Search {
        waits,
        alive: vec![true; count],
        component: vec![0; count],
        is_chosen: vec![false; count],
        chosen: Vec::new(),
        needs: vec![0; count],
        waiters: vec![0; count],
        seen: vec![0; count],
        low: vec![0; count],
        is_open: vec![false; count],
    };
    for node in 0..number(count) {
        // A link to itself never can be sent at once.
        if waits.needs.of(node).contains(&node) {
            search.take(node);
        }
    }
    let mut components = search.components(&(0..number(count)).collect::<Vec<_>>());
    let mut circle_of = vec![0; count];
    for (circle, nodes) in (0..).zip(&components) {
        nodes.iter().for_each(|node| circle_of[*node as usize] = circle);
    }
    let circles = components.len();
    let mut looked_at = 0;
    while let Some(nodes) = components.pop() {
        if nodes.len() < 2 {
            continue;
        }
        if nodes.len() <= exact_max {
            search.exactly(&nodes);
            continue;
        }
        looked_at += 1;
        let left = search.greedily(&nodes, looked_at);
        if !left.is_empty() {
            components.extend(search.components(&left));
        }
    }
    // What is needed comes before what needs it; within a component in the order of the choice.
    let mut order: Vec<u32> = search.chosen;
    order.sort_by_key(|node| circle_of[*node as usize]);
    let mut ranks = vec![u32::MAX; count];
    for (rank, node) in (0..).zip(order) {
        ranks[node as usize] = rank;
    }
    Chosen { circle_of, circles, ranks }
}

struct Search<'a> {
    waits: &'a Waits,
    /// Whether it may still be in a circle.
    alive: Vec<bool>,
    /// The component that is looked at; what is in another one does not count.
    component: Vec<u32>,
    is_chosen: Vec<bool>,
    chosen: Vec<u32>,
    /// How many it waits for, and how many wait for it, in the component that is looked at.
    needs: Vec<u32>,
    waiters: Vec<u32>,
    /// For [`components`](Self::components): when a node was seen first, the earliest that it leads
    /// to, and whether its component is not closed yet.
    seen: Vec<u32>,
    low: Vec<u32>,
    is_open: Vec<bool>,
}

impl Search<'_> {
    fn take(&mut self, node: u32) {
        self.is_chosen[node as usize] = true;
        self.chosen.push(node);
    }

    /// Whether `node` waits for `need`, as far as the choice goes.
    fn waits_for(&self, node: u32, need: u32) -> bool {
        let is_possible = !self.is_chosen[node as usize] || self.waits.original[node as usize] == Some(need);
        is_possible && node != need
    }

    fn is_within(&self, node: u32, other: u32) -> bool {
        self.alive[other as usize] && self.component[node as usize] == self.component[other as usize]
    }

    /// The strongly connected components of all nodes that are alive and of one component, what is
    /// needed before what needs it (Tarjan's algorithm, with a stack of its own).
    fn components(&mut self, nodes: &[u32]) -> Vec<Vec<u32>> {
        let waits = self.waits;
        let mut found = Vec::new();
        // Of each node on the way: itself, and the place of the need that is looked at.
        let mut path: Vec<(u32, u32)> = Vec::new();
        let mut open: Vec<u32> = Vec::new();
        nodes.iter().for_each(|node| self.seen[*node as usize] = 0);
        let mut next = 1;
        for start in nodes {
            if self.seen[*start as usize] == 0 {
                path.push((*start, 0));
            }
            while let Some((node, place)) = path.last_mut() {
                let (node, at) = (*node, *node as usize);
                if self.seen[at] == 0 {
                    (self.seen[at], self.low[at]) = (next, next);
                    next += 1;
                    open.push(node);
                    self.is_open[at] = true;
                }
                let needs = waits.needs.of(node);
                let Some(need) = needs.get(*place as usize).copied() else {
                    path.pop();
                    if self.low[at] == self.seen[at] {
                        let from = open.iter().rposition(|other| *other == node).unwrap_or_default();
                        let component = open.split_off(from);
                        component.iter().for_each(|node| self.is_open[*node as usize] = false);
                        found.push(component);
                    }
                    continue;
                };
                let of = need as usize;
                if !self.is_within(node, need) || !self.waits_for(node, need) {
                    *place += 1;
                } else if self.seen[of] == 0 {
                    // When it is done, this place is looked at again, and it has been seen.
                    path.push((need, 0));
                } else {
                    *place += 1;
                    if self.is_open[of] {
                        self.low[at] = self.low[at].min(self.low[of]);
                    }
                }
            }
        }
        found
    }

    /// Chooses as few of a small component as can be: for each set of created documents the fewest
    /// incomplete ones among them are known from its subsets.
    fn exactly(&mut self, nodes: &[u32]) {
        let mut nodes = nodes.to_vec();
        nodes.sort_unstable();
        let place = |of: u32| nodes.binary_search(&of).ok();
        let bits = |node: &u32| {
            let original = self.waits.original[*node as usize];
            let needed = original.and_then(place).map_or(0_usize, |at| 1 << at);
            let wanted = self.waits.needs.of(*node).iter().filter(|need| self.waits_for(*node, **need));
            (needed, wanted.filter_map(|need| place(*need)).fold(0_usize, |all, at| all | (1 << at)))
        };
        let bits: Vec<(usize, usize)> = nodes.iter().map(bits).collect();
        let sets = 1_usize << nodes.len();
        // The fewest incomplete ones, and which came last.
        let mut best: Vec<(u32, usize)> = vec![(u32::MAX, 0); sets];
        best[0] = (0, 0);
        for set in 0..sets {
            let (fewest, _) = best[set];
            if fewest == u32::MAX {
                continue;
            }
            for (at, (needed, wanted)) in bits.iter().enumerate() {
                if set & (1 << at) != 0 || needed & !set != 0 {
                    continue;
                }
                let incomplete = fewest + u32::from(wanted & !set != 0);
                let with = &mut best[set | (1 << at)];
                if incomplete < with.0 {
                    *with = (incomplete, at);
                }
            }
        }
        let mut set = sets - 1;
        let mut incomplete = Vec::new();
        while set != 0 {
            let at = best[set].1;
            let before = set & !(1 << at);
            if best[before].0 < best[set].0 {
                incomplete.push(nodes[at]);
            }
            set = before;
        }
        incomplete.into_iter().rev().for_each(|node| self.take(node));
        nodes.iter().for_each(|node| self.alive[*node as usize] = false);
    }

    /// Chooses of a large component until half of it is in no circle any more; returns the other half.
    fn greedily(&mut self, nodes: &[u32], id: u32) -> Vec<u32> {
        let waits = self.waits;
        nodes.iter().for_each(|node| self.component[*node as usize] = id);
        for node in nodes {
            let within = |node: u32, need: u32| self.is_within(node, need) && self.waits_for(node, need);
            let needs = waits.needs.of(*node).iter().filter(|need| within(*node, **need)).count();
            let waiters = waits
                .waiters
                .of(*node)
                .iter()
                .filter(|waiter| self.is_within(*node, **waiter) && self.waits_for(**waiter, *node));
            let waiters = waiters.count();
            (self.needs[*node as usize], self.waiters[*node as usize]) = (number(needs), number(waiters));
        }
        let scored = |search: &Self, node: u32| (search.score(node), std::cmp::Reverse(node));
        let mut heap: BinaryHeap<_> = nodes.iter().map(|node| scored(self, *node)).collect();
        let mut left = nodes.len();
        while left > nodes.len() / 2 {
            let Some((score, std::cmp::Reverse(node))) = heap.pop() else { break };
            if !self.alive[node as usize] || score == 0 {
                continue;
            }
            if score != self.score(node) {
                heap.push(scored(self, node));
                continue;
            }
            let mut out = Vec::new();
            let original = waits.original[node as usize];
            for need in waits.needs.of(node) {
                if Some(*need) != original && self.is_within(node, *need) && self.waits_for(node, *need) {
                    self.needs[node as usize] -= 1;
                    self.waiters[*need as usize] -= 1;
                    if self.waiters[*need as usize] == 0 {
                        out.push(*need);
                    }
                }
            }
            self.take(node);
            if self.needs[node as usize] == 0 {
                out.push(node);
            }
            left -= self.set_aside(out);
        }
        nodes.iter().copied().filter(|node| self.alive[*node as usize]).collect()
    }

    /// How much goes through a document: links that a choice takes away, times who waits for it.
    fn score(&self, node: u32) -> u64 {
        if self.is_chosen[node as usize] {
            return 0;
        }
        let stays = self.waits.original[node as usize].is_some_and(|need| self.is_within(node, need));
        u64::from(self.needs[node as usize] - u32::from(stays)) * u64::from(self.waiters[node as usize])
    }

    /// Sets documents aside that are in no circle, and those that are not without them. Returns how
    /// many.
    fn set_aside(&mut self, mut out: Vec<u32>) -> usize {
        let waits = self.waits;
        let mut count = 0;
        while let Some(node) = out.pop() {
            if !std::mem::take(&mut self.alive[node as usize]) {
                continue;
            }
            count += 1;
            for need in waits.needs.of(node) {
                if self.is_within(node, *need) && self.waits_for(node, *need) {
                    self.waiters[*need as usize] -= 1;
                    if self.waiters[*need as usize] == 0 {
                        out.push(*need);
                    }
                }
            }
            for waiter in waits.waiters.of(node) {
                if self.is_within(node, *waiter) && self.waits_for(*waiter, node) {
                    self.needs[*waiter as usize] -= 1;
                    if self.needs[*waiter as usize] == 0 {
                        out.push(*waiter);
                    }
                }
            }
        }
        count
    }
}
