//! What a restore finds that does not come back as it was.

use serde::Serialize;

/// Kinds of what Prismic cannot take back, or takes back otherwise.
///
/// The first ones are found in documents, at a place; the others are true of every restore, or are
/// counted by whoever knows the snapshot.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum FindingKind {
    /// The target has no such custom type: the document cannot be written.
    TypeNotInModel,
    /// A field that the model of the target does not have: left out.
    FieldNotInModel,
    /// A slice that its zone does not take: left out.
    SliceNotInModel,
    /// A variation that its slice does not have: the slice is left out.
    VariationNotInModel,
    /// A value that its field cannot hold: left out.
    WrongKind,
    /// A value of another kind than its field, written so that it fits; nothing is lost.
    Repaired,
    /// A value that is not among the options of its select field any more: left out.
    SelectOption,
    /// A mark in text that leads nowhere, is beyond the text, or of an unknown kind: left out.
    Span,
    /// A link that says itself that its document is gone: stays broken.
    BrokenLink,
    /// A link to a document that is neither restored nor in the target: becomes a broken one.
    LinkToAbsent,
    /// A link to a document or file with a setting that only links to the web have.
    LinkOption,
    /// A web link to the address of a file of the old repository: leads there still.
    OldFileAddress,
    /// An image or file that has no asset in the target: left out.
    AssetGone,
    /// An image or file that told no id, found in the library by its address: gets an id.
    AssetByAddress,
    /// An image of another site, which the media library never had: left out.
    StockPhoto,
    /// A part of an image: whether Prismic keeps it to the pixel is not documented.
    Crop,
    /// An embed: Prismic fetches it again, and refuses it when its page is gone.
    Embed,
    /// An item of a catalog: sent by its id, its copy is what the catalog says now.
    Integration,
    /// An item of a catalog that told no id: left out.
    IntegrationWithoutId,
    /// A document without UID of a type that needs one: one is made.
    UidMade,
    /// Findings of one document beyond the bound: not listed.
    More,
    /// Documents get new ids.
    DocumentIds,
    /// Assets get new ids and addresses.
    AssetIds,
    /// First and last publication become the time of the restore.
    PublicationDates,
    /// Titles that editors see in lists are in no API: they are made of the content.
    EditorTitles,
    /// What Prismic writes itself: slugs, addresses, copies in links, ids of slices.
    Derived,
    /// Who wrote what, and earlier versions.
    AuthorsAndHistory,
    /// Releases: no API makes them.
    Releases,
    /// Schedules of releases: no API sets them.
    Schedules,
    /// Drafts and archived documents: no API shows them, so no snapshot has them.
    Drafts,
    /// Webhooks.
    Webhooks,
    /// Members and their roles.
    Members,
    /// Tokens and OAuth applications.
    Tokens,
    /// Previews, and what else is set in the settings of a repository.
    PreviewSettings,
    /// A file above what the media library takes: not uploaded.
    AssetTooLarge,
    /// A file whose bytes are not in the snapshot: not uploaded.
    AssetMissing,
    /// A description, note or credit of a file longer than the library takes: cut.
    AssetTextTooLong,
    /// A tag of a file longer than the library takes: cut.
    TagTooLong,
    /// Who uploaded a file.
    Uploader,
    /// When a file was uploaded.
    AssetDates,
}

/// One thing that was found in a document.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Finding {
    /// What it is.
    pub kind: FindingKind,
    /// Where it stands in the document of the snapshot: a JSON pointer. Never a value.
    pub at: String,
    /// Where it stands in what is sent, or would, when that is elsewhere: elements before it in a list
    /// were left out. `None` when it is at [`at`](Self::at) there as well.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub sent_at: Option<String>,
    /// Whether it is left out of what is sent.
    pub is_left_out: bool,
}
