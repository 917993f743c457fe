use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use serde_json::json;

use super::claims::claims;
use super::out::{CERTIFICATE, SIGNATURE, write};
use super::verify::verify;
use super::*;
use crate::clock::Timestamp;
use crate::ids::Name;
use crate::privacy::case::{Case, Event, What};
use crate::privacy::erasure::live::{LiveAction, LiveStep, TaskCode};
use crate::privacy::erasure::plan::{KeptFinding, Left, Plan};
use crate::privacy::letters::Language;
use crate::privacy::package::WriteError;
use crate::privacy::proof::evidence::{Sought, WordEvidence};
use crate::privacy::right::Right;
use crate::privacy::search::SearchReport;
use crate::vault::signing::SigningKey;

/// Writes a file anew.
fn put(path: impl AsRef<Path>, bytes: impl AsRef<[u8]>) {
    std::io::Write::write_all(&mut fs::File::create(path).unwrap(), bytes.as_ref()).unwrap();
}

const LOOKED: &str = "2026-11-22T10:00:00Z";
const ASSET: &str = "ZxAsset0000000001";

fn at(text: &str) -> Timestamp {
    text.parse().unwrap()
}

fn event(when: &str, what: What) -> Event {
    Event { at: at(when), actor: "anna".to_owned(), reason: Some("asked".to_owned()), what }
}

fn case() -> Case {
    let received = What::Received {
        on: "2026-11-02".parse().unwrap(),
        channel: "e-mail".to_owned(),
        rights: vec![Right::Erasure],
        rules: "eu".to_owned(),
        language: "en".to_owned(),
        from_case: None,
    };
    Case::open("2026-7K3F9Q".parse().unwrap(), event("2026-11-02T08:00:00Z", received)).unwrap()
}

fn name(text: &str) -> Name {
    text.parse().unwrap()
}

fn plan() -> Plan {
    let item = |change: &str, path: &str| {
        json!({
            "space": "blog", "item": "11".repeat(32), "paths": [path], "change": change, "by": "22".repeat(32),
            "size": 10, "places": [],
        })
    };
    let plan = json!({
        "kind": "erasure-plan", "format": 1, "tool": "0.1.0", "vault": "5f0c54e1c4f2e35b9a1f0be04f3ba7d2",
        "case": "2026-7K3F9Q", "planned": "2026-11-20T10:00:00Z", "by": "anna",
        "planned_by": SigningKey::generate().public(), "seed": "00".repeat(32),
        "search": "33".repeat(32), "decisions": "44".repeat(32),
        "items": [
            item("masked", "documents/en-us/author/ZxDocument0000001.json"),
            item("removed", &format!("assets/{ASSET}/original")),
        ],
        "purpose": "erasure", "kept": [], "left": [], "live": [], "unsearchable": 0,
    });
    let mut plan: Plan = serde_json::from_value(plan).unwrap();
    plan.live.push(LiveStep {
        repository: name("blog"),
        path: "documents/en-us/author/ZxDocument0000001.json".to_owned(),
        action: LiveAction::Follows { places: Vec::new() },
    });
    plan
}

fn search() -> SearchReport {
    let report = json!({
        "at": "2026-11-19T10:00:00Z", "version": "0.1.0", "found": [],
        "coverage": {
            "repositories": [{
                "repository": "blog", "snapshots": 3, "from": "20261101T020000Z-00000001",
                "to": "20261103T020000Z-00000001",
            }],
            "items": 120, "bytes": 4711, "read": {}, "passages": {},
            "unsearchable": { "no_text": 7, "encrypted": 1 }, "unsearched": [], "live": ["blog"],
            "beyond": ["drafts", "history"], "problems": [],
        },
    });
    serde_json::from_value(report).unwrap()
}

