//! Where the APIs of a repository are.

use url::Url;

/// The addresses of the four APIs of one repository.
///
/// Prismic's are given by [`Endpoints::for_repository`]; proxies, sandboxes and tests replace
/// single fields. None of them may hold a user, a password, a query or a fragment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Endpoints {
    /// Content API: `https://{repository}.cdn.prismic.io/api/v2`.
    pub content_api: Url,
    /// Asset API: `https://asset-api.prismic.io`.
    pub asset_api: Url,
    /// Types API: `https://customtypes.prismic.io`.
    pub types_api: Url,
    /// Migration API: `https://migration.prismic.io`.
    pub migration_api: Url,
}

/// What [`Endpoints::for_repository`] says about a name that Prismic cannot have given.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "{name:?} is not the name of a Prismic repository: at least four letters, digits or hyphens, \
     with a letter or digit at both ends"
)]
pub struct InvalidRepositoryName {
    name: String,
}

impl Endpoints {
    /// Returns Prismic's own addresses for a repository.
    ///
    /// # Errors
    ///
    /// When `name` cannot be a repository: it is a part of a host name, so nothing else may pass.
    pub fn for_repository(name: &str) -> Result<Self, InvalidRepositoryName> {
        check_repository_name(name)?;
        let fixed = |text: &str| Url::parse(text).expect("a constant, and valid");
        // A name such as `xn--a` has the right letters and still is no host name.
        let content_api = Url::parse(&format!("https://{name}.cdn.prismic.io/api/v2"))
            .map_err(|_| InvalidRepositoryName { name: name.to_owned() })?;
        Ok(Self {
            content_api,
            asset_api: fixed("https://asset-api.prismic.io/"),
            types_api: fixed("https://customtypes.prismic.io/"),
            migration_api: fixed("https://migration.prismic.io/"),
        })
    }
}

impl Endpoints {
    /// The address of the Content API past the delivery network, which answers for some time what was true
    /// before. Only Prismic's own host has one.
    pub fn content_origin(&self) -> Url {
        let mut origin = self.content_api.clone();
        let host = origin.host_str().and_then(|host| host.strip_suffix(".cdn.prismic.io"));
        if let Some(host) = host.map(|repository| format!("{repository}.prismic.io"))
            && origin.set_host(Some(&host)).is_err()
        {
            return self.content_api.clone();
        }
        origin
    }
}

/// Checks the name of a repository as Prismic's client does:
/// `^[a-zA-Z0-9][-a-zA-Z0-9]{2,}[a-zA-Z0-9]$`, and at most the 63 characters of a host label.
///
/// # Errors
///
/// When it is none.
pub fn check_repository_name(name: &str) -> Result<(), InvalidRepositoryName> {
    let bytes = name.as_bytes();
    let valid = (4..=63).contains(&bytes.len())
        && bytes.iter().all(|b| b.is_ascii_alphanumeric() || *b == b'-')
        && bytes.first().is_some_and(u8::is_ascii_alphanumeric)
        && bytes.last().is_some_and(u8::is_ascii_alphanumeric);
    if valid { Ok(()) } else { Err(InvalidRepositoryName { name: name.chars().take(80).collect() }) }
}

/// Returns `endpoint` with further path segments, whether or not it ends with a slash.
pub(super) fn join(endpoint: &Url, segments: &[&str]) -> Url {
    let mut url = endpoint.clone();
    url.set_query(None);
    url.set_fragment(None);
    if let Ok(mut path) = url.path_segments_mut() {
        path.pop_if_empty().extend(segments);
    }
    url
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_repository_has_four_endpoints() {
        let endpoints = Endpoints::for_repository("acme-blog").expect("a valid name");
        assert_eq!(endpoints.content_api.as_str(), "https://acme-blog.cdn.prismic.io/api/v2");
        assert_eq!(
            join(&endpoints.content_api, &["documents", "search"]).as_str(),
            "https://acme-blog.cdn.prismic.io/api/v2/documents/search"
        );
        assert_eq!(endpoints.content_origin().as_str(), "https://acme-blog.prismic.io/api/v2");
        assert_eq!(join(&endpoints.asset_api, &["assets"]).as_str(), "https://asset-api.prismic.io/assets");
    }

    #[test]
    fn a_slash_at_the_end_of_an_endpoint_changes_nothing() {
        let endpoint = Url::parse("http://127.0.0.1:1/api/v2/?x#y").expect("valid");
        assert_eq!(join(&endpoint, &["tags"]).as_str(), "http://127.0.0.1:1/api/v2/tags");
    }

    #[test]
    fn names_that_prismic_cannot_have_given_are_refused() {
        for name in [
            "",
            "abc",
            "-abcd",
            "abcd-",
            "ab.cd",
            "ab/cd",
            "acme_blog",
            "évén",
            "a b c",
            "evil.example#",
            "xn--a",
        ] {
            assert!(Endpoints::for_repository(name).is_err(), "{name}");
        }
        assert!(Endpoints::for_repository(&"a".repeat(64)).is_err());
        assert!(Endpoints::for_repository("ab12").is_ok());
    }
}
