//! A posted form: `application/x-www-form-urlencoded`, small, whole, or an error.

use std::fmt;

use percent_encoding::percent_decode;

use super::Request;

/// The fields of a form, in order. [`Form::parse`] has an example.
pub struct Form(Vec<(String, String)>);

impl Form {
    /// Reads the form that `request` carries, of `limit` bytes at most.
    ///
    /// # Errors
    ///
    /// [`FormError`] says which answer is due.
    ///
    /// ```
    /// use waxseal::http::{Error, Form, Request, Response};
    ///
    /// fn greet(_: &(), request: &mut Request) -> Result<Response, Error> {
    ///     let form = Form::read(request, 1024)?; // what goes wrong is answered by `Error`
    ///     Ok(Response::text(200, format!("Hello {}", form.get("name").unwrap_or("you"))))
    /// }
    /// ```
    pub fn read(request: &Request, limit: usize) -> Result<Form, FormError> {
        if request.body().len() > limit {
            return Err(FormError::TooLarge);
        }
        if !request.header("Content-Type").is_some_and(is_form) {
            return Err(FormError::WrongType);
        }
        Form::parse(request.body())
    }

    /// The form in `body`.
    ///
    /// # Errors
    ///
    /// [`FormError::Undecodable`] where a `%` begins no escape, or the text is not UTF-8.
    ///
    /// ```
    /// use waxseal::http::{Form, FormError};
    ///
    /// let form = Form::parse(b"username=foo&password=a+%26+b&username=bar")?;
    /// assert_eq!(form.get("username"), Some("foo"));
    /// assert_eq!(form.get("password"), Some("a & b"));
    /// assert_eq!(form.get("remember"), None);
    /// assert!(Form::parse(b"a=%zz").is_err());
    /// # Ok::<(), FormError>(())
    /// ```
    pub fn parse(body: &[u8]) -> Result<Form, FormError> {
        // form_urlencoded replaces what it cannot decode; a password must not be replaced.
        if !escapes_are_whole(body) || percent_decode(body).decode_utf8().is_err() {
            return Err(FormError::Undecodable);
        }
        Ok(Form(form_urlencoded::parse(body).into_owned().collect()))
    }

    /// The value of the first field called `name`.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<&str> {
        self.all(name).next()
    }

    /// The values of all fields called `name`, in order: a checkbox each, or the chosen options of a list.
    ///
    /// ```
    /// use waxseal::http::{Form, FormError};
    ///
    /// let form = Form::parse(b"tag=red&name=foo&tag=blue")?;
    /// assert_eq!(form.all("tag").collect::<Vec<_>>(), ["red", "blue"]);
    /// assert_eq!(form.all("size").count(), 0);
    /// # Ok::<(), FormError>(())
    /// ```
    pub fn all<'f>(&'f self, name: &str) -> impl Iterator<Item = &'f str> {
        self.0.iter().filter(move |(found, _)| found == name).map(|(_, value)| value.as_str())
    }
}

impl fmt::Debug for Form {
    /// The names alone: a value may be a password.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.0.iter().map(|(name, _)| name)).finish()
    }
}

/// Whether a content type is a form's, whatever its parameters.
fn is_form(content_type: &str) -> bool {
    let essence = content_type.split(';').next().unwrap_or_default();
    essence.trim().eq_ignore_ascii_case("application/x-www-form-urlencoded")
}

fn escapes_are_whole(body: &[u8]) -> bool {
    let mut after_percent = body.split(|&byte| byte == b'%').skip(1);
    after_percent.all(|rest| rest.len() >= 2 && rest[..2].iter().all(u8::is_ascii_hexdigit))
}

/// Why a form was not taken.
///
/// ```
/// use waxseal::http::{Form, FormError};
///
/// let error = Form::parse(b"name=100%").unwrap_err();
/// assert_eq!((error, error.status()), (FormError::Undecodable, 400));
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum FormError {
    /// Larger than allowed here: 413.
    TooLarge,
    /// Another content type, or none: 415.
    WrongType,
    /// Not UTF-8, or with a `%` that begins no escape: 400.
    Undecodable,
}

impl FormError {
    /// The status that answers it.
    #[must_use]
    pub fn status(self) -> u16 {
        match self {
            FormError::TooLarge => 413,
            FormError::WrongType => 415,
            FormError::Undecodable => 400,
        }
    }
}

impl fmt::Display for FormError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            FormError::TooLarge => "The form was larger than this site accepts.",
            FormError::WrongType => "The form came in a format that this site does not read.",
            FormError::Undecodable => "The form could not be read. Please go back and try again.",
        })
    }
}

impl std::error::Error for FormError {}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn what_cannot_be_decoded_is_refused() {
        for body in
            ["%", "a=%", "a=%4", "a=%4&b", "%zz", "a=%C3", "a=%C3&b=%A9", "a=%+1", "\u{0}%FF"]
        {
            assert_eq!(Form::parse(body.as_bytes()).unwrap_err(), FormError::Undecodable, "{body}");
        }
        assert_eq!(Form::parse(b"a=\xff").unwrap_err(), FormError::Undecodable);
    }

    #[test]
    fn what_browsers_send_is_taken() {
        let form = Form::parse("a=&=b&c&d=1=2&e=%F0%9F%A6%80+%25&f=\u{e9}".as_bytes()).unwrap();
        let value = |name| form.get(name);
        assert_eq!([value("a"), value(""), value("c")], [Some(""), Some("b"), Some("")]);
        assert_eq!([value("d"), value("e"), value("f")], [Some("1=2"), Some("🦀 %"), Some("é")]);
        assert!(Form::parse(b"").is_ok());
    }

    #[test]
    fn content_types_are_told_by_their_essence() {
        for form in [
            "application/x-www-form-urlencoded",
            " Application/X-WWW-Form-Urlencoded ; charset=UTF-8",
        ] {
            assert!(is_form(form));
        }
        for other in
            ["", "text/plain", "multipart/form-data", "application/x-www-form-urlencoded-2"]
        {
            assert!(!is_form(other));
        }
    }

    #[test]
    fn debug_shows_no_value() {
        let form = Form::parse(b"password=hunter2").unwrap();
        assert_eq!(format!("{form:?}"), r#"["password"]"#);
    }

    proptest! {
        #[test]
        fn what_is_serialized_is_read(pairs: Vec<(String, String)>) {
            let body = form_urlencoded::Serializer::new(String::new()).extend_pairs(&pairs).finish();
            prop_assert_eq!(Form::parse(body.as_bytes()).unwrap().0, pairs);
        }

        #[test]
        fn no_bytes_panic(body: Vec<u8>) {
            let _ = Form::parse(&body);
        }
    }
}
