//! `key`: master keys.

use clap::Subcommand;
use serde_json::json;
use tieline::{Code, Error, MasterKey, clock::SystemRandom};
use tieline_manifest::Json;

use super::{
    Configured,
    output::{Failure, Output},
};
use crate::{
    config::Config,
    start::{self, find_key},
};

#[derive(Subcommand)]
pub(super) enum Key {
    /// Print a new master key.
    New,
    /// Say where the master key comes from and whether it is the one the data was sealed with.
    Status(Configured),
}

pub(super) fn new(output: Output) -> Result<(), Failure> {
    let text = MasterKey::generate(&SystemRandom)?.to_text();
    output.result(&Json::from(json!({ "key": text.reveal() })), || text.reveal().clone());
    Ok(())
}

pub(super) async fn status(config: &Config, output: Output) -> Result<(), Failure> {
    let (place, key) = find_key(config)?;
    let (word, sentence) = match key {
        None => ("absent", "There is none yet: the first start makes it.".to_owned()),
        Some(key) => match start::judge(config, &key).await {
            Ok(true) => ("fits", "It is the key this data was sealed with.".to_owned()),
            Ok(false) => (
                "unused",
                "It is a good key, and nothing was sealed with it yet.".to_owned(),
            ),
            Err(error) if error.code() == Code::DataFolderLocked => (
                "in-use",
                "It is a good key. A running process holds the data folder, so it was not compared.".to_owned(),
            ),
            Err(error) if error.code() == Code::MasterKeyMismatch => {
                return Err(Error::new(error.code(), format!("{} (Looked in {place}.)", error.detail())).into());
            }
            Err(error) => return Err(error.into()),
        },
    };
    let told = json!({ "from": place.to_string(), "state": word });
    output.result(&Json::from(told), || format!("Master key: {place}\n{sentence}"));
    Ok(())
}
