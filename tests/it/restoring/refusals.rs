//! What stands in the way is said before anything is written.

use std::collections::BTreeSet;

use prismvault::contentapi::Language;
use prismvault::sandbox::{Api, Model, RepositoryOptions};
use prismvault::secret::Secret;
use serde_json::json;

use super::{Rehearsal, bare, content, options};
use crate::backups::WRITE_TOKEN;

fn codes(plan: &prismvault::restore::repository::Plan) -> Vec<&'static str> {
    plan.refusals.iter().map(|refusal| refusal.code).collect()
}

#[tokio::test]
async fn a_target_without_a_locale_or_with_another_master_is_refused() {
    let content = content(20, 2, 41);
    let mut target = bare(&content);
    let language = |id: &str, is_master| Language { id: id.to_owned(), name: id.to_owned(), is_master };
    target.root.languages = vec![language("fr-fr", true), language("en-us", false)];
    let rehearsal = Rehearsal::into(content, target, options()).await;
    let plan = rehearsal.plan().await.unwrap();
    assert_eq!(codes(&plan), ["locale-missing", "master-locale-differs"]);
    assert!(plan.refusals[0].what.contains("de-de"), "{:?}", plan.refusals);
    rehearsal.run().await.unwrap_err();
    let writes = rehearsal.control().log().iter().filter(|request| request.method != "GET").count();
    assert_eq!(writes, 2, "only who we are was asked, by each of the two");
}

#[tokio::test]
async fn a_model_that_differs_is_refused_where_it_is_in_use() {
    let content = content(20, 2, 42);
    let mut other = content.clone();
    let model = &mut other.models.custom_types[0];
    let mut json: serde_json::Value = serde_json::from_str(&model.json).unwrap();
    json["label"] = json!("Another");
    json["json"]["More"] = json!({ "extra": { "type": "Text", "config": {} } });
    *model = Model::parse(&json.to_string()).unwrap();
    let used: BTreeSet<String> =
        other.documents.iter().map(|document| document.head.type_id().to_owned()).collect();
    assert!(used.contains(&other.models.custom_types[0].id), "the first type is in use");
    let rehearsal = Rehearsal::into(content, other, options()).await;
    let plan = rehearsal.plan().await.unwrap();
    assert!(codes(&plan).contains(&"models-differ"), "{:?}", plan.refusals);
}

#[tokio::test]
async fn a_token_without_the_migration_api_is_found_out_before_anything_is_uploaded() {
    let content = content(20, 6, 43);
    let target = bare(&content);
    let limited = (Secret::new(WRITE_TOKEN), BTreeSet::from([Api::Asset, Api::Types]));
    let options = RepositoryOptions { write_tokens: Vec::new(), limited_tokens: vec![limited], ..options() };
    let rehearsal = Rehearsal::into(content, target, options).await;
    let error = rehearsal.run().await.unwrap_err();
    assert!(error.next_step().is_some(), "{error:?}");
    assert_eq!(rehearsal.target.repository.library().assets().len(), 0);
}
