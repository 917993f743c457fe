//! `init`, `snapshot`, `accept`, `verify` and `repair` as operators meet them: configurations,
//! pins, replicas that go away, and what is missing at the source.

use std::fs;
use std::path::Path;

use prismvault::sandbox::{Faults, Torn};
use prismvault::secret::Secret;
use prismvault::snapshot::NOT_IN_ANY_SNAPSHOT;
use prismvault::vault::envelope::Identity;
use prismvault::vault::layout;
use prismvault::vault::signing::SigningKey;
use serde_json::Value;

use crate::backups::{Source, WRITE_TOKEN, configuration, first_try, small, words};
use crate::restore::tree;
use crate::workplace::{Run, Workplace};

const CONFIG: &str = "prismvault.toml";
const UNPINNED: &str = "does not pin the root key";

/// A vault on two directories, `one` and `two`, by a configuration with pins.
struct Backups {
    source: Source,
    place: Workplace,
}

impl Backups {
    fn new() -> Self {
        let (source, place) = (small(), Workplace::new());
        let (one, two) = (place.file("one"), place.file("two"));
        let config = configuration(&source, &[("one", &one), ("two", &two)]);
        place.write(CONFIG, &config);
        let made = place.expect(0, &["init", "--json"]).json();
        place.write(CONFIG, &(config + made["pin"].as_str().unwrap()));
        Self { source, place }
    }

    /// Says how many replicas must hold a snapshot.
    fn set_min_copies(&self, min_copies: usize) {
        let config = self.place.read(CONFIG);
        self.place
            .write(CONFIG, &config.replace("[vault]\n", &format!("[vault]\nmin_copies = {min_copies}\n")));
    }
}

/// What becomes of the bytes of an object; `None` removes it.
type Damage = fn(&[u8]) -> Option<Vec<u8>>;

fn subjects(problems: &Value) -> Vec<&str> {
    problems.as_array().unwrap().iter().map(|problem| problem["subject"].as_str().unwrap()).collect()
}

