//! The address of a Redis, or of the Sentinels that know it.

use ::redis::{Client, ConnectionAddr, ConnectionInfo, IntoConnectionInfo, parse_redis_url};

use super::super::address::AddressError;
use super::Tls;
use super::sentinel::Sentinels;

/// The end of the scheme in an address of Sentinels.
const SENTINEL: &str = "+sentinel://";
const SENTINEL_PORT: u16 = 26379;

/// The other end of connections.
pub(super) enum Endpoint {
    Server(Client),
    Sentinel(Sentinels),
}

/// Takes apart `redis://[user:password@]host[:port][/database]`, or
/// `redis+sentinel://[user:password@]host[:port][,host[:port]…]/name[/database]`, or either with
/// `rediss`.
pub(super) fn parse(address: &str, tls: Tls) -> Result<Endpoint, AddressError> {
    let Some((scheme, rest)) = address.split_once(SENTINEL) else {
        return Ok(Endpoint::Server(client(connection(address, tls)?)?));
    };
    let wrong = AddressError::new(
        "is not redis+sentinel://[user:password@]host[:port],…/name[/database], or the same with \
         rediss+sentinel://",
    );
    let (login, rest) = match rest.rsplit_once('@') {
        Some((login, rest)) => (format!("{login}@"), rest),
        None => (String::new(), rest),
    };
    let (hosts, path) = rest.split_once('/').ok_or(wrong)?;
    let (name, database) = path.split_once('/').unwrap_or((path, ""));
    let is_name = |name: &str| !name.is_empty() && !name.contains(['?', '#']);
    if !matches!(scheme, "redis" | "rediss") || !is_name(name) {
        return Err(wrong);
    }
    // The address of the server that will be the master, but for where it is.
    let server = connection(&format!("{scheme}://{login}master/{database}"), tls)?;
    let sentinel = |host: &str| {
        let info = connection(&format!("{scheme}://{host}"), tls)?;
        match host.contains("]:") || host.matches(':').count() == 1 {
            true => client(info),
            false => {
                let (ConnectionAddr::Tcp(host, _) | ConnectionAddr::TcpTls { host, .. }) =
                    info.addr()
                else {
                    return Err(wrong);
                };
                client(at(&info, host.clone(), SENTINEL_PORT))
            }
        }
    };
    let sentinels = hosts.split(',').map(sentinel).collect::<Result<_, _>>()?;
    Ok(Endpoint::Sentinel(Sentinels::new(sentinels, name.to_owned(), server)))
}

/// The same connection to another place.
pub(super) fn at(info: &ConnectionInfo, host: String, port: u16) -> ConnectionInfo {
    let addr = match info.addr() {
        ConnectionAddr::TcpTls { insecure, .. } => {
            ConnectionAddr::TcpTls { host, port, insecure: *insecure, tls_params: None }
        }
        _ => ConnectionAddr::Tcp(host, port),
    };
    info.clone().set_addr(addr)
}

fn connection(address: &str, tls: Tls) -> Result<ConnectionInfo, AddressError> {
    let url = parse_redis_url(address).ok_or(AddressError::new(
        "is not redis://[user:password@]host[:port][/database], or the same with rediss://",
    ))?;
    if url.fragment().is_some() {
        return Err(AddressError::new("has a `#`; in a password it is written `%23`"));
    }
    // The crate's own message is dropped: it may repeat a part of the address.
    let mut info = url.into_connection_info().map_err(|_| UNCLEAR)?;
    if let ConnectionAddr::TcpTls { host, port, .. } = info.addr() {
        // Fails where the program has installed another, which does as well.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let insecure = tls == Tls::Unverified;
        let (host, port) = (host.clone(), *port);
        info = info.set_addr(ConnectionAddr::TcpTls { host, port, insecure, tls_params: None });
    }
    // Telling the server the library's name would be one more round trip a connection.
    let settings = info.redis_settings().clone().set_skip_set_lib_name();
    Ok(info.set_redis_settings(settings))
}

const UNCLEAR: AddressError =
    AddressError::new("has a host, user, password or database that is none");

fn client(info: ConnectionInfo) -> Result<Client, AddressError> {
    Client::open(info).map_err(|_| UNCLEAR)
}
