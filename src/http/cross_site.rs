//! State changes that another site asked for.

use super::{Error, Request};
use crate::visitor::{Origin, is_cross_site};

/// Refuses a request that would change something and that a page of another site sent, by the rules of
/// [`is_cross_site`].
///
/// # Errors
///
/// [`Error::CrossSite`].
///
/// ```
/// use waxseal::http::{Error, Request, Response, refuse_cross_site};
///
/// fn sign_out(_: &(), request: &mut Request) -> Result<Response, Error> {
///     refuse_cross_site(request, None)?;
///     Ok(Response::redirect(303, "/"))
/// }
/// ```
pub fn refuse_cross_site(request: &Request, site: Option<&Origin>) -> Result<(), Error> {
    match is_cross_site(request.method().as_str(), request, site) {
        true => Err(Error::CrossSite),
        false => Ok(()),
    }
}
