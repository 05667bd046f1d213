//! The Unix socket between the event loop and tiny_http, which no other user can reach.

use std::fs::{self, DirBuilder, File};
use std::io;
use std::os::unix::fs::{DirBuilderExt, MetadataExt};
use std::os::unix::net::{SocketAddr, UnixListener};
use std::path::{Path, PathBuf};

use log::debug;
use rustix::fs::{FlockOperation, flock};

/// The beginning of the directories' names; 32 hexadecimal digits follow.
const NAME: &str = "waxseal-";
const SOCKET: &str = "lane";
/// The file that a process has locked as long as it lives.
const LOCK: &str = "lock";
/// The most directory entries that one start looks at; the next start looks again.
const MOST_LOOKED_AT: usize = 10_000;

/// A listener's address, in a private directory that goes with it.
pub(in crate::server) struct BackendSocket {
    pub(in crate::server) address: SocketAddr,
    directory: PathBuf,
    /// Locked: the directory is in use.
    _lock: File,
}

impl BackendSocket {
    /// Listens in a private directory under TMPDIR, /tmp or /dev/shm.
    ///
    /// A name without a directory (an abstract one) would have no owner: every user of the machine could
    /// connect to it.
    pub(in crate::server) fn listen() -> io::Result<(BackendSocket, UnixListener)> {
        let places = [
            std::env::var_os("TMPDIR").map(PathBuf::from),
            Some("/tmp".into()),
            Some("/dev/shm".into()),
        ];
        BackendSocket::listen_in(places.into_iter().flatten())
    }

    /// Listens in the first of these places that can be written, once the directories of processes that were
    /// killed have gone from it.
    pub(in crate::server) fn listen_in(
        places: impl IntoIterator<Item = PathBuf>,
    ) -> io::Result<(BackendSocket, UnixListener)> {
        let mut told = String::new();
        for place in places {
            sweep(&place);
            match in_directory(&place) {
                Ok(found) => return Ok(found),
                Err(error) => told += &format!("{}: {error}; ", place.display()),
            }
        }
        Err(io::Error::other(format!(
            "no directory for a private socket can be written ({told}set TMPDIR to one, or give a container \
             a /tmp: --tmpfs /tmp)"
        )))
    }
}

impl Drop for BackendSocket {
    fn drop(&mut self) {
        remove(&self.directory);
    }
}

/// Removes the directory and what is in it, with no descriptor to spare.
fn remove(directory: &Path) {
    // It may be gone already, and nothing depends on it.
    let _ = fs::remove_file(directory.join(SOCKET));
    let _ = fs::remove_file(directory.join(LOCK));
    let _ = fs::remove_dir(directory);
}

fn in_directory(place: &Path) -> io::Result<(BackendSocket, UnixListener)> {
    let directory = place.join(unguessable_name()?);
    DirBuilder::new().mode(0o700).create(&directory)?;
    let bound = bind(&directory);
    if bound.is_err() {
        remove(&directory);
    }
    let (address, listener, lock) = bound?;
    Ok((BackendSocket { address, directory, _lock: lock }, listener))
}

fn bind(directory: &Path) -> io::Result<(SocketAddr, UnixListener, File)> {
    let lock = File::create(directory.join(LOCK))?;
    flock(&lock, FlockOperation::NonBlockingLockExclusive)?;
    let path = directory.join(SOCKET);
    let listener = UnixListener::bind(&path)?;
    Ok((SocketAddr::from_pathname(&path)?, listener, lock))
}

fn unguessable_name() -> io::Result<String> {
    let mut random = [0; 16];
    getrandom::fill(&mut random).map_err(|error| io::Error::other(error.to_string()))?;
    Ok(format!("{NAME}{:032x}", u128::from_ne_bytes(random)))
}

/// Removes the directories of processes of this user that were killed.
fn sweep(place: &Path) {
    let entries = fs::read_dir(place).into_iter().flatten().flatten();
    for entry in entries.take(MOST_LOOKED_AT) {
        if is_ours(&entry) && is_left_behind(&entry.path()) {
            debug!(directory:% = entry.path().display(); "the directory of a process that was killed is removed");
            remove(&entry.path());
        }
    }
}

/// Whether it is a directory of this user with a name of ours; no link, whatever that leads to.
fn is_ours(entry: &fs::DirEntry) -> bool {
    let name = entry.file_name();
    let digits = name.to_str().and_then(|name| name.strip_prefix(NAME));
    let is_named = digits
        .is_some_and(|digits| digits.len() == 32 && digits.bytes().all(|d| d.is_ascii_hexdigit()));
    let user = rustix::process::geteuid().as_raw();
    // That of the entry itself, where it is a link.
    is_named && entry.metadata().is_ok_and(|found| found.is_dir() && found.uid() == user)
}

/// Whether nobody has locked it. One without a lock is left: it may have been made just now.
fn is_left_behind(directory: &Path) -> bool {
    let lock = File::open(directory.join(LOCK));
    lock.is_ok_and(|lock| flock(&lock, FlockOperation::NonBlockingLockExclusive).is_ok())
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::{PermissionsExt, symlink};

    use super::*;

    /// A place of a test's own.
    fn place() -> PathBuf {
        let place = std::env::temp_dir().join(format!("test-{}", unguessable_name().unwrap()));
        fs::create_dir(&place).unwrap();
        place
    }

    #[test]
    fn the_directory_is_private_and_goes_away() {
        let (socket, _listener) = BackendSocket::listen().unwrap();
        let directory = socket.directory.clone();
        assert_eq!(fs::metadata(&directory).unwrap().permissions().mode() & 0o777, 0o700);
        drop(socket);
        assert!(!directory.exists());
    }

    #[test]
    fn without_a_directory_it_does_not_begin_and_says_what_to_do() {
        let places = ["/dev/null".into(), "/nowhere".into()];
        let error = BackendSocket::listen_in(places).err().unwrap().to_string();
        assert!(error.contains("/nowhere: ") && error.contains("--tmpfs /tmp"), "{error}");
    }

    #[test]
    fn what_killed_processes_left_goes_and_nothing_else() {
        let place = place();
        let listen = || BackendSocket::listen_in([place.clone()]).unwrap();
        let (living, _listener) = listen();
        let left = place.join(unguessable_name().unwrap());
        fs::create_dir(&left).unwrap();
        let _listener = UnixListener::bind(left.join(SOCKET)).unwrap();
        File::create(left.join(LOCK)).unwrap();
        let kept = ["waxseal-", "other", &unguessable_name().unwrap()].map(|name| place.join(name));
        kept.iter().for_each(|kept| fs::create_dir(kept).unwrap());
        let link = place.join(unguessable_name().unwrap());
        symlink(&living.directory, &link).unwrap();
        let (_new, _listener) = listen();
        assert!(!left.exists(), "nobody has locked it");
        assert!(living.directory.join(SOCKET).exists() && link.exists());
        assert!(kept.iter().all(|kept| kept.exists()), "no lock, or no name of ours");
        fs::remove_dir_all(place).unwrap();
    }
}
