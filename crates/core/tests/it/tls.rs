//! TLS: whom we trust.

use std::sync::Arc;

use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair};
use rustls::{
    ServerConfig,
    crypto::aws_lc_rs,
    pki_types::{PrivateKeyDer, PrivatePkcs8KeyDer},
};
use tieline::{
    Code,
    egress::{Egress, EgressPolicy},
    error::Retry,
    http::TlsRoots,
};
use tieline_testkit::twin::{Reply, Twin, answer};
use tokio_rustls::TlsAcceptor;

use crate::lab::{LATE, Lab, Names, SOON};

/// A certificate authority of our own, and a server with a leaf for `twin.example`.
async fn authority_and_twin(reply: Reply) -> (TlsRoots, Twin) {
    let mut params = CertificateParams::new(Vec::new()).unwrap();
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    let authority = CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap();
    let key = KeyPair::generate().unwrap();
    let leaf = CertificateParams::new(vec!["twin.example".to_owned()])
        .unwrap()
        .signed_by(&key, &authority)
        .unwrap();
    let server = ServerConfig::builder_with_provider(Arc::new(aws_lc_rs::default_provider()))
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(
            vec![leaf.der().clone()],
            PrivateKeyDer::from(PrivatePkcs8KeyDer::from(key.serialize_der())),
        )
        .unwrap();
    let roots = TlsRoots {
        extra_pem: vec![authority.pem().into_bytes()],
    };
    (roots, Twin::over_tls(TlsAcceptor::from(Arc::new(server)), reply).await)
}

fn lab(roots: &TlsRoots) -> Lab {
    let open = EgressPolicy {
        loopback: true,
        ..EgressPolicy::default()
    };
    let names = Names::new(|_| vec!["127.0.0.1".parse().unwrap()]);
    Lab::with(Egress::new(open, names), roots)
}

#[tokio::test]
async fn n6_a_configured_authority_is_trusted_for_its_names_alone() {
    let (roots, twin) = authority_and_twin(Reply::Keep(answer("200 OK", "", b"sealed"))).await;
    let lab = lab(&roots);
    for _ in 0..2 {
        let body = lab
            .read(&format!("https://twin.example:{}/", twin.port()))
            .await
            .unwrap();
        assert_eq!(body, "sealed");
    }
    assert_eq!((twin.connections(), twin.requests().len()), (1, 2));

    for other in ["other.example", "127.0.0.1"] {
        let error = lab.get(&format!("https://{other}:{}/", twin.port())).await.unwrap_err();
        assert_eq!(
            (error.code(), error.retry_hint()),
            (Code::UpstreamUnreachable, Retry::Never)
        );
        assert!(error.detail().contains("another host name"), "{error}");
        assert!(error.nothing_sent());
    }
    assert_eq!(twin.requests().len(), 2);
}

#[tokio::test]
async fn n6_an_unknown_authority_is_refused() {
    let (_, twin) = authority_and_twin(Reply::Keep(answer("200 OK", "", b"sealed"))).await;
    let error = lab(&TlsRoots::default())
        .get(&format!("https://twin.example:{}/", twin.port()))
        .await
        .unwrap_err();
    assert_eq!(
        (error.code(), error.retry_hint()),
        (Code::UpstreamUnreachable, Retry::Never)
    );
    assert!(error.detail().contains("signed its certificate"), "{error}");
    assert!(error.nothing_sent());
    assert!(twin.requests().is_empty());
}

#[tokio::test]
async fn l1_a_handshake_without_end_is_a_connect_timeout() {
    // A listener that never answers: the kernel completes the connection, nobody the handshake.
    let silent = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let lab = lab(&TlsRoots::default()).timeouts(SOON, LATE, LATE);
    let url = format!("https://twin.example:{}/", silent.local_addr().unwrap().port());
    let error = lab.get(&url).await.unwrap_err();
    assert_eq!(
        (error.code(), error.retry_hint()),
        (Code::UpstreamTimeout, Retry::Backoff)
    );
    assert!(error.detail().contains("within 50 ms (connect)"), "{error}");
    assert!(error.detail().contains("`outbound.connect_seconds`"), "{error}");
    assert!(error.nothing_sent());
}

#[tokio::test]
async fn plain_text_on_a_tls_port_is_unreachable() {
    let twin = Twin::always(Reply::Raw(b"no".to_vec())).await;
    let error = lab(&TlsRoots::default())
        .timeouts(SOON, LATE, LATE)
        .get(&format!("https://twin.example:{}/", twin.port()))
        .await
        .unwrap_err();
    // The twin waits for the end of a head that never comes.
    assert_eq!(error.code(), Code::UpstreamTimeout);
    assert!(error.nothing_sent());
}

#[tokio::test]
async fn an_answer_cut_without_the_end_of_tls_is_truncated() {
    // Neither length nor chunks: only the end of TLS says that this was all.
    let unframed = b"HTTP/1.1 200 OK\r\n\r\nhalf of it".to_vec();
    let (roots, twin) = authority_and_twin(Reply::Raw(unframed.clone())).await;
    let url = format!("https://twin.example:{}/", twin.port());
    assert_eq!(lab(&roots).read(&url).await.unwrap(), "half of it");

    let (roots, twin) = authority_and_twin(Reply::Cut(unframed)).await;
    let error = lab(&roots)
        .read(&format!("https://twin.example:{}/", twin.port()))
        .await
        .unwrap_err();
    assert_eq!(error.code(), Code::UpstreamAnswerTruncated);
}
