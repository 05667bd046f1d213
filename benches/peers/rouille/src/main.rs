//! rouille, as its documentation starts it, with a cookie sealed by hand: rouille's own sessions
//! are an id alone.

#![forbid(unsafe_code)]

use std::error::Error;
use std::fs;

use base64::prelude::{BASE64_URL_SAFE_NO_PAD, Engine};
use chacha20poly1305::aead::{Aead, AeadCore, OsRng};
use chacha20poly1305::{ChaCha20Poly1305, KeyInit, Nonce};
use rouille::{Request, Response, Server, content_encoding, input, match_assets, router};

const COOKIE: &str = "rouille";
const NONCE_BYTES: usize = 12;

struct App {
    seal: ChaCha20Poly1305,
    home: String,
}

fn main() -> Result<(), Box<dyn Error + Send + Sync>> {
    let app = App {
        // A key that is nobody's.
        seal: ChaCha20Poly1305::new(b"0123456789abcdef0123456789abcdef".into()),
        home: fs::read_to_string("benches/peers/home.html")?,
    };
    let server = Server::new("127.0.0.1:0", move |request| app.answer(request))?;
    println!("port {}", server.server_addr().port());
    server.run();
    Ok(())
}

impl App {
    fn answer(&self, request: &Request) -> Response {
        router!(request,
            (GET) (/) => { self.home(request) },
            (POST) (/login) => { self.login(request) },
            (GET) (/fill) => { self.fill(request) },
            _ => public(request)
        )
    }

    fn home(&self, request: &Request) -> Response {
        match self.session(request) {
            Some((name, _)) => {
                let name = html_escape::encode_safe(&name);
                Response::html(self.home.replace("{name}", &name))
            }
            None => Response::redirect_303("/public/login.html"),
        }
    }

    fn login(&self, request: &Request) -> Response {
        let form = rouille::try_or_400!(rouille::post_input!(request, {
            username: String,
            password: String,
        }));
        if (&*form.username, &*form.password) != ("foo", "secret") {
            return Response::redirect_303("/public/login.html#failed");
        }
        self.keep("foo", "")
    }

    /// Keeps so many bytes in the session.
    fn fill(&self, request: &Request) -> Response {
        let size = request.get_param("size").and_then(|size| size.parse().ok()).unwrap_or(0);
        match self.session(request) {
            Some((name, _)) => self.keep(&name, &"v".repeat(size)),
            None => Response::redirect_303("/public/login.html"),
        }
    }

    /// The name and the value of the session.
    fn session(&self, request: &Request) -> Option<(String, String)> {
        let (_, value) = input::cookies(request).find(|(name, _)| *name == COOKIE)?;
        let sealed = BASE64_URL_SAFE_NO_PAD.decode(value).ok()?;
        let (nonce, sealed) = sealed.split_at_checked(NONCE_BYTES)?;
        let text = self.seal.decrypt(Nonce::from_slice(nonce), sealed).ok()?;
        let text = String::from_utf8(text).ok()?;
        let (name, value) = text.split_once('\n')?;
        Some((name.to_owned(), value.to_owned()))
    }

    fn keep(&self, name: &str, value: &str) -> Response {
        let nonce = ChaCha20Poly1305::generate_nonce(&mut OsRng);
        let text = format!("{name}\n{value}");
        let Ok(sealed) = self.seal.encrypt(&nonce, text.as_bytes()) else {
            return Response::empty_400();
        };
        let value = BASE64_URL_SAFE_NO_PAD.encode([nonce.as_slice(), &sealed].concat());
        let cookie = format!("{COOKIE}={value}; Path=/; HttpOnly; SameSite=Lax");
        Response::redirect_303("/").with_additional_header("Set-Cookie", cookie)
    }
}

fn public(request: &Request) -> Response {
    match request.remove_prefix("/public") {
        Some(inside) => content_encoding::apply(request, match_assets(&inside, "static")),
        None => Response::empty_404(),
    }
}