fn evidence(plan: &Plan) -> Evidence {
    let replica = |name: &str, unreadable: &str, gone: &str| {
        json!({
            "name": name, "id": "ab".repeat(16), "unreadable": unreadable, "gone": gone, "pending": 0,
            "horizon": "2026-12-01T00:00:00Z", "scanned": [12, 34_567], "leaks": 0, "unscanned": 0,
            "headers": [4, 0],
        })
    };
    serde_json::from_value(json!({
        "case": "2026-7K3F9Q", "plan": plan.hash(), "looked": LOOKED, "tool": "0.1.0",
        "live": [{ "repository": "blog", "read": "2026-11-22T09:00:00Z", "items": 80, "remaining": 0, "tasks": 0 }],
        "urls": [{
            "repository": "blog", "asset": ASSET, "asked": "2026-11-22T09:30:00Z", "status": 404,
            "gone": "2026-11-21T09:30:00Z",
        }],
        "replicas": [
            replica("one", "2026-11-20T12:00:00Z", "2026-11-20T12:30:00Z"),
            replica("two", "2026-11-21T12:00:00Z", "2026-11-21T12:30:00Z"),
        ],
        "local": [{ "name": "cache", "scanned": [3, 456], "leaks": 0, "unscanned": 0 }],
        "sought": { "needles": 40, "weak": 0 },
        "restored": [{
            "repository": "blog", "snapshot": "20261101T020000Z-00000001", "items": 40, "remaining": 0,
        }],
        "canary": true,
    }))
    .unwrap()
}

/// All that a certificate is made from.
struct Parts {
    case: Case,
    plan: Plan,
    search: SearchReport,
    evidence: Evidence,
    outlook: Vec<ReplicaOutlook>,
    encrypted: bool,
    fields: Vec<FieldsOf>,
    own_files: OwnFilesState,
}

impl Parts {
    fn good() -> Self {
        let plan = plan();
        let outlook = |replica: &str, copies| ReplicaOutlook { replica: replica.to_owned(), copies };
        Self {
            case: case(),
            search: search(),
            evidence: evidence(&plan),
            plan,
            outlook: vec![outlook("one", Copies::Volume), outlook("two", Copies::None)],
            encrypted: true,
            fields: vec![FieldsOf { repository: name("blog"), classified: 9, unclassified: Some(0) }],
            own_files: OwnFilesState { looked: Some(LOOKED.to_owned()), removed: 1, left: 0 },
        }
    }

    /// The evidence of a plan that was changed after it was taken down.
    fn again(mut self) -> Self {
        self.evidence.plan = self.plan.hash();
        self
    }

    fn make(&self) -> Result<Certificate, MakingError> {
        let orders = [OrderEntry {
            space: name("blog"),
            entry: "20261120T110000Z-00000001".parse().unwrap(),
            sha256: Digest([5; 32]),
            approved_by: [OrderEntry::key_id(SigningKey::generate().public())].into(),
        }];
        Making {
            made: at("2026-11-22T11:00:00Z"),
            case: &self.case,
            plan: &self.plan,
            search: &self.search,
            evidence: &self.evidence,
            orders: &orders,
            outlook: &self.outlook,
            encrypted: self.encrypted,
            fields: &self.fields,
            own_files: &self.own_files,
        }
        .make()
    }

    fn codes(&self) -> Vec<(ClaimKind, BTreeSet<Code>)> {
        let made = self.make().unwrap();
        let codes = |claim: &Claim| match claim {
            Claim::Shown { .. } => BTreeSet::new(),
            Claim::Open { why } => why.iter().map(|why| why.code).collect(),
        };
        made.claims.all().into_iter().map(|(kind, claim)| (kind, codes(claim))).collect()
    }
}

#[test]
fn all_claims_are_shown_with_the_date_of_their_last_part() {
    let made = Parts::good().make().unwrap();
    let since: Vec<&str> = made
        .claims
        .all()
        .iter()
        .map(|(_, claim)| match claim {
            Claim::Shown { since, .. } => since.as_str(),
            Claim::Open { .. } => panic!("{claim:?}"),
        })
        .collect();
    assert_eq!(
        since,
        ["2026-11-22T09:00:00Z", "2026-11-21T09:30:00Z", "2026-11-21T12:00:00Z", "2026-11-21T12:30:00Z"]
    );
    assert!(made.is_complete(), "{:?}", made.incomplete);
    assert_eq!(
        (
            made.plan.masked,
            made.plan.removed,
            made.searched.unsearchable[&crate::privacy::passage::Reason::Encrypted]
        ),
        (1, 1, 1)
    );
    let again: Certificate = serde_json::from_slice(&made.to_bytes()).unwrap();
    assert_eq!(again, made);
}

