//! Proof of possession of a code (RFC 7636): only who began can take it to the token address.

use aws_lc_rs::digest;
use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};

use crate::{clock::Random, error::Result, secret::Secret, token};

/// A new verifier: 43 letters of 256 random bits (section 4.1).
pub(super) fn verifier(random: &dyn Random) -> Result<Secret> {
    Ok(token::new(random)?.0)
}

/// What is told of it at first (section 4.2, `S256`).
pub(super) fn challenge(verifier: &str) -> String {
    URL_SAFE_NO_PAD.encode(digest::digest(&digest::SHA256, verifier.as_bytes()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock::SystemRandom;

    #[test]
    fn o3_the_challenge_is_that_of_the_standards_appendix_b() {
        let verifier = "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk";
        assert_eq!(challenge(verifier), "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM");
    }

    #[test]
    fn o3_defect_5_a_verifier_has_256_bits_of_the_systems_randomness() {
        let (one, other) = (verifier(&SystemRandom).unwrap(), verifier(&SystemRandom).unwrap());
        assert_ne!(one.reveal(), other.reveal());
        assert_eq!(URL_SAFE_NO_PAD.decode(one.reveal()).unwrap().len(), 32);
    }
}
