//! Environments: what is tried out and what is in earnest, kept apart inside one tenant.

use std::{fmt, str::FromStr};

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::{
    audit::Actor,
    error::{Code, Error, Result},
};

/// Where a connection, a credential or an API key belongs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
#[schemars(inline)]
pub enum Environment {
    /// Where things are tried out.
    Development,
    /// Where they are tried once more.
    Staging,
    /// Where they are in earnest, and where everything belongs that was not put elsewhere.
    #[default]
    Production,
}

impl Environment {
    /// Every environment.
    pub const ALL: [Self; 3] = [Self::Development, Self::Staging, Self::Production];

    /// The word for it, on the wire and in stores.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Development => "development",
            Self::Staging => "staging",
            Self::Production => "production",
        }
    }
}

impl fmt::Display for Environment {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl FromStr for Environment {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        Self::ALL
            .into_iter()
            .find(|known| known.as_str() == text)
            .ok_or_else(|| {
                let detail = "An environment is `development`, `staging` or `production`.";
                Error::new(Code::RequestInvalid, detail).field("/environment", "is none of the three")
            })
    }
}

impl Actor {
    /// Refuses what belongs to another environment than the actor does. `what` names the kind of row: `connection`.
    ///
    /// # Errors
    /// `ENVIRONMENT_MISMATCH`, which tells both sides.
    pub(crate) fn may_use(&self, environment: Environment, what: &str) -> Result<()> {
        match self.environment {
            Some(own) if own != environment => Err(mismatch(&format!(
                "This key is bound to `{own}`, and the {what} belongs to `{environment}`: use a key of `{environment}`, or one of all environments."
            ))),
            _ => Ok(()),
        }
    }

    /// The same of a key, which may be bound to none: who is bound does not touch what is not.
    pub(crate) fn may_change_key_of(&self, bound: Option<Environment>) -> Result<()> {
        match (self.environment, bound) {
            (Some(_), Some(environment)) => self.may_use(environment, "other key"),
            (Some(own), None) => Err(mismatch(&format!(
                "This key is bound to `{own}`, and the other key to no environment: use a key that is bound to none."
            ))),
            (None, _) => Ok(()),
        }
    }

    /// Where something new belongs: where it was asked to, else where the actor does, else production.
    pub(crate) fn home_for(&self, asked: Option<Environment>, what: &str) -> Result<Environment> {
        let environment = asked.or(self.environment).unwrap_or_default();
        self.may_use(environment, what)?;
        Ok(environment)
    }
}

pub(crate) fn mismatch(detail: &str) -> Error {
    Error::new(Code::EnvironmentMismatch, detail)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::id::TenantId;

    #[test]
    fn words_lead_back() {
        for environment in Environment::ALL {
            assert_eq!(environment.as_str().parse::<Environment>().unwrap(), environment);
            assert_eq!(serde_json::to_value(environment).unwrap(), environment.as_str());
        }
        assert!("Production".parse::<Environment>().is_err());
    }

    #[test]
    fn who_is_bound_stays_there() {
        let free = Actor::new(TenantId::from_bytes([1; 16]), "key");
        let bound = free.clone().bound_to(Some(Environment::Staging));
        for environment in Environment::ALL {
            assert!(free.may_use(environment, "row").is_ok() && free.may_change_key_of(Some(environment)).is_ok());
            let own = environment == Environment::Staging;
            assert_eq!(bound.may_use(environment, "row").is_ok(), own);
            assert_eq!(bound.may_change_key_of(Some(environment)).is_ok(), own);
            assert_eq!(bound.home_for(Some(environment), "row").is_ok(), own);
        }
        assert!(free.may_change_key_of(None).is_ok() && bound.may_change_key_of(None).is_err());
        assert_eq!(free.home_for(None, "row").unwrap(), Environment::Production);
        assert_eq!(bound.home_for(None, "row").unwrap(), Environment::Staging);
        let told = bound.may_use(Environment::Production, "row").unwrap_err();
        assert!(
            told.detail().contains("`staging`") && told.detail().contains("`production`"),
            "{told}"
        );
    }
}