/// Something that is not as it should be, and which claims it keeps open.
type Row = (&'static str, fn(&mut Parts), &'static [ClaimKind], Code);

const LIVE: &[ClaimKind] = &[ClaimKind::Live];
const ADDRESSES: &[ClaimKind] = &[ClaimKind::Addresses];
const VAULT: &[ClaimKind] = &[ClaimKind::Unreadable, ClaimKind::Gone];

const ROWS: &[Row] = &[
    ("no canary", |p| p.evidence.canary = false, &ClaimKind::ALL, Code::CanaryNotFound),
    ("no day", |p| p.evidence.looked = "yesterday".to_owned(), &ClaimKind::ALL, Code::NotADate),
    ("repository not read", |p| p.evidence.live[0].read = None, LIVE, Code::NotRead),
    ("repository not told", |p| p.evidence.live.clear(), LIVE, Code::NotRead),
    ("repository empty", |p| p.evidence.live[0].items = 0, LIVE, Code::NothingRead),
    ("left live", |p| p.evidence.live[0].remaining = 1, LIVE, Code::Remaining),
    ("task", |p| p.evidence.live[0].tasks = 1, LIVE, Code::Tasks),
    (
        "read later than looked",
        |p| p.evidence.live[0].read = Some("2026-11-23T00:00:00Z".to_owned()),
        LIVE,
        Code::NotADate,
    ),
    ("address not told", |p| p.evidence.urls.clear(), ADDRESSES, Code::NotAsked),
    ("no answer", |p| p.evidence.urls[0].status = None, ADDRESSES, Code::NoAnswer),
    ("forbidden is not gone", |p| p.evidence.urls[0].status = Some(403), ADDRESSES, Code::StillThere),
    (
        "there",
        |p| {
            p.evidence.urls[0].status = Some(200);
            p.evidence.urls[0].gone = None;
        },
        ADDRESSES,
        Code::StillThere,
    ),
    ("there again", |p| p.evidence.urls[0].status = Some(200), ADDRESSES, Code::StillThere),
    ("replica not told", |p| drop(p.evidence.replicas.pop()), VAULT, Code::NotLooked),
    (
        "no replica",
        |p| {
            p.evidence.replicas.clear();
            p.outlook.clear();
        },
        VAULT,
        Code::NotLooked,
    ),
    ("replica away", |p| p.evidence.replicas[1].id = None, VAULT, Code::Unreachable),
    ("readable", |p| p.evidence.replicas[1].unreadable = None, &[ClaimKind::Unreadable], Code::Readable),
    ("header opens", |p| p.evidence.replicas[0].headers = (4, 1), VAULT, Code::HeadersOpened),
    ("pending", |p| p.evidence.replicas[0].pending = 1, &[ClaimKind::Gone], Code::Pending),
    ("not gone", |p| p.evidence.replicas[0].gone = None, &[ClaimKind::Gone], Code::NotGone),
    (
        "no date",
        |p| p.evidence.replicas[0].gone = Some("soon".to_owned()),
        &[ClaimKind::Gone],
        Code::NotADate,
    ),
    ("not scanned", |p| p.evidence.replicas[0].scanned = (0, 0), VAULT, Code::NotScanned),
    ("unscanned", |p| p.evidence.replicas[0].unscanned = 1, VAULT, Code::Unscanned),
    ("leak", |p| p.evidence.replicas[0].leaks = 1, VAULT, Code::Leaks),
    ("leak in the cache", |p| p.evidence.local[0].leaks = 1, VAULT, Code::LocalLeaks),
    ("cache not scanned", |p| p.evidence.local[0].unscanned = 1, VAULT, Code::LocalUnscanned),
    (
        "nothing to look for",
        |p| p.evidence.sought = Some(Sought { needles: 0, weak: 2 }),
        VAULT,
        Code::NothingSought,
    ),
    (
        "said later than looked",
        |p| p.evidence.live[0].words = vec![word("2026-11-23T00:00:00Z")],
        LIVE,
        Code::NotADate,
    ),
    ("not restored", |p| p.evidence.restored.clear(), VAULT, Code::NotRestored),
    ("restored nothing", |p| p.evidence.restored[0].items = 0, VAULT, Code::NotRestored),
    ("restored the person", |p| p.evidence.restored[0].remaining = 1, VAULT, Code::RestoredRemaining),
    ("own files not looked at", |p| p.own_files.looked = None, VAULT, Code::OwnFilesNotLooked),
    ("own files left", |p| p.own_files.left = 1, VAULT, Code::OwnFilesLeft),
    ("bucket copies", |p| p.outlook[1].copies = Copies::Replicated, VAULT, Code::CopiedElsewhere),
    (
        "items left",
        |p| {
            p.plan.left.push(Left {
                path: "models/customtypes/a.json".to_owned(),
                place: String::new(),
                why: "model".to_owned(),
            });
        },
        VAULT,
        Code::Left,
    ),
];

