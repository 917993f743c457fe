//! Requests about the bucket itself. What these credentials may not ask is not known; that is a fact
//! and no error.

use aws_sdk_s3::operation::get_bucket_lifecycle_configuration::GetBucketLifecycleConfigurationOutput;
use aws_sdk_s3::types::{
    BucketVersioningStatus, ExpirationStatus, LifecycleRule as Rule, NoncurrentVersionExpiration,
    ObjectLockRetentionMode, ReplicationConfiguration, ReplicationRuleStatus,
};

use super::S3Store;
use super::errors::{Call, code_of};
use crate::objects::place::{DefaultLock, Fact, LifecycleRule, PlaceFacts, Versioning};
use crate::objects::{LockMode, Result};

/// What a fact is that cannot be asked for.
fn fact<T>(asked: Result<T>) -> Fact<T> {
    match asked {
        Ok(fact) => Fact::Known(fact),
        Err(error) => Fact::NotKnown(error.in_brief().to_owned()),
    }
}

impl S3Store {
    pub(super) async fn facts(&self) -> PlaceFacts {
        PlaceFacts {
            versioning: fact(self.versioning().await),
            default_lock: fact(self.default_lock().await),
            copies_to: fact(self.copies_to().await),
            lifecycle: fact(self.lifecycle().await),
        }
    }

    async fn versioning(&self) -> Result<Versioning> {
        let call = Call::read("read the versioning of", "");
        let request = self.client.get_bucket_versioning().bucket(&self.bucket);
        let send = async { request.send().await.map_err(|err| self.failed(call, err)) };
        Ok(match self.within(call, 0, send).await?.status() {
            Some(BucketVersioningStatus::Enabled) => Versioning::Enabled,
            Some(_) => Versioning::Suspended,
            None => Versioning::Off,
        })
    }

    async fn default_lock(&self) -> Result<Option<DefaultLock>> {
        let call = Call::read("read the default lock of", "");
        let request = self.client.get_object_lock_configuration().bucket(&self.bucket);
        let send = async {
            match request.send().await {
                Ok(answer) => Ok(Some(answer)),
                Err(err) if code_of(&err) == "ObjectLockConfigurationNotFoundError" => Ok(None),
                Err(err) => Err(self.failed(call, err)),
            }
        };
        let Some(answer) = self.within(call, 0, send).await? else { return Ok(None) };
        let rule = answer.object_lock_configuration().and_then(|lock| lock.rule());
        let Some(default) = rule.and_then(|rule| rule.default_retention()) else { return Ok(None) };
        let mode = match default.mode() {
            Some(ObjectLockRetentionMode::Compliance) => LockMode::Compliance,
            _ => LockMode::Governance,
        };
        let years = i64::from(default.years().unwrap_or(0));
        Ok(Some(DefaultLock { mode, days: i64::from(default.days().unwrap_or(0)) + years * 365 }))
    }

    async fn copies_to(&self) -> Result<Vec<String>> {
        let call = Call::read("read the replication of", "");
        let request = self.client.get_bucket_replication().bucket(&self.bucket);
        let send = async {
            match request.send().await {
                Ok(answer) => Ok(Some(answer)),
                Err(err) if code_of(&err) == "ReplicationConfigurationNotFoundError" => Ok(None),
                Err(err) => Err(self.failed(call, err)),
            }
        };
        let answer = self.within(call, 0, send).await?;
        let rules = answer.as_ref().and_then(|answer| answer.replication_configuration());
        let rules = rules.map(ReplicationConfiguration::rules).unwrap_or_default();
        let on = rules.iter().filter(|rule| *rule.status() == ReplicationRuleStatus::Enabled);
        let mut buckets: Vec<String> =
            on.filter_map(|rule| Some(rule.destination()?.bucket().to_owned())).collect();
        buckets.sort();
        buckets.dedup();
        Ok(buckets)
    }

    async fn lifecycle(&self) -> Result<Vec<LifecycleRule>> {
        let call = Call::read("read the lifecycle rules of", "");
        let request = self.client.get_bucket_lifecycle_configuration().bucket(&self.bucket);
        let send = async {
            match request.send().await {
                Ok(answer) => Ok(Some(answer)),
                Err(err) if code_of(&err) == "NoSuchLifecycleConfiguration" => Ok(None),
                Err(err) => Err(self.failed(call, err)),
            }
        };
        let answer = self.within(call, 0, send).await?;
        let rules = answer.as_ref().map(GetBucketLifecycleConfigurationOutput::rules).unwrap_or_default();
        let on = rules.iter().filter(|rule| *rule.status() == ExpirationStatus::Enabled);
        Ok(on.map(understood).filter(|rule| self.concerns_us(&rule.prefix)).collect())
    }

    /// Whether keys with this beginning can be keys of this store.
    fn concerns_us(&self, prefix: &str) -> bool {
        prefix.starts_with(&self.prefix) || self.prefix.starts_with(prefix)
    }
}

fn understood(rule: &Rule) -> LifecycleRule {
    #[expect(deprecated, reason = "old rules say their prefix there")]
    let old = rule.prefix();
    let filter = rule.filter();
    let new = filter.and_then(|filter| filter.prefix().or_else(|| filter.and()?.prefix()));
    let transitions = rule.transitions().iter().filter_map(|to| to.storage_class());
    LifecycleRule {
        id: rule.id().unwrap_or("without name").to_owned(),
        prefix: new.or(old).unwrap_or_default().to_owned(),
        expires: rule
            .expiration()
            .is_some_and(|expiration| expiration.days().is_some() || expiration.date().is_some()),
        expires_hidden_after: rule
            .noncurrent_version_expiration()
            .and_then(NoncurrentVersionExpiration::noncurrent_days),
        moves_to: transitions.map(|class| class.as_str().to_owned()).collect(),
    }
}
