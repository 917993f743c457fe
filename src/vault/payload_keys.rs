//! Keys of packs, for all who read a space.
//!
//! A header is fetched and opened once, also when several ask for its pack at one time: each is a
//! request of its own, and opening one costs more than the few bytes it holds.
//!
//! They live as long as the space is loaded, in memory only, and print nothing.

use std::collections::HashMap;
use std::fmt;
use std::sync::{Arc, Mutex};

use tokio::sync::OnceCell;

use super::envelope::PayloadKey;
use crate::ids::Digest;

/// The keys of the packs of one space, by pack.
#[derive(Default)]
pub(super) struct PayloadKeys(Mutex<HashMap<Digest, Arc<OnceCell<PayloadKey>>>>);

impl PayloadKeys {
    /// Returns the place for the key of a pack; whoever finds it empty fills it.
    pub(super) fn of(&self, pack: &Digest) -> Arc<OnceCell<PayloadKey>> {
        let mut keys = self.0.lock().expect("no holder of this lock can panic");
        Arc::clone(keys.entry(*pack).or_default())
    }
}

impl fmt::Debug for PayloadKeys {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("PayloadKeys(…)")
    }
}
