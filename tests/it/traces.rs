//! Traces: what an OpenTelemetry collector gets, and what it never gets.

use crate::backups::{first_try, small, words};
use crate::workplace::{Run, Workplace};

/// Runs the program with variables of OpenTelemetry.
fn run(place: &Workplace, variables: &[(&str, &str)], arguments: &[&str]) -> Run {
    let mut command = place.command(arguments);
    command.envs(variables.iter().copied());
    Run::from(command.output().unwrap())
}

#[cfg(not(feature = "otel"))]
#[tokio::test(flavor = "multi_thread")]
async fn without_the_feature_one_warning_says_that_nothing_is_exported() {
    let (source, place) = (small(), Workplace::new());
    place.expect(0, &words(&first_try(&source)));
    let endpoint = ("OTEL_EXPORTER_OTLP_ENDPOINT", "http://127.0.0.1:4318");
    let said = run(&place, &[endpoint], &["list"]);
    assert_eq!(said.code, 0, "{said:?}");
    assert_eq!(said.stderr.matches("built without the feature otel").count(), 1, "{said:?}");
    for silent in [("OTEL_SDK_DISABLED", "true"), ("OTEL_TRACES_EXPORTER", "none")] {
        let said = run(&place, &[endpoint, silent], &["list"]);
        assert!(!said.stderr.contains("otel"), "{said:?}");
    }
    let said = run(&place, &[("OTEL_EXPORTER_OTLP_ENDPOINT", "")], &["list"]);
    assert!(!said.stderr.contains("otel"), "an empty variable is an unset one: {said:?}");
}

#[cfg(feature = "otel")]
mod exported {
    use std::collections::BTreeMap;
    use std::io::{BufReader, Write as _};
    use std::net::TcpListener;
    use std::sync::{Arc, Mutex};

    use super::*;
    use crate::backups::ACCESS_TOKEN;

    /// A collector: takes what is posted to it.
    struct Collector {
        endpoint: String,
        requests: Arc<Mutex<Vec<(String, Vec<u8>)>>>,
    }

    impl Collector {
        fn start() -> Self {
            let listener = TcpListener::bind("127.0.0.1:0").unwrap();
            let endpoint = format!("http://{}", listener.local_addr().unwrap());
            let requests: Arc<Mutex<Vec<(String, Vec<u8>)>>> = Arc::default();
            let taken = Arc::clone(&requests);
            std::thread::spawn(move || {
                for stream in listener.incoming().map_while(Result::ok) {
                    let mut stream = BufReader::new(stream);
                    while let Some(request) = read(&mut stream) {
                        taken.lock().unwrap().push(request);
                        let answer = b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n";
                        if stream.get_mut().write_all(answer).is_err() {
                            break;
                        }
                    }
                }
            });
            Self { endpoint, requests }
        }

        fn requests(&self) -> Vec<(String, Vec<u8>)> {
            self.requests.lock().unwrap().clone()
        }

        /// All spans so far, and all texts beside them.
        fn spans(&self) -> Vec<Span> {
            self.requests().iter().flat_map(|(_, body)| spans(body)).collect()
        }
    }

    /// Reads a request: its head in lower case, and its body.
    fn read(stream: &mut impl std::io::BufRead) -> Option<(String, Vec<u8>)> {
        let mut head = String::new();
        while !head.ends_with("\r\n\r\n") {
            if stream.read_line(&mut head).ok()? == 0 {
                return None;
            }
        }
        let head = head.to_ascii_lowercase();
        let length = head.lines().find_map(|line| line.strip_prefix("content-length: "))?.parse().unwrap();
        let mut body = vec![0; length];
        stream.read_exact(&mut body).unwrap();
        Some((head, body))
    }

    #[derive(Debug)]
    struct Span {
        trace: Vec<u8>,
        id: Vec<u8>,
        parent: Vec<u8>,
        name: String,
        attributes: BTreeMap<String, String>,
        is_error: bool,
    }

    /// Reads a number of protobuf.
    fn varint(bytes: &mut &[u8]) -> u64 {
        let mut value = 0;
        for shift in (0..64).step_by(7) {
            let byte = bytes[0];
            *bytes = &bytes[1..];
            value |= u64::from(byte & 0x7f) << shift;
            if byte < 0x80 {
                break;
            }
        }
        value
    }

