//! tiny_http directly on the port, in the same shape: accept loop, `ThreadPool::execute`, and the
//! answer rendered into one buffer. What the front door is compared with; no server to be used.

#![forbid(unsafe_code)]

use std::error::Error;
use std::io::Write;
use std::sync::Arc;

use front_door_bench::{App, number};
use threadpool::ThreadPool;
use tiny_http::Server;
use waxseal::http::{Method, Request};

/// The product's allocator, for both.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> Result<(), Box<dyn Error + Send + Sync>> {
    let app = Arc::new(App::new().map_err(|error| error.to_string())?);
    let server = Server::http("127.0.0.1:0")?;
    println!("{}", server.server_addr().to_ip().map_or(0, |address| address.port()));
    let pool = ThreadPool::new(number("WORKER_THREADS", 4));
    for request in server.incoming_requests() {
        let app = Arc::clone(&app);
        pool.execute(move || answer(&app, request));
    }
    Ok(())
}

fn answer(app: &App, mut inner: tiny_http::Request) {
    let Some((mut request, method)) = read(&mut inner) else { return };
    let mut answer = Vec::new();
    app.answer(&mut request).render(method, &mut answer);
    let mut writer = inner.into_writer();
    // Where it fails the client has gone.
    let _ = writer.write_all(&answer).and_then(|()| writer.flush());
}

/// The request as tiny_http has parsed it.
fn read(inner: &mut tiny_http::Request) -> Option<(Request, Method)> {
    let peer = inner.remote_addr()?.ip();
    let method = Method::from_name(inner.method().as_str())?;
    let mut body = Vec::new();
    inner.as_reader().read_to_end(&mut body).ok()?;
    let mut builder = Request::builder().method(method).target(inner.url()).peer(peer).body(body);
    for header in inner.headers() {
        builder = builder.header(header.field.as_str().as_str(), header.value.as_bytes());
    }
    Some((builder.build(), method))
}
