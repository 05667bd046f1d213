//! A connection to Memcached: its binary protocol, the one in which SASL is spoken.
//!
//! A message is a header of 24 bytes, then extras, a key and a value.

use std::io::{self, BufRead, BufReader, ErrorKind, Read, Write};
use std::net::{TcpStream, ToSocketAddrs};
use std::time::Duration;

use super::super::pool::{Cause, Failure, PATIENCE};
use super::super::store::StoreError;

const HEADER: usize = 24;
const REQUEST: u8 = 0x80;
const RESPONSE: u8 = 0x81;

const GET: u8 = 0x00;
const SET: u8 = 0x01;
const REPLACE: u8 = 0x03;
const DELETE: u8 = 0x04;
const NOTHING: u8 = 0x0a;
const STATISTICS: u8 = 0x10;
const AUTHENTICATE: u8 = 0x21;

const DONE: u16 = 0x00;
const NOT_FOUND: u16 = 0x01;
const EXISTS: u16 = 0x02;
const TOO_LARGE: u16 = 0x03;
const NOT_AUTHENTICATED: u16 = 0x20;
const UNKNOWN_COMMAND: u16 = 0x81;

/// Expiries up to here, 30 days, are so many seconds from now; beyond, they are unix seconds.
const LAST_RELATIVE: u64 = 30 * 24 * 3600;
const NO_LOGIN: &str = "Memcached wants a user and a password";
/// The longest answer in words that is read.
const LONGEST_LINE: u64 = 200;
/// What an item may have where the server does not tell.
const USUAL_LIMIT: u64 = 1 << 20;

/// Who asks.
#[derive(Clone)]
pub(super) struct Login {
    pub(super) user: String,
    pub(super) password: String,
}

pub(super) struct Connection {
    stream: BufReader<TcpStream>,
    /// How long an answer is waited for.
    patience: Duration,
}

/// An item as the server had it.
pub(super) struct Found {
    pub(super) item: Vec<u8>,
    /// What [`Connection::replace`] compares.
    pub(super) token: u64,
}

/// How a replacement ended.
#[derive(PartialEq)]
pub(super) enum Replaced {
    Done,
    /// It is another by now.
    Changed,
    Gone,
}

#[derive(Default)]
struct RequestPacket<'r> {
    command: u8,
    extras: &'r [u8],
    key: &'r str,
    value: &'r [u8],
    token: u64,
}

struct ResponsePacket {
    status: u16,
    token: u64,
    key: Vec<u8>,
    value: Vec<u8>,
}

impl Connection {
    /// A connection to `server`, which is `host:port`.
    pub(super) fn open(server: &str, login: Option<&Login>) -> Result<Connection, Cause> {
        let stream = BufReader::new(connect(server)?);
        let mut connection = Connection { stream, patience: PATIENCE };
        match login {
            Some(login) => connection.authenticate(login)?,
            None => connection.greet()?,
        }
        Ok(connection)
    }

    /// Answers are waited for so long from now on.
    pub(super) fn wait_for(&mut self, patience: Duration) -> Result<(), Failure> {
        // To set it is a system call: only where it was another, by more than a call takes.
        if self.patience.abs_diff(patience) > PATIENCE / 10 {
            let stream = self.stream.get_ref();
            stream.set_read_timeout(Some(patience)).map_err(failure)?;
            stream.set_write_timeout(Some(patience)).map_err(failure)?;
            self.patience = patience;
        }
        Ok(())
    }

    /// The first question, where there is no login: a server that takes no more connections does not
    /// answer it, and one that speaks the protocol of lines alone does so at once, since the command is
    /// the end of a line.
    fn greet(&mut self) -> Result<(), Cause> {
        let request = RequestPacket { command: NOTHING, ..RequestPacket::default() };
        self.stream.get_mut().write_all(&request.bytes())?;
        let mut first = [0];
        self.stream.read_exact(&mut first)?;
        if first != [RESPONSE] {
            return Err(self.refusal_in_words(first[0]).into());
        }
        match self.receive_after(first[0], NOTHING)?.status {
            NOT_AUTHENTICATED => Err(NO_LOGIN.into()),
            _ => Ok(()),
        }
    }

