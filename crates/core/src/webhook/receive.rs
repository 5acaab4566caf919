//! The way of a webhook: from its door over its proof and its payload to its handler, and the answer.

use std::sync::Arc;

use http::{Request, request::Parts};
use http_body::Body;
use tieline_manifest::{Algorithm, Json, JsonLimits};
use tokio::sync::OwnedSemaphorePermit;

use super::{
    address::Token,
    arrival, not_configured,
    signature::{prove, refused},
    told::Telling,
};
use crate::{
    admit::{Admitted, Ask, Purpose},
    audit::Actor,
    call::Via,
    clock::Timestamp,
    connector::{Arrived, Connector},
    connectors::Connectors,
    error::{Code, Error, Result, Retry},
    event::within,
    handle::{Answer, answer, declared},
    http::redact::Redactor,
    limits::{MAX_LABEL_BYTES, OVERLOAD_RETRY_AFTER},
    store::{ConnectionRow, LastDelivery},
};

/// A webhook that came through its door, and is whole.
struct Arrival {
    connector: Arc<Connector>,
    row: ConnectionRow,
    arrived: Arrived,
    /// The address it was sent to, as its sender called it.
    url: String,
    at: Timestamp,
    telling: Arc<Telling>,
    _turn: OwnedSemaphorePermit,
}

impl Connectors {
    /// Takes a webhook. Whoever has no good token learns nothing; whoever has one is read, and has to prove themselves.
    pub(crate) async fn receive<B>(&self, connector: &str, token: Option<&str>, request: Request<B>) -> Result<Answer>
    where
        B: Body<Error: Into<Box<dyn std::error::Error + Send + Sync>>>,
    {
        let connector = self.registry().get(connector).map_err(|_| nothing_here())?;
        if !connector.takes_webhooks() {
            return Err(not_configured(connector.id()));
        }
        let (head, body) = request.into_parts();
        let last = head.uri.path().trim_end_matches('/').rsplit('/').next();
        let token = token.or(last).and_then(Token::parse);
        let row = self.row_behind(token.ok_or_else(nothing_here)?, &connector).await?;
        let telling = self.telling(&row, &head);
        let arrival = match self.arrival(connector, row, telling.clone(), head, body).await {
            Ok(arrival) => arrival,
            Err(error) => {
                telling.ended(Some(&error));
                return Err(error);
            }
        };
        // To its end, also if its sender hangs up: what is half done is told of, and noted.
        let connectors = self.clone();
        let taking = self.begin(async move { arrival.taken(&connectors).await });
        taking
            .await
            .unwrap_or_else(|error| Err(Error::internal("a webhook did not come to its end", error)))
    }

    /// The connection that a token belongs to. Whatever is wrong with it is one answer, and takes the same statements.
    async fn row_behind(&self, token: Token<'_>, connector: &Connector) -> Result<ConnectionRow> {
        let found = self
            .inner
            .store
            .connection_by_id(self.inner.library_tenant, token.id)
            .await?;
        let is_right = |row: &ConnectionRow| {
            let opens = token.opens(&self.inner.webhook_key, row);
            opens && row.connector == connector.id()
        };
        found.filter(is_right).ok_or_else(nothing_here)
    }

    async fn arrival<B>(
        &self,
        connector: Arc<Connector>,
        row: ConnectionRow,
        telling: Arc<Telling>,
        head: Parts,
        body: B,
    ) -> Result<Arrival>
    where
        B: Body<Error: Into<Box<dyn std::error::Error + Send + Sync>>>,
    {
        if !row.enabled {
            let detail = "This connection is switched off: it takes no webhooks until it is on again.";
            return Err(Error::new(Code::ConnectionDisabled, detail));
        }
        arrival::check_head(&head)?;
        let turn = self.inner.webhook_turns.clone().try_acquire_owned();
        let turn = turn.map_err(|_| {
            let detail = "As many webhooks as may be are under way: send this one again in a moment.";
            Error::new(Code::Overloaded, detail).retry(Retry::After(OVERLOAD_RETRY_AFTER))
        })?;
        let at = self.inner.clock.now();
        let url = self.inner.base.called(&head.uri);
        Ok(Arrival {
            arrived: arrival::read(head, body).await?,
            connector,
            row,
            url,
            at,
            telling,
            _turn: turn,
        })
    }
}

impl Arrival {
    async fn taken(self, connectors: &Connectors) -> Result<Answer> {
        let work = self.carried_out(connectors);
        let result = within(self.telling.outermost, work).await;
        let error = result.as_ref().err();
        if self.telling.progress.is_noted() {
            self.note(connectors, error).await;
        }
        self.telling.ended(error);
        result.map_err(|error| self.for_the_sender(error))
    }

