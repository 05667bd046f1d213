//! axum on tokio's threads, with axum-extra's private cookie jar.

#![forbid(unsafe_code)]

use std::error::Error;
use std::fs;
use std::sync::Arc;

use axum::Router;
use axum::extract::{Form, FromRef, Query, State};
use axum::response::{Html, IntoResponse, Redirect, Response};
use axum::routing::{get, post};
use axum::serve::ListenerExt;
use axum_extra::extract::PrivateCookieJar;
use axum_extra::extract::cookie::{Cookie, Key};
use serde::Deserialize;
use tokio::net::TcpListener;
use tower_http::compression::CompressionLayer;
use tower_http::services::ServeDir;

const COOKIE: &str = "axum";
const LOGIN_PAGE: &str = "/public/login.html";

#[derive(Clone)]
struct App {
    key: Key,
    home: Arc<str>,
}

impl FromRef<App> for Key {
    fn from_ref(app: &App) -> Key {
        app.key.clone()
    }
}

#[derive(Deserialize)]
struct Credentials {
    username: String,
    password: String,
}

#[derive(Deserialize)]
struct Size {
    size: usize,
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let app =
        App { key: Key::generate(), home: fs::read_to_string("benches/peers/home.html")?.into() };
    let public =
        Router::new().fallback_service(ServeDir::new("static")).layer(CompressionLayer::new());
    let routes = Router::new()
        .route("/", get(home))
        .route("/login", post(login))
        .route("/fill", get(fill))
        .nest("/public", public)
        .with_state(app);
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    println!("port {}", listener.local_addr()?.port());
    // As the documentation shows: without it, an answer in two pieces waits for the client's receipt.
    let listener = listener.tap_io(|stream| {
        let _ = stream.set_nodelay(true);
    });
    axum::serve(listener, routes).await?;
    Ok(())
}

async fn home(State(app): State<App>, jar: PrivateCookieJar) -> Response {
    match jar.get(COOKIE) {
        Some(session) => {
            let name = session.value().lines().next().unwrap_or_default();
            let name = html_escape::encode_safe(name);
            Html(app.home.replace("{name}", &name)).into_response()
        }
        None => Redirect::to(LOGIN_PAGE).into_response(),
    }
}

async fn login(jar: PrivateCookieJar, Form(given): Form<Credentials>) -> Response {
    if (&*given.username, &*given.password) != ("foo", "secret") {
        return Redirect::to("/public/login.html#failed").into_response();
    }
    keep(jar, "")
}

/// Keeps so many bytes in the session.
async fn fill(jar: PrivateCookieJar, Query(Size { size }): Query<Size>) -> Response {
    keep(jar, &"v".repeat(size))
}

/// A private cookie holds one string: the name, and a value on a line of its own.
fn keep(jar: PrivateCookieJar, value: &str) -> Response {
    let cookie = Cookie::build((COOKIE, format!("foo\n{value}"))).path("/").http_only(true);
    (jar.add(cookie), Redirect::to("/")).into_response()
}
