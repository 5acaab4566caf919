//! A connection's fields, and the way from them to a conversation with TLS and sign-in done.

use tieline::{Code, Error, Result, admit::Admitted};
use tieline_manifest::Tree;

use super::{
    encryption::{Begin, is_loopback, may_go_on},
    limits::PORTS,
    session::{Patience, Session, Stream},
};

/// A connection's fields, read.
pub(super) struct Server<'a> {
    /// Mailbox of mails that name no sender.
    pub(super) from: &'a str,
    pub(super) host: &'a str,
    port: u16,
    begin: Begin,
    /// User and password.
    pub(super) login: Option<(&'a str, &'a str)>,
}

impl<'a> Server<'a> {
    /// Reads the fields of the connection that was admitted.
    pub(super) fn of(admitted: &'a Admitted) -> Result<Self> {
        let text = |name| admitted.config_str(name).filter(|text| !text.is_empty());
        let host = text("host").ok_or_else(|| config("The connection has no `host`."))?;
        let port = match admitted.config().get("port") {
            Some(Tree::Number(digits)) => digits.parse().ok(),
            _ => None,
        };
        let port = port.ok_or_else(|| config("The connection's `port` is not a port number."))?;
        if !PORTS.contains(&port) && !is_loopback(host) {
            return Err(config(&format!(
                "Port {port} is no mail server's. Use one of {PORTS:?}."
            )));
        }
        let secure = !matches!(admitted.config().get("secure"), Some(Tree::Bool(false)));
        let begin = Begin::of(text("tls"), secure, port);
        let login = match (
            text("user"),
            admitted.secret("password").filter(|password| !password.is_empty()),
        ) {
            (Some(user), Some(password)) => Some((user, password)),
            (None, None) => None,
            _ => {
                return Err(config(
                    "The connection has only one of `user` and `password`: give both, or neither.",
                ));
            }
        };
        let from = text("from").ok_or_else(|| config("The connection has no `from`."))?;
        Ok(Self {
            from,
            host,
            port,
            begin,
            login,
        })
    }

    /// A conversation with TLS and sign-in done as the connection wants them.
    pub(super) async fn open(&self, admitted: &Admitted) -> Result<Session> {
        let patience = Patience {
            until: admitted.deadline(),
            said: admitted.out_of_time().detail().to_owned(),
        };
        let stream = Box::new(admitted.dial(self.host, self.port).await?);
        let (mut session, encrypted) = if self.begin == Begin::Implicit {
            (Session::greet(self.tls(admitted, stream).await?, patience).await?, true)
        } else {
            let session = Session::greet(stream, patience.clone()).await?;
            if session.offers_starttls() {
                let stream = self.tls(admitted, session.starttls().await?).await?;
                (Session::resume(stream, patience).await?, true)
            } else {
                (session, false)
            }
        };
        may_go_on(encrypted, self.begin, self.login.is_some(), self.host)?;
        if let Some((user, password)) = self.login {
            session.sign_in(user, password).await?;
        }
        Ok(session)
    }

    async fn tls(&self, admitted: &Admitted, stream: Box<dyn Stream>) -> Result<Box<dyn Stream>> {
        Ok(Box::new(admitted.tls(self.host, stream).await?))
    }
}

/// A field that is wrong in a way the manifest cannot say.
pub(super) fn config(detail: &str) -> Error {
    Error::new(
        Code::ConnectorConfigInvalid,
        format!("{detail} Mend it and connect again."),
    )
}
