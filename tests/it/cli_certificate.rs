//! `prismvault privacy verify-certificate` as whoever gets a certificate meets it.

use std::fs;
use std::path::Path;

use prismvault::privacy::case::{Case, Event, What};
use prismvault::privacy::certificate::out::write;
use prismvault::privacy::certificate::{Copies, FieldsOf, Making, OwnFilesState, ReplicaOutlook};
use prismvault::privacy::erasure::plan::Plan;
use prismvault::privacy::letters::Language;
use prismvault::privacy::proof::evidence::Evidence;
use prismvault::privacy::right::Right;
use prismvault::privacy::search::SearchReport;
use prismvault::secret::Secret;
use prismvault::vault::signing::SigningKey;
use serde_json::json;

use crate::cli_privacy::Office;
use crate::workplace::Workplace;

/// Writes a file anew.
fn put(path: impl AsRef<Path>, bytes: impl AsRef<[u8]>) {
    std::io::Write::write_all(&mut fs::File::create(path).unwrap(), bytes.as_ref()).unwrap();
}

const LOOKED: &str = "2026-11-22T10:00:00Z";

fn plan(key: &SigningKey) -> Plan {
    serde_json::from_value(json!({
        "kind": "erasure-plan", "format": 1, "tool": "0.1.0", "vault": "5f0c54e1c4f2e35b9a1f0be04f3ba7d2",
        "case": "2026-7K3F9Q", "planned": "2026-11-20T10:00:00Z", "by": "Ottilie", "planned_by": key.public(),
        "seed": "00".repeat(32), "search": "33".repeat(32), "decisions": "44".repeat(32),
        "items": [{
            "space": "blog", "item": "11".repeat(32), "paths": ["documents/en-us/note/ZxDocument0000001.json"],
            "change": "masked", "by": "22".repeat(32), "size": 10, "places": ["/data/name"],
        }],
        "purpose": "erasure", "kept": [], "left": [], "live": [], "unsearchable": 0,
    }))
    .unwrap()
}

fn search() -> SearchReport {
    serde_json::from_value(json!({
        "at": "2026-11-19T10:00:00Z", "version": "0.1.0", "found": [],
        "coverage": {
            "repositories": [], "items": 1, "bytes": 1, "read": {}, "passages": {}, "unsearchable": {},
            "unsearched": [], "live": ["blog"], "beyond": ["drafts"], "problems": [],
        },
    }))
    .unwrap()
}

fn evidence(plan: &Plan, is_gone: bool) -> Evidence {
    serde_json::from_value(json!({
        "case": "2026-7K3F9Q", "plan": plan.hash(), "looked": LOOKED, "tool": "0.1.0",
        "live": [{ "repository": "blog", "read": LOOKED, "items": 8, "remaining": 0, "tasks": 0 }],
        "urls": [],
        "replicas": [{
            "name": "one", "id": "ab".repeat(16), "unreadable": "2026-11-20T12:00:00Z",
            "gone": is_gone.then_some("2026-11-21T12:00:00Z"), "pending": u64::from(!is_gone),
            "scanned": [12, 34], "leaks": 0, "unscanned": 0, "headers": [4, 0],
        }],
        "restored": [{
            "repository": "blog", "snapshot": "20261101T020000Z-00000001", "items": 40, "remaining": 0,
        }],
        "canary": true,
    }))
    .unwrap()
}

/// Writes a certificate that anna signs.
fn certified(office: &Office, name: &str, is_gone: bool) -> SigningKey {
    let key = SigningKey::parse(&Secret::new(office.place.read("anna.key"))).unwrap();
    let received = What::Received {
        on: "2026-11-02".parse().unwrap(),
        channel: "e-mail".to_owned(),
        rights: vec![Right::Erasure],
        rules: "eu".to_owned(),
        language: "en".to_owned(),
        from_case: None,
    };
    let at = "2026-11-02T08:00:00Z".parse().unwrap();
    let received = Event { at, actor: "anna".to_owned(), reason: None, what: received };
    let plan = plan(&key);
    let own_files = OwnFilesState { looked: Some(LOOKED.to_owned()), removed: 0, left: 0 };
    let making = Making {
        made: "2026-11-22T11:00:00Z".parse().unwrap(),
        case: &Case::open("2026-7K3F9Q".parse().unwrap(), received).unwrap(),
        plan: &plan,
        search: &search(),
        evidence: &evidence(&plan, is_gone),
        orders: &[],
        outlook: &[ReplicaOutlook { replica: "one".to_owned(), copies: Copies::Volume }],
        encrypted: true,
        fields: &[FieldsOf { repository: "blog".parse().unwrap(), classified: 1, unclassified: Some(0) }],
        own_files: &own_files,
    };
    write(&making.make().unwrap(), &Language::ALL, &key, &office.place.file(name)).unwrap();
    key
}

