//! `check`: what holds, and where it comes from.

use std::collections::BTreeMap;

use serde_json::json;
use tieline_manifest::Json;

use super::output::{Failure, Output, table};
use crate::{
    config::Config,
    start::{self, find_key},
};

pub(super) fn check(config: &Config, output: Output) -> Result<(), Failure> {
    let settings: BTreeMap<_, _> = config
        .settings
        .iter()
        .map(|(name, setting)| {
            (
                name,
                json!({ "value": setting.value, "from": setting.origin.to_string() }),
            )
        })
        .collect();
    let key = find_key(config);
    let from = key.as_ref().ok().map(|(place, _)| place.to_string());
    let made = key.as_ref().is_ok_and(|(_, key)| key.is_none());
    let data = if start::has_data(&config.data) {
        "present"
    } else {
        "none"
    };
    let told = json!({ "settings": settings, "masterKey": { "from": from, "toBeMade": made }, "data": data });
    output.result(&Json::from(told), || {
        let rows = config
            .settings
            .iter()
            .map(|(name, setting)| [name.clone(), setting.value.to_string(), setting.origin.to_string()]);
        let mut text = table(["SETTING", "VALUE", "FROM"], rows);
        if let Some(from) = from {
            let made = if made {
                " (there is none yet: the first start makes it)"
            } else {
                ""
            };
            text.push_str(&format!("\n\nMaster key: {from}{made}"));
        }
        text.push_str(&format!("\nData in {}: {data}", config.data.display()));
        text
    });
    key?;
    let (_, notices) = start::shelf(config)?;
    notices.iter().for_each(|notice| output.note(notice));
    if notices.is_empty() { Ok(()) } else { Err(Failure::Told) }
}
