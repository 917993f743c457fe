//! What is to happen in live Prismic, step by step, as the plan has it.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::ids::{Digest, Name};

/// One thing that is to happen to something live.
///
/// Personal data: places, and addresses with the names of files. `Debug` shows paths and kinds only.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct LiveStep {
    /// The repository.
    pub repository: Name,
    /// What the path in a snapshot is; empty for the repository as a whole.
    pub path: String,
    /// What happens.
    #[serde(flatten)]
    pub action: LiveAction,
}

/// What happens to something live.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(tag = "do", rename_all = "kebab-case")]
pub enum LiveAction {
    /// The document is replaced through the Migration API and published.
    Put(Put),
    /// What the media library says of a file is changed through the Asset API.
    Patch(Patch),
    /// The file is taken out of the media library through the Asset API.
    Delete(Delete),
    /// The person stands only in what Prismic copies from other documents and files: it changes when those do.
    Follows {
        /// Where.
        places: Vec<String>,
    },
    /// No interface does it, or not without loss: a person has to.
    Task(Task),
}

/// A document that is replaced.
///
/// Both digests are SHA-256 of UID, tags and fields as the Migration API takes them, as canonical JSON: what
/// Prismic itself copies or derives is not among them, so that the publication of another document is no drift.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Put {
    /// Id of the document.
    pub id: String,
    /// What it is now.
    pub before: Digest,
    /// What is sent.
    pub sent: Digest,
    /// Places that change, as in [`Passage::place`](crate::privacy::passage::Passage::place).
    pub places: Vec<String>,
    /// Places of which Prismic does not promise that they stay as they are when the document is written: cut-outs
    /// of pictures, embeds that are fetched again.
    pub may_differ: Vec<String>,
}

/// A file of which the texts are changed.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Patch {
    /// Id of the file.
    pub id: String,
    /// SHA-256 of file name, notes, credits, alternative text and tags as they are now, as canonical JSON.
    pub before: Digest,
    /// The same as they are to be.
    pub after: Digest,
    /// Members that change: `filename`, `notes`, `credits`, `alt`, `tags`.
    pub members: Vec<String>,
}

/// A file that is deleted.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Delete {
    /// Id of the file.
    pub id: String,
    /// SHA-256 of its id, address and size, as canonical JSON.
    pub before: Digest,
}

/// Something that a person has to do.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Task {
    /// What.
    pub code: TaskCode,
    /// Why this program does not do it.
    pub why: Why,
    /// Id of the document, file or model; empty for the repository as a whole.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub id: String,
    /// Type of the document.
    #[serde(default, rename = "type", skip_serializing_if = "String::is_empty")]
    pub type_: String,
    /// Language of the document.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub language: String,
    /// Places in it; never what stands there.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub places: Vec<String>,
    /// Ids of other documents that it is about: those that show a file.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub documents: Vec<String>,
    /// What writing it would lose: kinds of findings of a conversion, with their places.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub loses: Vec<String>,
    /// Public addresses that are to be gone.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub urls: Vec<String>,
}

/// What a person has to do.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum TaskCode {
    /// Take the person out of a published document.
    EditDocument,
    /// Take the person out of a document of a release.
    EditRelease,
    /// Unpublish and delete a document: it is about the person as a whole.
    RemoveDocument,
    /// Take an embed out of a document: what it says is fetched from its page again and again.
    RemoveEmbed,
    /// Change what the media library says of a file.
    EditAsset,
    /// Take a file out of the media library.
    DeleteAsset,
    /// Upload a file under another name, and delete this one: its address names the person.
    ReplaceAsset,
    /// Take a file that is deleted out of the documents that show it.
    UnlinkAsset,
    /// Delete a tag of the media library.
    DeleteAssetTag,
    /// Change a custom type or slice.
    EditModel,
    /// Change something in the settings of the repository, its members among them.
    EditSettings,
    /// Look for the person where no interface looks: drafts, archived documents, titles in the editor.
    CheckHidden,
    /// Put right what a document says; one of a release as well.
    CorrectDocument,
    /// Put right what the media library says of a file.
    CorrectAsset,
    /// Put a right file in the place of one in which something is wrong.
    CorrectFile,
    /// Put right what models or settings say.
    CorrectSettings,
    /// Look for wrong values where no interface looks: drafts, archived documents, titles in the editor.
    CorrectHidden,
    /// Take a document offline for as long as it is restricted, and delete nothing.
    HideDocument,
    /// Take a file out of the documents that show it for as long as it is restricted, and delete nothing.
    HideFile,
    /// See that what no reader of the site sees (a release, a model, a setting) is not used while it is restricted.
    HideOther,
    /// Publish a document again that was taken offline for a restriction.
    ShowDocument,
    /// Show a file again that was taken out of documents for a restriction.
    ShowFile,
    /// Prismic: earlier versions of a document.
    SupportHistory,
    /// Prismic: old slugs of a document.
    SupportSlugs,
    /// Prismic: a file that stays at its public addresses.
    SupportFile,
}

