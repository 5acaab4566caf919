//! `serve`: the server, until it is asked to stop.

use std::path::Path;

use serde_json::json;
use tieline::{Code, Error, Result};
use tieline_manifest::Json;
use tokio::{
    net::TcpListener,
    signal::unix::{SignalKind, signal},
    sync::watch,
};

use super::output::{Failure, Output};
use crate::{
    app::{self, App},
    config::Config,
    local::{Announced, LocalKey, for_this_machine},
    router::API,
    start::{self, BOOTSTRAP_KEY, DEFAULT_TENANT, Opened},
    telemetry,
};

pub(super) async fn serve(config: Config, output: Output) -> Result<(), Failure> {
    telemetry::start(&config)?;
    // Before anything is told, so that whoever reads "listens" can also stop us.
    let asked = watch_signals()?;
    let (stop, hurry) = (times(asked.clone(), 1), times(asked, 2));
    let opened = start::open(&config).await?;
    opened.notices.iter().for_each(|notice| output.note(notice));
    let listener = listen(&config).await?;
    let address = listener
        .local_addr()
        .map_err(|error| Error::internal("a listener has no address", error))?;
    let local = LocalKey::new(&opened.connectors, opened.tenant)?;
    let announced = Announced::new(&config.data, address, &local)?;
    let follower = {
        let connectors = opened.connectors.clone();
        tokio::spawn(async move { connectors.follow().await })
    };
    warn_of_plain_http(&config, output);
    tell(
        &config,
        &opened,
        &format!("http://{}", for_this_machine(address)),
        output,
    );

    let app = App::new(opened.connectors.clone()).with_local_key(local);
    let stop = async move {
        stop.await;
        tracing::info!("stopping: open requests may end; ask again to cut them");
        drop(announced);
    };
    tokio::select! {
        () = app::serve(listener, app, stop) => {}
        () = hurry => tracing::warn!("stopped at once: open requests are cut"),
    }
    follower.abort();
    // It holds the store, which is closed when its last holder lets go: before the data folder is.
    let _ = follower.await;
    Ok(())
}

/// How often the process was asked to end. One task counts, and tells before it listens again: two listeners could each
/// take two signals for one.
fn watch_signals() -> Result<watch::Receiver<usize>> {
    let watch = |kind| signal(kind).map_err(|error| Error::internal("a signal cannot be watched", error));
    let (mut terminate, mut interrupt) = (watch(SignalKind::terminate())?, watch(SignalKind::interrupt())?);
    let (count, asked) = watch::channel(0);
    tokio::spawn(async move {
        loop {
            tokio::select! {
                _ = terminate.recv() => {}
                _ = interrupt.recv() => {}
            }
            count.send_modify(|times| *times += 1);
        }
    });
    Ok(asked)
}

/// Over when the process was asked so often to end.
async fn times(mut asked: watch::Receiver<usize>, times: usize) {
    // The counting task lives as long as the process.
    let _ = asked.wait_for(|asked| *asked >= times).await;
}

async fn listen(config: &Config) -> Result<TcpListener> {
    TcpListener::bind(config.listen).await.map_err(|error| {
        let origin = &config.settings["server.listen"].origin;
        let detail = format!(
            "{origin}: nothing can listen on {}: {error}. Choose another `server.listen`, or port 0 for any free one.",
            config.listen
        );
        Error::new(Code::ConfigInvalid, detail)
    })
}

/// K7: keys and secrets must not cross a network in the clear.
fn warn_of_plain_http(config: &Config, output: Output) {
    let behind_tls = config.public_url.as_ref().is_some_and(|url| url.scheme() == "https");
    if !config.listen.ip().is_loopback() && !behind_tls {
        output.note(&format!(
            "{} can be reached from other machines, and without TLS their API keys can be read on the way. Put a proxy \
             with TLS in front and set `server.public_url` to its https address.",
            config.listen
        ));
    }
}

fn tell(config: &Config, opened: &Opened, url: &str, output: Output) {
    let key_file = config.data.join(BOOTSTRAP_KEY);
    let curl = opened
        .connectors
        .registry()
        .list()
        .first()
        .map(|connector| curl(&key_file, url, connector.id()));
    let public = config.public_url.as_ref().map(ToString::to_string);
    let told = json!({
        "url": url,
        "publicUrl": public,
        "data": config.data.to_string_lossy(),
        "masterKey": opened.key.to_string(),
        "bootstrapKey": key_file.exists().then(|| key_file.to_string_lossy()),
        "curl": curl,
    });
    output.result(&Json::from(told), || {
        let mut text = format!("Tieline listens on {url}\n");
        if let Some(public) = public {
            text.push_str(&format!("  reached at   {public}\n"));
        }
        text.push_str(&format!(
            "  data folder  {}\n  master key   {}\n",
            config.data.display(),
            opened.key
        ));
        if !key_file.exists() {
            text.push_str("  API key      its file was taken away; commands on this machine need none");
            return text;
        }
        text.push_str(&format!(
            "  API key      {} (tenant `{DEFAULT_TENANT}`, may do everything)",
            key_file.display()
        ));
        if let Some(curl) = curl {
            text.push_str(&format!("\nTry it:\n  {curl}"));
        }
        text
    });
}

/// A request that works as printed, pasted into a shell in this working directory.
fn curl(key_file: &Path, url: &str, connector: &str) -> String {
    let file = key_file.to_string_lossy();
    let plain = |char: char| char.is_ascii_alphanumeric() || "/._-".contains(char);
    let file = if file.chars().all(plain) {
        file.into_owned()
    } else {
        format!("'{}'", file.replace('\'', r"'\''"))
    };
    format!("curl -H \"Authorization: Bearer $(cat {file})\" {url}{API}/catalog/{connector}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_printed_request_survives_odd_folders() {
        let curl = |file: &str| curl(Path::new(file), "http://127.0.0.1:1", "x");
        assert!(curl("data/bootstrap-key").contains("$(cat data/bootstrap-key)\" http://127.0.0.1:1/api/v1/catalog/x"));
        assert!(curl("my data/it's").contains(r"$(cat 'my data/it'\''s')"));
    }
}
