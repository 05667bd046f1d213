//! Static files over HTTP, with their gzipped twins as `build.rs` makes them.

mod support;

use std::io::Read;
use std::sync::LazyLock;
use std::thread;

use flate2::read::GzDecoder;
use support::{Answer, exchange, get, head};
use waxseal::http::{Request, Response, assets};
use waxseal::server::{Config, listen, serve};

include!(concat!(env!("OUT_DIR"), "/static.rs"));

/// The port of a server that has nothing but these files.
static PORT: LazyLock<u16> = LazyLock::new(|| {
    let listener = listen(Some([127, 0, 0, 1].into()), 0).expect("a free port");
    let port = listener.local_addr().expect("an address").port();
    thread::spawn(|| serve(Config::new(listener), file).expect("it serves"));
    port
});

fn file(request: &mut Request) -> Response {
    let path = request.path().trim_start_matches('/');
    let get = |name: &str| {
        let file = Static::get(name)?;
        Some(assets::File::with_sha256(file.data, file.metadata.sha256_hash()))
    };
    assets::serve(request, path, get).unwrap_or_else(Response::from)
}

fn fetch(path: &str, headers: &[(&str, &str)]) -> Answer {
    let ask = headers.iter().fold(get(path), |ask, (name, value)| ask.with(name, value));
    exchange(*PORT, &ask.bytes())
}

fn accepting(path: &str, accepted: &str) -> Answer {
    fetch(path, &[("Accept-Encoding", accepted)])
}

fn on_disk(path: &str) -> Vec<u8> {
    std::fs::read(format!("{}/static{path}", env!("CARGO_MANIFEST_DIR"))).expect("the file")
}

fn gunzip(bytes: &[u8]) -> Vec<u8> {
    let mut plain = Vec::new();
    GzDecoder::new(bytes).read_to_end(&mut plain).expect("gzip");
    plain
}

const COMPRESSIBLE: [(&str, &str); 3] = [
    ("/login.html", "text/html; charset=utf-8"),
    ("/style.css", "text/css; charset=utf-8"),
    ("/icon.svg", "image/svg+xml"),
];

#[test]
fn who_takes_gzip_gets_fewer_bytes_of_the_same_file() {
    for (path, content_type) in COMPRESSIBLE {
        let plain = on_disk(path);
        let answer = accepting(path, "gzip, deflate, br, zstd");
        assert_eq!(answer.status, 200, "{answer:?}");
        assert_eq!(answer.header("Content-Encoding"), Some("gzip"), "{path}");
        assert_eq!(answer.header("Content-Type"), Some(content_type));
        assert_eq!(answer.header("Vary"), Some("Accept-Encoding"));
        assert!(answer.body.len() < plain.len(), "{path}");
        assert_eq!(gunzip(&answer.body), plain, "{path}");
    }
}

#[test]
fn who_does_not_take_it_gets_the_file_and_is_told_that_it_varies() {
    for (path, content_type) in COMPRESSIBLE {
        let refusals = ["", "br", "gzip;q=0", "gzip;q=0, *", "*;q=0", "identity, gzip;q=0.5"];
        let answers = refusals.map(|refusal| accepting(path, refusal));
        for answer in answers.into_iter().chain([fetch(path, &[])]) {
            assert_eq!(answer.status, 200, "{answer:?}");
            assert_eq!(answer.header("Content-Encoding"), None, "{answer:?}");
            assert_eq!(answer.header("Content-Type"), Some(content_type));
            assert_eq!(answer.header("Vary"), Some("Accept-Encoding"));
            assert_eq!(answer.body, on_disk(path), "{path}");
        }
    }
}

#[test]
fn identity_that_is_refused_is_still_better_than_nothing() {
    let refused = accepting("/style.css", "br, identity;q=0");
    assert_eq!((refused.status, refused.header("Content-Encoding")), (200, None));
    let gzipped = accepting("/style.css", "identity;q=0, *;q=0.1");
    assert_eq!((gzipped.status, gzipped.header("Content-Encoding")), (200, Some("gzip")));
}

#[test]
fn each_coding_has_an_entity_tag_of_its_own_which_only_that_coding_answers_with_304() {
    let tag = |answer: &Answer| answer.header("ETag").expect("an entity tag").to_owned();
    let gzipped = tag(&accepting("/style.css", "gzip"));
    let plain = tag(&fetch("/style.css", &[]));
    assert_ne!(gzipped, plain);

    for (accepted, known, status) in [
        ("gzip", &gzipped, 304),
        ("gzip", &plain, 200),
        ("identity", &plain, 304),
        ("identity", &gzipped, 200),
    ] {
        let headers = [("Accept-Encoding", accepted), ("If-None-Match", known.as_str())];
        let answer = fetch("/style.css", &headers);
        assert_eq!(answer.status, status, "{accepted} {known}");
        assert_eq!(answer.header("Vary"), Some("Accept-Encoding"));
        assert_eq!(answer.header("Cache-Control"), Some("max-age=3600"));
        if status == 304 {
            assert_eq!(answer.header("ETag"), Some(known.as_str()));
            assert_eq!(answer.header("Content-Encoding"), None);
        }
    }
    let both = format!("{plain}, {gzipped}");
    for accepted in ["gzip", "identity"] {
        let headers = [("Accept-Encoding", accepted), ("If-None-Match", &both)];
        assert_eq!(fetch("/style.css", &headers).status, 304, "{accepted}");
    }
}

#[test]
fn what_gets_no_smaller_does_not_vary() {
    let answer = accepting("/favicon.ico", "gzip");
    assert_eq!((answer.status, answer.header("Content-Type")), (200, Some("image/x-icon")));
    assert_eq!((answer.header("Content-Encoding"), answer.header("Vary")), (None, None));
    assert_eq!(answer.body, on_disk("/favicon.ico"));
}

#[test]
fn head_tells_what_get_would() {
    for accepted in ["gzip", "identity"] {
        let request = head("/style.css").with("Accept-Encoding", accepted);
        let (head, get) = (exchange(*PORT, &request.bytes()), accepting("/style.css", accepted));
        for name in ["Content-Encoding", "Content-Length", "Content-Type", "ETag", "Vary"] {
            assert_eq!(head.header(name), get.header(name), "{name}");
        }
        assert!(head.body.is_empty());
    }
}
