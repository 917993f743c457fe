//! Which operations these credentials may do, one by one.
//!
//! Nothing is concluded from one operation for another: a policy that forgets one of them is found
//! by the name of that one. Asking for what is not there counts as allowed. Some stores refuse to
//! say that something is not there to who may not list; then it cannot be told, and is not called
//! denied.

use std::fmt::Display;
use std::sync::Arc;

use super::{CheckOutcome, Permission, in_one_line};
use crate::objects::{Body, ErrorKind, ObjectStore, PutMode, StoreError, VersionId};

/// Tries each operation on an object of its own, whose key begins with `area` and a full stop.
pub(super) async fn try_each(store: &Arc<dyn ObjectStore>, area: &str) -> Vec<Permission> {
    let key = format!("{area}.permission");
    let mode = if store.abilities().create_only { PutMode::CreateOnly } else { PutMode::Overwrite };
    let write = judge("write", store.put(&key, Body::bytes("x"), mode).await);
    let replace = judge("replace", store.put(&key, Body::bytes("y"), PutMode::Overwrite).await);
    let list = judge("list", store.list(&key).await);
    // Whether "denied" could stand for "not there".
    let veiled = write.outcome != CheckOutcome::Yes && list.outcome == CheckOutcome::No;
    let unveil = |permission: Permission| match permission.outcome {
        CheckOutcome::No if veiled => Permission {
            outcome: CheckOutcome::NotAsked,
            detail:
                "cannot be told: nothing could be written, and who may not list is not told what is missing"
                    .to_owned(),
            ..permission
        },
        _ => permission,
    };
    let read = unveil(judge("read", store.get(&key, 1 << 10).await));
    let look_up = unveil(judge("look up", store.head(&key).await));
    let versions = store.list_versions(&key).await;
    let newest = versions.as_ref().ok().and_then(|all| all.iter().find(|version| version.key == key));
    let version = newest.map_or_else(VersionId::null, |newest| newest.version.clone());
    let list_versions = judge("list versions", versions);
    let delete_version = judge("delete a version", store.delete_version(&key, &version).await);
    let delete = judge("delete", store.delete(&key).await);
    vec![write, replace, read, look_up, list, list_versions, delete, delete_version]
}

fn judge<T>(operation: impl Display, result: Result<T, StoreError>) -> Permission {
    let (outcome, detail) = match result {
        Ok(_) => (CheckOutcome::Yes, String::new()),
        Err(error) => match error.kind {
            ErrorKind::NotFound | ErrorKind::AlreadyExists | ErrorKind::Locked => {
                (CheckOutcome::Yes, String::new())
            }
            ErrorKind::Denied => (CheckOutcome::No, in_one_line(&error)),
            ErrorKind::Unsupported => (CheckOutcome::NotAsked, in_one_line(&error)),
            _ => (CheckOutcome::Failed, in_one_line(&error)),
        },
    };
    Permission { operation: operation.to_string(), outcome, detail }
}
