//! The program takes credentials, proxy and certificates from where other AWS tools do.
//!
//! All of that is in the environment and in files of the home directory, so the program runs in a
//! place of its own, against servers on this machine.

use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::process::{Child, Stdio};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;
use std::time::Duration;

use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::{ServerConfig, ServerConnection, StreamOwned};

use crate::s3_server::{CannedServer, answer, error_answer};
use crate::workplace::{Run, Workplace};

/// Longest time that a program of a test may take to do what is waited for.
const PATIENCE: Duration = Duration::from_secs(60);

/// A configuration with one replica, behind an address; `more` is added to it.
fn configured(endpoint: &str, more: &str) -> Workplace {
    let place = Workplace::new();
    place.write(
        "prismvault.toml",
        &format!(
            "[[replicas]]\nname = 'bucket'\nurl = 's3://acme-prismic'\nendpoint = '{endpoint}'\n\
             region = 'eu-central-1'\nforce_path_style = true\n{more}"
        ),
    );
    place
}

fn write_home(place: &Workplace, file: &str, text: &str) {
    let path = place.home().join(file);
    std::fs::create_dir_all(path.parent().unwrap()).unwrap();
    std::fs::File::create(path).unwrap().write_all(text.as_bytes()).unwrap();
}

/// Whatever in a cloud gives out credentials, by the path that is asked for.
fn cloud(head: &str) -> String {
    let session = |key: &str| {
        format!(
            r#"{{"Code":"Success","Type":"AWS-HMAC","LastUpdated":"2026-11-21T02:00:00Z","AccessKeyId":"{key}",
               "SecretAccessKey":"hunter2","Token":"session-of-{key}","Expiration":"2099-01-01T00:00:00Z"}}"#
        )
    };
    let json = |body: &str| answer(200, "Content-Type: application/json\r\n", body);
    let path = head.split(' ').nth(1).unwrap_or_default();
    match path.split('?').next().unwrap_or_default() {
        "/container" => json(&session("AKIDCONTAINER")),
        "/latest/api/token" => {
            answer(200, "x-aws-ec2-metadata-token-ttl-seconds: 21600\r\n", "metadata-token")
        }
        "/latest/meta-data/iam/security-credentials/" => answer(200, "", "backup-role"),
        "/latest/meta-data/iam/security-credentials/backup-role" => json(&session("AKIDINSTANCE")),
        "/federation/credentials" => json(
            r#"{"roleCredentials":{"accessKeyId":"AKIDSSO","secretAccessKey":"hunter2",
               "sessionToken":"session-of-AKIDSSO","expiration":4070908800000}}"#,
        ),
        "/" => answer(
            200,
            "Content-Type: text/xml\r\n",
            "<AssumeRoleWithWebIdentityResponse xmlns=\"https://sts.amazonaws.com/doc/2011-06-15/\">\
             <AssumeRoleWithWebIdentityResult><Credentials><AccessKeyId>AKIDWEB</AccessKeyId>\
             <SecretAccessKey>hunter2</SecretAccessKey><SessionToken>session-of-AKIDWEB</SessionToken>\
             <Expiration>2099-01-01T00:00:00Z</Expiration></Credentials><AssumedRoleUser>\
             <Arn>arn:aws:sts::1:assumed-role/backup/x</Arn><AssumedRoleId>x:x</AssumedRoleId></AssumedRoleUser>\
             </AssumeRoleWithWebIdentityResult></AssumeRoleWithWebIdentityResponse>",
        ),
        _ => answer(404, "", ""),
    }
}

const SSO_START: &str = "https://acme.awsapps.com/start";
/// SHA-1 of [`SSO_START`], by which the AWS CLI names the file of a login.
const SSO_LOGIN: &str = ".aws/sso/cache/40169cea58ca6cbf23fb27b2542923fb5f524af0.json";

