//! Files that are part of the program.

use std::borrow::Cow;

use base64::Engine;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use percent_encoding::percent_decode_str;
use sha2::{Digest, Sha256};

use super::coding::takes_gzip;
use super::{Error, Request, Response};

/// How long a browser may use a file without asking. A page is asked for each time: it is what
/// names the others.
const MAX_AGE: &str = "max-age=3600";
/// Bytes of the content's SHA-256 that make an entity tag.
const ETAG_BYTES: usize = 16;

/// The content of a file, and its SHA-256, which makes its entity tag.
///
/// ```
/// use waxseal::http::assets::File;
///
/// let file = File::new(&b"body { color: #222 }"[..]);
/// # let _ = file;
/// ```
#[derive(Clone, Debug)]
pub struct File {
    content: Cow<'static, [u8]>,
    sha256: [u8; 32],
}

impl File {
    /// A file with this content.
    pub fn new(content: impl Into<Cow<'static, [u8]>>) -> File {
        let content = content.into();
        File { sha256: Sha256::digest(&content).into(), content }
    }

    /// The same where the hash is known already, as rust-embed has it.
    pub fn with_sha256(content: impl Into<Cow<'static, [u8]>>, sha256: [u8; 32]) -> File {
        File { content: content.into(), sha256 }
    }
}

/// The file at `path` (percent-encoded, relative to a folder whose files `get` finds by their names), or 304 where
/// the visitor has it already. Its media type goes by the end of its name.
///
/// If the folder also holds the file's gzipped twin, `style.css.gz` beside `style.css`, whoever
/// takes gzip gets that one, with an entity tag of its own.
///
/// # Errors
///
/// [`Error::NotFound`] for whatever is no file of the folder, however the path is written.
///
/// ```
/// use waxseal::http::{Error, Request, Response, assets};
///
/// /// The files of a folder; with rust-embed, `Folder::get(name)` finds them.
/// fn get(name: &str) -> Option<assets::File> {
///     (name == "style.css").then(|| assets::File::new(&b"body { color: #222 }"[..]))
/// }
///
/// fn public(_: &(), request: &mut Request) -> Result<Response, Error> {
///     let path = request.path().strip_prefix("/public/").ok_or(Error::NotFound)?;
///     assets::serve(request, path, get)
/// }
///
/// let mut request = Request::builder().target("/public/style.css").build();
/// let response = public(&(), &mut request)?;
/// assert_eq!(response.header("Content-Type"), Some("text/css; charset=utf-8"));
/// # Ok::<(), Error>(())
/// ```
pub fn serve(
    request: &Request,
    path: &str,
    get: impl Fn(&str) -> Option<File>,
) -> Result<Response, Error> {
    let name = name(path)?;
    let plain = get(&name).ok_or(Error::NotFound)?;
    let content_type = content_type(&name);
    let caching = if content_type.starts_with("text/html") { "no-cache" } else { MAX_AGE };
    let twin = get(&format!("{name}.gz"));
    let has_twin = twin.is_some();
    let gzipped = twin.filter(|_| takes_gzip(request.headers("Accept-Encoding")));
    let is_gzipped = gzipped.is_some();

    let file = gzipped.unwrap_or(plain);
    let etag = entity_tag(&file.sha256);
    let mut response = on_conditions(request, &etag, || {
        let response = Response::new(200, content_type, file.content);
        if is_gzipped { response.with_header("Content-Encoding", "gzip") } else { response }
    });
    if has_twin {
        // On each answer, or a cache takes the first that it sees for the only one.
        response = response.with_header("Vary", "Accept-Encoding");
    }
    Ok(response.with_header("Cache-Control", caching).with_header("ETag", etag))
}

/// The name of the file at `path`, decoded: the same for every way to write it.
///
/// # Errors
///
/// [`Error::NotFound`] for whatever lies outside of a folder.
///
/// ```
/// use waxseal::http::assets;
///
/// assert_eq!(assets::name("%6cogin%2Ehtml").as_deref(), Ok("login.html"));
/// assert!(assets::name("..%2fsecret").is_err());
/// ```
pub fn name(path: &str) -> Result<Cow<'_, str>, Error> {
    let name = percent_decode_str(path).decode_utf8().map_err(|_| Error::NotFound)?;
    if is_inside(&name) { Ok(name) } else { Err(Error::NotFound) }
}

