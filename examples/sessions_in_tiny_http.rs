//! Sessions in a program of one's own: a plain tiny_http server that counts each visitor's visits.
//!
//! ```console
//! $ env $(cargo run -q -- keygen) PORT=5000 cargo run --example sessions_in_tiny_http
//! ```

use std::env;
use std::error::Error;

use tiny_http::{Header, Request, Response, Server};
use waxseal::seal::Keyring;
use waxseal::session::{Scheme, Sessions};

fn main() -> Result<(), Box<dyn Error>> {
    // The same keys at every start, or nobody's session outlives a restart.
    let key = |name: &str| env::var(name).map_err(|_| format!("{name} is not set"));
    let authentication = key("SESSION_AUTHENTICATION_KEY")?;
    let encryption = key("SESSION_ENCRYPTION_KEY")?;
    let keyring = Keyring::new(authentication.as_bytes(), encryption.as_bytes())?;
    let sessions = Sessions::sealed(keyring);

    let port = env::var("PORT").unwrap_or_else(|_| "5000".to_owned());
    let server = Server::http(format!("127.0.0.1:{port}")).map_err(|error| error.to_string())?;
    println!("http://{}", server.server_addr());
    for request in server.incoming_requests() {
        if let Err(error) = answer(&sessions, request) {
            eprintln!("{error}");
        }
    }
    Ok(())
}

fn answer(sessions: &Sessions, request: Request) -> Result<(), Box<dyn Error>> {
    let cookies: Vec<&str> = request
        .headers()
        .iter()
        .filter(|header| header.field.equiv("Cookie"))
        .map(|header| header.value.as_str())
        .collect();
    let mut session = sessions.load(&cookies.join("; "), Scheme::Http)?;

    let visits = session.get_as("visits").unwrap_or(0_u32) + 1;
    session.insert("visits", visits)?;

    let mut response = Response::from_string(format!("Visits: {visits}\n"));
    // A cookie is set only when one is due, and then no cache may keep the answer.
    if let Some(cookie) = sessions.save(&mut session)?.cookie() {
        for line in [format!("Set-Cookie: {cookie}"), "Cache-Control: no-store".to_owned()] {
            response.add_header(line.parse::<Header>().map_err(|()| "not a header")?);
        }
    }
    Ok(request.respond(response)?)
}
