//! What has to be compared before a delivery is believed: pure, for neither the secret nor the time is here.

use std::fmt;

use base64::{Engine, engine::general_purpose::STANDARD};

use super::{Algorithm, Encoding, KeyEncoding, Signature};
use crate::limits;

/// A delivery as it arrived.
#[derive(Debug, Clone, Copy)]
pub struct Delivery<'a> {
    /// The HTTP method.
    pub method: &'a str,
    /// The whole address, as the sender called it.
    pub url: &'a str,
    /// The headers, with names in lower case.
    pub headers: &'a [(&'a str, &'a str)],
    /// The bytes of the body: what was signed is never what a parser made of it (W2).
    pub body: &'a [u8],
}

/// What has to be compared: the key and the time are the caller's.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SignaturePlan {
    /// How the signature is made.
    pub algorithm: Algorithm,
    /// What was signed.
    pub signed: Vec<u8>,
    /// The signatures that came along, each as long as the algorithm's; one of them must be the right one. Of
    /// [`Algorithm::Token`] the texts to be compared with the secret itself.
    pub claimed: Vec<Vec<u8>>,
    /// The time that was signed, as it was written: seconds or milliseconds since 1970, or RFC 3339.
    pub timestamp: Option<String>,
    /// Seconds that the time may be off.
    pub tolerance: u64,
    /// The delivery's id.
    pub id: Option<String>,
    key_prefix: String,
    key_encoding: KeyEncoding,
}

/// Why a delivery proves nothing, whatever the secret is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Unproved {
    /// The header is not there.
    Missing(String),
    /// The header is there twice: the sender and a check further in could read different ones (W3).
    Doubled(String),
    /// The header holds no signature that could be one.
    Malformed(String),
}

impl fmt::Display for Unproved {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Missing(header) => write!(f, "the header `{header}` is missing"),
            Self::Doubled(header) => write!(f, "the header `{header}` stands there twice"),
            Self::Malformed(header) => write!(f, "the header `{header}` holds no signature of the declared form"),
        }
    }
}

impl Signature {
    /// What has to be compared before a delivery is believed.
    pub fn plan(&self, delivery: &Delivery<'_>) -> Result<SignaturePlan, Unproved> {
        let header = |name: &str| {
            let mut values = delivery.headers.iter().filter(|(own, _)| *own == name);
            match (values.next(), values.next()) {
                (None, _) => Err(Unproved::Missing(name.to_owned())),
                (Some(_), Some(_)) => Err(Unproved::Doubled(name.to_owned())),
                (Some((_, value)), None) => Ok(value.trim()),
            }
        };
        let malformed = || Unproved::Malformed(self.header.clone());
        if self.algorithm == Algorithm::None {
            return Ok(self.planned(Vec::new(), Vec::new(), None, None));
        }
        let value = header(&self.header)?;
        let parts: Vec<&str> = match self.separator {
            Some(separator) => value.split(separator).map(str::trim).collect(),
            None => vec![value],
        };
        let claimed: Vec<Vec<u8>> = parts
            .iter()
            .filter_map(|part| self.claim(part.strip_prefix(self.prefix.as_str())?))
            .take(limits::SIGNATURES)
            .collect();
        if claimed.is_empty() {
            return Err(malformed());
        }
        let timestamp = match (&self.timestamp_header, &self.timestamp_prefix) {
            (None, None) => None,
            (own, prefix) => {
                let places = match own {
                    Some(name) => vec![header(name)?],
                    None => parts,
                };
                let prefix = prefix.as_deref().unwrap_or_default();
                let mut times = places.iter().filter_map(|place| place.strip_prefix(prefix));
                match (times.next(), times.next()) {
                    (Some(time), None) => Some(time),
                    _ => return Err(malformed()),
                }
            }
        };
        let id = self.id_header.as_deref().map(header).transpose()?;
        let signed = self.signed(delivery, timestamp.unwrap_or_default(), id.unwrap_or_default());
        Ok(self.planned(signed, claimed, timestamp, id))
    }

