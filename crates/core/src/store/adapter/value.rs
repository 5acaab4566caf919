//! A connection's row as a record, and back.

use std::collections::BTreeMap;

use base64::{Engine, engine::general_purpose::STANDARD};
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

use super::{Key, Record};
use crate::{
    clock::Timestamp,
    connection::SyncFrequency,
    environment::Environment,
    error::{Code, Error, Result},
    id::TenantId,
    limits::MAX_RECORD_BYTES,
    store::{ConnectionRow, Health, HealthState, LastDelivery, SealedField, WebhookRow},
};

/// The form of the values that are written.
const FORMAT: u32 = 1;

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Value {
    format: u32,
    display_name: String,
    description: Option<String>,
    environment: Environment,
    sync_frequency: SyncFrequency,
    auth: String,
    /// An object as it stands; any other text as a string.
    config: Box<RawValue>,
    secrets: BTreeMap<String, SealedValue>,
    secret_version: u32,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    oauth: Option<String>,
    health: HealthValue,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    webhook: Option<WebhookValue>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    last_delivery: Option<DeliveryValue>,
    created_by: String,
}

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
struct SealedValue {
    sealed: String,
    last4: Option<String>,
    updated_at: Timestamp,
}

#[derive(Serialize, Deserialize)]
struct HealthValue {
    state: HealthState,
    reason: Option<String>,
    since: Timestamp,
}

#[derive(Serialize, Deserialize)]
struct WebhookValue {
    hash: String,
    sealed: String,
    version: u32,
    since: Timestamp,
}

#[derive(Serialize, Deserialize)]
struct DeliveryValue {
    at: Timestamp,
    error: Option<String>,
}

pub(super) fn key_of(row: &ConnectionRow) -> Key {
    Key {
        scope: row.scope.clone(),
        connector: row.connector.clone(),
        name: row.name.clone(),
    }
}

/// The record of a row.
pub(super) fn record_of(row: &ConnectionRow) -> Result<Record> {
    let secret = |(name, field): (&String, &SealedField)| {
        let value = SealedValue {
            sealed: STANDARD.encode(&field.sealed),
            last4: field.last4.clone(),
            updated_at: field.updated_at,
        };
        (name.clone(), value)
    };
    let value = Value {
        format: FORMAT,
        display_name: row.display_name.clone(),
        description: row.description.clone(),
        environment: row.environment,
        sync_frequency: row.sync_frequency,
        auth: row.auth.clone(),
        config: raw(&row.config)?,
        secrets: row.secrets.iter().map(secret).collect(),
        secret_version: row.secret_version,
        oauth: row.oauth.clone(),
        health: HealthValue {
            state: row.health.state,
            reason: row.health.reason.clone(),
            since: row.health.since,
        },
        webhook: row.webhook.as_ref().map(|webhook| WebhookValue {
            hash: STANDARD.encode(webhook.hash),
            sealed: STANDARD.encode(&webhook.sealed),
            version: webhook.version,
            since: webhook.since,
        }),
        last_delivery: row.last_delivery.as_ref().map(|delivery| DeliveryValue {
            at: delivery.at,
            error: delivery.error.clone(),
        }),
        created_by: row.created_by.clone(),
    };
    let value = serde_json::to_string(&value)
        .map_err(|error| Error::internal("a connection does not become a record", error))?;
    if value.len() > MAX_RECORD_BYTES {
        let detail = format!(
            "The connection takes {} bytes to store with all its fields; {MAX_RECORD_BYTES} are the most.",
            value.len()
        );
        return Err(Error::new(Code::ConnectorConfigInvalid, detail).field("/config", "is too large"));
    }
    Ok(Record {
        key: key_of(row),
        id: row.id,
        value,
        enabled: row.enabled,
        version: row.version,
        created_at: row.created_at,
        updated_at: row.updated_at,
    })
}

/// The row of a record.
pub(super) fn row_of(tenant: TenantId, record: Record) -> Result<ConnectionRow> {
    let id = record.id;
    read(tenant, record).map_err(|why| {
        Error::new(
            Code::ConnectorDatabaseFailed,
            "A stored connection cannot be read: it was altered, or a newer version wrote it. The log says more.",
        )
        .context("connection", id)
        .caused_by(why)
    })
}

type Unread = Box<dyn std::error::Error + Send + Sync>;

