//! Values put where they do not belong.

use prismvault::sandbox::synthetic::{Random, SyntheticOptions, generate};
use serde_json::{Value, json};

use super::Rehearsal;

/// Counts the values below one.
fn count(value: &Value) -> usize {
    1 + match value {
        Value::Array(elements) => elements.iter().map(count).sum(),
        Value::Object(members) => members.values().map(count).sum::<usize>(),
        _ => 0,
    }
}

/// Puts `other` in place of the value with this number.
fn put(value: &mut Value, number: &mut usize, other: &Value) {
    if *number == 0 {
        *value = other.clone();
    }
    let Some(left) = number.checked_sub(1) else {
        *number = usize::MAX;
        return;
    };
    *number = left;
    match value {
        Value::Array(elements) => {
            elements.iter_mut().for_each(|element| {
                if *number != usize::MAX {
                    put(element, number, other);
                }
            });
        }
        Value::Object(members) => {
            members.values_mut().for_each(|member| {
                if *number != usize::MAX {
                    put(member, number, other);
                }
            });
        }
        _ => {}
    }
}

fn others() -> Vec<Value> {
    vec![
        Value::Null,
        json!(true),
        json!(0),
        json!(-7.5),
        json!(""),
        json!("x"),
        json!("2020-01-01"),
        json!([]),
        json!([null]),
        json!([[]]),
        json!({}),
        json!([{}]),
        json!({"a": 1}),
        json!({"link_type": "Any"}),
        json!({"link_type": "Web", "url": "https://acme.example"}),
        json!({"link_type": "Document", "id": "gone"}),
        json!({"link_type": 5, "id": []}),
        json!([{"type": "paragraph", "text": "x", "spans": [{"start": 0, "end": 1, "type": "em"}]}]),
        json!({"id": "x", "url": "https://images.prismic.io/x/y.png", "dimensions": {"width": 0, "height": -1}}),
        json!({"embed_url": "ftp://x"}),
        json!({"latitude": 5, "longitude": 1000}),
        json!({"head": [], "body": {"rows": {}}}),
        json!([{"slice_type": "hero", "variation": "none"}, {"slice_type": "notice", "value": 5}]),
    ]
}

async fn defects_of(seed: u64) -> String {
    let options =
        SyntheticOptions { documents: 80, assets: 6, asset_bytes: 500, seed, ..SyntheticOptions::default() };
    let content = generate("acme", &options).unwrap();
    let (mut random, others) = (Random::new(&[seed, 99]), others());
    let documents = content.documents.iter().map(|document| {
        let mut document: Value = serde_json::from_str(&document.stored()).unwrap();
        for _ in 0..1 + random.below(6) {
            // The first is `data` itself.
            let mut number = 1 + random.below(count(&document["data"]) - 1);
            put(&mut document["data"], &mut number, random.pick(&others));
        }
        document
    });
    let documents = documents.collect();
    let mut rehearsal = Rehearsal::new(documents, content.root.clone(), content.models.clone());
    for asset in content.library.assets().iter().skip(1) {
        let item = asset.item();
        let bytes = asset.content.read(0..asset.content.len()).await.unwrap();
        rehearsal.upload(&asset.id, item["url"].as_str().unwrap(), &asset.filename, bytes.to_vec()).await;
    }
    rehearsal.write().await;
    let outcome = rehearsal.read_back().await;
    outcome.defects.concat()
}

/// Nothing that the sandbox refuses is sent, whatever a snapshot holds; and each loss is known.
#[tokio::test]
async fn nothing_is_refused_and_each_loss_is_known() {
    let mut defects = String::new();
    for seed in 1..13 {
        defects.push_str(&defects_of(seed).await);
    }
    assert!(defects.is_empty(), "{defects}");
}
