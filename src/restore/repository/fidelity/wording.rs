//! What people call each kind, and what they can do about it.

use super::FindingKind;

impl FindingKind {
    /// Returns what people call it: a noun phrase in lower case.
    pub fn label(self) -> &'static str {
        self.words().0
    }

    /// Returns what there is to do about it: one or two sentences.
    pub fn what_to_do(self) -> &'static str {
        self.words().1
    }

    fn words(self) -> (&'static str, &'static str) {
        self.words_of_models().or_else(|| self.words_of_links()).unwrap_or_else(|| self.words_of_repository())
    }

    fn words_of_models(self) -> Option<(&'static str, &'static str)> {
        Some(match self {
            Self::TypeNotInModel => (
                "documents of a type that the target does not take",
                "Push the custom type to the target and enable it, then run the restore again.",
            ),
            Self::FieldNotInModel => (
                "fields that the target's models do not have",
                "Nothing, if the fields were removed on purpose; else push the models of the snapshot to the target and run the restore again.",
            ),
            Self::SliceNotInModel => (
                "slices that their slice zone does not take",
                "Nothing, if they were removed on purpose; else push the models of the snapshot to the target and run the restore again.",
            ),
            Self::VariationNotInModel => (
                "slices of a variation that the target does not have",
                "Push the slice of the snapshot to the target and run the restore again.",
            ),
            Self::WrongKind => (
                "values that their field cannot hold",
                "Look at the examples in the snapshot and enter the value where it belongs now.",
            ),
            Self::Repaired => ("values that are written in another form", "Nothing: what they say is kept."),
            Self::SelectOption => (
                "values that are no option of their select field any more",
                "Add the options to the model before the restore, or choose others afterwards.",
            ),
            Self::Span => (
                "formatting or links in text that lead nowhere or lie outside of the text",
                "Nothing: the text itself is kept.",
            ),
            _ => return None,
        })
    }

    fn words_of_links(self) -> Option<(&'static str, &'static str)> {
        Some(match self {
            Self::BrokenLink => (
                "links whose document was gone already",
                "Nothing: they stay broken. Editors can choose other targets.",
            ),
            Self::LinkToAbsent => (
                "links to documents that are neither restored nor in the target",
                "Restore these documents as well (`--with-links`), or choose other targets afterwards: the links become broken.",
            ),
            Self::LinkOption => (
                "links to documents or files that open in a new window",
                "Set it again in the editor: only web links can be sent with it.",
            ),
            Self::OldFileAddress => (
                "web links to the address of a file of the old repository",
                "They lead there still. If the old repository goes away, choose the file in the new media library.",
            ),
            Self::AssetGone => (
                "images and files that the target does not have",
                "Upload the file and choose it again. It is in no snapshot, or could not be uploaded.",
            ),
            Self::AssetByAddress => {
                ("images and files of long ago that told no id", "Nothing: they were found by their address.")
            }
            Self::StockPhoto => (
                "images of other sites (stock photos)",
                "Choose them again in the editor: they are in no media library, so no API takes them.",
            ),
            Self::Crop => (
                "images of which a part is shown",
                "Look at some of them after the restore: Prismic does not say whether it keeps crops to the pixel.",
            ),
            Self::Embed => (
                "embeds",
                "Look at some of them after the restore: Prismic fetches them again, and those whose page is gone are refused.",
            ),
            Self::Integration => (
                "items of integration fields",
                "Connect the catalog to the target before the restore; what is shown of an item is what the catalog says then.",
            ),
            Self::IntegrationWithoutId => {
                ("items of integration fields that told no id", "Choose the item again in the editor.")
            }
            Self::UidMade => (
                "documents without UID of a type that needs one",
                "Give them a UID in the editor: one was made of the old id.",
            ),
            Self::More => (
                "documents with more findings than are listed",
                "Compare these documents with the snapshot by hand.",
            ),
            _ => return None,
        })
    }

    fn words_of_repository(self) -> (&'static str, &'static str) {
        match self {
            Self::AssetIds => (
                "ids and addresses of images and files",
                "New ones are given. Change addresses that stand in code or on other sites; the journal of the restore has both.",
            ),
            Self::PublicationDates => (
                "dates of first and last publication",
                "They become the time of the restore. Sites that sort by them need a date field of their own.",
            ),
            Self::EditorTitles => (
                "titles that editors see in lists",
                "They are in no API and made of the content. Change those that are unclear.",
            ),
            Self::Derived => (
                "slugs, addresses, and what links tell of their target",
                "Nothing: Prismic writes them itself.",
            ),
            Self::AuthorsAndHistory => (
                "authors and earlier versions",
                "Nothing: they cannot be written. Earlier snapshots have earlier versions.",
            ),
            Self::Releases => ("releases", "Make them again by hand: what was in them is in the snapshot."),
            Self::Schedules => ("schedules of releases", "Set them again by hand."),
            Self::Drafts => {
                ("drafts and archived documents", "Nothing: no API shows them, so no snapshot has them.")
            }
            Self::Webhooks => ("webhooks", "Make them again under Settings, Webhooks."),
            Self::Members => (
                "members and their roles",
                "Invite them again under Settings, Users; `prismvault access` knows who they were.",
            ),
            Self::Tokens => (
                "tokens for the APIs",
                "Make new ones under Settings, API & Security, and give them to the sites.",
            ),
            Self::PreviewSettings => ("previews and other settings", "Set them again under Settings."),
            Self::AssetTooLarge => (
                "files that are too large for the media library (100 MB)",
                "Make them smaller and upload them by hand, or host them elsewhere.",
            ),
            Self::AssetMissing => (
                "files whose bytes are not in the snapshot",
                "Look for them in an earlier snapshot: `prismvault find`.",
            ),
            Self::AssetTextTooLong => (
                "descriptions, notes or credits of files above 500 characters",
                "They are cut. Nothing, or shorten them by hand.",
            ),
            Self::TagTooLong => {
                ("tags of files above 20 characters", "They are cut. Nothing, or tag these files by hand.")
            }
            Self::Uploader => ("who uploaded each file", "Nothing: it becomes the token of the restore."),
            Self::AssetDates => {
                ("when each file was uploaded", "Nothing: it becomes the time of the restore.")
            }
            // The kinds of content have words of their own.
            _ => (
                "ids of documents",
                "New ones are given. Change ids that stand in code; the journal of the restore has both.",
            ),
        }
    }
}