    fn planned(
        &self,
        signed: Vec<u8>,
        claimed: Vec<Vec<u8>>,
        timestamp: Option<&str>,
        id: Option<&str>,
    ) -> SignaturePlan {
        SignaturePlan {
            algorithm: self.algorithm,
            signed,
            claimed,
            timestamp: timestamp.map(str::to_owned),
            tolerance: self.tolerance,
            id: id.map(str::to_owned),
            key_prefix: self.key_prefix.clone(),
            key_encoding: self.key_encoding,
        }
    }

    /// A signature as bytes, if it can be one: its length is known before anything is compared.
    fn claim(&self, text: &str) -> Option<Vec<u8>> {
        let length = match self.algorithm {
            Algorithm::HmacSha1 => 20,
            Algorithm::HmacSha256 => 32,
            Algorithm::HmacSha512 => 64,
            Algorithm::Token | Algorithm::None => return Some(text.as_bytes().to_vec()),
        };
        let bytes = match self.encoding {
            Encoding::Hex => hex(text)?,
            Encoding::Base64 => STANDARD.decode(text).ok()?,
        };
        (bytes.len() == length).then_some(bytes)
    }

    fn signed(&self, delivery: &Delivery<'_>, timestamp: &str, id: &str) -> Vec<u8> {
        let mut signed = Vec::with_capacity(delivery.body.len() + self.content.len());
        let mut pieces = self.content.split('{');
        signed.extend_from_slice(pieces.next().unwrap_or_default().as_bytes());
        for piece in pieces {
            let (name, text) = piece.split_once('}').unwrap_or((piece, ""));
            signed.extend_from_slice(match name {
                "body" => delivery.body,
                "timestamp" => timestamp.as_bytes(),
                "url" => delivery.url.as_bytes(),
                "method" => delivery.method.as_bytes(),
                "id" => id.as_bytes(),
                _ => &[],
            });
            signed.extend_from_slice(text.as_bytes());
        }
        signed
    }
}

impl SignaturePlan {
    /// The key that is written in a secret; none where it is not of the declared form.
    pub fn key(&self, secret: &str) -> Option<Vec<u8>> {
        let secret = match self.key_encoding {
            KeyEncoding::Text if self.key_prefix.is_empty() => return Some(secret.as_bytes().to_vec()),
            _ => secret.strip_prefix(self.key_prefix.as_str()).unwrap_or(secret),
        };
        match self.key_encoding {
            KeyEncoding::Text => Some(secret.as_bytes().to_vec()),
            KeyEncoding::Hex => hex(secret),
            KeyEncoding::Base64 => STANDARD.decode(secret).ok(),
        }
    }
}

