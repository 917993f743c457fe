//! The answer to a request, from a small vault: what is in it, what is not, and what stands in its way.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::sync::Arc;

use prismvault::access::{ImportTarget, import, parse};
use prismvault::clock::SystemClock;
use prismvault::contentapi::{ASSET_HOST, Document};
use prismvault::limits::Limits;
use prismvault::objects::{Body, PutMode};
use prismvault::prismic::Http;
use prismvault::privacy::channels::Bounds;
use prismvault::privacy::letters::Language;
use prismvault::privacy::matching::{Finding, Matcher};
use prismvault::privacy::package::verify::verify;
use prismvault::privacy::package::{Order, PackageError, Protection, Scope, Survey, Written, write};
use prismvault::privacy::passage::Channel;
use prismvault::privacy::processing::Processing;
use prismvault::privacy::review::{Decided, Decision};
use prismvault::privacy::right::Right;
use prismvault::privacy::search::{
    Again, FoundItem, LiveSource, SearchOptions, SearchReport, read_again, search,
};
use prismvault::privacy::subject::{IdentifierKind, Subject};
use prismvault::progress::{Problem, Silent};
use prismvault::restore::RestoreError;
use prismvault::sandbox::{Asset, AssetContent, Changes, Content};
use prismvault::vault::open::Vault;
use prismvault::vault::signing::SigningKey;
use prismvault::vault::snapshots::Snapshots;
use serde_json::{Value, json};
use tempfile::TempDir;
use tokio_util::sync::CancellationToken;

use crate::backups::{Backup, Source};
use crate::privacy_channels::plant::places;
use crate::restoring::crafted::{HOME, LINKING, NOTE, content_of, data, data_with, document};
use crate::restoring::options;

const PERSON: &str = "Perpetua Exampleton";
const ADDRESS: &str = "perpetua.exampleton@example.org";
const ABOUT: &str = "PackageAuthor001";

/// Writes a file, whatever was there before.
fn put_file(path: impl AsRef<Path>, bytes: impl AsRef<[u8]>) {
    std::io::Write::write_all(&mut fs::File::create(path).unwrap(), bytes.as_ref()).unwrap();
}

fn subject() -> Subject {
    let mut subject = Subject::default();
    subject.add(IdentifierKind::Name, PERSON).unwrap();
    subject.add(IdentifierKind::Email, ADDRESS).unwrap();
    subject.add(IdentifierKind::AuthorDocument, ABOUT).unwrap();
    subject
}

fn page(id: &str, data: &Value) -> Arc<Document> {
    document((id, "article", "en-us"), Some(&id.to_lowercase()), &[], data)
}

fn note(id: &str, text: &str) -> Arc<Document> {
    let content = json!([{ "type": "paragraph", "text": text, "spans": [] }]);
    document((id, "note", "en-us"), None, &[], &json!({ "content": content }))
}

/// A page that names the person, one with their address and somebody else's, one about them, one of a
/// namesake, and a picture by them.
fn content() -> Content {
    let mut content = content_of(vec![
        page(HOME, &data_with(&format!("as {PERSON} says"), json!({}))),
        note(NOTE, &format!("write to {ADDRESS}, or to max@example.net, +49 30 1112233, of Max Beispiel")),
        page(LINKING, &data("of nobody")),
        note(ABOUT, "Born in Nowhere. Likes invented cheese."),
        note("Namesake00000001", &format!("another {PERSON}, who paints")),
    ]);
    let picture =
        places().into_iter().find(|place| place.channel == Channel::Exif && place.takes.accepts(PERSON));
    let picture = picture.unwrap().plant(PERSON);
    let mut item = content.library.assets()[0].item();
    item["size"] = picture.bytes.len().into();
    let bytes = AssetContent::Bytes(picture.bytes.into());
    content.library.put(Asset::parse(&item.to_string(), &[ASSET_HOST], bytes).unwrap());
    content
}

/// A vault that was searched.
struct Searched {
    vault: Arc<Vault>,
    snapshots: Snapshots,
    report: SearchReport,
    matcher: Arc<Matcher>,
    directory: TempDir,
    signer: SigningKey,
}

