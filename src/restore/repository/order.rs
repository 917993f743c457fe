//! Which request follows which: documents, links between them, and releases of bounded size.
//!
//! A link can be sent when its document has an id. So a document is created when all that it links to
//! was; in a circle of links somebody has to be created incomplete, and completed by a second request.
//! `cycles` chooses few such documents; here the whole is played through: ready documents first
//! (master locale, then order of the source), one of the chosen when nothing is ready, completions as
//! soon as they can be, a publish when the release is full.
//!
//! **Why this way.** Requests are what a restore spends its time with: one a second. The usual way,
//! everything created empty and then written, takes two for each document.
//!
//! **Invariants.** Each document is created or replaced once, after what it is a translation of. What
//! is created complete links to nothing that has no id yet; what is not is completed once, as soon as
//! its last link can be sent. No release holds more than it may. Equal input gives equal steps. Time
//! grows with documents and links, times a logarithm; nothing recurses.
//!
//! **Crash.** Nothing is kept anywhere: whoever carries the steps out writes down how far it got.

mod cycles;
#[cfg(test)]
mod tests;

use std::cmp::Reverse;
use std::collections::BinaryHeap;

use self::cycles::{Chosen, choose};

/// A document that is to be written.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Node {
    /// Whether it is in the master locale.
    pub master: bool,
    /// Whether it has an id in the target already: it is replaced, and links to it never wait.
    pub existing: bool,
    /// The document that must have an id before this one is created, as its translation. Not counted
    /// for existing documents, nor where translations go round in a circle.
    pub translation_of: Option<u32>,
    /// Documents that it links to, in any order, itself included. Numbers that are no node's do not
    /// count.
    pub links: Vec<u32>,
}

/// One step. Documents are numbers of nodes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Step {
    /// Create a document.
    Create {
        /// Which.
        node: u32,
        /// Whether all its links can be sent.
        complete: bool,
    },
    /// Write a document again that was created incomplete, now with all links.
    Complete {
        /// Which.
        node: u32,
    },
    /// Write a document that the target has, with all links.
    Replace {
        /// Which.
        node: u32,
    },
    /// Publish the release.
    Publish {
        /// Documents in it.
        documents: u32,
    },
}

/// A document that goes live without some of its links.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Incomplete {
    /// Which.
    pub node: u32,
    /// The publish that brings it, from 1.
    pub live_at: u32,
    /// The publish that brings its links.
    pub complete_at: u32,
}

/// All steps of a restore.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Order {
    /// In their order; ends with a publish, unless there is nothing to do.
    pub steps: Vec<Step>,
    /// What goes live incomplete, in the order in which it does.
    pub incomplete: Vec<Incomplete>,
}

/// Lists of numbers, one for each node, in one piece.
#[derive(Debug, Default)]
struct Lists {
    starts: Vec<u32>,
    items: Vec<u32>,
}

impl Lists {
    fn of(&self, node: u32) -> &[u32] {
        let at = node as usize;
        &self.items[self.starts[at] as usize..self.starts[at + 1] as usize]
    }

    /// The same pairs, read from the other side.
    fn turned(&self) -> Self {
        let count = self.starts.len() - 1;
        let mut starts = vec![0_u32; count + 1];
        for item in &self.items {
            starts[*item as usize + 1] += 1;
        }
        for at in 0..count {
            starts[at + 1] += starts[at];
        }
        let mut next = starts.clone();
        let mut items = vec![0; self.items.len()];
        for node in 0..number(count) {
            for item in self.of(node) {
                let place = &mut next[*item as usize];
                items[*place as usize] = node;
                *place += 1;
            }
        }
        Self { starts, items }
    }
}

/// What waits for what.
#[derive(Debug, Default)]
struct Waits {
    /// For each document those that it needs and that have no id yet: links, and what it is a
    /// translation of. Each once.
    needs: Lists,
    /// The other way round.
    waiters: Lists,
    /// What it is a translation of, where that has no id yet. This cannot be sent later.
    original: Vec<Option<u32>>,
}

impl Waits {
    fn new(nodes: &[Node]) -> Self {
        let original = originals(nodes);
        let mut needs = Lists { starts: vec![0], items: Vec::new() };
        let mut own = Vec::new();
        for (node, original) in nodes.iter().zip(&original) {
            let is_new = |link: &u32| nodes.get(*link as usize).is_some_and(|node| !node.existing);
            own.clear();
            own.extend(node.links.iter().copied().filter(is_new));
            own.extend(*original);
            own.sort_unstable();
            own.dedup();
            needs.items.extend(&own);
            needs.starts.push(number(needs.items.len()));
        }
        let waiters = needs.turned();
        Self { needs, waiters, original }
    }
}

/// Returns what each document is a translation of, where it has to wait for that.
fn originals(nodes: &[Node]) -> Vec<Option<u32>> {
    let is_new = |of: &u32| nodes.get(*of as usize).is_some_and(|node| !node.existing);
    let original = |node: &Node| node.translation_of.filter(is_new).filter(|_| !node.existing);
    let mut originals: Vec<_> = nodes.iter().map(original).collect();
    // Nobody can begin a circle: it is opened where it was entered.
    let mut seen = vec![0_u32; nodes.len()];
    for start in 0..number(nodes.len()) {
        let mut at = start;
        while seen[at as usize] == 0 {
            seen[at as usize] = start + 1;
            match originals[at as usize] {
                Some(next) if seen[next as usize] == start + 1 => originals[at as usize] = None,
                Some(next) => at = next,
                None => break,
            }
        }
    }
    originals
}

/// Numbers of nodes and links are 32 bits wide.
fn number(count: usize) -> u32 {
    u32::try_from(count).unwrap_or(u32::MAX)
}

