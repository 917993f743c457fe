//! A vault with drills in it, and people who sign.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use bytes::Bytes;
use prismvault::clock::SystemClock;
use prismvault::ids::{Digest, VaultId};
use prismvault::limits::Limits;
use prismvault::objects::url::{ReplicaOptions, open_replica};
use prismvault::secret::Secret;
use prismvault::vault::drills::{StoredDrill, store, store_files};
use prismvault::vault::envelope::Identity;
use prismvault::vault::format::drill::{DrillAttachment, DrillFile, DrilledRepository};
use prismvault::vault::open::{Keys, OpenOptions, Pins, Vault};
use prismvault::vault::replica::{Replica, Replicas};
use prismvault::vault::signing::SigningKey;
use serde_json::{Value, json};

use crate::workplace::{Run, Workplace};

/// The drill that is in every place.
pub(crate) const DRILL: &str = "20261121T020000Z-1a2b3c4d";
/// Its finding, and the one that it carries.
pub(crate) const FINDING: &str = "F-20261121T020000Z-1a2b3c4d-1";
pub(crate) const CARRIED: &str = "F-20261114T020000Z-9f8e7d6c-1";
/// People of the configuration; all but mallory may sign off.
const PEOPLE: [&str; 6] = ["anna", "bela", "clara", "dora", "emil", "mallory"];

/// The report that unit tests use: three gates passed by the machine, the fourth bela's, the fifth clara's (dora
/// stands in), two nobody's; anna was away.
pub(crate) fn report() -> Value {
    serde_json::from_str(include_str!("../../../src/drill/report/sample.json")).unwrap()
}

/// Writes a file anew.
pub(crate) fn put(path: impl AsRef<Path>, bytes: impl AsRef<[u8]>) {
    let path = path.as_ref();
    if path.exists() {
        fs::remove_file(path).unwrap();
    }
    std::io::Write::write_all(&mut fs::File::create(path).unwrap(), bytes.as_ref()).unwrap();
}

/// Stores a drill with this id in a vault, after `change` to its report.
pub(crate) async fn store_drill(vault: &Vault, id: &str, change: impl FnOnce(&mut Value)) -> StoredDrill {
    let mut report = report();
    let (plan, criteria) = ("title = \"weekly\"\n# anna leads\n", "{\"objectives\":{}}");
    report["drill"] = id.into();
    report["vault"] = vault.file.vault.to_string().into();
    report["plan_sha256"] = Digest::of(plan.as_bytes()).to_string().into();
    report["criteria_sha256"] = Digest::of(criteria.as_bytes()).to_string().into();
    change(&mut report);
    let files = [
        ("report.json", serde_json::to_vec_pretty(&report).unwrap()),
        ("junit.xml", b"<testsuites/>".to_vec()),
        ("findings.csv", b"id\r\n".to_vec()),
        ("plan.toml", plan.into()),
        ("criteria.json", criteria.into()),
        ("lost-edits.json", b"[\"Prices of next year\"]".to_vec()),
        ("checks/field-by-field.txt", b"YxP1 differs".to_vec()),
        ("pages/1-home.png", b"\x89PNG".to_vec()),
    ];
    let drill = id.parse().unwrap();
    let files = files.map(|(path, bytes)| (path.to_owned(), Bytes::from(bytes)));
    let files = store_files(vault, &drill, files.into()).await.unwrap();
    store(vault, file_of(&report, vault.file.vault, files)).await.unwrap()
}

fn file_of(report: &Value, vault: VaultId, files: Vec<DrillAttachment>) -> DrillFile {
    let of = |key: &str| serde_json::from_value(report[key].clone()).unwrap();
    DrillFile {
        kind: String::new(),
        format: 0,
        vault,
        key: String::new(),
        drill: serde_json::from_value(report["drill"].clone()).unwrap(),
        plan: serde_json::from_value(report["plan"].clone()).unwrap(),
        real: report["real"].as_bool().unwrap(),
        began: of("began"),
        ended: of("ended"),
        result: serde_json::from_value(report["result"].clone()).unwrap(),
        criteria: serde_json::from_value(report["criteria_sha256"].clone()).unwrap(),
        repositories: vec![DrilledRepository {
            repository: "blog".parse().unwrap(),
            snapshot: None,
            good: true,
            recovery_ms: Some(42_000),
            fidelity: Some(0.99),
        }],
        target: "standby".to_owned(),
        scenario: vec!["replica-gone".to_owned(), "person-absent".to_owned()],
        findings: 2,
        open: Vec::new(),
        awaits: Vec::new(),
        tool: "prismvault test".to_owned(),
        files,
    }
}

/// A working directory with a configuration, a vault on two directories, the keys of people, and a drill.
pub(crate) struct Place(pub(crate) Workplace);

impl Place {
    pub(crate) async fn new() -> Self {
        Self::with(|_| ()).await
    }

