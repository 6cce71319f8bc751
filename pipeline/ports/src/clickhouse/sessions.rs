//! Sessions by name: connections that outlive a request, with their settings and temporary tables.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};
use std::time::Instant;

use super::asked::SessionAsked;
use super::engine::{Connection, Engine, NoEngine};
use super::exception::{
    Exception, SESSION_IS_LOCKED, SESSION_NOT_FOUND, TOO_MANY_SIMULTANEOUS_QUERIES,
};

/// So many sessions are kept; those whose time is up go first, and then no more begin.
const SESSIONS_MAX: usize = 256;

#[derive(Debug)]
enum Session {
    /// A request has it.
    InUse,
    Idle {
        connection: Connection,
        until: Instant,
    },
}

/// All sessions.
#[derive(Debug)]
pub(super) struct Sessions {
    engine: Engine,
    sessions: Mutex<HashMap<String, Session>>,
}

impl Sessions {
    pub(super) fn new(engine: Engine) -> Sessions {
        Sessions { engine, sessions: Mutex::default() }
    }

    /// The connection for a request: its session's, or a fresh one.
    pub(super) fn take(&self, asked: Option<&SessionAsked>) -> Result<Connection, Exception> {
        let Some(asked) = asked else { return self.connect() };
        let mut sessions = self.sessions.lock().unwrap_or_else(PoisonError::into_inner);
        let now = Instant::now();
        sessions
            .retain(|_, session| !matches!(session, Session::Idle { until, .. } if *until < now));
        if !sessions.contains_key(&asked.name) {
            if asked.check {
                let what = format!("Session {} not found", asked.name);
                return Err(Exception::new(SESSION_NOT_FOUND, what, "SESSION_NOT_FOUND"));
            }
            if sessions.len() >= SESSIONS_MAX {
                let what = format!("There are {SESSIONS_MAX} sessions already");
                let name = "TOO_MANY_SIMULTANEOUS_QUERIES";
                return Err(Exception::new(TOO_MANY_SIMULTANEOUS_QUERIES, what, name));
            }
        }
        match sessions.insert(asked.name.clone(), Session::InUse) {
            Some(Session::Idle { connection, .. }) => Ok(connection),
            Some(Session::InUse) => {
                let what = format!("Session {} is locked by a concurrent client", asked.name);
                Err(Exception::new(SESSION_IS_LOCKED, what, "SESSION_IS_LOCKED"))
            }
            None => self.connect().inspect_err(|_| drop(sessions.remove(&asked.name))),
        }
    }

    /// Gives it back.
    pub(super) fn put_back(&self, asked: Option<&SessionAsked>, connection: Connection) {
        let Some(asked) = asked else { return };
        let mut sessions = self.sessions.lock().unwrap_or_else(PoisonError::into_inner);
        let until = Instant::now() + asked.timeout;
        sessions.insert(asked.name.clone(), Session::Idle { connection, until });
    }

    /// Ends all that are idle.
    pub(super) fn clear(&self) {
        self.sessions.lock().unwrap_or_else(PoisonError::into_inner).clear();
    }

    fn connect(&self) -> Result<Connection, Exception> {
        self.engine.connect().map_err(|error: NoEngine| {
            let name = "TOO_MANY_SIMULTANEOUS_QUERIES";
            Exception::new(TOO_MANY_SIMULTANEOUS_QUERIES, error, name)
        })
    }
}
