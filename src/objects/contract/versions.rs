//! Checks about versions.

use super::{Area, Check, expect, fails, works};
use crate::objects::{Body, ErrorKind, ObjectVersion, PutMode, VersionId};

/// Lists the versions below a name of the area.
pub(super) async fn list(area: &Area, name: &str) -> std::result::Result<Vec<ObjectVersion>, String> {
    works("listing versions", area.store.list_versions(&area.key(name)).await)
}

/// Returns the newest version of an object.
pub(super) async fn newest(area: &Area, name: &str) -> std::result::Result<VersionId, String> {
    let newest = list(area, name).await?.into_iter().find(|version| version.is_latest);
    newest.map(|version| version.version).ok_or_else(|| format!("{name} has no newest version"))
}

pub(super) async fn are_listed(area: &Area) -> Check {
    let store = area.unlocked()?;
    let put = |name: &str, text: &'static str| {
        let (key, store) = (area.key(name), &store);
        async move { works("a put", store.put(&key, Body::bytes(text), PutMode::Overwrite).await) }
    };
    for name in ["x/b", "x/bc", "x/b-/d", "y/b/c", "y/bc/d"] {
        put(name, "1").await?;
    }
    for (prefix, expected) in
        [("x", 3), ("x/b", 1), ("y", 2), ("y/b", 1), ("y/b/c", 1), ("y/b/c/d", 0), ("none", 0)]
    {
        expect(&format!("versions below {prefix:?}"), list(area, prefix).await?.len(), expected)?;
    }
    put("v", "1").await?;
    put("v", "22").await?;
    let keeps = store.abilities().versions;
    let mut expected = if keeps { vec![(2, true, false), (1, false, false)] } else { vec![(2, true, false)] };
    let shown = |versions: &[ObjectVersion]| -> Vec<_> {
        let show = |version: &ObjectVersion| (version.size, version.is_latest, version.is_delete_marker);
        versions.iter().map(show).collect()
    };
    let versions = list(area, "v").await?;
    expect("versions after two puts", shown(&versions), expected.clone())?;
    expect("keys of the versions", versions.iter().all(|version| version.key == area.key("v")), true)?;
    expect("a store without versions names them null", versions[0].version.is_null(), !keeps)?;
    if keeps {
        expect("versions have names of their own", versions[0].version != versions[1].version, true)?;
        expected[0].1 = false;
        expected.insert(0, (0, true, true));
    } else {
        expected.clear();
    }
    works("deleting", store.delete(&area.key("v")).await)?;
    expect("versions after a delete", shown(&list(area, "v").await?), expected)?;
    let everything = works("listing versions", store.list_versions("").await)?;
    expect("the list of everything is sorted", everything.is_sorted_by(|a, b| a.key <= b.key), true)?;
    let ours = |version: &&ObjectVersion| version.key.starts_with(&format!("{}/", area.prefix));
    expect(
        "versions of this check in the list of everything",
        everything.iter().filter(ours).count(),
        list(area, "x").await?.len() + list(area, "y").await?.len() + list(area, "v").await?.len(),
    )
}

pub(super) async fn are_read(area: &Area) -> Check {
    let store = area.unlocked()?;
    let key = area.key("read");
    let mut versions = Vec::new();
    for text in ["first", "second one"] {
        works("a put", store.put(&key, Body::bytes(text), PutMode::Overwrite).await)?;
        versions.push((newest(area, "read").await?, text));
    }
    if store.abilities().versions {
        works("deleting", store.delete(&key).await)?;
        let marker = newest(area, "read").await?;
        fails("get of a delete marker", store.get_version(&key, &marker, 9).await, ErrorKind::NotFound)?;
        fails("head of a delete marker", store.head_version(&key, &marker).await, ErrorKind::NotFound)?;
    } else {
        versions.remove(0);
    }
    for (version, text) in &versions {
        let size = text.len() as u64;
        let bytes = works("get of a version", store.get_version(&key, version, size).await)?;
        expect("bytes of a version", bytes, (*text).into())?;
        let larger = store.get_version(&key, version, size - 1).await;
        fails("get of more than allowed", larger, ErrorKind::TooLarge)?;
        let range = works("a range of a version", store.get_range_version(&key, version, 1..4).await)?;
        expect("range of a version", range, text[1..4].into())?;
        let none = works("no bytes of a version", store.get_range_version(&key, version, 2..2).await)?;
        expect("an empty range of a version", none.len(), 0)?;
        let beyond = store.get_range_version(&key, version, 0..size + 1).await;
        fails("a range beyond a version", beyond, ErrorKind::OutOfRange)?;
        let meta = works("head of a version", store.head_version(&key, version).await)?;
        expect("what head tells of a version", (meta.key.as_str(), meta.size), (key.as_str(), size))?;
        let told = store.abilities().stored_checksums.then(|| Body::bytes(*text).sha256());
        expect("checksum that head tells of a version", meta.sha256, told)?;
    }
    let (gone, _) = &versions[0];
    works("deleting a version", store.delete_version(&key, gone).await)?;
    fails("get of a deleted version", store.get_version(&key, gone, 9).await, ErrorKind::NotFound)?;
    let range = store.get_range_version(&key, gone, 0..1).await;
    fails("a range of a deleted version", range, ErrorKind::NotFound)?;
    fails("head of a deleted version", store.head_version(&key, gone).await, ErrorKind::NotFound)?;
    fails("lock of a deleted version", store.lock_of(&key, gone).await, ErrorKind::NotFound)
}

pub(super) async fn are_gone_when_deleted(area: &Area) -> Check {
    let store = area.unlocked()?;
    let key = area.key("gone");
    let mut versions = Vec::new();
    for text in ["first", "second"] {
        works("a put", store.put(&key, Body::bytes(text), PutMode::Overwrite).await)?;
        versions.push(newest(area, "gone").await?);
    }
    if store.abilities().versions {
        works("deleting", store.delete(&key).await)?;
        let marker = newest(area, "gone").await?;
        works("deleting a marker", store.delete_version(&key, &marker).await)?;
        expect("content behind the marker", area.read("gone").await?, "second".into())?;
        works("deleting the newest", store.delete_version(&key, &versions[1]).await)?;
        expect("content before the newest", area.read("gone").await?, "first".into())?;
        let names: Vec<_> = list(area, "gone").await?.into_iter().map(|version| version.version).collect();
        expect("versions left", names, versions[..1].to_vec())?;
    }
    for _ in 0..2 {
        works("deleting the last version", store.delete_version(&key, &versions[0]).await)?;
        fails("get", store.get(&key, 10).await, ErrorKind::NotFound)?;
        expect("versions left", list(area, "gone").await?, vec![])?;
    }
    works("deleting a version of what is not there", {
        store.delete_version(&area.key("never"), &VersionId::null()).await
    })
}
