//! TLS on TCP, with clients' certificates where they are asked for.

use std::{path::Path, sync::Arc};

use anyhow::{Context, Result};
use rustls::{
    RootCertStore, ServerConfig,
    pki_types::{CertificateDer, PrivateKeyDer, pem::PemObject},
    server::WebPkiClientVerifier,
};
use tokio_rustls::TlsAcceptor;

use crate::flags::Flags;

pub(crate) fn acceptor(flags: &Flags) -> Result<TlsAcceptor> {
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let builder = ServerConfig::builder_with_provider(provider.clone()).with_safe_default_protocol_versions()?;
    let builder = if flags.tlsverify {
        let mut roots = RootCertStore::empty();
        for certificate in certificates(&flags.tlscacert)? {
            roots.add(certificate).with_context(|| format!("the authority in {}", flags.tlscacert.display()))?;
        }
        builder
            .with_client_cert_verifier(WebPkiClientVerifier::builder_with_provider(Arc::new(roots), provider).build()?)
    } else {
        builder.with_no_client_auth()
    };
    let key = PrivateKeyDer::from_pem_file(&flags.tlskey)
        .with_context(|| format!("the key in {}", flags.tlskey.display()))?;
    let config = builder.with_single_cert(certificates(&flags.tlscert)?, key).context("certificate and key")?;
    Ok(TlsAcceptor::from(Arc::new(config)))
}

fn certificates(path: &Path) -> Result<Vec<CertificateDer<'static>>> {
    let read = CertificateDer::pem_file_iter(path).and_then(Iterator::collect);
    read.with_context(|| format!("the certificates in {}", path.display()))
}