/// A page that the program writes, as if it were a file: the same text has the same entity tag.
#[must_use]
pub fn page(request: &Request, page: String) -> Response {
    let etag = entity_tag(&Sha256::digest(&page).into());
    let response = on_conditions(request, &etag, || Response::html(200, page));
    response.with_header("Cache-Control", "no-cache").with_header("ETag", etag)
}

/// 412 where the visitor asks for another version, 304 where the visitor has this one already: in the order of
/// RFC 9110, section 13.2.2. There is no modification date, so that `If-Unmodified-Since` and
/// `If-Modified-Since` are ignored, as sections 13.1.3 and 13.1.4 say.
fn on_conditions(request: &Request, etag: &str, response: impl FnOnce() -> Response) -> Response {
    let mut wanted = request.headers("If-Match").peekable();
    if wanted.peek().is_some() && !wanted.any(|tags| names(tags, etag, Comparison::Strong)) {
        return Response::text(412, "This version does not exist any more.\n");
    }
    let mut known = request.headers("If-None-Match");
    if known.any(|tags| names(tags, etag, Comparison::Weak)) {
        return Response::empty(304);
    }
    response()
}

/// Whether each part of `path` is a plain name: nothing that climbs, hides or has another meaning
/// on some platform.
fn is_inside(path: &str) -> bool {
    let plain = |part: &str| {
        !part.is_empty() && !part.starts_with('.') && !part.contains(['\\', ':', '\0'])
    };
    path.split('/').all(plain)
}

fn entity_tag(hash: &[u8; 32]) -> String {
    format!("\"{}\"", BASE64_URL_SAFE_NO_PAD.encode(&hash[..ETAG_BYTES]))
}

/// How entity tags are compared (RFC 9110, section 8.8.3.2).
#[derive(Clone, Copy)]
enum Comparison {
    /// A weak tag is like no other.
    Strong,
    Weak,
}

/// Whether a list of entity tags names this one, which is strong.
fn names(tags: &[u8], etag: &str, comparison: Comparison) -> bool {
    let is_this = |tag: &[u8]| match comparison {
        Comparison::Strong => tag == etag.as_bytes(),
        Comparison::Weak => tag.strip_prefix(b"W/").unwrap_or(tag) == etag.as_bytes(),
    };
    let mut tags = tags.split(|&byte| byte == b',').map(<[u8]>::trim_ascii);
    tags.any(|tag| tag == b"*" || is_this(tag))
}

fn content_type(name: &str) -> String {
    let media_type = mime_guess::from_path(name).first_raw().unwrap_or("application/octet-stream");
    let charset = if media_type.starts_with("text/") { "; charset=utf-8" } else { "" };
    format!("{media_type}{charset}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_plain_names_are_inside() {
        for inside in ["login.html", "a/b.css", "a..b", "ü.txt"] {
            assert!(is_inside(inside), "{inside}");
        }
        for outside in [
            "",
            "/",
            "/etc/passwd",
            "../Cargo.toml",
            "a/../b",
            "a/./b",
            "a//b",
            "a/",
            ".env",
            "a/.git",
            "..\\Cargo.toml",
            "C:\\x",
            "a\0b",
        ] {
            assert!(!is_inside(outside), "{outside}");
        }
    }

    #[test]
    fn entity_tags_compare_strongly_and_weakly() {
        let named = |tags: &str| {
            [Comparison::Strong, Comparison::Weak].map(|by| names(tags.as_bytes(), "\"x\"", by))
        };
        for tags in ["\"x\"", "\"y\", \"x\"", "*"] {
            assert_eq!(named(tags), [true, true], "{tags}");
        }
        for tags in ["W/\"x\"", "\"y\",W/\"x\""] {
            assert_eq!(named(tags), [false, true], "{tags}");
        }
        for tags in ["", "x", "\"xx\"", "\"y\"", "w/\"x\""] {
            assert_eq!(named(tags), [false, false], "{tags}");
        }
    }
}