#[tokio::test(flavor = "multi_thread")]
async fn a_certificate_is_checked_by_the_vault_by_its_key_alone_and_by_minisign() {
    let office = Office::new();
    let key = certified(&office, "certificate", true).public().to_string();
    for path in ["certificate", "certificate/certificate.json"] {
        let good = office.run(0, &["verify-certificate", path]);
        assert!(
            good.stdout.contains("Good") && good.stdout.contains("backups gone since 2026-11-21"),
            "{good:?}"
        );
        assert!(good.stdout.contains("public addresses gone: nothing of that kind"), "{good:?}");
        assert!(!good.stdout.contains("does not say"), "{good:?}");
    }
    let other = Workplace::new();
    let place = office.place.file("certificate");
    let place = place.to_str().unwrap();
    let alone = other.expect(0, &["privacy", "verify-certificate", place, "--key", &key, "--json"]).json();
    assert_eq!((alone["is_good"].as_bool(), alone["is_complete"].as_bool()), (Some(true), Some(true)));
    assert_eq!(alone["claims"]["unreadable"]["state"], "shown");
    let without = other.run(&["privacy", "verify-certificate", place]);
    assert!(without.code == 2 && without.stderr.contains("--key"), "{without:?}");
    let file =
        other.run(&["privacy", "verify-certificate", &format!("{place}/certificate.en.html"), "--key", &key]);
    assert!(file.code == 2 && file.stderr.contains("certificate.json"), "{file:?}");
    other.expect(1, &["privacy", "verify-certificate", "nowhere", "--key", &key]);
    let wrong = SigningKey::generate().public().to_string();
    let wrong = other.expect(4, &["privacy", "verify-certificate", place, "--key", &wrong]);
    assert!(wrong.stdout.contains("Bad") && wrong.stdout.contains("not the signature"), "{wrong:?}");
    assert!(!wrong.stdout.contains("since"), "nothing of it is repeated: {wrong:?}");

    let minisign = std::process::Command::new("minisign")
        .args(["-Vm", &format!("{place}/certificate.json"), "-P", &key])
        .output();
    if let Ok(minisign) = minisign {
        assert!(minisign.status.success(), "{minisign:?}");
        assert!(String::from_utf8_lossy(&minisign.stdout).contains("2026-7K3F9Q"), "{minisign:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_open_is_said_and_what_was_changed_is_refused() {
    let office = Office::new();
    let key = certified(&office, "open", false);
    let open = office.run(0, &["verify-certificate", "open"]);
    for words in ["backups gone: 1 objects are still on one", "backups unreadable since", "does not say"] {
        assert!(open.stdout.contains(words), "{words}: {open:?}");
    }
    assert_eq!(office.json(&["verify-certificate", "open"])["is_complete"], false);

    // Somebody makes it say more, and signs it with the very key.
    let file = office.place.file("open/certificate.json");
    let text = fs::read_to_string(&file).unwrap();
    let mut made: serde_json::Value = serde_json::from_str(&text).unwrap();
    made["claims"]["gone"] = json!({ "state": "shown", "since": LOOKED, "of": 1 });
    let bytes = prismvault::privacy::erasure::plan::canonical(&made);
    put(&file, &bytes);
    let changed = office.run(4, &["verify-certificate", "open"]);
    assert!(changed.stdout.contains("not the signature"), "{changed:?}");
    put(office.place.file("open/certificate.json.minisig"), key.sign(&bytes, "x"));
    let follows = office.run(4, &["verify-certificate", "open"]);
    assert!(follows.stdout.contains("does not follow from what was seen"), "{follows:?}");

    certified(&office, "page", true);
    let page = office.place.file("page/certificate.en.html");
    let html = fs::read_to_string(&page).unwrap();
    put(&page, html.replace("Shown since", "Shown s1nce"));
    let changed = office.run(4, &["verify-certificate", "page"]);
    assert!(changed.stdout.contains("certificate.en.html: it was changed"), "{changed:?}");
}
