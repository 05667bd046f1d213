//! The methods that a handler can be asked with.

use std::fmt;

/// A request's method. The server answers every other one with 501 (RFC 9110, section 9.1).
///
/// ```
/// use waxseal::http::Method;
///
/// assert_eq!(Method::from_name("GET"), Some(Method::Get));
/// assert_eq!(Method::from_name("get"), None, "methods are case-sensitive");
/// assert_eq!(Method::Patch.to_string(), "PATCH");
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Method {
    /// Reads.
    Get,
    /// Reads the head alone.
    Head,
    /// Does what the resource makes of the body.
    Post,
    /// Replaces the resource.
    Put,
    /// Changes a part of the resource (RFC 5789).
    Patch,
    /// Removes the resource.
    Delete,
    /// Asks what can be done.
    Options,
}

impl Method {
    const ALL: [Method; 7] = [
        Method::Get,
        Method::Head,
        Method::Post,
        Method::Put,
        Method::Patch,
        Method::Delete,
        Method::Options,
    ];

    /// The method with this name; `None` for a name of another method.
    #[must_use]
    pub fn from_name(name: &str) -> Option<Method> {
        Method::ALL.into_iter().find(|method| method.as_str() == name)
    }

    /// Its name, as it stands in a request.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Method::Get => "GET",
            Method::Head => "HEAD",
            Method::Post => "POST",
            Method::Put => "PUT",
            Method::Patch => "PATCH",
            Method::Delete => "DELETE",
            Method::Options => "OPTIONS",
        }
    }
}

impl fmt::Display for Method {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}
