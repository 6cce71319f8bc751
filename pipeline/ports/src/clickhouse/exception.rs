//! What ClickHouse says when it refuses, and which status of HTTP goes with it.

use axum::http::StatusCode;

/// An exception of ClickHouse: its code, and its text as a client expects it.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{text}")]
pub struct Exception {
    pub code: i32,
    pub text: String,
}

/// Codes that are said here and not by the engine.
pub(super) const BAD_ARGUMENTS: i32 = 36;
pub(super) const NOT_IMPLEMENTED: i32 = 48;
pub(super) const QUERY_IS_TOO_LARGE: i32 = 62;
pub(super) const READONLY: i32 = 164;
pub(super) const TOO_MANY_SIMULTANEOUS_QUERIES: i32 = 202;
pub(super) const NETWORK_ERROR: i32 = 210;
pub(super) const CANNOT_DECOMPRESS: i32 = 271;
pub(super) const SESSION_NOT_FOUND: i32 = 372;
pub(super) const SESSION_IS_LOCKED: i32 = 373;
pub(super) const AUTHENTICATION_FAILED: i32 = 516;
const UNKNOWN_EXCEPTION: i32 = 1002;

impl Exception {
    /// One of ours, in the form of the engine's.
    pub(super) fn new(code: i32, what: impl std::fmt::Display, name: &str) -> Exception {
        Exception { code, text: format!("Code: {code}. DB::Exception: {what}. ({name})") }
    }

    /// The engine failed and did not say why.
    pub(super) fn silent() -> Exception {
        Exception::new(UNKNOWN_EXCEPTION, "The engine does not say why", "UNKNOWN_EXCEPTION")
    }

    /// What the engine said.
    pub(super) fn said(text: &str) -> Exception {
        let text = text.strip_prefix("Error: ").unwrap_or(text).trim();
        let code = text.strip_prefix("Code: ").and_then(|rest| rest.split('.').next());
        match code.and_then(|code| code.parse().ok()) {
            Some(code) => Exception { code, text: text.to_owned() },
            None => Exception::new(UNKNOWN_EXCEPTION, text, "UNKNOWN_EXCEPTION"),
        }
    }

    /// The status that ClickHouse's own server answers with.
    pub(super) fn status(&self) -> StatusCode {
        match self.code {
            194 => StatusCode::UNAUTHORIZED,
            192 | 193 | AUTHENTICATION_FAILED | 497 => StatusCode::FORBIDDEN,
            // What cannot be parsed, or is not of its type.
            6 | 25..=27 | 38 | 41 | 53 | 62 | 69 | 70 | 72 | 117 | 130 | 131 | 457 => {
                StatusCode::BAD_REQUEST
            }
            // What is not known by its name.
            16 | 46 | 47 | 50 | 56 | 60 | 71 | 73 | 78 | 81 | 115 | SESSION_NOT_FOUND => {
                StatusCode::NOT_FOUND
            }
            NOT_IMPLEMENTED => StatusCode::NOT_IMPLEMENTED,
            159 => StatusCode::REQUEST_TIMEOUT,
            209 => StatusCode::SERVICE_UNAVAILABLE,
            _ => StatusCode::INTERNAL_SERVER_ERROR,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_code_is_read_from_the_text() {
        let said = Exception::said("Error: Code: 60. DB::Exception: Table x. (UNKNOWN_TABLE)\n");
        assert_eq!((said.code, said.status()), (60, StatusCode::NOT_FOUND));
        assert_eq!(said.text, "Code: 60. DB::Exception: Table x. (UNKNOWN_TABLE)");
        let foreign = Exception::said("something else");
        assert_eq!((foreign.code, foreign.status()), (1002, StatusCode::INTERNAL_SERVER_ERROR));
        assert!(foreign.text.starts_with("Code: 1002. DB::Exception: something else"));
    }
}
