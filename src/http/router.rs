//! The router: one table of functions that answer, read from top to bottom.

use super::{Error, Method, Request, Response};

/// The methods that a row takes.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Verb {
    Get,
    Post,
}

impl Verb {
    fn takes(self, method: Method) -> bool {
        match self {
            Verb::Get => matches!(method, Method::Get | Method::Head),
            Verb::Post => method == Method::Post,
        }
    }

    /// The methods as `Allow` names them.
    fn allowed(self) -> &'static str {
        match self {
            Verb::Get => "GET, HEAD",
            Verb::Post => "POST",
        }
    }
}

/// A function that answers a request, with the state that all of them share. [`Router`] has an
/// example.
pub type Handler<S> = fn(&S, &mut Request) -> Result<Response, Error>;

/// One row of the table. [`Router`] has an example.
pub struct Route<S> {
    verb: Verb,
    path: &'static str,
    handler: Handler<S>,
}

impl<S> Route<S> {
    /// Answers GET, and HEAD, which gets the same without the body.
    #[must_use]
    pub const fn get(path: &'static str, handler: Handler<S>) -> Route<S> {
        Route { verb: Verb::Get, path, handler }
    }

    /// Answers POST.
    #[must_use]
    pub const fn post(path: &'static str, handler: Handler<S>) -> Route<S> {
        Route { verb: Verb::Post, path, handler }
    }

    /// Whether the row is for `path`: the same path, or, for a row that ends in `/*`, one below.
    fn is_for(&self, path: &str) -> bool {
        match self.path.strip_suffix('*') {
            Some(folder) => path.starts_with(folder),
            None => self.path == path,
        }
    }
}

/// The table of all routes.
///
/// ```
/// use waxseal::http::{Error, Request, Response, Route, Router};
///
/// struct Shop { name: &'static str }
///
/// fn home(shop: &Shop, _request: &mut Request) -> Result<Response, Error> {
///     Ok(Response::text(200, shop.name))
/// }
///
/// static ROUTES: Router<Shop> = Router::new(&[
///     Route::get("/", home),
///     Route::get("/about/*", |_, request| Ok(Response::text(200, request.path().to_owned()))),
/// ]);
/// ```
pub struct Router<S: 'static> {
    routes: &'static [Route<S>],
}

impl<S> Router<S> {
    /// A router for these rows.
    #[must_use]
    pub const fn new(routes: &'static [Route<S>]) -> Router<S> {
        Router { routes }
    }

    /// The answer of the first row that is for the request's path and takes its method. OPTIONS is answered
    /// here, with 204 and the methods of the path, or of all paths for `OPTIONS *` (RFC 9110, section 9.3.7).
    ///
    /// # Errors
    ///
    /// [`Error::NotFound`] where no row is for the path, [`Error::MethodNotAllowed`] where some
    /// are and take other methods, and whatever the handler says.
    pub fn dispatch(&self, state: &S, request: &mut Request) -> Result<Response, Error> {
        let (method, path) = (request.method(), request.path());
        let is_all = method == Method::Options && path == "*";
        let here = || self.routes.iter().filter(|route| is_all || route.is_for(path));
        match here().find(|route| route.verb.takes(method)) {
            Some(route) => (route.handler)(state, request),
            None if here().next().is_none() => Err(Error::NotFound),
            None if method == Method::Options => {
                Ok(Response::empty(204).with_header("Allow", allow(here())))
            }
            None => Err(Error::MethodNotAllowed(allow(here()))),
        }
    }
}

/// The value of `Allow` for these rows.
fn allow<'r, S: 'static>(routes: impl Iterator<Item = &'r Route<S>>) -> String {
    let mut methods: Vec<&str> = Vec::new();
    for verb in routes.map(|route| route.verb.allowed()).chain(["OPTIONS"]) {
        if !methods.contains(&verb) {
            methods.push(verb);
        }
    }
    methods.join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;

    static ROUTES: Router<()> = Router::new(&[
        Route::get("/", |(), _| Ok(Response::text(200, "home"))),
        Route::get("/door", |(), _| Ok(Response::text(200, "look"))),
        Route::post("/door", |(), _| Ok(Response::text(200, "open"))),
        Route::get("/files/*", |(), request| Ok(Response::text(200, request.path().to_owned()))),
        Route::post("/only-post", |(), _| Ok(Response::text(200, "posted"))),
    ]);

    fn dispatch(method: Method, path: &str) -> Result<String, Error> {
        let mut request = Request::builder().method(method).target(path).build();
        let response = ROUTES.dispatch(&(), &mut request)?;
        Ok(String::from_utf8(response.body().to_vec()).unwrap())
    }

    #[test]
    fn the_row_with_path_and_method_answers() {
        assert_eq!(dispatch(Method::Get, "/").unwrap(), "home");
        assert_eq!(dispatch(Method::Get, "/door?x=1").unwrap(), "look");
        assert_eq!(dispatch(Method::Post, "/door").unwrap(), "open");
        assert_eq!(dispatch(Method::Get, "/files/a/b").unwrap(), "/files/a/b");
    }

    #[test]
    fn head_is_answered_by_get() {
        assert_eq!(dispatch(Method::Head, "/door").unwrap(), "look");
    }

    #[test]
    fn an_unknown_path_is_not_found() {
        for path in ["", "/x", "//", "/door/", "/files", "*", "http://a/"] {
            assert_eq!(dispatch(Method::Get, path), Err(Error::NotFound), "{path}");
        }
    }

    #[test]
    fn a_method_that_the_path_has_not_is_told_which_it_has() {
        let allow = |allow: &str| Err(Error::MethodNotAllowed(allow.to_owned()));
        assert_eq!(dispatch(Method::Delete, "/door"), allow("GET, HEAD, POST, OPTIONS"));
        assert_eq!(dispatch(Method::Post, "/"), allow("GET, HEAD, OPTIONS"));
        assert_eq!(dispatch(Method::Head, "/only-post"), allow("POST, OPTIONS"));
    }

    #[test]
    fn options_are_told_without_a_handler() {
        let told = |path: &str| {
            let mut request = Request::builder().method(Method::Options).target(path).build();
            let response = ROUTES.dispatch(&(), &mut request)?;
            let allow = response.header("Allow").unwrap_or_default().to_owned();
            Ok((response.status(), allow))
        };
        let allow = |allow: &str| Ok((204, allow.to_owned()));
        assert_eq!(told("/door"), allow("GET, HEAD, POST, OPTIONS"));
        assert_eq!(told("/only-post"), allow("POST, OPTIONS"));
        assert_eq!(told("*"), allow("GET, HEAD, POST, OPTIONS"));
        assert_eq!(told("/x"), Err(Error::NotFound));
    }
}