fn read(tenant: TenantId, record: Record) -> Result<ConnectionRow, Unread> {
    let value: Value = serde_json::from_str(&record.value)?;
    if value.format != FORMAT {
        return Err(format!("its form is {}, and {FORMAT} is known here", value.format).into());
    }
    let secret = |(name, value): (String, SealedValue)| {
        let field = SealedField {
            sealed: STANDARD.decode(value.sealed)?,
            last4: value.last4,
            updated_at: value.updated_at,
        };
        Ok::<_, Unread>((name, field))
    };
    Ok(ConnectionRow {
        id: record.id,
        tenant,
        scope: record.key.scope,
        connector: record.key.connector,
        environment: value.environment,
        name: record.key.name,
        display_name: value.display_name,
        description: value.description,
        sync_frequency: value.sync_frequency,
        auth: value.auth,
        config: text(&value.config)?,
        credential: None,
        secrets: value.secrets.into_iter().map(secret).collect::<Result<_, _>>()?,
        secret_version: value.secret_version,
        oauth: value.oauth,
        enabled: record.enabled,
        health: Health {
            state: value.health.state,
            reason: value.health.reason,
            since: value.health.since,
        },
        webhook: value.webhook.map(read_webhook).transpose()?,
        last_delivery: value.last_delivery.map(|delivery| LastDelivery {
            at: delivery.at,
            error: delivery.error,
        }),
        version: record.version,
        created_by: value.created_by,
        created_at: record.created_at,
        updated_at: record.updated_at,
    })
}

fn read_webhook(value: WebhookValue) -> Result<WebhookRow, Unread> {
    let hash = STANDARD.decode(value.hash)?;
    Ok(WebhookRow {
        hash: hash.try_into().map_err(|_| "a webhook's hash has 32 bytes")?,
        sealed: STANDARD.decode(value.sealed)?,
        version: value.version,
        since: value.since,
    })
}

/// As it is where it is an object, so that numbers keep their digits and whoever reads the value sees the fields.
fn raw(config: &str) -> Result<Box<RawValue>> {
    let object = config
        .starts_with('{')
        .then(|| RawValue::from_string(config.to_owned()));
    match object {
        Some(Ok(object)) if object.get() == config => Ok(object),
        _ => serde_json::value::to_raw_value(config)
            .map_err(|error| Error::internal("a configuration does not become JSON", error)),
    }
}

fn text(config: &RawValue) -> Result<String, Unread> {
    match config.get() {
        object if object.starts_with('{') => Ok(object.to_owned()),
        string => Ok(serde_json::from_str(string)?),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::conformance::sample;

    #[test]
    fn a_row_comes_back_as_it_was() {
        let mut row = sample::connection(sample::tenant_id(), "first");
        let all_bytes: Vec<u8> = (0..=255).collect();
        row.secrets = sample::secrets(&[("token", &all_bytes), ("Empty", b"")]);
        let configs = [
            "{}",
            r#"{"n":12345678901234567890.10,"a":[1e400],"k":"\u0000🔑"}"#,
            "{ \"spaces\": 1 }\n",
            "{broken",
            "",
            "\0",
            "\"text\"",
        ];
        for config in configs {
            row.config = config.to_owned();
            row.oauth = (!config.is_empty()).then(|| config.to_owned());
            for state in [HealthState::Untested, HealthState::NeedsReauth] {
                row.health.state = state;
                let record = record_of(&row).unwrap();
                assert!(
                    !record.value.contains('\0'),
                    "whatever was given, the text holds no NUL"
                );
                assert_eq!(row_of(row.tenant, record).unwrap(), row);
            }
        }
    }

    #[test]
    fn a_row_that_is_too_large_is_refused() {
        let mut row = sample::connection(sample::tenant_id(), "first");
        row.secrets = sample::secrets(&[("token", &vec![7; MAX_RECORD_BYTES / 4 * 3])]);
        let error = record_of(&row).unwrap_err();
        assert_eq!(error.code(), Code::ConnectorConfigInvalid, "{error}");
    }

    #[test]
    fn what_is_no_value_of_ours_is_said_to_be_none() {
        let row = sample::connection(sample::tenant_id(), "first");
        let record = record_of(&row).unwrap();
        for value in [
            String::new(),
            "{}".to_owned(),
            record.value.replace("\"format\":1", "\"format\":2"),
            record.value.replace("\"sealed\":\"", "\"sealed\":\"?"),
        ] {
            let broken = Record {
                value,
                ..record.clone()
            };
            if broken == record {
                continue;
            }
            let error = row_of(row.tenant, broken).unwrap_err();
            assert_eq!(error.code(), Code::ConnectorDatabaseFailed);
            assert!(format!("{error:?}").contains(&row.id.to_string()));
        }
    }
}
