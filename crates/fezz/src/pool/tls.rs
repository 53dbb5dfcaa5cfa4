//! TLS of a pool's connections. The server's certificate and its name are always checked.

use super::Authority;
use crate::FezzError;
#[cfg(feature = "postgres-tls")]
use rustls::{
    ClientConfig, RootCertStore,
    pki_types::{CertificateDer, pem::PemObject},
};
#[cfg(feature = "postgres-tls")]
use std::sync::Arc;

impl Authority<'_> {
    /// Its certificates, in PEM; `None` for those that the machine trusts.
    pub(super) fn pem(&self) -> Result<Option<&str>, FezzError> {
        self.variable.map(|variable| self.context.require_env(variable)).transpose()
    }

    /// A client that trusts it.
    #[cfg(feature = "postgres-tls")]
    pub(super) fn client(&self) -> Result<ClientConfig, FezzError> {
        let roots = match self.pem()? {
            Some(pem) => self.own_roots(pem)?,
            None => native_roots()?,
        };
        // By its name: a function may have other providers, too, and then none is the default one.
        let client = ClientConfig::builder_with_provider(Arc::new(rustls::crypto::ring::default_provider()));
        let client = client.with_safe_default_protocol_versions().map_err(FezzError::other)?;
        Ok(client.with_root_certificates(roots).with_no_client_auth())
    }

    #[cfg(feature = "postgres-tls")]
    fn own_roots(&self, pem: &str) -> Result<RootCertStore, FezzError> {
        let mut roots = RootCertStore::empty();
        let certificates = CertificateDer::pem_slice_iter(pem.as_bytes());
        let are_valid = certificates.map(|one| roots.add(one.ok()?).ok()).all(|added| added.is_some());
        if !are_valid || roots.is_empty() {
            let variable = self.variable.unwrap_or_default();
            return Err(FezzError::new(format!(
                "the variable `{variable}` should have certificates in PEM, as in `-----BEGIN CERTIFICATE-----`"
            )));
        }
        Ok(roots)
    }
}

/// Those that the machine trusts: a jail with a network has them.
#[cfg(feature = "postgres-tls")]
fn native_roots() -> Result<RootCertStore, FezzError> {
    let mut roots = RootCertStore::empty();
    // Some machines have a certificate that rustls doesn't take, beside all others.
    roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
    if roots.is_empty() {
        return Err(FezzError::new(
            "this machine has no certificate authorities: install ca-certificates, or name the server's own by `Pool::authority`",
        ));
    }
    Ok(roots)
}
