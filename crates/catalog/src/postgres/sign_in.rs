//! The beginning of a conversation: who we are, and the proof of it.

use bytes::BytesMut;
use fallible_iterator::FallibleIterator as _;
use postgres_protocol::{
    authentication::{
        md5_hash,
        sasl::{ChannelBinding, SCRAM_SHA_256, ScramSha256},
    },
    message::{backend::Message, frontend},
};
use tieline::{Code, Error};
use zeroize::Zeroizing;

use super::{failure::Trouble, session::Session};

impl Session<'_> {
    /// Signs in. Outside TLS only by SCRAM, by which the server learns nothing it could sign in with elsewhere.
    pub(super) async fn sign_in(&mut self) -> Result<(), Trouble> {
        let mut out = BytesMut::new();
        let parameters = [
            ("user", self.server.user),
            ("database", self.server.database),
            ("client_encoding", "UTF8"),
            ("application_name", self.server.application),
        ];
        frontend::startup_message(parameters, &mut out)?;
        self.say(&out).await?;
        let mut scram = None;
        loop {
            let mut out = Zeroizing::new(Vec::new());
            match self.hear().await? {
                Message::AuthenticationOk if scram.is_some() => {
                    return Err(Trouble::Odd(
                        "it ends the sign-in before it has shown that it knows the password",
                    ));
                }
                Message::AuthenticationOk => break,
                Message::AuthenticationCleartextPassword => {
                    self.inside_tls("the password in the clear")?;
                    message(&mut out, |buffer| {
                        frontend::password_message(self.server.password.as_bytes(), buffer)
                    })?;
                }
                Message::AuthenticationMd5Password(body) => {
                    self.inside_tls("the password as an MD5 hash")?;
                    let (user, password) = (self.server.user.as_bytes(), self.server.password.as_bytes());
                    let hash = md5_hash(user, password, body.salt());
                    message(&mut out, |buffer| frontend::password_message(hash.as_bytes(), buffer))?;
                }
                Message::AuthenticationSasl(body) => {
                    let offered = body.mechanisms().any(|mechanism| Ok(mechanism == SCRAM_SHA_256))?;
                    if !offered || scram.is_some() {
                        return Err(unknown_way());
                    }
                    let begun = ScramSha256::new(self.server.password.as_bytes(), ChannelBinding::unsupported());
                    message(&mut out, |buffer| {
                        frontend::sasl_initial_response(SCRAM_SHA_256, begun.message(), buffer)
                    })?;
                    scram = Some(begun);
                }
                Message::AuthenticationSaslContinue(body) => {
                    let begun = scram.as_mut().ok_or_else(unknown_way)?;
                    begun.update(body.data()).map_err(|_| unproved())?;
                    message(&mut out, |buffer| frontend::sasl_response(begun.message(), buffer))?;
                }
                Message::AuthenticationSaslFinal(body) => {
                    let mut begun = scram.take().ok_or_else(unknown_way)?;
                    begun.finish(body.data()).map_err(|_| unproved())?;
                }
                Message::NoticeResponse(_) | Message::ParameterStatus(_) => {}
                _ => return Err(unknown_way()),
            }
            if !out.is_empty() {
                self.say(&out).await?;
            }
        }
        loop {
            match self.hear().await? {
                Message::BackendKeyData(body) => self.key = Some((body.process_id(), body.secret_key())),
                Message::ReadyForQuery(_) => return Ok(()),
                _ => {}
            }
        }
    }

    fn inside_tls(&self, what: &str) -> Result<(), Trouble> {
        if self.server.encrypted {
            return Ok(());
        }
        let detail = format!(
            "The server asks for {what}, and the connection has `sslmode: disable`, so nothing was said. Use TLS, or have the \
             server ask by SCRAM (`scram-sha-256`)."
        );
        Err(Error::new(Code::UpstreamUnauthorized, detail).into())
    }
}

/// A message, in memory that is wiped.
fn message(
    out: &mut Zeroizing<Vec<u8>>,
    write: impl FnOnce(&mut BytesMut) -> std::io::Result<()>,
) -> Result<(), Trouble> {
    let mut buffer = BytesMut::new();
    write(&mut buffer)?;
    out.extend_from_slice(&buffer);
    buffer.fill(0);
    Ok(())
}

fn unknown_way() -> Trouble {
    let detail = "The server asks to sign in by a way that we do not have. Passwords by SCRAM, MD5 and (inside TLS) in the clear are known.";
    Error::new(Code::UpstreamUnauthorized, detail).into()
}

fn unproved() -> Trouble {
    let detail =
        "The server did not show that it knows the password: it may be another than it says. Nothing was asked of it.";
    Error::new(Code::UpstreamUnauthorized, detail).into()
}