    /// The fields of a message: numbers as numbers, all else as bytes.
    fn fields(mut bytes: &[u8]) -> Vec<(u64, u64, &[u8])> {
        let mut found = Vec::new();
        while !bytes.is_empty() {
            let key = varint(&mut bytes);
            let (number, part): (u64, &[u8]) = match key & 7 {
                0 => (varint(&mut bytes), &[]),
                1 => (0, &bytes[..8]),
                5 => (0, &bytes[..4]),
                _ => {
                    let length = varint(&mut bytes) as usize;
                    (0, &bytes[..length])
                }
            };
            bytes = &bytes[part.len()..];
            found.push((key >> 3, number, part));
        }
        found
    }

    fn parts(bytes: &[u8], field: u64) -> Vec<&[u8]> {
        fields(bytes).into_iter().filter(|(key, ..)| *key == field).map(|(.., part)| part).collect()
    }

    fn text(bytes: &[u8]) -> String {
        String::from_utf8(bytes.to_vec()).unwrap()
    }

    /// Key and value, the value as text.
    fn attribute(bytes: &[u8]) -> (String, String) {
        let value = parts(bytes, 2)[0];
        let (kind, number, part) = fields(value)[0];
        let value = if kind == 1 { text(part) } else { number.to_string() };
        (text(parts(bytes, 1)[0]), value)
    }

    /// The spans of an `ExportTraceServiceRequest`, with the attributes of their resource.
    fn spans(body: &[u8]) -> Vec<Span> {
        let mut found = Vec::new();
        for of_resource in parts(body, 1) {
            let resource: Vec<_> =
                parts(of_resource, 1).iter().flat_map(|resource| parts(resource, 1)).map(attribute).collect();
            for span in parts(of_resource, 2).into_iter().flat_map(|of_scope| parts(of_scope, 2)) {
                let bytes = |field| parts(span, field).first().copied().unwrap_or_default().to_vec();
                assert!(parts(span, 11).is_empty(), "events of the log are no part of it");
                found.push(Span {
                    trace: bytes(1),
                    id: bytes(2),
                    parent: bytes(4),
                    name: text(&bytes(5)),
                    attributes: parts(span, 9).into_iter().map(attribute).chain(resource.clone()).collect(),
                    is_error: parts(span, 15)
                        .iter()
                        .flat_map(|status| fields(status))
                        .any(|(key, code, _)| (key, code) == (3, 2)),
                });
            }
        }
        found
    }

