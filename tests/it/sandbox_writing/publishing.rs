//! Publishes of the migration release: when it is seen, and in which shape.

use std::time::Duration;

use prismvault::contentapi::AccessMode;
use prismvault::prismic::Endpoints;
use prismvault::sandbox::{Faults, RepositoryOptions, WriteBounds};
use prismvault::secret::Secret;
use prismvault::snapshot::Target;
use prismvault::vault::format::manifest::Status;
use reqwest::Method;
use serde_json::{Value, json};

use super::{Writing as _, page, pages, pages_with, png, title};
use crate::backups::{Backup, Source};
use crate::sandbox::{WRITE_TOKEN, options};

#[tokio::test]
async fn a_publish_makes_one_new_ref_and_an_empty_one_none() {
    let bench = pages(json!({}), &[]);
    let before = bench.repository.master_ref();
    assert_eq!(bench.publish().await, 0);
    assert_eq!(bench.repository.master_ref(), before);
    let ids = [
        bench.create(&page("a", "en-us", json!({}))).await,
        bench.create(&page("b", "en-us", json!({}))).await,
    ];
    assert_eq!(bench.publish().await, 2);
    let after = bench.repository.master_ref();
    assert_ne!(after, before);
    let (first, second) = (bench.live(&ids[0]).await, bench.live(&ids[1]).await);
    assert_eq!(first["first_publication_date"], first["last_publication_date"]);
    assert_eq!(first["first_publication_date"], second["first_publication_date"]);
    assert_eq!(bench.publish().await, 0, "the release is empty again");
    assert_eq!(bench.repository.master_ref(), after);
}

#[tokio::test]
async fn a_publish_that_takes_its_time_is_seen_when_the_ref_changes() {
    let writing = WriteBounds { publish_delay: Duration::from_millis(150), ..WriteBounds::default() };
    let bench = pages_with(json!({}), RepositoryOptions { writing, ..options(AccessMode::Open) });
    let id = bench.create(&page("a", "en-us", json!({}))).await;
    let before = bench.repository.master_ref();
    assert_eq!(bench.publish().await, 1);
    assert_eq!((bench.repository.master_ref(), bench.live(&id).await), (before.clone(), Value::Null));
    // While it is under way its documents can be changed, and more of them staged.
    let put = json!({"data": {"title": title("later")}});
    bench.send(Method::PUT, &format!("migration-api/documents/{id}"), &put).await;
    let (status, _) =
        bench.send(Method::POST, "migration-api/documents", &page("a", "en-us", json!({}))).await;
    assert_eq!(status.as_u16(), 400, "its uid is taken");
    while bench.repository.master_ref() == before {
        tokio::task::yield_now().await;
    }
    assert_eq!(bench.live(&id).await["data"]["title"], json!([]));
    assert_eq!(bench.publish().await, 1);
}

#[tokio::test]
async fn links_copy_their_targets_and_broken_ones_become_whole_when_the_target_comes() {
    let link = json!({"type": "Link", "config": {"select": "document"}});
    let with_fields = json!({"type": "Link", "config": {"select": "document", "customtypes": [{"id": "page", "fields": ["name"]}]}});
    let fields = json!({"name": {"type": "Text"}, "link": link, "more": {"type": "Link", "config": {"repeat": true}}, "full": with_fields});
    let bench = pages(fields, &[]);
    let target =
        bench.create(&page("target", "en-us", json!({"title": title("Das Ziel!"), "name": "n"}))).await;
    let to = |id: &str| json!({"link_type": "Document", "id": id, "type": "ignored", "isBroken": true});
    let source = bench
        .create(&page(
            "source",
            "en-us",
            json!({"link": to(&target), "more": [to("_____broken_____"), to(&target)], "full": to(&target)}),
        ))
        .await;
    bench
        .send(
            Method::PUT,
            &format!("migration-api/documents/{source}"),
            &json!({"data": {
        "link": to(&source), "more": [to("_____broken_____"), to(&target)], "full": to(&target)}}),
        )
        .await;
    bench.publish().await;
    let live = bench.live(&source).await;
    let published = live["first_publication_date"].clone();
    assert_eq!(live["data"]["link"]["id"], source.as_str(), "to itself: {live}");
    assert_eq!(
        (&live["data"]["link"]["isBroken"], &live["data"]["link"]["uid"]),
        (&json!(false), &json!("source"))
    );
    let more = &live["data"]["more"];
    assert_eq!(more[0]["key"].as_str().unwrap().len(), 36);
    let broken = json!({"id": "_____broken_____", "link_type": "Document", "type": "broken_type", "tags": [], "lang": null,
        "slug": "-", "isBroken": true, "key": more[0]["key"]});
    assert_eq!(more[0], broken);
    let whole = json!({"id": target, "type": "page", "tags": [], "lang": "en-us", "slug": "das-ziel", "first_publication_date": published,
        "last_publication_date": published, "isBroken": false, "uid": "target", "link_type": "Document", "key": more[1]["key"]});
    assert_eq!(more[1], whole);
    assert_eq!(live["data"]["full"]["data"], json!({"name": "n"}), "the model says what comes along");
    bench.repository.remove_documents(&[&target]);
    assert_eq!(bench.live(&source).await["data"]["more"][1]["isBroken"], true);
    let early = bench.create(&page("early", "en-us", json!({"link": to(&target)}))).await;
    bench.publish().await;
    assert_eq!(bench.live(&early).await["data"]["link"]["type"], "broken_type");
}

