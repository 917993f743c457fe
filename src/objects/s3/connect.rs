//! From options to a client: what is refused, and where region and credentials come from.

use std::path::PathBuf;
use std::sync::Arc;

use aws_config::environment::region::EnvironmentVariableRegionProvider;
use aws_config::meta::region::RegionProviderChain;
use aws_config::profile::ProfileFileRegionProvider;
use aws_config::{BehaviorVersion, SdkConfig};
use aws_credential_types::provider::error::CredentialsError;
use aws_credential_types::provider::{ProvideCredentials, SharedCredentialsProvider};
use aws_sdk_s3::Client;
use aws_sdk_s3::config::retry::RetryConfig;
use aws_sdk_s3::config::timeout::TimeoutConfig;
use aws_sdk_s3::config::{
    Builder, Credentials, IdentityCache, Region, RequestChecksumCalculation, ResponseChecksumValidation,
    RuntimeComponents, SharedHttpClient, StalledStreamProtectionConfig,
};
use aws_smithy_http_client::Connector;
use aws_smithy_http_client::proxy::ProxyConfig;
use aws_smithy_http_client::tls::{self, TlsContext, TrustStore};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use rustls::RootCertStore;
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject as _;

use super::credentials::{Finding, RenewedCredentials};
use super::errors::causes;
use super::{S3Credentials, S3Options};
use crate::limits::Limits;
use crate::objects::{ErrorKind, Result, StoreError};
use crate::secret::SafeUrl;

pub(super) fn place_of(options: &S3Options) -> String {
    let mut place = format!("s3://{}", options.bucket);
    if !options.prefix.is_empty() {
        place = format!("{place}/{}", options.prefix);
    }
    match &options.endpoint {
        Some(endpoint) => format!("{place} at {}", SafeUrl(endpoint).to_string().trim_end_matches('/')),
        None => place,
    }
}

pub(super) fn check_options(options: &S3Options, place: &str) -> Result<()> {
    let refuse = |why: &str| Err(StoreError::new(ErrorKind::Permanent, "open", "", &place, why));
    let bucket = options.bucket.as_bytes();
    if !(3..=63).contains(&bucket.len())
        || !bucket.iter().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'-' | b'_'))
        || !bucket[0].is_ascii_alphanumeric()
    {
        return refuse("this is not the name of a bucket");
    }
    if !options.prefix.is_empty() && !crate::objects::is_valid_key(&options.prefix) {
        return refuse("the prefix is not a valid key");
    }
    if let Some(endpoint) = &options.endpoint {
        if !matches!(endpoint.scheme(), "http" | "https") || endpoint.host_str().is_none() {
            return refuse("the endpoint is not an http or https address");
        }
        if !endpoint.username().is_empty() || endpoint.password().is_some() || endpoint.query().is_some() {
            return refuse("the endpoint may have neither user nor password nor query");
        }
    }
    Ok(())
}

/// Returns a client that sends every request once, with the timeouts of `limits`, and the
/// credentials that it renews.
pub(super) async fn client(
    options: &S3Options,
    place: &str,
    limits: &Limits,
) -> Result<(Client, Option<Arc<RenewedCredentials>>)> {
    let plain = options.endpoint.as_ref().is_some_and(|url| url.scheme() == "http");
    let fixed_credentials = options.credentials.is_some();
    // Without TLS nothing is read that only TLS needs.
    let https = match plain && fixed_credentials {
        true => aws_smithy_http_client::Builder::new().build_http(),
        false => https(&trust_store(place).await?),
    };
    let (builder, renewed) = match &options.credentials {
        Some(credentials) => {
            let region = options.region.clone().unwrap_or_else(|| "us-east-1".to_owned());
            let builder = aws_sdk_s3::Config::builder()
                .behavior_version(BehaviorVersion::latest())
                .region(Region::new(region))
                .credentials_provider(fixed(credentials));
            (builder, None)
        }
        None => {
            let (builder, renewed) = configured(options, place, https.clone()).await?;
            (builder, Some(renewed))
        }
    };
    let mut config = builder
        .http_client(if plain { aws_smithy_http_client::Builder::new().build_http() } else { https })
        .retry_config(RetryConfig::disabled())
        .timeout_config(TimeoutConfig::builder().connect_timeout(limits.connect_timeout).build())
        .stalled_stream_protection(
            StalledStreamProtectionConfig::enabled().grace_period(limits.read_timeout).build(),
        )
        // Puts carry a SHA-256 of ours; what is read is checked by the vault.
        .request_checksum_calculation(RequestChecksumCalculation::WhenRequired)
        .response_checksum_validation(ResponseChecksumValidation::WhenRequired);
    config.set_force_path_style(options.force_path_style.then_some(true));
    if let Some(endpoint) = &options.endpoint {
        config.set_endpoint_url(Some(endpoint.as_str().trim_end_matches('/').to_owned()));
    }
    Ok((Client::from_conf(config.build()), renewed))
}

