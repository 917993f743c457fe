//! Vaults of every released version of the format stay readable.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use prismvault::clock::SystemClock;
use prismvault::ids::Digest;
use prismvault::limits::Limits;
use prismvault::objects::local::LocalStore;
use prismvault::secret::Secret;
use prismvault::vault::envelope::Identity;
use prismvault::vault::format::catalog::CatalogEntry;
use prismvault::vault::open::{Keys, OpenOptions, Pins, Vault};
use prismvault::vault::reader::Reader;
use prismvault::vault::replica::{Replica, Replicas};
use prismvault::vault::snapshots::Snapshots;
use prismvault::vault::space::Space;
use prismvault::vault::tree;
use prismvault::verification::{Level, verify};

use crate::backups::verify_options;

/// A golden vault and what is known of it.
struct Golden {
    folder: &'static str,
    id: &'static str,
    root: &'static str,
    snapshots: usize,
    items: u64,
    /// SHA-256 over the lines `<path> <SHA-256 of its bytes>` of the newest snapshot.
    newest: &'static str,
}

const GOLDEN: [Golden; 1] = [Golden {
    folder: "v1",
    id: "0bf11ca013cfd549240d8cadd180ff24",
    root: "RWQg48uQUUK4G5UFSiZFbn0vjX05+/lbieBWh3jc8R7S9Dh9+8xbncXN",
    snapshots: 3,
    items: 43,
    newest: "9fdf6d201f2663cb80eb884d25208b7e20d4246f8cafcbd836d5b4982eb82647",
}];

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/vaults")
}

fn identity(golden: &Golden, file: &str) -> Identity {
    let text = std::fs::read_to_string(folder().join(golden.folder).join("identities").join(file)).unwrap();
    Identity::parse(&Secret::new(text)).unwrap()
}

/// Opens a vault as it lies in the repository: reading changes nothing.
async fn open(golden: &Golden, spool: &Path) -> Vault {
    let store = LocalStore::open(&folder().join(golden.folder).join("vault")).await.unwrap();
    let options = OpenOptions {
        limits: Limits::default(),
        clock: Arc::new(SystemClock),
        keys: Keys {
            identities: vec![identity(golden, "operator.txt"), identity(golden, "recovery.txt")],
            ..Keys::default()
        },
        pins: Pins { vault: Some(golden.id.parse().unwrap()), root: Some(golden.root.parse().unwrap()) },
        cache: None,
        state: None,
        spool: spool.to_owned(),
    };
    Vault::open(Replicas::new(vec![Replica::new("golden", Arc::new(store))], None), options).await.unwrap()
}

#[test]
fn every_folder_is_tested() {
    let mut folders: Vec<_> = std::fs::read_dir(folder())
        .unwrap()
        .map(|entry| entry.unwrap())
        .filter(|entry| entry.file_type().unwrap().is_dir())
        .map(|entry| entry.file_name().into_string().unwrap())
        .collect();
    folders.sort();
    assert_eq!(folders, GOLDEN.map(|golden| golden.folder));
}

#[tokio::test]
async fn every_golden_vault_verifies_and_reads_as_it_always_did() {
    for golden in &GOLDEN {
        let spool = tempfile::tempdir().unwrap();
        let vault = open(golden, spool.path()).await;
        let report = verify(&vault, &verify_options(Level::Content)).await.unwrap();
        assert_eq!(report.damage, [], "{}", golden.folder);
        assert_eq!((report.snapshots as usize, report.items), (golden.snapshots, golden.items));

        let snapshots = Snapshots::load(&vault, None).await.unwrap();
        let newest = snapshots.iter().last().unwrap();
        let space = Space::load(&vault, &newest.manifest.space).await.unwrap();
        let reader = Reader::new(&vault, &space);
        let entries: Vec<CatalogEntry> = tree::read_all(&reader, &newest.manifest.catalog).await.unwrap();
        let mut lines = String::new();
        for entry in entries {
            let bytes = reader.bytes(entry.item).await.unwrap();
            lines.push_str(&format!("{} {}\n", entry.path, Digest::of(&bytes)));
        }
        assert_eq!(Digest::of(lines.as_bytes()).to_string(), golden.newest, "{}", golden.folder);
    }
}
