//! The policies of `docs/iam` against the calls that the program really makes: a server that
//! enforces them, and commands run with the credentials of each role.
//!
//! A new command needs one line in [`COMMANDS`]; what a policy allows for a case that does not
//! happen here needs one in [`NOT_HERE`].

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;
use std::process::Command;
use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use prismvault::clock::{Clock as _, SystemClock, Timestamp};
use prismvault::objects::{Abilities, Body, ErrorKind, ObjectStore, PutMode};
use prismvault::sandbox::Faults;
use s3s::access::{S3Access, S3AccessContext};
use s3s::path::S3Path;
use s3s::{S3Result, s3_error};
use serde_json::Value;
use tokio::sync::Notify;

use crate::backups::{configuration, small};
use crate::s3_server::{ACCESS_KEY, BUCKET, SECRET_KEY, connect};
use crate::s3_strict::StrictServer;
use crate::workplace::{Run, Workplace};

const PREFIX: &str = "prismic";

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Role {
    Snapshot,
    Maintenance,
    Restore,
}

use Role::{Maintenance, Restore, Snapshot};

impl Role {
    fn file(self) -> &'static str {
        match self {
            Snapshot => "snapshot.json",
            Maintenance => "maintenance.json",
            Restore => "restore.json",
        }
    }
}

/// What each role runs, in this order, and how it ends. What no role can run here is no gap in a
/// policy: every command that opens a vault has a line.
const COMMANDS: &[(Role, &[&str], i32)] = &[
    (Maintenance, &["init"], 0),
    (Maintenance, &["doctor"], 0),
    // A file of the media library is missing at the source.
    (Snapshot, &["snapshot"], 3),
    (Snapshot, &["accept", "acme-blog", "GAP", "--reason", "gone"], 0),
    (Snapshot, &["snapshot"], 0),
    (Snapshot, &["access", "import", "members.csv"], 0),
    (Snapshot, &["access", "import", "members.csv"], 0),
    (Restore, &["access", "diff"], 0),
    (Restore, &["access", "review"], 0),
    (Snapshot, &["list"], 0),
    (Snapshot, &["status"], 0),
    (Snapshot, &["show", "latest"], 0),
    (Snapshot, &["verify"], 0),
    (Snapshot, &["jobs", "run", "take"], 0),
    (Snapshot, &["audit", "verify"], 0),
    (Snapshot, &["verify", "--sample", "5%"], 0),
    (Maintenance, &["list"], 0),
    (Maintenance, &["show", "--storage"], 0),
    (Maintenance, &["verify", "--level", "bytes"], 4),
    (Maintenance, &["repair"], 0),
    (Maintenance, &["replicate"], 0),
    (Maintenance, &["repair", "--rebuild-index"], 0),
    // The bucket locks what would be destroyed.
    (Maintenance, &["keys", "rotate", "--operator", "--yes"], 3),
    (Maintenance, &["keys", "list"], 0),
    (Maintenance, &["keys", "check"], 3),
    (Maintenance, &["hold", "latest", "--reason", "audit"], 0),
    (Maintenance, &["release", "latest", "--reason", "over"], 0),
    (Maintenance, &["retain"], 0),
    (Maintenance, &["undelete", "REMOVED", "--reason", "needed"], 0),
    (Maintenance, &["prune", "--yes"], 0),
    (Maintenance, &["audit", "list"], 0),
    (Maintenance, &["audit", "verify"], 0),
    (Restore, &["list"], 0),
    (Restore, &["show", "latest"], 0),
    (Restore, &["find", "page"], 0),
    (Restore, &["diff", "latest", "latest"], 0),
    (Restore, &["cat", "latest", "repository/api.json"], 0),
    (Restore, &["export", "latest", "--to", "out.tar"], 0),
    (Restore, &["restore", "files", "latest", "--to", "out"], 0),
    (Restore, &["serve", "latest", "--check"], 0),
    (Restore, &["verify", "--full"], 0),
    (Restore, &["audit", "verify"], 0),
    (Maintenance, &["forget", "acme-blog", "--yes"], 0),
];

