//! A schema registry with Confluent's HTTP API, and Confluent's own client for producers.

use std::io::{BufRead, BufReader};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};

use anyhow::{Context, bail};

use crate::tally::{self, Component};
use crate::{cache, python};

/// A registry in memory, stopped when dropped: the one that franz-go tests its client with. Confluent's own is in no
/// package registry.
#[derive(Debug)]
pub struct SchemaRegistry {
    process: Child,
    url: String,
}

impl SchemaRegistry {
    pub fn start() -> anyhow::Result<SchemaRegistry> {
        let folder = cache()?.join("schema-registry-1.8.0");
        if !folder.join("complete").exists() {
            bail!("the schema registry is missing; `make prepare` builds it");
        }
        // It ends with its input, which closes with this process however that ends.
        let mut process = Command::new(folder.join("registry"))
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()?;
        let mut url = String::new();
        let output = process.stdout.take().context("it says nothing")?;
        BufReader::new(output).read_line(&mut url)?;
        Ok(SchemaRegistry { process, url: url.trim().to_owned() })
    }

    pub fn url(&self) -> &str {
        &self.url
    }
}

impl Drop for SchemaRegistry {
    fn drop(&mut self) {
        // One that has ended already need not be ended.
        drop(self.process.kill());
        drop(self.process.wait());
    }
}

/// A Python that has Confluent's client, as the installation put it.
pub fn confluent_kafka() -> anyhow::Result<PathBuf> {
    let client = python("confluent-kafka", "2.16.1")?;
    tally::met(Component::ConfluentKafka, "");
    Ok(client)
}
