//! The program as a person meets it: a first snapshot without configuration, mistakes, kills.

use prismvault::contentapi::AccessMode;
use prismvault::sandbox::synthetic::SyntheticOptions;

use crate::backups::{ACCESS_TOKEN, Source, WRITE_TOKEN, first_try, small, struck_at, words};
use crate::workplace::Workplace;

#[tokio::test(flavor = "multi_thread")]
async fn a_first_snapshot_makes_keys_configuration_and_vault_and_the_next_command_just_works() {
    let (source, place) = (small(), Workplace::new());
    let line = first_try(&source);
    let first = place.run(&words(&line));
    assert_eq!(first.code, 0, "{first:?}");
    for file in [
        "prismvault.toml",
        "keys/operator.txt",
        "keys/signing.key",
        "keys/recovery.txt",
        "keys/root.key",
        "vault/vault.json",
    ] {
        assert!(place.path().join(file).exists(), "{file}");
    }
    assert!(first.stdout.contains("complete"), "{}", first.stdout);
    assert!(first.stderr.contains("MOVE IT ELSEWHERE"), "{}", first.stderr);
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt as _;
        let mode = std::fs::metadata(place.path().join("keys/signing.key")).unwrap().permissions().mode();
        assert_eq!(mode & 0o077, 0, "keys are for their owner only");
    }
    // The same line again, and the short one.
    assert_eq!(place.run(&words(&line)).code, 0);
    assert_eq!(place.run(&["snapshot"]).code, 0);
    let list = place.run(&["list", "--json"]).json();
    let snapshots = list["snapshots"].as_array().unwrap();
    assert_eq!(snapshots.len(), 3);
    assert_eq!(snapshots[2]["status"], "complete");
    let show = place.run(&["show", "latest"]);
    assert_eq!(show.code, 0, "{show:?}");
    for missing in ["drafts", "webhooks", "members"] {
        assert!(show.stdout.contains(missing), "{missing}: {}", show.stdout);
    }
    let id = snapshots[0]["id"].as_str().unwrap();
    assert_eq!(place.run(&["show", &id[..20]]).code, 0, "a unique beginning is enough");
    assert_eq!(place.run(&["show", "acme-blog@latest"]).code, 0);
    assert_eq!(place.run(&["verify", "--full"]).code, 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_backup_host_works_without_the_keys_that_belong_elsewhere() {
    let (source, place) = (small(), Workplace::new());
    assert_eq!(place.run(&words(&first_try(&source))).code, 0);
    let elsewhere = place.home().join("safe");
    std::fs::create_dir(&elsewhere).unwrap();
    for key in ["recovery.txt", "root.key"] {
        std::fs::rename(place.path().join("keys").join(key), elsewhere.join(key)).unwrap();
    }
    for line in [&["snapshot"][..], &["list"], &["show", "latest"], &["verify"], &["repair"]] {
        let run = place.run(line);
        assert_eq!(run.code, 0, "{line:?}: {run:?}");
    }
    let refused = place.run(&["verify", "--full"]);
    assert_eq!(refused.code, 2, "{refused:?}");
    assert!(refused.stderr.contains("recovery identity"), "{}", refused.stderr);
    let identity = elsewhere.join("recovery.txt");
    assert_eq!(place.run(&["verify", "--full", "--identity", identity.to_str().unwrap()]).code, 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn mistakes_are_named_with_the_next_step() {
    let (source, place) = (small(), Workplace::new());
    let line = first_try(&source);
    // A name that is none, before anything is made.
    let run = place.run(&["snapshot", "--repository", "-x", "--to", "./vault"]);
    assert_eq!(run.code, 2, "{run:?}");
    assert!(!place.path().join("keys").exists());
    // Nothing that listens.
    let mut unreachable = line.clone();
    unreachable[6] = "http://127.0.0.1:9/api/v2".to_owned();
    let place_two = Workplace::new();
    let run = place_two.run(&words(&unreachable));
    assert_eq!(run.code, 1, "{run:?}");
    assert!(run.stderr.contains("127.0.0.1:9"), "{}", run.stderr);

    assert_eq!(place.run(&words(&line)).code, 0);
    for (arguments, code, said) in [
        (&["show", "nosuch"][..], 2, "prismvault list"),
        (&["show", "other@latest"], 2, "acme-blog"),
        (&["snapshot", "blogg"], 2, "acme-blog"),
        (&["accept", "acme-blog", "assets/x/original", "--reason", "gone"], 2, "does not miss"),
        (&["snapshot", "--repository", "other-repo", "--to", "./vault"], 2, "prismvault.toml"),
        (&["init"], 5, "there is a vault already"),
        (&["verify", "--level", "deep"], 2, "presence"),
    ] {
        let run = place.run(arguments);
        assert_eq!(run.code, code, "{arguments:?}: {run:?}");
        assert!(run.stderr.contains(said), "{arguments:?}: {}", run.stderr);
    }
    // A directory that is something else, one that is gone, a vault of another format.
    let config = std::fs::read_to_string(place.path().join("prismvault.toml")).unwrap();
    std::fs::create_dir(place.path().join("photos")).unwrap();
    place.write("photos/cat.jpg", "meow");
    place.write("other.toml", &config.replace("/vault\"", "/photos\""));
    let run = place.run(&["--config", "other.toml", "list"]);
    assert_eq!(run.code, 2, "{run:?}");
    assert!(run.stderr.contains("holds no vault"), "{}", run.stderr);
    place.write("gone.toml", &config.replace("/vault\"", "/nothing-here\""));
    let run = place.run(&["--config", "gone.toml", "list"]);
    assert_eq!(run.code, 1, "{run:?}");
    let file = place.path().join("vault/vault.json");
    let newer = std::fs::read_to_string(&file).unwrap().replace("\"format\": 1", "\"format\": 2");
    place.write("vault/vault.json", &newer);
    let run = place.run(&["snapshot"]);
    assert_eq!(run.code, 2, "{run:?}");
    assert!(run.stderr.contains("format version 2"), "{}", run.stderr);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_wrong_identity_is_refused_before_anything_is_written() {
    let (source, place, stranger) = (small(), Workplace::new(), Workplace::new());
    assert_eq!(place.run(&words(&first_try(&source))).code, 0);
    assert_eq!(stranger.run(&words(&first_try(&source))).code, 0);
    for key in ["operator.txt", "recovery.txt"] {
        std::fs::copy(stranger.path().join("keys").join(key), place.path().join("keys").join(key)).unwrap();
    }
    for line in [&["snapshot"][..], &["verify", "--full"]] {
        let run = place.run(line);
        assert_eq!(run.code, 2, "{line:?}: {run:?}");
        assert!(run.stderr.contains("identity"), "{}", run.stderr);
    }
    // Another vault's signing key may not sign here.
    std::fs::copy(stranger.path().join("keys/signing.key"), place.path().join("keys/signing.key")).unwrap();
    let run = place.run(&["snapshot"]);
    assert_eq!(run.code, 2, "{run:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn tokens_come_from_the_environment_and_are_never_shown() {
    let content =
        SyntheticOptions { documents: 40, assets: 3, asset_bytes: 500, ..SyntheticOptions::default() };
    let (source, place) = (Source::new(&content, AccessMode::Private), Workplace::new());
    let line = first_try(&source);
    let refused = place.run(&words(&line));
    assert_eq!(refused.code, 2, "{refused:?}");
    let place = Workplace::new();
    let run = |extra: &[&str]| {
        let mut arguments = words(&line);
        arguments.extend(extra);
        let mut command = place.command(&arguments);
        command.env("PRISMIC_ACCESS_TOKEN", ACCESS_TOKEN).env("PRISMIC_WRITE_TOKEN", WRITE_TOKEN);
        let output = command.output().unwrap();
        let text = [output.stdout, output.stderr].concat();
        (output.status.code(), String::from_utf8_lossy(&text).into_owned())
    };
    let (code, said) = run(&["-vv"]);
    assert_eq!(code, Some(0), "{said}");
    assert!(!said.contains(ACCESS_TOKEN) && !said.contains(WRITE_TOKEN));
    let config = std::fs::read_to_string(place.path().join("prismvault.toml")).unwrap();
    assert!(config.contains("PRISMIC_WRITE_TOKEN") && !config.contains(WRITE_TOKEN));
    let (code, said) = run(&["--json"]);
    assert_eq!(code, Some(0), "{said}");
    assert!(!said.contains(ACCESS_TOKEN) && !said.contains(WRITE_TOKEN));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_run_that_is_killed_at_any_request_is_completed_by_the_next() {
    let (source, place) = (small(), Workplace::new());
    let line = first_try(&source);
    let mut killed = 0;
    for number in [1, 2, 3, 4, 5, 6, 8, 11, 15, 20, 26, 32] {
        let blocking = (place.path(), number);
        source.repository.edit(0.05, number).unwrap();
        let ended = struck_at(&place, &words(&line), &source, number, |child| child.kill().unwrap());
        killed += u64::from(ended.status.code().is_none());
        let run = place.run(&words(&line));
        assert_eq!(run.code, 0, "{blocking:?}: {run:?}");
        let verified = place.run(&["verify", "--full"]);
        assert_eq!(verified.code, 0, "{blocking:?}: {verified:?}");
    }
    assert!(killed >= 8, "{killed} kills");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_first_run_that_was_killed_before_its_configuration_is_completed() {
    let (source, place) = (small(), Workplace::new());
    let line = first_try(&source);
    assert_eq!(place.run(&words(&line)).code, 0);
    // As a kill between vault and configuration leaves it.
    std::fs::remove_file(place.path().join("prismvault.toml")).unwrap();
    let again = place.run(&words(&line));
    assert_eq!(again.code, 0, "{again:?}");
    let config = std::fs::read_to_string(place.path().join("prismvault.toml")).unwrap();
    assert!(config.contains("root = \"RW"), "{config}");
    assert_eq!(place.run(&["verify", "--full"]).code, 0);
    // Somebody else's vault is not taken over.
    let stranger = Workplace::new();
    std::fs::rename(place.path().join("vault"), stranger.path().join("vault")).unwrap();
    let run = stranger.run(&words(&line));
    assert_eq!(run.code, 5, "{run:?}");
    assert!(!stranger.path().join("keys").exists() && !stranger.path().join("prismvault.toml").exists());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_place_that_is_refused_leaves_nothing_behind() {
    let (source, place) = (small(), Workplace::new());
    std::fs::create_dir(place.path().join("vault")).unwrap();
    place.write("vault/cat.jpg", "meow");
    let run = place.run(&words(&first_try(&source)));
    assert_eq!(run.code, 5, "{run:?}");
    let left: Vec<_> =
        std::fs::read_dir(place.path()).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    assert_eq!(left, ["vault"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_key_that_is_not_here_is_named_with_the_place_it_was_looked_for() {
    let (source, place) = (small(), Workplace::new());
    place.expect(0, &words(&first_try(&source)));
    place.expect(0, &["config"]);
    for (key, file, arguments) in [
        ("operator", "keys/operator.txt", &["snapshot"][..]),
        ("signing", "keys/signing.key", &["snapshot"]),
        ("recovery", "keys/recovery.txt", &["cat", "latest", "repository/languages.json"]),
    ] {
        let aside = place.file("aside");
        let recovery = place.file("keys/recovery.txt");
        let kept = std::fs::read(&recovery).unwrap();
        std::fs::rename(place.file(file), &aside).unwrap();
        // It could stand in for the operator.
        std::fs::remove_file(&recovery).ok();
        let run = place.expect(2, arguments);
        let said = format!("`{key}` in [keys]: file {file} is not here");
        assert!(run.stderr.contains(&said) && run.stderr.contains("hint: bring "), "{run:?}");
        let shown = place.expect(0, &["config"]);
        assert!(shown.stdout.contains(&format!("file {file} is not here")), "{shown:?}");
        assert_eq!(place.expect(0, &["config", "--json"]).json()["keys"]["here"][key], false);
        std::fs::rename(&aside, place.file(file)).unwrap();
        let mut restored = std::fs::File::create(&recovery).unwrap();
        std::io::Write::write_all(&mut restored, &kept).unwrap();
    }
    let config = place.read("prismvault.toml");
    let without: String =
        config.lines().filter(|line| !line.starts_with("signing")).map(|line| format!("{line}\n")).collect();
    place.write("prismvault.toml", &without);
    let run = place.expect(2, &["snapshot"]);
    assert!(run.stderr.contains("[keys] has no `signing`"), "{run:?}");
    let shown = place.expect(0, &["config"]).stdout;
    assert!(shown.lines().any(|line| line.starts_with("signing ") && line.contains("not set")), "{shown}");
}
