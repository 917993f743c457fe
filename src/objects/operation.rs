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
}

impl Operation {
    /// All operations, in the order of the trait.
    pub const ALL: [Self; 7] =
        [Self::Put, Self::Get, Self::GetRange, Self::Head, Self::List, Self::Delete, Self::ServerTime];

    /// Whether it changes what the store holds.
    pub fn writes(self) -> bool {
        matches!(self, Self::Put | Self::Delete)
    }

    /// The verb of error texts.
    pub fn verb(self) -> &'static str {
        match self {
            Self::Put => "write",
            Self::Get | Self::GetRange => "read",
            Self::Head => "look up",
            Self::List => "list",
            Self::Delete => "delete",
            Self::ServerTime => "read the clock of",
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
        })
    }
}
