//! The pages of the answers that the server gives itself.

use std::fmt;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

use log::error;

use super::message::hides_its_end;
use super::rejection::{ALL, Rejection};
use crate::http::Response;

/// The most bytes of a page: it is sent to whoever sends nonsense.
const MOST: usize = 16 << 10;

/// A page for each [`Rejection`], in the site's own look.
///
/// Without them they are plain text. All are made at once and kept, so that no request waits for one.
///
/// ```
/// use waxseal::http::Response;
/// use waxseal::server::{Config, RejectionPages, listen};
///
/// let mut config = Config::new(listen(Some([127, 0, 0, 1].into()), 0)?);
/// config.rejection_pages = RejectionPages::new(|rejection| {
///     let page = format!("<!DOCTYPE html><title>Sorry</title><p>{rejection}.");
///     Response::html(rejection.status(), page)
///         .with_header("Content-Security-Policy", "default-src 'none'")
/// });
/// # Ok::<(), std::io::Error>(())
/// ```
#[derive(Clone)]
pub struct RejectionPages(Arc<[Response]>);

impl RejectionPages {
    /// Asks `page` for the page of each rejection.
    ///
    /// A page that does not have the status of its rejection, that is longer than 16 KiB or sets
    /// `Content-Length` or `Transfer-Encoding` itself, or at which `page` panics, is replaced by plain text, and
    /// the log says so. `Cache-Control: no-store`, `X-Content-Type-Options: nosniff`, and with 503 `Retry-After`
    /// are added where they are not set.
    #[must_use]
    pub fn new(mut page: impl FnMut(Rejection) -> Response) -> RejectionPages {
        let pages = ALL.iter().map(|&rejection| {
            // What a panic leaves behind in the closure is the program's own affair.
            let made = catch_unwind(AssertUnwindSafe(|| page(rejection))).ok();
            let usable = made.filter(|made| is_usable(made, rejection)).unwrap_or_else(|| {
                error!(rejection:%; "the page of a rejection cannot be used, and is plain text");
                plain(rejection)
            });
            with_headers(usable)
        });
        RejectionPages(pages.collect())
    }

    /// The answer with the page of `rejection`.
    pub(super) fn answer(&self, rejection: Rejection) -> Response {
        // There is a page in each place.
        self.0[rejection.place()].clone()
    }
}

impl Default for RejectionPages {
    /// Plain text.
    fn default() -> RejectionPages {
        RejectionPages::new(plain)
    }
}

impl fmt::Debug for RejectionPages {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RejectionPages").finish_non_exhaustive()
    }
}

fn plain(rejection: Rejection) -> Response {
    Response::text(rejection.status(), format!("{rejection}\n"))
}

fn is_usable(page: &Response, rejection: Rejection) -> bool {
    page.status() == rejection.status() && page.body().len() <= MOST && !hides_its_end(page)
}

fn with_headers(page: Response) -> Response {
    let mut headers = vec![("Cache-Control", "no-store"), ("X-Content-Type-Options", "nosniff")];
    if page.status() == 503 {
        headers.push(("Retry-After", "1"));
    }
    headers.retain(|(name, _)| page.header(name).is_none());
    headers.into_iter().fold(page, |page, (name, value)| page.with_header(name, value))
}

#[cfg(test)]
mod tests {
    use super::super::rejection::{BAD_HOST, BUSY, FAULT, LARGE_BODY, NO_ANSWER, NO_HOST};
    use super::*;

    #[test]
    fn a_page_is_the_site_s_own() {
        let pages = RejectionPages::new(|rejection| {
            let page = Response::html(rejection.status(), format!("<p>{}", rejection.why()));
            page.with_header("Cache-Control", "private")
        });
        let page = pages.answer(BUSY);
        assert_eq!((page.status(), page.body()), (503, &b"<p>too many requests are waiting"[..]));
        assert_eq!(page.headers("Cache-Control").collect::<Vec<_>>(), ["private"]);
        assert_eq!(page.header("X-Content-Type-Options"), Some("nosniff"));
        assert_eq!(page.header("Retry-After"), Some("1"));
        assert_eq!(pages.answer(FAULT).header("Retry-After"), None);
    }

    #[test]
    fn a_page_that_cannot_be_used_is_plain_text() {
        let pages = RejectionPages::new(|rejection| match rejection {
            NO_HOST => panic!("as asked"),
            BAD_HOST => Response::html(200, "<p>fine"),
            BUSY => Response::html(503, "<p>").with_header("content-length", "9"),
            FAULT => Response::html(500, "x".repeat(MOST + 1)),
            NO_ANSWER => Response::html(504, "x".repeat(MOST)),
            _ => Response::html(rejection.status(), "<p>"),
        });
        for rejection in [NO_HOST, BAD_HOST, BUSY, FAULT] {
            let page = pages.answer(rejection);
            assert_eq!(page.status(), rejection.status());
            assert_eq!(page.body(), format!("{rejection}\n").as_bytes());
            assert_eq!(page.header("Content-Type"), Some("text/plain; charset=utf-8"));
        }
        assert_eq!(pages.answer(NO_ANSWER).body().len(), MOST);
        assert_eq!(pages.answer(LARGE_BODY).body(), b"<p>");
    }
}