impl Searched {
    async fn of(backup: &Backup, live: &[&Source]) -> Self {
        let vault = backup.open_with(vec![backup.operator.clone(), backup.recovery.clone()]).await.unwrap();
        let snapshots = Snapshots::load(&vault, None).await.unwrap();
        let http = Http::new(backup.limits.clone(), Arc::new(SystemClock)).unwrap();
        let live: Vec<LiveSource<'_>> =
            live.iter().map(|source| LiveSource { target: &source.target, http: &http }).collect();
        let matcher = Arc::new(Matcher::new(&subject(), &[]));
        let options = SearchOptions {
            repositories: Vec::new(),
            live: &live,
            bounds: Bounds::default(),
            now: vault.now(),
            progress: &Silent,
            cancel: CancellationToken::new(),
        };
        let report = search(&vault, &snapshots, Arc::clone(&matcher), options).await.unwrap();
        let (directory, signer) = (tempfile::tempdir().unwrap(), SigningKey::generate());
        Self { vault, snapshots, report, matcher, directory, signer }
    }

    fn again<'a>(&'a self, live: &'a [LiveSource<'a>]) -> Again<'a> {
        Again {
            vault: &self.vault,
            snapshots: &self.snapshots,
            live,
            bounds: Bounds::default(),
            progress: &Silent,
            cancel: CancellationToken::new(),
        }
    }

    fn processing(&self) -> Processing {
        let file = self.directory.path().join("processing.toml");
        let text = "[controller]\nname = \"Example Press\"\naddress = \"1 Invented Street\"\n\
            contact = \"privacy@press.example\"\ndata_protection_officer = \"dpo@press.example\"\n[en]\n\
            purposes = \"Authors are named beside their texts.\"\ncategories = \"Names and addresses.\"\n\
            recipients = [\"Prismic.io, Inc., United States\"]\nretention = \"One year in backups.\"\n\
            rights = \"Correction, deletion, restriction, objection.\"\ncomplaint = \"Authority of Nowhere\"\n\
            source = \"From you.\"\nautomated_decisions = \"None.\"\ntransfers = \"Standard clauses.\"\n";
        put_file(&file, text);
        Processing::load(&file, Language::En, &Limits::default()).unwrap()
    }

    async fn package(
        &self,
        name: &str,
        scope: Option<Scope>,
        live: &[LiveSource<'_>],
        decide: &dyn Fn(&FoundItem, &Finding) -> Option<Decided>,
    ) -> Result<(Written, BTreeMap<String, Vec<u8>>), PackageError> {
        let place = self.directory.path().join(name);
        let case = "2026-7K3F9Q".parse().unwrap();
        let order = Order {
            case: &case,
            right: if scope.is_some() { Right::Portability } else { Right::Access },
            rules: "eu".to_owned(),
            language: Language::En,
            prepared_on: "2026-11-23".parse().unwrap(),
            processing: self.processing(),
            scope,
            report: &self.report,
            decisions: decide,
            signer: &self.signer,
        };
        let written = write(&self.again(live), &self.matcher, order, &place, &Protection::Directory).await;
        let written = match written {
            Ok(written) => written,
            Err(error) => {
                assert!(!place.exists(), "nothing is left of what failed");
                let left =
                    fs::read_dir(self.directory.path()).unwrap().map(|entry| entry.unwrap().file_name());
                assert!(left.into_iter().all(|name| !name.to_string_lossy().contains("partial")));
                return Err(error);
            }
        };
        let verified = verify(&place, std::slice::from_ref(self.signer.public())).unwrap();
        assert!(verified.is_good(), "{:?}", verified.faults);
        Ok((written, files(&place)))
    }
}

fn files(directory: &Path) -> BTreeMap<String, Vec<u8>> {
    crate::restore::tree(directory)
}

fn decided(decision: Decision) -> Decided {
    Decided {
        decision,
        ground: Some("remark of Anna".to_owned()),
        redact: Vec::new(),
        by: "Anna of privacy".to_owned(),
        at: "2026-11-23T10:00:00Z".parse().unwrap(),
    }
}

/// Everything is the person but what the namesake says.
fn all_but_the_namesake(found: &FoundItem, _: &Finding) -> Option<Decided> {
    let is_namesake = found.paths().iter().any(|path| path.contains("Namesake"));
    Some(decided(if is_namesake { Decision::NotSubject } else { Decision::Subject }))
}

fn records(files: &BTreeMap<String, Vec<u8>>) -> Vec<Value> {
    let data: Value = serde_json::from_slice(&files["data.json"]).unwrap();
    data["records"].as_array().unwrap().clone()
}

fn texts_at<'r>(records: &'r [Value], path: &str) -> Vec<&'r str> {
    let own = records.iter().filter(|record| record["path"].as_str().unwrap().contains(path));
    own.map(|record| record["text"].as_str().unwrap()).collect()
}

