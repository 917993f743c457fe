//! Chains of statements, and those who try to break them.

use bytes::Bytes;
use prismvault::clock::rfc3339;
use prismvault::ids::Digest;
use prismvault::objects::{Body, PutMode};
use prismvault::vault::drills::{
    BROKEN, Saying, Signatory, StoredDrill, StoredStatement, load, open_note, state, statements,
};
use prismvault::vault::error::ErrorKind;
use prismvault::vault::format::drill::{STATEMENT_KIND, Statement, StatementFile};
use prismvault::vault::open::Vault;
use prismvault::vault::signing::SigningKey;

use super::place::{DRILL, store_drill};
use crate::backups::Backup;

struct Talk {
    backup: Backup,
    drill: StoredDrill,
    anna: SigningKey,
    bela: SigningKey,
}

impl Talk {
    async fn new() -> Self {
        let backup = Backup::in_memory(2).await;
        let drill = store_drill(&backup.open().await.unwrap(), DRILL, |_| ()).await;
        Self { backup, drill, anna: SigningKey::generate(), bela: SigningKey::generate() }
    }

    fn people(&self) -> Vec<Signatory> {
        let of =
            |name: &str, key: &SigningKey| Signatory { name: name.to_owned(), key: key.public().clone() };
        vec![of("anna", &self.anna), of("bela", &self.bela)]
    }

    fn key(&self, name: &str) -> &SigningKey {
        if name == "anna" { &self.anna } else { &self.bela }
    }

    async fn said(&self) -> (Vec<StoredStatement>, Vec<String>) {
        let vault = self.backup.open().await.unwrap();
        let (all, problems) = statements(&vault, &self.drill, &self.people()).await.unwrap();
        (all, problems.into_iter().map(|problem| problem.code).collect())
    }

    async fn say(
        &self,
        vault: &Vault,
        earlier: &[StoredStatement],
        by: &str,
        body: &str,
    ) -> Result<StoredStatement, ErrorKind> {
        let saying = Saying { by, for_: None, what: Statement::Note, body, key: self.key(by) };
        state(vault, &self.drill, earlier, &saying).await.map_err(|error| error.kind)
    }

    /// A file as somebody who can write into replicas makes it.
    fn file(&self, n: u32, before: Digest, by: &str) -> StatementFile {
        StatementFile {
            kind: STATEMENT_KIND.to_owned(),
            format: 1,
            vault: self.drill.file.vault,
            key: format!("drills/{DRILL}/statements/{n}.json"),
            drill: self.drill.file.drill.clone(),
            n,
            before,
            at: rfc3339(prismvault::clock::Clock::now(&*self.backup.clock)),
            by: by.to_owned(),
            for_: None,
            what: Statement::Note,
            body: String::new(),
        }
    }

    /// Puts a file onto some replicas, signed with this key.
    async fn plant(&self, replicas: std::ops::Range<usize>, file: &StatementFile, key: &SigningKey) {
        let bytes = serde_json::to_vec(file).unwrap();
        let signature = key.sign(&bytes, &file.key);
        for (_, store) in &self.backup.stores[replicas] {
            let objects = [
                (format!("{}.minisig", file.key), Bytes::from(signature.clone())),
                (file.key.clone(), Bytes::from(bytes.clone())),
            ];
            for (key, bytes) in objects {
                store.put(&key, Body::bytes(bytes), PutMode::Overwrite).await.unwrap();
            }
        }
    }
}

#[tokio::test]
async fn statements_follow_one_another_and_only_readers_of_content_read_them() {
    let talk = Talk::new().await;
    let vault = talk.backup.open().await.unwrap();
    let first = talk.say(&vault, &[], "anna", "clara is on leave").await.unwrap();
    let second = talk.say(&vault, std::slice::from_ref(&first), "bela", "dora stands in").await.unwrap();
    assert_eq!((first.file.before, second.file.before), (talk.drill.digest, first.digest));
    let (all, problems) = talk.said().await;
    assert_eq!((all, problems), (vec![first.clone(), second], vec![]));
    assert!(!first.file.body.contains("clara"));
    assert_eq!(open_note(&vault, &first.file.body), None, "the backup host reads no notes");
    let reader = talk.backup.open_with(vec![talk.backup.recovery.clone()]).await.unwrap();
    assert_eq!(open_note(&reader, &first.file.body).as_deref(), Some("clara is on leave"));
    // Whoever is no person of the configuration any more ends the chain with what they said.
    let only_bela = talk.people().split_off(1);
    let (all, problems) = statements(&vault, &talk.drill, &only_bela).await.unwrap();
    assert_eq!((all.len(), problems[0].code.as_str()), (0, BROKEN));
}

