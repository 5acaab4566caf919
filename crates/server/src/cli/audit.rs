//! `audit`: whether the audit log and the ledger of calls are as they were written.

use clap::{Args, Subcommand};
use serde::Deserialize;
use tieline::Error;
use tieline_manifest::{Json, Tree};

use super::{
    Configured,
    api::{Api, segment},
    output::{Failure, Output},
};
use crate::limits::TENANTS_PAGE;

#[derive(Subcommand)]
pub(super) enum Audit {
    /// Follow the audit log from its first entry, and hold the calls against it. The exit code is 1 when something is not as
    /// it was written; the first such place is told.
    Verify(Verify),
}

#[derive(Args)]
pub(super) struct Verify {
    /// Whose: a tenant's id or name, or `all`; the tenant `default`, unless given.
    #[arg(long, value_name = "TENANT")]
    tenant: Option<String>,
    /// A head that was published before, `place:hash` as the server's log has it: shows whether the end was cut off since.
    #[arg(long, value_name = "HEAD")]
    head: Option<String>,
    #[command(flatten)]
    from: Configured,
}

/// A verdict, as the API tells it.
#[derive(Deserialize)]
struct Verdict {
    tenant: String,
    holds: bool,
    head: String,
    calls: u64,
    pruned: u64,
    tampered: Option<Place>,
}

#[derive(Deserialize)]
struct Place {
    what: String,
}

/// A page of tenants, as the API tells it.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Tenants {
    data: Vec<Tenant>,
    next_cursor: Option<String>,
}

#[derive(Deserialize)]
struct Tenant {
    id: String,
}

pub(super) async fn verify(verify: Verify, output: Output) -> Result<(), Failure> {
    if verify.tenant.as_deref() == Some("all") && verify.head.is_some() {
        let error = Error::new(
            tieline::Code::RequestInvalid,
            "A head is one tenant's: name the tenant.",
        );
        return Err(error.field("/head", "needs one tenant").into());
    }
    let api = Api::open(&verify.from.load()?, output).await?;
    let head = verify.head.as_deref().map(|head| format!("head={}", segment(head)));
    let paths = match verify.tenant.as_deref() {
        None => vec![format!("/audit-logs/verify?{}", head.unwrap_or_default())],
        Some("all") => every_tenant(&api).await?,
        Some(tenant) => vec![format!("{}&{}", of_tenant(tenant), head.unwrap_or_default())],
    };
    let mut verdicts = Vec::new();
    for path in paths {
        verdicts.push(api.get(path.trim_end_matches(['?', '&'])).await?);
    }
    let read: Vec<Verdict> = verdicts.iter().map(told).collect::<Result<_, _>>()?;
    let all = match verdicts.as_slice() {
        [one] => one.clone(),
        many => Json::from_tree(Tree::Array(many.iter().map(|json| json.tree().clone()).collect())),
    };
    output.result(&all, || read.iter().map(sentence).collect::<Vec<_>>().join("\n"));
    if read.iter().all(|verdict| verdict.holds) {
        return Ok(());
    }
    Err(Failure::Told)
}

fn of_tenant(tenant: &str) -> String {
    format!("/tenants/verify?tenant={}", segment(tenant))
}

async fn every_tenant(api: &Api) -> Result<Vec<String>, Failure> {
    let (mut paths, mut cursor) = (Vec::new(), String::new());
    loop {
        let page: Tenants = told(&api.get(&format!("/tenants?limit={TENANTS_PAGE}{cursor}")).await?)?;
        paths.extend(page.data.iter().map(|tenant| of_tenant(&tenant.id)));
        let Some(next) = page.next_cursor else { return Ok(paths) };
        cursor = format!("&cursor={}", segment(&next));
    }
}

fn told<T: serde::de::DeserializeOwned>(json: &Json) -> Result<T, Error> {
    json.into_type()
        .map_err(|error| Error::internal("an answer of the API is not as described", error))
}

fn sentence(verdict: &Verdict) -> String {
    let Verdict {
        tenant,
        head,
        calls,
        pruned,
        tampered,
        ..
    } = verdict;
    match tampered {
        None => format!("{tenant}: holds up to {head}; {calls} calls are as they were written, {pruned} were pruned."),
        Some(place) => format!(
            "{tenant}: NOT as it was written. {} Up to there it holds: {head}.",
            place.what
        ),
    }
}