/// What is refused on purpose, and the command goes on without: role, the first word of the
/// command, action and beginning of the key.
const GOES_WITHOUT: &[(Role, &str, &str, &str)] = &[
    // A verification that cannot be remembered is one all the same.
    (Restore, "verify", "s3:PutObject", "state/verification/"),
    // What is left of leases, pruning removes.
    (Snapshot, "jobs", "s3:DeleteObjectVersion", "state/leases/"),
];

/// What policies allow and no command here needs, with the reason.
const NOT_HERE: &[(Role, &str, &str)] = &[
    (Snapshot, "s3:GetObjectLegalHold", "S3 tells of a legal hold only who may ask for it"),
    (Maintenance, "s3:GetObjectLegalHold", "S3 tells of a legal hold only who may ask for it"),
    (Restore, "s3:GetObjectLegalHold", "S3 tells of a legal hold only who may ask for it"),
];

/// A policy of IAM, as far as ours go.
#[derive(Debug, Clone)]
struct Policy(Vec<Statement>);

#[derive(Debug, Clone)]
struct Statement {
    allows: bool,
    actions: Vec<String>,
    resources: Vec<String>,
    condition: BTreeMap<String, BTreeMap<String, Value>>,
}

impl Policy {
    /// Reads the policy of a role, with the bucket and prefix of this test in its place holders.
    fn of(role: Role) -> Self {
        let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/iam").join(role.file());
        let text = fs::read_to_string(file).unwrap().replace("BUCKET", BUCKET).replace("PREFIX", PREFIX);
        let policy: Value = serde_json::from_str(&text).unwrap();
        assert_eq!(policy["Version"], "2012-10-17");
        let texts = |value: &Value| -> Vec<String> {
            value.as_array().unwrap().iter().map(|text| text.as_str().unwrap().to_owned()).collect()
        };
        let statement = |value: &Value| Statement {
            allows: match value["Effect"].as_str().unwrap() {
                "Allow" => true,
                "Deny" => false,
                other => panic!("{other}"),
            },
            actions: texts(&value["Action"]),
            resources: texts(&value["Resource"]),
            condition: serde_json::from_value(
                value.get("Condition").cloned().unwrap_or(Value::Object(serde_json::Map::new())),
            )
            .unwrap(),
        };
        Self(policy["Statement"].as_array().unwrap().iter().map(statement).collect())
    }

    fn actions(&self, allows: bool) -> BTreeSet<String> {
        let statements = self.0.iter().filter(|statement| statement.allows == allows);
        statements.flat_map(|statement| statement.actions.iter().cloned()).collect()
    }

    fn allows(&self, action: &str, resource: &str, keys: &BTreeMap<&str, String>) -> bool {
        let speaks = |statement: &&Statement| {
            statement.actions.iter().any(|own| own == action)
                && statement.resources.iter().any(|own| is_like(resource, own))
                && statement.holds(keys)
        };
        let effects: Vec<bool> = self.0.iter().filter(speaks).map(|statement| statement.allows).collect();
        !effects.is_empty() && effects.into_iter().all(|allows| allows)
    }
}

impl Statement {
    fn holds(&self, keys: &BTreeMap<&str, String>) -> bool {
        self.condition.iter().all(|(operator, tests)| {
            tests.iter().all(|(key, wanted)| {
                let found = keys.get(key.as_str());
                match operator.as_str() {
                    "Null" => found.is_none() == (wanted == "true"),
                    "StringLikeIfExists" => found.is_none_or(|found| {
                        wanted.as_array().unwrap().iter().any(|like| is_like(found, like.as_str().unwrap()))
                    }),
                    "NumericLessThanEquals" => found.is_some_and(|found| {
                        found.parse::<u64>().unwrap() <= wanted.as_str().unwrap().parse().unwrap()
                    }),
                    other => panic!("the test does not know the operator {other}"),
                }
            })
        })
    }
}

