//! W1: passing a request on, with a bearer token put in.

use crate::{
    driver::{Ask, Target},
    limit,
    nginx::Nginx,
    table::compare,
    tieline::Tieline,
};

pub(crate) async fn run() {
    let upstream = limit::start("upstream", &[]);
    let limit = limit::start("proxy", &[&upstream.address.to_string()]);
    let nginx = Nginx::start(upstream.address);
    let tieline = Tieline::start(upstream.address).await;
    let path = format!("/api/v1/connections/{}/proxy/messages", tieline.connection);
    let get = |path: &str| Ask::get(path, &tieline.key);
    let mut targets = vec![Target::new(
        "limit: bare hyper",
        limit.address,
        limit.pid(),
        get("/messages"),
    )];
    targets.extend(
        nginx.map(|nginx| Target::owning("nginx proxy_pass", nginx.address, nginx.pid(), get("/messages"), nginx)),
    );
    targets.push(Target::new("tieline proxy", tieline.address, tieline.pid(), get(&path)));
    compare("W1 proxied request", &targets).await;
    tieline.report_memory();
}