#[tokio::test]
async fn what_was_found_is_found_again_where_it_was() {
    let (source, backup) = (Source::of(content(), options()), Backup::in_memory(1).await);
    backup.snapshot(&source).await.unwrap();
    let searched = Searched::of(&backup, &[]).await;
    let mut seen = 0;
    let problems = read_again(
        &searched.again(&[]),
        &searched.report,
        &searched.matcher,
        |_, _| true,
        async |read| {
            seen += 1;
            assert_eq!(read.located.len(), read.found.findings.len());
            for (stored, located) in read.found.findings.iter().zip(&read.located) {
                let located = located.as_ref().unwrap();
                let passage = read.passages[located.passage].passage();
                assert_eq!((passage.place, passage.channel), (&*stored.place, stored.channel));
                let shown = searched.matcher.unmasked_excerpt(&passage, &located.finding).unwrap();
                assert!(!shown.is_empty());
                assert!(searched.matcher.is_of(&passage, stored));
            }
            Ok::<_, RestoreError>(())
        },
    )
    .await
    .unwrap();
    assert_eq!((seen, problems), (searched.report.found.len(), Vec::new()));

    // Numbers of passages are not believed, and what is not there is said.
    let mut other = searched.report.clone();
    for found in &mut other.found {
        found.findings.iter_mut().for_each(|finding| finding.passage += 1_000);
    }
    let read = |report: SearchReport| {
        let searched = &searched;
        async move {
            let each = async |_: prismvault::privacy::search::ReadItem<'_>| Ok::<_, RestoreError>(());
            let again = searched.again(&[]);
            read_again(&again, &report, &searched.matcher, |index, _| index == 0, each).await.unwrap()
        }
    };
    assert_eq!(read(other.clone()).await, []);
    other.found[0].findings[0].place.push_str("/elsewhere");
    let gone: Vec<Problem> = read(other).await;
    assert!(gone.len() == 1 && gone[0].detail.contains("search again"), "{gone:?}");
}

#[tokio::test]
async fn a_package_holds_what_is_the_person_and_hides_what_is_of_others() {
    let (source, backup) = (Source::of(content(), options()), Backup::in_memory(2).await);
    let first = backup.snapshot(&source).await.unwrap().committed.manifest.snapshot;
    let put = vec![page(HOME, &data("of nobody now")), note(LINKING, "of nobody")];
    source.repository.publish(Changes { put, ..Changes::default() });
    backup.clock.advance(chrono::TimeDelta::hours(1));
    let second = backup.snapshot(&source).await.unwrap().committed.manifest.snapshot;
    let members =
        format!("Name;E-Mail;Role\nMax Beispiel;max@example.net;Owner\n{PERSON};{ADDRESS};Writer\n");
    let members = parse(members.as_bytes(), &backup.limits);
    let target = ImportTarget {
        repository: source.target.name.clone(),
        space: source.target.space.clone(),
        prismic: source.target.repository.clone(),
    };
    let vault = backup.open().await.unwrap();
    import(&vault, &target, &members.unwrap()).await.unwrap();

    let searched = Searched::of(&backup, &[]).await;
    let survey = Survey::of(&searched.report, &all_but_the_namesake);
    assert!(survey.others > 0 && survey.open == 0 && survey.files == 1, "{survey:?}");
    let (written, files) = searched.package("answer", None, &[], &all_but_the_namesake).await.unwrap();
    let records = records(&files);
    assert_eq!(written.records, records.len() as u64);

    // Since when until when.
    let home = records.iter().find(|record| record["path"].as_str().unwrap().contains(HOME)).unwrap();
    let time = |id: &prismvault::ids::SnapshotId| prismvault::clock::rfc3339(id.time());
    assert_eq!(
        (home["first_seen"].as_str(), home["last_seen"].as_str()),
        (Some(&*time(&first)), Some(&*time(&first)))
    );
    let noted = records.iter().find(|record| record["path"].as_str().unwrap().contains(NOTE)).unwrap();
    assert_eq!(noted["last_seen"].as_str(), Some(&*time(&second)));
    assert_eq!(noted["snapshots"], 2);
    assert_eq!(noted["live"], Value::Null, "live content was not searched");
    // Of others nothing that reaches them.
    let text = noted["text"].as_str().unwrap();
    assert!(text.contains(ADDRESS) && text.contains("[other person's e-mail address]"), "{text}");
    assert!(text.contains("[other person's phone number]") && noted["hidden"] == true, "{text}");
    assert!(written.hidden >= 1);
    // A document about the person is theirs as a whole, one about a namesake not at all.
    let about = texts_at(&records, ABOUT);
    assert!(about.iter().any(|text| text.contains("invented cheese")), "{about:?}");
    assert_eq!(texts_at(&records, "Namesake"), Vec::<&str>::new());
    // A member gets their own record, with the role.
    let member = texts_at(&records, "members.json");
    assert!(member.contains(&"Writer") && member.contains(&ADDRESS), "{member:?}");
    assert!(!member.iter().any(|text| text.contains("Max") || text.contains("Owner")), "{member:?}");
    assert!(written.is_member && files.contains_key("ask-prismic.en.txt"));
    // The picture is copied as it is.
    let copy = files.keys().find(|path| path.starts_with("files/")).unwrap();
    let item = searched
        .report
        .found
        .iter()
        .find(|found| found.paths().iter().any(|path| path.ends_with("/original")));
    assert_eq!(files[copy].len() as u64, item.unwrap().size);
    assert_eq!(written.files, 1);

    for (name, bytes) in &files {
        let text = String::from_utf8_lossy(bytes);
        for never in ["max@example.net", "1112233", "Anna", "paints"] {
            assert!(!text.contains(never), "{name} has {never}");
        }
    }
    let index = String::from_utf8(files["index.html"].clone()).unwrap();
    for words in
        ["Standard clauses", "Art. 15(1)(c)", "drafts in the editorial system", "Your account at Prismic"]
    {
        assert!(index.contains(words), "{words}");
    }
}