    async fn carried_out(&self, connectors: &Connectors) -> Result<Answer> {
        let by = Actor {
            name: "webhook".to_owned(),
            ..connectors.library()
        };
        let ask = Ask {
            connector: Some(self.connector.id()),
            via: &Via::Connection(self.row.id),
            purpose: Purpose::Webhook,
        };
        let admitted = Arc::new(connectors.admit(&by, ask).await?);
        let result = admitted.bounds().hold(self.handled(connectors, &admitted)).await;
        let result = result.map_err(|error| admitted.scrub_error(error));
        admitted.ended(&result);
        result
    }

    async fn handled(&self, connectors: &Connectors, admitted: &Arc<Admitted>) -> Result<Answer> {
        let progress = &self.telling.progress;
        match self.proved(connectors, admitted).await {
            Ok(verified) => progress.is_verified(verified),
            Err(error) => {
                progress.is_verified(false);
                return Err(error);
            }
        }
        let Some(webhook) = self.connector.webhook() else {
            parsed(&self.arrived)?;
            self.telling.received();
            return Ok(declared(self.connector.manifest().webhook.as_ref()));
        };
        let payload = webhook.payload(&self.arrived)?;
        progress.handles();
        let telling = self.telling.clone();
        let received = Box::new(move || telling.received());
        let answered = webhook
            .handle(admitted, self.arrived.clone(), payload, received)
            .await?;
        Ok(answer(&answered))
    }

    /// Whether it proved where it comes from; `false` where nothing is asked of it, and the program allows that (W1).
    async fn proved(&self, connectors: &Connectors, admitted: &Arc<Admitted>) -> Result<bool> {
        let progress = &self.telling.progress;
        let manifest = self.connector.manifest();
        let declared = manifest.webhook.as_ref().map(|webhook| &webhook.signature);
        match (declared, self.connector.webhook()) {
            (Some(signature), _) if signature.algorithm != Algorithm::None => {
                let field = signature.key_field.as_deref();
                let secret = field
                    .and_then(|field| admitted.secret(field))
                    .filter(|secret| !secret.is_empty());
                let secret = secret.ok_or_else(|| no_secret(field))?;
                progress.proves();
                prove(signature, &self.arrived, &self.url, secret, admitted.now()).map(|()| true)
            }
            (None, Some(webhook)) if webhook.is_verified() => {
                progress.proves();
                webhook.verified(admitted, &self.arrived).await
            }
            _ if connectors.inner.accepts_unsigned => {
                progress.proves();
                Ok(false)
            }
            _ => Err(refused(
                "nothing is declared by which it could, and the program does not accept unsigned webhooks",
            )),
        }
    }

    /// Writes down what became of it. That this cannot be written changes nothing of what happened.
    async fn note(&self, connectors: &Connectors, error: Option<&Error>) {
        let error = error.map(|error| {
            let text = format!("{}: {}", error.code(), error.detail());
            Redactor::default().scrub_and_cut(&text, MAX_LABEL_BYTES)
        });
        let delivery = LastDelivery { at: self.at, error };
        let noted = connectors
            .inner
            .store
            .note_delivery(self.row.tenant, self.row.id, delivery)
            .await;
        if let Err(error) = noted {
            tracing::warn!(?error, "what became of a webhook cannot be noted with its connection");
        }
    }

    /// What the sender is told. Before it has proved itself it is a stranger, and afterwards no friend of the program's:
    /// what went wrong inside is for the events.
    fn for_the_sender(&self, error: Error) -> Error {
        let detail = match error.code() {
            Code::ConnectorWebhookVerificationFailed => "The delivery does not prove where it comes from.",
            Code::ConnectorWebhookValidationFailed => return error,
            _ if self.telling.progress.is_handled() => "The delivery arrived, and its receiver could not work on it.",
            _ => return error,
        };
        let retry = error.retry_hint();
        Error::new(error.code(), detail).retry(retry).caused_by(error)
    }
}

/// A payload of which no more is declared than that it is JSON.
fn parsed(arrived: &Arrived) -> Result<Json> {
    Json::parse_bytes_with(&arrived.body, &JsonLimits::request()).map_err(|error| {
        let detail = format!("The payload is not JSON: {}.", error.message);
        Error::new(Code::ConnectorWebhookValidationFailed, detail)
    })
}

/// One answer for every address at which there is nothing, and for everyone without a good token.
fn nothing_here() -> Error {
    Error::new(Code::NotFound, "There is nothing at this address.")
}

fn no_secret(field: Option<&str>) -> Error {
    refused(&match field {
        Some(field) => format!("the connection has no signing secret; set its field `{field}`"),
        None => "the manifest names no field with the signing secret (`keyField`)".to_owned(),
    })
}
