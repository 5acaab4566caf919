//! Whether a delivery comes from the service: what the manifest planned, compared with the secret and the time.

use std::time::Duration;

use aws_lc_rs::{digest, hmac};
use http::HeaderMap;
use subtle::ConstantTimeEq;
use tieline_manifest::{Algorithm, Delivery, Signature, SignaturePlan};

use crate::{
    clock::Timestamp,
    connector::Arrived,
    error::{Code, Error, Result},
};

/// The shortest number that counts milliseconds since 1970: seconds have so many digits in thirty thousand years.
const MILLISECOND_DIGITS: usize = 12;

/// Whether the delivery proves where it comes from (W2, W3): over its bytes as they arrived, with a time that is signed and
/// near to ours, before and behind.
pub(super) fn prove(signature: &Signature, arrived: &Arrived, url: &str, secret: &str, now: Timestamp) -> Result<()> {
    let headers = texts(&arrived.headers);
    let delivery = Delivery {
        method: &arrived.method,
        url,
        headers: &headers,
        body: &arrived.body,
    };
    let plan = signature.plan(&delivery).map_err(|why| refused(&why.to_string()))?;
    let key = plan.key(secret).filter(|key| !key.is_empty());
    let key = key.ok_or_else(|| refused("the signing secret of the connection is not of the declared form"))?;
    if !is_signed(&plan, &key) {
        return Err(refused(
            "no signature in it is the one that the connection's secret makes",
        ));
    }
    match &plan.timestamp {
        Some(written) => is_fresh(written, plan.tolerance, now),
        None => Ok(()),
    }
}

/// Each signature that came along is compared in constant time; one is enough.
fn is_signed(plan: &SignaturePlan, key: &[u8]) -> bool {
    let algorithm = match plan.algorithm {
        Algorithm::HmacSha256 => hmac::HMAC_SHA256,
        Algorithm::HmacSha1 => hmac::HMAC_SHA1_FOR_LEGACY_USE_ONLY,
        Algorithm::HmacSha512 => hmac::HMAC_SHA512,
        // Hashed first: then both are equally long.
        Algorithm::Token => {
            let hash = |bytes: &[u8]| digest::digest(&digest::SHA256, bytes);
            let own = hash(key);
            let same = |came: &Vec<u8>| bool::from(hash(came).as_ref().ct_eq(own.as_ref()));
            return plan.claimed.iter().any(same);
        }
        Algorithm::None => return false,
    };
    let key = hmac::Key::new(algorithm, key);
    let fits = |came: &Vec<u8>| hmac::verify(&key, &plan.signed, came).is_ok();
    plan.claimed.iter().any(fits)
}

/// The time is the one that was signed: nothing else is looked at.
fn is_fresh(written: &str, tolerance: u64, now: Timestamp) -> Result<()> {
    let time = read_time(written).ok_or_else(|| refused("the time in it cannot be read"))?;
    let off = now.duration_since(time).unsigned_abs();
    if off <= Duration::from_secs(tolerance) {
        return Ok(());
    }
    let detail = match time < now {
        true => format!("it was signed more than {tolerance} s ago"),
        false => format!("it was signed for a time more than {tolerance} s ahead"),
    };
    Err(refused(&detail))
}

/// Seconds or milliseconds since 1970, or RFC 3339.
fn read_time(written: &str) -> Option<Timestamp> {
    if !written.bytes().all(|byte| byte.is_ascii_digit()) {
        return written.parse().ok();
    }
    let number = written.parse().ok()?;
    match written.len() >= MILLISECOND_DIGITS {
        true => Timestamp::from_millisecond(number).ok(),
        false => Timestamp::from_second(number).ok(),
    }
}

/// The headers as texts. What is no text is no signature either.
fn texts(headers: &HeaderMap) -> Vec<(&str, &str)> {
    headers
        .iter()
        .map(|(name, value)| (name.as_str(), value.to_str().unwrap_or_default()))
        .collect()
}

