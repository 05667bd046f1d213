//! The router: one table of functions that answer, read from top to bottom.

use super::pattern::Pattern;
use super::{Error, Method, Request, Response};

/// A function that answers a request, with the state that all of them share.
type Handler<S> = dyn Fn(&S, &mut Request) -> Result<Response, Error> + Send + Sync;

/// One row of the table: a method, a pattern of paths, and what answers, a function or a closure.
/// [`Router`] has an example.
///
/// A pattern begins with a slash. A part `:name` stands for one part of a path, whatever it is, but not
/// for an empty one: [`Request::param`] has it. A last part `*` stands for all that is below. Anything else is
/// the path itself, as it stands in requests: not decoded. A pattern is faulty without a slash at its start, with
/// two parameters of one name, or with a `*` anywhere else.
pub struct Route<S> {
    method: Method,
    pattern: Pattern,
    handler: Box<Handler<S>>,
}

macro_rules! rows {
    ($($name:ident $method:ident $what:literal)*) => {$(
        #[doc = concat!("Answers ", $what, ".")]
        ///
        /// # Panics
        ///
        /// It panics if the pattern is faulty.
        ///
        /// ```
        /// use waxseal::http::{Response, Route, Router};
        ///
        #[doc = concat!("let row: Route<()> = Route::", stringify!($name), "(\"/posts/:id\", |(), request| {")]
        ///     let id = request.param("id").unwrap_or_default();
        ///     Ok(Response::text(200, format!("{} {id}", request.method())))
        /// });
        /// # Router::new([row]);
        /// ```
        #[must_use]
        #[track_caller]
        pub fn $name(
            pattern: &'static str,
            handler: impl Fn(&S, &mut Request) -> Result<Response, Error> + Send + Sync + 'static,
        ) -> Route<S> {
            Route::new(Method::$method, pattern, Box::new(handler))
        }
    )*};
}

impl<S> Route<S> {
    rows! {
        get Get "GET, and HEAD, which gets the same without the body"
        post Post "POST"
        put Put "PUT"
        patch Patch "PATCH"
        delete Delete "DELETE"
        options Options "OPTIONS, in place of the router"
    }

    #[track_caller]
    fn new(method: Method, pattern: &'static str, handler: Box<Handler<S>>) -> Route<S> {
        match Pattern::new(pattern) {
            Ok(pattern) => Route { method, pattern, handler },
            Err(fault) => panic!("{fault}"),
        }
    }

    fn takes(&self, method: Method) -> bool {
        self.method == method || (self.method == Method::Get && method == Method::Head)
    }

    fn is_for(&self, path: &str) -> bool {
        self.pattern.params(path).is_some()
    }

    /// The row's methods as `Allow` names them.
    fn allowed(&self) -> &'static str {
        match self.method {
            Method::Get => "GET, HEAD",
            method => method.as_str(),
        }
    }
}

/// The table of all routes.
///
/// The first row that is for the path and takes the method answers, so that `/posts/new` stands above
/// `/posts/:id`. What is wrong with a table shows when it is made, and not when somebody asks for a path.
///
/// ```
/// use waxseal::http::{Error, Method, Request, Response, Route, Router};
///
/// struct Blog { name: &'static str }
///
/// fn home(blog: &Blog, _: &mut Request) -> Result<Response, Error> {
///     Ok(Response::text(200, blog.name))
/// }
///
/// fn post(_: &Blog, request: &mut Request) -> Result<Response, Error> {
///     let id: u32 = request.param("id").and_then(|id| id.parse().ok()).ok_or(Error::NotFound)?;
///     Ok(Response::text(200, format!("Post {id}")))
/// }
///
/// let greeting = String::from("Hello"); // a closure brings what it needs
/// let router = Router::new([
///     Route::get("/", home),
///     Route::get("/posts/:id", post),
///     Route::delete("/posts/:id", |_, _| Err(Error::CrossSite)),
///     Route::get("/hello/*", move |_, _| Ok(Response::text(200, greeting.clone()))),
/// ]);
///
/// // A test needs no socket.
/// let blog = Blog { name: "Wax" };
/// let body = |path: &str| {
///     let mut request = Request::builder().target(path).build();
///     router.dispatch(&blog, &mut request).map(|response| response.body().to_vec())
/// };
/// assert_eq!(body("/")?, b"Wax");
/// assert_eq!(body("/posts/7")?, b"Post 7");
/// assert_eq!(body("/hello/you")?, b"Hello");
/// assert_eq!(body("/posts/"), Err(Error::NotFound));
/// # Ok::<(), Error>(())
/// ```
pub struct Router<S> {
    routes: Vec<Route<S>>,
}