#[tokio::test(flavor = "multi_thread")]
async fn credentials_are_found_where_aws_tools_find_them() {
    let source = CannedServer::start(|head| Some(cloud(head))).await;
    let cloud = format!("http://{}", source.address);
    let container = format!("{cloud}/container");
    let files = "[backup]\naws_access_key_id = AKIDPROFILE\naws_secret_access_key = hunter2\n";
    let process = "[profile backup]\ncredential_process = cat credentials.json\n";
    let sso = format!(
        "[profile backup]\nsso_start_url = {SSO_START}\nsso_region = eu-central-1\n\
         sso_account_id = 123456789012\nsso_role_name = backup\n"
    );
    let login = format!(
        r#"{{"accessToken":"login","expiresAt":"2099-01-01T00:00:00Z","region":"eu-central-1","startUrl":"{SSO_START}"}}"#
    );
    let printed = r#"{"Version":1,"AccessKeyId":"AKIDPROCESS","SecretAccessKey":"hunter2"}"#;
    let token = "web identity token";
    for (key, environment, home, profile) in [
        (
            "AKIDENV",
            vec![("AWS_ACCESS_KEY_ID", "AKIDENV"), ("AWS_SECRET_ACCESS_KEY", "hunter2")],
            vec![],
            false,
        ),
        ("AKIDPROFILE", vec![], vec![(".aws/credentials", files)], true),
        ("AKIDPROCESS", vec![], vec![(".aws/config", process), ("../work/credentials.json", printed)], true),
        (
            "AKIDSSO",
            vec![("AWS_ENDPOINT_URL_SSO", cloud.as_str())],
            vec![(".aws/config", sso.as_str()), (SSO_LOGIN, login.as_str())],
            true,
        ),
        ("AKIDCONTAINER", vec![("AWS_CONTAINER_CREDENTIALS_FULL_URI", container.as_str())], vec![], false),
        ("AKIDINSTANCE", vec![("AWS_EC2_METADATA_SERVICE_ENDPOINT", cloud.as_str())], vec![], false),
        (
            "AKIDWEB",
            vec![
                ("AWS_ENDPOINT_URL_STS", cloud.as_str()),
                ("AWS_ROLE_ARN", "arn:aws:iam::1:role/backup"),
                ("AWS_WEB_IDENTITY_TOKEN_FILE", "token"),
            ],
            vec![("../work/token", token)],
            false,
        ),
    ] {
        let bucket = CannedServer::start(|_| Some(error_answer(403, "AccessDenied"))).await;
        let more = if profile { "profile = 'backup'\n" } else { "" };
        let place = configured(&format!("http://{}", bucket.address), more);
        for (file, text) in home {
            write_home(&place, file, text);
        }
        let run = Run::from(place.command(&["list"]).envs(environment).output().unwrap());
        assert_ne!(run.code, 0, "{run:?}");
        assert!(!run.stderr.contains("hunter2") && !run.stderr.contains("session-of"), "{run:?}");
        let heads = bucket.requests.lock().unwrap().clone();
        assert!(!heads.is_empty(), "{key}: {run:?}");
        let signed = format!("credential={}/", key.to_lowercase());
        assert!(heads.iter().all(|head| head.contains(&signed)), "{key}: {heads:?}");
        let session = format!("x-amz-security-token: session-of-{}", key.to_lowercase());
        let has_session = !["AKIDENV", "AKIDPROFILE", "AKIDPROCESS"].contains(&key);
        assert_eq!(heads[0].contains(&session), has_session, "{key}: {heads:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn credentials_that_a_store_calls_expired_are_read_again() {
    let session = |key: &str| {
        format!(
            "[default]\naws_access_key_id = {key}\naws_secret_access_key = hunter2\naws_session_token = s\n"
        )
    };
    let renewed = session("AKIDNEW");
    let file: Arc<Mutex<Option<std::path::PathBuf>>> = Arc::default();
    let to_renew = Arc::clone(&file);
    // The tool that renews the session does so at the moment when it ends.
    let bucket = CannedServer::start(move |head| {
        if !head.contains("credential=akidold/") {
            return Some(error_answer(403, "AccessDenied"));
        }
        let file = to_renew.lock().unwrap().clone().unwrap();
        std::fs::File::create(file).unwrap().write_all(renewed.as_bytes()).unwrap();
        Some(error_answer(400, "ExpiredToken"))
    })
    .await;
    let place = configured(&format!("http://{}", bucket.address), "");
    write_home(&place, ".aws/credentials", &session("AKIDOLD"));
    *file.lock().unwrap() = Some(place.home().join(".aws/credentials"));
    let run = place.run(&["list"]);
    let heads = bucket.requests.lock().unwrap().clone();
    let keys: Vec<_> = heads.iter().map(|head| head.contains("credential=akidnew/")).collect();
    assert!(!keys[0] && *keys.last().unwrap(), "{heads:?}");
    assert!(run.stderr.contains("AccessDenied") && !run.stderr.contains("ExpiredToken"), "{run:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn without_credentials_the_replica_is_named_and_nothing_is_sent() {
    let bucket = CannedServer::start(|_| Some(answer(200, "", ""))).await;
    let place = configured(&format!("http://{}", bucket.address), "");
    let run = Run::from(place.command(&["list"]).env("AWS_EC2_METADATA_DISABLED", "true").output().unwrap());
    assert_eq!(run.code, 2, "{run:?}");
    assert!(
        run.stderr.contains("acme-prismic") && run.stderr.contains("no AWS credentials were found"),
        "{run:?}"
    );
    assert!(bucket.requests.lock().unwrap().is_empty());
}

/// A program that runs until its test has seen enough.
struct Running(Child);

impl Running {
    fn start(place: &Workplace, environment: &[(&str, &str)]) -> Self {
        let mut command = place.command(&["list"]);
        command
            .envs([("AWS_ACCESS_KEY_ID", "AKIDENV"), ("AWS_SECRET_ACCESS_KEY", "hunter2")])
            .envs(environment.iter().copied())
            .stdout(Stdio::null())
            .stderr(Stdio::null());
        Self(command.spawn().unwrap())
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        drop(self.0.kill());
        drop(self.0.wait());
    }
}

/// A server that says what each connection began with. It ends with its owner.
struct Wire<T> {
    address: SocketAddr,
    seen: Receiver<T>,
    thread: Option<JoinHandle<()>>,
}

impl<T: Send + 'static> Wire<T> {
    fn start(mut serve: impl FnMut(TcpStream) -> T + Send + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let (send, seen): (Sender<T>, _) = channel();
        let thread = std::thread::spawn(move || {
            for socket in listener.incoming() {
                let socket = socket.unwrap();
                socket.set_read_timeout(Some(PATIENCE)).unwrap();
                // Nobody listens any more: the test is over.
                if send.send(serve(socket)).is_err() {
                    return;
                }
            }
        });
        Self { address, seen, thread: Some(thread) }
    }

    fn next(&self) -> T {
        self.seen.recv_timeout(PATIENCE).unwrap()
    }
}

impl<T> Drop for Wire<T> {
    fn drop(&mut self) {
        let (_, nobody) = channel();
        self.seen = nobody;
        // Wakes the thread, which then finds that nobody listens.
        drop(TcpStream::connect(self.address));
        if let Some(thread) = self.thread.take() {
            drop(thread.join());
        }
    }
}

/// Reads what a client sends first.
fn first_bytes(mut socket: TcpStream) -> String {
    let mut bytes = [0; 1024];
    let count = socket.read(&mut bytes).unwrap_or_default();
    String::from_utf8_lossy(&bytes[..count]).into_owned()
}

#[test]
fn https_goes_through_the_proxy_of_the_environment_unless_it_is_excepted() {
    let proxy = Wire::start(first_bytes);
    let proxy_address = format!("http://{}", proxy.address);
    let place = configured("https://store.invalid", "");
    {
        let _running = Running::start(&place, &[("HTTPS_PROXY", &proxy_address)]);
        let head = proxy.next();
        assert!(head.starts_with("CONNECT store.invalid:443 HTTP/1.1\r\n"), "{head:?}");
    }
    let direct = Wire::start(first_bytes);
    let place = configured(&format!("https://{}", direct.address), "");
    let _running =
        Running::start(&place, &[("HTTPS_PROXY", &proxy_address), ("NO_PROXY", "127.0.0.1,other.example")]);
    // A TLS handshake.
    assert!(direct.next().starts_with('\u{16}'));
}

fn fixture(name: &str) -> String {
    format!("{}/tests/fixtures/tls/{name}", env!("CARGO_MANIFEST_DIR"))
}

/// A server that speaks one version of TLS and says what it was asked, or why not.
fn tls_server(version: &'static rustls::SupportedProtocolVersion) -> Wire<Result<String, String>> {
    let certificates: Result<Vec<_>, _> =
        CertificateDer::pem_file_iter(fixture("server.pem")).unwrap().collect();
    let key = PrivateKeyDer::from_pem_file(fixture("server.key")).unwrap();
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = ServerConfig::builder_with_provider(provider)
        .with_protocol_versions(&[version])
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(certificates.unwrap(), key)
        .unwrap();
    let config = Arc::new(config);
    Wire::start(move |socket| {
        let connection = ServerConnection::new(Arc::clone(&config)).unwrap();
        let mut stream = StreamOwned::new(connection, socket);
        let mut bytes = [0; 1024];
        match stream.read(&mut bytes) {
            Ok(count) => {
                drop(stream.write_all(error_answer(403, "AccessDenied").as_bytes()));
                Ok(String::from_utf8_lossy(&bytes[..count]).into_owned())
            }
            Err(err) => Err(err.to_string()),
        }
    })
}

#[test]
fn a_private_certificate_authority_is_believed_when_aws_ca_bundle_names_it() {
    for version in [&rustls::version::TLS12, &rustls::version::TLS13] {
        let server = tls_server(version);
        let place = configured(&format!("https://{}", server.address), "");
        {
            let _running = Running::start(&place, &[("AWS_CA_BUNDLE", &fixture("ca.pem"))]);
            let head = server.next().unwrap();
            assert!(head.contains("/acme-prismic/"), "{head}");
        }
        // Without it nobody believes this server.
        let server = tls_server(version);
        let place = configured(&format!("https://{}", server.address), "");
        let _running = Running::start(&place, &[]);
        server.next().unwrap_err();
    }
}

#[test]
fn a_certificate_bundle_that_is_no_good_is_named() {
    let place = configured("https://127.0.0.1:9", "");
    place.write("empty.pem", "no certificate\n");
    for (file, why) in
        [("empty.pem", "holds no certificate that can be used"), ("missing.pem", "cannot be read")]
    {
        let mut command = place.command(&["list"]);
        command.envs([
            ("AWS_ACCESS_KEY_ID", "AKIDENV"),
            ("AWS_SECRET_ACCESS_KEY", "hunter2"),
            ("AWS_CA_BUNDLE", file),
        ]);
        let run = Run::from(command.output().unwrap());
        assert_eq!(run.code, 1, "{run:?}");
        for part in ["AWS_CA_BUNDLE", file, why] {
            assert!(run.stderr.contains(part), "{part}: {run:?}");
        }
    }
}
