//! Content of the sandbox: made from a seed, and loaded from a directory.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::path::Path;

use prismvault::contentapi::AccessMode;
use prismvault::sandbox::synthetic::{SyntheticOptions, generate};
use prismvault::sandbox::{Content, load};
use reqwest::StatusCode;
use serde_json::{Value, json};

use crate::sandbox::{Bench, options};

fn synthetic(seed: u64) -> Content {
    let options = SyntheticOptions {
        documents: 400,
        assets: 40,
        seed,
        asset_bytes: 2000,
        ..SyntheticOptions::default()
    };
    generate("acme", &options).unwrap()
}

fn stored(content: &Content) -> Vec<String> {
    let releases = content.releases.iter().flat_map(|release| release.documents.iter());
    content.documents.iter().chain(releases).map(|document| document.stored()).collect()
}

#[tokio::test]
async fn the_same_seed_gives_the_same_bytes_and_another_seed_others() {
    let (one, two, other) = (synthetic(1), synthetic(1), synthetic(2));
    assert_eq!(stored(&one), stored(&two));
    assert_eq!(one.models, two.models);
    assert_ne!(stored(&one), stored(&other));
    for (a, b) in one.library.assets().iter().zip(two.library.assets()) {
        let range = 0..a.content.len();
        assert_eq!(
            (&a.id, a.content.read(range.clone()).await.unwrap()),
            (&b.id, b.content.read(range).await.unwrap())
        );
    }
    let larger =
        SyntheticOptions { assets: 3, largest_asset_bytes: Some(5_000_000), ..SyntheticOptions::default() };
    let sizes: Vec<u64> =
        generate("acme", &larger).unwrap().library.assets().iter().map(|asset| asset.content.len()).collect();
    assert_eq!(sizes.iter().max(), Some(&5_000_000));
    assert!(
        generate("acme", &SyntheticOptions { documents: 0, assets: 0, ..larger.clone() })
            .unwrap()
            .documents
            .is_empty()
    );
    let one_language = SyntheticOptions { languages: Vec::new(), assets: 0, releases: 0, ..larger };
    assert_eq!(generate("acme", &one_language).unwrap().documents.len(), 200);
}

/// Hands every string and every object of a value to `see`.
fn walk<'v>(value: &'v Value, see: &mut impl FnMut(&'v Value)) {
    see(value);
    match value {
        Value::Array(items) => items.iter().for_each(|item| walk(item, see)),
        Value::Object(members) => members.values().for_each(|member| walk(member, see)),
        _ => {}
    }
}

#[tokio::test]
async fn every_link_and_asset_resolves_but_the_declared_broken_ones() {
    let bench = Bench::new(synthetic(1), options(AccessMode::Open));
    let release = bench.repository.release_ref(&bench.repository.releases()[0].id).unwrap();
    let documents = bench.all(&release).await;
    let by_id: HashMap<&str, &Value> = documents.iter().map(|d| (d["id"].as_str().unwrap(), d)).collect();
    let listing = bench.assets("limit=5000").await;
    let assets: BTreeSet<&str> =
        listing["items"].as_array().unwrap().iter().map(|item| item["id"].as_str().unwrap()).collect();
    let (mut links, mut broken, mut files, mut external) = (0, 0, BTreeSet::new(), 0);
    for document in &documents {
        let id = &document["id"];
        for other in document["alternate_languages"].as_array().unwrap() {
            let target = by_id[other["id"].as_str().unwrap()];
            assert_eq!(
                (&target["lang"], &target["uid"], &target["type"]),
                (&other["lang"], other.get("uid").unwrap_or(&Value::Null), &other["type"])
            );
            let back = target["alternate_languages"].as_array().unwrap();
            assert!(back.iter().any(|entry| entry["id"] == *id), "translations know each other");
        }
        walk(&document["data"], &mut |value| {
            if value["link_type"] == "Document" && value.get("id").is_some() {
                let target = by_id.get(value["id"].as_str().unwrap());
                if value["isBroken"] == true {
                    broken += 1;
                    assert_eq!(
                        (&value["type"], &value["lang"], &value["slug"]),
                        (&json!("broken_type"), &Value::Null, &json!("-"))
                    );
                    assert!(target.is_none());
                } else {
                    links += 1;
                    let target = target.unwrap();
                    assert_eq!(
                        (&target["type"], &target["lang"], &target["uid"]),
                        (&value["type"], &value["lang"], &value["uid"])
                    );
                }
            }
            let is_file =
                value["link_type"] == "Media" || value.get("dimensions").is_some_and(Value::is_object);
            if is_file && let Some(url) = value["url"].as_str() {
                if url.starts_with("https://images.unsplash.com/") {
                    external += 1;
                } else {
                    files.insert(url.split('?').next().unwrap().to_owned());
                    assert!(value.get("id").is_none_or(|id| assets.contains(id.as_str().unwrap())), "{url}");
                }
            }
        });
    }
    assert!(links > 500 && broken > 3 && external > 0, "{links} {broken} {external}");
    assert!(files.len() > 30);
    for url in files {
        let response = bench.client.head(&url).send().await.unwrap();
        assert_eq!(response.status(), StatusCode::OK, "{url}");
    }
}

