//! What is right on a replica that keeps several versions: small files and signed ones, where only
//! their content tells. [`SeeThroughStore`](super::see_through::SeeThroughStore) knows the rest.
//!
//! Nothing is written here.

use bytes::Bytes;

use super::error::{ErrorKind, Result, VaultError};
use super::layout;
use super::replica::Replica;
use super::see_through::Hidden;
use crate::objects::{ErrorKind as StoreKind, ObjectStore as _, ObjectVersion};

impl Replica {
    /// Objects of it that somebody hid by deleting or overwriting them, as far as they were met;
    /// sorted by key.
    pub fn hidden(&self) -> Vec<Hidden> {
        self.see_through.as_ref().map(|through| through.hidden()).unwrap_or_default()
    }

    /// Why nothing hidden can be seen there, although the store keeps versions; `None` where it can,
    /// or where there is nothing to see.
    pub fn is_blind(&self) -> Option<String> {
        self.see_through.as_ref()?.is_blind()
    }

    /// Lists all versions of everything that it holds, as [`ObjectStore::list_versions`] does, and
    /// finds out what is hidden.
    ///
    /// # Errors
    ///
    /// Those of the store.
    pub(crate) async fn all_versions(&self) -> Result<Vec<ObjectVersion>> {
        match &self.see_through {
            Some(through) => Ok(through.list_all().await?),
            None => Ok(self.store.list_versions("").await?),
        }
    }

    /// Looks anew at what hides an object.
    ///
    /// # Errors
    ///
    /// Those of the store.
    pub(crate) async fn look(&self, key: &str) -> Result<Option<Hidden>> {
        match &self.see_through {
            Some(through) => Ok(through.look(key).await?),
            None => Ok(None),
        }
    }

    /// Reads a small object that is right when `accept` takes it. What `accept` refuses may hide
    /// what it takes: then earlier versions are tried, the newest first.
    ///
    /// # Errors
    ///
    /// Those of the store; what `accept` says of the newest version when it takes none.
    pub(super) async fn find_good<T>(
        &self,
        key: &str,
        max: u64,
        accept: impl Fn(&Bytes) -> Result<T>,
    ) -> Result<Option<T>> {
        let Some(bytes) = self.find_small(key, max).await? else { return Ok(None) };
        let refusal = match accept(&bytes) {
            Ok(found) => return Ok(Some(found)),
            Err(refusal) => refusal,
        };
        let Some(through) = &self.see_through else { return Err(refusal) };
        let Ok(versions) = through.contents(key).await else { return Err(refusal) };
        for version in versions.iter().rev().skip(1) {
            if let Ok(bytes) = through.get_version(key, version, max).await
                && let Ok(found) = accept(&bytes)
            {
                through.settle(key, version).await?;
                return Ok(Some(found));
            }
        }
        Err(refusal)
    }

    /// Reads a file and its signature that `accept` takes.
    ///
    /// Where the store keeps several versions of them, the first pair that `accept` takes is the
    /// right one, the oldest before all others: signed files are written once, so whoever has a
    /// key to sign with cannot replace what was signed before.
    ///
    /// # Errors
    ///
    /// Those of the store; what `accept` says when it takes none.
    pub(super) async fn read_signed<T>(
        &self,
        key: &str,
        max: u64,
        accept: impl Fn(Bytes, Bytes) -> Result<T>,
    ) -> Result<T> {
        let signature_key = layout::signature(key);
        let newest = async {
            let bytes = self.store.get(key, max).await?;
            match self.store.get(&signature_key, max).await {
                Err(error) if error.kind == StoreKind::NotFound => {
                    Err(VaultError::damaged(key, &self.store, "its signature is missing"))
                }
                signature => Ok((bytes, signature?)),
            }
        };
        let Some(through) = &self.see_through else {
            let (bytes, signature) = newest.await?;
            return accept(bytes, signature);
        };
        let keys = [key, signature_key.as_str()];
        let of_newest = match layout::may_change(key) || !keys.iter().any(|key| through.has_several(key)) {
            true => newest.await.and_then(|(bytes, signature)| accept(bytes, signature)),
            false => Err(VaultError::damaged(key, &self.store, "none of its versions is right")),
        };
        let refusal = match of_newest {
            Err(error) if matches!(error.kind, ErrorKind::Integrity | ErrorKind::NotTrusted) => error,
            other => return other,
        };
        if layout::may_change(key) {
            return Err(refusal);
        }
        let Ok(files) = through.contents(key).await else { return Err(refusal) };
        let Ok(signatures) = through.contents(&signature_key).await else { return Err(refusal) };
        if files.len() < 2 && signatures.len() < 2 {
            return Err(refusal);
        }
        for file in &files {
            let Ok(bytes) = through.get_version(key, file, max).await else { continue };
            for signature in &signatures {
                let Ok(signed) = through.get_version(&signature_key, signature, max).await else { continue };
                if let Ok(found) = accept(bytes.clone(), signed.clone()) {
                    through.settle_same(key, file, &bytes, max).await?;
                    through.settle_same(&signature_key, signature, &signed, max).await?;
                    return Ok(found);
                }
            }
        }
        Err(refusal)
    }
}
