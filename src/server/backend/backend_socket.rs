//! The Unix socket between the event loop and tiny_http, which no other user can reach.

use std::fs::DirBuilder;
use std::io;
use std::os::unix::fs::DirBuilderExt;
use std::os::unix::net::{SocketAddr, UnixListener};
use std::path::{Path, PathBuf};

const SOCKET: &str = "lane";

/// A listener's address; its private directory goes with it.
pub(in crate::server) struct BackendSocket {
    pub(in crate::server) address: SocketAddr,
    directory: Option<PathBuf>,
}

impl BackendSocket {
    /// Listens in a private directory under TMPDIR, /tmp or /dev/shm, else under an abstract name.
    pub(in crate::server) fn listen() -> io::Result<(BackendSocket, UnixListener)> {
        let places = [
            std::env::var_os("TMPDIR").map(PathBuf::from),
            Some("/tmp".into()),
            Some("/dev/shm".into()),
        ];
        BackendSocket::listen_in(places.into_iter().flatten())
    }

    /// Listens in the first of these places that can be written, else under an abstract name.
    pub(in crate::server) fn listen_in(
        places: impl IntoIterator<Item = PathBuf>,
    ) -> io::Result<(BackendSocket, UnixListener)> {
        let name = unguessable_name()?;
        for place in places {
            if let Ok(found) = in_directory(place.join(&name)) {
                return Ok(found);
            }
        }
        abstract_name(&name)
    }

    /// The directory to remove, should the process end in some other way than by dropping this.
    pub(in crate::server) fn directory(&self) -> Option<PathBuf> {
        self.directory.clone()
    }
}

impl Drop for BackendSocket {
    fn drop(&mut self) {
        if let Some(directory) = &self.directory {
            remove(directory);
        }
    }
}

/// Removes the directory and what is in it, with no descriptor to spare.
pub(in crate::server) fn remove(directory: &Path) {
    // It may be gone already, and nothing depends on it.
    let _ = std::fs::remove_file(directory.join(SOCKET));
    let _ = std::fs::remove_dir(directory);
}

fn in_directory(directory: PathBuf) -> io::Result<(BackendSocket, UnixListener)> {
    DirBuilder::new().mode(0o700).create(&directory)?;
    let path = directory.join(SOCKET);
    let bound = UnixListener::bind(&path)
        .and_then(|listener| Ok((SocketAddr::from_pathname(&path)?, listener)));
    match bound {
        Ok((address, listener)) => {
            Ok((BackendSocket { address, directory: Some(directory) }, listener))
        }
        Err(error) => {
            remove(&directory);
            Err(error)
        }
    }
}

#[cfg(any(target_os = "linux", target_os = "android"))]
fn abstract_name(name: &str) -> io::Result<(BackendSocket, UnixListener)> {
    use std::os::linux::net::SocketAddrExt;
    let address = SocketAddr::from_abstract_name(name)?;
    let listener = UnixListener::bind_addr(&address)?;
    Ok((BackendSocket { address, directory: None }, listener))
}

#[cfg(not(any(target_os = "linux", target_os = "android")))]
fn abstract_name(_: &str) -> io::Result<(BackendSocket, UnixListener)> {
    Err(io::Error::other("no directory for the lanes' socket can be written: set TMPDIR"))
}

fn unguessable_name() -> io::Result<String> {
    let mut random = [0; 16];
    getrandom::fill(&mut random).map_err(|error| io::Error::other(error.to_string()))?;
    Ok(format!("waxseal-{:032x}", u128::from_ne_bytes(random)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::PermissionsExt;

    #[test]
    fn the_directory_is_private_and_goes_away() {
        let (socket, _listener) = BackendSocket::listen().unwrap();
        let directory = socket.directory().unwrap();
        assert_eq!(std::fs::metadata(&directory).unwrap().permissions().mode() & 0o777, 0o700);
        drop(socket);
        assert!(!directory.exists());
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn without_a_directory_an_abstract_name() {
        let name = unguessable_name().unwrap();
        let (socket, _listener) = abstract_name(&name).unwrap();
        assert!(std::os::unix::net::UnixStream::connect_addr(&socket.address).is_ok());
    }
}
