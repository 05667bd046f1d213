//! Where the servers are, and who asks.

use percent_encoding::percent_decode_str;

use super::super::address::AddressError;
use super::connection::Login;

const SCHEME: &str = "memcached://";
const PORT: &str = "11211";

/// Servers, each as `host:port`, and the login for all of them.
pub(super) type Servers = (Vec<String>, Option<Login>);

/// What `memcached://[user:password@]host[:port][,host[:port]…]` says.
pub(super) fn parse(address: &str) -> Result<Servers, AddressError> {
    let rest = address.strip_prefix(SCHEME).ok_or(AddressError::new(
        "is not memcached://[user:password@]host[:port], with further hosts after commas",
    ))?;
    let rest = rest.strip_suffix('/').unwrap_or(rest);
    let Some((login, hosts)) = rest.rsplit_once('@') else {
        return Ok((servers(rest)?, None));
    };
    let (user, password) =
        login.split_once(':').ok_or(AddressError::new("has a user without a password"))?;
    let login = self::login(&decoded(user)?, &decoded(password)?)?;
    Ok((servers(hosts)?, Some(login)))
}

pub(super) fn login(user: &str, password: &str) -> Result<Login, AddressError> {
    if user.contains('\0') || password.contains('\0') {
        return Err(AddressError::new("has a NUL in its user or password"));
    }
    Ok(Login { user: user.to_owned(), password: password.to_owned() })
}

fn decoded(text: &str) -> Result<String, AddressError> {
    let text = percent_decode_str(text).decode_utf8();
    let text = text.map_err(|_| AddressError::new("has a user or password that is not UTF-8"))?;
    Ok(text.into_owned())
}

/// The servers of a list with commas.
pub(super) fn servers(list: &str) -> Result<Vec<String>, AddressError> {
    list.split(',').map(|server| self::server(server.trim())).collect()
}

fn server(text: &str) -> Result<String, AddressError> {
    // The colons of an IPv6 address stand in brackets.
    let after_brackets = text.rfind(']').map_or(0, |end| end + 1);
    let (host, port) = match text[after_brackets..].rfind(':') {
        Some(colon) => (&text[..after_brackets + colon], &text[after_brackets + colon + 1..]),
        None => (text, PORT),
    };
    let is_host = |host: &str| !host.is_empty() && !host.contains(['/', '?', '#', '@', ' ']);
    if !is_host(host) || (after_brackets == 0 && host.contains(':')) {
        return Err(AddressError::new("has a host that is none"));
    }
    let port: u16 = port.parse().map_err(|_| AddressError::new("has a port that is none"))?;
    Ok(format!("{host}:{port}"))
}