/// Who does a task.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Doer {
    /// An editor of the repository.
    Editor,
    /// Prismic's support, on instruction (GDPR Art. 28(3)(e)).
    Support,
}

impl TaskCode {
    /// All of them.
    pub const ALL: [Self; 25] = [
        Self::EditDocument,
        Self::EditRelease,
        Self::RemoveDocument,
        Self::RemoveEmbed,
        Self::EditAsset,
        Self::DeleteAsset,
        Self::ReplaceAsset,
        Self::UnlinkAsset,
        Self::DeleteAssetTag,
        Self::EditModel,
        Self::EditSettings,
        Self::CheckHidden,
        Self::CorrectDocument,
        Self::CorrectAsset,
        Self::CorrectFile,
        Self::CorrectSettings,
        Self::CorrectHidden,
        Self::HideDocument,
        Self::HideFile,
        Self::HideOther,
        Self::ShowDocument,
        Self::ShowFile,
        Self::SupportHistory,
        Self::SupportSlugs,
        Self::SupportFile,
    ];

    /// Its name, as in JSON and in the files of words.
    pub fn name(self) -> &'static str {
        match self {
            Self::EditDocument => "edit-document",
            Self::EditRelease => "edit-release",
            Self::RemoveDocument => "remove-document",
            Self::RemoveEmbed => "remove-embed",
            Self::EditAsset => "edit-asset",
            Self::DeleteAsset => "delete-asset",
            Self::ReplaceAsset => "replace-asset",
            Self::UnlinkAsset => "unlink-asset",
            Self::DeleteAssetTag => "delete-asset-tag",
            Self::EditModel => "edit-model",
            Self::EditSettings => "edit-settings",
            Self::CheckHidden => "check-hidden",
            Self::CorrectDocument => "correct-document",
            Self::CorrectAsset => "correct-asset",
            Self::CorrectFile => "correct-file",
            Self::CorrectSettings => "correct-settings",
            Self::CorrectHidden => "correct-hidden",
            Self::HideDocument => "hide-document",
            Self::HideFile => "hide-file",
            Self::HideOther => "hide-other",
            Self::ShowDocument => "show-document",
            Self::ShowFile => "show-file",
            Self::SupportHistory => "support-history",
            Self::SupportSlugs => "support-slugs",
            Self::SupportFile => "support-file",
        }
    }

    /// Who does it.
    pub fn doer(self) -> Doer {
        match self {
            Self::SupportHistory | Self::SupportSlugs | Self::SupportFile => Doer::Support,
            _ => Doer::Editor,
        }
    }
}

/// Why this program does not do it itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Why {
    /// No interface of Prismic does it.
    NoInterface,
    /// Writing the document would lose something else of it.
    WouldLose,
    /// The person cannot be taken out without the rest.
    CannotMask,
    /// What stands there is no text that is replaced: an address, a name for programs, a file, markup.
    CannotCorrect,
    /// Something that stays cannot be told from what goes.
    CannotTell,
    /// The configuration has no write token for the repository.
    NoWriteToken,
    /// The configuration does not name the repository.
    NotConfigured,
    /// Only in a release: writing would publish it.
    InRelease,
    /// The Types API has no model that takes the document.
    NoModel,
}

impl Why {
    /// All of them.
    pub const ALL: [Self; 9] = [
        Self::NoInterface,
        Self::WouldLose,
        Self::CannotMask,
        Self::CannotCorrect,
        Self::CannotTell,
        Self::NoWriteToken,
        Self::NotConfigured,
        Self::InRelease,
        Self::NoModel,
    ];

    /// Its name, as in JSON and in the files of words.
    pub fn name(self) -> &'static str {
        match self {
            Self::NoInterface => "no-interface",
            Self::WouldLose => "would-lose",
            Self::CannotMask => "cannot-mask",
            Self::CannotCorrect => "cannot-correct",
            Self::CannotTell => "cannot-tell",
            Self::NoWriteToken => "no-write-token",
            Self::NotConfigured => "not-configured",
            Self::InRelease => "in-release",
            Self::NoModel => "no-model",
        }
    }
}

