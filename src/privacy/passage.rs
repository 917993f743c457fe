//! The unit of a search: one piece of text out of one item, and where it stood.
//!
//! Whoever reads items hands out passages; whoever looks for a person takes them. Neither knows
//! the other.

use serde::{Deserialize, Serialize};

/// Kind of place in which a person can stand. Coverage is counted by it.
///
/// The list is that of section 3.1 of the reference on matching, as far as backups hold it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Channel {
    /// Rich text and titles; the text of a block without its formatting.
    RichText,
    /// Key text, select, colours and whatever else is a plain string.
    KeyText,
    /// Several fields beside each other, read as one text: `first_name` and `last_name`.
    Joined,
    /// Numbers, as printed.
    Number,
    /// Dates and timestamps.
    Date,
    /// Coordinates.
    GeoPoint,
    /// Addresses of links, `mailto:` and `tel:` among them.
    Link,
    /// Text that a link shows, and file names that a link to media carries.
    LinkText,
    /// Id of what a link, image or translation points to.
    Relationship,
    /// Embeds: address, author, title, markup.
    Embed,
    /// Integration fields and other data of programs.
    Integration,
    /// Alternative text of an image in a field.
    Alt,
    /// Copyright of an image in a field.
    Copyright,
    /// Tables, cell by cell.
    Table,
    /// UID of a document.
    Uid,
    /// Slugs of a document, earlier ones among them.
    Slug,
    /// Tags of a document.
    Tag,
    /// Id of the document itself.
    DocumentId,
    /// File name of an asset, also as its address spells it.
    AssetFileName,
    /// Notes of an asset.
    AssetNotes,
    /// Credits of an asset.
    AssetCredits,
    /// Alternative text of an asset.
    AssetAlt,
    /// Tags of an asset.
    AssetTag,
    /// What else the metadata of an asset says, its uploader among it.
    AssetMetadata,
    /// EXIF of an image.
    Exif,
    /// IPTC of an image.
    Iptc,
    /// XMP of an image or document.
    Xmp,
    /// Comments and text chunks of images: JPEG `COM`, PNG `tEXt`, `zTXt`, `iTXt`, GIF comments; tags of
    /// sound and film.
    ImageText,
    /// Text on the pages of a PDF, its form fields, annotations and outline among it.
    PdfText,
    /// Properties of a PDF.
    PdfProperties,
    /// Text of an SVG.
    Svg,
    /// Text of an Office document.
    OfficeText,
    /// Properties of an Office document.
    OfficeProperties,
    /// Files that are text: plain, CSV, Markdown, JSON, XML, HTML, subtitles.
    PlainText,
    /// Lists of members that were imported.
    Member,
    /// Models, tags and other metadata of a repository.
    Repository,
}

/// One piece of text, and where it stood.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Passage<'a> {
    /// Kind of place.
    pub channel: Channel,
    /// Where in the item: a JSON pointer (RFC 6901) in JSON, as
    /// [`Pointer`](crate::prismic::walk::Pointer) spells it; otherwise what the format calls the
    /// place (`Exif/Artist`, `page 3`), behind the names of the files that it lies in (`cv.zip!a.txt!line 1`).
    pub place: &'a str,
    /// Passages of one item with the same number belong together: a block of rich text with its
    /// neighbours in a slice or group item, a page, a row. What stands near a name counts.
    pub group: u32,
    /// The text, decoded from its format, otherwise as it is.
    pub text: &'a str,
}

/// What could not be searched, and why. Never dropped: it stands in every report.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Unsearchable {
    /// Where in the item, as in [`Passage::place`]; empty for all of it.
    pub place: String,
    /// Why.
    pub reason: Reason,
}

/// Why something could not be searched.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Reason {
    /// It is encrypted, and the password is not here.
    Encrypted,
    /// No reader for this format. What looks like text in its bytes was searched.
    UnknownFormat,
    /// Pictures, sound or video: what they show or say is not text. Their metadata was searched.
    NoText,
    /// It is larger than what is read.
    TooLarge,
    /// It unpacks to more than what is read.
    UnpacksToMore,
    /// It is nested deeper than what is read.
    TooDeep,
    /// Reading it took longer than it may.
    TooSlow,
    /// It is damaged, or not what its name says.
    Damaged,
}

impl Reason {
    /// Why, for people.
    pub fn words(self) -> &'static str {
        match self {
            Self::Encrypted => "it is protected by a password",
            Self::UnknownFormat => "no reader for this kind of file",
            Self::NoText => {
                "pictures, sound or film: what they show or say is no text; what is written about them was searched"
            }
            Self::TooLarge => "it is larger than what is read",
            Self::UnpacksToMore => "it unpacks to more than what is read",
            Self::TooDeep => "it is nested deeper than what is read",
            Self::TooSlow => "reading it takes too long",
            Self::Damaged => "it is damaged",
        }
    }
}