#[test]
fn nothing_is_shown_while_anything_is_unknown_or_left() {
    for (what, change, open, code) in ROWS {
        let mut parts = Parts::good();
        change(&mut parts);
        let parts = parts.again();
        for (kind, codes) in parts.codes() {
            let expected = if open.contains(&kind) { BTreeSet::from([*code]) } else { BTreeSet::new() };
            assert_eq!(codes, expected, "{what}: {kind:?}");
        }
    }
}

fn word(said: &str) -> WordEvidence {
    WordEvidence { task: TaskCode::SupportHistory, said: said.to_owned() }
}

#[test]
fn what_rests_on_the_word_of_people_says_so_and_is_no_older_than_the_last_of_them() {
    let mut parts = Parts::good();
    parts.evidence.live[0].words = vec![word("2026-11-22T09:30:00Z"), word("2026-11-22T09:45:00Z")];
    parts.evidence.live[0].releases = Some(0);
    parts.evidence.sought = Some(Sought { needles: 40, weak: 3 });
    let key = SigningKey::generate();
    let (_directory, place) = written(&parts, &key);
    let made = verify(&place, &[key.public().clone()]).unwrap();
    assert!(made.is_good(), "{:?}", made.faults);
    let live = made.certificate.unwrap().claims.live;
    assert_eq!(live, Claim::Shown { since: "2026-11-22T09:45:00Z".to_owned(), of: 1, on_word: 2 });
    for (language, words) in [
        (
            "en",
            [
                "2 tasks rest on the word of people",
                "support-history",
                "no release was to be seen",
                "3 of the person",
            ],
        ),
        ("de", ["2 Aufgaben auf dem Wort", "support-history", "kein Release zu sehen", "3 Kennungen"]),
        ("fr", ["2 tâches reposent", "support-history", "aucune release", "3 identifiants"]),
    ] {
        let page = fs::read_to_string(place.join(format!("certificate.{language}.html"))).unwrap();
        for word in words {
            assert!(page.contains(word), "{language}: {word}");
        }
    }
    // Nobody may take the words out of the evidence and leave the claim.
    resigned(&place, &key, |made| made.evidence.live[0].words.clear());
    assert!(!is_good(&place, &key));
}

#[test]
fn without_encryption_unreadable_is_gone() {
    let mut parts = Parts::good();
    parts.encrypted = false;
    parts.evidence.replicas.iter_mut().for_each(|own| own.unreadable = None);
    let made = parts.make().unwrap();
    assert_eq!(made.claims.unreadable, made.claims.gone);
    assert!(made.claims.are_all_shown());
    parts.evidence.replicas[0].gone = None;
    parts.evidence.replicas[0].unreadable = Some(LOOKED.to_owned());
    let open = parts.codes();
    assert_eq!(open[2].1, BTreeSet::from([Code::NotGone]), "no header, no claim");
}

