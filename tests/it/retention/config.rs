//! `[retention]` in the configuration: what is read, inherited, and refused.

use prismvault::config::{Config, ConfigErrorKind, Period};

const REPLICAS: &str = r#"
[[replicas]]
name = "office"
url = "file:///office"

[[replicas]]
name = "archive"
url = "file:///archive"
"#;

fn load(text: &str) -> Result<Config, (ConfigErrorKind, String)> {
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("prismvault.toml");
    let mut out = std::fs::File::create(&file).unwrap();
    std::io::Write::write_all(&mut out, text.as_bytes()).unwrap();
    let place = format!("{}/", directory.path().display());
    Config::load(&file).map_err(|error| (error.kind(), error.to_string().replace(&place, "")))
}

#[test]
fn what_a_table_does_not_say_is_inherited_key_by_key() {
    let text = format!(
        r#"
[retention]
keep_last = 1
keep_daily = 14
keep_weekly = 8
keep_within = "90d"
keep_within_yearly = "2y"
min_snapshots = 7
max_shrink = "50%"

[repositories.blog]
repository = "acme-blog"
timezone = "Europe/Paris"
[repositories.blog.retention]
keep_daily = 0
keep_quarterly = 4
keep_within = "0d"
min_snapshots = 9

[repositories.shop]
repository = "acme-shop"
{REPLICAS}
[replicas.retention]
keep_yearly = 3
min_snapshots = 2
keep_partial = "1m"
"#
    );
    let config = load(&text).unwrap();
    let (blog, shop) = (config.repository("blog").unwrap(), config.repository("shop").unwrap());
    assert_eq!((blog.timezone.name(), shop.timezone.name()), ("Europe/Paris", "UTC"));
    let policy = config.retention_of(shop).unwrap();
    assert_eq!(
        policy.to_string(),
        "keep_last = 1, keep_daily = 14, keep_weekly = 8, keep_within = 90d, keep_within_yearly = 2y, min_snapshots = 7"
    );
    assert_eq!((policy.max_shrink, policy.keep_partial.to_string()), (50, "7d".to_owned()));
    let own = config.retention_of(blog).unwrap();
    assert_eq!(
        own.to_string(),
        "keep_last = 1, keep_weekly = 8, keep_quarterly = 4, keep_within_yearly = 2y, min_snapshots = 9"
    );
    // Only the last replica has rules of its own, and never fewer than the vault's minimum.
    let (office, archive) = (config.replica("office").unwrap(), config.replica("archive").unwrap());
    assert_eq!(config.retention_on(blog, office), None);
    let on = config.retention_on(blog, archive).unwrap();
    assert_eq!((on.keep[&Period::Yearly], on.min_snapshots), (3, 9));
    assert_eq!(on.keep[&Period::Quarterly], 4);
    assert_eq!(on.keep_partial.to_string(), "1m");
    assert_eq!(config.retention_on(shop, archive).unwrap().min_snapshots, 7);
}

#[test]
fn without_a_table_everything_is_kept() {
    let config = load(&format!("[repositories.blog]\nrepository = \"acme-blog\"\n{REPLICAS}")).unwrap();
    let blog = config.repository("blog").unwrap();
    assert_eq!(config.retention_of(blog), None);
    assert_eq!(config.retention_on(blog, config.replica("archive").unwrap()), None);
}

#[test]
fn mistakes_are_told_with_file_line_and_key() {
    let blog = "[repositories.blog]\nrepository = \"acme-blog\"\n";
    for (text, told) in [
        ("[retention]\n", "prismvault.toml:1: retention: keeps nothing"),
        ("[retention]\nmin_snapshots = 7\n", "prismvault.toml:1: retention: keeps nothing"),
        ("[retention]\nkeep_daily = 0\nkeep_within = \"0d\"\n", "retention: keeps nothing"),
        ("[retention]\nkeep_dayly = 3\n", "did you mean \"keep_daily\"?"),
        ("[retention]\nkeep_within_dialy = \"3d\"\n", "did you mean \"keep_within_daily\"?"),
        ("[retention]\nkeep_daily = -1\n", "retention.keep_daily: must be from 0 to"),
        ("[retention]\nkeep_daily = \"14\"\n", "retention.keep_daily: must be a whole number"),
        ("[retention]\nkeep_within = 90\n", "retention.keep_within: must be a span of time in quotes"),
        ("[retention]\nkeep_within = \"90\"\n", "\"90\" is no span of time"),
        ("[retention]\nkeep_daily = 1\nmax_shrink = 30\n", "retention.max_shrink: must be a share"),
        ("[retention]\nkeep_daily = 1\nmax_shrink = \"130%\"\n", "retention.max_shrink: must be a share"),
        ("[retention]\nkeep_daily = 1\nmax_shrink = \"+3%\"\n", "retention.max_shrink: must be a share"),
    ] {
        let (_, error) = load(&format!("{text}{blog}")).unwrap_err();
        assert!(error.contains(told), "{text}: {error}");
    }
    let off = "[retention]\nkeep_daily = 3\n[repositories.blog]\nrepository = \"acme-blog\"\n[repositories.blog.retention]\nkeep_daily = 0\n";
    let (kind, error) = load(off).unwrap_err();
    assert_eq!(kind, ConfigErrorKind::InvalidValue);
    assert!(error.contains("prismvault.toml:5: repositories.blog.retention: keeps nothing"), "{error}");
    let replica = format!("{blog}{REPLICAS}[replicas.retention]\n");
    let (_, error) = load(&format!("{replica}keep_last = 0\n")).unwrap_err();
    assert!(error.contains("replicas[1].retention: keeps nothing"), "{error}");
    // Whether a repository shrank is no matter of one replica.
    let (kind, error) = load(&format!("{replica}keep_last = 1\nmax_shrink = \"3%\"\n")).unwrap_err();
    assert_eq!(kind, ConfigErrorKind::UnknownKey, "{error}");
    let (_, error) =
        load("[repositories.blog]\nrepository = \"acme-blog\"\ntimezone = \"Europe/Pariss\"\n").unwrap_err();
    assert!(error.contains("did you mean \"Europe/Paris\"?"), "{error}");
    let (kind, _) = load("[repositories.blog]\nrepository = \"acme-blog\"\nretention = 3\n").unwrap_err();
    assert_eq!(kind, ConfigErrorKind::InvalidValue);
}
