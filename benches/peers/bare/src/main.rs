//! tiny_http directly on the port, in Waxseal's shape: an accept loop and `ThreadPool::execute`.
//! There are no sessions: the cookie holds the name as it is. No server to be used.

#![forbid(unsafe_code)]

use std::error::Error;
use std::fs;
use std::io::Cursor;
use std::sync::Arc;

use threadpool::ThreadPool;
use tiny_http::{Header, Method, Request, Response, Server};

/// As many as Waxseal has.
const WORKERS: usize = 8;

struct Pages {
    home: String,
    login: String,
}

fn main() -> Result<(), Box<dyn Error + Send + Sync>> {
    let pages = Arc::new(Pages {
        home: fs::read_to_string("benches/peers/home.html")?,
        login: fs::read_to_string("static/login.html")?,
    });
    let server = Server::http("127.0.0.1:0")?;
    println!("port {}", server.server_addr().to_ip().map_or(0, |address| address.port()));
    let pool = ThreadPool::new(WORKERS);
    for request in server.incoming_requests() {
        let pages = Arc::clone(&pages);
        pool.execute(move || {
            let response = answer(&pages, &request);
            // Where it fails the visitor has gone.
            let _ = request.respond(response);
        });
    }
    Ok(())
}

fn answer(pages: &Pages, request: &Request) -> Response<Cursor<Vec<u8>>> {
    match (request.method(), request.url()) {
        (Method::Get, "/") => match username(request) {
            Some(name) => html(pages.home.replace("{name}", name)),
            None => see_other("/public/login.html"),
        },
        (Method::Get, "/public/login.html") => html(pages.login.clone()),
        (Method::Post, "/login") => {
            see_other("/").with_header(header("Set-Cookie", "username=foo; Path=/; HttpOnly"))
        }
        _ => Response::from_string("").with_status_code(404),
    }
}

fn username(request: &Request) -> Option<&str> {
    let cookies = request.headers().iter().find(|header| header.field.equiv("Cookie"))?;
    cookies.value.as_str().strip_prefix("username=")
}

fn html(page: String) -> Response<Cursor<Vec<u8>>> {
    Response::from_string(page).with_header(header("Content-Type", "text/html; charset=utf-8"))
}

fn see_other(location: &str) -> Response<Cursor<Vec<u8>>> {
    Response::from_string("").with_status_code(303).with_header(header("Location", location))
}

fn header(name: &str, value: &str) -> Header {
    Header::from_bytes(name, value).expect("both are plain text")
}
