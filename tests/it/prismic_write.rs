//! Writes to the sandbox: what is written is there, once, and never faster than allowed.

use std::io::Write as _;
use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::Bytes;
use prismvault::clock::SystemClock;
use prismvault::contentapi::AccessMode;
use prismvault::limits::Limits;
use prismvault::prismic::write::{AssetChange, DocumentContent, ModelKind, NewDocument, Upload};
use prismvault::prismic::{AssetData, Endpoints, ErrorKind, Http, RepositoryWriter};
use prismvault::sandbox::{Api, Endpoint, ErrorRate, Faults, Rates, RepositoryOptions};
use prismvault::secret::Secret;
use serde_json::{Value, json};

use crate::sandbox::{Bench, WRITE_TOKEN, options};
use crate::sandbox_writing::{Writing as _, empty, page_type, pages, pages_with, png, title};

/// Limits that wait for nothing but rates that a test sets.
fn limits() -> Limits {
    Limits {
        asset_requests: 10_000.0,
        types_requests: 10_000.0,
        migration_requests: 10_000.0,
        backoff_min: Duration::from_millis(1),
        backoff_max: Duration::from_millis(4),
        ..Limits::default()
    }
}

fn writer_with(bench: &Bench, limits: Limits, token: &str) -> RepositoryWriter {
    let url = |text: &str| text.parse().unwrap();
    let endpoints = Endpoints {
        content_api: url(&bench.endpoints.content_api),
        asset_api: url(&bench.endpoints.asset_api),
        types_api: url(&bench.endpoints.types_api),
        migration_api: url(&bench.endpoints.migration_api),
    };
    let http = Http::new(limits, Arc::new(SystemClock)).unwrap();
    RepositoryWriter::new(http, &endpoints, "acme", Secret::new(token))
}

fn writer(bench: &Bench) -> RepositoryWriter {
    writer_with(bench, limits(), WRITE_TOKEN)
}

fn new(uid: &str, data: &Value) -> NewDocument {
    NewDocument {
        title: uid.to_owned(),
        type_: "page".to_owned(),
        lang: "en-us".to_owned(),
        uid: Some(uid.to_owned()),
        tags: vec!["restored".to_owned()],
        alternate_language_id: None,
        data: data.as_object().cloned().unwrap(),
    }
}

fn content(uid: &str, data: &Value) -> DocumentContent {
    let NewDocument { title, uid, tags, data, .. } = new(uid, data);
    DocumentContent { title, uid, tags, data }
}

fn in_memory(bytes: Vec<u8>) -> AssetData {
    AssetData::Memory(bytes.into())
}

fn upload<'a>(filename: &'a str, data: &'a AssetData, len: u64) -> Upload<'a> {
    Upload { filename, data, len, media_type: None, alt: "", credits: "", notes: "" }
}

#[tokio::test]
async fn models_are_added_replaced_and_found_again() {
    let bench = Bench::new(empty(&[], &[]), options(AccessMode::Open));
    let writer = writer(&bench);
    let slice = json!({"id": "hero", "type": "SharedSlice", "name": "Hero", "variations": [
        {"id": "default", "name": "Default", "docURL": "", "version": "x", "description": "", "imageUrl": "", "primary": {}, "items": {}}]});
    let bytes = |model: &Value| Bytes::from(model.to_string());
    writer.insert_model(ModelKind::SharedSlice, bytes(&slice)).await.unwrap();
    let mut page = page_type(json!({}));
    let error = writer.update_model(ModelKind::CustomType, bytes(&page)).await.unwrap_err();
    assert_eq!((error.kind(), error.may_have_happened()), (&ErrorKind::NotFound, false), "{error}");
    writer.insert_model(ModelKind::CustomType, bytes(&page)).await.unwrap();
    let error = writer.insert_model(ModelKind::CustomType, bytes(&page)).await.unwrap_err();
    assert_eq!((error.kind(), error.may_have_happened()), (&ErrorKind::Conflict, false), "{error}");
    page["label"] = "Other".into();
    writer.update_model(ModelKind::CustomType, bytes(&page)).await.unwrap();
    let error = writer.insert_model(ModelKind::CustomType, Bytes::from_static(b"{}")).await.unwrap_err();
    assert_eq!(*error.kind(), ErrorKind::BadRequest);
    let models = bench.repository.models();
    assert_eq!((models.slices.len(), models.custom_types.len()), (1, 1));
    assert!(models.custom_types[0].json.contains("\"Other\""));
}

