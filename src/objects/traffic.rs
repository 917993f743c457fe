//! What something costs: requests to stores and bytes.

use std::collections::BTreeMap;

use serde::Serialize;

/// Requests to one replica, and bytes that go to it and come from it.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Traffic {
    /// Objects written.
    pub objects: u64,
    /// Bytes written.
    pub bytes: u64,
    /// Bytes read from it.
    pub bytes_read: u64,
    /// PUT requests.
    pub put: u64,
    /// GET requests.
    pub get: u64,
    /// HEAD requests.
    pub head: u64,
    /// LIST requests of the plan, of up to 1,000 keys each; they are made by then.
    pub list: u64,
}

impl Traffic {
    /// Counts an object of this size as read whole.
    pub fn read_whole(&mut self, size: u64) {
        self.get += 1;
        self.bytes_read += size;
    }
}

impl std::ops::AddAssign<&Self> for Traffic {
    fn add_assign(&mut self, other: &Self) {
        self.objects += other.objects;
        self.bytes += other.bytes;
        self.bytes_read += other.bytes_read;
        self.put += other.put;
        self.get += other.get;
        self.head += other.head;
        self.list += other.list;
    }
}

/// Adds what something more costs, replica by replica.
pub fn add(sum: &mut BTreeMap<String, Traffic>, more: &BTreeMap<String, Traffic>) {
    for (replica, traffic) in more {
        *sum.entry(replica.clone()).or_default() += traffic;
    }
}
