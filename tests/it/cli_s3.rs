//! The program with replicas in buckets: by configuration, and by a first try.

use std::fs;

use crate::backups::{configuration, first_try, small, words};
use crate::restore::tree;
use crate::s3_server::{ACCESS_KEY, BUCKET, S3Server, SECRET_KEY};
use crate::workplace::{Run, Workplace};

/// Runs the program with credentials for the server; nothing that it prints may repeat them.
pub(crate) fn run(place: &Workplace, server: &S3Server, arguments: &[&str]) -> Run {
    let mut command = place.command(arguments);
    command
        .env("AWS_ACCESS_KEY_ID", ACCESS_KEY)
        .env("AWS_SECRET_ACCESS_KEY", SECRET_KEY)
        .env("AWS_REGION", "eu-central-1")
        .env("AWS_ENDPOINT_URL", format!("http://{}", server.address));
    let run = Run::from(command.output().unwrap());
    for text in [&run.stdout, &run.stderr] {
        assert!(!text.contains(SECRET_KEY), "{run:?}");
    }
    run
}

#[tokio::test(flavor = "multi_thread")]
async fn a_configured_bucket_is_a_replica_like_any_other() {
    let (source, place, server) = (small(), Workplace::new(), S3Server::start().await);
    let local = place.file("local");
    let bucket = format!(
        "\n[[replicas]]\nname = \"bucket\"\nurl = \"s3://{BUCKET}/prismic\"\nregion = \"eu-central-1\"\n\
         endpoint = \"http://{}\"\nforce_path_style = true\n",
        server.address
    );
    let config = configuration(&source, &[("local", &local)]) + &bucket;
    place.write("prismvault.toml", &config);
    let ends = |code: i32, arguments: &[&str]| {
        let run = run(&place, &server, arguments);
        assert_eq!(run.code, code, "{arguments:?}: {run:?}");
        run
    };
    let made = ends(0, &["init", "--json"]).json();
    assert_eq!(made["replicas"].as_array().unwrap().len(), 2);
    place.write("prismvault.toml", &(config.clone() + made["pin"].as_str().unwrap()));
    let taken = ends(0, &["snapshot", "--json"]).json();
    assert_eq!(taken["replicas"], serde_json::json!(["local", "bucket"]));
    let stored = ends(0, &["verify", "--json"]).json();
    assert_eq!(stored["levels"], serde_json::json!([["local", "bytes"], ["bucket", "stored"]]));

    // The bucket alone is enough.
    let pin = made["pin"].as_str().unwrap();
    let alone = configuration(&source, &[]) + &bucket + pin;
    place.write("prismvault.toml", &alone);
    for level in ["presence", "stored", "bytes", "content"] {
        ends(0, &["verify", "--level", level]);
    }
    ends(0, &["restore", "files", "latest", "--to", "from-bucket"]);
    place.write("prismvault.toml", &(configuration(&source, &[("local", &local)]) + pin));
    ends(0, &["restore", "files", "latest", "--to", "from-local"]);
    assert_eq!(tree(&place.file("from-bucket")), tree(&place.file("from-local")));

    // Objects in the bucket are those of the directory, byte for byte, but for the replica's own.
    let mut in_bucket = tree(&server.dir.path().join(BUCKET).join("prismic"));
    let mut in_directory = tree(&local);
    assert_ne!(in_bucket.remove("replica.json"), in_directory.remove("replica.json"));
    for objects in [&mut in_bucket, &mut in_directory] {
        // When which of them was verified is the replica's own as well.
        objects.retain(|key, _| !key.starts_with("state/"));
    }
    assert_eq!(in_bucket, in_directory);

    // Damage in the bucket is named, and mended from the directory.
    let pack = in_bucket.keys().find(|key| key.starts_with("packs/")).unwrap();
    let object = server.dir.path().join(BUCKET).join("prismic").join(pack);
    let mut bytes = in_bucket[pack].clone();
    bytes[0] ^= 1;
    fs::remove_file(&object).unwrap();
    std::io::Write::write_all(&mut fs::File::create(&object).unwrap(), &bytes).unwrap();
    place.write("prismvault.toml", &(config + pin));
    let verified = ends(4, &["verify", "--level", "bytes"]);
    assert!(verified.stdout.contains(pack.as_str()) && verified.stdout.contains("bucket"), "{verified:?}");
    ends(0, &["repair"]);
    ends(0, &["verify", "--level", "bytes"]);
    assert_eq!(fs::read(&object).unwrap(), in_bucket[pack]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_first_try_goes_to_a_bucket_and_the_next_command_just_works() {
    let (source, place, server) = (small(), Workplace::new(), S3Server::start().await);
    let mut line = first_try(&source);
    line[4] = format!("s3://{BUCKET}/first");
    let first = run(&place, &server, &words(&line));
    assert_eq!(first.code, 0, "{first:?}");
    for arguments in [
        &["snapshot"][..],
        &["list"],
        &["verify", "--level", "stored"],
        &["restore", "files", "latest", "--to", "out"],
    ] {
        let run = run(&place, &server, arguments);
        assert_eq!(run.code, 0, "{arguments:?}: {run:?}");
    }
    assert!(tree(&place.file("out")).keys().any(|file| file.starts_with("documents/")));
    assert!(server.dir.path().join(BUCKET).join("first/vault.json").exists());
    let config = place.read("prismvault.toml");
    assert!(!config.contains(SECRET_KEY) && !config.contains(ACCESS_KEY), "{config}");
}

#[tokio::test(flavor = "multi_thread")]
async fn wrong_credentials_are_a_failure_that_names_the_replica_and_not_the_secret() {
    let (source, place, server) = (small(), Workplace::new(), S3Server::start().await);
    let mut line = first_try(&source);
    line[4] = format!("s3://{BUCKET}/first");
    let mut command = place.command(&words(&line));
    command
        .env("AWS_ACCESS_KEY_ID", ACCESS_KEY)
        .env("AWS_SECRET_ACCESS_KEY", "not-the-secret-half")
        .env("AWS_REGION", "eu-central-1")
        .env("AWS_ENDPOINT_URL", format!("http://{}", server.address));
    let run = Run::from(command.output().unwrap());
    assert_eq!(run.code, 1, "{run:?}");
    assert!(run.stderr.contains(BUCKET) && run.stderr.contains("credentials"), "{run:?}");
    assert!(!run.stderr.contains("not-the-secret-half"), "{run:?}");
    assert!(!place.file("keys").exists() && !place.file("prismvault.toml").exists());
}

#[test]
fn missing_settings_of_a_bucket_are_a_configuration_error_that_says_what_was_looked_for() {
    let place = Workplace::new();
    let run = |region: &str| {
        place.write(
            "prismvault.toml",
            &format!(
                "[repositories.blog]\nrepository = 'acme-blog'\n[[replicas]]\nname = 'bucket'\nurl = 's3://bucket/x'\n{region}"
            ),
        );
        let mut command = place.command(&["list"]);
        // Not the machine's own role, should it have one.
        Run::from(command.env("AWS_EC2_METADATA_DISABLED", "true").output().unwrap())
    };
    for (region, said) in [
        ("", &["no region is configured", "AWS_REGION", "profile \"default\"", "~/.aws/config"][..]),
        ("region = 'eu-central-1'\n", &["no AWS credentials", "AWS_ACCESS_KEY_ID", "~/.aws/credentials"]),
        ("region = 'eu-central-1'\nprofile = 'acme'\n", &["profile \"acme\""]),
    ] {
        let run = run(region);
        assert_eq!(run.code, 2, "{run:?}");
        for said in said.iter().chain(&["replica bucket", "hint: set `region` or `profile`"]) {
            assert!(run.stderr.contains(said), "{said}: {run:?}");
        }
        assert!(!run.stderr.contains("WARN"), "the SDK is silent: {run:?}");
    }
}