/// Patterns of ours have one star, at their end.
fn is_like(text: &str, pattern: &str) -> bool {
    match pattern.strip_suffix('*') {
        Some(beginning) => text.starts_with(beginning),
        None => text == pattern,
    }
}

/// The policy in force, and what was asked under it.
#[derive(Clone, Default)]
pub(crate) struct Guard(Arc<Mutex<State>>);

#[derive(Default)]
struct State {
    role: Option<(Role, Policy)>,
    /// How often each was asked for, whoever asked.
    asked: BTreeMap<(&'static str, String), usize>,
    used: BTreeSet<(Role, String)>,
    denied: Vec<(&'static str, String)>,
    /// An operation that gets no answer, and who is told of the first.
    hangs: Option<(&'static str, Arc<Notify>)>,
}

impl Guard {
    fn enforce(&self, role: Option<Role>) {
        self.0.lock().unwrap().role = role.map(|role| (role, Policy::of(role)));
    }

    fn denied(&self) -> Vec<(&'static str, String)> {
        std::mem::take(&mut self.0.lock().unwrap().denied)
    }

    /// How often an object was read since this was asked last.
    fn reads(&self, key: &str) -> usize {
        let mut state = self.0.lock().unwrap();
        let resource = format!("arn:aws:s3:::{BUCKET}/{PREFIX}/{key}");
        let actions = ["s3:GetObject", "s3:GetObjectVersion"];
        actions.into_iter().filter_map(|action| state.asked.remove(&(action, resource.clone()))).sum()
    }

    /// From now on this operation gets no answer; returns who is told when it is asked for.
    pub(crate) fn hang_at(&self, operation: &'static str) -> Arc<Notify> {
        let asked = Arc::new(Notify::new());
        self.0.lock().unwrap().hangs = Some((operation, Arc::clone(&asked)));
        asked
    }

    pub(crate) fn answer_again(&self) {
        self.0.lock().unwrap().hangs = None;
    }
}

/// The permissions that an operation needs: actions with the resource they are for.
fn needed(cx: &S3AccessContext<'_>) -> Vec<(&'static str, String)> {
    let version = cx.uri().query().is_some_and(|query| query.contains("versionId="));
    let retention = cx.headers().contains_key("x-amz-object-lock-retain-until-date");
    let actions: &[&str] = match (cx.s3_op().name(), version) {
        ("HeadBucket" | "ListObjectsV2", _) => &["s3:ListBucket"],
        ("ListObjectVersions", _) => &["s3:ListBucketVersions"],
        ("GetObject" | "HeadObject", false) => &["s3:GetObject"],
        ("GetObject" | "HeadObject", true) => &["s3:GetObjectVersion"],
        ("PutObject", _) if retention => &["s3:PutObject", "s3:PutObjectRetention"],
        ("PutObject", _) => &["s3:PutObject"],
        ("DeleteObject", false) => &["s3:DeleteObject"],
        ("DeleteObject", true) => &["s3:DeleteObjectVersion"],
        ("GetObjectRetention", _) => &["s3:GetObjectRetention"],
        ("PutObjectRetention", _) => &["s3:PutObjectRetention"],
        ("GetObjectLegalHold", _) => &["s3:GetObjectLegalHold"],
        ("GetBucketVersioning", _) => &["s3:GetBucketVersioning"],
        ("GetObjectLockConfiguration", _) => &["s3:GetBucketObjectLockConfiguration"],
        ("GetBucketReplication", _) => &["s3:GetReplicationConfiguration"],
        ("GetBucketLifecycleConfiguration", _) => &["s3:GetLifecycleConfiguration"],
        (other, _) => panic!("which permissions does {other} need?"),
    };
    let resource = match cx.s3_path() {
        S3Path::Object { bucket, key } => format!("arn:aws:s3:::{bucket}/{key}"),
        S3Path::Bucket { bucket } => format!("arn:aws:s3:::{bucket}"),
        S3Path::Root => panic!("nobody lists buckets"),
    };
    actions.iter().map(|action| (*action, resource.clone())).collect()
}

fn condition_keys(cx: &S3AccessContext<'_>) -> BTreeMap<&'static str, String> {
    let mut keys = BTreeMap::new();
    let query = url::form_urlencoded::parse(cx.uri().query().unwrap_or_default().as_bytes());
    keys.extend(
        query.filter(|(name, _)| name == "prefix").map(|(_, value)| ("s3:prefix", value.into_owned())),
    );
    if let Some(until) = cx.headers().get("x-amz-object-lock-retain-until-date") {
        let until: Timestamp = until.to_str().unwrap().parse().unwrap();
        // Rounded up, as a store may do it.
        let days = ((until - SystemClock.now()).num_seconds() + 24 * 60 * 60 - 1) / (24 * 60 * 60);
        keys.insert("s3:object-lock-remaining-retention-days", days.to_string());
    }
    if let Some(value) = cx.headers().get("if-none-match") {
        keys.insert("s3:if-none-match", value.to_str().unwrap().to_owned());
    }
    keys
}

#[async_trait]
impl S3Access for Guard {
    async fn check(&self, cx: &mut S3AccessContext<'_>) -> S3Result<()> {
        if cx.credentials().is_none() {
            return Err(s3_error!(AccessDenied));
        }
        let (needed, keys) = (needed(cx), condition_keys(cx));
        let hangs = self.0.lock().unwrap().hangs.clone();
        if let Some((_, asked)) = hangs.filter(|(operation, _)| *operation == cx.s3_op().name()) {
            asked.notify_one();
            std::future::pending::<()>().await;
        }
        let mut state = self.0.lock().unwrap();
        for permission in &needed {
            *state.asked.entry(permission.clone()).or_default() += 1;
        }
        let Some((role, policy)) = state.role.clone() else { return Ok(()) };
        for (action, resource) in needed {
            if !policy.allows(action, &resource, &keys) {
                state.denied.push((action, resource));
                return Err(s3_error!(AccessDenied));
            }
            state.used.insert((role, action.to_owned()));
        }
        Ok(())
    }
}

/// A vault in a guarded bucket, with versions, and a directory.
pub(crate) struct Place {
    pub(crate) workplace: Workplace,
    pub(crate) server: StrictServer,
    pub(crate) guard: Guard,
}

impl Place {
    /// A configuration, not yet made a vault; `more` is said of the bucket.
    pub(crate) async fn new(source: &crate::backups::Source, more: &str) -> Self {
        let guard = Guard::default();
        let all = Abilities { create_only: true, stored_checksums: true, versions: true, locks: true };
        let (workplace, server) = (Workplace::new(), StrictServer::guarded(all, guard.clone()).await);
        let bucket = format!(
            "\n[[replicas]]\nname = \"bucket\"\nurl = \"s3://{BUCKET}/{PREFIX}\"\nregion = \"eu-central-1\"\n\
             endpoint = \"http://{}\"\nforce_path_style = true\n{more}\n[retention]\nkeep_last = 1\n",
            server.address
        );
        let local = workplace.file("local");
        let config = configuration(source, &[("local", &local)]) + &bucket;
        // The write token of the sandbox, for the media library.
        let config = config.replace(
            "repository = \"acme-blog\"\n",
            "repository = \"acme-blog\"\nwrite_token = { env = \"PRISMIC_WRITE_TOKEN\" }\n",
        );
        workplace.write("prismvault.toml", &config);
        Self { workplace, server, guard }
    }

    /// The program with the credentials of a role (`None`: of whoever owns the bucket).
    pub(crate) fn command(&self, role: Option<Role>, arguments: &[&str]) -> Command {
        self.guard.enforce(role);
        let mut command = self.workplace.command(arguments);
        command
            .env("AWS_ACCESS_KEY_ID", ACCESS_KEY)
            .env("AWS_SECRET_ACCESS_KEY", SECRET_KEY)
            .env("PRISMIC_WRITE_TOKEN", crate::backups::WRITE_TOKEN);
        command
    }

    pub(crate) fn run(&self, role: Option<Role>, arguments: &[&str]) -> Run {
        Run::from(self.command(role, arguments).output().unwrap())
    }

    /// What is in the bucket, by names that begin with this.
    pub(crate) async fn in_bucket(&self, beginning: &str) -> Vec<String> {
        let beginning = format!("{PREFIX}/{beginning}");
        let objects = self.server.memory.list("").await.unwrap().into_iter().map(|meta| meta.key);
        objects.filter(|key| key.starts_with(&beginning)).collect()
    }

    /// Damages a pack in the bucket, so that a repair replaces it.
    async fn damage(&self) {
        let pack = self.in_bucket("packs/").await.remove(0);
        assert!(self.server.memory.tamper(&pack, |bytes| bytes.fill(0)));
    }

    fn removed(&self) -> String {
        let listed = self.run(None, &["list", "--removed", "--json"]).json();
        listed["removed"][0]["id"].as_str().unwrap().to_owned()
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn every_command_gets_by_with_the_policy_of_its_role_and_no_policy_allows_more() {
    let source = small();
    let place = Place::new(&source, "object_lock = { mode = \"governance\", days = 14 }").await;
    // What an init that was killed left behind is removed by the next.
    let left = format!("{PREFIX}/replica.json");
    place.server.memory.put(&left, Body::bytes(b"{}".to_vec()), PutMode::CreateOnly).await.unwrap();
    let library = source.repository.library();
    let lost = library.assets()[0].id.clone();
    let gap = format!("assets/{lost}/original");
    let missing_files = [lost].into_iter().collect();
    source.control().set_faults(Faults { missing_files, ..Faults::default() });
    fs::create_dir(place.workplace.file("schedules")).unwrap();
    let job = "job = \"snapshot\"\nrepositories = [\"*\"]\ncron = \"@daily\"\n";
    place.workplace.write("schedules/take.toml", job);
    place.workplace.write("members.csv", "name,email,role\nAnna,anna@acme.example,Owner\n");
    for (role, arguments, code) in COMMANDS {
        let removed = if arguments.contains(&"REMOVED") { place.removed() } else { String::new() };
        let word = |word: &&'static str| match *word {
            "GAP" => gap.as_str(),
            "REMOVED" => removed.as_str(),
            word => word,
        };
        let arguments: Vec<&str> = arguments.iter().map(word).collect();
        if arguments[0] == "verify" && *role == Maintenance {
            place.damage().await;
        }
        let run = place.run(Some(*role), &arguments);
        assert_eq!(run.code, *code, "{role:?} {arguments:?}: {run:?}");
        let mut denied = place.guard.denied();
        denied.retain(|(action, resource)| {
            let goes_without = |(own, command, needs, beginning): &(Role, &str, &str, &str)| {
                let place = format!("arn:aws:s3:::{BUCKET}/{PREFIX}/{beginning}");
                own == role && *command == arguments[0] && needs == action && resource.starts_with(&place)
            };
            !GOES_WITHOUT.iter().any(goes_without)
        });
        assert_eq!(denied, [], "{role:?} {arguments:?}");
    }
    let used = place.guard.0.lock().unwrap().used.clone();
    for role in [Snapshot, Maintenance, Restore] {
        let of_role = used.iter().filter(|(own, _)| *own == role).map(|(_, action)| action.clone());
        let elsewhere = NOT_HERE.iter().filter(|(own, ..)| *own == role);
        let needed: BTreeSet<String> =
            of_role.chain(elsewhere.map(|(_, action, _)| (*action).to_owned())).collect();
        assert_eq!(Policy::of(role).actions(true), needed, "{role:?}");
    }
    // What is listed as not needed here is not needed here.
    for (role, action, _) in NOT_HERE {
        assert!(!used.contains(&(*role, (*action).to_owned())), "{action} is used by {role:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn who_may_only_read_verifies_and_says_that_it_is_not_remembered() {
    let source = small();
    let place = Place::new(&source, "").await;
    for arguments in [&["init"][..], &["snapshot"]] {
        assert_eq!(place.run(None, arguments).code, 0);
    }
    let run = place.run(Some(Restore), &["verify", "--full"]);
    assert_eq!(run.code, 0, "{run:?}");
    assert!((run.stdout + &run.stderr).contains("what was verified on bucket is not remembered"));
    let run = place.run(Some(Snapshot), &["verify", "--level", "bytes"]);
    assert_eq!(run.code, 0, "{run:?}");
    assert!(!(run.stdout + &run.stderr).contains("not remembered"));
    // And once more, over the results of before.
    let run = place.run(Some(Snapshot), &["verify", "--level", "bytes"]);
    assert_eq!((run.code, place.guard.denied().len()), (0, 1), "only that of the restore role: {run:?}");
}

#[test]
fn a_key_that_is_not_there_is_told_to_every_role() {
    // S3 answers 404 only to those who may list the bucket, in a request that names no prefix.
    for role in [Snapshot, Maintenance, Restore] {
        let bucket = format!("arn:aws:s3:::{BUCKET}");
        let policy = Policy::of(role);
        assert!(policy.allows("s3:ListBucket", &bucket, &BTreeMap::new()), "{role:?}");
        let elsewhere = BTreeMap::from([("s3:prefix", "elsewhere/".to_owned())]);
        assert!(!policy.allows("s3:ListBucket", &bucket, &elsewhere), "{role:?}");
    }
}

#[test]
fn nobody_reaches_beyond_the_prefix_or_bypasses_a_lock_and_locks_are_short() {
    for role in [Snapshot, Maintenance, Restore] {
        let policy = Policy::of(role);
        let created = BTreeMap::from([("s3:if-none-match", "*".to_owned())]);
        for action in policy.actions(true) {
            let outside = format!("arn:aws:s3:::{BUCKET}/elsewhere/vault.json");
            assert!(!policy.allows(&action, &outside, &created), "{role:?} {action}");
            let beside = format!("arn:aws:s3:::{BUCKET}/{PREFIX}-2/vault.json");
            assert!(!policy.allows(&action, &beside, &created), "{role:?} {action}");
        }
        let inside = format!("arn:aws:s3:::{BUCKET}/{PREFIX}/packs/a/b");
        assert!(!policy.allows("s3:BypassGovernanceRetention", &inside, &BTreeMap::new()));
        for (days, allowed) in [("15", role != Restore), ("16", false), ("36500", false)] {
            let keys = BTreeMap::from([("s3:object-lock-remaining-retention-days", days.to_owned())]);
            assert_eq!(policy.allows("s3:PutObjectRetention", &inside, &keys), allowed, "{role:?} {days}");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_intruder_with_the_credentials_of_a_role_can_do_what_the_documentation_says_and_no_more() {
    let source = small();
    let place = Place::new(&source, "").await;
    for arguments in [&["init"][..], &["snapshot"]] {
        assert_eq!(place.run(None, arguments).code, 0);
    }
    let store = connect(place.server.address, PREFIX).await;
    let outside = connect(place.server.address, "elsewhere").await;
    let pack = store.list("packs").await.unwrap().remove(0).key;
    let garbage = || Body::bytes(b"garbage".to_vec());
    // Role; may create, replace, delete.
    for (role, creates, replaces) in
        [(Snapshot, true, false), (Maintenance, true, true), (Restore, false, false)]
    {
        place.guard.enforce(Some(role));
        assert!(store.get("trust/1.json", 1 << 20).await.is_ok(), "{role:?} reads");
        assert!(store.list("").await.is_ok(), "{role:?} lists");
        assert!(store.server_time().await.unwrap().is_some(), "{role:?} sees the clock");
        let key = format!("{}-of-{role:?}", "packs/blog/garbage");
        let done = |result: prismvault::objects::Result<_>| match result {
            Ok(_) => true,
            Err(error) => {
                assert_eq!(error.kind, ErrorKind::Denied, "{role:?}: {error}");
                false
            }
        };
        assert_eq!(
            done(store.put(&key, garbage(), PutMode::CreateOnly).await.map(drop)),
            creates,
            "{role:?}"
        );
        assert_eq!(
            done(store.put("vault.json", garbage(), PutMode::Overwrite).await.map(drop)),
            replaces,
            "{role:?}"
        );
        let remembered = "state/verification/acme-blog.json";
        assert_eq!(
            done(store.put(remembered, garbage(), PutMode::Overwrite).await.map(drop)),
            role != Restore,
            "{role:?}"
        );
        assert_eq!(done(store.delete(&pack).await), replaces, "{role:?}");
        assert!(!done(outside.put("x", garbage(), PutMode::CreateOnly).await.map(drop)), "{role:?}");
    }
    // The role that only reads writes no snapshot: said, and nothing is stored there.
    let place = Place::new(&source, "").await;
    for arguments in [&["init"][..], &["snapshot"]] {
        assert_eq!(place.run(None, arguments).code, 0);
    }
    let before = place.in_bucket("").await;
    source.repository.edit(0.1, 3).unwrap();
    let run = place.run(Some(Restore), &["snapshot"]);
    assert_eq!(run.code, 1, "{run:?}");
    assert!(run.stderr.contains("refuses these credentials"), "{run:?}");
    assert_eq!(place.in_bucket("").await, before);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_job_opens_the_vault_once_and_pruning_clears_the_leases_that_it_may_not() {
    let source = small();
    let place = Place::new(&source, "object_lock = { mode = \"governance\", days = 14 }").await;
    let config = place.workplace.read("prismvault.toml");
    place.workplace.write("prismvault.toml", &format!("{config}\n[run]\nlease = \"bucket\"\n"));
    fs::create_dir(place.workplace.file("schedules")).unwrap();
    let job = "job = \"snapshot\"\nrepositories = [\"*\"]\ncron = \"@daily\"\n";
    place.workplace.write("schedules/take.toml", job);
    for arguments in [&["init"][..], &["doctor"], &["snapshot"]] {
        place.run(None, arguments);
    }
    place.guard.reads("vault.json");
    assert_eq!(place.run(Some(Snapshot), &["snapshot"]).code, 0);
    let plain = place.guard.reads("vault.json");
    assert!(plain > 0);
    for runs in 1..=3 {
        let run = place.run(Some(Snapshot), &["jobs", "run", "take"]);
        assert_eq!(run.code, 0, "{run:?}");
        assert_eq!(place.guard.reads("vault.json"), plain, "as often as without a job");
        assert_eq!(place.in_bucket("state/leases/take/").await.len(), 2 * runs);
    }
    let denied: BTreeSet<_> = place.guard.denied().into_iter().map(|(action, _)| action).collect();
    assert_eq!(denied, BTreeSet::from(["s3:DeleteObjectVersion"]));
    let run = place.run(Some(Maintenance), &["prune", "--yes"]);
    assert_eq!((run.code, place.guard.denied()), (0, Vec::new()), "{run:?}");
    assert!(run.stdout.contains("removed 5 files of leases that ended"), "{run:?}");
    assert_eq!(place.in_bucket("state/leases/").await, [format!("{PREFIX}/state/leases/take/6.json")]);
    let run = place.run(Some(Snapshot), &["jobs", "run", "take"]);
    assert_eq!(run.code, 0, "{run:?}");
    assert_eq!(place.in_bucket("state/leases/").await.len(), 3);
}