    fn authenticate(&mut self, login: &Login) -> Result<(), Cause> {
        let value = format!("\0{}\0{}", login.user, login.password);
        let value = value.as_bytes();
        let request = RequestPacket {
            command: AUTHENTICATE,
            key: "PLAIN",
            value,
            ..RequestPacket::default()
        };
        match self.call(&request) {
            Ok(ResponsePacket { status: DONE, .. }) => Ok(()),
            Ok(ResponsePacket { status: UNKNOWN_COMMAND, .. }) => {
                Err("Memcached takes no user and password here".into())
            }
            Ok(_) => Err("Memcached refused the user or the password".into()),
            Err(Failure::Closed(cause) | Failure::Broken(cause)) => Err(cause),
            Err(Failure::Refused(error) | Failure::Elsewhere(error)) => Err(error.into()),
        }
    }

    /// The error that an answer in a line of words means.
    fn refusal_in_words(&mut self, first: u8) -> String {
        let mut line = vec![first];
        let _ = self.stream.by_ref().take(LONGEST_LINE).read_until(b'\n', &mut line);
        match String::from_utf8_lossy(&line).trim_end() {
            "ERROR" => {
                "Memcached has its binary protocol off: start it without `-B ascii`, or use \
                another store"
                    .to_owned()
            }
            other => format!("Memcached says {other:?}"),
        }
    }

    pub(super) fn get(&mut self, key: &str) -> Result<Option<Found>, Failure> {
        let response =
            self.call(&RequestPacket { command: GET, key, ..RequestPacket::default() })?;
        match response.status {
            DONE => Ok(Some(Found { item: response.value, token: response.token })),
            NOT_FOUND => Ok(None),
            _ => Err(response.refusal()),
        }
    }

    pub(super) fn set(
        &mut self,
        key: &str,
        item: &[u8],
        lifetime: Duration,
    ) -> Result<(), Failure> {
        let response = self.store(SET, key, item, lifetime, 0)?;
        match response.status {
            DONE => Ok(()),
            _ => Err(response.refusal()),
        }
    }

    /// Replaces the item that had this token. By the command of that name: where an item is too
    /// large, SET would delete the one that was there.
    pub(super) fn replace(
        &mut self,
        key: &str,
        item: &[u8],
        lifetime: Duration,
        token: u64,
    ) -> Result<Replaced, Failure> {
        let response = self.store(REPLACE, key, item, lifetime, token)?;
        match response.status {
            DONE => Ok(Replaced::Done),
            EXISTS => Ok(Replaced::Changed),
            NOT_FOUND => Ok(Replaced::Gone),
            _ => Err(response.refusal()),
        }
    }

    pub(super) fn delete(&mut self, key: &str) -> Result<(), Failure> {
        let response =
            self.call(&RequestPacket { command: DELETE, key, ..RequestPacket::default() })?;
        match response.status {
            DONE | NOT_FOUND => Ok(()),
            _ => Err(response.refusal()),
        }
    }

    fn store(
        &mut self,
        command: u8,
        key: &str,
        item: &[u8],
        lifetime: Duration,
        token: u64,
    ) -> Result<ResponsePacket, Failure> {
        let [a, b, c, d] = self.expiry(lifetime)?.to_be_bytes();
        // Before the expiry, four bytes of flags that nobody uses.
        let extras = &[0, 0, 0, 0, a, b, c, d];
        let response = self.call(&RequestPacket { command, extras, key, value: item, token })?;
        if response.status == TOO_LARGE {
            // Its key and some 60 bytes of the server's own included.
            let limit = self.statistic("settings", "item_size_max")?.unwrap_or(USUAL_LIMIT);
            let limit = usize::try_from(limit).unwrap_or(usize::MAX);
            return Err(Failure::Refused(StoreError::TooLarge { size: item.len(), limit }));
        }
        Ok(response)
    }

    /// The expiry for the server, whose clock shows whole seconds: rounded up and one more, so that
    /// nothing ends too early.
    fn expiry(&mut self, lifetime: Duration) -> Result<u32, Failure> {
        let seconds = lifetime.as_nanos().div_ceil(1_000_000_000).saturating_add(1);
        let seconds = u64::try_from(seconds).unwrap_or(u64::MAX);
        let seconds = match seconds <= LAST_RELATIVE {
            true => seconds,
            false => self.statistic("", "time")?.unwrap_or(0).saturating_add(seconds),
        };
        Ok(u32::try_from(seconds).unwrap_or(u32::MAX))
    }

