//! The thin layer for handlers: what came, what goes back, and which function answers.
//!
//! Knows nothing of sessions and nothing of pages. It has what a small site needs, and no more.
//!
//! # A site
//!
//! A handler is a function of the state that all handlers share and of one [`Request`], which is there as a whole. It
//! returns a [`Response`], or an [`Error`] that says what the visitor is told. The [`Router`] has a [`Route`] for each
//! method and pattern of paths. What all pages need stands around it, in a function: who the user is goes on with the
//! request, errors get the site's page, and all answers get the headers for security.
//!
//! ```
//! use std::sync::Mutex;
//! use waxseal::http::{Error, Form, Method, Request, Response, Route, Router, refuse_cross_site};
//!
//! struct Guestbook {
//!     router: Router<Guestbook>,
//!     entries: Mutex<Vec<String>>,
//! }
//!
//! struct User(String);
//!
//! impl Guestbook {
//!     fn new() -> Guestbook {
//!         let router = Router::new([
//!             Route::get("/", list),
//!             Route::post("/entries", add),
//!             Route::delete("/entries/:number", remove),
//!         ]);
//!         Guestbook { router, entries: Mutex::default() }
//!     }
//!
//!     fn answer(&self, request: &mut Request) -> Response {
//!         // A real site asks its session: `session.user()`.
//!         if let Some(name) = request.header("X-User").map(str::to_owned) {
//!             request.insert(User(name));
//!         }
//!         refuse_cross_site(request, None)
//!             .and_then(|()| self.router.dispatch(self, request))
//!             .unwrap_or_else(|error| error.with_headers(sorry(error.status(), &error.to_string())))
//!             .with_header("Content-Security-Policy", "default-src 'none'")
//!     }
//!
//!     fn entries(&self) -> std::sync::MutexGuard<'_, Vec<String>> {
//!         self.entries.lock().unwrap_or_else(|poisoned| poisoned.into_inner())
//!     }
//! }
//!
//! fn sorry(status: u16, why: &str) -> Response {
//!     Response::text(status, format!("Sorry. {why}"))
//! }
//!
//! fn list(book: &Guestbook, request: &mut Request) -> Result<Response, Error> {
//!     let page: usize = request.query("page").and_then(|page| page.parse().ok()).unwrap_or(0);
//!     let entries = book.entries();
//!     let shown: Vec<String> = entries.iter().skip(10 * page).take(10).cloned().collect();
//!     Ok(Response::text(200, shown.join("\n")))
//! }
//!
//! fn add(book: &Guestbook, request: &mut Request) -> Result<Response, Error> {
//!     let User(name) = request.extension().ok_or(Error::new(401, "Please sign in first."))?;
//!     let form = Form::read(request, 4096)?;
//!     let text = form.get("text").ok_or(Error::new(422, "There is no text."))?;
//!     let tags: Vec<&str> = form.all("tag").collect();
//!     book.entries().push(format!("{name}: {text} ({})", tags.join(", ")));
//!     Ok(Response::redirect(303, "/"))
//! }
//!
//! fn remove(book: &Guestbook, request: &mut Request) -> Result<Response, Error> {
//!     let number = request.param("number").and_then(|number| number.parse().ok());
//!     let mut entries = book.entries();
//!     let number = number.filter(|number| *number < entries.len()).ok_or(Error::NotFound)?;
//!     entries.remove(number);
//!     Ok(Response::empty(204))
//! }
//!
//! // A test needs no socket: neither of the whole site, nor of a handler alone.
//! let book = Guestbook::new();
//! let form = [("text", "Hello & thanks"), ("tag", "first"), ("tag", "kind")];
//! let post = || Request::builder().target("/entries").form(form);
//!
//! let refused = book.answer(&mut post().build());
//! assert_eq!((refused.status(), refused.body()), (401, &b"Sorry. Please sign in first."[..]));
//!
//! let added = book.answer(&mut post().header("X-User", "foo").build());
//! assert_eq!((added.status(), added.header("Location")), (303, Some("/")));
//!
//! let mut request = Request::builder().target("/?page=0").build();
//! assert_eq!(list(&book, &mut request)?.body(), b"foo: Hello & thanks (first, kind)");
//!
//! let mut request = Request::builder().method(Method::Delete).param("number", "7").build();
//! assert_eq!(remove(&book, &mut request).unwrap_err(), Error::NotFound);
//! # Ok::<(), Error>(())
//! ```
//!
//! [`serve`](crate::server::serve) puts it on a port; answers that the server gives itself have the site's look by
//! [`Config::rejection_pages`](crate::server::Config::rejection_pages):
//!
//! ```no_run
//! use waxseal::http::{Request, Response};
//! use waxseal::server::{Config, RejectionPages, listen, serve};
//! # struct Guestbook;
//! # impl Guestbook { fn answer(&self, _: &mut Request) -> Response { Response::empty(204) } }
//!
//! let book = Guestbook; // `Guestbook::new()`
//! let mut config = Config::new(listen(None, 5000)?);
//! config.rejection_pages = RejectionPages::new(|rejection| {
//!     Response::text(rejection.status(), format!("Sorry. {}", rejection.why()))
//! });
//! serve(config, move |request| book.answer(request))?;
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! # What it has not
//!
//! Each of these would hold a worker for as long as a client likes, or needs a server of another kind. The sessions
//! ([`crate::session`]) go with any server: beside one of these, on a port of its own, they are loaded in the same way
//! with the same keys.
//!
//! - **Streaming**, of bodies or answers, and server-sent events: a request is read as a whole before a worker has it,
//!   within [`Limits::body`](crate::server::Limits::body), and an answer is made as a whole, within
//!   [`Limits::answer`](crate::server::Limits::answer). Plain tiny_http hands out bodies as readers, and sends any
//!   reader as an answer; large files are better served by the proxy in front, or by a store of objects.
//! - **Multipart forms**, that is, uploads: rouille has `input::multipart`. Or the browser sends the file to a store of
//!   objects, under an address that a page has signed.
//! - **WebSocket**: rouille has `websocket`; tungstenite is the protocol alone, for a listener of one's own. A page
//!   that asks again every few seconds often does as well.

pub mod assets;
mod coding;
mod cross_site;
mod date;
mod error;
mod extensions;
mod form;
mod head;
mod method;
mod pattern;
mod reason;
mod request;
mod request_builder;
mod response;
mod router;

pub use cross_site::refuse_cross_site;
pub use error::Error;
pub use form::{Form, FormError};
pub use method::Method;
pub use request::Request;
pub use request_builder::RequestBuilder;
pub use response::Response;
pub use router::{Route, Router};

pub(crate) use head::{Head, Span};
pub(crate) use reason::reason_phrase;