#[tokio::test]
async fn synthetic_documents_have_the_shapes_of_real_ones() {
    let bench = Bench::new(synthetic(1), options(AccessMode::Open));
    let reference = bench.repository.master_ref();
    let url = format!("{}/documents/search?ref={reference}&lang=*&pageSize=100", bench.endpoints.content_api);
    let mut raw = String::new();
    for page in 1..=4 {
        raw.push_str(&bench.get(&format!("{url}&page={page}")).await.text().await.unwrap());
    }
    for shape in [
        "\"price\":",
        ".0,\"sku\"",
        "\\u00e9",
        "\"zoom\":1.0",
        "👩🏽‍💻",
        "\"variation\":\"twoColumns\"",
        "\"slice_label\":\"wide\"",
        "\"slice_label\":null",
        "\"linkTo\":",
        "\"oembed\":",
        "{\"link_type\":\"Any\"}",
        "{\"link_type\":\"Document\"}",
        "\"link_type\":\"Media\"",
        "\"32:15\":",
        "\"url\":null,\"dimensions\":null",
        "\"cells\":",
        "\"shop_item\":{",
        "\"position\":{}",
        "\"items\":[{}]",
        "\"isBroken\":true",
        "acme%2F",
        "\"direction\":\"ltr\"",
        "mailto:",
        "\"members\":[",
    ] {
        assert!(raw.contains(shape), "{shape}");
    }
    assert!(!raw.contains("asset-host.invalid"));
    let documents = bench.all(&reference).await;
    let per_document = raw.len() / documents.len();
    assert!((2500..7000).contains(&per_document), "{per_document} bytes a document");
    let mut uids = BTreeSet::new();
    let (mut types, mut languages) = (BTreeMap::new(), BTreeSet::new());
    for document in &documents {
        *types.entry(document["type"].as_str().unwrap()).or_insert(0) += 1;
        languages.insert(document["lang"].as_str().unwrap());
        let uid = &document["uid"];
        assert!(
            uid.is_null()
                || uids.insert((document["type"].as_str(), document["lang"].as_str(), uid.as_str())),
            "{uid} twice"
        );
        assert!(document["first_publication_date"].as_str() <= document["last_publication_date"].as_str());
        walk(&document["data"], &mut |value| {
            let (Some(text), Some(spans)) = (value["text"].as_str(), value["spans"].as_array()) else {
                return;
            };
            let units: Vec<u16> = text.encode_utf16().collect();
            for span in spans {
                let at = |key: &str| usize::try_from(span[key].as_u64().unwrap()).unwrap();
                assert!(String::from_utf16(&units[at("start")..at("end")]).is_ok(), "{span} cuts {text:?}");
            }
        });
    }
    assert_eq!((types.len(), languages.len()), (12, 3));
    let mails = regex_free_mails(&raw);
    assert!(!mails.is_empty());
    for mail in mails {
        assert!(mail.ends_with("@example.com") || mail.ends_with(".example"), "{mail}");
    }
}

/// Words with an `@`: invented people must have invented addresses.
fn regex_free_mails(text: &str) -> BTreeSet<&str> {
    let part = |c: char| !(c.is_ascii_alphanumeric() || matches!(c, '.' | '-' | '@' | '_'));
    text.split(part).filter(|word| word.contains('@') && !word.starts_with('@')).collect()
}

