//! A connection to Redis, made ready, and what its errors mean.

use std::sync::Arc;
use std::time::Duration;

use ::redis::{Connection, ErrorKind, RedisError, ServerErrorKind, Value, cmd};

use super::super::pool::{Cause, Failure, PATIENCE};
use super::super::store::StoreError;
use super::address::Endpoint;
use super::sentinel::Master;

/// How long a change may take to get to all replicas.
const REPLICATION: Duration = Duration::from_millis(500);

const CLUSTER: &str = "Redis Cluster cannot be used: a session and its user's list are changed \
    together, and a cluster keeps them apart; use Redis with Sentinel, or PostgreSQL";

/// The role of a server.
#[derive(PartialEq)]
pub(super) enum Role {
    Master,
    Replica,
    /// One that does not tell: it is older than Redis 6.
    Unknown,
}

const BEHIND: &str = "a replica does not have the change yet, and might become the master";

/// A connection, with the time that it waits for an answer.
pub(super) struct Link {
    connection: Connection,
    patience: Duration,
    /// The master's host and port, by Sentinel.
    master: Option<Master>,
    endpoint: Arc<Endpoint>,
}

impl Link {
    pub(super) fn open(endpoint: &Arc<Endpoint>) -> Result<Link, Cause> {
        let (connection, master) = match &**endpoint {
            Endpoint::Server(client) => {
                let mut connection = client.get_connection_with_timeout(PATIENCE)?;
                connection.set_read_timeout(Some(PATIENCE))?;
                greet(&mut connection)?;
                (connection, None)
            }
            Endpoint::Sentinel(sentinels) => {
                let (connection, master) = sentinels.connect()?;
                (connection, Some(master))
            }
        };
        let endpoint = Arc::clone(endpoint);
        let mut link = Link { connection, patience: Duration::ZERO, master, endpoint };
        link.wait_for(PATIENCE).map_err(Cause::from)?;
        Ok(link)
    }

    /// The connection, whose answers are waited for so long.
    pub(super) fn within(&mut self, patience: Duration) -> Result<&mut Connection, Failure> {
        // To set it is a system call: only where it was another, by more than a call takes.
        if self.patience.abs_diff(patience) > PATIENCE / 10 {
            self.wait_for(patience).map_err(failure)?;
        }
        Ok(&mut self.connection)
    }

    fn wait_for(&mut self, patience: Duration) -> Result<(), RedisError> {
        self.connection.set_read_timeout(Some(patience))?;
        self.connection.set_write_timeout(Some(patience))?;
        self.patience = patience;
        Ok(())
    }

    /// Makes sure of a change: by Sentinel, which may make any replica the master, that all have it.
    pub(super) fn confirm(&mut self) -> Result<(), Failure> {
        if self.master.is_none() {
            return Ok(());
        }
        let role: ::redis::Role = cmd("ROLE").query(&mut self.connection).map_err(failure)?;
        let replicas = match role {
            ::redis::Role::Primary { replicas, .. } => replicas.len(),
            _ => return Err(Failure::Closed("the server is the master no more".into())),
        };
        if replicas > 0 {
            let millis = REPLICATION.min(self.patience).as_millis() as u64;
            let wait = cmd("WAIT").arg(replicas).arg(millis).query(&mut self.connection);
            let have_it: usize = wait.map_err(failure)?;
            return match have_it < replicas {
                true => Err(Failure::Refused(StoreError::Rejected(BEHIND.into()))),
                false => Ok(()),
            };
        }
        // The only server that there is, or one that was replaced while it was cut off.
        self.check_master()
    }

    /// Makes sure, by Sentinel, that this is the master still: one that was replaced has not what is
    /// new, and loses what it is given.
    pub(super) fn check_master(&self) -> Result<(), Failure> {
        let (Endpoint::Sentinel(sentinels), Some(master)) = (&*self.endpoint, &self.master) else {
            return Ok(());
        };
        match sentinels.master() {
            Ok(named) if named == *master => Ok(()),
            Ok(_) => Err(Failure::Closed("the server is the master no more".into())),
            Err(cause) => Err(Failure::Broken(cause)),
        }
    }
}

/// The first question, and what the server says that it is. A server that has too many clients says
/// so only now.
pub(super) fn greet(connection: &mut Connection) -> Result<Role, Cause> {
    let told: Vec<Value> = match cmd("HELLO").arg(2).query(connection) {
        Ok(told) => told,
        Err(error) if error.to_string().contains("unknown command") => return Ok(Role::Unknown),
        Err(error) => return Err(error.into()),
    };
    let of = |name: &str| {
        let text = |value: &Value| match value {
            Value::BulkString(bytes) => String::from_utf8(bytes.clone()).ok(),
            Value::SimpleString(text) => Some(text.clone()),
            _ => None,
        };
        told.chunks(2)
            .find(|pair| text(&pair[0]).as_deref() == Some(name))
            .and_then(|p| text(p.get(1)?))
    };
    if of("mode").as_deref() == Some("cluster") {
        return Err(CLUSTER.into());
    }
    Ok(match of("role").as_deref() {
        Some("master") => Role::Master,
        Some("replica" | "slave") => Role::Replica,
        _ => Role::Unknown,
    })
}

/// The meaning of an error for the call and the connection.
pub(super) fn failure(error: RedisError) -> Failure {
    match error.kind() {
        // A server that has just started, or has lost its master: the name in the address may lead to
        // another by the next connection, and no other that was kept is of use.
        ErrorKind::Server(ServerErrorKind::BusyLoading | ServerErrorKind::MasterDown) => {
            Failure::Closed(error.into())
        }
        // A replica by now: another may be the master.
        ErrorKind::Server(ServerErrorKind::ReadOnly) => {
            Failure::Elsewhere(StoreError::Rejected(error.into()))
        }
        ErrorKind::Server(_) | ErrorKind::Extension => {
            Failure::Refused(StoreError::Rejected(error.into()))
        }
        _ if error.is_connection_dropped() => Failure::Closed(error.into()),
        _ if error.is_timeout() => Failure::Broken("no answer in time".into()),
        _ => Failure::Broken(error.into()),
    }
}