#[tokio::test]
async fn images_and_files_get_addresses_sizes_and_texts_of_their_assets() {
    let image = json!({"type": "Image", "config": {"constraint": {"width": 20, "height": "auto"}, "thumbnails": [
        {"name": "square", "width": 10, "height": 10}, {"name": "wide", "width": 30, "height": null}]}});
    let fields = json!({"image": image, "plain": {"type": "Image"}, "file": {"type": "Link", "config": {"select": "media"}}, "none": {"type": "Image"}});
    let bench = pages(fields, &[]);
    let asset = bench.upload("Harbour at dawn.png", png(40, 30)).await;
    let id = asset["id"].as_str().unwrap();
    bench
        .send(
            Method::PATCH,
            &format!("asset-api/assets/{id}"),
            &json!({"alt": "its alt", "credits": "its credits"}),
        )
        .await;
    let pdf = bench.upload("a b.pdf", b"%PDF-1.4".to_vec()).await;
    let document = bench.create(&page("a", "en-us", json!({
        "image": {"id": id, "alt": "own", "wide": {"id": id, "edit": {"x": 4, "y": 2, "zoom": 2, "background": "#fff"}, "copyright": null}},
        "plain": {"id": id, "url": "https://elsewhere.example/x.png?auto=format&rect=1,2,20,10&w=40&h=20"},
        "file": {"link_type": "Media", "id": pdf["id"], "text": "Read"},
        "none": {},
    }))).await;
    bench.publish().await;
    let data = bench.live(&document).await["data"].clone();
    let url = asset["url"].as_str().unwrap();
    let edit = |x: f64, y: f64, zoom: f64, background: &str| (x, y, zoom, background.to_owned());
    let read = |view: &Value| {
        let number = |key: &str| view["edit"][key].as_f64().unwrap();
        let size =
            (view["dimensions"]["width"].as_u64().unwrap(), view["dimensions"]["height"].as_u64().unwrap());
        (size, edit(number("x"), number("y"), number("zoom"), view["edit"]["background"].as_str().unwrap()))
    };
    assert_eq!(read(&data["image"]), ((20, 15), edit(0.0, 0.0, 1.0, "transparent")));
    assert_eq!((&data["image"]["alt"], &data["image"]["copyright"]), (&json!("own"), &json!("its credits")));
    assert_eq!(read(&data["image"]["square"]).0, (10, 10), "cut out by itself");
    assert_eq!(data["image"]["square"]["alt"], "its alt");
    assert_eq!(read(&data["image"]["wide"]), ((30, 23), edit(4.0, 2.0, 2.0, "#fff")));
    assert_eq!(data["image"]["wide"]["copyright"], Value::Null);
    assert_eq!(
        data["plain"]["url"],
        format!("{url}&rect=1,2,20,10&w=40&h=20"),
        "the crop of the address is kept"
    );
    assert_eq!(read(&data["plain"]).0, (40, 20));
    let file = json!({"link_type": "Media", "id": pdf["id"], "name": "a b.pdf", "kind": "document", "url": pdf["url"], "size": "8", "text": "Read"});
    assert_eq!((&data["file"], &data["none"]), (&file, &json!({})));
}

#[tokio::test]
async fn empty_fields_have_the_empty_forms_of_the_content_api() {
    let fields = json!({
        "flag": {"type": "Boolean", "config": {"default_value": true}}, "number": {"type": "Number"}, "text": {"type": "Text"},
        "choice": {"type": "Select"}, "color": {"type": "Color"}, "day": {"type": "Date"}, "time": {"type": "Timestamp"},
        "rich": {"type": "StructuredText"}, "image": {"type": "Image"}, "any": {"type": "Link"},
        "relation": {"type": "Link", "config": {"select": "document"}}, "links": {"type": "Link", "config": {"repeat": true}},
        "embed": {"type": "Embed"}, "place": {"type": "GeoPoint"}, "shop": {"type": "IntegrationFields"}, "table": {"type": "Table"},
        "line": {"type": "Separator"}, "group": {"type": "Group"}, "body": {"type": "Slices"},
    });
    let bench = pages(fields, &[]);
    let id = bench
        .create(&page(
            "a",
            "en-us",
            json!({"place": {}, "embed": {}, "image": {}, "any": {"link_type": "Any"}, "text": null}),
        ))
        .await;
    bench.publish().await;
    assert_eq!(
        bench.live(&id).await["data"],
        json!({"title": [], "flag": true, "number": null, "text": null, "choice": null, "color": null, "day": null, "time": null,
            "rich": [], "image": {}, "any": {"link_type": "Any"}, "relation": {"link_type": "Document"}, "links": [], "embed": {},
            "place": {}, "shop": null, "table": null, "group": [], "body": []})
    );
}