    /// After `change` to the report of the drill.
    pub(crate) async fn with(change: impl FnOnce(&mut Value)) -> Self {
        let place = Self(Workplace::new());
        place.write_configuration();
        place.0.expect(0, &["init"]);
        store_drill(&place.open().await, DRILL, change).await;
        place
    }

    fn write_configuration(&self) {
        let mut people = String::new();
        for name in PEOPLE {
            let key = SigningKey::generate();
            self.0.write(&format!("{name}.key"), key.to_secret_text("test").expose());
            let may = if name == "mallory" { "[]" } else { "[\"sign-off\"]" };
            people.push_str(&format!("[people.{name}]\nkey = \"{}\"\nmay = {may}\n", key.public()));
        }
        let replica = |name: &str| {
            let url = url::Url::from_file_path(self.0.file(name)).unwrap();
            format!("[[replicas]]\nname = \"{name}\"\nurl = \"{url}\"\n")
        };
        let keys = "[keys]\noperator = { file = \"keys/operator.txt\" }\nsigning = { file = \"keys/signing.key\" }\nroot = { file = \"keys/root.key\" }\n";
        let rest = format!(
            "[repositories.blog]\nrepository = \"acme-blog\"\n{people}{}{}",
            replica("first"),
            replica("second")
        );
        let recovery = "recovery = { file = \"keys/recovery.txt\" }\n";
        self.0.write("prismvault.toml", &format!("{keys}{recovery}{rest}"));
        // A host that reads no content.
        self.0.write("host.toml", &format!("{keys}{rest}"));
    }

    /// Opens the vault as the program does.
    pub(crate) async fn open(&self) -> Vault {
        let secret = |name: &str| Secret::new(self.0.read(&format!("keys/{name}")));
        let mut replicas = Vec::new();
        for name in ["first", "second"] {
            let url = url::Url::from_file_path(self.0.file(name)).unwrap();
            let store =
                open_replica(url.as_str(), &ReplicaOptions::default(), &Limits::default()).await.unwrap();
            replicas.push(Replica::new(name, store));
        }
        let identities = ["operator.txt", "recovery.txt"].map(|name| Identity::parse(&secret(name)).unwrap());
        let options = OpenOptions {
            limits: Limits::default(),
            clock: Arc::new(SystemClock),
            keys: Keys {
                identities: identities.into(),
                signing: Some(SigningKey::parse(&secret("signing.key")).unwrap()),
                ..Keys::default()
            },
            pins: Pins::default(),
            cache: None,
            state: None,
            spool: self.0.file("spool"),
        };
        Vault::open(Replicas::new(replicas, None), options).await.unwrap()
    }

    /// The key that signs for the vault.
    pub(crate) fn vault_key(&self) -> String {
        SigningKey::parse(&Secret::new(self.0.read("keys/signing.key"))).unwrap().public().to_string()
    }

    /// Runs `drill`, which must end with `code`.
    #[track_caller]
    pub(crate) fn run(&self, code: i32, arguments: &[&str]) -> Run {
        self.0.expect(code, &[&["drill"], arguments].concat())
    }

    #[track_caller]
    pub(crate) fn json(&self, code: i32, arguments: &[&str]) -> Value {
        self.run(code, &[arguments, &["--json"]].concat()).json()
    }

    /// Somebody decides at a gate with their own key.
    #[track_caller]
    pub(crate) fn decide(&self, code: i32, by: &str, gate: &str, decision: &str) -> Run {
        self.decide_with(code, by, &format!("{by}.key"), gate, decision)
    }

    #[track_caller]
    pub(crate) fn decide_with(&self, code: i32, by: &str, key: &str, gate: &str, decision: &str) -> Run {
        let arguments = [
            "sign-off",
            "latest",
            "--gate",
            gate,
            "--as",
            by,
            "--key",
            key,
            "--decision",
            decision,
            "--note",
            "looked at it with clara",
        ];
        self.run(code, &arguments)
    }

    /// The file of an object on a replica.
    pub(crate) fn object(&self, replica: &str, key: &str) -> PathBuf {
        self.0.file(replica).join(key)
    }

    /// How the gates stand, as `drill show` says.
    #[track_caller]
    pub(crate) fn standings(&self) -> Vec<String> {
        let shown = self.json(0, &["show", "latest"]);
        let gates = shown["gates"].as_array().unwrap();
        gates.iter().map(|own| own["standing"].as_str().unwrap().to_owned()).collect()
    }
}

/// A communication that is due.
pub(crate) fn incident() -> Value {
    json!({
        "struck": "2026-11-21T01:30:00Z", "aware": "2026-11-21T02:00:00Z",
        "communications": [{
            "id": "authority", "to": "the supervisory authority", "why": "Art. 33 GDPR",
            "due": "2026-11-24T02:00:00Z",
        }],
    })
}