#[tokio::test]
async fn reviewers_hide_names_and_files_with_others_are_not_copied() {
    let (source, backup) = (Source::of(content(), options()), Backup::in_memory(1).await);
    backup.snapshot(&source).await.unwrap();
    let searched = Searched::of(&backup, &[]).await;
    let decide = |found: &FoundItem, finding: &Finding| {
        let is_at = |part: &str| found.paths().iter().any(|path| path.contains(part));
        let mut decided = all_but_the_namesake(found, finding)?;
        if is_at(NOTE) {
            decided.redact = vec!["max beispiel".to_owned()];
        }
        if is_at("/original") || is_at(HOME) {
            decided.decision = Decision::ThirdParty;
        }
        Some(decided)
    };
    let (written, files) = searched.package("answer", None, &[], &decide).await.unwrap();
    let records = records(&files);
    let note = texts_at(&records, NOTE);
    assert!(note.iter().any(|text| text.ends_with("of [other person]")), "{note:?}");
    assert!(texts_at(&records, HOME).iter().all(|text| text.contains(PERSON)));
    assert_eq!((written.files, written.not_copied.len()), (0, 1));
    assert!(!files.keys().any(|path| path.starts_with("files/")));
    assert!(!texts_at(&records, "/original").is_empty(), "its text is given instead");
    let index = String::from_utf8(files["index.html"].clone()).unwrap();
    assert!(index.contains("also holds data of other people") && index.contains("What is hidden"));
}

#[tokio::test]
async fn nothing_is_handed_over_while_something_is_open() {
    let (source, backup) = (Source::of(content(), options()), Backup::in_memory(1).await);
    backup.snapshot(&source).await.unwrap();
    let searched = Searched::of(&backup, &[]).await;
    let unsure = |found: &FoundItem, finding: &Finding| {
        let decided = all_but_the_namesake(found, finding)?;
        match found.paths().iter().any(|path| path.contains(NOTE)) {
            true => None,
            false if decided.decision == Decision::NotSubject => Some(self::decided(Decision::Unsure)),
            false => Some(decided),
        }
    };
    let error = searched.package("answer", None, &[], &unsure).await.unwrap_err();
    let PackageError::Undecided { open, unsure } = error else { panic!("{error}") };
    assert!(open >= 1 && unsure >= 1, "{open} {unsure}");
    // Nobody was found: that is an answer.
    let nobody = |_: &FoundItem, _: &Finding| Some(decided(Decision::NotSubject));
    let (written, files) = searched.package("nobody", None, &[], &nobody).await.unwrap();
    assert_eq!((written.records, written.files), (0, 0));
    let index = String::from_utf8(files["index.html"].clone()).unwrap();
    assert!(index.contains("Nothing about you was found where we searched"));
    let place = searched.directory.path().join("nobody");
    let before = self::files(&place);
    let case = "2026-7K3F9Q".parse().unwrap();
    let order = Order {
        case: &case,
        right: Right::Access,
        rules: "eu".to_owned(),
        language: Language::En,
        prepared_on: "2026-11-23".parse().unwrap(),
        processing: searched.processing(),
        scope: None,
        report: &searched.report,
        decisions: &nobody,
        signer: &searched.signer,
    };
    let twice = write(&searched.again(&[]), &searched.matcher, order, &place, &Protection::Directory).await;
    assert!(matches!(twice, Err(PackageError::Exists(_))));
    assert_eq!(self::files(&place), before);
}

