//! The limit of open files is shared out between the program, the lanes and the connections.

use std::io;

use log::warn;
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

use super::config::Config;

/// Descriptors of the server itself: 12 that stay open, standard streams, and a few that are open for a moment.
const OF_THE_SERVER: usize = 20;
/// Descriptors of a lane: one of the event loop's, two of tiny_http's.
const OF_A_LANE: usize = 3;
/// With fewer connections than these, one visitor's browser could take them all.
const FEWEST_CONNECTIONS: usize = 16;

/// Descriptors for connections. Lanes that take the place of others borrow of them.
#[derive(Clone, Copy, Debug)]
pub(super) struct Descriptors {
    for_connections: usize,
}

impl Descriptors {
    /// Raises the soft limit to the hard one, and reserves what the server and the program need.
    ///
    /// # Errors
    ///
    /// The limit leaves too few files for connections.
    pub(super) fn reserve(config: &Config) -> io::Result<Descriptors> {
        let limit = raise_limit();
        let reserved = OF_A_LANE
            .saturating_mul(config.workers)
            .saturating_add(config.reserved_descriptors)
            .saturating_add(OF_THE_SERVER);
        let needed = reserved.saturating_add(config.max_connections.min(FEWEST_CONNECTIONS));
        if limit < needed {
            return Err(io::Error::other(format!(
                "the limit of open files is {limit}, and {needed} are needed with {} workers; raise it (ulimit -n, \
                 LimitNOFILE), or have fewer workers",
                config.workers
            )));
        }
        let for_connections = limit - reserved;
        if for_connections < config.max_connections {
            let wished = config.max_connections;
            warn!(wished, allowed = for_connections; "the limit of open files allows fewer connections");
        }
        Ok(Descriptors { for_connections })
    }

    /// How many connections there may be beside so many lanes more than workers; none where that would be
    /// fewer than the server started with.
    pub(super) fn connections_beside(self, extra_lanes: usize) -> Option<usize> {
        let left = self.for_connections.checked_sub(OF_A_LANE * extra_lanes);
        left.filter(|left| extra_lanes == 0 || *left >= FEWEST_CONNECTIONS)
    }
}

fn raise_limit() -> usize {
    let Rlimit { current, maximum } = getrlimit(Resource::Nofile);
    let raised = Rlimit { current: maximum, maximum };
    let limit = match setrlimit(Resource::Nofile, raised) {
        Ok(()) => maximum,
        Err(_) => current,
    };
    limit.map_or(usize::MAX, |n| usize::try_from(n).unwrap_or(usize::MAX))
}

#[cfg(test)]
impl Descriptors {
    pub(super) const PLENTY: Descriptors = Descriptors { for_connections: usize::MAX };
}