/// A delivery that proves nothing, with the reason for its owner; its sender is told that it is so.
pub(super) fn refused(why: &str) -> Error {
    let detail = format!("The delivery does not prove where it comes from: {why}.");
    Error::new(Code::ConnectorWebhookVerificationFailed, detail)
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;
    use tieline_manifest::{Encoding, KeyEncoding};

    use super::*;

    const BODY: &str = "what do ya want for nothing?";

    fn arrived(headers: &[(&'static str, &str)]) -> Arrived {
        let header =
            |(name, value): &(&'static str, &str)| (http::HeaderName::from_static(name), value.parse().unwrap());
        Arrived {
            method: "POST".to_owned(),
            path: "/{token}".to_owned(),
            headers: headers.iter().map(header).collect(),
            body: Bytes::from_static(BODY.as_bytes()),
        }
    }

    fn now() -> Timestamp {
        "2026-11-20T09:00:00Z".parse().unwrap()
    }

    /// RFC 2202 section 3 and RFC 4231 section 4.3.
    #[test]
    fn w2_every_algorithm_is_the_standards() {
        let vectors = [
            (Algorithm::HmacSha1, "effcdf6ae5eb2fa2d27416d5f184df9c259a7c79"),
            (
                Algorithm::HmacSha256,
                "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843",
            ),
            (
                Algorithm::HmacSha512,
                "164b7a7bfcf819e2e395fbe73b56e0a387bd64222e831fd610270cd7ea2505549758bf75c05a994a6d034f65f8f0e6fdcaeab1a34d4a6b4b636e070a38bce737",
            ),
            (Algorithm::Token, "Jefe"),
        ];
        for (algorithm, signed) in vectors {
            let signature = Signature {
                algorithm,
                ..Signature::default()
            };
            let proved = |value: &str, secret| {
                prove(
                    &signature,
                    &arrived(&[("x-webhook-signature", value)]),
                    "",
                    secret,
                    now(),
                )
                .is_ok()
            };
            assert!(proved(signed, "Jefe"), "{algorithm:?}");
            assert!(!proved(signed, "Jefa") && !proved(signed, ""), "{algorithm:?}");
            let altered = signed.replacen(['e', '5', '1'], "0", 1);
            assert!(!proved(&altered, "Jefe"), "{algorithm:?}");
            let others = vectors.iter().filter(|other| other.0 != algorithm);
            assert!(
                others.clone().all(|(_, other)| !proved(other, "Jefe")),
                "{algorithm:?} is no other"
            );
        }
        let none = Signature {
            algorithm: Algorithm::None,
            ..Signature::default()
        };
        assert!(prove(&none, &arrived(&[]), "", "Jefe", now()).is_err());
    }

    #[test]
    fn a_key_and_a_signature_are_read_as_they_are_written() {
        let signature = Signature {
            encoding: Encoding::Base64,
            key_prefix: "whsec_".to_owned(),
            key_encoding: KeyEncoding::Base64,
            ..Signature::default()
        };
        let signed = "W9zBRr9gdU5qBCQmCJV1x1oAPwidJzmDnexYuWTsOEM=";
        let delivery = arrived(&[("x-webhook-signature", signed)]);
        assert!(prove(&signature, &delivery, "", "whsec_SmVmZQ==", now()).is_ok());
        assert!(prove(&signature, &delivery, "", "SmVmZQ==", now()).is_ok());
        let error = prove(&signature, &delivery, "", "whsec_?", now()).unwrap_err();
        assert!(error.detail().contains("not of the declared form"), "{error}");
        // A key without letters is none: whoever knows of it could sign with it.
        assert!(prove(&signature, &delivery, "", "whsec_", now()).is_err());
    }

    #[test]
    fn w3_a_time_is_read_in_every_form_that_services_write() {
        for fresh in [
            "1795165200",
            "1795165200000",
            "2026-11-20T09:00:00Z",
            "2026-11-20T10:04:59+01:00",
        ] {
            assert!(is_fresh(fresh, 300, now()).is_ok(), "{fresh}");
        }
        for stale in [
            "1795164899",
            "1795165500001",
            "1795164899999",
            "2026-11-20T08:54:59Z",
            "0",
        ] {
            let error = is_fresh(stale, 300, now()).unwrap_err();
            assert!(error.detail().contains("300 s"), "{stale}: {error}");
        }
        for none in ["", " 1795165200", "soon", "-5", "1e9", "99999999999999999999999"] {
            let error = is_fresh(none, 300, now()).unwrap_err();
            assert!(error.detail().contains("cannot be read"), "{none}: {error}");
        }
    }
}
