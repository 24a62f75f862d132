//! The way to the broker: its address, TLS, and who the door is. Certificates and credentials are read anew
//! for each connection, so that new ones are used without a restart.

use super::topics::Topics;
use crate::config::MqttConfig;
use crate::plain_file;
use crate::text::flattened;
use rumqttc::{
    ConnectReturnCode, ConnectionError, LastWill, MqttOptions, QoS, TlsConfiguration, TlsError, Transport,
};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::{ClientConfig, RootCertStore};
use serde::Deserialize;
use std::io::ErrorKind;
use std::os::unix::fs::MetadataExt;
use std::path::Path;
use std::sync::Arc;

/// How often the broker is asked whether it is still there, in seconds; after one and a half times as long it
/// takes the door for gone.
const KEEP_ALIVE: u16 = 20;
/// The longest packet that is taken and sent, in bytes.
const LONGEST_PACKETS: (usize, usize) = (16 << 10, 64 << 10);
/// Longest file with credentials, and with certificates or a key, in bytes.
const LONGEST_CREDENTIALS: u64 = 4096;
const LONGEST_CERTIFICATES: u64 = 1 << 20;
/// What the broker shows where the door does not.
pub(super) const OFFLINE: &str = "offline";

/// The options of the door's connection.
///
/// # Errors
/// One sentence with the mend, if a file that it needs cannot be used.
pub(super) fn options(config: &MqttConfig, topics: &Topics) -> Result<MqttOptions, String> {
    let mut options = client_options(config, topics.identifier())?;
    options.set_last_will(LastWill::new(topics.availability(), OFFLINE, QoS::AtLeastOnce, true));
    Ok(options)
}

/// The options of a connection to the broker of `config` by a client of the name `client`, as the daemon's
/// own, but without a last will.
///
/// # Errors
/// One sentence with the mend, if a file that it needs cannot be used.
pub fn client_options(config: &MqttConfig, client: String) -> Result<MqttOptions, String> {
    let broker = (config.broker.host.clone(), config.broker.port);
    let mut options = MqttOptions::new(client, broker);
    options.set_keep_alive(KEEP_ALIVE).set_max_packet_size(LONGEST_PACKETS.0, LONGEST_PACKETS.1);
    if let Some(path) = &config.credentials {
        let Credentials { user, password } = credentials(path)?;
        options.set_credentials(user, password);
    }
    if config.broker.is_encrypted {
        let tls = TlsConfiguration::Rustls(Arc::new(tls(config)?));
        options.set_transport(Transport::tls_with_config(tls));
    }
    Ok(options)
}

/// What is wrong with the files that the section `[mqtt]` names, each in one sentence with the mend.
#[must_use]
pub(crate) fn broker_problems(config: &MqttConfig) -> Vec<String> {
    let credentials = config.credentials.as_deref().and_then(|path| credentials(path).err());
    let tls = if config.broker.is_encrypted { tls(config).err() } else { None };
    credentials.into_iter().chain(tls).collect()
}

/// What the broker knows the door by.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Credentials {
    user: String,
    password: String,
}

fn credentials(path: &Path) -> Result<Credentials, String> {
    let named = path.display();
    let read = plain_file::open(path)
        .and_then(|file| file.metadata())
        .and_then(|about| Ok((about.mode(), plain_file::read_text(path, LONGEST_CREDENTIALS)?)));
    let (mode, text) = read.map_err(|error| {
        format!(
            "mqtt.credentials: {named} cannot be read ({error}); write it, with user = \"…\" and password = \"…\""
        )
    })?;
    if mode & 0o007 != 0 {
        return Err(format!(
            "mqtt.credentials: {named} can be read by everybody; sudo chown root:maskwatch and chmod 640 it"
        ));
    }
    // The error of the parser would show what is in the file.
    toml::from_str(&text).map_err(|_| {
        format!(
            "mqtt.credentials: {named} does not hold just user = \"…\" and password = \"…\", each on its line"
        )
    })
}

fn tls(config: &MqttConfig) -> Result<ClientConfig, String> {
    let mut roots = RootCertStore::empty();
    match &config.authorities {
        Some(path) => {
            for certificate in certificates("ca", path)? {
                roots.add(certificate).map_err(|error| {
                    format!(
                        "mqtt.ca: {} holds a certificate that cannot be used ({error}); name another file",
                        path.display()
                    )
                })?;
            }
        }
        None => {
            // Some of the system's may be too old to be used.
            roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
            if roots.is_empty() {
                return Err(
                    "the system has no certificates of authorities; sudo apt install ca-certificates, \
                            or name those of the broker in mqtt.ca"
                        .into(),
                );
            }
        }
    }
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let builder = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(|error| format!("TLS cannot be used ({error})"))?
        .with_root_certificates(roots);
    let Some((certificate, key)) = &config.identity else { return Ok(builder.with_no_client_auth()) };
    let named = key.display();
    let chain = certificates("certificate", certificate)?;
    let pem = plain_file::read(key, LONGEST_CERTIFICATES)
        .map_err(|error| format!("mqtt.key: {named} cannot be read ({error}); name another file"))?;
    let secret = PrivateKeyDer::from_pem_slice(&pem).map_err(|error| {
        format!("mqtt.key: {named} holds no private key in PEM ({error}); name another file")
    })?;
    builder.with_client_auth_cert(chain, secret).map_err(|error| {
        format!(
            "mqtt.certificate {} and mqtt.key {named} do not belong together ({error}); name those of one pair",
            certificate.display()
        )
    })
}