impl<S> Router<S> {
    /// A router for these rows.
    ///
    /// # Panics
    ///
    /// It panics if a row takes all requests of a row below it, which would never answer.
    ///
    /// ```should_panic
    /// use waxseal::http::{Response, Route, Router};
    ///
    /// let _: Router<()> = Router::new([
    ///     Route::get("/posts/:id", |_, _| Ok(Response::text(200, "a post"))),
    ///     Route::get("/posts/new", |_, _| Ok(Response::text(200, "a form"))), // has to stand above
    /// ]);
    /// ```
    #[must_use]
    #[track_caller]
    pub fn new(routes: impl IntoIterator<Item = Route<S>>) -> Router<S> {
        let routes: Vec<Route<S>> = routes.into_iter().collect();
        for (above, row) in routes.iter().enumerate() {
            let hides =
                |other: &&Route<S>| other.method == row.method && other.pattern.covers(row.pattern);
            if let Some(other) = routes[..above].iter().find(hides) {
                let (method, hidden) = (row.method, row.pattern.as_str());
                let hides = other.pattern.as_str();
                panic!("the route {method} {hidden:?} never answers: {hides:?} stands above it");
            }
        }
        Router { routes }
    }

    /// The answer of the first row that is for the request's path and takes its method. OPTIONS is answered
    /// here where no row does, with 204 and the methods of the path, or of all paths for `OPTIONS *`
    /// (RFC 9110, section 9.3.7).
    ///
    /// # Errors
    ///
    /// [`Error::NotFound`] where no row is for the path, [`Error::MethodNotAllowed`] where some
    /// are and take other methods, and whatever the handler says.
    ///
    /// ```
    /// use waxseal::http::{Error, Method, Request, Response, Route, Router};
    ///
    /// let router = Router::new([Route::get("/", |(), _| Ok(Response::text(200, "Hello")))]);
    /// let mut request = Request::builder().method(Method::Put).build();
    /// let error = router.dispatch(&(), &mut request).unwrap_err();
    /// assert_eq!(error, Error::MethodNotAllowed("GET, HEAD, OPTIONS".to_owned()));
    /// ```
    pub fn dispatch(&self, state: &S, request: &mut Request) -> Result<Response, Error> {
        let (method, path) = (request.method(), request.path());
        if method == Method::Options && path == "*" {
            return Ok(options(self.routes.iter()));
        }
        let found = self
            .routes
            .iter()
            .filter(|route| route.takes(method))
            .find_map(|route| route.pattern.params(path).map(|params| (route, params)));
        if let Some((route, params)) = found {
            request.set_params(params);
            return (route.handler)(state, request);
        }
        let mut here = self.routes.iter().filter(|route| route.is_for(path)).peekable();
        match method {
            _ if here.peek().is_none() => Err(Error::NotFound),
            Method::Options => Ok(options(here)),
            _ => Err(Error::MethodNotAllowed(allow(here))),
        }
    }
}

fn options<'r, S: 'r>(routes: impl Iterator<Item = &'r Route<S>>) -> Response {
    Response::empty(204).with_header("Allow", allow(routes))
}

