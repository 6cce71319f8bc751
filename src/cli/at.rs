//! Where an installation is met: its log, or the API of what runs.

use std::path::Path;

use super::Setup;
use super::server::ServerOptions;

/// Where what is asked for is done.
#[derive(Debug)]
pub enum At {
    /// The log of an installation whose configuration is known.
    Log(Box<Setup>),
    /// Whatever answers there.
    Server(ServerOptions),
}

impl At {
    /// With a configuration its log, else the API.
    pub fn of(config: Option<&Path>, set: &[String], server: &ServerOptions) -> anyhow::Result<At> {
        match config.is_some() || !set.is_empty() {
            true => Ok(At::Log(Box::new(Setup::read(config, set)?))),
            false => Ok(At::Server(server.clone())),
        }
    }
}
