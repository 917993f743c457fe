//! Credentials that are read again when a store says that they have expired.
//!
//! The SDK keeps credentials until the time that came with them. That is not enough for a run of
//! hours: a session token in a profile file has no such time, tools replace it there, and the SDK
//! reads the file once. So the credentials are kept here. They are loaded again shortly before
//! their end, and, from the profile file on, after a store has refused them as expired. The
//! request that was refused is then repeated by the layer that repeats requests.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use aws_credential_types::Credentials;
use aws_credential_types::provider::error::CredentialsError;
use aws_credential_types::provider::{ProvideCredentials, Result, SharedCredentialsProvider, future};
use chrono::TimeDelta;
use tokio::sync::Mutex;

use crate::clock::{Clock, Timestamp};

/// Credentials this close to their end are loaded again: a large put must not outlive them.
const RENEW_BEFORE: TimeDelta = TimeDelta::minutes(1);

/// A future that finds out where credentials come from, if there are any.
pub(super) type Finding = Pin<Box<dyn Future<Output = Option<SharedCredentialsProvider>> + Send>>;

/// Credentials of the usual AWS sources.
pub(super) struct RenewedCredentials {
    find: Box<dyn Fn() -> Finding + Send + Sync>,
    clock: Arc<dyn Clock>,
    refused: AtomicBool,
    kept: Mutex<Kept>,
}

#[derive(Default)]
struct Kept {
    provider: Option<SharedCredentialsProvider>,
    credentials: Option<Credentials>,
}

impl std::fmt::Debug for RenewedCredentials {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("RenewedCredentials(…)")
    }
}

impl RenewedCredentials {
    /// Returns credentials from a provider that was found, or found again by `find`.
    pub(super) fn new(
        provider: Option<SharedCredentialsProvider>,
        find: impl Fn() -> Finding + Send + Sync + 'static,
        clock: Arc<dyn Clock>,
    ) -> Self {
        let kept = Mutex::new(Kept { provider, credentials: None });
        Self { find: Box::new(find), clock, refused: AtomicBool::new(false), kept }
    }

    /// Notes that the store refused what was kept.
    pub(super) fn refuse(&self) {
        self.refused.store(true, Ordering::Relaxed);
    }

    async fn load(&self) -> Result {
        let mut kept = self.kept.lock().await;
        if self.refused.swap(false, Ordering::Relaxed) {
            *kept = Kept::default();
        }
        let now = self.clock.now();
        if let Some(credentials) =
            kept.credentials.as_ref().filter(|kept| lasts_until(kept, now + RENEW_BEFORE))
        {
            return Ok(credentials.clone());
        }
        let provider = match &kept.provider {
            Some(provider) => provider.clone(),
            None => (self.find)().await.ok_or_else(CredentialsError::not_loaded_no_source)?,
        };
        let loaded = provider.provide_credentials().await;
        kept.provider = Some(provider);
        match (loaded, &kept.credentials) {
            (Ok(credentials), _) => {
                kept.credentials = Some(credentials.clone());
                Ok(credentials)
            }
            // Whoever gives them out may be back before these end.
            (Err(err), Some(old)) if lasts_until(old, now) => {
                tracing::debug!(error = %super::errors::causes(&err), "credentials cannot be renewed yet");
                Ok(old.clone())
            }
            (Err(err), _) => Err(err),
        }
    }
}

fn lasts_until(credentials: &Credentials, at: Timestamp) -> bool {
    credentials.expiry().is_none_or(|expiry| Timestamp::from(expiry) > at)
}

impl ProvideCredentials for RenewedCredentials {
    fn provide_credentials<'a>(&'a self) -> future::ProvideCredentials<'a>
    where
        Self: 'a,
    {
        future::ProvideCredentials::new(self.load())
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::AtomicU32;

    use super::*;
    use crate::clock::ManualClock;

    /// Gives out credentials that are numbered, and end after an hour.
    #[derive(Debug)]
    struct Numbered {
        clock: Arc<ManualClock>,
        given: Arc<AtomicU32>,
        works: Arc<AtomicBool>,
    }

    impl ProvideCredentials for Numbered {
        fn provide_credentials<'a>(&'a self) -> future::ProvideCredentials<'a>
        where
            Self: 'a,
        {
            future::ProvideCredentials::ready(if self.works.load(Ordering::Relaxed) {
                let number = self.given.fetch_add(1, Ordering::Relaxed);
                let end = self.clock.now() + TimeDelta::hours(1);
                Ok(Credentials::new(format!("key-{number}"), "secret", None, Some(end.into()), "test"))
            } else {
                Err(CredentialsError::provider_error("it is away"))
            })
        }
    }

    struct Setup {
        clock: Arc<ManualClock>,
        works: Arc<AtomicBool>,
        found: Arc<AtomicU32>,
        credentials: RenewedCredentials,
    }

    fn setup() -> Setup {
        let clock = Arc::new(ManualClock::new("2026-11-21T02:00:00Z".parse().unwrap()));
        let (works, given) = (Arc::new(AtomicBool::new(true)), Arc::new(AtomicU32::new(0)));
        let found = Arc::new(AtomicU32::new(0));
        let find = {
            let (clock, works, found) = (Arc::clone(&clock), Arc::clone(&works), Arc::clone(&found));
            move || -> Finding {
                found.fetch_add(1, Ordering::Relaxed);
                let (clock, given, works) = (Arc::clone(&clock), Arc::clone(&given), Arc::clone(&works));
                Box::pin(async { Some(SharedCredentialsProvider::new(Numbered { clock, given, works })) })
            }
        };
        let for_credentials: Arc<ManualClock> = Arc::clone(&clock);
        let credentials = RenewedCredentials::new(None, find, for_credentials);
        Setup { clock, works, found, credentials }
    }

    async fn key(credentials: &RenewedCredentials) -> std::result::Result<String, CredentialsError> {
        Ok(credentials.provide_credentials().await?.access_key_id().to_owned())
    }

    #[tokio::test]
    async fn credentials_are_kept_until_shortly_before_their_end() {
        let Setup { clock, found, credentials, .. } = setup();
        assert_eq!(key(&credentials).await.unwrap(), "key-0");
        clock.advance(TimeDelta::minutes(58));
        assert_eq!(key(&credentials).await.unwrap(), "key-0");
        clock.advance(TimeDelta::minutes(1));
        assert_eq!(key(&credentials).await.unwrap(), "key-1");
        assert_eq!(found.load(Ordering::Relaxed), 1);
    }

    #[tokio::test]
    async fn refused_credentials_are_looked_for_anew() {
        let Setup { found, credentials, .. } = setup();
        assert_eq!(key(&credentials).await.unwrap(), "key-0");
        credentials.refuse();
        assert_eq!(key(&credentials).await.unwrap(), "key-1");
        assert_eq!(key(&credentials).await.unwrap(), "key-1");
        assert_eq!(found.load(Ordering::Relaxed), 2);
    }

    #[tokio::test]
    async fn credentials_that_cannot_be_renewed_serve_until_they_end() {
        let Setup { clock, works, credentials, .. } = setup();
        assert_eq!(key(&credentials).await.unwrap(), "key-0");
        works.store(false, Ordering::Relaxed);
        clock.advance(TimeDelta::seconds(59 * 60 + 30));
        assert_eq!(key(&credentials).await.unwrap(), "key-0");
        clock.advance(TimeDelta::seconds(30));
        assert!(key(&credentials).await.is_err());
        works.store(true, Ordering::Relaxed);
        assert_eq!(key(&credentials).await.unwrap(), "key-1");
    }
}
