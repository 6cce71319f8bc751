//! Errors as RFC 9457 has them: what went wrong, by a code that programs can rely on.

use axum::http::StatusCode;
use axum::http::header::{CONTENT_TYPE, HeaderValue, RETRY_AFTER};
use axum::response::{IntoResponse, Response};
use drawdown_domain::refusal::Refusal;
use serde_json::{Map, Value};

/// A problem document.
#[derive(Clone, Debug)]
pub(crate) struct Problem {
    status: StatusCode,
    code: &'static str,
    detail: String,
    more: Map<String, Value>,
    retry_after_seconds: Option<u32>,
}

impl Problem {
    pub(crate) fn new(
        status: StatusCode,
        code: &'static str,
        detail: impl Into<String>,
    ) -> Problem {
        Problem { status, code, detail: detail.into(), more: Map::new(), retry_after_seconds: None }
    }

    pub(crate) fn malformed(detail: impl Into<String>) -> Problem {
        Problem::new(StatusCode::BAD_REQUEST, Refusal::Malformed.code(), detail)
            .with("help", Refusal::Malformed.help().trim())
    }

    pub(crate) fn not_found(detail: impl Into<String>) -> Problem {
        Problem::new(StatusCode::NOT_FOUND, Refusal::NotFound.code(), detail)
    }

    /// Come again a little later: too much is asked for at once.
    pub(crate) fn busy(detail: impl Into<String>) -> Problem {
        Problem::new(StatusCode::TOO_MANY_REQUESTS, "busy", detail).retry_after(1)
    }

    /// Come again a little later: something that is needed does not answer.
    pub(crate) fn unavailable(detail: impl Into<String>) -> Problem {
        Problem::new(StatusCode::SERVICE_UNAVAILABLE, "unavailable", detail).retry_after(2)
    }

    /// A command was refused.
    pub(crate) fn refused(refusal: Refusal, detail: Option<&str>) -> Problem {
        let help = refusal.help().trim();
        Problem::new(status_of(refusal), refusal.code(), detail.unwrap_or(help)).with("help", help)
    }

    pub(crate) fn with(mut self, name: &str, value: impl Into<Value>) -> Problem {
        self.more.insert(name.to_owned(), value.into());
        self
    }

    fn retry_after(mut self, seconds: u32) -> Problem {
        self.retry_after_seconds = Some(seconds);
        self
    }

    pub(crate) fn status(&self) -> StatusCode {
        self.status
    }

    pub(crate) fn detail(&self) -> &str {
        &self.detail
    }

    /// What can be done about it, where that is known.
    pub(crate) fn help(&self) -> Option<&str> {
        self.more.get("help")?.as_str()
    }
}

/// Which kind of answer a refusal is: what was asked cannot be understood, is not there, is not for
/// whoever asks, clashes with what is, or is against a rule.
pub(crate) fn status_of(refusal: Refusal) -> StatusCode {
    match refusal {
        Refusal::Malformed => StatusCode::BAD_REQUEST,
        Refusal::NotFound => StatusCode::NOT_FOUND,
        Refusal::AlreadyExists | Refusal::KeyReused => StatusCode::CONFLICT,
        Refusal::NotPermitted | Refusal::OverRoleLimit => StatusCode::FORBIDDEN,
        Refusal::InsufficientFunds => StatusCode::PAYMENT_REQUIRED,
        _ => StatusCode::UNPROCESSABLE_ENTITY,
    }
}

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        let mut body = Map::new();
        body.insert("type".to_owned(), format!("/docs#code-{}", self.code).into());
        body.insert("title".to_owned(), self.code.replace('_', " ").into());
        body.insert("status".to_owned(), self.status.as_u16().into());
        body.insert("code".to_owned(), self.code.into());
        body.insert("detail".to_owned(), self.detail.into());
        body.extend(self.more);
        let json = [(CONTENT_TYPE, "application/problem+json")];
        let mut response = (self.status, json, Value::from(body).to_string()).into_response();
        if let Some(seconds) = self.retry_after_seconds {
            response.headers_mut().insert(RETRY_AFTER, HeaderValue::from(seconds));
        }
        response
    }
}