#[test]
fn a_search_that_was_not_whole_marks_it_as_incomplete() {
    type Case = (fn(&mut Parts), Code);
    let cases: [Case; 6] = [
        (|p| p.fields[0].unclassified = Some(2), Code::Unclassified),
        (|p| p.fields[0].unclassified = None, Code::FieldsNotKnown),
        (|p| p.fields.clear(), Code::FieldsNotKnown),
        (|p| p.search.coverage.live.clear(), Code::NotSearchedLive),
        (|p| p.search.coverage.unread = 3, Code::SearchUnread),
        (
            |p| p.search.coverage.problems.push(crate::progress::Problem::new("x", "blog", "y")),
            Code::SearchProblems,
        ),
    ];
    for (change, code) in cases {
        let mut parts = Parts::good();
        change(&mut parts);
        let made = parts.make().unwrap();
        let codes: Vec<Code> = made.incomplete.iter().map(|why| why.code).collect();
        assert_eq!(codes, [code]);
        assert!(!made.is_complete());
    }
}

#[test]
fn evidence_of_another_plan_or_with_names_makes_none() {
    let mut parts = Parts::good();
    parts.plan.unsearchable = 7;
    assert_eq!(parts.make().unwrap_err(), MakingError::Foreign("plan"));
    let mut parts = Parts::good();
    parts.evidence.case = "2026-ABCDEF".parse().unwrap();
    assert_eq!(parts.make().unwrap_err(), MakingError::Foreign("case"));
    let mut parts = Parts::good();
    parts.evidence.urls[0].asset = "Perpetua_Exampleton_cv.pdf".to_owned();
    assert_eq!(parts.make().unwrap_err(), MakingError::NoId);
}

#[test]
fn what_people_typed_and_names_of_files_are_nowhere_in_it() {
    let mut parts = Parts::good();
    let named = "Perpetua_Exampleton_cv.pdf";
    let item = parts.plan.items.iter_mut().find(|item| item.paths.iter().any(|path| path.contains(ASSET)));
    item.unwrap().paths = [format!("assets/{named}/original")].into();
    parts.plan.kept.push(KeptFinding {
        path: "documents/en-us/author/ZxDocument0000001.json".to_owned(),
        place: "/data/perpetua".to_owned(),
        ground: "Art. 17(3)(e): Perpetua Exampleton sues us".to_owned(),
    });
    parts.plan.by = "Perpetua Exampleton".to_owned();
    for ground in ["Perpetua Exampleton is dead", "Art. 17 Abs. 3 lit. b, sagt Perpetua Exampleton"] {
        let hold = What::Hold { ground: ground.to_owned(), item: Some("Perpetua Exampleton".to_owned()) };
        parts.case.apply(event("2026-11-03T08:00:00Z", hold)).unwrap();
    }
    let release = What::HoldReleased { hold: 2, new_case: None };
    parts.case.apply(event("2026-11-04T08:00:00Z", release)).unwrap();
    parts.evidence.urls[0].asset = named.to_owned();
    let parts = parts.again();
    let made = parts.make().unwrap();
    assert!(made.claims.are_all_shown(), "{:?}", made.claims);
    assert_eq!(made.scope.assets, BTreeSet::from(["unnamed-1".to_owned()]));
    assert_eq!(made.kept, BTreeMap::from([(Ground::Claims, 1)]));
    assert_eq!(made.holds, BTreeMap::from([(Ground::InTheCase, 1)]), "what was released holds no more");
    let place = tempfile::tempdir().unwrap();
    let place = place.path().join("certificate");
    write(&made, &Language::ALL, &SigningKey::generate(), &place).unwrap();
    let mut files = 0;
    for entry in fs::read_dir(&place).unwrap() {
        let text = fs::read_to_string(entry.unwrap().path()).unwrap().to_lowercase();
        assert!(!text.contains("perpetua") && !text.contains("exampleton") && !text.contains("anna"));
        files += 1;
    }
    assert_eq!(files, 5);
    let debug = format!("{made:?}").to_lowercase();
    assert!(!debug.contains("perpetua") && !debug.contains("anna"));
}

