//! The built binary from outside: exit codes, what goes where, and that no password comes out.

use std::fs::{self, File, Permissions};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

const CANARY: &str = "canary-7f3a";

const GOOD: &str = "[device]\nname = \"van-12\"\n[[camera]]\nid = \"entrance\"\nurl = \"rtsp://192.0.2.10/main\"\n\
                    [[volume]]\npath = \"/media/holdfast\"\n";

/// A directory with a configuration.
struct Place(tempfile::TempDir);

impl Place {
    fn new(configuration: &str) -> Self {
        let directory = tempfile::tempdir().expect("a directory");
        fs::write(directory.path().join("holdfast.toml"), configuration).expect("written");
        Place(directory)
    }
    fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }
    /// Writes a file that only its owner can read.
    fn with_private(self, name: &str, text: &str) -> Self {
        fs::write(self.path(name), text).expect("written");
        fs::set_permissions(self.path(name), Permissions::from_mode(0o600)).expect("permitted");
        self
    }
    fn holdfast(&self, args: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_holdfast"));
        command.args(args).current_dir(self.0.path());
        for variable in ["CREDENTIALS_DIRECTORY", "JOURNAL_STREAM", "HOLDFAST_LOG", "NO_COLOR"] {
            command.env_remove(variable);
        }
        command
    }
    fn run(&self, args: &[&str]) -> Output {
        self.holdfast(args).output().expect("the binary starts")
    }
}

fn text(bytes: &[u8]) -> &str {
    std::str::from_utf8(bytes).expect("it prints UTF-8")
}

#[test]
fn exit_codes() {
    let place = Place::new(GOOD);
    fs::write(place.path("warned.toml"), GOOD.replace("rtsp://", "rtsp://viewer:x@")).expect("written");
    fs::write(place.path("wrong.toml"), GOOD.replace("rtsp://", "http://")).expect("written");
    let cases: [(&str, &[&str], i32); 15] = [
        ("a good configuration", &["check", "holdfast.toml"], 0),
        ("a good configuration, for programs", &["check", "holdfast.toml", "--json"], 0),
        ("warnings alone", &["check", "warned.toml"], 0),
        ("an error", &["check", "wrong.toml"], 2),
        ("an error, for programs", &["check", "wrong.toml", "--json"], 2),
        ("a configuration that is not there", &["check", "absent.toml"], 2),
        ("recording with an error", &["run", "--config", "wrong.toml"], 2),
        ("recording without a configuration", &["run", "--config", "absent.toml"], 2),
        ("help", &["--help"], 0),
        ("version", &["--version"], 0),
        ("nothing at all", &[], 2),
        ("an unknown command", &["replay"], 2),
        ("an unknown view", &["run", "--view", "vr"], 2),
        ("a camera that cannot exist", &["coverage", "/nonexistent", "--camera", "A b"], 2),
        ("an end before its beginning", &["coverage", "/nonexistent", "--since", "1m", "--until", "2m"], 2),
    ];
    for (name, args, code) in cases {
        let output = place.run(args);
        assert_eq!(output.status.code(), Some(code), "{name}: {}", text(&output.stderr));
    }
}

#[test]
fn check_prints_every_problem_on_standard_output() {
    let place = Place::new(
        "[device]\nname = \"Van\"\n[[camera]]\nid = \"a\"\nurl = \"rtsp://192.0.2.1/\"\naudoi = true\n[storage]\ndisks = false\n",
    );
    let output = place.run(&["check", "holdfast.toml"]);
    let expected = "\
holdfast.toml: error: there is no [[volume]], and disks are not looked for: nothing could be kept
  hint: add [[volume]] with path = \"/media/holdfast\", or let disks be found: [storage] disks = true

holdfast.toml:2:8: error: [device]: name holds 'V', which is not allowed there
    2 | name = \"Van\"
      |        ^
  allowed: 1 to 32 of a-z, 0-9, - and _, the first a letter or digit
  hint: name = \"van\"

holdfast.toml:6:1: error: camera \"a\": there is no key \"audoi\"
    6 | audoi = ***
      | ^
  allowed: id, url, credentials, fallback, transport, audio, keep
  hint: did you mean \"audio\"?

holdfast.toml: 3 errors
";
    assert_eq!(text(&output.stdout), expected);
    assert_eq!(text(&output.stderr), "");

    let output = Place::new(GOOD).run(&["check", "holdfast.toml"]);
    assert_eq!(text(&output.stdout), "holdfast.toml: fine: 1 camera, 1 volume\n");
}

#[test]
fn check_prints_json_for_programs() {
    let place = Place::new(&GOOD.replace("rtsp://", "http://"));
    let output = place.run(&["check", "holdfast.toml", "--json"]);
    let report: serde_json::Value = serde_json::from_slice(&output.stdout).expect("JSON");
    let expected = serde_json::json!({
        "file": "holdfast.toml",
        "errors": 1,
        "warnings": 0,
        "problems": [{
            "severity": "error",
            "file": "holdfast.toml",
            "line": 5,
            "column": 7,
            "what": "camera \"entrance\": url begins with http://, which is not recorded",
            "allowed": "rtsp://HOST[:PORT]/PATH or rtsps://HOST[:PORT]/PATH",
            "hint": null,
        }],
    });
    assert_eq!(report, expected);
}

