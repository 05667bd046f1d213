//! The accept loop and the fixed pool of workers behind it.

use std::io::Write;
use std::net::{IpAddr, Ipv4Addr};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

use log::{debug, error};
use threadpool::ThreadPool;

use crate::http::{Error, Method, Request, Response, TrustedProxies};

/// Answers requests until the server is unblocked, then finishes those that were accepted.
pub(super) fn run<H>(
    server: &tiny_http::Server,
    workers: usize,
    proxies: TrustedProxies,
    handler: H,
) where
    H: Fn(&mut Request<'_>) -> Response + Send + Sync + 'static,
{
    let pool = ThreadPool::with_name("worker".to_owned(), workers);
    let handler = Arc::new(handler);
    for request in server.incoming_requests() {
        let handler = Arc::clone(&handler);
        pool.execute(move || answer(request, proxies, &*handler));
    }
    pool.join();
}

fn answer<H>(mut inner: tiny_http::Request, proxies: TrustedProxies, handler: &H)
where
    H: Fn(&mut Request<'_>) -> Response,
{
    let peer = inner.remote_addr().map_or(IpAddr::V4(Ipv4Addr::UNSPECIFIED), |peer| peer.ip());
    let method = inner.method().clone();
    let mut request = Request::new(&mut inner, peer, proxies);
    let answer = catch_unwind(AssertUnwindSafe(|| handler(&mut request)));
    let response = answer.unwrap_or_else(|_| {
        error!(request_id = request.id(); "a handler panicked");
        Error::Internal.into()
    });
    drop(request);
    if let Err(error) = send(inner, &method, &response) {
        debug!(error:% = error; "the visitor left before the answer");
    }
}

/// One write: tiny_http's writer is a buffer of 1,024 bytes that does not flush when dropped, and
/// that keeps the connection's next answer waiting as long as it is held.
fn send(inner: tiny_http::Request, method: &Method, response: &Response) -> std::io::Result<()> {
    let answer = response.render(method);
    let mut writer = inner.into_writer();
    writer.write_all(&answer)?;
    writer.flush()
}
