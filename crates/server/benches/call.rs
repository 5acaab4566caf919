//! W1: calling an action. Input and output are checked, the secret is filled in, the answer is scrubbed.

use crate::{
    driver::{Ask, Target},
    limit::{self, INPUT},
    nginx::Nginx,
    table::compare,
    tieline::Tieline,
};

pub(crate) async fn run() {
    let upstream = limit::start("upstream", &[]);
    let limit = limit::start("call", &[&upstream.address.to_string()]);
    let nginx = Nginx::start(upstream.address);
    let tieline = Tieline::start(upstream.address).await;
    let path = format!("/api/v1/connections/{}/actions/send", tieline.connection);
    let post = |path: &str| Ask::post(path, &tieline.key, INPUT);
    let mut targets = vec![Target::new(
        "limit: bare hyper",
        limit.address,
        limit.pid(),
        post("/messages"),
    )];
    targets.extend(
        nginx.map(|nginx| Target::owning("nginx proxy_pass", nginx.address, nginx.pid(), post("/messages"), nginx)),
    );
    targets.push(Target::new(
        "tieline action",
        tieline.address,
        tieline.pid(),
        post(&path),
    ));
    compare("W1 action call", &targets).await;
    tieline.report_memory();
}
