//! Header fields, of whatever server.

/// The header fields of a request, of whatever server.
///
/// Slices of pairs are: `Vec<(&str, &str)>`, say, into which any server's fields can be collected. So is
/// [`Request`](crate::http::Request), and behind the feature `http` the `HeaderMap` of that crate.
///
/// ```
/// use waxseal::visitor::Headers;
///
/// let headers = [("Host", "example.com"), ("Cookie", "a=1"), ("cookie", "b=2")];
/// assert!(headers[..].values("Cookie").eq([&b"a=1"[..], b"b=2"]));
/// ```
pub trait Headers {
    /// The values of all fields with this name, in order. Letters of either case are the same in a name.
    fn values<'h>(&'h self, name: &'h str) -> impl Iterator<Item = &'h [u8]>;
}

impl<N: AsRef<str>, V: AsRef<[u8]>> Headers for [(N, V)] {
    fn values<'h>(&'h self, name: &'h str) -> impl Iterator<Item = &'h [u8]> {
        let fields =
            self.iter().filter(move |(found, _)| found.as_ref().eq_ignore_ascii_case(name));
        fields.map(|(_, value)| value.as_ref())
    }
}

impl<N: AsRef<str>, V: AsRef<[u8]>> Headers for Vec<(N, V)> {
    fn values<'h>(&'h self, name: &'h str) -> impl Iterator<Item = &'h [u8]> {
        self.as_slice().values(name)
    }
}

#[cfg(feature = "http")]
impl Headers for http::HeaderMap {
    fn values<'h>(&'h self, name: &'h str) -> impl Iterator<Item = &'h [u8]> {
        self.get_all(name).iter().map(http::HeaderValue::as_bytes)
    }
}
