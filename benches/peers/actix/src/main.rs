//! actix-web with actix-session's cookie store, one worker a processor as it starts by itself.

#![forbid(unsafe_code)]

use std::{fs, io};

use actix_files::Files;
use actix_session::storage::CookieSessionStore;
use actix_session::{Session, SessionMiddleware};
use actix_web::cookie::Key;
use actix_web::http::header::LOCATION;
use actix_web::middleware::Compress;
use actix_web::web::{Data, Form, Query, get, post, scope};
use actix_web::{App, Error, HttpResponse, HttpServer};
use serde::Deserialize;

const LOGIN_PAGE: &str = "/public/login.html";

#[derive(Deserialize)]
struct Credentials {
    username: String,
    password: String,
}

#[derive(Deserialize)]
struct Size {
    size: usize,
}

#[actix_web::main]
async fn main() -> io::Result<()> {
    let key = Key::generate();
    let page = Data::new(fs::read_to_string("benches/peers/home.html")?);
    let server = HttpServer::new(move || {
        let sessions = SessionMiddleware::builder(CookieSessionStore::default(), key.clone())
            .cookie_secure(false)
            .build();
        App::new()
            .app_data(page.clone())
            .service(scope("/public").wrap(Compress::default()).service(Files::new("/", "static")))
            .service(
                scope("")
                    .wrap(sessions)
                    .route("/", get().to(home))
                    .route("/login", post().to(login))
                    .route("/fill", get().to(fill)),
            )
    })
    .bind("127.0.0.1:0")?;
    println!("port {}", server.addrs()[0].port());
    server.run().await
}

async fn home(session: Session, page: Data<String>) -> Result<HttpResponse, Error> {
    let Some(name) = session.get::<String>("username")? else {
        return Ok(see_other(LOGIN_PAGE));
    };
    let name = html_escape::encode_safe(&name);
    let page = page.replace("{name}", &name);
    Ok(HttpResponse::Ok().content_type("text/html; charset=utf-8").body(page))
}

async fn login(session: Session, given: Form<Credentials>) -> Result<HttpResponse, Error> {
    if (&*given.username, &*given.password) != ("foo", "secret") {
        return Ok(see_other("/public/login.html#failed"));
    }
    session.renew();
    session.insert("username", "foo")?;
    Ok(see_other("/"))
}

/// Keeps so many bytes in the session.
async fn fill(session: Session, Query(Size { size }): Query<Size>) -> Result<HttpResponse, Error> {
    session.insert("values", "v".repeat(size))?;
    Ok(see_other("/"))
}

fn see_other(location: &str) -> HttpResponse {
    HttpResponse::SeeOther().insert_header((LOCATION, location)).finish()
}