/// The certificates in the file `path` that the key `key` names.
fn certificates(key: &str, path: &Path) -> Result<Vec<CertificateDer<'static>>, String> {
    let named = path.display();
    let pem = plain_file::read(path, LONGEST_CERTIFICATES)
        .map_err(|error| format!("mqtt.{key}: {named} cannot be read ({error}); name another file"))?;
    let read: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(&pem).collect();
    match read {
        Ok(certificates) if !certificates.is_empty() => Ok(certificates),
        Ok(_) => Err(format!("mqtt.{key}: {named} holds no certificate in PEM; name another file")),
        Err(error) => {
            Err(format!("mqtt.{key}: {named} holds no certificates in PEM ({error}); name another file"))
        }
    }
}

/// Why a connection ended or did not come about, to go behind `the broker …`.
/// `was_taken_in`: whether the broker had answered as one before.
pub(super) fn reason(error: &ConnectionError, config: &MqttConfig, was_taken_in: bool) -> String {
    use ConnectReturnCode::{BadUserNamePassword, NotAuthorized};
    let reason = match error {
        ConnectionError::ConnectionRefused(BadUserNamePassword | NotAuthorized) => {
            match &config.credentials {
                Some(path) => format!("refuses the user or password in {}", path.display()),
                None => {
                    "wants a user and password; write them into a file and name it in mqtt.credentials".into()
                }
            }
        }
        ConnectionError::ConnectionRefused(code) => format!("refuses the door ({code:?})"),
        ConnectionError::MqttState(_) | ConnectionError::NotConnAck(_)
            if !was_taken_in && !config.broker.is_encrypted =>
        {
            format!(
                "has ended the connection before it took the door in ({error}); if the port speaks TLS, write mqtts:// \
                 instead of mqtt://, else name the port of an MQTT broker"
            )
        }
        ConnectionError::Tls(TlsError::Io(io)) if speaks_no_tls(io) => format!(
            "speaks no TLS at port {} ({io}); name the port that does, usually 8883, or write mqtt:// instead of mqtts://",
            config.broker.port
        ),
        ConnectionError::Io(error) => format!("cannot be reached ({error})"),
        ConnectionError::NetworkTimeout => "does not answer".into(),
        ConnectionError::Tls(error) if config.authorities.is_none() => {
            format!(
                "cannot be trusted ({error}); if it has a certificate of its own making, name it in mqtt.ca"
            )
        }
        ConnectionError::Tls(error) => format!("cannot be trusted ({error})"),
        ConnectionError::MqttState(error) => format!(
            "has ended the connection ({error}); if this repeats, see whether another door has the same name"
        ),
        other => format!("has ended the connection ({other})"),
    };
    flattened(&reason).into_owned()
}

/// Whether a handshake failed since the other side answered with something else, or went away at once.
fn speaks_no_tls(error: &std::io::Error) -> bool {
    let cause = error.get_ref().and_then(|cause| cause.downcast_ref::<rustls::Error>());
    matches!(cause, Some(rustls::Error::InvalidMessage(_))) || error.kind() == ErrorKind::UnexpectedEof
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::BrokerAddress;
    use std::fs::Permissions;
    use std::os::unix::fs::PermissionsExt;

    #[test]
    fn credentials_are_for_the_service_alone_and_never_shown() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("mqtt.toml");
        let write = |text: &str, mode| {
            std::fs::write(&path, text).unwrap();
            std::fs::set_permissions(&path, Permissions::from_mode(mode)).unwrap();
            credentials(&path)
        };
        let good = "user = \"north\"\npassword = \"s3cret\"\n";
        assert_eq!(
            write(good, 0o640).map(|told| (told.user, told.password)),
            Ok(("north".into(), "s3cret".into()))
        );
        for (text, mode, told) in [
            (good, 0o644, "can be read by everybody"),
            ("user = \"north\"\npassword = s3cret\n", 0o600, "does not hold just user"),
            ("password = \"s3cret\"\n", 0o600, "does not hold just user"),
        ] {
            let problem = write(text, mode).map(|told| told.user).unwrap_err();
            assert!(problem.contains(told) && !problem.contains("s3cret"), "{problem}");
        }
    }

    #[test]
    fn files_that_do_not_fit_are_named() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("ca.pem");
        let mut config = MqttConfig::new(BrokerAddress::parse("mqtts://h").unwrap());
        let topics = Topics::new(&config, "north");
        config.authorities = Some(path.clone());
        let told = |config: &MqttConfig| options(config, &topics).map(|_| ()).unwrap_err();
        assert!(
            told(&config).contains("mqtt.ca: /") && told(&config).contains("ca.pem cannot be read ("),
            "{}",
            told(&config)
        );
        std::fs::write(&path, "nothing\n").unwrap();
        assert!(told(&config).contains("ca.pem holds no certificate"), "{}", told(&config));
        std::fs::write(&path, "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n").unwrap();
        assert!(
            told(&config).contains("ca.pem holds a certificate that cannot be used"),
            "{}",
            told(&config)
        );
    }
}