    /// A number among the server's statistics of this group.
    fn statistic(&mut self, group: &str, name: &str) -> Result<Option<u64>, Failure> {
        let mut number = None;
        let request = RequestPacket { command: STATISTICS, key: group, ..RequestPacket::default() };
        let mut response = self.call(&request)?;
        // One response for each; the last one has no key, as an error has none.
        while !response.key.is_empty() {
            if response.key == name.as_bytes() {
                let told = String::from_utf8(response.value).ok();
                number = told.and_then(|told| told.parse().ok());
            }
            response = self.receive(STATISTICS).map_err(failure)?;
        }
        Ok(number)
    }

    fn call(&mut self, request: &RequestPacket) -> Result<ResponsePacket, Failure> {
        self.stream.get_mut().write_all(&request.bytes()).map_err(failure)?;
        self.receive(request.command).map_err(failure)
    }

    fn receive(&mut self, command: u8) -> io::Result<ResponsePacket> {
        let mut first = [0];
        self.stream.read_exact(&mut first)?;
        self.receive_after(first[0], command)
    }

    /// The response to `command` whose first byte came already.
    fn receive_after(&mut self, first: u8, command: u8) -> io::Result<ResponsePacket> {
        let mut header = [first; HEADER];
        self.stream.read_exact(&mut header[1..])?;
        let [magic, answered, k0, k1, extras, _, s0, s1, b0, b1, b2, b3, ..] = header;
        let key = usize::from(u16::from_be_bytes([k0, k1]));
        let extras = usize::from(extras);
        let body = u32::from_be_bytes([b0, b1, b2, b3]);
        // The rest of the body may be more than there is memory for: it is taken as it comes.
        let mut rest = Vec::new();
        self.stream.by_ref().take(body.into()).read_to_end(&mut rest)?;
        if rest.len() < body as usize {
            return Err(ErrorKind::UnexpectedEof.into());
        }
        if magic != RESPONSE || answered != command || rest.len() < extras + key {
            return Err(io::Error::other("this is not what Memcached would answer"));
        }
        let value = rest.split_off(extras + key);
        let key = rest.split_off(extras);
        let [.., t0, t1, t2, t3, t4, t5, t6, t7] = header;
        let token = u64::from_be_bytes([t0, t1, t2, t3, t4, t5, t6, t7]);
        Ok(ResponsePacket { status: u16::from_be_bytes([s0, s1]), token, key, value })
    }
}

fn connect(server: &str) -> Result<TcpStream, Cause> {
    let mut failed = None;
    for address in server.to_socket_addrs()? {
        match TcpStream::connect_timeout(&address, PATIENCE) {
            Ok(stream) => {
                stream.set_nodelay(true)?;
                stream.set_read_timeout(Some(PATIENCE))?;
                stream.set_write_timeout(Some(PATIENCE))?;
                return Ok(stream);
            }
            Err(error) => failed = Some(error),
        }
    }
    Err(failed.map_or_else(|| "its host has no address".into(), Cause::from))
}

fn failure(error: io::Error) -> Failure {
    match error.kind() {
        ErrorKind::UnexpectedEof
        | ErrorKind::ConnectionReset
        | ErrorKind::ConnectionAborted
        | ErrorKind::BrokenPipe => Failure::Closed(error.into()),
        ErrorKind::WouldBlock | ErrorKind::TimedOut => Failure::Broken("no answer in time".into()),
        _ => Failure::Broken(error.into()),
    }
}

impl RequestPacket<'_> {
    /// The lengths are those of short keys, and of items in memory.
    fn bytes(&self) -> Vec<u8> {
        let body = self.extras.len() + self.key.len() + self.value.len();
        let mut bytes = Vec::with_capacity(HEADER + body);
        bytes.extend([REQUEST, self.command]);
        bytes.extend((self.key.len() as u16).to_be_bytes());
        bytes.extend([self.extras.len() as u8, 0, 0, 0]);
        bytes.extend((body as u32).to_be_bytes());
        bytes.extend([0; 4]);
        bytes.extend(self.token.to_be_bytes());
        bytes.extend(self.extras);
        bytes.extend(self.key.as_bytes());
        bytes.extend(self.value);
        bytes
    }
}

impl ResponsePacket {
    /// The error that this is, in the server's own words.
    fn refusal(&self) -> Failure {
        let words = match self.status {
            NOT_AUTHENTICATED => NO_LOGIN.to_owned(),
            status => {
                format!("Memcached says {status:#x}, {}", String::from_utf8_lossy(&self.value))
            }
        };
        Failure::Refused(StoreError::Rejected(words.into()))
    }
}