#[tokio::test]
async fn what_is_live_only_is_fetched_again_and_a_change_is_told() {
    let (source, backup) = (Source::of(content(), options()), Backup::in_memory(1).await);
    backup.snapshot(&source).await.unwrap();
    let put = vec![page(LINKING, &data(&format!("{PERSON} is new here")))];
    source.repository.publish(Changes { put, ..Changes::default() });
    let searched = Searched::of(&backup, &[&source]).await;
    let http = Http::new(backup.limits.clone(), Arc::new(SystemClock)).unwrap();
    let live = [LiveSource { target: &source.target, http: &http }];
    let (_, files) = searched.package("answer", None, &live, &all_but_the_namesake).await.unwrap();
    let records = records(&files);
    let new = records.iter().find(|record| record["path"].as_str().unwrap().contains(LINKING)).unwrap();
    assert!(new["text"].as_str().unwrap().contains("is new here") && new["live"] == true);
    assert_eq!((new["first_seen"].clone(), new["snapshots"].clone()), (Value::Null, 0.into()));

    let changed = |error: PackageError, words: &str| {
        let PackageError::Changed(problems) = error else { panic!("{error}") };
        assert!(problems.iter().any(|problem| problem.detail.contains(words)), "{problems:?}");
    };
    let unknown = searched.package("unknown", None, &[], &all_but_the_namesake).await.unwrap_err();
    changed(unknown, "does not name this repository");
    let put = vec![page(LINKING, &data("of nobody"))];
    source.repository.publish(Changes { put, ..Changes::default() });
    let gone = searched.package("gone", None, &live, &all_but_the_namesake).await.unwrap_err();
    changed(gone, "search again");
}

#[tokio::test]
async fn what_is_damaged_since_the_search_is_never_left_out_in_silence() {
    let (source, backup) = (Source::of(content(), options()), Backup::in_memory(1).await);
    backup.snapshot(&source).await.unwrap();
    let searched = Searched::of(&backup, &[]).await;
    let store = &backup.stores[0].1;
    let mut refused = 0;
    for object in store.list("").await.unwrap().into_iter().filter(|one| one.key.starts_with("packs/")) {
        let bytes = store.get(&object.key, u64::MAX).await.unwrap();
        let mut bad = bytes.to_vec();
        for at in (0..bad.len()).step_by(64) {
            bad[at] ^= 0x10;
        }
        store.put(&object.key, Body::bytes(bad), PutMode::Overwrite).await.unwrap();
        match searched.package("answer", None, &[], &all_but_the_namesake).await {
            Err(PackageError::Changed(problems)) => {
                assert!(problems.iter().all(|problem| problem.code == "item-damaged"), "{problems:?}");
                refused += 1;
            }
            Err(error) => panic!("{error}"),
            // A pack with nothing of the person.
            Ok((_, whole)) => {
                assert!(!texts_at(&records(&whole), ABOUT).is_empty());
                fs::remove_dir_all(searched.directory.path().join("answer")).unwrap();
            }
        }
        store.put(&object.key, Body::bytes(bytes), PutMode::Overwrite).await.unwrap();
    }
    assert!(refused >= 2, "documents and files are in packs of their own");
}

#[tokio::test]
async fn portability_is_what_the_note_names_and_no_copy_of_access() {
    let (source, backup) = (Source::of(content(), options()), Backup::in_memory(1).await);
    backup.snapshot(&source).await.unwrap();
    let searched = Searched::of(&backup, &[]).await;
    let file = searched.directory.path().join("note.toml");
    let note = "decided_by = \"Anna of privacy\"\nbasis = \"contract\"\n\
        reason = \"The author wrote this text about herself.\"\n[[provided]]\ntype = \"note\"\nfields = [\"data.content\"]\n";
    put_file(&file, note);
    let scope = Scope::load(&file, &Limits::default()).unwrap();
    let (written, files) =
        searched.package("portability", Some(scope), &[], &all_but_the_namesake).await.unwrap();
    let records = records(&files);
    assert!(!records.is_empty());
    for record in &records {
        assert!(record["path"].as_str().unwrap().contains("/note/"), "{record}");
        assert!(record["place"].as_str().unwrap().starts_with("/data/content"), "{record}");
    }
    assert_eq!(written.files, 0);
    assert!(!files.contains_key("article15.json") && !files.keys().any(|path| path.starts_with("files/")));
    let scope: Value = serde_json::from_slice(&files["scope.json"]).unwrap();
    assert_eq!(scope["basis"], "contract");
    for bytes in files.values() {
        assert!(!String::from_utf8_lossy(bytes).contains("Anna"));
    }
}
