//! Sessions in rouille, kept in Redis: people sign in, and see it on every process.
//!
//! ```console
//! $ env $(cargo run -q -- keygen) REDIS_URL=redis://127.0.0.1 \
//!     cargo run --example rouille_and_redis --features redis
//! ```

use std::env;
use std::error::Error;

use rouille::{Request, Response, post_input, router, try_or_400};
use waxseal::seal::Keyring;
use waxseal::session::{RedisStore, Reply, Session, Sessions, Tls};
use waxseal::visitor::{TrustedProxies, Visitor, is_cross_site};

/// An answer of rouille's.
struct Page(Response);

impl Reply for Page {
    fn status(&self) -> u16 {
        self.0.status_code
    }

    fn add_header(&mut self, name: &'static str, value: String) {
        self.0.headers.push((name.into(), value.into()));
    }
}

fn answer(sessions: &Sessions, request: &Request) -> Response {
    let headers: Vec<_> = request.headers().collect();
    if is_cross_site(request.method(), &headers, None) {
        return Response::text("Another site sent this form.").with_status_code(403);
    }
    let visitor = Visitor::new(&headers, request.remote_addr().ip(), &TrustedProxies::NONE);
    match sessions.handle(&visitor.visit(), |session| Page(page(sessions, session, request))) {
        Ok(Page(response)) => response,
        Err(error) => {
            eprintln!("{error}");
            Response::text("Please try again soon.").with_status_code(503)
        }
    }
}

fn page(sessions: &Sessions, session: &mut Session, request: &Request) -> Response {
    // A real program passes the user's stored password hash here.
    let ada = sessions.fingerprint("ada", b"stored hash of ada's password");
    router!(request,
        (GET) (/) => {
            match session.confirm(&ada) {
                true => Response::text("Hello ada"),
                false => Response::html("<form method=post>Password: <input name=password type=password>"),
            }
        },
        (POST) (/) => {
            let form = try_or_400!(post_input!(request, { password: String }));
            if form.password != "secret" {
                return Response::text("That was not right.").with_status_code(403);
            }
            session.sign_in(&ada);
            Response::redirect_303("/")
        },
        (POST) (/leave) => {
            session.destroy();
            Response::redirect_303("/")
        },
        _ => Response::empty_404()
    )
}

fn main() -> Result<(), Box<dyn Error>> {
    let variable = |name: &str| env::var(name).map_err(|_| format!("{name} is not set"));
    let keyring = Keyring::new(
        variable("SESSION_AUTHENTICATION_KEY")?.as_bytes(),
        variable("SESSION_ENCRYPTION_KEY")?.as_bytes(),
    )?;
    let store = RedisStore::open(&variable("REDIS_URL")?, Tls::Verified)?;
    let sessions = Sessions::stored(keyring, store);
    rouille::start_server("127.0.0.1:5000", move |request| answer(&sessions, request))
}

#[cfg(test)]
mod tests {
    use waxseal::session::MemoryStore;

    use super::*;

    fn send(sessions: &Sessions, method: &str, cookie: &str, form: &str) -> (u16, String, String) {
        let headers = vec![
            ("Cookie".to_owned(), cookie.to_owned()),
            ("Content-Type".to_owned(), "application/x-www-form-urlencoded".to_owned()),
        ];
        let request = Request::fake_http(method, "/", headers, form.as_bytes().to_vec());
        let response = answer(sessions, &request);
        let cookies = response.headers.iter().filter(|(name, _)| name == "Set-Cookie");
        let set = cookies.map(|(_, value)| value.split(';').next().unwrap().to_owned()).next();
        let mut body = String::new();
        let (mut reader, _) = response.data.into_reader_and_size();
        std::io::Read::read_to_string(&mut reader, &mut body).unwrap();
        (response.status_code, set.unwrap_or_default(), body)
    }

    #[test]
    fn who_knows_the_password_is_greeted() {
        let keyring = Keyring::new(b"authentication", b"0123456789abcdef").unwrap();
        let sessions = Sessions::stored(keyring, MemoryStore::default());
        assert_eq!(send(&sessions, "POST", "", "password=guess").0, 403);
        let (status, cookie, _) = send(&sessions, "POST", "", "password=secret");
        assert_eq!(status, 303);
        assert_eq!(send(&sessions, "GET", &cookie, "").2, "Hello ada");
        assert!(send(&sessions, "GET", "", "").2.contains("Password"));
    }
}
