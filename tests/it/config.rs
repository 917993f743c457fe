//! The configuration: what is accepted, and what each mistake is told.

use std::path::Path;

use chrono::TimeDelta;
use prismvault::config::{
    Config, ConfigError, ConfigErrorKind, SecretErrorKind, SecretRef, Starter, StarterRepository,
};
use prismvault::ids::{Name, VaultId};
use prismvault::limits::Limits;
use prismvault::objects::s3::ServerEncryption;
use prismvault::objects::{LockMode, LockRule};
use tempfile::TempDir;
use url::Url;

/// A directory of configuration files.
struct Files(TempDir);

impl Files {
    fn new(files: &[(&str, &str)]) -> Self {
        let files_written = Self(tempfile::tempdir().unwrap());
        for (name, text) in files {
            files_written.add(name, text);
        }
        files_written
    }

    fn add(&self, name: &str, text: &str) {
        let path = self.0.path().join(name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        let mut file = std::fs::File::create(path).unwrap();
        std::io::Write::write_all(&mut file, text.as_bytes()).unwrap();
    }

    fn path(&self) -> &Path {
        self.0.path()
    }

    fn load(&self) -> Result<Config, ConfigError> {
        Config::load(&self.path().join("prismvault.toml"))
    }

    /// Loads what must fail, and returns kind and message with the directory left out.
    fn mistake(&self) -> (ConfigErrorKind, String) {
        let error = self.load().unwrap_err();
        let directory = format!("{}/", self.path().display());
        (error.kind(), error.to_string().replace(&directory, ""))
    }
}

fn mistake(text: &str) -> (ConfigErrorKind, String) {
    Files::new(&[("prismvault.toml", text)]).mistake()
}

const ROOT_KEY: &str = "RWQf6LRCGA9i53mlYecO4IzT51TGPpvWucNSCh1CBM0QTaLn73Y7GFO3";

const FULL: &str = r#"
include = ["repositories.d/*.toml"]

[repositories.blog]
repository = "acme-blog"
access_token = { env = "PRISMIC_ACCESS_TOKEN" }
write_token = { file = "tokens/write.txt" }
groups = ["clients"]
space = "acme"
priority = 2
asset_hosts = ["Static.Acme.example"]
content_api = "https://acme-blog.cdn.prismic.io/api/v2"
asset_api = "http://127.0.0.1:9001"
types_api = "https://customtypes.prismic.io"
migration_api = "https://migration.prismic.io"

[vault]
id = "00112233445566778899aabbccddeeff"
root = "RWQf6LRCGA9i53mlYecO4IzT51TGPpvWucNSCh1CBM0QTaLn73Y7GFO3"
min_copies = 1

[keys]
operator = { file = "keys/operator.txt" }
signing = { command = ["pass", "show", "prismvault"] }

[limits]
content_requests = 50
asset_requests = 0.5
migration_requests = 0.25
asset_downloads = 4

[[replicas]]
name = "frankfurt"
url = "s3://acme-prismic/vault"
region = "eu-central-1"
endpoint = "http://127.0.0.1:3900"
force_path_style = true
profile = "backup"
storage_class = "STANDARD_IA"
sse = "aws:kms"
kms_key = "alias/vault"
object_lock = { mode = "governance", days = 14 }

[[replicas]]
name = "office"
url = "file:///var/backups/prismvault"
"#;

#[test]
fn every_key_is_read() {
    let shop = "[repositories.shop]\nrepository = 'acme-shop'\npriority = 1\n\
                access_token = { file = 'shop.txt' }\n";
    let files = Files::new(&[
        ("prismvault.toml", FULL),
        ("repositories.d/shop.toml", shop),
        ("repositories.d/notes.txt", "not TOML"),
    ]);
    let config = files.load().unwrap();

    let names: Vec<_> = config.repositories.iter().map(|repository| repository.name.as_str()).collect();
    assert_eq!(names, ["shop", "blog"], "in the order of recovery");
    let blog = config.repository("blog").unwrap();
    assert_eq!(blog.repository, "acme-blog");
    assert_eq!(blog.access_token, Some(SecretRef::Env { name: "PRISMIC_ACCESS_TOKEN".into() }));
    assert_eq!(blog.write_token, Some(SecretRef::File { path: files.path().join("tokens/write.txt") }));
    assert_eq!((blog.space.as_str(), blog.priority), ("acme", Some(2)));
    assert_eq!(blog.asset_hosts, ["static.acme.example"]);
    assert_eq!(blog.asset_api.as_ref().unwrap().as_str(), "http://127.0.0.1:9001/");
    assert_eq!(blog.defined.line, 4);

    let shop = config.repository("shop").unwrap();
    assert_eq!(shop.space.as_str(), "shop", "a space of its own");
    assert_eq!(shop.defined.file, files.path().join("repositories.d/shop.toml"));
    let token = SecretRef::File { path: files.path().join("repositories.d/shop.txt") };
    assert_eq!(shop.access_token, Some(token), "paths are meant from the file they stand in");

    assert_eq!(config.vault.id.unwrap().to_string(), "00112233445566778899aabbccddeeff");
    assert_eq!((config.vault.root.as_deref(), config.min_copies()), (Some(ROOT_KEY), 1));
    assert_eq!(config.keys.signing.as_ref().unwrap().to_string(), "command pass …");
    assert_eq!(config.keys.recovery, None);
    let limits = &config.limits;
    assert_eq!((limits.content_requests, limits.asset_requests), (50.0, 0.5));
    assert_eq!(limits.migration_requests, 0.25);
    assert_eq!((limits.types_requests, limits.asset_downloads), (Limits::default().types_requests, 4));

    let frankfurt = config.replica("frankfurt").unwrap();
    assert_eq!(frankfurt.url.as_str(), "s3://acme-prismic/vault");
    assert_eq!((frankfurt.region.as_deref(), frankfurt.force_path_style), (Some("eu-central-1"), true));
    assert_eq!(frankfurt.storage_class.as_deref(), Some("STANDARD_IA"));
    let kms = ServerEncryption::Kms { key: Some("alias/vault".into()) };
    assert_eq!(frankfurt.encryption, Some(kms));
    let rule = LockRule { mode: LockMode::Governance, window: TimeDelta::days(14) };
    assert_eq!(frankfurt.object_lock, Some(rule));
    let office = config.replica("office").unwrap();
    assert!(!office.force_path_style && office.encryption.is_none() && office.object_lock.is_none());
}

#[test]
fn an_empty_file_is_a_configuration_without_anything() {
    let config = Files::new(&[("prismvault.toml", "# nothing yet\n")]).load().unwrap();
    assert!(config.repositories.is_empty() && config.replicas.is_empty());
    assert_eq!(config.limits, Limits::default());
}

#[test]
fn copies_default_to_two_or_one_with_one_replica() {
    for (count, expected) in [(0, 1), (1, 1), (2, 2), (3, 2)] {
        let text: String =
            (0..count).map(|n| format!("[[replicas]]\nname = 'r{n}'\nurl = 'file:///v{n}'\n")).collect();
        let config = Files::new(&[("prismvault.toml", &text)]).load().unwrap();
        assert_eq!(config.min_copies(), expected, "{count} replicas");
    }
}

#[test]
fn unknown_keys_are_named_with_what_was_meant() {
    use ConfigErrorKind::{Syntax, UnknownKey};
    for (text, kind, message) in [
        (
            "[repositories.blog]\nrepository = 'acme-blog'\nacces_token = { env = 'T' }",
            UnknownKey,
            "prismvault.toml:3: repositories.blog.acces_token: unknown key, did you mean \"access_token\"? (known \
             here: repository, access_token, write_token, webhook_secret, groups, space, timezone, contacts, \
             retention, objectives, priority, asset_hosts, content_api, asset_api, types_api, \
             migration_api)",
        ),
        (
            "[vault]\nmin-copies = 2",
            UnknownKey,
            "prismvault.toml:2: vault.min-copies: unknown key, did you mean \"min_copies\"? (known here: id, root, \
             min_copies)",
        ),
        (
            "[[replicas]]\nname = 'a'\nurl = 's3://a'\nobject_locks = { mode = 'governance' }",
            UnknownKey,
            "prismvault.toml:4: replicas[0].object_locks: unknown key, did you mean \"object_lock\"? (known here: \
             name, url, retention, region, endpoint, force_path_style, profile, storage_class, sse, kms_key, object_lock)",
        ),
        (
            "[retentoin]\nkeep_daily = 14",
            UnknownKey,
            "prismvault.toml:1: retentoin: unknown key, did you mean \"retention\"? (known here: include, \
             repositories, vault, keys, limits, replicas, retention, audit, objectives, metrics, run, \
             notifications, webhook, privacy, people)",
        ),
        (
            "\"\\u001b[2J\" = 1",
            UnknownKey,
            "prismvault.toml:1: \"\\u{1b}[2J\": unknown key (known here: include, repositories, vault, keys, \
             limits, replicas, retention, audit, objectives, metrics, run, notifications, webhook, privacy, people)",
        ),
        (
            "[keys]\nroot = { envv = 'A' }",
            UnknownKey,
            "prismvault.toml:2: keys.root.envv: unknown key, did you mean \"env\"? (known here: env, file, command)",
        ),
        ("[vault]\nid = 'a'\nid = 'b'", Syntax, "prismvault.toml:3: not valid TOML: duplicate key"),
    ] {
        assert_eq!(mistake(text), (kind, message.to_owned()), "{text}");
    }
}

#[test]
fn wrong_values_are_named_with_file_line_and_key() {
    let blog = |line: &str| format!("[repositories.blog]\nrepository = 'acme-blog'\n{line}\n");
    for (text, message) in [
        ("repositories = 3".to_owned(), "1: repositories: must be a table, not a number"),
        ("include = '*.toml'".into(), "1: include: must be a list in brackets, not text"),
        ("[repositories.blog]".into(), "1: repositories.blog: the key \"repository\" is missing"),
        (
            "[repositories.'a b']\nrepository = 'acme'".into(),
            "1: repositories.\"a b\": \"a b\" is not a name (1 to 63 letters, digits, '.', '_' or '-', beginning \
             with a letter or digit)",
        ),
        (
            "[repositories.blog]\nrepository = 'https://acme-blog.prismic.io'".into(),
            "2: repositories.blog.repository: \"https://acme-blog.prismic.io\" is not the name of a Prismic \
             repository (at least 4 letters, digits or \"-\", no \"-\" at the ends, no address)",
        ),
        (
            "[repositories.blog]\nrepository = 'abc'".into(),
            "2: repositories.blog.repository: \"abc\" is not the name of a Prismic repository (at least 4 letters, \
             digits or \"-\", no \"-\" at the ends, no address)",
        ),
        (blog("groups = 'clients'"), "3: repositories.blog.groups: must be a list in brackets, not text"),
        (blog("groups = ['a', 3]"), "3: repositories.blog.groups[1]: must be text in quotes, not a number"),
        (blog("priority = -1"), "3: repositories.blog.priority: must be from 0 to 4294967295"),
        (blog("priority = 1.5"), "3: repositories.blog.priority: must be a whole number, not a number"),
        (blog("priority = '1'"), "3: repositories.blog.priority: must be a whole number, not text"),
        (blog("space = ''"), "3: repositories.blog.space: is empty"),
        (
            blog("asset_hosts = ['https://cdn.example/x']"),
            "3: repositories.blog.asset_hosts[0]: \"https://cdn.example/x\" is not a host name (no scheme, port or \
             path)",
        ),
        (
            blog("asset_hosts = ['*']"),
            "3: repositories.blog.asset_hosts[0]: \"*\" is not a host name (no scheme, port or path)",
        ),
        (
            blog("content_api = 'acme-blog.prismic.io'"),
            "3: repositories.blog.content_api: is not an address, write https:// and a host",
        ),
        (
            blog("content_api = 'ftp://acme.example'"),
            "3: repositories.blog.content_api: must begin with https:// or http://",
        ),
    ] {
        let expected = (ConfigErrorKind::InvalidValue, format!("prismvault.toml:{message}"));
        assert_eq!(mistake(&text), expected, "{text}");
    }
}

#[test]
fn wrong_values_of_vault_limits_and_replicas_are_named_too() {
    let office = |line: &str| format!("[[replicas]]\nname = 'office'\nurl = 'file:///v'\n{line}\n");
    let bucket = |line: &str| format!("[[replicas]]\nname = 'b'\nurl = 's3://bucket'\n{line}\n");
    let url = |url: &str| format!("[[replicas]]\nname = 'office'\nurl = '{url}'\n");
    for (text, message) in [
        ("[vault]\nid = 'abc'".to_owned(), "2: vault.id: \"abc\" is not a vault id of 32 hexadecimal digits"),
        (
            "[vault]\nroot = 'RWshort'".into(),
            "2: vault.root: is not a minisign public key (56 characters that begin with RW)",
        ),
        ("[vault]\nmin_copies = 0".into(), "2: vault.min_copies: must be from 1 to 100"),
        (
            "[limits]\ncontent_requests = 0".into(),
            "2: limits.content_requests: must be above 0 and at most 10000",
        ),
        (
            "[limits]\nasset_requests = nan".into(),
            "2: limits.asset_requests: must be above 0 and at most 10000",
        ),
        ("[limits]\nasset_requests = 'fast'".into(), "2: limits.asset_requests: must be a number, not text"),
        ("[limits]\nasset_downloads = 1000".into(), "2: limits.asset_downloads: must be from 1 to 256"),
        ("[[replicas]]\nname = 'a'".into(), "1: replicas[0]: the key \"url\" is missing"),
        (
            url("/var/backups"),
            "3: replicas[0].url: is not an address, write s3://bucket/prefix, or file:// and an absolute path",
        ),
        (
            url("file://var/backups"),
            "3: replicas[0].url: must be an absolute path, with three slashes: file:///…",
        ),
        (url("https://bucket.example"), "3: replicas[0].url: must begin with s3:// or file://"),
        (url("s3:///prefix"), "3: replicas[0].url: names no bucket"),
        (
            url("s3://bucket:9000/prefix"),
            "3: replicas[0].url: has a port; the address of a store other than AWS goes into \"endpoint\"",
        ),
        (url("s3://bucket/prefix?x=1"), "3: replicas[0].url: must have no \"?\" and no \"#\""),
        (office("region = 'eu-central-1'"), "4: replicas[0].region: is for replicas on S3 only"),
        (office("sse = 'AES256'"), "4: replicas[0].sse: is for replicas on S3 only"),
        (
            office("object_lock = { mode = 'governance', days = 14 }"),
            "4: replicas[0].object_lock: is for replicas on S3 only",
        ),
        (bucket("sse = 'aws'"), "4: replicas[0].sse: must be \"AES256\" or \"aws:kms\""),
        (bucket("kms_key = 'a'"), "4: replicas[0].kms_key: is used only with sse = \"aws:kms\""),
        (
            bucket("sse = 'AES256'\nkms_key = 'a'"),
            "5: replicas[0].kms_key: is used only with sse = \"aws:kms\"",
        ),
        (
            bucket("storage_class = 'glacier ir'"),
            "4: replicas[0].storage_class: is not a storage class, such as \"STANDARD_IA\"",
        ),
        (
            bucket("storage_class = 'DEEP_ARCHIVE'"),
            "4: replicas[0].storage_class: is an archive, from which nothing can be read at once; \
             \"GLACIER_IR\" can be used",
        ),
        (
            bucket("object_lock = { mode = 'legal', days = 14 }"),
            "4: replicas[0].object_lock.mode: must be \"governance\" or \"compliance\"",
        ),
        (
            bucket("object_lock = { mode = 'governance' }"),
            "4: replicas[0].object_lock: the key \"days\" is missing",
        ),
        (
            bucket("object_lock = { mode = 'compliance', days = 36500 }"),
            "4: replicas[0].object_lock.days: must be from 1 to 366",
        ),
        (
            office("force_path_style = 'yes'"),
            "4: replicas[0].force_path_style: must be true or false, not text",
        ),
    ] {
        let expected = (ConfigErrorKind::InvalidValue, format!("prismvault.toml:{message}"));
        assert_eq!(mistake(&text), expected, "{text}");
    }
}

#[test]
fn more_copies_than_replicas_are_refused() {
    let text = "[vault]\nmin_copies = 3\n[[replicas]]\nname = 'a'\nurl = 'file:///a'\n";
    let message = "prismvault.toml: vault.min_copies: asks for 3 copies, but there are 1 replicas";
    assert_eq!(mistake(text), (ConfigErrorKind::InvalidValue, message.to_owned()));
}

#[test]
fn secrets_in_the_file_are_refused_and_never_shown() {
    let token = "MC5YdmhXd2hJQUFDSUFCa1Yz.77-9Fe-_ve-_vTXvv71l";
    let blog = |line: &str| format!("[repositories.blog]\nrepository = 'acme-blog'\n{line}\n");
    for (text, message) in [
        (
            blog(&format!("access_token = '{token}'")),
            "3: repositories.blog.access_token: secrets are never values in the file, write { env = \"NAME\" }, \
             { file = \"PATH\" } or { command = [\"PROGRAM\", …] }",
        ),
        (
            blog(&format!("access_token = {{ env = '{token}' }}")),
            "3: repositories.blog.access_token.env: is not the name of an environment variable (letters, digits \
             and \"_\"); the secret itself does not belong here",
        ),
        (
            blog(&format!("access_token = {{ value = '{token}' }}")),
            "3: repositories.blog.access_token.value: unknown key (known here: env, file, command, issued)",
        ),
        (
            blog(&format!("access_token = {{ env = 'A', file = '{token}' }}")),
            "3: repositories.blog.access_token: must have exactly one of env, file and command",
        ),
        (
            blog("access_token = {}"),
            "3: repositories.blog.access_token: must have exactly one of env, file and command",
        ),
        (
            blog("access_token = { command = [] }"),
            "3: repositories.blog.access_token.command: names no program",
        ),
        (
            blog(&format!("content_api = 'https://user:{token}@acme.example/api/v2'")),
            "3: repositories.blog.content_api: holds a user or password; secrets are never values in the file",
        ),
        (
            blog(&format!("content_api = 'https://acme.example/api/v2?access_token={token}'")),
            "3: repositories.blog.content_api: must have no \"?\" and no \"#\"",
        ),
    ] {
        let files = Files::new(&[("prismvault.toml", &text)]);
        assert_eq!(files.mistake().1, format!("prismvault.toml:{message}"), "{text}");
        assert!(!format!("{:?}", files.load().unwrap_err()).contains(token));
    }
    let unquoted = Files::new(&[("prismvault.toml", &blog(&format!("access_token = {token}")))]);
    let error = unquoted.load().unwrap_err();
    assert_eq!((error.kind(), error.line()), (ConfigErrorKind::Syntax, Some(3)));
    assert!(!format!("{error} {error:?}").contains("MC5"), "{error:?}");
}

#[test]
fn two_things_of_one_name_are_refused_and_both_places_named() {
    use ConfigErrorKind::Duplicate;
    let include = "include = ['more.toml']\n";
    let blog = "[repositories.blog]\nrepository = 'acme-blog'\n";
    let office = "[[replicas]]\nname = 'office'\nurl = 'file:///a'\n";
    for (first, second, message) in [
        (
            blog,
            blog,
            "more.toml:1: repositories.blog: repository \"blog\" is defined a second time, first in \
             prismvault.toml:2",
        ),
        (
            blog,
            "[repositories.Blog]\nrepository = 'acme-blog'",
            "more.toml:1: repositories.Blog: repository \"Blog\" differs only in case from \"blog\" in \
             prismvault.toml:2; they would share a directory",
        ),
        (
            blog,
            "[repositories.news]\nrepository = 'acme-news'\nspace = 'BLOG'",
            "more.toml:1: repositories.news.space: space \"BLOG\" differs only in case from \"blog\" in \
             prismvault.toml:2; they would share a directory",
        ),
        (
            office,
            "[[replicas]]\nname = 'office'\nurl = 'file:///b'\n",
            "more.toml:1: replicas[0]: replica \"office\" is defined a second time, first in prismvault.toml:2",
        ),
        (
            office,
            "[[replicas]]\nname = 'other'\nurl = 'file:///a/'\n",
            "more.toml:1: replicas[0]: replica \"other\" is at the same place as \"office\" in prismvault.toml:2",
        ),
    ] {
        let main = format!("{include}{first}");
        let files = Files::new(&[("prismvault.toml", &main), ("more.toml", second)]);
        assert_eq!(files.mistake(), (Duplicate, message.to_owned()));
    }
}

#[test]
fn included_files_are_strict_too() {
    let main = "include = ['clients/*.toml', 'clients/a*.toml']\n";
    let good = "[repositories.acme]\nrepository = 'acme'\n";
    let files = Files::new(&[("prismvault.toml", main), ("clients/acme.toml", good)]);
    assert_eq!(files.load().unwrap().repositories.len(), 1, "two patterns, one file");

    files.add("clients/zeta.toml", "[vault]\nmin_copies = 1\n");
    let message = "clients/zeta.toml:1: vault: unknown key (known here: repositories, replicas)";
    assert_eq!(files.mistake(), (ConfigErrorKind::UnknownKey, message.to_owned()));

    files.add("clients/zeta.toml", "[repositories.acme");
    let (kind, message) = files.mistake();
    assert_eq!(kind, ConfigErrorKind::Syntax);
    assert!(message.starts_with("clients/zeta.toml:1: not valid TOML: "), "{message}");
}

#[test]
fn patterns_that_mean_no_file_are_told() {
    for (include, kind, message) in [
        ("'gone.toml'", ConfigErrorKind::Missing, "there is no file gone.toml"),
        ("'*/a.toml'", ConfigErrorKind::InvalidValue, "may have \"*\" in the file name only"),
        ("'clients/'", ConfigErrorKind::InvalidValue, "names a directory, add \"*.toml\""),
        ("''", ConfigErrorKind::InvalidValue, "is empty"),
    ] {
        let expected = (kind, format!("prismvault.toml:1: include[0]: {message}"));
        assert_eq!(mistake(&format!("include = [{include}]")), expected);
    }
    let files = Files::new(&[("prismvault.toml", "include = ['*.toml', './*.toml', 'none.d/*.toml']")]);
    assert!(files.load().is_ok(), "a pattern may match nothing, and a file does not include itself");
}

#[test]
fn files_that_cannot_be_read_are_told() {
    let files = Files::new(&[]);
    assert_eq!(files.mistake(), (ConfigErrorKind::Missing, "prismvault.toml: no such file".to_owned()));
    std::fs::create_dir(files.path().join("prismvault.toml")).unwrap();
    assert_eq!(files.mistake().0, ConfigErrorKind::Unreadable);

    let files = Files::new(&[("prismvault.toml", &"#".repeat(5 << 20))]);
    let message = "prismvault.toml: is too large for a configuration";
    assert_eq!(files.mistake(), (ConfigErrorKind::Unreadable, message.to_owned()));
}

#[test]
fn the_file_is_the_named_one_or_the_one_in_the_directory() {
    let files = Files::new(&[("other.toml", "")]);
    let missing = Config::find(None, files.path()).unwrap_err();
    assert_eq!(missing.kind(), ConfigErrorKind::Missing);
    let named = files.path().join("other.toml");
    assert_eq!(Config::find(Some(&named), files.path()).unwrap(), named);
    files.add("prismvault.toml", "");
    assert_eq!(Config::find(None, files.path()).unwrap(), files.path().join("prismvault.toml"));
    let gone = files.path().join("gone.toml");
    let missing = Config::find(Some(&gone), files.path()).unwrap_err();
    assert_eq!(missing.file(), gone, "a file that was named is not replaced by another");
}

#[test]
fn repositories_are_selected_by_name_and_group_in_the_order_of_recovery() {
    let entry =
        |name: &str, rest: &str| format!("[repositories.{name}]\nrepository = 'acme-{name}'\n{rest}\n");
    let text = [
        entry("zeta", "priority = 1\ngroups = ['clients']"),
        entry("beta", ""),
        entry("alfa", "groups = ['clients', 'own']"),
        entry("gamma", "priority = 0"),
    ]
    .concat();
    let config = Files::new(&[("prismvault.toml", &text)]).load().unwrap();
    for (names, expected) in [
        (&[][..], &["gamma", "zeta", "alfa", "beta"][..]),
        (&["*"], &["gamma", "zeta", "alfa", "beta"]),
        (&["@clients"], &["zeta", "alfa"]),
        (&["beta", "@clients", "alfa"], &["zeta", "alfa", "beta"]),
    ] {
        let selected = config.select(names).unwrap();
        let selected: Vec<_> = selected.iter().map(|repository| repository.name.as_str()).collect();
        assert_eq!(selected, expected, "{names:?}");
    }
    for (name, message) in [
        (
            "zetta",
            "there is no repository \"zetta\", did you mean \"zeta\"? (known: alfa, beta, gamma, zeta)",
        ),
        ("@client", "there is no group \"@client\", did you mean \"@clients\"? (known: @clients, @own)"),
        ("clients", "there is no repository \"clients\" (known: alfa, beta, gamma, zeta)"),
    ] {
        let error = config.select(&["alfa", name]).unwrap_err();
        assert_eq!(error.kind(), ConfigErrorKind::UnknownName);
        assert!(error.to_string().ends_with(message), "{error}");
    }
    assert!(config.replica("x").unwrap_err().to_string().ends_with("(none is configured)"));
}

#[test]
fn a_secret_file_is_found_beside_the_configuration_when_it_is_needed() {
    let text =
        "[keys]\noperator = { file = 'keys/operator.txt' }\nsigning = { command = ['./print', 'x'] }\n";
    let files = Files::new(&[("prismvault.toml", text)]);
    let config = files.load().unwrap();
    let operator = config.keys.operator.unwrap();
    let error = operator.resolve(&config.limits).unwrap_err();
    assert_eq!(error.kind, SecretErrorKind::Missing);
    files.add("keys/operator.txt", "AGE-SECRET-KEY-1\n");
    assert_eq!(operator.resolve(&config.limits).unwrap().expose(), "AGE-SECRET-KEY-1");
}

#[cfg(unix)]
#[test]
fn a_secret_command_runs_beside_the_configuration() {
    use std::os::unix::fs::PermissionsExt as _;
    let files = Files::new(&[
        ("prismvault.toml", "[keys]\nsigning = { command = ['sh', './bin/print', 'a b'] }\n"),
        ("bin/print", "cat here.txt; printf '%s' \"$1\"\n"),
        ("here.txt", "from here: "),
    ]);
    let limits = Limits::default();
    let signing = files.load().unwrap().keys.signing.unwrap();
    assert_eq!(signing.resolve(&limits).unwrap().expose(), "from here: a b");

    files.add("prismvault.toml", "[keys]\nsigning = { command = ['./bin/print'] }\n");
    let signing = files.load().unwrap().keys.signing.unwrap();
    assert_eq!(signing.resolve(&limits).unwrap_err().kind, SecretErrorKind::Unreadable, "not executable");
    let program = files.path().join("bin/print");
    std::fs::set_permissions(&program, std::fs::Permissions::from_mode(0o700)).unwrap();
    files.add("bin/print", "#!/bin/sh\ncat here.txt\n");
    assert_eq!(signing.resolve(&limits).unwrap().expose(), "from here:");
}

#[test]
fn the_starter_file_is_a_configuration() {
    let name: Name = "acme.blog".parse().unwrap();
    let content_api: Url = "http://127.0.0.1:4000/api/v2".parse().unwrap();
    let replica_url: Url = "file:///var/backups/a%20b".parse().unwrap();
    let replicas = [("office".parse().unwrap(), replica_url.clone())];
    let starter = Starter {
        repository: Some(StarterRepository {
            name: &name,
            repository: "acme-blog",
            access_token_env: Some("PRISMIC_ACCESS_TOKEN"),
            write_token_env: None,
            endpoints: &[("content_api", &content_api)],
        }),
        replicas: &replicas,
        pins: Some((VaultId([7; 16]), ROOT_KEY)),
        keys: &[("operator", "keys/operator.txt"), ("recovery", "keys/recovery.txt")],
    };
    let files = Files::new(&[("prismvault.toml", &starter.render())]);
    let config = files.load().unwrap();
    let blog = config.repository("acme.blog").unwrap();
    assert_eq!(blog.content_api, Some(content_api.clone()));
    assert_eq!(blog.access_token, Some(SecretRef::Env { name: "PRISMIC_ACCESS_TOKEN".into() }));
    assert_eq!((&blog.write_token, config.vault.id), (&None, Some(VaultId([7; 16]))));
    assert_eq!(config.replica("office").unwrap().url, replica_url);
    let recovery = SecretRef::File { path: files.path().join("keys/recovery.txt") };
    assert_eq!((&config.keys.recovery, &config.keys.signing), (&Some(recovery), &None));
    assert_eq!(config.min_copies(), 1);

    // Each comment that shows a key must be right as well: without its mark it is accepted.
    let empty = Starter { repository: None, pins: None, keys: &[], ..starter };
    let shown: String = empty
        .render()
        .lines()
        .filter(|line| !line.starts_with("# Configuration") && !line.starts_with("# {"))
        .filter(|line| !line.starts_with("# A backup"))
        .map(|line| format!("{}\n", line.strip_prefix("# ").unwrap_or(line)))
        .collect();
    let config = Files::new(&[("prismvault.toml", &shown)]).load().unwrap();
    assert_eq!((config.repositories.len(), config.replicas.len()), (1, 2));
}