/// Returns a client for `https`, by way of the proxy that the environment names (`HTTPS_PROXY`,
/// `NO_PROXY`), as other AWS tools do. An `http` endpoint is in one's own network, and asked
/// directly. TLS is 1.2 or 1.3, which is all that rustls speaks.
fn https(trust: &TrustStore) -> SharedHttpClient {
    let trust = trust.clone();
    aws_smithy_http_client::Builder::new().build_with_connector_fn(move |settings, components| {
        let mut builder = Connector::builder().proxy_config(ProxyConfig::from_env());
        builder.set_connector_settings(settings.cloned());
        builder.set_sleep_impl(components.and_then(RuntimeComponents::sleep_impl));
        let context = TlsContext::builder().with_trust_store(trust.clone()).build();
        builder
            .tls_provider(tls::Provider::Rustls(tls::rustls_provider::CryptoMode::Ring))
            .tls_context(context.expect("a context of a trust store alone is always valid"))
            .build()
    })
}

fn to_pem(certificate: &CertificateDer<'_>) -> String {
    let text = BASE64.encode(certificate);
    format!("-----BEGIN CERTIFICATE-----\n{text}\n-----END CERTIFICATE-----\n")
}

/// Returns the certificates that servers are believed by: those of the file that `AWS_CA_BUNDLE`
/// names, as in other AWS tools, else those of the system (or `SSL_CERT_FILE`, `SSL_CERT_DIR`).
///
/// The SDK panics at a file that is no good, so it is read and checked here.
async fn trust_store(place: &str) -> Result<TrustStore> {
    let Some(file) = std::env::var_os("AWS_CA_BUNDLE").filter(|file| !file.is_empty()) else {
        return Ok(TrustStore::default());
    };
    let file = PathBuf::from(file);
    let refuse = |why: &str| {
        let why = format!("AWS_CA_BUNDLE names {}, {why}", file.display());
        StoreError::new(ErrorKind::Permanent, "open", "", &place, why)
    };
    let pem = tokio::fs::read(&file).await.map_err(|err| refuse("which cannot be read").because(err))?;
    let certificates: std::result::Result<Vec<_>, _> = CertificateDer::pem_slice_iter(&pem).collect();
    let mut certificates =
        certificates.map_err(|err| refuse("which is not a file of PEM certificates").because(err))?;
    // Bundles of systems hold old ones that nothing can use any more.
    certificates.retain(|certificate| RootCertStore::empty().add(certificate.clone()).is_ok());
    if certificates.is_empty() {
        return Err(refuse("which holds no certificate that can be used"));
    }
    Ok(certificates
        .iter()
        .fold(TrustStore::empty(), |store, certificate| store.with_pem_certificate(to_pem(certificate))))
}

fn fixed(credentials: &S3Credentials) -> Credentials {
    let S3Credentials { access_key_id, secret_access_key } = credentials;
    Credentials::new(access_key_id.expose(), secret_access_key.expose(), None, None, "options")
}