fn overwrite(file: &Path, bytes: &[u8]) {
    fs::remove_file(file).unwrap();
    std::io::Write::write_all(&mut fs::File::create(file).unwrap(), bytes).unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn an_accepted_gap_no_longer_makes_a_snapshot_partial_and_any_other_does() {
    let (source, place) = (small(), Workplace::new());
    let missing = |ids: &[&str]| {
        let missing_files = ids.iter().map(|id| (*id).to_owned()).collect();
        source.control().set_faults(Faults { missing_files, ..Faults::default() });
    };
    let library = source.repository.library();
    let all: Vec<&str> = library.assets().iter().map(|asset| asset.id.as_str()).collect();
    missing(&all);
    let mut line = first_try(&source);
    line.push("--json".to_owned());
    let first = place.expect(3, &words(&line)).json();
    let gaps = subjects(&first["manifest"]["gaps"]);
    assert!(gaps.len() >= 2, "{gaps:?}");
    let (gap, other) = (gaps[0], gaps[1]);
    let id_of = |gap: &str| gap.split('/').nth(1).unwrap().to_owned();
    let (gap_id, other_id) = (id_of(gap), id_of(other));
    missing(&[&gap_id, &other_id]);
    let accept = ["accept", "acme-blog", gap, "--reason", "deleted by its owner"];
    let ledger = || tree(&place.file("vault")).keys().filter(|key| key.starts_with("ledger/")).count();

    let dry = place.expect(0, &[&accept[..], &["--dry-run"]].concat());
    assert!(dry.stdout.contains("Would accept") && dry.stdout.contains(gap), "{dry:?}");
    assert_eq!(ledger(), 0);
    place.expect(3, &["snapshot"]);

    let accepted = place.expect(0, &accept);
    assert!(accepted.stdout.contains("Accepted") && accepted.stdout.contains("deleted by its owner"));
    assert_eq!(ledger(), 2, "an entry and its signature");
    // The other gap is still one.
    let second = place.expect(3, &["snapshot", "--json"]).json();
    assert_eq!(subjects(&second["manifest"]["gaps"]), [other]);
    assert_eq!(subjects(&second["manifest"]["accepted_gaps"]), [gap]);
    // What was accepted once is no gap to be accepted.
    place.expect(2, &accept);

    missing(&[&gap_id]);
    let third = place.expect(0, &["snapshot", "--json"]).json();
    assert_eq!(third["manifest"]["status"], "complete");
    assert_eq!(subjects(&third["manifest"]["accepted_gaps"]), [gap]);
    let show = place.expect(0, &["show", "latest"]);
    let (_, listed) = show.stdout.split_once("Accepted as missing").expect("a list of them");
    assert!(listed.contains(gap), "{show:?}");

    missing(&[]);
    // Files that documents use are asked for whenever documents are read.
    source.repository.edit(0.05, 1).unwrap();
    let healed = place.expect(0, &["snapshot", "--json"]).json();
    assert_eq!(healed["manifest"]["accepted_gaps"], serde_json::json!([]));
    place.expect(0, &["verify", "--full"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_number_that_is_short_cannot_be_accepted() {
    let (source, place) = (Source::synthetic(60, 2), Workplace::new());
    // The last document of the only page, by number and by `after`.
    source.control().set_faults(Faults { torn: Some((1, Torn::Missing)), ..Faults::default() });
    let mut line = first_try(&source);
    line.push("--json".to_owned());
    let taken = place.expect(3, &words(&line)).json();
    let gaps = taken["manifest"]["gaps"].as_array().unwrap();
    let short: Vec<&Value> = gaps.iter().filter(|gap| gap["code"] == "documents-missing").collect();
    assert!(!short.is_empty(), "{gaps:?}");
    for gap in short {
        let path = gap["subject"].as_str().unwrap();
        let run = place.expect(5, &["accept", "acme-blog", path, "--reason", "never mind"]);
        assert!(run.stderr.contains("cannot be accepted") && run.stderr.contains("hint: "), "{run:?}");
    }
    assert!(!tree(&place.file("vault")).keys().any(|key| key.starts_with("ledger/")));
}

#[tokio::test(flavor = "multi_thread")]
async fn init_makes_a_vault_on_every_replica_and_writes_the_lines_that_pin_it() {
    for options in [&["init"][..], &["init", "--no-encryption"]] {
        let (source, place) = (small(), Workplace::new());
        let config = configuration(&source, &[("one", &place.file("one")), ("two", &place.file("two"))]);
        place.write(CONFIG, &config);
        let made = place.expect(0, options);
        let encrypted = options.len() == 1;
        assert_eq!(place.file("keys/recovery.txt").exists(), encrypted);
        assert_eq!(made.stdout.contains("not encrypted"), !encrypted, "{made:?}");
        let pinned = place.read(CONFIG);
        let pin = pinned.strip_prefix(&config).expect("what people wrote stays as it is");
        assert!(pin.contains("[vault]\nid = "), "{pin}");
        assert_eq!(place.read("one/vault.json"), place.read("two/vault.json"));

        place.write(CONFIG, &config);
        let unpinned = place.expect(0, &["snapshot"]);
        assert!(unpinned.stderr.contains(UNPINNED), "{unpinned:?}");
        place.write(CONFIG, &pinned);
        let taken = place.expect(0, &["snapshot"]);
        assert!(!taken.stderr.contains(UNPINNED), "{taken:?}");
        assert!(taken.stdout.contains("one, two"), "{taken:?}");
        let restored = place.expect(0, &["restore", "files", "latest", "--to", "out"]);
        assert!(!restored.stderr.contains(UNPINNED), "{restored:?}");
        place.expect(0, &["verify", "--full"]);
        let again = place.expect(5, options);
        assert!(again.stderr.contains("there is a vault already"), "{again:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_recovery_identity_from_elsewhere_is_named_and_never_here() {
    let (source, place) = (small(), Workplace::new());
    let elsewhere = Identity::generate();
    let recipient = elsewhere.recipient().to_string();
    place.write(CONFIG, &configuration(&source, &[("one", &place.file("one"))]));
    let made = place.expect(0, &["init", "--recovery-recipient", &recipient]);
    assert!(!made.stdout.contains("recovery.txt"), "{made:?}");
    place.expect(0, &["snapshot"]);
    assert!(!place.file("keys/recovery.txt").exists());
    let refused = place.expect(2, &["restore", "files", "latest", "--to", "out"]);
    assert!(refused.stderr.contains("needs the recovery identity"), "{refused:?}");
    place.write("brought.txt", elsewhere.to_secret_text("test").expose());
    place.expect(0, &["restore", "files", "latest", "--to", "out", "--identity", "brought.txt"]);
    place.expect(0, &["verify", "--full", "--identity", "brought.txt"]);
    let wrong = place.expect(2, &["init", "--recovery-recipient", "age1nonsense"]);
    assert!(wrong.stderr.contains("age1nonsense"), "{wrong:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_replica_is_added_by_init_and_filled_by_repair() {
    let (source, place) = (small(), Workplace::new());
    let (one, two) = (place.file("one"), place.file("two"));
    place.write(CONFIG, &configuration(&source, &[("one", &one)]));
    let made = place.expect(0, &["init", "--json"]).json();
    let pin = made["pin"].as_str().unwrap();
    place.expect(0, &["snapshot"]);
    source.repository.edit(0.1, 1).unwrap();
    place.expect(0, &["snapshot"]);
    place.write(CONFIG, &(configuration(&source, &[("one", &one), ("two", &two)]) + pin));
    let added = place.expect(0, &["init"]);
    assert!(added.stdout.contains("Added") && added.stdout.contains("two"), "{added:?}");
    let behind = place.expect(3, &["verify"]);
    assert!(behind.stdout.contains("behind") && behind.stdout.contains("two"), "{behind:?}");
    place.expect(0, &["repair"]);
    place.expect(0, &["verify", "--full"]);
    // It can stand in for the other.
    fs::remove_dir_all(&one).unwrap();
    place.write(CONFIG, &(configuration(&source, &[("two", &two)]) + pin));
    assert_eq!(place.expect(0, &["list", "--json"]).json()["snapshots"].as_array().unwrap().len(), 2);
    place.expect(0, &["restore", "files", "latest", "--to", "out"]);
    place.expect(0, &["snapshot"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn another_vault_than_the_pinned_one_is_not_trusted() {
    let (backups, stranger) = (Backups::new(), Backups::new());
    let place = &backups.place;
    let lines: Vec<String> = [&backups, &stranger]
        .iter()
        .flat_map(|one| one.place.read(CONFIG).lines().map(str::to_owned).collect::<Vec<_>>())
        .filter(|line| line.starts_with("id = ") || line.starts_with("root = \""))
        .collect();
    let [id, root, other_id, other_root] = &lines[..] else { panic!("{lines:?}") };
    let config = place.read(CONFIG);
    for (ours, theirs) in [(id, other_id), (root, other_root)] {
        place.write(CONFIG, &config.replace(ours.as_str(), theirs));
        let before = tree(&place.file("one"));
        for arguments in [&["snapshot"][..], &["list"], &["verify"], &["repair"]] {
            let run = place.expect(4, arguments);
            assert!(run.stderr.contains("hint: "), "{run:?}");
        }
        assert_eq!(tree(&place.file("one")), before, "nothing was written");
    }
    place.write(CONFIG, &config);
    place.expect(0, &["snapshot"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn without_a_pin_the_first_root_that_was_seen_is_remembered() {
    let backups = Backups::new();
    let place = &backups.place;
    let config = place.read(CONFIG);
    let (unpinned, _) = config.split_once("[vault]").unwrap();
    place.write(CONFIG, unpinned);
    place.expect(0, &["snapshot"]);
    // Whoever writes to all replicas puts a trust record of their own there.
    let other = SigningKey::generate();
    let key = layout::trust(1);
    let root = SigningKey::parse(&Secret::new(place.read("keys/root.key"))).unwrap();
    for replica in ["one", "two"] {
        let record = place.read(&format!("{replica}/{key}"));
        let forged = record.replace(&root.public().to_string(), &other.public().to_string());
        assert_ne!(forged, record);
        let signature = other.sign(forged.as_bytes(), &key);
        overwrite(&place.file(replica).join(&key), forged.as_bytes());
        overwrite(&place.file(replica).join(layout::signature(&key)), signature.as_bytes());
    }
    for arguments in [&["snapshot"][..], &["list"], &["restore", "files", "latest", "--to", "out"]] {
        let run = place.expect(4, arguments);
        assert!(run.stderr.contains("hint: "), "{run:?}");
    }
    // A client that never saw the vault believes it, and says on what ground.
    fs::remove_dir_all(place.home()).unwrap();
    let believed = place.expect(0, &["list"]);
    assert!(believed.stderr.contains(UNPINNED), "{believed:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_replica_that_is_gone_is_named_and_too_few_are_a_failure() {
    let backups = Backups::new();
    let place = &backups.place;
    place.expect(0, &["snapshot"]);
    let away = place.file("away");
    fs::rename(place.file("two"), &away).unwrap();
    backups.source.repository.edit(0.1, 1).unwrap();
    let before = tree(&place.file("one"));
    let failed = place.expect(1, &["snapshot"]);
    assert!(failed.stderr.contains("two"), "{failed:?}");
    let manifests = |files: &std::collections::BTreeMap<String, Vec<u8>>| {
        files.keys().filter(|key| key.starts_with("snapshots/")).count()
    };
    assert_eq!(manifests(&tree(&place.file("one"))), manifests(&before), "no snapshot that counts");

    backups.set_min_copies(1);
    let partial = place.expect(3, &["snapshot"]);
    assert!(partial.stdout.contains("not on two"), "{partial:?}");
    let show = place.expect(0, &["show", "latest"]);
    assert!(show.stdout.contains("not on two"), "{show:?}");
    place.expect(3, &["verify"]);
    // It comes back: behind at first, then whole.
    fs::rename(&away, place.file("two")).unwrap();
    let behind = place.expect(3, &["verify"]);
    assert!(behind.stdout.contains("behind"), "{behind:?}");
    place.expect(0, &["repair"]);
    place.expect(0, &["verify", "--full"]);
    place.expect(0, &["snapshot"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn repair_names_a_replica_that_is_gone() {
    for min_copies in [1, 2] {
        let backups = Backups::new();
        backups.set_min_copies(min_copies);
        let place = &backups.place;
        place.expect(0, &["snapshot"]);
        fs::remove_dir_all(place.file("two")).unwrap();
        let run = place.expect(3, &["repair"]);
        assert!(run.stdout.contains("two") || run.stderr.contains("two"), "{run:?}");
        assert!(!place.file("two").exists(), "a mistyped or unmounted directory is not made");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_emptied_replica_is_joined_again_by_init_and_filled_by_repair() {
    let backups = Backups::new();
    let place = &backups.place;
    place.expect(0, &["snapshot"]);
    fs::remove_dir_all(place.file("two")).unwrap();
    fs::create_dir(place.file("two")).unwrap();
    let run = place.expect(4, &["repair"]);
    let said = format!("{}{}", run.stdout, run.stderr);
    assert!(said.contains("two") && said.contains("prismvault init"), "{run:?}");
    place.expect(0, &["init"]);
    place.expect(0, &["repair"]);
    place.expect(0, &["verify"]);
    place.expect(0, &["verify", "--full"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn damage_of_any_pack_is_named_by_verify_and_mended_by_repair() {
    let backups = Backups::new();
    let place = &backups.place;
    place.expect(0, &["snapshot"]);
    let whole = tree(&place.file("one"));
    let packs: Vec<_> = whole.keys().filter(|key| key.starts_with("packs/")).collect();
    assert!(packs.len() >= 2, "{packs:?}");
    let damages: [(&str, Damage); 3] = [
        ("damaged", |bytes| {
            let mut flipped = bytes.to_vec();
            flipped[bytes.len() / 2] ^= 1;
            Some(flipped)
        }),
        ("wrong-size", |bytes| Some(bytes[..bytes.len() - 1].to_vec())),
        ("missing", |_| None),
    ];
    for pack in packs {
        let file = place.file("one").join(pack);
        for (kind, damage) in &damages {
            match damage(&whole[pack]) {
                Some(bytes) => overwrite(&file, &bytes),
                None => fs::remove_file(&file).unwrap(),
            }
            if *kind != "damaged" {
                place.expect(4, &["verify", "--level", "presence"]);
            }
            let verified = place.expect(4, &["verify", "--json"]).json();
            let found = verified["damage"].as_array().unwrap();
            assert_eq!(found.len(), 1, "{found:?}");
            let named = (&found[0]["kind"], &found[0]["replica"], &found[0]["key"]);
            assert_eq!(named, (&(*kind).into(), &"one".into(), &pack.as_str().into()));
            let plan = place.expect(0, &["repair", "--dry-run"]);
            assert!(plan.stdout.contains("would bring 1 object to one from two\n"), "{plan:?}");
            assert!(plan.stdout.contains(&format!("  {pack} from two: ")), "{plan:?}");
            place.expect(0, &["repair"]);
            assert_eq!(fs::read(&file).unwrap(), whole[pack]);
        }
    }
    place.expect(0, &["verify", "--full"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn damage_without_another_copy_is_beyond_repair() {
    let backups = Backups::new();
    let place = &backups.place;
    place.expect(0, &["snapshot"]);
    let whole = tree(&place.file("one"));
    let (pack, bytes) = whole.iter().find(|(key, _)| key.starts_with("packs/")).unwrap();
    for replica in ["one", "two"] {
        overwrite(&place.file(replica).join(pack), &bytes[1..]);
    }
    place.expect(4, &["verify"]);
    let run = place.expect(4, &["repair"]);
    assert!(run.stdout.contains("no good copy") && run.stdout.contains(pack.as_str()), "{run:?}");
}

/// The next step that a report names must be true.
#[tokio::test(flavor = "multi_thread")]
async fn a_loss_names_the_snapshots_it_costs_and_a_new_snapshot_stores_it_again() {
    for cut in [true, false] {
        let backups = Backups::new();
        let place = &backups.place;
        let id = place.expect(0, &["snapshot", "--json"]).json()["snapshot"].as_str().unwrap().to_owned();
        let whole = tree(&place.file("one"));
        let packs = whole.iter().filter(|(key, _)| key.starts_with("packs/"));
        let (pack, bytes) = packs.max_by_key(|(_, bytes)| bytes.len()).unwrap();
        let mut damaged = bytes[usize::from(cut)..].to_vec();
        damaged[0] ^= 1;
        // On one replica only it is an errand, not a loss.
        overwrite(&place.file("one").join(pack), &damaged);
        let errand = place.run(&["verify", "--level", "bytes", "--json"]).json();
        assert_eq!((&errand["lost"], &errand["affected"]), (&serde_json::json!([]), &serde_json::json!([])));
        overwrite(&place.file("two").join(pack), &damaged);
        let run = place.expect(4, &["verify", "--level", "bytes"]);
        for said in ["no good copy is left of ", &format!("  {id} of acme-blog: "), "prismvault snapshot"] {
            assert!(run.stdout.contains(said), "{said}: {run:?}");
        }
        assert_eq!(run.stdout.contains("move the damaged objects"), !cut, "{run:?}");
        let report = place.run(&["verify", "--level", "bytes", "--json"]).json();
        assert!(report["lost"].as_array().unwrap().contains(&pack.as_str().into()), "{report}");
        let affected = &report["affected"][0];
        assert_eq!(affected["snapshot"], id.as_str());
        let paths = affected["paths"].as_array().unwrap();
        assert_eq!(affected["items"], paths.len());
        assert!(paths.iter().any(|path| path.as_str().unwrap().starts_with("documents/")), "{affected}");

        if !cut {
            for replica in ["one", "two"] {
                std::fs::remove_file(place.file(replica).join(pack)).unwrap();
            }
        }
        let next = place.expect(0, &["snapshot", "--json"]).json()["snapshot"].as_str().unwrap().to_owned();
        place.expect(0, &["verify", "--full", &next]);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_repository_that_fails_does_not_keep_the_others_from_their_snapshots() {
    let backups = Backups::new();
    let place = &backups.place;
    let base = backups.source.server.base_url();
    // One before and one after it in the order of recovery.
    let wrong = |name: &str| {
        format!(
            "\n[repositories.{name}]\nrepository = \"acme-shop\"\ncontent_api = \"{base}/nothing/api/v2\"\n"
        )
    };
    let config = place.read(CONFIG);
    place.write(CONFIG, &(config + &wrong("aaa-shop") + &wrong("zzz-shop")));
    let run = place.expect(1, &["snapshot"]);
    assert!(run.stdout.contains("of acme-blog is complete"), "{run:?}");
    assert!(run.stderr.contains("aaa-shop") && run.stderr.contains("zzz-shop"), "{run:?}");
    let list = place.expect(0, &["list", "--json"]).json();
    let stored = list["snapshots"].as_array().unwrap();
    assert_eq!(stored.len(), 1, "{list}");
    assert_eq!(stored[0]["repository"], "acme-blog");
    // As JSON, a line each.
    let run = place.expect(1, &["snapshot", "acme-blog", "zzz-shop", "--json"]);
    let lines: Vec<Value> = run.stdout.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!(lines.len(), 2, "{run:?}");
    // In the order in which they end.
    assert!(lines.iter().any(|line| line["repository"] == "acme-blog"), "{run:?}");
    let error = lines.iter().find_map(|line| line["error"]["message"].as_str());
    assert!(error.is_some_and(|error| error.contains("zzz-shop")), "{run:?}");
    // Alone, it is a mistake in the configuration.
    place.expect(2, &["snapshot", "zzz-shop"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn show_says_all_that_no_snapshot_holds() {
    let backups = Backups::new();
    let place = &backups.place;
    place.expect(0, &["snapshot"]);
    let (text, json) =
        (place.expect(0, &["show", "latest"]), place.expect(0, &["show", "latest", "--json"]).json());
    let named = json["not_in_any_snapshot"].as_array().unwrap();
    assert_eq!(named.len(), NOT_IN_ANY_SNAPSHOT.len());
    for (what, why) in NOT_IN_ANY_SNAPSHOT {
        assert!(text.stdout.contains(&format!("{what}: {why}")), "{text:?}");
        assert!(named.iter().any(|one| one["what"] == *what && one["why"] == *why), "{json}");
    }
    for word in [
        "drafts",
        "archived",
        "titles",
        "authors",
        "version history",
        "workflow",
        "schedules",
        "migration release",
        "webhooks",
        "access tokens",
        "members",
        "roles",
        "integration fields",
    ] {
        assert!(text.stdout.contains(word), "{word}: {text:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_token_that_is_no_longer_set_is_named_with_the_next_step() {
    let (source, place) = (small(), Workplace::new());
    place.write(
        CONFIG,
        &configuration(&source, &[("one", &place.file("one"))])
            .replace("[limits]", "write_token = { env = \"PRISMIC_WRITE_TOKEN\" }\n\n[limits]"),
    );
    place.expect(0, &["init"]);
    let with = |value: &str| {
        let mut command = place.command(&["snapshot"]);
        Run::from(command.env("PRISMIC_WRITE_TOKEN", value).output().unwrap())
    };
    let taken = with(WRITE_TOKEN);
    assert_eq!(taken.code, 0, "{taken:?}");
    let before = tree(&place.file("one"));
    for run in [place.run(&["snapshot"]), with("")] {
        assert_eq!(run.code, 2, "{run:?}");
        assert!(run.stderr.contains("PRISMIC_WRITE_TOKEN"), "{run:?}");
        let hint = run.stderr.lines().find(|line| line.starts_with("hint: ")).expect("a next step");
        assert!(hint.contains("PRISMIC_WRITE_TOKEN"), "{hint}");
    }
    assert_eq!(tree(&place.file("one")), before, "no snapshot without the media library");
    // Reading needs no token.
    for arguments in [&["list"][..], &["verify"], &["restore", "files", "latest", "--to", "out"]] {
        place.expect(0, arguments);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn one_replica_of_two_is_enough_to_read_and_the_other_is_named() {
    let backups = Backups::new();
    let place = &backups.place;
    place.expect(0, &["snapshot"]);
    std::fs::rename(place.file("two"), place.file("unmounted")).unwrap();
    // A mount point that is there and empty is not a vault either.
    for mounted in [false, true] {
        if mounted {
            std::fs::create_dir(place.file("two")).unwrap();
        }
        for (arguments, code) in [
            (&["list"][..], 3),
            (&["show", "latest"], 0),
            (&["cat", "latest", "repository/languages.json"], 0),
            (&["restore", "files", "latest", "--to", "out", "--overwrite", "always"], 0),
        ] {
            let run = place.expect(code, arguments);
            let said = format!("{}{}", run.stdout, run.stderr);
            assert!(said.contains("two"), "{arguments:?}: {run:?}");
        }
        let taken = place.expect(1, &["snapshot"]);
        assert!(taken.stderr.contains("2 must hold a snapshot"), "{taken:?}");
        assert!(taken.stderr.contains("hint: two: ") && taken.stderr.contains("mount it"), "{taken:?}");
    }
    std::fs::rename(place.file("one"), place.file("unmounted-too")).unwrap();
    std::fs::remove_dir(place.file("two")).unwrap();
    let run = place.expect(1, &["list"]);
    assert!(run.stderr.contains("none of the 2 replicas can be read"), "{run:?}");
    assert!(run.stderr.contains("one good replica is enough to read"), "{run:?}");
}