#[tokio::test]
async fn of_two_who_speak_at_once_the_second_is_refused_and_nothing_of_it_stays() {
    let talk = Talk::new().await;
    let vault = talk.backup.open().await.unwrap();
    let first = talk.say(&vault, &[], "anna", "a").await.unwrap();
    assert_eq!(talk.say(&vault, &[], "bela", "b").await.unwrap_err(), ErrorKind::Refused);
    assert_eq!(talk.said().await, (vec![first.clone()], vec![]));
    assert!(vault.replicas.failed().is_empty(), "nobody's fault");
    // After a look it is said again.
    let second = talk.say(&vault, &[first.clone()], "bela", "b").await.unwrap();
    assert_eq!(talk.said().await.0, [first, second]);
    // Really at once: one of them, whole, on both replicas.
    let talk = Talk::new().await;
    let (one, two) = (talk.backup.open().await.unwrap(), talk.backup.open().await.unwrap());
    let (one, two) = tokio::join!(talk.say(&one, &[], "anna", "a"), talk.say(&two, &[], "bela", "b"));
    let said: Vec<StoredStatement> = [one, two].into_iter().flatten().collect();
    assert_eq!(said.len(), 1, "{said:?}");
    assert_eq!(talk.said().await, (said, vec![]));
}

#[tokio::test]
async fn a_chain_ends_before_what_nobody_known_signed_or_does_not_follow() {
    let talk = Talk::new().await;
    let vault = talk.backup.open().await.unwrap();
    let first = talk.say(&vault, &[], "anna", "a").await.unwrap();
    let stranger = SigningKey::generate();
    let good = talk.file(2, first.digest, "bela");
    let cases = [
        ("by a stranger", good.clone(), &stranger),
        ("by anna in the name of bela", good.clone(), &talk.anna),
        ("by a key of the vault", good.clone(), &talk.backup.root),
        ("that names the record", talk.file(2, talk.drill.digest, "bela"), &talk.bela),
        ("that names nothing there is", talk.file(2, Digest::of(b"x"), "bela"), &talk.bela),
        ("with another number", StatementFile { n: 3, ..good.clone() }, &talk.bela),
        (
            "of another vault",
            StatementFile { vault: prismvault::ids::VaultId([7; 16]), ..good.clone() },
            &talk.bela,
        ),
        ("of another kind", StatementFile { kind: "drill".to_owned(), ..good.clone() }, &talk.bela),
    ];
    for (what, file, key) in cases {
        talk.plant(0..2, &StatementFile { key: good.key.clone(), ..file }, key).await;
        let (all, problems) = talk.said().await;
        assert_eq!((all, problems), (vec![first.clone()], vec![BROKEN.to_owned()]), "{what}");
    }
    // On one replica only it is read around.
    talk.plant(0..2, &good, &talk.bela).await;
    talk.plant(0..1, &good, &stranger).await;
    let (all, problems) = talk.said().await;
    assert_eq!((all.len(), problems), (2, vec![]));
    // A number that is missing everywhere takes what is behind it along.
    for (_, store) in &talk.backup.stores {
        for suffix in ["", ".minisig"] {
            store.delete(&format!("{}{suffix}", first.file.key)).await.unwrap();
        }
    }
    assert_eq!(talk.said().await, (vec![], vec![BROKEN.to_owned()]));
}

#[tokio::test]
async fn where_two_replicas_took_different_ones_the_continued_counts_else_the_earlier() {
    let talk = Talk::new().await;
    let earlier = talk.file(1, talk.drill.digest, "anna");
    talk.backup.clock.advance(chrono::TimeDelta::seconds(10));
    let later = talk.file(1, talk.drill.digest, "bela");
    talk.plant(0..1, &later, &talk.bela).await;
    talk.plant(1..2, &earlier, &talk.anna).await;
    let (all, problems) = talk.said().await;
    assert_eq!((all[0].file.by.as_str(), all.len()), ("anna", 1));
    assert_eq!(problems, ["drill-statement-written-twice"]);
    let digest = Digest::of(&serde_json::to_vec(&later).unwrap());
    talk.plant(0..2, &talk.file(2, digest, "anna"), &talk.anna).await;
    let (all, problems) = talk.said().await;
    assert_eq!(all.iter().map(|one| one.file.by.as_str()).collect::<Vec<_>>(), ["bela", "anna"]);
    assert_eq!(problems, ["drill-statement-written-twice"]);
}

#[tokio::test]
async fn a_drill_that_is_not_there_is_not_found() {
    let talk = Talk::new().await;
    let vault = talk.backup.open().await.unwrap();
    let error = load(&vault, &"20250101T000000Z-00000000".parse().unwrap()).await.unwrap_err();
    assert_eq!(error.kind, ErrorKind::NotFound);
}
