//! The program as scripts and people meet it: exit codes, standard output, standard error.

use std::path::Path;
use std::process::Command;

use crate::workplace::{Run, Workplace};

const CONFIG: &str = "[repositories.blog]\nrepository = 'acme-blog'\naccess_token = { env = 'BLOG_TOKEN' }\n\
                      [[replicas]]\nname = 'office'\nurl = 'file:///var/backups'\n";

#[test]
fn version_and_help_go_to_standard_output() {
    let workplace = Workplace::new();
    let version = workplace.run(&["--version"]);
    assert_eq!((version.code, version.stderr.as_str()), (0, ""));
    assert_eq!(version.stdout, format!("prismvault {}\n", env!("CARGO_PKG_VERSION")));
    let help = workplace.run(&["--help"]);
    assert_eq!((help.code, help.stderr.as_str()), (0, ""));
    for word in ["completions", "manual", "--config", "--json", "--no-cache", "130 interrupted"] {
        assert!(help.stdout.contains(word), "{word}");
    }
    assert!(!help.stdout.contains('\u{1b}'), "no colour in a pipe");
}

#[test]
fn wrong_usage_is_exit_code_2() {
    let workplace = Workplace::new();
    for arguments in [
        &[][..],
        &["configg"],
        &["config", "--no-such-option"],
        &["config", "-q", "-v"],
        &["completions", "tcsh"],
        &["--log-format", "xml", "config"],
    ] {
        let run = workplace.run(arguments);
        assert_eq!((run.code, run.stdout.as_str()), (2, ""), "{arguments:?}");
        assert!(!run.stderr.is_empty(), "{arguments:?}");
    }
    let run = workplace.run(&["configg"]);
    assert!(run.stderr.starts_with("error: unrecognized subcommand 'configg'"), "{}", run.stderr);
}

#[test]
fn wrong_usage_is_a_json_error_with_json() {
    let run = Workplace::new().run(&["configg", "--json"]);
    assert_eq!((run.code, run.stderr.as_str()), (2, ""));
    let json = run.json();
    assert_eq!(json["schema"], 1);
    assert_eq!(json["error"]["kind"], "usage");
    assert_eq!(json["error"]["exit_code"], 2);
    assert_eq!(json["error"]["message"], "unrecognized subcommand 'configg'");
    assert_eq!(json["error"]["hints"][0], "a similar subcommand exists: 'config'");
}

#[test]
fn an_unknown_key_of_the_configuration_is_exit_code_2() {
    let workplace = Workplace::new();
    workplace.write("prismvault.toml", "[vault]\nmin_copys = 2\n");
    let run = workplace.run(&["config"]);
    assert_eq!((run.code, run.stdout.as_str()), (2, ""));
    let expected = "error: prismvault.toml:2: vault.min_copys: unknown key, did you mean \"min_copies\"? (known \
                    here: id, root, min_copies)\n";
    assert_eq!(run.stderr, expected);

    let run = workplace.run(&["--json", "config"]);
    assert_eq!((run.code, run.stderr.as_str()), (2, ""));
    assert_eq!(run.json()["error"]["kind"], "configuration");
}

#[test]
fn a_missing_configuration_is_told_with_the_next_step() {
    let workplace = Workplace::new();
    let run = workplace.run(&["config"]);
    assert_eq!(run.code, 2);
    let expected = "error: prismvault.toml: no such file\nhint: make one with `prismvault init`, or name one with \
                    --config FILE\n";
    assert_eq!(run.stderr, expected);
}

#[test]
fn the_option_wins_over_the_environment_over_the_directory() {
    let workplace = Workplace::new();
    for name in ["option.toml", "environment.toml", "prismvault.toml"] {
        workplace.write(name, CONFIG);
    }
    let file = |arguments: &[&str], variable: Option<&str>| {
        let mut command = workplace.command(arguments);
        command.envs(variable.map(|value| ("PRISMVAULT_CONFIG", value)));
        let run = Run::from(command.output().unwrap());
        assert_eq!(run.code, 0, "{run:?}");
        run.json()["file"].as_str().unwrap().to_owned()
    };
    let option = &["config", "--json", "--config", "option.toml"][..];
    let plain = &["config", "--json"][..];
    assert_eq!(file(option, Some("environment.toml")), "option.toml");
    assert_eq!(file(plain, Some("environment.toml")), "environment.toml");
    assert_eq!(file(plain, Some("")), "prismvault.toml");
    assert_eq!(file(plain, None), "prismvault.toml");
}

#[test]
fn the_configuration_is_shown_without_secrets() {
    let workplace = Workplace::new();
    workplace.write("prismvault.toml", CONFIG);
    let mut command = workplace.command(&["config"]);
    let run = Run::from(command.env("BLOG_TOKEN", "hunter2").output().unwrap());
    assert_eq!((run.code, run.stderr.as_str()), (0, ""), "{run:?}");
    assert!(run.stdout.contains("environment variable BLOG_TOKEN"), "{}", run.stdout);
    assert!(run.stdout.contains("prismvault.toml:1"), "{}", run.stdout);
    assert!(!run.stdout.contains("hunter2"), "{}", run.stdout);

    let json = workplace.run(&["config", "--json", "blog"]).json();
    assert_eq!((&json["schema"], &json["vault"]["min_copies"]), (&1.into(), &1.into()));
    assert_eq!(json["repositories"][0]["space"], "blog");
    assert_eq!(json["replicas"][0]["url"], "file:///var/backups");

    let unknown = workplace.run(&["config", "blok"]);
    assert_eq!(unknown.code, 2);
    assert!(unknown.stderr.contains("did you mean \"blog\"?"), "{}", unknown.stderr);
}

