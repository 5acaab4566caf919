//! Where the database is, and how the way there is protected.

use std::net::IpAddr;

use tieline::{Code, Error, Result};
use tokio_postgres::{
    Config,
    config::{Host, SslMode},
};

use super::tls::{Tls, Trust};
use crate::limits::CONNECT_TIMEOUT;

/// Where PostgreSQL listens, unless an address says otherwise.
const DEFAULT_PORT: u16 = 5432;

/// A parsed address. The library's own reader knows no `sslmode` that verifies, so those two parameters are read here.
#[derive(Clone)]
pub(super) struct Address {
    pub(super) config: Config,
    pub(super) tls: Tls,
}

impl Address {
    pub(super) fn parse(url: &str) -> Result<Self> {
        if !url.starts_with("postgres://") && !url.starts_with("postgresql://") {
            return Err(invalid("it does not begin with `postgres://`"));
        }
        let (base, query) = url.split_once('?').unwrap_or((url, ""));
        let (mut mode, mut roots, mut rest) = (None, None, Vec::new());
        for parameter in query.split('&').filter(|parameter| !parameter.is_empty()) {
            match parameter.split_once('=') {
                Some(("sslmode", value)) => mode = Some(value),
                Some(("sslrootcert", value)) => roots = Some(value),
                _ => rest.push(parameter),
            }
        }
        let address = match rest.is_empty() {
            true => base.to_owned(),
            false => format!("{base}?{}", rest.join("&")),
        };
        // The library's words may quote the address, and a password with it.
        let mut config: Config = address
            .parse()
            .map_err(|_| invalid("it cannot be read; special characters in user and password are written as %XX"))?;
        if config.get_dbname().is_none_or(str::is_empty) {
            return Err(invalid("it names no database"));
        }
        let trust = match mode {
            Some("disable") => None,
            None if stays_here(&config) => None,
            // As libpq has it: a root that is given is looked at.
            Some("require") if roots.is_none() => Some(Trust::Anybody),
            Some("require" | "verify-ca") => Some(Trust::Signed),
            Some("verify-full") | None => Some(Trust::SignedForHost),
            Some("allow" | "prefer") => {
                return Err(invalid(
                    "`sslmode=allow` and `prefer` protect nothing, because whoever listens may choose plain text; write \
                     `verify-full`, or `disable` if you mean it",
                ));
            }
            Some(_) => {
                return Err(invalid(
                    "`sslmode` is none of `disable`, `require`, `verify-ca` and `verify-full`",
                ));
            }
        };
        config.ssl_mode(match trust {
            None => SslMode::Disable,
            Some(_) => SslMode::Require,
        });
        if config.get_connect_timeout().is_none() {
            config.connect_timeout(CONNECT_TIMEOUT);
        }
        if config.get_application_name().is_none() {
            config.application_name("tieline");
        }
        let tls = Tls::new(trust, roots)?;
        Ok(Self { config, tls })
    }

    /// Every host, by name and by address, with its port.
    pub(super) fn places(&self) -> Vec<(String, u16)> {
        let ports = self.config.get_ports();
        let port = |nth: usize| ports.get(nth).or(ports.first()).copied().unwrap_or(DEFAULT_PORT);
        let names = self
            .config
            .get_hosts()
            .iter()
            .enumerate()
            .filter_map(|(nth, host)| match host {
                Host::Tcp(name) => Some((name.clone(), port(nth))),
                _ => None,
            });
        let addresses = self.config.get_hostaddrs().iter().enumerate();
        names
            .chain(addresses.map(|(nth, address)| (address.to_string(), port(nth))))
            .collect()
    }
}

/// Whether the way to every host stays on this machine.
fn stays_here(config: &Config) -> bool {
    let named = |host: &Host| match host {
        Host::Tcp(name) => name == "localhost" || name.parse().is_ok_and(|address: IpAddr| address.is_loopback()),
        _ => true,
    };
    match config.get_hostaddrs() {
        [] => config.get_hosts().iter().all(named),
        addresses => addresses.iter().all(IpAddr::is_loopback),
    }
}

pub(super) fn invalid(why: &str) -> Error {
    Error::new(
        Code::ConfigInvalid,
        format!(
            "The database's address is not valid: {why}. It looks like `postgres://user:password@host:5432/tieline`."
        ),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_place_has_its_port() {
        let places = |url: &str| Address::parse(url).unwrap().places();
        let at = |host: &str, port| (host.to_owned(), port);
        assert_eq!(places("postgres://u@db.internal/d"), [at("db.internal", 5432)]);
        assert_eq!(places("postgres://u@[::1]:7/d"), [at("::1", 7)]);
        assert_eq!(places("postgres://u@a:1,b:2/d"), [at("a", 1), at("b", 2)]);
        assert_eq!(places("postgres://u@%2Frun%2Fpg/d"), []);
    }

    fn mode(url: &str) -> (SslMode, Option<Trust>) {
        let address = Address::parse(url).unwrap();
        (address.config.get_ssl_mode(), address.tls.trust())
    }

    #[test]
    fn whoever_is_far_away_is_verified_unless_told() {
        for here in [
            "postgres://u@localhost/d",
            "postgres://u@127.0.0.1:5433/d",
            "postgresql://u@[::1]/d?application_name=x",
            "postgres:///d?host=/var/run/postgresql&user=u",
            "postgres://u@db.example.com/d?hostaddr=127.0.0.1",
        ] {
            assert_eq!(mode(here), (SslMode::Disable, None), "{here}");
        }
        for far in [
            "postgres://u@db.example.com/d",
            "postgres://u@localhost,db.example.com/d",
            "postgres://u@10.0.0.1/d?sslmode=verify-full",
            "postgres://u@localhost/d?sslmode=verify-full",
        ] {
            assert_eq!(mode(far), (SslMode::Require, Some(Trust::SignedForHost)), "{far}");
        }
        let far = "postgres://u@db.example.com/d?sslmode=";
        assert_eq!(mode(&format!("{far}disable")), (SslMode::Disable, None));
        assert_eq!(mode(&format!("{far}require")), (SslMode::Require, Some(Trust::Anybody)));
        assert_eq!(
            mode(&format!("{far}verify-ca")),
            (SslMode::Require, Some(Trust::Signed))
        );
    }

    #[test]
    fn what_is_no_address_is_refused_without_being_quoted() {
        for bad in [
            "",
            "mysql://u:hunter2@h/d",
            "host=h password=hunter2",
            "postgres://u:hunter2@h",
            "postgres://u:hunter2@h:port/d",
            "postgres://u:hunter2@h/d?sslmode=prefer",
            "postgres://u:hunter2@h/d?sslmode=always",
            "postgres://u:hunter2@h/d?no_such_option=hunter2",
            "postgres://u:hunter2@h/d?sslmode=verify-full&sslrootcert=/no/such/hunter2.pem",
        ] {
            let error = match Address::parse(bad) {
                Ok(_) => panic!("{bad} was taken"),
                Err(error) => error,
            };
            assert_eq!(error.code(), Code::ConfigInvalid, "{bad}");
            let said = format!("{error:?} {error} {:?}", error.log_context());
            assert!(!said.contains("u:hunter2") && !said.contains("=hunter2"), "{said}");
        }
    }
}
