//! The address of a server: checked before libpq sees it, whose errors would quote the password.

/// What an address gets unless it says otherwise: a connection attempt ends by itself, and so does a
/// call over a connection whose other end is gone.
const DEFAULTS: &str = "connect_timeout=2&tcp_user_timeout=5000\
    &keepalives_idle=10&keepalives_interval=5&keepalives_count=3\
    &fallback_application_name=waxseal";

/// `url` with the defaults. An error tells what is wrong, and nothing of what the address holds.
pub(super) fn complete(url: &str) -> Result<String, &'static str> {
    let (scheme, rest) = url.split_once("://").unwrap_or_default();
    if !matches!(scheme, "postgres" | "postgresql") {
        return Err("it does not begin with postgres://");
    }
    if !is_percent_encoded(rest) {
        return Err("a % is not followed by two hexadecimal digits; % itself is %25");
    }
    // As libpq reads it: who signs in stands before the first @, unless a / comes earlier.
    let (user, place) = match rest.split_once('@') {
        Some((user, place)) if !user.contains('/') => (Some(user), place),
        _ => (None, rest),
    };
    let (place, query) = place.split_once('?').unwrap_or((place, ""));
    if place.contains('@') {
        return Err("an @ or a / in a name or a password is written %40 or %2F");
    }
    let hosts = place.split('/').next().unwrap_or_default();
    if !hosts.split(',').all(is_host) {
        return Err("a host is a name or [an IPv6 address], then : and a port or nothing");
    }
    if !query.split('&').all(|pair| pair.is_empty() || pair.matches('=').count() == 1) {
        return Err("after the ? stand names and values: name=value&name=value");
    }
    let user = user.map(|user| format!("{user}@")).unwrap_or_default();
    let separator = if query.is_empty() { "" } else { "&" };
    Ok(format!("{scheme}://{user}{place}?{DEFAULTS}{separator}{query}"))
}

fn is_percent_encoded(text: &str) -> bool {
    let is_code = |rest: &str| match rest.as_bytes() {
        [a, b, ..] => a.is_ascii_hexdigit() && b.is_ascii_hexdigit() && (*a, *b) != (b'0', b'0'),
        _ => false,
    };
    !text.contains('\0') && text.split('%').skip(1).all(is_code)
}

/// Whether it may be empty, libpq decides.
fn is_host(text: &str) -> bool {
    let port = match text.strip_prefix('[') {
        Some(rest) => match rest.split_once(']') {
            Some(("", _)) | None => return false,
            Some((_, "")) => return true,
            Some((_, after)) => match after.strip_prefix(':') {
                Some(port) => port,
                None => return false,
            },
        },
        None => text.split_once(':').map_or("", |(_, port)| port),
    };
    port.is_empty() || port.parse::<u16>().is_ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_an_address_says_itself_comes_last_and_wins() {
        let completed = |url: &str| complete(url).unwrap();
        assert_eq!(completed("postgres://h/db"), format!("postgres://h/db?{DEFAULTS}"));
        assert_eq!(
            completed("postgresql://u:p%40?p@h:5432,[::1]:5433/db?connect_timeout=9&a=b@c"),
            format!(
                "postgresql://u:p%40?p@h:5432,[::1]:5433/db?{DEFAULTS}&connect_timeout=9&a=b@c"
            )
        );
        for url in ["postgres://", "postgres:///db", "postgres://[::1]", "postgres://%2Ftmp:1/db?"]
        {
            completed(url);
        }
    }

    #[test]
    fn an_address_that_libpq_would_quote_is_refused() {
        for url in [
            "",
            "secret",
            "mysql://u:secret@h/db",
            "host=h password=secret",
            "postgres://u:secret", // a host and its port, to libpq
            "postgres://u:1/secret@h/db",
            "postgres://u:sec@ret@h/db",
            "postgres://u:secret%@h/db",
            "postgres://u:secret%zz@h/db",
            "postgres://u:secret%00@h/db",
            "postgres://u:secret@[::1/db",
            "postgres://u:secret@[]/db",
            "postgres://u:secret@[::1]secret/db",
            "postgres://u:secret@h:99999/db",
            "postgres://u:secret@h/db?secret",
            "postgres://u:secret@h/db?password=sec=ret",
        ] {
            let error = complete(url).unwrap_err();
            assert!(!error.contains("secret"), "{error}");
        }
    }
}
