//! One change: where, of what kind of value, what happened, and the values themselves.

use serde::Serialize;
use serde_json::Value;

/// What a value is: recognised by its shape, and where a model is known by its type there.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum FieldKind {
    /// The document as a whole, or a member of it beside `data`.
    Document,
    /// The UID.
    Uid,
    /// The custom type that a document is of.
    Type,
    /// The language that a document is in.
    Language,
    /// The tags of a document or asset.
    Tags,
    /// True or false.
    Boolean,
    /// A number or range.
    Number,
    /// One line of text without formatting.
    Text,
    /// A date (known by its model only).
    Date,
    /// A point in time (known by its model only).
    Timestamp,
    /// A colour (known by its model only).
    Color,
    /// A choice of several (known by its model only).
    Select,
    /// Rich text or a title.
    RichText,
    /// A paragraph, heading or list item of rich text.
    TextBlock,
    /// An image.
    Image,
    /// A further crop of an image.
    Thumbnail,
    /// A link, to whatever it leads.
    Link,
    /// A list of links.
    Links,
    /// Something shown of another site.
    Embed,
    /// A place on earth.
    GeoPoint,
    /// A list of rows of fields.
    Group,
    /// A row of a group.
    Row,
    /// A list of slices.
    SliceZone,
    /// A slice.
    Slice,
    /// A table.
    Table,
    /// A row of a table.
    TableRow,
    /// A cell of a table.
    TableCell,
    /// A copy of an item of an integration field's catalog (known by its model only).
    Integration,
    /// An object of an unknown shape.
    Object,
    /// An array of an unknown shape.
    List,
    /// What the media library says of a file.
    Asset,
    /// A member of a model.
    Model,
    /// A field of a model.
    ModelField,
    /// A variation of a shared slice's model.
    Variation,
    /// What belongs to the repository as a whole: a language, a release.
    Repository,
}

/// What happened to a value.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum ChangeKind {
    /// There is something where nothing was.
    Added,
    /// There is nothing where something was.
    Removed,
    /// It stands elsewhere in its list.
    Moved,
    /// It is another value; there is no finer word for it.
    Changed,
    /// The words of rich text.
    TextChanged,
    /// Marks, kind or direction of a block of rich text.
    FormattingChanged,
    /// A link leads elsewhere.
    LinkChanged,
    /// The text of a link.
    LinkTextChanged,
    /// How a link opens or looks.
    LinkOptionsChanged,
    /// Another image or file of the media library.
    Replaced,
    /// Another part of the same image, or another size.
    CropChanged,
    /// The description of an image.
    AltTextChanged,
    /// The credits of an image.
    CopyrightChanged,
    /// Another variation of a slice.
    VariationChanged,
    /// Nothing that an editor of this document did: dates, copies of other documents, addresses,
    /// how emptiness is written.
    Metadata,
}

/// A step on the way from a document to a value, as people see it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Step {
    /// A field.
    Field {
        /// Its id in the API.
        id: String,
        /// What the editor calls it, where a model says so.
        #[serde(skip_serializing_if = "Option::is_none")]
        label: Option<String>,
    },
    /// A slice.
    Slice {
        /// Its type.
        slice_type: String,
        /// What the editor calls the type, where a model says so.
        #[serde(skip_serializing_if = "Option::is_none")]
        label: Option<String>,
        /// Its place in the zone from 1, among the newer ones unless it was removed.
        number: usize,
    },
    /// A row of a group or table, a link of a list, a block of rich text.
    Row {
        /// Its place from 1, among the newer ones unless it was removed.
        number: usize,
    },
    /// A cell of a table.
    Cell {
        /// Its place in the row from 1.
        number: usize,
    },
    /// A further crop of an image.
    Thumbnail {
        /// Its name.
        name: String,
    },
}

/// One change of one value.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Change {
    /// Where the older value stands: a JSON pointer (RFC 6901) into the older item. `None` where
    /// it has none.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub old_path: Option<String>,
    /// Where the newer value stands: a pointer into the newer item. `None` where it has none.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub new_path: Option<String>,
    /// The way there for people.
    pub trail: Vec<Step>,
    /// What the newer value is, or the older one where there is no newer.
    pub kind: FieldKind,
    /// What happened.
    pub what: ChangeKind,
    /// The older value: content, so never to be logged. `None` where there is none, or where values
    /// were not asked for.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub old: Option<Value>,
    /// The newer value, as `old`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub new: Option<Value>,
}

impl Change {
    /// Returns the change from the newer to the older item. The trail, and the kind where the two values
    /// are of different kinds, stay those of the newer.
    #[must_use]
    pub fn mirrored(self) -> Self {
        let what = match self.what {
            ChangeKind::Added => ChangeKind::Removed,
            ChangeKind::Removed => ChangeKind::Added,
            what => what,
        };
        Self { old_path: self.new_path, new_path: self.old_path, old: self.new, new: self.old, what, ..self }
    }

    /// Returns where it is: the path in the newer item, else in the older one.
    pub fn path(&self) -> &str {
        self.new_path.as_deref().or(self.old_path.as_deref()).unwrap_or_default()
    }
}

/// What became of an item: a document, an asset, a model.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum ItemChange {
    /// It is in the newer only. A document was published.
    Added,
    /// It is in the older only. A document was unpublished, archived or deleted; no API tells which.
    Removed,
    /// Somebody edited it.
    Changed,
    /// Only what is told about it differs: see [`ChangeKind::Metadata`].
    Metadata,
}

/// How one item differs.
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
pub struct ItemDiff {
    /// What was edited, in the order of the newer item.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub changes: Vec<Change>,
    /// What differs and was not edited here.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub metadata: Vec<Change>,
    /// Edits that there are besides, because there is a bound.
    #[serde(skip_serializing_if = "is_zero")]
    pub more: u64,
}

impl ItemDiff {
    /// Whether nothing differs at all.
    pub fn is_empty(&self) -> bool {
        self.changes.is_empty() && self.metadata.is_empty() && self.more == 0
    }

    /// Says what became of an item that both sides have; `None` where nothing differs.
    pub fn what(&self) -> Option<ItemChange> {
        match (self.is_empty(), self.changes.is_empty() && self.more == 0) {
            (true, _) => None,
            (false, true) => Some(ItemChange::Metadata),
            (false, false) => Some(ItemChange::Changed),
        }
    }
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "the signature that serde asks for")]
fn is_zero(number: &u64) -> bool {
    *number == 0
}
