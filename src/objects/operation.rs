//! The operations of a store by name, for counting them and for making them fail.

use std::fmt;

/// One operation of [`super::ObjectStore`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Operation {
    /// [`super::ObjectStore::put`]
    Put,
    /// [`super::ObjectStore::get`]
    Get,
    /// [`super::ObjectStore::get_range`]
    GetRange,
    /// [`super::ObjectStore::head`]
    Head,
    /// [`super::ObjectStore::list`]
    List,
    /// [`super::ObjectStore::delete`]
    Delete,
    /// [`super::ObjectStore::server_time`]
    ServerTime,
    /// [`super::ObjectStore::list_versions`]
    ListVersions,
    /// [`super::ObjectStore::get_version`]
    GetVersion,
    /// [`super::ObjectStore::get_range_version`]
    GetRangeVersion,
    /// [`super::ObjectStore::head_version`]
    HeadVersion,
    /// [`super::ObjectStore::delete_version`]
    DeleteVersion,
    /// [`super::ObjectStore::lock_of`]
    LockOf,
    /// [`super::ObjectStore::extend_lock`]
    ExtendLock,
    /// [`super::ObjectStore::place_facts`]
    PlaceFacts,
}

impl Operation {
    /// All operations.
    pub const ALL: [Self; 15] = [
        Self::Put,
        Self::Get,
        Self::GetRange,
        Self::Head,
        Self::List,
        Self::Delete,
        Self::ServerTime,
        Self::ListVersions,
        Self::GetVersion,
        Self::GetRangeVersion,
        Self::HeadVersion,
        Self::DeleteVersion,
        Self::LockOf,
        Self::ExtendLock,
        Self::PlaceFacts,
    ];

    /// Whether it changes what the store holds.
    pub fn writes(self) -> bool {
        matches!(self, Self::Put | Self::Delete | Self::DeleteVersion | Self::ExtendLock)
    }

    /// Whether it asks for a listing.
    pub fn lists(self) -> bool {
        matches!(self, Self::List | Self::ListVersions)
    }

    /// The verb of error texts.
    pub fn verb(self) -> &'static str {
        match self {
            Self::Put => "write",
            Self::Get | Self::GetRange | Self::GetVersion | Self::GetRangeVersion => "read",
            Self::Head | Self::HeadVersion => "look up",
            Self::List | Self::ListVersions => "list",
            Self::Delete | Self::DeleteVersion => "delete",
            Self::ServerTime => "read the clock of",
            Self::LockOf => "read the lock of",
            Self::ExtendLock => super::lock::EXTEND,
            Self::PlaceFacts => "ask for the settings of",
        }
    }
}

impl fmt::Display for Operation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Put => "put",
            Self::Get => "get",
            Self::GetRange => "get_range",
            Self::Head => "head",
            Self::List => "list",
            Self::Delete => "delete",
            Self::ServerTime => "server_time",
            Self::ListVersions => "list_versions",
            Self::GetVersion => "get_version",
            Self::GetRangeVersion => "get_range_version",
            Self::HeadVersion => "head_version",
            Self::DeleteVersion => "delete_version",
            Self::LockOf => "lock_of",
            Self::ExtendLock => "extend_lock",
            Self::PlaceFacts => "place_facts",
        })
    }
}
