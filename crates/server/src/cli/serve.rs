//! `serve`: the server, until it is asked to stop.

use std::path::Path;

use serde_json::json;
use tieline::{Error, Result, tenant::DEFAULT_TENANT};
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
    site::Site,
    start::{self, BOOTSTRAP_KEY, Opened},
    telemetry,
};

pub(super) async fn serve(config: Config, output: Output) -> Result<(), Failure> {
    telemetry::start(&config)?;
    // Before anything is told, so that whoever reads "listens" can also stop us.
    let asked = watch_signals()?;
    let (stop, hurry) = (times(asked.clone(), 1), times(asked, 2));
    let opened = start::open(&config).await?;
    opened.notices.iter().for_each(|notice| output.note(notice));
    // Before anybody is let in, so that limits hold from the first request on.
    opened.connectors.show_life().await?;
    let listener = listen(&config).await?;
    let address = listener
        .local_addr()
        .map_err(|error| Error::internal("a listener has no address", error))?;
    let local = LocalKey::new(&opened.connectors, opened.tenant)?;
    let announced = Announced::new(&config.data, address, &local)?;
    let site = Site::new(config.public_url.as_ref(), address);
    let setup = opened.connectors.setup_link(opened.tenant).await?;
    let follower = {
        let connectors = opened.connectors.clone();
        tokio::spawn(async move { connectors.follow().await })
    };
    let heart = {
        let connectors = opened.connectors.clone();
        tokio::spawn(async move { connectors.keep_alive().await })
    };
    let tender = {
        let connectors = opened.connectors.clone();
        tokio::spawn(async move { connectors.tend().await })
    };
    let tester = {
        let connectors = opened.connectors.clone();
        tokio::spawn(async move { connectors.watch_health().await })
    };
    let pruner = {
        let connectors = opened.connectors.clone();
        tokio::spawn(async move { connectors.prune().await })
    };
    let keeper = {
        let connectors = opened.connectors.clone();
        tokio::spawn(async move { connectors.keep_ledger().await })
    };
    let housekeeper = {
        let (connectors, kept) = (opened.connectors.clone(), config.calls_kept);
        tokio::spawn(async move { connectors.keep_house(kept).await })
    };
    warn_of_plain_http(&config, output);
    warn_of_unknown_proxy(&config, output);
    tell(
        &config,
        &opened,
        &format!("http://{}", for_this_machine(address)),
        setup
            .as_ref()
            .map(|(_, token)| site.link(&format!("/setup?token={}", token.reveal()))),
        output,
    );

    let mut app = App::new(opened.connectors.clone())
        .with_local_key(local)
        .with_cors(&config.cors_origins)
        .at(site)
        .behind(config.trusted_proxies.clone());
    if config.metrics_open {
        app = app.with_open_metrics();
    }
    if let Some((link, _)) = setup {
        app = app.with_setup(link);
    }
    let stop = async move {
        stop.await;
        tracing::info!("stopping: open requests may end; ask again to cut them");
        drop(announced);
    };
    app::serve_hurried(listener, app, stop, hurry).await;
    // After the last request: nothing is begun any more, and what is still to be written down is.
    for task in [follower, heart, tender, tester, keeper, pruner, housekeeper] {
        task.abort();
        // It holds the store, which is closed when its last holder lets go: before the data folder is.
        let _ = task.await;
    }
    opened.connectors.tend_once().await;
    opened.connectors.close().await?;
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
    TcpListener::bind(config.listen)
        .await
        .map_err(|error| start::cannot_listen(config, &error))
}

/// Whether something in front of us speaks TLS, which we do not.
fn is_behind_tls(config: &Config) -> bool {
    config.public_url.as_ref().is_some_and(|url| url.scheme() == "https")
}

/// K7: keys and secrets must not cross a network in the clear.
fn warn_of_plain_http(config: &Config, output: Output) {
    if !config.listen.ip().is_loopback() && !is_behind_tls(config) {
        output.note(&format!(
            "{} can be reached from other machines, and without TLS API keys, passwords and setup links can be read on the \
             way. Browsers do not sign in like that either. Put a proxy with TLS in front and set `server.public_url` to its https address.",
            config.listen
        ));
    }
}

/// Whoever comes through a proxy that we do not know is the proxy, and shares its limits with everybody else.
fn warn_of_unknown_proxy(config: &Config, output: Output) {
    if is_behind_tls(config) && config.trusted_proxies.is_empty() {
        output.note(
            "`server.public_url` says that a proxy stands in front, and `server.trusted_proxies` names none: all who come \
             through it share the limits of one address, such as that on failed sign-ins. List its network there.",
        );
    }
}

/// Tells where the server is. The link for the first account is told here and nowhere else (K7).
fn tell(config: &Config, opened: &Opened, url: &str, setup: Option<String>, output: Output) {
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
        "setup": setup,
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
        if let Some(setup) = setup {
            text.push_str(&format!("  first account {setup}\n"));
        }
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
