//! Answers: every header is ours, head and body are rendered into one buffer.

use std::borrow::Cow;
use std::io::Write;

use cookie::Cookie;

use super::Method;
use super::date::write_date;
use super::reason::reason_phrase;
use crate::session::Reply;

/// An answer.
///
/// ```
/// use waxseal::http::Response;
///
/// let response = Response::html(200, "<p>Hello").with_header("Cache-Control", "no-store");
/// assert_eq!(response.status(), 200);
/// assert_eq!(response.header("cache-control"), Some("no-store"));
/// ```
#[derive(Clone, Debug)]
pub struct Response {
    status: u16,
    headers: Vec<(&'static str, Cow<'static, str>)>,
    body: Cow<'static, [u8]>,
}

impl Response {
    /// Room for the headers of an ordinary answer.
    const HEADERS: usize = 12;

    /// An answer with a body of this content type.
    #[must_use]
    pub fn new(
        status: u16,
        content_type: impl Into<Cow<'static, str>>,
        body: impl Into<Cow<'static, [u8]>>,
    ) -> Response {
        let mut headers = Vec::with_capacity(Response::HEADERS);
        headers.push(("Content-Type", content_type.into()));
        Response { status, headers, body: body.into() }
    }

    /// An answer without a body.
    #[must_use]
    pub fn empty(status: u16) -> Response {
        let headers = Vec::with_capacity(Response::HEADERS);
        Response { status, headers, body: Cow::Borrowed(&[]) }
    }

    /// A page.
    #[must_use]
    pub fn html(status: u16, page: impl Into<Cow<'static, str>>) -> Response {
        Response::new(status, "text/html; charset=utf-8", into_bytes(page.into()))
    }

    /// Plain text.
    #[must_use]
    pub fn text(status: u16, text: impl Into<Cow<'static, str>>) -> Response {
        Response::new(status, "text/plain; charset=utf-8", into_bytes(text.into()))
    }

    /// A redirect with this status to `location`.
    #[must_use]
    pub fn redirect(status: u16, location: impl Into<Cow<'static, str>>) -> Response {
        Response::empty(status).with_header("Location", location)
    }

    /// Adds a header line.
    #[must_use]
    pub fn with_header(
        mut self,
        name: &'static str,
        value: impl Into<Cow<'static, str>>,
    ) -> Response {
        self.headers.push((name, value.into()));
        self
    }

    /// Sets a cookie, and with it `Cache-Control: no-store`: no cache may hand one visitor's cookie
    /// to another.
    #[must_use]
    pub fn with_cookie(mut self, cookie: &Cookie<'_>) -> Response {
        self.headers.retain(|(name, _)| !name.eq_ignore_ascii_case("Cache-Control"));
        self.with_header("Cache-Control", "no-store").with_header("Set-Cookie", cookie.to_string())
    }

    /// Its status.
    #[must_use]
    pub fn status(&self) -> u16 {
        self.status
    }

    /// The value of its first header line with this name.
    #[must_use]
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers(name).next()
    }

    /// The values of all its header lines with this name, in order: one for each cookie.
    ///
    /// ```
    /// use waxseal::http::Response;
    /// use waxseal::session::Cookie;
    ///
    /// let response = Response::empty(204)
    ///     .with_cookie(&Cookie::new("a", "1"))
    ///     .with_cookie(&Cookie::new("b", "2"));
    /// assert_eq!(response.headers("Set-Cookie").collect::<Vec<_>>(), ["a=1", "b=2"]);
    /// ```
    pub fn headers<'r>(&'r self, name: &str) -> impl Iterator<Item = &'r str> {
        let lines = self.headers.iter().filter(move |(found, _)| found.eq_ignore_ascii_case(name));
        lines.map(|(_, value)| &**value)
    }

    /// Its body.
    #[must_use]
    pub fn body(&self) -> &[u8] {
        &self.body
    }

    /// Appends head and body to `out`, as they go over the wire in answer to a request with
    /// `method`.
    pub fn render(&self, method: Method, out: &mut Vec<u8>) {
        self.render_head(self.body.len(), out);
        out.extend_from_slice(b"\r\n");
        if self.sends_body(method) {
            out.extend_from_slice(&self.body);
        }
    }

    /// The same in two parts, the head without the empty line at its end, but with room for `more`
    /// bytes behind it.
    pub(crate) fn into_parts(self, method: Method, more: usize) -> (Vec<u8>, Cow<'static, [u8]>) {
        let mut head = Vec::new();
        self.render_head(more, &mut head);
        let sends_body = self.sends_body(method);
        (head, if sends_body { self.body } else { Cow::Borrowed(&[]) })
    }

    /// Appends the head, without the empty line at its end, and makes room for `more` bytes.
    fn render_head(&self, more: usize, out: &mut Vec<u8>) {
        let headers: usize =
            self.headers.iter().map(|(name, value)| name.len() + value.len() + 4).sum();
        out.reserve(128 + headers + more);
        out.extend_from_slice(b"HTTP/1.1 ");
        write_decimal(out, usize::from(self.status));
        write_line(out, &[" ", reason_phrase(self.status)]);
        out.extend_from_slice(b"Date: ");
        write_date(out);
        out.extend_from_slice(b"\r\n");
        for (name, value) in &self.headers {
            write_header(out, name, value);
        }
        if self.has_body() {
            out.extend_from_slice(b"Content-Length: ");
            write_decimal(out, self.body.len());
            out.extend_from_slice(b"\r\n");
        }
    }

    /// RFC 9110, section 8.6: neither a 204 nor (for want of the representation) a 304 has one.
    fn has_body(&self) -> bool {
        !matches!(self.status, 204 | 304)
    }

    fn sends_body(&self, method: Method) -> bool {
        self.has_body() && method != Method::Head
    }
}

