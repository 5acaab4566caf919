//! Writing a connection together with its tokens.

use tieline_manifest::Tree;

use super::{
    answer::Fresh,
    client::{declared, not_configured},
    standing::{Issued, Standing},
    tokens::{FIELD, PastedTokens, TokenSet},
};
use crate::{
    audit::Actor,
    connection::{Beside, Connect, Connection, conflict},
    connector::Connector,
    connectors::Connectors,
    error::{Error, Result},
    limits::MAX_UPDATE_ATTEMPTS,
    name::{DEFAULT_NAME, check_name},
    store::{ConnectionRow, Countable},
};

impl Connectors {
    /// Connects with tokens that were got elsewhere. Without a refresh token they are used until they are over, and then
    /// somebody has to sign in again.
    ///
    /// # Errors
    /// `CONNECTOR_OAUTH_NOT_CONFIGURED`, and those of [`connect`](Self::connect).
    pub async fn connect_with_tokens(&self, by: &Actor, connect: Connect, tokens: PastedTokens) -> Result<Connection> {
        let about = self.about(by.tenant, "connect", |about| {
            about.connector(&connect.connector).scope(&connect.scope)
        });
        self.heed(about, async {
            self.check(&connect)?;
            let connector = self.registry().get(&connect.connector)?;
            let connect = with_oauth(&connector, connect)?;
            self.judge_wish(by, &connect).await?;
            let renews = tokens.refresh_token.is_some();
            let set = TokenSet {
                access_token: tokens.access_token,
                refresh_token: tokens.refresh_token,
                token_type: None,
                granted: None,
                account: None,
            };
            let beside = self.beside(&set, tokens.expires_at, renews, Vec::new())?;
            self.connect_beside(by, &connect, &beside)
                .await
                .and_then(|row| Connection::of(&row))
        })
        .await
    }

    /// What lies in a connection beside its configuration once somebody signed in.
    pub(super) fn beside(
        &self,
        set: &TokenSet,
        expires_at: Option<crate::clock::Timestamp>,
        renews: bool,
        kept: Vec<(String, Tree)>,
    ) -> Result<Beside> {
        let issued = Issued {
            expires_at,
            renews,
            forced: false,
        };
        let now = self.inner.clock.now();
        Ok(Beside {
            kept,
            secret: Some((FIELD, set.text())),
            oauth: Some(Standing::default().with(issued, now, &*self.inner.random)?.text()?),
        })
    }

    /// Connects, or connects anew what has this name, with what lies beside.
    pub(super) async fn connect_beside(&self, by: &Actor, connect: &Connect, beside: &Beside) -> Result<ConnectionRow> {
        let name = connect.name.clone().unwrap_or_else(|| DEFAULT_NAME.to_owned());
        check_name("/name", &name)?;
        for _ in 0..MAX_UPDATE_ATTEMPTS {
            let store = &self.inner.store;
            let found = store
                .connection(by.tenant, &connect.scope, &connect.connector, &name)
                .await?;
            let done = match found {
                Some(row) => self.replace(by, row, connect, beside).await?,
                None => {
                    self.has_room_for(by.tenant, Countable::Connections).await?;
                    self.insert(by, connect, &name, beside).await?
                }
            };
            if let Some(row) = done {
                return Ok(row);
            }
        }
        Err(conflict())
    }

    /// Writes down who signed in; what was written meanwhile stands.
    pub(super) async fn keep_account(&self, by: &Actor, row: &ConnectionRow, set: &TokenSet) -> Result<()> {
        let fingerprint = |row: &ConnectionRow| Ok::<_, Error>(Standing::of(row)?.map(|standing| standing.fingerprint));
        let tokens = fingerprint(row)?;
        for _ in 0..MAX_UPDATE_ATTEMPTS {
            let mut now = self.connection_row(by, row.id).await?;
            if fingerprint(&now)? != tokens {
                return Ok(());
            }
            let kept = now.secrets.keys().filter(|name| *name != FIELD).cloned().collect();
            self.reseal(&mut now, [(FIELD.to_owned(), set.text())].into(), &kept)
                .await?;
            if self.write_row(by, now, "connection.account_known").await? {
                return Ok(());
            }
        }
        Err(conflict())
    }
}

/// The wish with the connector's first method of OAuth, unless it names one.
fn with_oauth(connector: &Connector, connect: Connect) -> Result<Connect> {
    let is_oauth = |id: &str| declared(connector, id).is_some();
    let mut methods = connector.manifest().auth.iter().map(|auth| auth.id.clone());
    let auth = match connect.auth.clone() {
        Some(named) => Some(named).filter(|named| is_oauth(named)),
        None => methods.find(|id| is_oauth(id)),
    };
    let auth = auth.ok_or_else(|| not_configured(format!("`{}` takes no tokens of OAuth.", connector.id())))?;
    Ok(Connect {
        auth: Some(auth),
        ..connect
    })
}

impl Fresh {
    /// The tokens, with what of the old ones the service did not answer again.
    pub(super) fn after(mut self, old: Option<TokenSet>) -> Self {
        if let Some(old) = old {
            let set = &mut self.set;
            set.refresh_token = set.refresh_token.take().or(old.refresh_token);
            set.token_type = set.token_type.take().or(old.token_type);
            set.granted = set.granted.take().or(old.granted);
            set.account = set.account.take().or(old.account);
        }
        self
    }
}
