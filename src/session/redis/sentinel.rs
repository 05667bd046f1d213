//! Redis Sentinel: which of several servers is the master now.
//!
//! Asked by hand: the crate's own client waits for a Sentinel or a server that is silent for as long as
//! it is silent, and a machine that is gone is what Sentinel is for. It also believes the first Sentinel
//! that answers, which may not have heard of a failover yet; a former master that has been started again
//! believes that it is one too.

use std::collections::HashMap;
use std::time::Duration;

use ::redis::{Client, Connection, ConnectionInfo, RedisError};

use super::super::pool::{self, Cause};
use super::address::at;
use super::connection::{Role, greet};

/// How long one Sentinel is waited for.
const PATIENCE: Duration = Duration::from_millis(400);

/// Host and port of a server.
pub(super) type Master = (String, u16);

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

    /// A connection to the master, and where that is.
    pub(super) fn connect(&self) -> Result<(Connection, Master), Cause> {
        let master = self.master()?;
        let client = Client::open(at(&self.server, master.0.clone(), master.1))?;
        let mut connection = client.get_connection_with_timeout(pool::PATIENCE)?;
        connection.set_read_timeout(Some(pool::PATIENCE))?;
        match greet(&mut connection)? {
            Role::Replica => Err("Sentinel names a master that is a replica".into()),
            Role::Master | Role::Unknown => Ok((connection, master)),
        }
    }

    /// The master, by the Sentinel that knows of the latest failover.
    pub(super) fn master(&self) -> Result<Master, Cause> {
        let mut failed: Cause = "no Sentinel".into();
        let mut latest: Option<(u64, Master)> = None;
        for sentinel in &self.sentinels {
            match self.ask(sentinel) {
                Ok(told) if latest.as_ref().is_none_or(|known| known.0 < told.0) => {
                    latest = Some(told);
                }
                Ok(_) => {}
                Err(error) => failed = error,
            }
        }
        latest.map(|(_, master)| master).ok_or(failed)
    }

    /// The number of the last failover that this Sentinel knows of, and the master since then.
    fn ask(&self, sentinel: &Client) -> Result<(u64, Master), Cause> {
        let mut connection = sentinel.get_connection_with_timeout(PATIENCE)?;
        connection.set_read_timeout(Some(PATIENCE))?;
        let mut both = ::redis::pipe();
        both.cmd("SENTINEL").arg("GET-MASTER-ADDR-BY-NAME").arg(&self.name);
        both.cmd("SENTINEL").arg("MASTER").arg(&self.name);
        let told: Result<(Master, HashMap<String, String>), RedisError> =
            both.query(&mut connection);
        let (master, details) = told.map_err(|error| -> Cause {
            match error.to_string().contains("No such master") {
                true => "Sentinel knows no master of this name".into(),
                false => error.into(),
            }
        })?;
        let epoch = details.get("config-epoch").and_then(|epoch| epoch.parse().ok());
        Ok((epoch.unwrap_or(0), master))
    }
}
