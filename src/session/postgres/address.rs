//! The address of a server: checked before libpq sees it, whose errors would quote the password.

use std::env;
use std::io;

use diesel::{Connection, PgConnection};

/// What an address gets unless it says otherwise: a connection attempt ends by itself, and so does a
/// call over a connection whose other end is gone.
const DEFAULTS: &str = "connect_timeout=2&tcp_user_timeout=5000\
    &keepalives_idle=10&keepalives_interval=5&keepalives_count=3\
    &fallback_application_name=waxseal";

/// Options in the first packet of a connection: the server gives up a statement that takes longer than we
/// wait, so that nothing piles up there, and isolates transactions as an update needs it.
const OPTIONS: &str =
    "-c%20statement_timeout%3D1500ms%20-c%20default_transaction_isolation%3Dread%5C%20committed";

/// A directory in which there is no socket of a server.
const NOWHERE: &str = "/waxseal-looks-for-nobody";

/// An address that libpq understands.
pub(super) struct Address {
    /// With the defaults.
    pub(super) plain: String,
    /// With [`OPTIONS`] too, and then those of its own.
    pub(super) with_options: String,
}

/// The address at `url`, for whoever opens a store.
pub(super) fn checked(url: &str) -> io::Result<Address> {
    complete(url).map_err(|fault| {
        let error = format!("not an address postgres://user:password@host/database: {fault}");
        io::Error::new(io::ErrorKind::InvalidInput, error)
    })
}

/// `url` with the defaults. An error tells what is wrong, and nothing secret of what the address holds.
fn complete(url: &str) -> Result<Address, String> {
    let parts = Parts::of(url)?;
    parts.try_parameters()?;
    let plain = parts.joined();
    let own_options = parts.parameter("options").map(str::to_owned).or_else(options_of_environment);
    let own_options = own_options.map(|own| format!("%20{own}")).unwrap_or_default();
    let with_options = format!("{plain}&options={OPTIONS}{own_options}");
    Ok(Address { plain, with_options })
}

/// The options that libpq would take from the environment, were there none in the address.
fn options_of_environment() -> Option<String> {
    let options = env::var("PGOPTIONS").ok()?;
    Some(options.bytes().map(|byte| format!("%{byte:02x}")).collect())
}

/// An address, taken apart.
struct Parts<'u> {
    scheme: &'u str,
    user: Option<&'u str>,
    /// Hosts and database.
    place: &'u str,
    query: &'u str,
}

impl<'u> Parts<'u> {
    fn joined(&self) -> String {
        let Parts { scheme, user, place, query } = *self;
        let user = user.map(|user| format!("{user}@")).unwrap_or_default();
        let separator = if query.is_empty() { "" } else { "&" };
        format!("{scheme}://{user}{place}?{DEFAULTS}{separator}{query}")
    }

    fn pairs(&self) -> impl Iterator<Item = (&'u str, &'u str)> {
        self.query.split('&').filter_map(|pair| pair.split_once('='))
    }

    /// The value of a parameter, percent-encoded; the last one counts.
    fn parameter(&self, name: &str) -> Option<&'u str> {
        self.pairs().filter(|(found, _)| *found == name).last().map(|(_, value)| value)
    }

    /// Has libpq look at the parameters, but for who signs in where: it tells what is wrong with them
    /// before it connects.
    fn try_parameters(&self) -> Result<(), String> {
        const OF_PLACE: [&str; 6] = ["host", "hostaddr", "port", "user", "password", "passfile"];
        let parameters: String = self
            .pairs()
            .filter(|(name, _)| !OF_PLACE.contains(name))
            .map(|(name, value)| format!("&{name}={value}"))
            .collect();
        let nowhere = NOWHERE.replace('/', "%2F");
        let url = format!("postgres://nobody@{nowhere}:5432/none?{DEFAULTS}{parameters}");
        match PgConnection::establish(&url).map(drop) {
            Err(error) if !error.to_string().contains(NOWHERE) => {
                Err(format!("libpq says: {}", error.to_string().trim()))
            }
            _ => Ok(()),
        }
    }

    fn of(url: &'u str) -> Result<Parts<'u>, &'static str> {
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
        Ok(Parts { scheme, user, place, query })
    }
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
        let completed = |url: &str| complete(url).unwrap().plain;
        assert_eq!(completed("postgres://h/db"), format!("postgres://h/db?{DEFAULTS}"));
        assert_eq!(
            completed("postgresql://u:p%40?p@h:5432,[::1]:5433/db?connect_timeout=9&dbname=b@c"),
            format!(
                "postgresql://u:p%40?p@h:5432,[::1]:5433/db?{DEFAULTS}&connect_timeout=9&dbname=b@c"
            )
        );
        for url in ["postgres://", "postgres:///db", "postgres://[::1]", "postgres://%2Ftmp:1/db?"]
        {
            completed(url);
        }
        let options = |url: &str| complete(url).unwrap().with_options;
        assert!(options("postgres://h/db").ends_with(&format!("&options={OPTIONS}")));
        let own = options("postgres://h/db?options=-csearch_path%3Da");
        assert!(own.ends_with(&format!("&options={OPTIONS}%20-csearch_path%3Da")), "{own}");
    }

    #[test]
    fn what_libpq_does_not_know_is_told_before_anybody_connects() {
        for (parameter, told) in [
            ("schema=public", "invalid URI query parameter: \"schema\""),
            ("pgbouncer=true", "invalid URI query parameter: \"pgbouncer\""),
            ("connection_limit=5", "invalid URI query parameter: \"connection_limit\""),
            ("sslmode=no-verify", "invalid sslmode value: \"no-verify\""),
            ("target_session_attrs=any-thing", "target_session_attrs"),
        ] {
            let error =
                complete(&format!("postgres://u:secret@h/db?{parameter}")).err().expect(parameter);
            assert!(error.contains(told) && !error.contains("secret"), "{error}");
        }
        for parameters in [
            "sslmode=require&application_name=x&connect_timeout=1",
            "host=/tmp&port=5433&user=u&password=p&dbname=db",
            "host=a,b&port=1,2&target_session_attrs=read-write",
        ] {
            assert!(complete(&format!("postgres:///?{parameters}")).is_ok(), "{parameters}");
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
            let error = complete(url).err().unwrap();
            assert!(!error.contains("secret"), "{error}");
        }
    }
}
