//! The server's side of TLS, from the files that the configuration names.

use std::path::Path;
use std::sync::Arc;

use rustls::crypto::ring;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::server::WebPkiClientVerifier;
use rustls::{RootCertStore, ServerConfig};

use crate::config::listen::TlsFiles;
use crate::config::source::{Surroundings, reason};

/// What connections are secured by; the error says what was tried, and why it failed.
pub fn server_config(
    files: &TlsFiles,
    surroundings: &Surroundings,
) -> Result<Arc<ServerConfig>, String> {
    let read = |what: &str, path: &Path| {
        let bytes = surroundings.read(path).map(|bytes| bytes.into_bytes());
        bytes.map_err(|error| {
            let text = reason(&error);
            format!("LISTEN_TLS: read {what} {}: {text}", path.display())
        })
    };
    let wrong = |what: &str, path: &Path, error: &dyn std::fmt::Display| {
        format!("LISTEN_TLS: {what} {}: {error}", path.display())
    };
    let certificates = |what: &str, path: &Path| {
        let bytes = read(what, path)?;
        let all: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(&bytes).collect();
        match all {
            Ok(all) if all.is_empty() => {
                Err(wrong(what, path, &"there is no certificate in it (PEM)"))
            }
            Ok(all) => Ok(all),
            Err(error) => Err(wrong(what, path, &error)),
        }
    };
    let provider = Arc::new(ring::default_provider());
    let builder = ServerConfig::builder_with_provider(provider.clone())
        .with_safe_default_protocol_versions()
        .map_err(|error| wrong("begin with", &files.certificate, &error))?;
    let builder = match &files.client_ca {
        None => builder.with_no_client_auth(),
        Some(path) => {
            let what = "the clients' certificates";
            let mut roots = RootCertStore::empty();
            for certificate in certificates(what, path)? {
                roots
                    .add(certificate)
                    .map_err(|error| wrong(what, path, &error))?;
            }
            let verifier = WebPkiClientVerifier::builder_with_provider(Arc::new(roots), provider);
            let verifier = verifier
                .build()
                .map_err(|error| wrong(what, path, &error))?;
            builder.with_client_cert_verifier(verifier)
        }
    };
    let chain = certificates("the certificate", &files.certificate)?;
    let key = PrivateKeyDer::from_pem_slice(&read("the key", &files.key)?).map_err(|_| {
        wrong(
            "the key",
            &files.key,
            &"there is no private key in it (PEM)",
        )
    })?;
    let config = builder.with_single_cert(chain, key);
    let config = config.map_err(|error| wrong("the certificate", &files.certificate, &error))?;
    Ok(Arc::new(config))
}