#[tokio::test]
async fn files_arrive_byte_by_byte_under_any_name() {
    let bench = pages(json!({}), &[]);
    let writer = writer(&bench);
    let names = [
        "Zo\u{eb} \"quoted\".png",
        "two\r\nlines.png",
        "\u{540d}\u{524d} 100%.png",
        "a;b=c.png",
        "../up.png",
    ];
    for (index, name) in names.into_iter().enumerate() {
        let data = in_memory(png(index as u32 + 1, 7));
        let AssetData::Memory(bytes) = &data else { unreachable!("just made") };
        let uploaded = writer.upload_asset(upload(name, &data, 0)).await.unwrap();
        assert_eq!((uploaded.width, uploaded.height), (Some(index as u32 + 1), Some(7)), "{name}");
        assert_eq!((uploaded.kind.as_deref(), uploaded.size), (Some("image"), Some(bytes.len() as u64)));
        let newest = writer.newest_assets(1).await.unwrap();
        let [asset] = &newest[..] else { panic!("{newest:?}") };
        assert_eq!((asset.id.as_str(), asset.filename.as_deref()), (uploaded.id.as_str(), Some(name)));
        assert_eq!(asset.size, Some(bytes.len() as u64));
        let stored = bench.get(uploaded.url.as_ref().unwrap().as_str()).await.bytes().await.unwrap();
        assert_eq!(stored, bytes, "{name}");
    }
    let content: Vec<u8> = (0..3_000_000_u32).map(|at| (at / 3) as u8).collect();
    let mut file = tempfile::tempfile().unwrap();
    file.write_all(&content).unwrap();
    let data = AssetData::File(file);
    let texts = Upload {
        alt: "Zo\u{eb}\nand \"others\"",
        credits: "--boundary",
        media_type: Some("application/pdf"),
        ..upload("large.pdf", &data, content.len() as u64)
    };
    let uploaded = writer.upload_asset(texts).await.unwrap();
    let stored = bench.get(uploaded.url.as_ref().unwrap().as_str()).await.bytes().await.unwrap();
    assert!(stored == content);
    let listed = bench.assets("limit=1").await;
    let item = &listed["items"][0];
    assert_eq!(
        (item["alt"].as_str(), item["credits"].as_str()),
        (Some("Zo\u{eb}\nand \"others\""), Some("--boundary"))
    );
    assert_eq!(item["notes"].as_str().unwrap_or_default(), "");
}

#[tokio::test]
async fn assets_get_tags_and_descriptions() {
    let bench = pages(json!({}), &[]);
    let writer = writer(&bench);
    let data = in_memory(png(1, 1));
    let id = writer.upload_asset(upload("a.png", &data, 0)).await.unwrap().id;
    let tag = writer.create_asset_tag("press").await.unwrap();
    assert_eq!(writer.create_asset_tag("press").await.unwrap(), tag, "it is there already");
    assert_eq!(writer.asset_tags().await.unwrap(), std::slice::from_ref(&tag));
    let error = writer.create_asset_tag("").await.unwrap_err();
    assert_eq!(*error.kind(), ErrorKind::BadRequest);
    let change = AssetChange {
        tags: Some(vec![tag.id.clone()]),
        notes: Some("n".to_owned()),
        filename: Some("b.png".to_owned()),
        ..AssetChange::default()
    };
    writer.describe_asset(&id, &change).await.unwrap();
    let before = bench.control.request_count();
    writer.describe_asset(&id, &AssetChange::default()).await.unwrap();
    assert_eq!(bench.control.request_count(), before, "nothing to say");
    let asset = &writer.newest_assets(5).await.unwrap()[0];
    assert_eq!((&asset.tags, asset.filename.as_deref()), (&vec![tag.id], Some("b.png")));
    for id in ["gone", "a/../../x"] {
        let error = writer.describe_asset(id, &change).await.unwrap_err();
        assert_eq!((error.kind(), error.may_have_happened()), (&ErrorKind::NotFound, false), "{id}: {error}");
    }
}