/// Returns the steps that write all documents, with releases of at most `release_documents` documents
/// (at least one). There must be fewer than 2³² documents and links.
pub fn steps(nodes: &[Node], release_documents: u32) -> Order {
    let waits = Waits::new(nodes);
    let chosen = choose(&waits);
    let mut play = Play::new(nodes, &waits, &chosen, release_documents.max(1));
    play.run();
    play.order
}

/// The whole played through.
struct Play<'a> {
    nodes: &'a [Node],
    waits: &'a Waits,
    chosen: &'a Chosen,
    release_documents: u32,
    /// How many of its needs have no id yet.
    waiting: Vec<u32>,
    created: Vec<bool>,
    /// The release that a document is in or was in, from 1; 0: none yet.
    release_of: Vec<u32>,
    /// Documents of each circle that are not created yet.
    left_in_circle: Vec<u32>,
    ready: BinaryHeap<Reverse<(bool, u32)>>,
    /// Chosen documents that could be created incomplete.
    free: BinaryHeap<Reverse<(u32, u32)>>,
    staged: u32,
    /// The release that is being filled.
    release: u32,
    /// Created incomplete in this release.
    unfinished: Vec<u32>,
    /// Places in `order.incomplete` of what is live and incomplete.
    live: std::collections::HashMap<u32, usize>,
    order: Order,
}

impl<'a> Play<'a> {
    fn new(nodes: &'a [Node], waits: &'a Waits, chosen: &'a Chosen, release_documents: u32) -> Self {
        let all = || 0..number(nodes.len());
        let mut left_in_circle = vec![0; chosen.circles];
        chosen.circle_of.iter().for_each(|circle| left_in_circle[*circle as usize] += 1);
        let waiting: Vec<u32> = all().map(|node| number(waits.needs.of(node).len())).collect();
        let mut play = Self {
            nodes,
            waits,
            chosen,
            release_documents,
            waiting,
            created: vec![false; nodes.len()],
            release_of: vec![0; nodes.len()],
            left_in_circle,
            ready: BinaryHeap::new(),
            free: BinaryHeap::new(),
            staged: 0,
            release: 1,
            unfinished: Vec::new(),
            live: std::collections::HashMap::new(),
            order: Order::default(),
        };
        for node in all() {
            play.may_be_ready(node);
            if waits.original[node as usize].is_none() {
                play.may_be_free(node);
            }
        }
        play
    }

    fn may_be_ready(&mut self, node: u32) {
        if self.waiting[node as usize] == 0 {
            self.ready.push(Reverse((!self.nodes[node as usize].master, node)));
        }
    }

    fn may_be_free(&mut self, node: u32) {
        if let Some(rank) = self.chosen.rank(node) {
            self.free.push(Reverse((rank, node)));
        }
    }

    fn run(&mut self) {
        loop {
            if let Some(Reverse((_, node))) = self.ready.pop() {
                self.write(node, true);
            } else if let Some(Reverse((_, node))) = self.free.pop() {
                if !self.created[node as usize] {
                    self.end_release_before(node);
                    self.write(node, false);
                }
            } else {
                break;
            }
        }
        if self.staged > 0 {
            self.publish();
        }
    }

    /// Publishes a release that is nearly full, when the circle that begins now would not fit into it
    /// and would into the next: so it does not go live incomplete.
    fn end_release_before(&mut self, node: u32) {
        let needed = self.left_in_circle[self.chosen.circle_of[node as usize] as usize];
        let room = self.release_documents - self.staged;
        if room < needed && needed <= self.release_documents && room <= self.release_documents / 10 {
            self.publish();
        }
    }

    /// Creates or replaces a document, and completes what waited for it last.
    fn write(&mut self, node: u32, complete: bool) {
        let at = node as usize;
        self.take_place(node);
        self.order.steps.push(match self.nodes[at].existing {
            true => Step::Replace { node },
            false => Step::Create { node, complete },
        });
        if !complete {
            self.unfinished.push(node);
        }
        self.created[at] = true;
        self.left_in_circle[self.chosen.circle_of[at] as usize] -= 1;
        let mut completed = Vec::new();
        for waiter in self.waits.waiters.of(node) {
            self.waiting[*waiter as usize] -= 1;
            if !self.created[*waiter as usize] {
                self.may_be_ready(*waiter);
                if self.waits.original[*waiter as usize] == Some(node) {
                    self.may_be_free(*waiter);
                }
            } else if self.waiting[*waiter as usize] == 0 {
                completed.push(*waiter);
            }
        }
        // Those in this release first: completing another may end it.
        completed.sort_by_key(|node| self.release_of[*node as usize] != self.release);
        completed.into_iter().for_each(|node| self.complete(node));
    }

    fn complete(&mut self, node: u32) {
        if self.release_of[node as usize] != self.release {
            self.take_place(node);
        }
        if let Some(place) = self.live.remove(&node) {
            self.order.incomplete[place].complete_at = self.release;
        }
        self.order.steps.push(Step::Complete { node });
    }

    fn take_place(&mut self, node: u32) {
        if self.staged == self.release_documents {
            self.publish();
        }
        self.staged += 1;
        self.release_of[node as usize] = self.release;
    }

    fn publish(&mut self) {
        self.order.steps.push(Step::Publish { documents: self.staged });
        for node in std::mem::take(&mut self.unfinished) {
            if self.waiting[node as usize] > 0 {
                self.live.insert(node, self.order.incomplete.len());
                self.order.incomplete.push(Incomplete { node, live_at: self.release, complete_at: 0 });
            }
        }
        self.staged = 0;
        self.release += 1;
    }
}
