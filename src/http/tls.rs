//! The certificate and key of a server, from PEM files.

use crate::plain_file;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::ServerConfig;
use tokio_rustls::rustls::crypto::ring;
use tokio_rustls::rustls::pki_types::pem::{Error as PemError, PemObject};
use tokio_rustls::rustls::pki_types::{CertificateDer, PrivateKeyDer};

/// Longest file with certificates or a key, in bytes.
const LONGEST: u64 = 1 << 20;

/// Why there can be no TLS with these files.
#[derive(Debug, thiserror::Error)]
pub enum TlsError {
    /// A file cannot be read.
    #[error("{file} cannot be read: {cause}; give a PEM file that the service's user may read")]
    Unreadable {
        /// Its path.
        file: PathBuf,
        /// The error of the system.
        cause: String,
    },
    /// A file holds something else.
    #[error("{file} holds no {wanted}; give a PEM file with one")]
    Empty {
        /// Its path.
        file: PathBuf,
        /// What it should hold.
        wanted: &'static str,
    },
    /// Certificate and key do not fit each other, or cannot be used.
    #[error(
        "the certificate {certificate} and the key {key} cannot be used together: {cause}; give those of one pair"
    )]
    Unfit {
        /// The certificate's file.
        certificate: PathBuf,
        /// The key's file.
        key: PathBuf,
        /// What is wrong.
        cause: String,
    },
}

/// A certificate with its key, ready for handshakes: TLS 1.2 and 1.3.
#[derive(Clone)]
pub struct Tls(pub(super) TlsAcceptor);

impl Tls {
    /// Reads the certificate, with those that vouch for it, and its key.
    ///
    /// # Errors
    /// [`TlsError`], one sentence.
    pub fn load(certificate: &Path, key: &Path) -> Result<Self, TlsError> {
        let chain: Vec<CertificateDer<'static>> = pem(certificate)
            .and_then(|pem| CertificateDer::pem_slice_iter(&pem).collect())
            .map_err(|error| failed(certificate, "certificate", &error))?;
        if chain.is_empty() {
            return Err(failed(certificate, "certificate", &PemError::NoItemsFound));
        }
        let secret = pem(key)
            .and_then(|pem| PrivateKeyDer::from_pem_slice(&pem))
            .map_err(|error| failed(key, "private key", &error))?;
        let unfit = |error: tokio_rustls::rustls::Error| TlsError::Unfit {
            certificate: certificate.to_owned(),
            key: key.to_owned(),
            cause: error.to_string(),
        };
        let mut config = ServerConfig::builder_with_provider(Arc::new(ring::default_provider()))
            .with_safe_default_protocol_versions()
            .map_err(unfit)?
            .with_no_client_auth()
            .with_single_cert(chain, secret)
            .map_err(unfit)?;
        config.alpn_protocols = vec![b"http/1.1".to_vec()];
        Ok(Self(Arc::new(config).into()))
    }
}

impl std::fmt::Debug for Tls {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str("Tls")
    }
}

fn pem(file: &Path) -> Result<Vec<u8>, PemError> {
    plain_file::read(file, LONGEST).map_err(PemError::Io)
}

fn failed(file: &Path, wanted: &'static str, error: &PemError) -> TlsError {
    let file = file.to_owned();
    match error {
        PemError::Io(error) => TlsError::Unreadable { file, cause: error.to_string() },
        _ => TlsError::Empty { file, wanted },
    }
}