fn into_bytes(text: Cow<'static, str>) -> Cow<'static, [u8]> {
    match text {
        Cow::Borrowed(text) => Cow::Borrowed(text.as_bytes()),
        Cow::Owned(text) => Cow::Owned(text.into_bytes()),
    }
}

fn write_line(out: &mut Vec<u8>, parts: &[&str]) {
    parts.iter().for_each(|part| out.extend_from_slice(part.as_bytes()));
    out.extend_from_slice(b"\r\n");
}

/// A control byte in a value would end the line early (RFC 9110, section 5.5): it becomes a space.
fn write_header(out: &mut Vec<u8>, name: &str, value: &str) {
    out.extend_from_slice(name.as_bytes());
    out.extend_from_slice(b": ");
    out.extend(value.bytes().map(|byte| if byte.is_ascii_control() { b' ' } else { byte }));
    out.extend_from_slice(b"\r\n");
}

fn write_decimal(out: &mut Vec<u8>, number: usize) {
    // Writing to a Vec does not fail.
    let _ = write!(out, "{number}");
}

impl Reply for Response {
    fn status(&self) -> u16 {
        self.status
    }

    fn add_header(&mut self, name: &'static str, value: String) {
        if name == "Cache-Control" {
            self.headers.retain(|(found, _)| !found.eq_ignore_ascii_case(name));
        }
        self.headers.push((name, value.into()));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rendered(response: &Response, method: Method) -> String {
        let mut out = Vec::new();
        response.render(method, &mut out);
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn head_and_body_are_one_buffer() {
        let text = rendered(&Response::text(200, "ok"), Method::Get);
        let (head, body) = text.split_once("\r\n\r\n").unwrap();
        let lines: Vec<&str> = head.split("\r\n").collect();
        assert_eq!(lines[0], "HTTP/1.1 200 OK");
        assert!(lines[1].starts_with("Date: ") && lines[1].ends_with(" GMT"), "{}", lines[1]);
        assert_eq!(lines[2..], ["Content-Type: text/plain; charset=utf-8", "Content-Length: 2"]);
        assert_eq!(body, "ok");
    }

    #[test]
    fn an_answer_to_head_has_the_length_and_not_the_body() {
        let text = rendered(&Response::text(200, "ok"), Method::Head);
        assert!(text.ends_with("Content-Length: 2\r\n\r\n"), "{text}");
    }

    #[test]
    fn not_modified_has_neither_length_nor_body() {
        for status in [204, 304] {
            let text = rendered(&Response::empty(status), Method::Get);
            assert!(!text.contains("Content-Length"), "{text}");
        }
    }

    #[test]
    fn no_value_can_begin_another_line() {
        let response = Response::redirect(303, "/\r\nSet-Cookie: a=b\n\0c".to_owned());
        let text = rendered(&response, Method::Get);
        assert!(text.contains("Location: /  Set-Cookie: a=b  c\r\n"), "{text}");
    }

    #[test]
    fn setting_a_cookie_forbids_caching() {
        let response = Response::text(200, "ok").with_header("Cache-Control", "max-age=60");
        let response = response.with_cookie(&Cookie::new("a", "b"));
        assert_eq!(response.header("Cache-Control"), Some("no-store"));
        assert_eq!(response.header("Set-Cookie"), Some("a=b"));
    }
}