/// The value of `Allow` for these rows.
fn allow<'r, S: 'r>(routes: impl Iterator<Item = &'r Route<S>>) -> String {
    let mut methods: Vec<&str> = Vec::new();
    for method in routes.map(Route::allowed).chain(["OPTIONS"]) {
        if !methods.contains(&method) {
            methods.push(method);
        }
    }
    methods.join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn says(text: &'static str) -> impl Fn(&(), &mut Request) -> Result<Response, Error> {
        move |(), _| Ok(Response::text(200, text))
    }

    fn show(_: &(), request: &mut Request) -> Result<Response, Error> {
        let (method, id) = (request.method(), request.param("id").unwrap_or("none"));
        Ok(Response::text(200, format!("{method} {id}")))
    }

    fn routes() -> Router<()> {
        Router::new([
            Route::get("/", says("home")),
            Route::get("/door", says("look")),
            Route::post("/door", says("open")),
            Route::get("/files/*", |(), request| {
                Ok(Response::text(200, request.path().to_owned()))
            }),
            Route::post("/only-post", says("posted")),
            Route::get("/items/new", says("form")),
            Route::get("/items/:id", show),
            Route::put("/items/:id", show),
            Route::patch("/items/:id", show),
            Route::delete("/items/:id", show),
            Route::options("/own", says("own")),
            Route::get("/own", says("got")),
        ])
    }

    fn dispatch(method: Method, path: &str) -> Result<String, Error> {
        let mut request = Request::builder().method(method).target(path).build();
        let response = routes().dispatch(&(), &mut request)?;
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
    fn each_method_has_rows_of_its_own() {
        for method in [Method::Get, Method::Head, Method::Put, Method::Patch, Method::Delete] {
            assert_eq!(dispatch(method, "/items/7?a=b").unwrap(), format!("{method} 7"));
        }
        assert_eq!(dispatch(Method::Get, "/items/new").unwrap(), "form", "the first row");
        assert_eq!(dispatch(Method::Delete, "/items/new").unwrap(), "DELETE new");
        let allow = "GET, HEAD, PUT, PATCH, DELETE, OPTIONS".to_owned();
        assert_eq!(dispatch(Method::Post, "/items/7"), Err(Error::MethodNotAllowed(allow)));
    }

    #[test]
    fn a_row_for_options_answers_in_place_of_the_router() {
        assert_eq!(dispatch(Method::Options, "/own").unwrap(), "own");
        assert_eq!(dispatch(Method::Options, "*").unwrap(), "");
        let allow = "OPTIONS, GET, HEAD".to_owned();
        assert_eq!(dispatch(Method::Post, "/own"), Err(Error::MethodNotAllowed(allow)));
    }

    #[test]
    #[should_panic(expected = "GET \"/a/b\" never answers: \"/a/:id\" stands above it")]
    fn a_row_that_never_answers_is_found() {
        let _ = Router::new([
            Route::post("/a/b", says("another method")),
            Route::get("/a/:id", says("first")),
            Route::get("/a/b", says("never")),
        ]);
    }

    #[test]
    #[should_panic(expected = "the route \"/:a/:a\" has two parameters called \"a\"")]
    fn a_faulty_pattern_is_found() {
        let _ = Route::get("/:a/:a", says("never"));
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
            let response = routes().dispatch(&(), &mut request)?;
            let allow = response.header("Allow").unwrap_or_default().to_owned();
            Ok((response.status(), allow))
        };
        let allow = |allow: &str| Ok((204, allow.to_owned()));
        assert_eq!(told("/door"), allow("GET, HEAD, POST, OPTIONS"));
        assert_eq!(told("/only-post"), allow("POST, OPTIONS"));
        assert_eq!(told("*"), allow("GET, HEAD, POST, PUT, PATCH, DELETE, OPTIONS"));
        assert_eq!(told("/x"), Err(Error::NotFound));
    }
}
