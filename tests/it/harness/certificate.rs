//! Self-signed certificates made at run time, so that the repository contains no private key.

use base64::Engine;
use ring::signature::{ECDSA_P256_SHA256_ASN1_SIGNING, EcdsaKeyPair, KeyPair};
use rustls::pki_types::{CertificateDer, PrivateKeyDer, PrivatePkcs8KeyDer};
use std::sync::Arc;

/// A self-signed certificate for 127.0.0.1 with its key.
#[derive(Clone, Debug)]
pub(crate) struct Certificate {
    der: Vec<u8>,
    server: Arc<rustls::ServerConfig>,
}

/// A defect of the certificate.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Flaw {
    None,
    Expired,
    OtherHost,
}

impl Certificate {
    pub(crate) fn new(flaw: Flaw) -> Self {
        let random = ring::rand::SystemRandom::new();
        let pkcs8 =
            EcdsaKeyPair::generate_pkcs8(&ECDSA_P256_SHA256_ASN1_SIGNING, &random).expect("a key");
        let key =
            EcdsaKeyPair::from_pkcs8(&ECDSA_P256_SHA256_ASN1_SIGNING, pkcs8.as_ref(), &random)
                .expect("the same key");
        let to_be_signed = to_be_signed(key.public_key().as_ref(), flaw);
        let signature = key.sign(&random, &to_be_signed).expect("a signature");
        let der = sequence(&[
            &to_be_signed,
            &ecdsa_with_sha256(),
            &bits(signature.as_ref()),
        ]);
        let secret = PrivateKeyDer::Pkcs8(PrivatePkcs8KeyDer::from(pkcs8.as_ref().to_vec()));
        let server = rustls::ServerConfig::builder_with_provider(Arc::new(
            rustls::crypto::ring::default_provider(),
        ))
        .with_safe_default_protocol_versions()
        .expect("versions")
        .with_no_client_auth()
        .with_single_cert(vec![CertificateDer::from(der.clone())], secret)
        .expect("a usable certificate");
        Self {
            der,
            server: Arc::new(server),
        }
    }

    pub(crate) fn server(&self) -> Arc<rustls::ServerConfig> {
        Arc::clone(&self.server)
    }

    /// The certificate in the format of `SSL_CERT_FILE`.
    pub(crate) fn pem(&self) -> String {
        let text = base64::engine::general_purpose::STANDARD.encode(&self.der);
        let lines: Vec<&str> = (0..text.len())
            .step_by(64)
            .map(|at| &text[at..text.len().min(at + 64)])
            .collect();
        format!(
            "-----BEGIN CERTIFICATE-----\n{}\n-----END CERTIFICATE-----\n",
            lines.join("\n")
        )
    }
}

fn der(tag: u8, content: &[u8]) -> Vec<u8> {
    let mut out = vec![tag];
    match u8::try_from(content.len()) {
        Ok(short) if short < 128 => out.push(short),
        Ok(byte) => out.extend([0x81, byte]),
        Err(_) => {
            out.push(0x82);
            out.extend(
                u16::try_from(content.len())
                    .expect("a small certificate")
                    .to_be_bytes(),
            );
        }
    }
    out.extend(content);
    out
}

fn sequence(parts: &[&[u8]]) -> Vec<u8> {
    der(0x30, &parts.concat())
}

fn bits(content: &[u8]) -> Vec<u8> {
    der(0x03, &[&[0], content].concat())
}

fn oid(bytes: &[u8]) -> Vec<u8> {
    der(0x06, bytes)
}

fn ecdsa_with_sha256() -> Vec<u8> {
    sequence(&[&oid(&[0x2a, 0x86, 0x48, 0xce, 0x3d, 0x04, 0x03, 0x02])])
}

fn to_be_signed(public: &[u8], flaw: Flaw) -> Vec<u8> {
    let version = der(0xa0, &der(0x02, &[2]));
    let serial = der(0x02, &[7]);
    let common_name = sequence(&[
        &oid(&[0x55, 0x04, 0x03]),
        &der(0x0c, b"a provider in a test"),
    ]);
    let name = sequence(&[&der(0x31, &common_name)]);
    let until: &[u8] = if flaw == Flaw::Expired {
        b"20210101000000Z"
    } else {
        b"20990101000000Z"
    };
    let validity = sequence(&[&der(0x18, b"20200101000000Z"), &der(0x18, until)]);
    let algorithm = sequence(&[
        &oid(&[0x2a, 0x86, 0x48, 0xce, 0x3d, 0x02, 0x01]),
        &oid(&[0x2a, 0x86, 0x48, 0xce, 0x3d, 0x03, 0x01, 0x07]),
    ]);
    let key = sequence(&[&algorithm, &bits(public)]);
    let host = if flaw == Flaw::OtherHost {
        der(0x82, b"example.org")
    } else {
        der(0x87, &[127, 0, 0, 1])
    };
    let alternative = sequence(&[&oid(&[0x55, 0x1d, 0x11]), &der(0x04, &sequence(&[&host]))]);
    let extensions = der(0xa3, &sequence(&[&alternative]));
    sequence(&[
        &version,
        &serial,
        &ecdsa_with_sha256(),
        &name,
        &validity,
        &name,
        &key,
        &extensions,
    ])
}