#[tokio::test]
async fn documents_are_made_replaced_and_published() {
    let bench = pages(json!({}), &[]);
    let writer = writer(&bench);
    writer.check_migration().await.unwrap();
    assert_eq!(bench.repository.staged().len(), 0, "a check writes nothing");
    let id = writer.create_document(&new("a", &json!({}))).await.unwrap();
    let error = writer.create_document(&new("a", &json!({}))).await.unwrap_err();
    assert_eq!((error.kind(), error.may_have_happened()), (&ErrorKind::Conflict, false), "{error}");
    writer.replace_document(&id, &content("a", &json!({"title": title("Hello")}))).await.unwrap();
    let error = writer.replace_document("gone", &content("b", &json!({}))).await.unwrap_err();
    assert_eq!(*error.kind(), ErrorKind::NotFound, "{error}");
    let wrong = json!({"title": "no rich text, jane"});
    let error = writer.replace_document(&id, &content("a", &wrong)).await.unwrap_err();
    assert_eq!((error.kind(), error.may_have_happened()), (&ErrorKind::BadRequest, false), "{error}");
    assert!(error.mistakes().iter().any(|mistake| mistake.property.contains("title")), "{error:?}");
    assert!(!format!("{error:?}").contains("jane"));
    let mut french = new("a", &json!({}));
    (french.lang, french.alternate_language_id) = ("fr-fr".to_owned(), Some(id.clone()));
    writer.create_document(&french).await.unwrap();
    assert_eq!(writer.publish().await.unwrap(), 2);
    let live = bench.live(&id).await;
    assert_eq!(
        (live["data"]["title"][0]["text"].as_str(), live["tags"][0].as_str()),
        (Some("Hello"), Some("restored"))
    );
    assert_eq!(live["alternate_languages"][0]["lang"], "fr-fr");
}

#[tokio::test]
async fn a_token_that_may_not_write_is_found_out_without_writing() {
    let bench = pages(json!({}), &[]);
    let error = writer_with(&bench, limits(), "wrong").check_migration().await.unwrap_err();
    assert!(matches!(error.kind(), ErrorKind::Unauthorized | ErrorKind::Forbidden), "{error}");
    assert!(!error.may_have_happened() && error.hint().is_some());
}

#[tokio::test]
async fn a_file_that_is_too_large_is_told_as_such() {
    let mut options: RepositoryOptions = options(AccessMode::Open);
    options.writing.asset_bytes_max = 1000;
    let bench = pages_with(json!({}), options);
    let data = in_memory(vec![1; 2000]);
    let error = writer(&bench).upload_asset(upload("a.bin", &data, 0)).await.unwrap_err();
    assert_eq!((error.kind(), error.may_have_happened()), (&ErrorKind::TooLarge, false), "{error}");
}

/// A type without UID: nothing but the client keeps its documents from being made twice.
fn notes() -> Bench {
    let model = json!({"id": "page", "label": "Note", "repeatable": true, "status": true, "json": {"Main": {
        "text": {"type": "Text", "config": {}}}}});
    Bench::new(empty(&[model], &[]), options(AccessMode::Open))
}

#[tokio::test]
async fn whatever_gets_lost_nothing_is_made_twice() {
    let late = Some(ErrorRate { status: 503, share: 0.2 });
    let early = Some(ErrorRate { status: 500, share: 0.2 });
    for faults in [
        Faults { lost_requests: 0.3, lost_answers: 0.3, ..Faults::default() },
        Faults { late_errors: late, ..Faults::default() },
        Faults { errors: early, lost_answers: 0.2, ..Faults::default() },
    ] {
        let bench = notes();
        let writer = writer(&bench);
        bench.control.set_faults(Faults { seed: 11, ..faults.clone() });
        let (mut made, mut unknown) = (0, 0);
        for number in 0..60 {
            let mut document = new("x", &json!({}));
            (document.uid, document.title) = (None, format!("n{number}"));
            match writer.create_document(&document).await {
                Ok(_) => made += 1,
                Err(error) => {
                    assert!(error.may_have_happened(), "{error}");
                    unknown += 1;
                }
            }
        }
        let mut titles: Vec<String> =
            bench.repository.staged().into_iter().map(|staged| staged.title).collect();
        titles.sort();
        let before = titles.len();
        titles.dedup();
        assert_eq!(titles.len(), before, "none twice: {faults:?}");
        assert!(unknown > 0 && (made..=made + unknown).contains(&before), "{made} {unknown} {before}");
        assert_eq!(bench.control.requests_to(Endpoint::Documents), 60, "one request each");
    }
}

