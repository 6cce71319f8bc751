//! `drawdown clickhouse`: the embedded ClickHouse engine, in a process of its own.

use std::io::Write;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use anyhow::Context;
use drawdown_ports::clickhouse::{Server, ServerOptions, library, listen};
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::oneshot;

use super::Setup;

/// Serves the engine over a folder until the process is asked to end, or, if that is wanted, until its input
/// ends, which it does with whoever started it.
pub fn serve_clickhouse(
    setup: &Setup,
    data: &Path,
    address: SocketAddr,
    ends_with_input: bool,
    out: &mut dyn Write,
) -> anyhow::Result<()> {
    let section = setup.config.clickhouse();
    let configured = (!section.library.is_empty()).then(|| PathBuf::from(&section.library));
    let library = library::find(configured.as_deref())?;
    // The engine joins a relative path to itself where it makes a folder of its own durable.
    let data = &std::path::absolute(data)?;
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
        let input = input_ends(ends_with_input)?;
        let end = async move {
            tokio::select! {
                _ = terminate.recv() => {}
                // At a terminal it is asked together with whoever started it, who ends it in time.
                _ = interrupt.recv(), if !ends_with_input => {}
                _ = input => {}
            }
        };
        writeln!(out, "ClickHouse answers at http://{bound}, data in {}", data.display())?;
        out.flush()?;
        server.serve(listener, end).await.context("ClickHouse is served no more")
    })
}

/// Comes when this process's input ends, if that is waited for.
fn input_ends(waited_for: bool) -> anyhow::Result<impl Future<Output = ()>> {
    let (tell, told) = oneshot::channel::<()>();
    if waited_for {
        std::thread::Builder::new().name("input".to_owned()).spawn(move || {
            // What comes by it means nothing.
            std::io::copy(&mut std::io::stdin(), &mut std::io::sink()).ok();
            tell.send(()).ok();
        })?;
    }
    Ok(async move {
        match waited_for {
            true => drop(told.await),
            false => std::future::pending().await,
        }
    })
}
