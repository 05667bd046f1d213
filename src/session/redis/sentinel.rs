//! Redis Sentinel: which of several servers is the master now.
//!
//! Asked by hand: the crate's own client waits for a Sentinel or a server that is silent for as long as
//! it is silent, and a machine that is gone is what Sentinel is for.

use std::time::Duration;

use ::redis::{Client, Connection, ConnectionInfo};

use super::super::pool::{self, Cause};
use super::address::at;
use super::connection::{Role, greet};

/// How long one Sentinel is waited for, before the next is asked.
const PATIENCE: Duration = Duration::from_millis(400);

/// The Sentinels of one master.
pub(super) struct Sentinels {
    sentinels: Vec<Client>,
    name: String,
    /// How to connect to the master, but for where it is.
    server: ConnectionInfo,
}

impl Sentinels {
    pub(super) fn new(sentinels: Vec<Client>, name: String, server: ConnectionInfo) -> Sentinels {
        Sentinels { sentinels, name, server }
    }

    /// A connection to the master, and where that is. A Sentinel that was cut off from the others may
    /// name a server that is the master no more: then the next one is asked.
    pub(super) fn connect(&self) -> Result<(Connection, (String, u16)), Cause> {
        let mut failed: Cause = "no Sentinel".into();
        for sentinel in &self.sentinels {
            let connected = self.master_by(sentinel).and_then(|master| {
                let client = Client::open(at(&self.server, master.0.clone(), master.1))?;
                let mut connection = client.get_connection_with_timeout(pool::PATIENCE)?;
                connection.set_read_timeout(Some(pool::PATIENCE))?;
                match greet(&mut connection)? {
                    Role::Replica => Err("Sentinel names a master that is a replica".into()),
                    Role::Master | Role::Unknown => Ok((connection, master)),
                }
            });
            match connected {
                Ok(connected) => return Ok(connected),
                Err(error) => failed = error,
            }
        }
        Err(failed)
    }

    /// The master's host and port.
    pub(super) fn master(&self) -> Result<(String, u16), Cause> {
        let mut failed: Cause = "no Sentinel".into();
        for sentinel in &self.sentinels {
            match self.master_by(sentinel) {
                Ok(master) => return Ok(master),
                Err(error) => failed = error,
            }
        }
        Err(failed)
    }

    fn master_by(&self, sentinel: &Client) -> Result<(String, u16), Cause> {
        let mut connection = sentinel.get_connection_with_timeout(PATIENCE)?;
        connection.set_read_timeout(Some(PATIENCE))?;
        let mut command = ::redis::cmd("SENTINEL");
        command.arg("GET-MASTER-ADDR-BY-NAME").arg(&self.name);
        let master: Option<(String, u16)> = command.query(&mut connection)?;
        master.ok_or_else(|| "Sentinel knows no master of this name".into())
    }
}