impl LiveStep {
    /// Its id, the same in every plan: 16 hexadecimal digits of what it is about. A case notes under it that a
    /// person did a task.
    pub fn id(&self) -> String {
        let (code, id) = match &self.action {
            LiveAction::Put(_) => ("put", ""),
            LiveAction::Patch(_) => ("patch", ""),
            LiveAction::Delete(_) => ("delete", ""),
            LiveAction::Follows { .. } => ("follows", ""),
            LiveAction::Task(task) => (task.code.name(), &*task.id),
        };
        let text = format!("live step\0{}\0{}\0{code}\0{id}", self.repository, self.path);
        Digest::of(text.as_bytes()).to_string().chars().take(16).collect()
    }

    /// The task that it is, if it is one.
    pub fn task(&self) -> Option<&Task> {
        match &self.action {
            LiveAction::Task(task) => Some(task),
            _ => None,
        }
    }
}

impl Task {
    /// A task with nothing but what and why.
    pub(in crate::privacy::erasure) fn new(code: TaskCode, why: Why) -> Self {
        let (id, type_, language) = Default::default();
        let (places, documents, loses, urls) = Default::default();
        Self { code, why, id, type_, language, places, documents, loses, urls }
    }
}

impl fmt::Debug for LiveStep {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("LiveStep")
            .field("repository", &self.repository)
            .field("path", &self.path)
            .field("action", &self.action)
            .finish()
    }
}

impl fmt::Debug for LiveAction {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Put(put) => write!(f, "Put({} places)", put.places.len()),
            Self::Patch(patch) => write!(f, "Patch({})", patch.members.join(", ")),
            Self::Delete(_) => f.write_str("Delete"),
            Self::Follows { places } => write!(f, "Follows({} places)", places.len()),
            Self::Task(task) => write!(f, "Task({}, {})", task.code.name(), task.why.name()),
        }
    }
}

impl fmt::Debug for Put {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Put").field("id", &self.id).finish_non_exhaustive()
    }
}

impl fmt::Debug for Patch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Patch").field("id", &self.id).finish_non_exhaustive()
    }
}

impl fmt::Debug for Delete {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Delete").field("id", &self.id).finish_non_exhaustive()
    }
}

impl fmt::Debug for Task {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Task").field("code", &self.code).field("why", &self.why).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn step(action: LiveAction) -> LiveStep {
        LiveStep { repository: "blog".parse().unwrap(), path: "assets/A/metadata.json".into(), action }
    }

    #[test]
    fn a_step_reads_as_itself_has_an_id_of_its_own_and_shows_no_value() {
        let mut seen = std::collections::HashSet::new();
        for code in TaskCode::ALL {
            assert_eq!(serde_json::to_value(code).unwrap(), code.name());
            let task = Task {
                places: vec!["/data/perpetua".to_owned()],
                urls: vec!["https://images.prismic.io/a/perpetua.jpg".to_owned()],
                ..Task::new(code, Why::NoInterface)
            };
            let step = step(LiveAction::Task(task));
            let text = serde_json::to_string(&step).unwrap();
            assert_eq!(serde_json::from_str::<LiveStep>(&text).unwrap(), step);
            assert!(seen.insert(step.id()) && step.id().len() == 16);
            assert!(!format!("{step:?}").contains("perpetua"));
        }
        for why in Why::ALL {
            assert_eq!(serde_json::to_value(why).unwrap(), why.name());
        }
        let digest = Digest::of(b"x");
        let patch = Patch { id: "A".into(), before: digest, after: digest, members: vec!["alt".into()] };
        let put = Put {
            id: "A".into(),
            before: digest,
            sent: digest,
            places: vec!["/data/a".into()],
            may_differ: Vec::new(),
        };
        for action in [
            LiveAction::Put(put),
            LiveAction::Patch(patch),
            LiveAction::Delete(Delete { id: "A".into(), before: digest }),
            LiveAction::Follows { places: vec!["/data/link/slug".into()] },
        ] {
            let step = step(action);
            let text = serde_json::to_string(&step).unwrap();
            assert_eq!(serde_json::from_str::<LiveStep>(&text).unwrap(), step);
            assert!(seen.insert(step.id()));
        }
    }
}
