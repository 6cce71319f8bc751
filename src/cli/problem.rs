//! What the API says when it does not do what it was asked: the code, and what to do.

use std::fmt;

use serde::Deserialize;
use serde_json::Value;

use super::server::{Answer, Client};

/// What has become of a command, as far as the command line needs it.
#[derive(Clone, Debug, Deserialize)]
pub(super) struct ServerSays {
    pub(super) command: u64,
    pub(super) at: Option<String>,
    pub(super) detail: Option<String>,
    pub(super) repeats: Option<u64>,
    #[serde(default)]
    pub(super) refused: Option<String>,
    /// A key that was made.
    #[serde(default)]
    pub(super) secret: Option<String>,
}

/// A problem document (RFC 9457), or what came in place of one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Problem {
    code: String,
    detail: String,
    /// What to do.
    help: Option<String>,
    may_pass: bool,
}

impl Problem {
    pub(super) fn refused(code: &str, detail: Option<String>, help: Option<String>) -> Problem {
        let detail = detail.or_else(|| help.clone()).unwrap_or_default();
        Problem { code: code.to_owned(), detail, help, may_pass: false }
    }

    pub(super) fn of(client: &Client, answer: &Answer) -> Problem {
        let document: Value = serde_json::from_slice(&answer.body).unwrap_or_default();
        let text = |name: &str| document.get(name).and_then(Value::as_str).map(str::to_owned);
        let Some(code) = text("code") else {
            return Problem {
                code: format!("status {}", answer.status),
                detail: format!("{} answers with something else than this API", client.server()),
                help: Some("Does --server name the console of drawdown?".to_owned()),
                may_pass: answer.status >= 500,
            };
        };
        let may_pass = matches!(answer.status, 429 | 503);
        let after = answer.header("retry-after");
        let help = text("help").or_else(|| match (answer.status, after) {
            (401, _) => Some(
                "Give a key with --key or DRAWDOWN_KEY: what `drawdown up` prints, one of `console.keys`, or one that `create_key` made.".to_owned(),
            ),
            (429 | 503, Some(seconds)) => Some(format!("Ask again in {seconds} seconds.")),
            _ => None,
        });
        let detail = text("detail").unwrap_or_default();
        Problem { code, detail, help, may_pass }
    }

    /// Whether the same may be done a little later.
    pub(super) fn may_pass(&self) -> bool {
        self.may_pass
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Problem { code, detail, help, .. } = self;
        write!(f, "{code}: {detail}")?;
        match help {
            Some(help) if help != detail => write!(f, "\n  {help}"),
            _ => Ok(()),
        }
    }
}

impl std::error::Error for Problem {}
