//! All pages of a search, some of them asked for at once.
//!
//! The ref of a search pins what it finds, so pages do not shift. Whether a result is whole is the
//! caller's question: the API's own count is with every page.

use futures_util::StreamExt as _;
use futures_util::stream;

use super::content::ContentApi;
use super::error::{PrismicError, Result};
use super::search::{Search, SearchPage};

impl ContentApi {
    /// Reads all pages of a search, in order, at most `at_once` of them at one time; `each` gets them
    /// one after the other.
    ///
    /// # Errors
    ///
    /// Those of [`search`](Self::search) and of `each`, which end it.
    pub async fn for_each_page<E: From<PrismicError>>(
        &self,
        search: &Search,
        at_once: usize,
        mut each: impl AsyncFnMut(SearchPage) -> Result<(), E>,
    ) -> Result<(), E> {
        let first = self.search(search).await?;
        let pages = search.page + 1..=first.total_pages;
        each(first).await?;
        let mut rest = stream::iter(pages)
            .map(|page| {
                let search = Search { page, ..search.clone() };
                async move { self.search(&search).await }
            })
            .buffered(at_once.max(1));
        while let Some(page) = rest.next().await {
            each(page?).await?;
        }
        Ok(())
    }
}
