//! TCP to the ports that the manifest names, and TLS over it.

use super::{check, check_all, host};
use rcgen::{BasicConstraints, CertificateParams, IsCa, Issuer, KeyPair};
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::{ServerConfig, ServerConnection, StreamOwned};
use serde_json::{Value, json};
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::Arc;
use std::thread;

/// A server at 127.0.0.1 that runs `speak` for each connection until the test ends.
pub(super) fn serve(speak: impl Fn(TcpStream) + Send + 'static) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    thread::spawn(move || listener.incoming().flatten().for_each(speak));
    address
}

/// Echoes the input until end of file.
pub(super) fn echo(mut stream: impl Read + Write) {
    let mut piece = [0; 1024];
    while let Ok(length @ 1..) = stream.read(&mut piece) {
        stream.write_all(&piece[..length]).unwrap();
        stream.flush().unwrap();
    }
}

fn may_connect(to: SocketAddr) -> Value {
    json!({"network": {"connect": [to.port()]}})
}

#[test]
fn a_port_of_the_manifest_is_reached() {
    let address = serve(echo);
    let host = host(may_connect(address));
    check(&host, &format!("connections/std?at={address}"), "hello through the network");
    check(&host, &format!("connections/tokio?at={address}"), "hello through the network");
    check(&host, &format!("connections/std?at=localhost:{}", address.port()), "hello through the network");
}

#[test]
fn another_port_is_refused_by_an_error_that_can_be_handled() {
    let (allowed, another) = (serve(echo), serve(echo));
    let host = host(may_connect(allowed));
    check(&host, &format!("connections/refused?at={another}"), "PermissionDenied");
    check(&host, &format!("connections/refused-by-tokio?at={another}"), "PermissionDenied");
    check(&host, "surroundings/datagrams", "PermissionDenied");
    check(&host, "surroundings/listener", "PermissionDenied");
}

#[test]
fn tls_works_with_a_server_whose_authority_the_function_trusts() {
    let (config, authority) = identity();
    let address = serve(move |stream| {
        echo(StreamOwned::new(ServerConnection::new(Arc::clone(&config)).unwrap(), stream));
    });
    let host = host(may_connect(address));
    let path = format!("/rpc/ordinary/connections/tls?at={address}");
    let answer = host.client("POST", &path).body(authority).send();
    assert_eq!((answer.outcome(), answer.text().as_str()), ((200, ""), "hello through the network"));
}

#[test]
fn the_systems_certificates_are_found_if_there_are_any() {
    let has_some = std::fs::read_dir("/etc/ssl/certs").is_ok_and(|mut files| files.next().is_some());
    check_all(json!({"network": {"connect": [443]}}), &[("connections/certificates", &has_some.to_string())]);
}

/// The certificate of a server named `localhost`, and its authority as PEM.
fn identity() -> (Arc<ServerConfig>, String) {
    let mut authority = CertificateParams::default();
    authority.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    let authority_key = KeyPair::generate().unwrap();
    let authority_pem = authority.self_signed(&authority_key).unwrap().pem();

    let server = CertificateParams::new(["localhost".to_owned()]).unwrap();
    let server_key = KeyPair::generate().unwrap();
    let certificate = server.signed_by(&server_key, &Issuer::new(authority, authority_key)).unwrap();
    let chain = vec![CertificateDer::from(certificate)];
    let key = PrivateKeyDer::try_from(server_key.serialize_der()).unwrap();
    let config = ServerConfig::builder().with_no_client_auth().with_single_cert(chain, key).unwrap();
    (Arc::new(config), authority_pem)
}
