//! The registry of schemas as METERING asks it: Confluent's HTTP API, of which it needs one call.

use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use anyhow::Context;
use base64::prelude::{BASE64_STANDARD, Engine};
use drawdown_metering::SchemaRegistry;
use hyper::body::Bytes;
use serde_json::Value;

use super::server::{Asking, Client, Unanswered};

const ANSWERS_WITHIN: Duration = Duration::from_secs(10);
/// What a registry says of a number that is nobody's.
const NOT_FOUND: u16 = 404;

#[derive(Debug)]
pub(super) struct HttpRegistry {
    url: String,
    authorization: Option<String>,
    client: Mutex<Client>,
}

impl HttpRegistry {
    pub(super) fn new(url: &str, user: &str, password: &str) -> anyhow::Result<HttpRegistry> {
        let client = Client::new(url, None).map_err(|_| {
            anyhow::anyhow!("schema_registry.url is {url}; it looks like http://127.0.0.1:8081")
        })?;
        let authorization = (!user.is_empty())
            .then(|| format!("Basic {}", BASE64_STANDARD.encode(format!("{user}:{password}"))));
        Ok(HttpRegistry { url: url.to_owned(), authorization, client: Mutex::new(client) })
    }

    fn ask(&self, number: u32) -> anyhow::Result<Option<String>> {
        let mut headers =
            vec![("accept", "application/vnd.schemaregistry.v1+json, application/json")];
        headers.extend(self.authorization.as_deref().map(|value| ("authorization", value)));
        let asking = Asking {
            method: "GET",
            path: &format!("/schemas/ids/{number}"),
            headers: &headers,
            body: &Bytes::new(),
            within: ANSWERS_WITHIN,
        };
        let mut client = self.client.lock().unwrap_or_else(PoisonError::into_inner);
        let answer = client.ask(asking).map_err(|unanswered| match unanswered {
            Unanswered::Unreachable { why, .. } | Unanswered::Lost { why, .. } => {
                anyhow::anyhow!(why)
            }
        })?;
        match answer.status {
            200 => {
                let answer: Value = serde_json::from_slice(&answer.body)?;
                let schema = answer["schema"].as_str().context("its answer has no schema")?;
                Ok(Some(schema.to_owned()))
            }
            NOT_FOUND => Ok(None),
            status => {
                anyhow::bail!("it answers {status}: {}", String::from_utf8_lossy(&answer.body))
            }
        }
    }
}

impl SchemaRegistry for HttpRegistry {
    fn schema(&self, number: u32) -> Result<Option<String>, String> {
        self.ask(number).map_err(|why| {
            format!(
                "the schema {number} is not to be had of {} (schema_registry.url): {why:#}",
                self.url
            )
        })
    }
}
