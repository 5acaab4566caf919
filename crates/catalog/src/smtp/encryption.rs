//! What has to be encrypted.
//!
//! `secure` (on unless switched off) means that TLS is required: from the first byte on port 465, by STARTTLS
//! elsewhere, and a server that does not offer it is refused before a password or a mail is sent. With `secure` off,
//! TLS is used where the server offers it; where not, mail goes in the clear, but never a password, except to a
//! loopback host. `tls: starttls` or `tls: implicit` says for an unusual port how TLS begins, and requires it.

use std::net::IpAddr;

use tieline::{Code, Error, Result};

use super::limits::IMPLICIT_TLS_PORT;

/// How TLS begins.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Begin {
    /// With the first byte.
    Implicit,
    /// By STARTTLS, or not at all.
    StartTls,
    /// By STARTTLS where it is offered.
    IfOffered,
}

impl Begin {
    pub(super) fn of(tls: Option<&str>, secure: bool, port: u16) -> Self {
        match tls {
            Some("implicit") => Self::Implicit,
            Some(_) => Self::StartTls,
            // Whatever `secure` says: on this port nobody answers without TLS.
            None if port == IMPLICIT_TLS_PORT => Self::Implicit,
            None if secure => Self::StartTls,
            None => Self::IfOffered,
        }
    }
}

/// Before a password or a mail is sent: is the way what the connection requires?
pub(super) fn may_go_on(encrypted: bool, begin: Begin, has_login: bool, host: &str) -> Result<()> {
    let detail = if encrypted {
        return Ok(());
    } else if begin == Begin::StartTls {
        "The mail server does not offer STARTTLS, so mail and password would travel in the clear. Nothing was sent. \
         Check host and port; port 465 begins with TLS."
    } else if has_login && !is_loopback(host) {
        "The mail server offers no TLS, and a password is never sent in the clear. Nothing was sent. \
         Use a port with TLS, or leave user and password empty."
    } else {
        return Ok(());
    };
    Err(Error::new(Code::SmtpTlsRequired, detail).before_sending())
}

/// Whether the name means this machine. The judge of addresses decides whether it may be dialled at all.
pub(super) fn is_loopback(host: &str) -> bool {
    host.eq_ignore_ascii_case("localhost") || host.parse::<IpAddr>().is_ok_and(|address| address.is_loopback())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn how_tls_begins() {
        assert_eq!(Begin::of(None, true, 465), Begin::Implicit);
        assert_eq!(Begin::of(None, false, 465), Begin::Implicit);
        // What people type: `secure: true` on 587 means STARTTLS, not TLS from the first byte.
        assert_eq!(Begin::of(None, true, 587), Begin::StartTls);
        assert_eq!(Begin::of(None, false, 587), Begin::IfOffered);
        assert_eq!(Begin::of(Some("implicit"), false, 2525), Begin::Implicit);
        assert_eq!(Begin::of(Some("starttls"), false, 465), Begin::StartTls);
    }

    #[test]
    fn what_may_travel_in_the_clear() {
        let refused = Some(Code::SmtpTlsRequired);
        for (host, begin, has_login, code) in [
            ("mail.example.com", Begin::StartTls, false, refused),
            ("localhost", Begin::StartTls, true, refused),
            ("mail.example.com", Begin::IfOffered, true, refused),
            ("mail.example.com", Begin::IfOffered, false, None),
            ("localhost", Begin::IfOffered, true, None),
        ] {
            let in_the_clear = may_go_on(false, begin, has_login, host);
            assert_eq!(in_the_clear.err().map(|error| error.code()), code, "{host} {begin:?}");
            assert!(may_go_on(true, begin, has_login, host).is_ok());
        }
    }

    #[test]
    fn this_machine() {
        for host in ["localhost", "LocalHost", "127.0.0.1", "127.8.8.8", "::1"] {
            assert!(is_loopback(host), "{host}");
        }
        for host in ["localhost.example.com", "10.0.0.1", "mail.example.com", "0.0.0.0"] {
            assert!(!is_loopback(host), "{host}");
        }
    }
}