    fn named<'a>(spans: &'a [Span], name: &str) -> &'a Span {
        spans.iter().find(|span| span.name == name).unwrap_or_else(|| panic!("no {name} in {spans:#?}"))
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn a_snapshot_is_a_tree_of_spans_that_hold_names_and_numbers_alone() {
        let (source, place) = (small(), Workplace::new());
        place.expect(0, &words(&first_try(&source)));
        source.repository.edit(0.5, 3).unwrap();
        let collector = Collector::start();
        let done = run(
            &place,
            &[
                ("OTEL_EXPORTER_OTLP_ENDPOINT", collector.endpoint.as_str()),
                ("OTEL_EXPORTER_OTLP_HEADERS", "x-tenant=a-secret-of-the-collector"),
            ],
            &["snapshot", "-v"],
        );
        assert_eq!(done.code, 0, "{done:?}");
        assert!(!done.stderr.contains("a-secret-of-the-collector"), "{done:?}");
        let requests = collector.requests();
        let (head, _) = requests.first().expect("spans arrive before the program ends");
        for expected in ["post /v1/traces ", "content-type: application/x-protobuf", "x-tenant: a-secret"] {
            assert!(head.contains(expected), "{expected}: {head}");
        }
        let spans = collector.spans();
        let (command, snapshot) = (named(&spans, "command"), named(&spans, "snapshot"));
        let shown = place.expect(0, &["show", "latest", "--json"]).json();
        assert_eq!(command.attributes["run"], shown["manifest"]["run"].as_str().unwrap());
        assert_eq!((&*command.attributes["command"], &*command.attributes["result"]), ("snapshot", "0"));
        assert_eq!(command.attributes["service.name"], "prismvault");
        assert!(command.parent.is_empty() && !command.is_error);
        assert_eq!((&snapshot.parent, &*snapshot.attributes["repository"]), (&command.id, "acme-blog"));
        assert_eq!(named(&spans, "commit").parent, snapshot.id);
        let puts: Vec<&Span> = spans.iter().filter(|span| span.name == "put").collect();
        let ids: Vec<&Vec<u8>> = spans.iter().map(|span| &span.id).collect();
        assert!((3..40).contains(&puts.len()), "packs, index and manifest, not items: {}", puts.len());
        for put in puts {
            assert_eq!(put.attributes["replica"], "local");
            assert!(put.attributes["bytes"].parse::<u64>().unwrap() > 0);
            assert!(ids.contains(&&put.parent) && put.trace == command.trace, "{put:?}");
        }
        let allowed = ["command", "run", "result", "repository", "replica", "bytes", "service.name"];
        for span in &spans {
            for (key, value) in &span.attributes {
                let known = allowed.contains(&key.as_str())
                    || key == "service.version"
                    || key.starts_with("telemetry.sdk.");
                assert!(known, "{key} = {value} in {}", span.name);
                for never in [ACCESS_TOKEN, "http", "?", "/"] {
                    assert!(!value.contains(never), "{key} = {value} in {}", span.name);
                }
            }
        }
    }

    #[cfg(unix)]
    #[tokio::test(flavor = "multi_thread")]
    async fn each_run_of_a_job_is_a_trace_and_one_that_failed_says_so() {
        use crate::cli_run::{Live, SECONDLY, place_with};
        let source = small();
        let place = place_with(&source, &[("often", SECONDLY)]);
        let collector = Collector::start();
        let mut command = place.command(&["run", "--json"]);
        command
            .env("OTEL_EXPORTER_OTLP_ENDPOINT", &collector.endpoint)
            .env("OTEL_SERVICE_NAME", "vault-of-acme");
        let live = Live::from(command);
        let ended = live.expect("ended", Some("often"));
        // Without its vault the next one fails.
        std::fs::rename(place.file("vault"), place.file("elsewhere")).unwrap();
        let failed = loop {
            let ended = live.expect("ended", Some("often"));
            if ended["result"] != 0 {
                break ended;
            }
        };
        assert_eq!(live.end().code, 0);
        let spans = collector.spans();
        let of = |event: &serde_json::Value| {
            let run = event["run"].as_str().unwrap();
            let found = spans.iter().find(|span| span.name == "run" && span.attributes["run"] == run);
            found.unwrap_or_else(|| panic!("no {run} in {spans:#?}"))
        };
        let (good, bad) = (of(&ended), of(&failed));
        assert_eq!(good.attributes["job"], "often");
        assert_eq!(good.attributes["service.name"], "vault-of-acme");
        assert_eq!((&*good.attributes["result"], good.is_error), ("0", false));
        assert!(bad.is_error && bad.attributes["result"] != "0" && bad.trace != good.trace, "{bad:?}");
        assert!(spans.iter().any(|span| span.name == "snapshot" && span.parent == good.id), "{spans:#?}");
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn nothing_is_sent_unless_asked_for_and_no_backup_depends_on_it() {
        let (source, place) = (small(), Workplace::new());
        place.expect(0, &words(&first_try(&source)));
        let collector = Collector::start();
        let endpoint = ("OTEL_EXPORTER_OTLP_ENDPOINT", collector.endpoint.as_str());
        for silent in [
            ("OTEL_SDK_DISABLED", "true"),
            ("OTEL_TRACES_EXPORTER", "none"),
            ("OTEL_TRACES_SAMPLER", "always_off"),
        ] {
            assert_eq!(run(&place, &[endpoint, silent], &["snapshot"]).code, 0);
        }
        assert!(collector.spans().is_empty());
        // Nobody is there; it is said, and without the address, which may hold a token.
        let away = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
        let away = format!("http://{away}/a-token");
        let done = run(&place, &[("OTEL_EXPORTER_OTLP_ENDPOINT", away.as_str())], &["snapshot"]);
        assert_eq!(done.code, 0, "{done:?}");
        assert!(done.stderr.contains("export") && !done.stderr.contains("a-token"), "{done:?}");
        for wrong in ["a-token", "ftp://a-token"] {
            let done = run(&place, &[("OTEL_EXPORTER_OTLP_ENDPOINT", wrong)], &["snapshot"]);
            assert_eq!(done.code, 0, "{done:?}");
            assert!(
                done.stderr.contains("no traces are exported") && !done.stderr.contains("a-token"),
                "{done:?}"
            );
        }
        let done = run(&place, &[endpoint, ("OTEL_EXPORTER_OTLP_PROTOCOL", "grpc")], &["snapshot"]);
        assert!(done.stderr.contains("http/protobuf") && done.code == 0, "{done:?}");
        assert!(!collector.spans().is_empty(), "they are sent all the same");
    }
}