/// A certificate on disk.
fn written(parts: &Parts, key: &SigningKey) -> (tempfile::TempDir, std::path::PathBuf) {
    let directory = tempfile::tempdir().unwrap();
    let place = directory.path().join("certificate");
    write(&parts.make().unwrap(), &Language::ALL, key, &place).unwrap();
    (directory, place)
}

fn is_good(place: &Path, key: &SigningKey) -> bool {
    verify(place, &[key.public().clone()]).unwrap().is_good()
}

#[test]
fn one_that_was_written_is_good_with_its_key_and_is_never_replaced() {
    let key = SigningKey::generate();
    let (_directory, place) = written(&Parts::good(), &key);
    let verified = verify(&place, &[SigningKey::generate().public().clone(), key.public().clone()]).unwrap();
    assert!(verified.is_good(), "{:?}", verified.faults);
    assert_eq!(verified.key.as_ref(), Some(key.public()));
    assert!(verified.certificate.unwrap().claims.are_all_shown());
    assert!(!is_good(&place, &SigningKey::generate()));
    let again = write(&Parts::good().make().unwrap(), &[Language::En], &key, &place).unwrap_err();
    assert!(matches!(again, WriteError::Exists(_)), "{again}");
    assert!(verify(&place.join("nowhere"), &[]).is_err());
    let minisign = std::process::Command::new("minisign")
        .arg("-Vqm")
        .arg(place.join(CERTIFICATE))
        .args(["-P", &key.public().to_string()])
        .output();
    // Where it is not installed, the library with which it is checked is that of minisign's own format.
    if let Ok(output) = minisign {
        assert!(output.status.success(), "{output:?}");
    }
}

#[test]
fn each_byte_that_is_another_is_refused() {
    let key = SigningKey::generate();
    let (_directory, place) = written(&Parts::good(), &key);
    for name in [CERTIFICATE, SIGNATURE, "certificate.de.html"] {
        let file = place.join(name);
        let bytes = fs::read(&file).unwrap();
        // Every byte of what is short, and of the rest so many that each part of it is among them.
        let step = (bytes.len() / 150).max(1);
        for at in (0..bytes.len()).step_by(step) {
            for bit in [0x01, 0x20] {
                let mut other = bytes.clone();
                other[at] ^= bit;
                put(&file, &other);
                assert!(!is_good(&place, &key), "{name}: byte {at} with {bit:#x}");
            }
        }
        for other in [&bytes[..bytes.len() - 1], &[&bytes[..], b"\n"].concat(), b""] {
            put(&file, other);
            assert!(!is_good(&place, &key), "{name} with {} bytes", other.len());
        }
        put(&file, &bytes);
    }
    assert!(is_good(&place, &key));
    put(place.join("more.txt"), "x");
    assert!(!is_good(&place, &key));
    fs::remove_file(place.join("more.txt")).unwrap();
    fs::remove_file(place.join("certificate.fr.html")).unwrap();
    assert!(!is_good(&place, &key));
}

/// Changes the JSON of a certificate and signs it again.
fn resigned(place: &Path, key: &SigningKey, change: impl Fn(&mut Certificate)) {
    let mut made: Certificate = serde_json::from_slice(&fs::read(place.join(CERTIFICATE)).unwrap()).unwrap();
    change(&mut made);
    let bytes = made.to_bytes();
    put(place.join(SIGNATURE), key.sign(&bytes, "erasure certificate of case 2026-7K3F9Q"));
    put(place.join(CERTIFICATE), bytes);
}

