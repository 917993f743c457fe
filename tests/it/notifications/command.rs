//! The program itself: jobs that fail, and what leaves the machine then.

use serde_json::Value;

use super::receivers::{Answer, WebReceiver};
use crate::backups::{Source, first_try, small, words};
use crate::workplace::{Run, Workplace};

/// A place with a vault, a job, and receivers for its messages and pings.
struct Place {
    place: Workplace,
    chat: WebReceiver,
    ping: WebReceiver,
    config: String,
    _source: Source,
}

impl Place {
    async fn new() -> Self {
        let (source, place) = (small(), Workplace::new());
        place.expect(0, &words(&first_try(&source)));
        let (chat, ping) = (WebReceiver::good().await, WebReceiver::good().await);
        place.write("chat", &chat.url("/hunter2"));
        place.write("ping", &ping.url("/p"));
        let config = format!(
            "{}\n[notifications.chat]\nkind = \"webhook\"\nurl = {{ file = \"chat\" }}\n\
             [notifications.hc]\nkind = \"ping\"\nurl = {{ file = \"ping\" }}\n\
             [notifications.hook]\nkind = \"command\"\nfinally = [\"sh\", \"-c\", 'echo $PRISMVAULT_EXIT_CODE >> codes']\n",
            place.read("prismvault.toml")
        );
        std::fs::create_dir(place.file("schedules")).unwrap();
        place.write(
            "schedules/nightly.toml",
            "job = \"snapshot\"\nrepositories = [\"*\"]\ncron = \"@daily\"\n\
             [notify]\non_failure = [\"chat\"]\nping = [\"hc\"]\nhooks = [\"hook\"]\n",
        );
        place.write("prismvault.toml", &config);
        Self { place, chat, ping, config, _source: source }
    }

    /// Lets Prismic be this server.
    fn ask(&self, server: &WebReceiver) {
        let line = |line: &str| match line.starts_with("content_api") {
            true => format!("content_api = \"{}\"\n", server.url("/api/v2")),
            false => format!("{line}\n"),
        };
        self.place.write("prismvault.toml", &self.config.lines().map(line).collect::<String>());
    }

    fn run(&self, code: i32) -> (Run, Vec<Value>, Vec<String>) {
        let run = self.place.expect(code, &["jobs", "run", "nightly"]);
        let said = self.chat.take().iter().map(super::receivers::Request::json).collect();
        (run, said, self.ping.take().into_iter().map(|request| request.path).collect())
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_job_that_fails_is_told_in_our_own_words_whatever_was_answered() {
    let place = Place::new().await;
    assert_eq!(place.run(0).1, [Value::Null; 0]);
    assert_eq!(place.place.read("codes"), "0\n");
    // Its answers quote a document, as proxies and error pages do.
    let prismic = WebReceiver::answering(|_| Answer::Status(400, String::new())).await;
    place.ask(&prismic);
    let (run, said, pinged) = place.run(1);
    assert!(!prismic.take().is_empty(), "it was asked");
    assert!(run.stderr.contains("error"), "{run:?}");
    assert_eq!(pinged, ["/p/start", "/p/fail"]);
    let [message] = said.as_slice() else { panic!("one message: {said:?}") };
    assert!(
        !message.to_string().contains("document-body") && !message.to_string().contains("127.0.0.1"),
        "{message}"
    );
    let notice = &message["notices"][0];
    assert_eq!(notice["what"], "job nightly (snapshot of *) failed, exit code 1");
    assert_eq!((&notice["job"], &notice["change"]), (&"nightly".into(), &"began".into()));
    assert_eq!(notice["next"], "prismvault jobs run nightly");
    // Another process, the same state: nothing but the ping.
    let (_, said, pinged) = place.run(1);
    assert_eq!((said.len(), pinged.len()), (0, 2));
    place.place.write("prismvault.toml", &place.config);
    let (_, said, pinged) = place.run(0);
    assert_eq!(said[0]["notices"][0]["change"], "ended");
    assert_eq!(pinged, ["/p/start", "/p"]);
    assert_eq!(place.place.read("codes"), "0\n1\n1\n0\n");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_vault_that_is_away_is_told_as_well() {
    let place = Place::new().await;
    std::fs::rename(place.place.file("vault"), place.place.file("away")).unwrap();
    let run = place.place.run(&["jobs", "run", "nightly"]);
    assert_ne!(run.code, 0);
    assert_eq!(place.chat.take().len(), 1);
    assert_eq!(place.ping.take().into_iter().map(|request| request.path).collect::<Vec<_>>(), ["/p/fail"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn that_nobody_could_be_told_is_a_warning_and_the_run_stands() {
    let place = Place::new().await;
    place.place.write("ping", "http://127.0.0.1:1/hunter2");
    let (run, _, _) = place.run(0);
    assert!(run.stderr.contains("notification hc: the receiver cannot be reached"), "{run:?}");
    assert!(!run.stderr.contains("hunter2"), "{run:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_hook_that_aborts_keeps_the_run_from_beginning() {
    let place = Place::new().await;
    let config = place.config.replace("finally =", "before = [\"false\"]\non_error = \"abort\"\nfinally =");
    place.place.write("prismvault.toml", &config);
    let before = place.place.expect(0, &["list", "--json"]).json()["snapshots"].as_array().unwrap().len();
    let (run, said, _) = place.run(5);
    assert!(run.stderr.contains("the hook \"hook\" failed"), "{run:?}");
    assert!(said[0]["notices"][0]["what"].as_str().unwrap().contains("was not begun, because a hook failed"));
    let after = place.place.expect(0, &["list", "--json"]).json()["snapshots"].as_array().unwrap().len();
    assert_eq!(before, after);
    assert_eq!(place.place.read("codes"), "5\n");
}