fn hex(text: &str) -> Option<Vec<u8>> {
    let digit = |byte: &u8| char::from(*byte).to_digit(16);
    let pairs = text.as_bytes().chunks(2);
    let bytes = pairs.map(|pair| match pair {
        [high, low] => u8::try_from(digit(high)? * 16 + digit(low)?).ok(),
        _ => None,
    });
    bytes.collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const SIGNED: &str = "5257a869e7ecebeda32affa62cdca3fa51cad7e77a0e56ff536d0ce8e108d8bd";

    fn delivery<'a>(headers: &'a [(&'a str, &'a str)]) -> Delivery<'a> {
        Delivery {
            method: "POST",
            url: "https://app.example/hooks/1?a=b",
            headers,
            body: b"{\"a\": \xff}",
        }
    }

    fn stripe() -> Signature {
        Signature {
            header: "stripe-signature".to_owned(),
            prefix: "v1=".to_owned(),
            content: "{timestamp}.{body}".to_owned(),
            separator: Some(','),
            timestamp_prefix: Some("t=".to_owned()),
            ..Signature::default()
        }
    }

    #[test]
    fn w2_what_is_signed_is_the_bytes_that_came() {
        let whole = Signature {
            content: "a{method}{url}{body}{id}:{timestamp}z".to_owned(),
            timestamp_header: Some("x-time".to_owned()),
            id_header: Some("x-id".to_owned()),
            ..Signature::default()
        };
        let headers = [("x-webhook-signature", SIGNED), ("x-time", " 17 "), ("x-id", "evt")];
        let plan = whole.plan(&delivery(&headers)).unwrap();
        assert_eq!(plan.signed, b"aPOSThttps://app.example/hooks/1?a=b{\"a\": \xff}evt:17z");
        assert_eq!(
            (plan.timestamp.as_deref(), plan.id.as_deref()),
            (Some("17"), Some("evt"))
        );
        assert_eq!(plan.claimed, [hex(SIGNED).unwrap()]);
    }

    #[test]
    fn one_header_may_hold_the_time_and_several_signatures() {
        let value = format!("t=1492774577, v1={SIGNED},v0=6ffbb59b,v1={}", SIGNED.replace('5', "6"));
        let headers = [("stripe-signature", value.as_str())];
        let plan = stripe().plan(&delivery(&headers)).unwrap();
        assert_eq!(plan.signed, b"1492774577.{\"a\": \xff}");
        assert_eq!(plan.claimed.len(), 2, "other schemes are left out");
        let standard = Signature {
            header: "webhook-signature".to_owned(),
            prefix: "v1,".to_owned(),
            encoding: Encoding::Base64,
            separator: Some(' '),
            key_prefix: "whsec_".to_owned(),
            key_encoding: KeyEncoding::Base64,
            ..Signature::default()
        };
        let one = STANDARD.encode([1; 32]);
        let value = format!("v1,{one} v1a,{one} v1,{}", STANDARD.encode([2; 32]));
        let headers = [("webhook-signature", value.as_str())];
        let plan = standard.plan(&delivery(&headers)).unwrap();
        assert_eq!(plan.claimed, [[1; 32], [2; 32]]);
        let secret = format!("whsec_{}", STANDARD.encode(b"the key"));
        assert_eq!(plan.key(&secret).as_deref(), Some(&b"the key"[..]));
        assert_eq!(plan.key("whsec_%"), None);
    }

    #[test]
    fn w3_what_is_missing_doubled_or_of_another_form_proves_nothing() {
        let long = format!("t=1,v1={SIGNED}00");
        let twice = format!("t=1,t=2,v1={SIGNED}");
        for value in [
            "",
            "t=1",
            "v1=",
            "t=1,v1=zz",
            long.as_str(),
            twice.as_str(),
            &format!("v1={SIGNED}"),
        ] {
            let headers = [("stripe-signature", value)];
            let refused = stripe().plan(&delivery(&headers));
            assert_eq!(
                refused,
                Err(Unproved::Malformed("stripe-signature".to_owned())),
                "{value}"
            );
        }
        let missing = stripe().plan(&delivery(&[]));
        assert_eq!(missing, Err(Unproved::Missing("stripe-signature".to_owned())));
        let good = format!("t=1,v1={SIGNED}");
        let headers = [("stripe-signature", good.as_str()), ("stripe-signature", good.as_str())];
        let doubled = stripe().plan(&delivery(&headers));
        assert_eq!(doubled, Err(Unproved::Doubled("stripe-signature".to_owned())));
        let timed = Signature {
            timestamp_header: Some("x-time".to_owned()),
            ..Signature::default()
        };
        let headers = [("x-webhook-signature", SIGNED), ("x-time", "1"), ("x-time", "1")];
        let doubled = timed.plan(&delivery(&headers));
        assert_eq!(doubled, Err(Unproved::Doubled("x-time".to_owned())));
    }

    #[test]
    fn a_flood_of_signatures_is_read_up_to_a_bound() {
        let value = format!("t=1{}", format!(",v1={SIGNED}").repeat(1000));
        let headers = [("stripe-signature", value.as_str())];
        let plan = stripe().plan(&delivery(&headers)).unwrap();
        assert_eq!(plan.claimed.len(), limits::SIGNATURES);
    }

    #[test]
    fn a_token_is_compared_as_it_stands() {
        let token = Signature {
            header: "x-token".to_owned(),
            algorithm: Algorithm::Token,
            ..Signature::default()
        };
        let plan = token.plan(&delivery(&[("x-token", "s3cret")])).unwrap();
        assert_eq!(plan.claimed, [b"s3cret".to_vec()]);
    }
}