#[tokio::test]
async fn models_describe_every_field_that_documents_have() {
    let content = synthetic(1);
    let models: HashMap<&str, Value> = content
        .models
        .custom_types
        .iter()
        .map(|model| (model.id.as_str(), serde_json::from_str(&model.json).unwrap()))
        .collect();
    for document in &content.documents {
        let data: Value = serde_json::from_slice(document.data()).unwrap();
        let tabs = models[document.head.type_id()]["json"].as_object().unwrap();
        for field in data.as_object().unwrap().keys() {
            assert!(tabs.values().any(|tab| tab.get(field).is_some()), "{} {field}", document.head.type_id());
        }
    }
}

fn write(directory: &Path, name: &str, content: &str) {
    let path = directory.join(name);
    std::fs::create_dir_all(path.parent().unwrap()).unwrap();
    std::io::Write::write_all(&mut std::fs::File::create(path).unwrap(), content.as_bytes()).unwrap();
}

/// A tiny repository as the public APIs show it.
fn directory() -> tempfile::TempDir {
    let directory = tempfile::tempdir().unwrap();
    let root = directory.path();
    write(root, "repository.json", &json!({
        "refs": [
            {"id": "master", "ref": "arzBgDRkOqRa-vYw", "label": "Master", "isMasterRef": true},
            {"id": "rel", "ref": "arITIE2VmqwnT7lC~arzBgDRkOqRa-vYw", "label": "Spring", "scheduledAt": 1_791_964_800_000_i64},
        ],
        "integrationFieldsRef": "a~b", "bookmarks": {"home": "D1"}, "types": {"page": "Page"},
        "languages": [{"id": "en-us", "name": "English", "is_master": true}],
        "forms": {"everything": {"fields": {"q": {"multiple": true}}},
            "blog": {"name": "Blog", "fields": {"q": {"default": "[[:d = any(document.type, [\"page\"])]]"}}}},
        "version": "8991d98", "license": "All Rights Reserved",
    }).to_string());
    let document = |id: &str, date: &str| {
        format!(
            r#"{{"id":"{id}","uid":null,"url":null,"type":"page","href":"https://mini.cdn.prismic.io/x","tags":["a"],"first_publication_date":{date},"last_publication_date":{date},"slugs":[],"linked_documents":[],"lang":"en-us","alternate_languages":[],"data":{{"n":10.0,"a":"https://images.prismic.io/mini/A1_x.png?auto=format","b":"https://mini.cdn.prismic.io/mini%2Fu_%C3%A9.pdf","c":"https://prismic-io.s3.amazonaws.com/mini/u_%C3%A9.pdf","d":"https://images.unsplash.com/p","e":"https://images.prismic.io.evil.example/"}}}}"#
        )
    };
    write(root, "documents.jsonl", &format!("{}\n\n", document("D1", "\"2020-01-01T00:00:00+0000\"")));
    write(root, "releases/rel.jsonl", &document("D2", "null"));
    write(root, "tags.json", r#"["a"]"#);
    write(
        root,
        "assets.json",
        r#"{"items":[
        {"id":"A1","url":"https://images.prismic.io/mini/A1_x.png?auto=format,compress","filename":"x y.png","extension":"png","size":3,"kind":"image","created_at":2,"tags":[]},
        {"id":"A2","url":"https://mini.cdn.prismic.io/mini%2Fu_%C3%A9.pdf","filename":"é.pdf","extension":"pdf","size":4,"kind":"document","created_at":1,"tags":[]},
        {"id":"A3","url":"https://mini.cdn.prismic.io/mini/A3_gone.pdf","filename":"gone.pdf","extension":"pdf","size":4,"kind":"document","created_at":0,"tags":[]}]}"#,
    );
    write(root, "asset_tags.json", r#"{"items":[{"id":"t","name":"team"}]}"#);
    write(root, "assets/A1/x y.png", "abc");
    write(root, "assets/A2/é.pdf", "defg");
    write(root, "models.json", r#"{"folder": "the/models"}"#);
    write(root, "the/models/customtypes/page.json", r#"{"id":"page","label":"Page","json":{}}"#);
    write(root, "the/models/slices/hero.json", r#"{"id":"hero","name":"Hero","variations":[]}"#);
    directory
}

#[tokio::test]
async fn a_directory_is_served_as_the_repository_it_was() {
    let directory = directory();
    let content = load(directory.path(), "mini").unwrap();
    let repository = prismvault::sandbox::Repository::new("mini", content, options(AccessMode::Open));
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let server = prismvault::sandbox::Server::start(
        vec![std::sync::Arc::clone(&repository)],
        prismvault::sandbox::ServerOptions::default(),
        listener,
    )
    .unwrap();
    let base = server.base_url();
    let get = async |url: String| crate::sandbox::client().get(url).send().await.unwrap();
    let root = crate::sandbox::value(get(format!("{base}/api/v2")).await).await;
    assert_eq!(root["refs"][1]["ref"], "arITIE2VmqwnT7lC~arzBgDRkOqRa-vYw");
    assert_eq!(
        (&root["refs"][1]["scheduledAt"], &root["integrationFieldsRef"]),
        (&json!(1_791_964_800_000_i64), &json!("a~b"))
    );
    assert_eq!(root["forms"]["blog"]["fields"]["q"]["default"], "[[:d = any(document.type, [\"page\"])]]");
    assert_eq!(root["bookmarks"], json!({"home": "D1"}));
    let search =
        get(format!("{base}/api/v2/documents/search?ref=arzBgDRkOqRa-vYw")).await.text().await.unwrap();
    for expected in [
        r#""n":10.0"#.to_owned(),
        format!(r#""a":"{base}/mini/A1_x.png?auto=format""#),
        format!(r#""b":"{base}/mini%2Fu_%C3%A9.pdf""#),
        format!(r#""c":"{base}/mini/u_%C3%A9.pdf""#),
        r#""d":"https://images.unsplash.com/p""#.to_owned(),
        r#""e":"https://images.prismic.io.evil.example/""#.to_owned(),
        format!(r#""type":"page","href":"{base}/api/v2/documents/search?ref=arzBgDRkOqRa-vYw&q="#),
    ] {
        assert!(search.contains(&expected), "{expected} in {search}");
    }
    let release = root["refs"][1]["ref"].as_str().unwrap();
    let overlaid =
        crate::sandbox::value(get(format!("{base}/api/v2/documents/search?ref={release}")).await).await;
    assert_eq!(overlaid["total_results_size"], 2);
    for (path, status, body) in [
        ("mini/A1_x.png", 200, "abc"),
        ("mini%2Fu_%C3%A9.pdf", 200, "defg"),
        ("mini/u_%C3%A9.pdf", 200, "defg"),
        ("mini/A3_gone.pdf", 404, ""),
    ] {
        let response = get(format!("{base}/{path}")).await;
        assert_eq!(
            (response.status().as_u16(), response.text().await.unwrap().as_str()),
            (status, body),
            "{path}"
        );
    }
    assert_eq!((repository.models().custom_types.len(), repository.models().slices.len()), (1, 1));
}

#[test]
fn a_directory_that_is_not_a_repository_is_refused_by_name() {
    let broken: [(&str, &str, &str); 8] = [
        ("repository.json", "{", "repository.json is not valid: EOF"),
        ("repository.json", "{\"refs\":[]}", "repository.json is not valid: it has no master ref"),
        ("documents.jsonl", "{}", "line 1 of "),
        ("releases/rel.jsonl", "x", "line 1 of "),
        (
            "assets.json",
            r#"{"items":[{"id":"../../etc","url":"x"}]}"#,
            "assets.json is not valid: an asset has no id",
        ),
        (
            "assets.json",
            r#"{"items":[{"id":"A","url":"https://other.example/x"}]}"#,
            "the asset is not valid: its url",
        ),
        ("models.json", "{}", "models.json is not valid: it names no folder"),
        ("the/models/slices/hero.json", "{}", "the model is not valid: it has no id"),
    ];
    for (file, content, expected) in broken {
        let directory = directory();
        write(directory.path(), file, content);
        let error = load(directory.path(), "mini").unwrap_err().to_string();
        assert!(error.contains(expected), "{file}: {error}");
    }
    let empty = tempfile::tempdir().unwrap();
    let error = load(empty.path(), "mini").unwrap_err();
    assert!(error.to_string().starts_with("cannot read ") && error.to_string().ends_with("repository.json"));
}