#[tokio::test]
async fn embeds_are_fetched_again_and_times_are_in_utc() {
    let bench = pages(json!({"embed": {"type": "Embed"}, "time": {"type": "Timestamp"}}), &[]);
    let backup = json!({"embed_url": "https://v.example/1", "type": "video", "title": "as it was", "html": "<iframe>"});
    let id =
        bench.create(&page("a", "en-us", json!({"embed": backup, "time": "2023-02-20T01:12:12+0100"}))).await;
    bench.publish().await;
    let data = bench.live(&id).await["data"].clone();
    assert_eq!(
        (&data["embed"]["embed_url"], &data["embed"]["provider_name"]),
        (&json!("https://v.example/1"), &json!("v.example"))
    );
    assert_ne!(data["embed"]["title"], "as it was");
    assert_eq!(data["time"], "2023-02-20T00:12:12+0000");
}

#[tokio::test]
async fn slugs_follow_the_title_newest_first() {
    let bench = pages(json!({}), &[]);
    let id = bench.create(&page("a", "en-us", json!({"title": title("Été, one")}))).await;
    bench.publish().await;
    assert_eq!(bench.live(&id).await["slugs"], json!(["%C3%A9t%C3%A9-one"]));
    bench
        .send(
            Method::PUT,
            &format!("migration-api/documents/{id}"),
            &json!({"data": {"title": title("Two")}}),
        )
        .await;
    bench.publish().await;
    assert_eq!(bench.live(&id).await["slugs"], json!(["two", "%C3%A9t%C3%A9-one"]));
}

#[tokio::test]
async fn a_publish_that_leaves_documents_behind_leaves_them_in_the_release() {
    let bench = pages(json!({}), &[]);
    let mut ids = Vec::new();
    for number in 0..20 {
        ids.push(bench.create(&page(&format!("p{number}"), "en-us", json!({}))).await);
    }
    bench.control.set_faults(Faults { publish_leaves: 0.5, ..Faults::default() });
    assert_eq!(bench.publish().await, 20);
    let (live, left) = (bench.repository.documents().len(), bench.repository.staged().len());
    assert!(live + left == 20 && live > 2 && left > 2, "{live} and {left}");
    bench.control.set_faults(Faults::default());
    assert_eq!(bench.publish().await, left as u64);
    assert_eq!(bench.repository.documents().len(), 20);
}

#[tokio::test]
async fn documents_whose_type_went_away_meanwhile_stay_in_the_release() {
    let bench = pages(json!({}), &[]);
    let author = json!({"id": "author", "json": {"Main": {"name": {"type": "Text"}}}});
    bench.send(Method::POST, "types-api/customtypes/insert", &author).await;
    let id =
        bench.create(&json!({"title": "A", "type": "author", "lang": "en-us", "data": {"name": "A"}})).await;
    bench.create(&page("a", "en-us", json!({}))).await;
    bench.repository.remove_custom_type("author").unwrap();
    assert_eq!(bench.publish().await, 2);
    let left: Vec<String> = bench.repository.staged().into_iter().map(|staged| staged.id).collect();
    assert_eq!((left, bench.repository.documents().len()), (vec![id.clone()], 1));
    bench.send(Method::POST, "types-api/customtypes/insert", &author).await;
    bench.publish().await;
    assert_eq!(bench.live(&id).await["data"]["name"], "A");
}

#[tokio::test]
async fn a_repository_that_was_written_here_is_snapshotted_completely() {
    let fields = json!({"image": {"type": "Image"}, "file": {"type": "Link", "config": {"select": "media"}}, "link": {"type": "Link"}});
    let bench = pages(fields, &[]);
    let picture = bench.upload("a.png", png(3, 2)).await;
    let pdf = bench.upload("b.pdf", b"%PDF-1.4".to_vec()).await;
    let target = bench.create(&page("b", "en-us", json!({}))).await;
    let data = json!({"image": {"id": picture["id"]}, "file": {"link_type": "Media", "id": pdf["id"]},
        "link": {"link_type": "Document", "id": target}});
    bench.create(&page("a", "en-us", data)).await;
    bench.publish().await;
    let address = |text: &str| text.parse().unwrap();
    let target = Target {
        name: "acme".parse().unwrap(),
        space: "acme".parse().unwrap(),
        repository: "acme".to_owned(),
        endpoints: Endpoints {
            content_api: address(&bench.endpoints.content_api),
            asset_api: address(&bench.endpoints.asset_api),
            types_api: address(&bench.endpoints.types_api),
            migration_api: address(&bench.endpoints.migration_api),
        },
        access_token: None,
        write_token: Some(Secret::new(WRITE_TOKEN)),
        asset_hosts: Vec::new(),
    };
    let source = Source { server: bench.server, repository: bench.repository, target };
    let backup = Backup::in_memory(1).await;
    let manifest = backup.snapshot(&source).await.unwrap().committed.manifest;
    assert_eq!(manifest.status, Status::Complete, "{:?}", manifest.gaps);
}