#[test]
fn completions_are_made_for_every_shell() {
    let workplace = Workplace::new();
    for (shell, mark) in [
        ("bash", "complete -F _prismvault"),
        ("zsh", "#compdef prismvault"),
        ("fish", "complete -c prismvault"),
        ("powershell", "Register-ArgumentCompleter"),
        ("elvish", "edit:completion:arg-completer[prismvault]"),
    ] {
        let run = workplace.run(&["completions", shell]);
        assert_eq!((run.code, run.stderr.as_str()), (0, ""), "{shell}");
        assert!(run.stdout.contains(mark), "{shell}");
        let json = workplace.run(&["completions", shell, "--json"]).json();
        assert_eq!((json["shell"].as_str(), json["script"].as_str()), (Some(shell), Some(&*run.stdout)));
    }
}

#[test]
fn the_manual_has_a_page_a_command() {
    let workplace = Workplace::new();
    let run = workplace.run(&["manual", "man/man1", "--json"]);
    assert_eq!((run.code, run.stderr.as_str()), (0, ""), "{run:?}");
    let json = run.json();
    let pages: Vec<_> = json["pages"].as_array().unwrap().iter().map(|page| page.as_str().unwrap()).collect();
    let directory = workplace.path().join("man/man1");
    for page in ["prismvault.1", "prismvault-config.1", "prismvault-completions.1", "prismvault-manual.1"] {
        assert!(pages.contains(&page), "{pages:?}");
    }
    assert_eq!(std::fs::read_dir(&directory).unwrap().count(), pages.len());
    let text = std::fs::read_to_string(directory.join("prismvault-manual.1")).unwrap();
    assert!(text.contains(".TH prismvault-manual 1"), "{text}");
    assert_eq!(workplace.run(&["manual", "man/man1"]).code, 0, "again, over the pages of before");
}

#[test]
fn a_manual_that_cannot_be_written_is_a_failure() {
    let workplace = Workplace::new();
    workplace.write("file", "");
    let run = workplace.run(&["manual", "file/man"]);
    assert_eq!((run.code, run.stdout.as_str()), (1, ""));
    assert!(run.stderr.starts_with("error: cannot write manual pages to file/man\n  1: "), "{}", run.stderr);
}

#[cfg(target_os = "linux")]
#[test]
fn output_to_a_full_disk_is_a_failure() {
    let workplace = Workplace::new();
    let full = std::fs::File::options().write(true).open("/dev/full").unwrap();
    let run = Run::from(workplace.command(&["completions", "bash"]).stdout(full).output().unwrap());
    assert_eq!(run.code, 1);
    assert!(run.stderr.starts_with("error: cannot write to standard output\n  1: "), "{}", run.stderr);
}

#[cfg(unix)]
#[test]
fn a_reader_that_went_away_is_no_failure() {
    let workplace = Workplace::new();
    let (reader, writer) = std::io::pipe().unwrap();
    drop(reader);
    for arguments in [&["completions", "bash"][..], &["--help"]] {
        let writer = writer.try_clone().unwrap();
        let run = Run::from(workplace.command(arguments).stdout(writer).output().unwrap());
        assert_eq!((run.code, run.stderr.as_str()), (0, ""), "{arguments:?}");
    }
}

#[test]
fn a_filter_of_logs_that_is_none_is_refused() {
    let workplace = Workplace::new();
    let mut command = workplace.command(&["completions", "bash"]);
    let run = Run::from(command.env("RUST_LOG", "prismvault=loud").output().unwrap());
    assert_eq!((run.code, run.stdout.as_str()), (2, ""));
    assert!(run.stderr.starts_with("error: RUST_LOG is not a filter of logs\n"), "{}", run.stderr);
}

#[cfg(unix)]
#[test]
fn the_working_directory_is_left_as_it_was() {
    let workplace = Workplace::new();
    workplace.write("prismvault.toml", CONFIG);
    assert_eq!(workplace.run(&["config"]).code, 0);
    let count = |path: &Path| std::fs::read_dir(path).unwrap().count();
    assert_eq!((count(&workplace.path()), count(&workplace.home())), (1, 0));
}

#[cfg(unix)]
#[test]
fn the_second_signal_ends_a_command_that_is_stuck() {
    use std::io::{BufRead as _, BufReader};
    let workplace = Workplace::new();
    // Reading a pipe that nobody writes to is as stuck as a dead network mount.
    let pipe = workplace.path().join("pipe.toml");
    assert!(Command::new("mkfifo").arg(&pipe).status().unwrap().success());
    let mut command = workplace.command(&["config", "--config", "pipe.toml"]);
    let mut child = command.stderr(std::process::Stdio::piped()).spawn().unwrap();
    let process = child.id();
    let signal = |name: &str| {
        // The shell has one built in; a program of that name is not everywhere.
        let sent = Command::new("sh").args(["-c", &format!("kill {name} {process}")]).status();
        assert!(sent.unwrap().success());
    };
    // Opens when the program has opened it too; by then it listens for signals.
    let writer = std::fs::File::options().write(true).open(&pipe).unwrap();
    signal("-INT");
    let mut said = String::new();
    BufReader::new(child.stderr.take().unwrap()).read_line(&mut said).unwrap();
    assert_eq!(said, "stopping cleanly, once more stops at once\n");
    signal("-TERM");
    assert_eq!(child.wait().unwrap().code(), Some(130));
    drop(writer);
}
