//! Synthetic content, with every odd shape that real repositories have, written as it was read.

use std::collections::BTreeMap;

use prismvault::contentapi::AccessMode;
use prismvault::sandbox::Content;
use prismvault::sandbox::synthetic::{SyntheticOptions, generate};
use reqwest::{Method, StatusCode};
use serde_json::{Value, json};

use super::Writing as _;
use crate::sandbox::{Bench, options};

fn synthetic() -> Content {
    let options =
        SyntheticOptions { documents: 150, assets: 30, asset_bytes: 500, ..SyntheticOptions::default() };
    generate("acme", &options).unwrap()
}

#[tokio::test]
async fn models_of_synthetic_content_are_taken() {
    let content = synthetic();
    let bench =
        Bench::new(Content { root: content.root.clone(), ..Content::default() }, options(AccessMode::Open));
    for (segment, models) in
        [("slices", &content.models.slices), ("customtypes", &content.models.custom_types)]
    {
        for model in models {
            let body: Value = serde_json::from_str(&model.json).unwrap();
            let (status, answer) =
                bench.send(Method::POST, &format!("types-api/{segment}/insert"), &body).await;
            assert_eq!(status, StatusCode::CREATED, "{} {answer}", model.id);
        }
    }
    assert_eq!(*bench.repository.models(), content.models);
}

/// Documents as the Content API gives them are taken as they are, but for images and files without the
/// id of an asset (old ones, stock photos, the oldest empty form), and for values from before their
/// model changed: a number in a text, an option that there is no more.
#[tokio::test]
async fn documents_are_refused_only_for_assets_without_id_and_values_of_older_models() {
    let content = synthetic();
    let documents = content.documents.clone();
    let without = Content { documents: Vec::new(), releases: Vec::new(), ..content };
    let bench = Bench::new(without, options(AccessMode::Open));
    let mut refusals: BTreeMap<String, usize> = BTreeMap::new();
    let mut taken = 0;
    for document in &documents {
        let mut body: Value = serde_json::from_str(&document.stored()).unwrap();
        body["title"] = "Title".into();
        let (status, answer) = bench.send(Method::POST, "migration-api/documents", &body).await;
        if status == StatusCode::CREATED {
            taken += 1;
            continue;
        }
        for detail in answer["details"].as_array().unwrap_or_else(|| panic!("{answer}")) {
            *refusals.entry(detail["error"].as_str().unwrap().to_owned()).or_insert(0) += 1;
        }
    }
    assert!(taken > documents.len() / 4, "{taken} of {} {refusals:?}", documents.len());
    let known = [
        "must have the id of an asset",
        "there is no such asset",
        "must be a text",
        "must be one of the options of the model",
    ];
    assert!(refusals.keys().all(|error| known.contains(&error.as_str())), "{refusals:?}");
    let (status, answer) =
        bench.send(Method::POST, "migration-api/migration-release/publish", &json!({})).await;
    assert_eq!((status, &answer["totalItems"]), (StatusCode::ACCEPTED, &json!(taken)));
    assert_eq!(bench.repository.documents().len(), taken);
}