#[test]
fn run_refuses_a_configuration_with_errors_on_standard_error() {
    let output = Place::new(&GOOD.replace("rtsp://", "http://")).run(&["run", "-c", "holdfast.toml"]);
    assert_eq!(text(&output.stdout), "");
    let told = text(&output.stderr);
    assert!(
        told.starts_with("holdfast.toml:5:7: error: camera \"entrance\": url begins with http://"),
        "{told}"
    );
    assert!(told.ends_with("holdfast.toml: 1 error\n"), "{told}");
}

#[test]
fn credentials_come_from_systemd_or_the_secrets_file() {
    let configuration = GOOD.replace("[[volume]]", "credentials = \"entrance\"\n[[volume]]");
    let place = Place::new(&configuration).with_private("entrance", "viewer:from systemd\n");
    assert_eq!(place.run(&["check", "holdfast.toml"]).status.code(), Some(2), "there are none");
    let handed_over =
        place.holdfast(&["check", "holdfast.toml"]).env("CREDENTIALS_DIRECTORY", place.0.path()).output();
    let output = handed_over.expect("the binary starts");
    assert_eq!(output.status.code(), Some(0), "{}", text(&output.stdout));

    let place = Place::new(&(configuration + "[secrets]\nfile = \"secrets.toml\"\n"))
        .with_private("secrets.toml", "[entrance]\nuser = \"viewer\"\npassword = \"from the file\"\n");
    assert_eq!(place.run(&["check", "holdfast.toml"]).status.code(), Some(0));
    fs::set_permissions(place.path("secrets.toml"), Permissions::from_mode(0o644)).expect("permitted");
    let output = place.run(&["check", "holdfast.toml"]);
    assert_eq!(output.status.code(), Some(2));
    assert!(text(&output.stdout).contains("chmod 600 secrets.toml"), "{}", text(&output.stdout));
}

#[test]
fn no_password_comes_out_of_any_command() {
    // The last camera's scheme is wrong, so that `run` tells every problem and ends.
    let configuration = format!(
        "{GOOD}[[camera]]\nid = \"yard\"\nurl = \"rtsp://viewer:{CANARY}@192.0.2.11/?pwd={CANARY}\"\n\
         password = \"{CANARY}\"\n[[camera]]\nid = \"gate\"\ncredentials = \"gate\"\n\
         url = \"rtsp://192.0.2.12/{CANARY}@x\"\n[secrets]\nfile = \"secrets.toml\"\n"
    );
    let place = Place::new(&configuration)
        .with_private(
            "secrets.toml",
            &format!("[gate]\nuser = \"viewer\"\npassword = \"{CANARY}\ngate = {CANARY}\n"),
        )
        .with_private("gate", CANARY);
    let config = place.path("holdfast.toml");
    let config = config.to_str().expect("a plain path");
    for args in
        [&["check", config][..], &["check", "--json", config], &["run", "--view", "lines", "-c", config]]
    {
        for credentials in [None, Some(place.0.path())] {
            let mut command = place.holdfast(args);
            command.env("HOLDFAST_LOG", "debug");
            if let Some(directory) = credentials {
                command.env("CREDENTIALS_DIRECTORY", directory);
            }
            let output = command.output().expect("the binary starts");
            let shown = format!("{}{}", text(&output.stdout), text(&output.stderr));
            assert_eq!(output.status.code(), Some(2), "{args:?}: {shown}");
            assert!(shown.contains("yard"), "{args:?}: it says what is wrong: {shown}");
            assert!(!shown.contains(CANARY), "{args:?}: {shown}");
        }
    }
}

#[test]
fn a_reader_that_leaves_early_is_no_failure() {
    let place = Place::new(&GOOD.replace("rtsp://", "http://"));
    for (args, code) in
        [(&["check", "holdfast.toml"][..], 2), (&["--help"], 0), (&["check", "--json", "holdfast.toml"], 2)]
    {
        let (reader, writer) = std::io::pipe().expect("a pipe");
        drop(reader);
        let output = place.holdfast(args).stdout(writer).stderr(Stdio::piped()).output().expect("it starts");
        assert_eq!(output.status.code(), Some(code), "{args:?} keeps its exit code");
        assert_eq!(text(&output.stderr), "", "{args:?} says nothing of it");
    }
}

#[test]
fn a_result_that_cannot_be_written_is_a_failure() {
    let full = File::options().write(true).open("/dev/full").expect("Linux has it");
    let output = Place::new(GOOD)
        .holdfast(&["check", "holdfast.toml"])
        .stdout(full)
        .stderr(Stdio::piped())
        .output()
        .expect("it starts");
    assert_eq!(output.status.code(), Some(1));
    assert_eq!(text(&output.stderr), "holdfast: standard output: No space left on device (os error 28)\n");
}

#[test]
fn nothing_is_coloured_where_there_is_no_terminal() {
    let place = Place::new(&GOOD.replace("rtsp://", "http://"));
    for args in [&["check", "holdfast.toml"][..], &["run", "-c", "holdfast.toml"], &["--help"], &["replay"]] {
        let output = place.run(args);
        let shown = format!("{}{}", text(&output.stdout), text(&output.stderr));
        assert!(!shown.is_empty() && !shown.contains('\u{1b}'), "{args:?}: {shown:?}");
    }
}

#[test]
fn a_relative_credentials_directory_is_not_believed() {
    let configuration = GOOD.replace("[[volume]]", "credentials = \"entrance\"\n[[volume]]");
    let place = Place::new(&configuration).with_private("entrance", "viewer:x");
    let output = place
        .holdfast(&["check", "holdfast.toml"])
        .env("CREDENTIALS_DIRECTORY", Path::new("."))
        .output()
        .expect("it starts");
    assert_eq!(output.status.code(), Some(2), "systemd always gives an absolute one");
}