#[test]
fn claims_that_do_not_follow_are_refused_whoever_signed_them() {
    let key = SigningKey::generate();
    let mut parts = Parts::good();
    parts.evidence.replicas[0].gone = None;
    parts.evidence.replicas[0].pending = 3;
    let (_directory, place) = written(&parts, &key);
    assert!(is_good(&place, &key), "open claims are no fault");
    let shown = Claim::Shown { since: LOOKED.to_owned(), of: 2, on_word: 0 };
    let edit = |made: &mut Certificate| made.claims.gone = shown.clone();
    let other = SigningKey::generate();
    resigned(&place, &other, edit);
    assert!(!is_good(&place, &key), "another key");
    resigned(&place, &key, edit);
    let verified = verify(&place, &[key.public().clone()]).unwrap();
    let faults: Vec<&str> = verified.faults.iter().map(|fault| &*fault.what).collect();
    assert_eq!(faults, ["what it claims of \"backups gone\" does not follow from what was seen"]);
    // With other evidence the claims follow, and the case or plan do not.
    resigned(&place, &key, |made| {
        edit(made);
        made.evidence = Parts::good().evidence;
        made.claims = claims(&made.basis());
    });
    assert!(!is_good(&place, &key));
    resigned(&place, &key, |made| made.format = 2);
    assert!(!is_good(&place, &key));
}

#[cfg(unix)]
#[test]
fn links_are_not_followed() {
    let key = SigningKey::generate();
    let (directory, place) = written(&Parts::good(), &key);
    let elsewhere = directory.path().join("elsewhere.html");
    fs::rename(place.join("certificate.en.html"), &elsewhere).unwrap();
    std::os::unix::fs::symlink(&elsewhere, place.join("certificate.en.html")).unwrap();
    assert!(!is_good(&place, &key));
}

#[test]
fn the_page_is_for_reading_only_and_says_what_is_open() {
    let key = SigningKey::generate();
    let mut parts = Parts::good();
    parts.evidence.replicas[1].id = None;
    parts.encrypted = false;
    parts.plan.kept.push(KeptFinding {
        path: "x".to_owned(),
        place: "y".to_owned(),
        ground: "Art. 17(3)(b)".to_owned(),
    });
    let parts = parts.again();
    let made = parts.make().unwrap();
    for language in Language::ALL {
        let html = String::from_utf8(page::page(&made, language, key.public())).unwrap();
        assert!(html.contains("default-src 'none'") && !html.contains("<script") && !html.contains("{{"));
        assert!(!html.contains("http://") && !html.contains("https://"), "nothing is loaded");
    }
    let html = String::from_utf8(page::page(&made, Language::En, key.public())).unwrap();
    for words in [
        "2 of four claims are open",
        "the copy two could not be reached",
        "not encrypted",
        "a legal obligation",
        "former slugs",
        "7996 of 8004",
        "A copy that is set back",
        "snapshots of its volume",
        "files protected by a password",
        &key.public().to_string(),
    ] {
        assert!(html.contains(words), "{words}\n{html}");
    }
}

#[test]
fn the_recall_is_the_measured_one_and_fits_the_gates() {
    let recall = Recall::measured();
    let least = |class: &str| recall.least_per_mille[class];
    let performance = include_str!("../../../docs/performance.md");
    let row = performance.lines().find(|line| line.starts_with("| recall, all classes |")).unwrap();
    assert!(
        row.contains(&format!("| {} of {} |", recall.found, recall.texts)) && row.contains("PASS"),
        "{row}"
    );
    let decoys = performance.lines().find(|line| line.starts_with("| decoys that were taken")).unwrap();
    assert!(decoys.contains(&format!("| {} of {} |", recall.decoys_taken, recall.decoys)), "{decoys}");
    assert!(performance.contains(&format!("spellings of {} cultures", recall.cultures)));
    assert!(recall.found * 1000 >= recall.texts * least("review"));
    let gates = include_str!("../../../examples/privacy-corpus/measure.rs");
    for (gate, class) in [("Exact", "exact"), ("FullName", "full_names"), ("Review", "review")] {
        let line = gates
            .lines()
            .find(|line| {
                line.trim().starts_with(&format!("Gate::{gate} => 0"))
                    || line.trim().starts_with(&format!("Gate::{gate} => 1"))
            })
            .unwrap();
        let value: f64 = line.trim().trim_end_matches(',').rsplit(' ').next().unwrap().parse().unwrap();
        assert_eq!((value * 1000.0).round() as u64, least(class), "{gate}");
    }
}