#[tokio::test]
async fn contents_get_there_however_much_gets_lost() {
    let bench = pages(json!({}), &[]);
    let writer = writer_with(&bench, Limits { request_attempts: 20, ..limits() }, WRITE_TOKEN);
    let id = writer.create_document(&new("a", &json!({}))).await.unwrap();
    bench.control.set_faults(Faults { seed: 3, lost_requests: 0.3, lost_answers: 0.3, ..Faults::default() });
    for number in 0..10 {
        let text = format!("Version {number}");
        writer.replace_document(&id, &content("a", &json!({"title": title(&text)}))).await.unwrap();
    }
    bench.control.set_faults(Faults::default());
    assert_eq!(writer.publish().await.unwrap(), 1);
    assert_eq!(bench.live(&id).await["data"]["title"][0]["text"], "Version 9");
}

#[tokio::test]
async fn an_upload_whose_answer_was_lost_is_the_newest_asset() {
    let bench = pages(json!({}), &[]);
    let writer = writer(&bench);
    let data = in_memory(png(3, 3));
    writer.upload_asset(upload("first.png", &data, 0)).await.unwrap();
    bench.control.set_faults(Faults { lost_answers_to: [(Endpoint::Assets, 1)].into(), ..Faults::default() });
    let error = writer.upload_asset(upload("second.png", &data, 0)).await.unwrap_err();
    assert!(error.may_have_happened(), "{error}");
    let newest = writer.newest_assets(10).await.unwrap();
    let names: Vec<_> = newest.iter().filter_map(|asset| asset.filename.as_deref()).collect();
    assert_eq!(names, ["second.png", "first.png"]);
    bench
        .control
        .set_faults(Faults { lost_requests_to: [(Endpoint::Assets, 1)].into(), ..Faults::default() });
    let error = writer.upload_asset(upload("third.png", &data, 0)).await.unwrap_err();
    assert!(error.may_have_happened(), "nobody knows that it did not: {error}");
    assert_eq!(bench.repository.library().assets().len(), 2);
}

/// Sends `count` requests as fast as they may go; returns the share of the rate that was used.
async fn share_used(api: Api, latency: Duration, count: u32) -> f64 {
    let bench = pages(json!({}), &[]);
    bench.control.set_rates(Rates::PRISMIC);
    bench.control.set_faults(Faults { latency, ..Faults::default() });
    let limits = Limits { asset_requests: 1.0, migration_requests: 1.0, ..limits() };
    let writer = writer_with(&bench, limits, WRITE_TOKEN);
    let data = in_memory(png(2, 2));
    let started = Instant::now();
    for number in 0..count {
        match api {
            Api::Asset if number % 2 == 0 => {
                drop(writer.upload_asset(upload("a.png", &data, 0)).await.unwrap());
            }
            Api::Asset => drop(writer.newest_assets(1).await.unwrap()),
            _ => drop(writer.create_document(&new(&format!("p{number}"), &json!({}))).await.unwrap()),
        }
    }
    let taken = started.elapsed().saturating_sub(latency).as_secs_f64();
    let traffic = bench.control.traffic(api);
    assert_eq!((traffic.requests, traffic.refused, traffic.most_in_a_second), (u64::from(count), 0, 1));
    f64::from(count - 1) / taken
}

#[tokio::test]
async fn the_rate_is_used_and_never_exceeded() {
    let slow = Duration::from_millis(300);
    let shares = futures_util::join!(
        share_used(Api::Migration, Duration::ZERO, 6),
        share_used(Api::Migration, slow, 6),
        share_used(Api::Asset, Duration::ZERO, 6),
        share_used(Api::Asset, slow, 6),
    );
    // The first answers are waited for, and this machine may be busy: the exact share is that of the
    // arithmetic, see `prismic::pacer`.
    for share in [shares.0, shares.1, shares.2, shares.3] {
        assert!((0.85..=1.0).contains(&share), "{shares:?}");
    }
}