/// Takes region and credentials from the usual AWS sources, and fails now when there are none.
async fn configured(
    options: &S3Options,
    place: &str,
    http_client: SharedHttpClient,
) -> Result<(Builder, Arc<RenewedCredentials>)> {
    let shared = load(options.clone(), http_client.clone()).await;
    let profile = profile_looked_for(options);
    if shared.region().is_none() {
        let why = format!(
            "no region is configured: `region` of the replica, AWS_REGION and AWS_DEFAULT_REGION are not set, and the \
             {profile} names none"
        );
        return Err(StoreError::new(ErrorKind::Unconfigured, "open", "", &place, why));
    }
    let not_found = format!(
        "no AWS credentials were found: neither AWS_ACCESS_KEY_ID with AWS_SECRET_ACCESS_KEY, nor in the {profile}, nor \
         from a container or instance role"
    );
    let again = options.clone();
    let find = move || -> Finding {
        let load = load(again.clone(), http_client.clone());
        Box::pin(async { load.await.credentials_provider() })
    };
    let clock = Arc::clone(&options.clock);
    let renewed = Arc::new(RenewedCredentials::new(shared.credentials_provider(), find, clock));
    renewed.provide_credentials().await.map_err(|err| {
        let (kind, why) = match err {
            CredentialsError::CredentialsNotLoaded(_) => (ErrorKind::Unconfigured, not_found),
            CredentialsError::InvalidConfiguration(_) => {
                (ErrorKind::Unconfigured, format!("the AWS credentials of the {profile} cannot be used"))
            }
            // Asked last of all: this is no instance that has a role.
            _ if causes(&err).contains("IMDS") => (ErrorKind::Unconfigured, not_found),
            _ => (ErrorKind::Denied, "the AWS credentials that are configured could not be had".to_owned()),
        };
        StoreError::new(kind, "open", "", &place, why).because(causes(&err))
    })?;
    let provider: Arc<dyn ProvideCredentials> = Arc::<RenewedCredentials>::clone(&renewed);
    let builder = Builder::from(&shared)
        .credentials_provider(SharedCredentialsProvider::from(provider))
        // They are kept where they can be renewed when a store refuses them.
        .identity_cache(IdentityCache::no_cache());
    Ok((builder, renewed))
}

/// Reads the AWS configuration of environment and files.
async fn load(options: S3Options, http_client: SharedHttpClient) -> SdkConfig {
    let mut loader = aws_config::defaults(BehaviorVersion::latest()).http_client(http_client);
    if let Some(profile) = &options.profile {
        loader = loader.profile_name(profile);
    }
    if let Some(region) = &options.region {
        loader = loader.region(Region::new(region.clone()));
    } else if options.endpoint.is_some() {
        // Not the whole chain: asking a cloud's metadata service takes seconds where there is none.
        let mut profile = ProfileFileRegionProvider::builder();
        if let Some(name) = &options.profile {
            profile = profile.profile_name(name);
        }
        let chain = RegionProviderChain::first_try(EnvironmentVariableRegionProvider::new())
            .or_else(profile.build())
            .or_else(Region::new("us-east-1"));
        loader = loader.region(chain);
    }
    loader.load().await
}

/// The profile that region and credentials are looked for in, and its files, as AWS tools find
/// them.
fn profile_looked_for(options: &S3Options) -> String {
    let set = |name: &str| std::env::var(name).ok().filter(|value| !value.is_empty());
    let name = options.profile.clone().or_else(|| set("AWS_PROFILE")).unwrap_or_else(|| "default".to_owned());
    let file = |variable: &str, default: &str| set(variable).unwrap_or_else(|| default.to_owned());
    format!(
        "profile {name:?} of {} and {}",
        file("AWS_CONFIG_FILE", "~/.aws/config"),
        file("AWS_SHARED_CREDENTIALS_FILE", "~/.aws/credentials")
    )
}
