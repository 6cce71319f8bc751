//! `drawdown clickhouse`: the embedded ClickHouse engine, in a process of its own.

use std::io::Write;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use anyhow::Context;
use drawdown_ports::clickhouse::{Server, ServerOptions, library, listen};
use tokio::signal::unix::{SignalKind, signal};

use super::Setup;

/// Serves the engine over a folder until the process is asked to end.
pub fn serve_clickhouse(
    setup: &Setup,
    data: &Path,
    address: SocketAddr,
    out: &mut dyn Write,
) -> anyhow::Result<()> {
    let section = setup.config.clickhouse();
    let configured = (!section.library.is_empty()).then(|| PathBuf::from(&section.library));
    let library = library::find(configured.as_deref())?;
    let options = ServerOptions {
        password: (!section.password.is_empty()).then(|| section.password.clone()),
        connections_max: section.connections_max,
        queries_max: section.queries_max,
        memory_bytes_max: Some(section.memory_bytes_max),
        ..ServerOptions::default()
    };
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(async {
        // Before the engine, which takes its time: an address that is taken is known at once.
        let listener = listen(address)
            .await
            .with_context(|| format!("{address} cannot be used; name another one with --listen"))?;
        let bound = listener.local_addr()?;
        let server = Server::open(&library, data, options)?;
        // After the engine: what it does about signals is then done.
        let (mut terminate, mut interrupt) =
            (signal(SignalKind::terminate())?, signal(SignalKind::interrupt())?);
        let end = async move {
            tokio::select! {
                _ = terminate.recv() => {}
                _ = interrupt.recv() => {}
            }
        };
        writeln!(out, "ClickHouse answers at http://{bound}, data in {}", data.display())?;
        out.flush()?;
        server.serve(listener, end).await.context("ClickHouse is served no more")
    })
}
