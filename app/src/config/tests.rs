//! TOML in, sentences out.

use super::*;
use std::fmt::Write as _;
use std::os::unix::fs::PermissionsExt;

const GOOD: &str = r#"[device]
name = "van-12"
[[camera]]
id = "entrance"
url = "rtsp://192.0.2.10:554/main"
[[volume]]
path = "/media/holdfast"
"#;

/// What every password in these tests is.
const CANARY: &str = "canary-7f3a";

fn check_text(text: &str) -> Checked {
    check("holdfast.toml", text, Path::new("/nonexistent"), None)
}

/// Every problem in one line each, as a log would show it.
fn sentences(checked: &Checked) -> String {
    checked.problems.iter().fold(String::new(), |mut text, problem| {
        let word = if problem.severity == Severity::Error { "error" } else { "warning" };
        let _ = writeln!(text, "{word} {}", problem.one_line().trim_start_matches("holdfast.toml:"));
        text
    })
}

/// The good configuration with a line or a few put in place of another.
fn with(replaced: &str, by: &str) -> String {
    assert!(GOOD.contains(replaced), "the good configuration has no {replaced}");
    GOOD.replacen(replaced, by, 1)
}

#[test]
fn the_good_configuration_is_good() {
    let checked = check_text(GOOD);
    assert_eq!(sentences(&checked), "");
    let config = checked.config.expect("it is good");
    assert_eq!(config.device.as_str(), "van-12");
    assert_eq!(config.cameras[0].url.location(), "rtsp://192.0.2.10:554/main");
    assert!(config.cameras[0].audio && config.cameras[0].credentials.is_none());
    let volume = VolumeConfig { path: "/media/holdfast".into(), kind: PlaceKind::MountPoint };
    assert_eq!(config.volumes, [volume]);
    assert_eq!(config.storage, StorageConfig { disks: false, runtime: "/run/holdfast".into() });
    assert_eq!(config.retention, RetentionConfig::default());
    assert_eq!(config.limits, Limits::default());
}

#[test]
fn one_thing_wrong_at_a_time() {
    let url = "url = \"rtsp://192.0.2.10:554/main\"";
    let url_form = "rtsp://HOST[:PORT]/PATH or rtsps://HOST[:PORT]/PATH";
    let camera_keys = "id, url, credentials, fallback, transport, audio, keep";
    let limit_keys = "segment, fragment, ring, ring_bytes, memory, stall";
    let name_form = "1 to 32 of a-z, 0-9, - and _, the first a letter or digit";
    let duration_form = "a whole number with its unit ms, s, m, h or d, as in \"60s\"";
    let add = |lines: &str| with(url, &format!("{url}\n{lines}"));
    let limit = |line: &str| format!("{GOOD}[limits]\n{line}\n");
    let cases: Vec<(&str, String, String)> = vec![
        ("an unknown key, nearly right", add("trasport = \"tcp\""), format!("error 6:1: camera \"entrance\": there is no key \"trasport\"; allowed: {camera_keys}; hint: did you mean \"transport\"?\n")),
        ("an unknown key, like no other", add("resolution = 4"), format!("error 6:1: camera \"entrance\": there is no key \"resolution\"; allowed: {camera_keys}\n")),
        ("a password beside the URL", add("password = \"x\""), format!("error 6:1: camera \"entrance\": there is no key \"password\"; allowed: {camera_keys}; hint: put user and password into the secrets file, and here credentials = \"NAME\"\n")),
        ("an unknown section", format!("{GOOD}[cleaning]\ndays = 3\n"), "error 8:2: the file: there is no key \"cleaning\"; allowed: device, camera, volume, storage, retention, limits, secrets\n".into()),
        ("a section in the plural", GOOD.replace("[[volume]]", "[[volumes]]"), "error 6:3: the file: there is no key \"volumes\"; allowed: device, camera, volume, storage, retention, limits, secrets; hint: write [[volume]], once for each volume\n".into()),
        ("a camera with a capital", with("\"entrance\"", "\"Front Door\""), format!("error 4:6: camera 1: id holds 'F', which is not allowed there; allowed: {name_form}; hint: id = \"front-door\"\n")),
        ("a camera named as Holdfast's own files", with("\"entrance\"", "\"ledger\""), format!("error 4:6: camera 1: id is a name that Holdfast uses itself; allowed: {name_form}\n")),
        ("a camera without an id", with("id = \"entrance\"\n", ""), "error 3:1: camera 1: id is missing; hint: add id = \"entrance\"\n".into()),
        ("a camera without a URL", with(url, ""), "error 3:1: camera \"entrance\": url is missing; hint: add url = \"rtsp://192.0.2.10:554/main\"\n".into()),
        ("a web address", with("rtsp://", "http://"), format!("error 5:7: camera \"entrance\": url begins with http://, which is not recorded; allowed: {url_form}\n")),
        ("no address at all", with(url, "url = \"\""), format!("error 5:7: camera \"entrance\": url is empty; allowed: {url_form}\n")),
        ("a port that is none", with(":554", ":99999"), format!("error 5:7: camera \"entrance\": url has a port that is not a number from 1 to 65535; allowed: {url_form}; hint: a password with / ? # @ : or % in it belongs in the secrets file, where it needs no escaping\n")),
        ("a password in the URL works, warned", with("rtsp://", "rtsp://viewer:x@"), "warning 5:7: camera \"entrance\": url holds a user or a password; whoever reads this file knows it; hint: move it to the secrets file, and write credentials = \"NAME\"\n".into()),
        ("a password in the query works, warned", with("/main", "/main?pwd=x"), "warning 5:7: camera \"entrance\": url seems to hold a password in its path or query; hint: if the camera also takes it the usual way, use credentials; else chmod 600 this file\n".into()),
        ("a URL that is a number", with(url, "url = 5"), "error 5:7: camera \"entrance\": url is a number; allowed: a text in quotes\n".into()),
        ("credentials that are nowhere", add("credentials = \"entrance\""), "error 6:15: camera \"entrance\": there are no credentials \"entrance\"; hint: name a secrets file: [secrets] file = \"...\"\n".into()),
        ("credentials that are the password itself", add("credentials = \"viewer:x\""), "error 6:15: camera \"entrance\": credentials is not a name; allowed: 1 to 40 of letters, digits, - _ and ., the first no dot; hint: user and password stand in the secrets file, under this name\n".into()),
        ("credentials that climb out of their directory", add("credentials = \"../../x\""), "error 6:15: camera \"entrance\": credentials is not a name; allowed: 1 to 40 of letters, digits, - _ and ., the first no dot; hint: user and password stand in the secrets file, under this name\n".into()),
        ("a fallback", add("fallback = \"rtsp://192.0.2.10/sub\""), String::new()),
        ("a fallback that is none", add("fallback = \"rtsp://192.0.2.10:554/main\""), "error 6:12: camera \"entrance\": fallback is the same as url; allowed: another stream of the camera\n".into()),
        ("a transport that is none", add("transport = \"tpc\""), "error 6:13: camera \"entrance\": transport is none of the words for it; allowed: auto, tcp, udp; hint: did you mean \"tcp\"?\n".into()),
        ("audio in quotes", add("audio = \"yes\""), "error 6:9: camera \"entrance\": audio is a text; allowed: true or false, without quotes\n".into()),
        ("two cameras of one name", add("[[camera]]\nid = \"entrance\"\nurl = \"rtsp://192.0.2.11/\""), "error 7:6: camera \"entrance\": the id is taken by the camera in line 4; hint: give each camera an id of its own\n".into()),
        ("two cameras of one address", add("[[camera]]\nid = \"yard\"\nurl = \"rtsp://192.0.2.10:554/main\""), "warning 8:7: camera \"yard\": records what line 5 records already\n".into()),
        ("two cameras of one address in two spellings", add("[[camera]]\nid = \"yard\"\nurl = \"RTSP://192.0.2.10/main/\""), "warning 8:7: camera \"yard\": records what line 5 records already\n".into()),
        ("three cameras of one address", add("[[camera]]\nid = \"yard\"\nurl = \"rtsp://192.0.2.10/main\"\n[[camera]]\nid = \"gate\"\nurl = \"rtsp://192.0.2.10/main\""), "warning 8:7: camera \"yard\": records what line 5 records already\nwarning 11:7: camera \"gate\": records what line 5 records already\n".into()),
        ("a fallback that is none, in another spelling", add("fallback = \"rtsp://192.0.2.10/main/\""), "error 6:12: camera \"entrance\": fallback is the same as url; allowed: another stream of the camera\n".into()),
        ("a fallback that is another camera", add("[[camera]]\nid = \"yard\"\nurl = \"rtsp://192.0.2.11/\"\nfallback = \"rtsp://192.0.2.10/main\""), "warning 9:12: camera \"yard\": fallback is what line 5 records already; hint: what takes that camera takes this one's second stream with it\n".into()),
        ("one fallback for two cameras", add("fallback = \"rtsp://192.0.2.10/sub\"\n[[camera]]\nid = \"yard\"\nurl = \"rtsp://192.0.2.11/\"\nfallback = \"rtsp://192.0.2.10/sub\""), "warning 10:12: camera \"yard\": fallback is that of line 6 too\n".into()),
        ("a camera that is the fallback of an earlier one", add("fallback = \"rtsp://192.0.2.10/sub\"\n[[camera]]\nid = \"yard\"\nurl = \"rtsp://192.0.2.10:554/sub\""), "warning 9:7: camera \"yard\": records what is the fallback in line 6\n".into()),
        ("one camera in single brackets", with("[[camera]]", "[camera]"), "error 3:1: the file: camera is a table; allowed: [[camera]], once for each\n".into()),
        ("no camera", "[device]\nname = \"a\"\n[[volume]]\npath = \"/media\"\n".into(), "error  there is no [[camera]]: nothing would be recorded; hint: add [[camera]] with id and url for each camera\n".into()),
        ("no device", with("[device]\nname = \"van-12\"\n", ""), "error  there is no [device]; hint: add [device] with name = \"van-12\"\n".into()),
        ("no name for the device", with("name = \"van-12\"\n", ""), "error 1:1: [device]: name is missing; hint: add name = \"van-12\"\n".into()),
        ("no volume, and none is looked for", with("[[volume]]\npath = \"/media/holdfast\"\n", "[storage]\ndisks = false\n"), "error  there is no [[volume]], and disks are not looked for: nothing could be kept; hint: add [[volume]] with path = \"/media/holdfast\", or let disks be found: [storage] disks = true\n".into()),
        ("no volume: disks are found", with("[[volume]]\npath = \"/media/holdfast\"\n", ""), String::new()),
        ("a volume that is a mount point and a directory", format!("{GOOD}directory = \"/srv\"\n"), "error 8:13: volume 1: it has a path and a directory; allowed: path for a disk that is mounted there, or directory\n".into()),
        ("a directory that is none", with("path = \"/media/holdfast\"", "directory = \"srv\""), "error 7:13: volume 1: directory is not absolute: it would depend on where the service was started; allowed: a directory: /srv/holdfast\n".into()),
        ("a runtime that is relative", format!("{GOOD}[storage]\nruntime = \"run\"\n"), "error 9:11: [storage]: runtime is not absolute: it would depend on where the service was started; allowed: a directory: /run/holdfast\n".into()),
        ("former names", with("name = \"van-12\"", "name = \"van-12\"\nformerly = [\"van-11\"]"), String::new()),
        ("a former name that is none", with("name = \"van-12\"", "name = \"van-12\"\nformerly = [\"Van 11\", 3]"), format!("error 3:13: [device]: formerly holds 'V', which is not allowed there; allowed: {name_form}; hint: write \"van-11\"\nerror 3:23: [device]: formerly is a number; allowed: a list of texts in quotes: [\"van-11\"]\n")),
        ("a camera that is kept for a time of its own", add("keep = \"14d\""), String::new()),
        ("a camera that is hardly kept", add("keep = \"5m\""), "error 6:8: camera \"entrance\": keep is 5m, which is out of range; allowed: 1h to 3653d\n".into()),
        ("retention in days", format!("{GOOD}[retention]\ndays = 3\n"), "error 9:1: [retention]: there is no key \"days\"; allowed: keep, emergency_keep, clean_below, clean_below_share, clean_until, clean_until_share; hint: write keep = \"30d\"\n".into()),
        ("a retention shorter than a week", format!("{GOOD}[retention]\nkeep = \"2d\"\n"), String::new()),
        ("an emergency that keeps longer", format!("{GOOD}[retention]\nkeep = \"2d\"\nemergency_keep = \"3d\"\n"), "error 10:18: [retention]: emergency_keep is 3d, longer than keep; allowed: at most 2d\n".into()),
        ("cleaning that ends before it begins", format!("{GOOD}[retention]\nclean_below = \"20GiB\"\n"), "error 8:1: [retention]: cleaning would end at 10GiB or 10 %, before it begins at 20GiB or 5 %; allowed: clean_until and its share at least as large as clean_below and its share\n".into()),
        ("a share without its sign", format!("{GOOD}[retention]\nclean_below_share = \"5\"\n"), "error 9:21: [retention]: clean_below_share cannot be read; allowed: a whole number with %, as in \"5%\"; 1% to 50%\n".into()),
        ("a relative volume", with("/media/holdfast", "media"), "error 7:8: volume 1: path is not absolute: it would depend on where the service was started; allowed: where a disk is mounted: /media/holdfast\n".into()),
        ("the system's own root", with("/media/holdfast", "//"), "error 7:8: volume 1: path is the root of the system, which recordings would fill; allowed: where a disk is mounted: /media/holdfast\n".into()),
        ("a device", with("/media/holdfast", "/dev/sda1"), "error 7:8: volume 1: path is a device, not where it is mounted; allowed: where a disk is mounted: /media/holdfast\n".into()),
        ("a path that climbs", with("/media/holdfast", "/media/../etc"), "error 7:8: volume 1: path goes through ..; allowed: where a disk is mounted: /media/holdfast\n".into()),
        ("two volumes at one path", format!("{GOOD}[[volume]]\npath = \"/media/./holdfast/\"\n"), "error 9:8: volume 2: the path is taken by the volume in line 7\n".into()),
        ("a duration without a unit", limit("segment = 60"), format!("error 9:11: [limits]: segment cannot be read; allowed: {duration_form}; 10s to 10m\n")),
        ("a segment that is too short", limit("segment = \"5s\""), "error 9:11: [limits]: segment is 5s, which is out of range; allowed: 10s to 10m\n".into()),
        ("a fragment that is too long", limit("fragment = \"6s\""), "error 9:12: [limits]: fragment is 6s, which is out of range; allowed: 500ms to 5s\n".into()),
        ("a ring that is too short for its fragments", limit("ring = \"3s\"\nfragment = \"2s\""), "error 9:8: [limits]: ring is 3s, too short for fragments of 2s; allowed: at least two fragments: one is being filled while the other is written\n".into()),
        ("a ring that is too long", limit("ring = \"1h\""), "error 9:8: [limits]: ring is 1h, which is out of range; allowed: 2s to 5m\n".into()),
        ("a stall that is too short", limit("stall = \"2s\""), "error 9:9: [limits]: stall is 2s, which is out of range; allowed: 3s to 2m\n".into()),
        ("a ring in powers of ten", limit("ring_bytes = \"64MB\""), "error 9:14: [limits]: ring_bytes cannot be read; allowed: a whole number with its unit KiB, MiB or GiB, as in \"64MiB\"; 8MiB to 1GiB\n".into()),
        ("a word for memory", limit("memory = \"much\""), "error 9:10: [limits]: memory cannot be read; allowed: \"auto\", or a whole number with its unit KiB, MiB or GiB, as in \"512MiB\"; 64MiB to 1024GiB\n".into()),
        ("an unknown limit", limit("segmnet = \"60s\""), format!("error 9:1: [limits]: there is no key \"segmnet\"; allowed: {limit_keys}; hint: did you mean \"segment\"?\n")),
        ("limits that are a list", GOOD.replace("[device]", "limits = []\n[device]"), "error 1:10: the file: limits is a list; allowed: a section [limits], once\n".into()),
        ("users and passwords in the configuration", format!("{GOOD}[secrets]\nentrance = \"x\"\nfile = \"/nonexistent\"\n"), "error 9:1: [secrets]: there is no key \"entrance\"; allowed: file; hint: users and passwords stand in a file of their own, not here\nerror /nonexistent: the secrets file cannot be read: No such file or directory (os error 2); hint: [secrets] file names it; the service's user must be able to read it\n".into()),
        ("an empty path of the secrets file", format!("{GOOD}[secrets]\nfile = \"\"\n"), "error 9:8: [secrets]: file is no path\n".into()),
        ("a key twice", add("audio = true\naudio = false"), "error 7:1: this is not TOML: duplicate key\n".into()),
    ];
    for (name, text, expected) in cases {
        let checked = check_text(&text);
        let found = sentences(&checked);
        assert_eq!(found, expected, "{name}");
        let errors = expected.contains("error ");
        assert_eq!(checked.config.is_none(), errors, "{name}: warnings alone leave it usable");
    }
}

#[test]
fn every_problem_is_told_at_once_in_the_order_of_the_file() {
    let text = "[device]\nname = \"Van\"\n[[camera]]\nid = \"a\"\nurl = \"http://x/\"\naudio = 1\n[limits]\nring = \"0s\"\n[storage]\ndisks = false\n";
    let checked = check_text(text);
    let places: Vec<_> = checked.problems.iter().map(|p| p.place.map(|place| place.line)).collect();
    assert_eq!(places, [None, Some(2), Some(5), Some(6), Some(8)], "{}", sentences(&checked));
    assert_eq!((checked.errors(), checked.warnings()), (5, 0));
}

#[test]
fn broken_toml_is_told_line_by_line_and_the_rest_is_still_checked() {
    let text = "[device]\nname = \"van-12\n[[camera]]\nid = \"a\"\nurl = rtsp://x/\naudio = 1\n";
    let found = sentences(&check_text(text));
    assert!(found.contains("error 2:") && found.contains("error 5:"), "both broken lines:\n{found}");
    assert!(
        found.contains("error 6:9: camera \"a\": audio is a number"),
        "and what is wrong beside:\n{found}"
    );
    assert!(
        !found.contains("missing") && !found.contains("there is no"),
        "nothing is called missing:\n{found}"
    );
}

#[test]
fn it_is_printed_as_a_compiler_would() {
    let checked = check_text(&with("\"entrance\"", "\"Front\""));
    let expected = "\
holdfast.toml:4:6: error: camera 1: id holds 'F', which is not allowed there
    4 | id = \"Front\"
      |      ^
  allowed: 1 to 32 of a-z, 0-9, - and _, the first a letter or digit
  hint: id = \"front\"
";
    assert_eq!(checked.problems[0].to_string(), expected);
    let coloured = checked.problems[0].render(true);
    assert!(coloured.contains("\x1b[1;31merror\x1b[0m: camera 1"), "{coloured}");
}

#[test]
fn more_than_a_device_can_take_is_too_many() {
    let mut text = GOOD.to_owned();
    for n in 0..32 {
        let _ = write!(text, "[[camera]]\nid = \"c{n}\"\nurl = \"rtsp://192.0.2.10/{n}\"\n");
    }
    for n in 0..8 {
        let _ = write!(text, "[[volume]]\npath = \"/media/{n}\"\n");
    }
    let expected = "error 101:1: there are 33 cameras; allowed: at most 32\nerror 118:1: there are 9 volumes; allowed: at most 8\n";
    assert_eq!(sentences(&check_text(&text)), expected);
}

#[test]
fn memory_that_leaves_no_ring() {
    let cameras: String =
        (0..8).map(|n| format!("[[camera]]\nid = \"c{n}\"\nurl = \"rtsp://192.0.2.10/{n}\"\n")).collect();
    let text = format!("{GOOD}{cameras}[limits]\nmemory = \"128MiB\"\n");
    let found = sentences(&check_text(&text));
    assert_eq!(
        found,
        "error 33:10: [limits]: memory is 128MiB, which leaves each of 9 cameras a ring of 5825KiB; allowed: at least 8MiB for each camera\n"
    );
    let fine = check_text(&text.replace("128MiB", "1GiB")).config.expect("1 GiB is enough");
    assert_eq!(fine.limits.memory, Memory::Bytes(1 << 30));
}

/// A directory with a configuration and a secrets file of the mode.
struct Files(tempfile::TempDir);

impl Files {
    fn new(configuration: &str, secrets: &str, mode: u32) -> Self {
        let directory = tempfile::tempdir().expect("a directory");
        std::fs::write(directory.path().join("holdfast.toml"), configuration).expect("written");
        let path = directory.path().join("secrets.toml");
        std::fs::write(&path, secrets).expect("written");
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(mode)).expect("permitted");
        Files(directory)
    }
    fn load(&self, credentials: Option<&Path>) -> Checked {
        load(&self.0.path().join("holdfast.toml"), credentials)
    }
    /// The sentences without the directory's random name.
    fn sentences(&self, credentials: Option<&Path>) -> String {
        sentences(&self.load(credentials)).replace(&format!("{}/", self.0.path().display()), "")
    }
}

fn with_credentials() -> String {
    with("[[volume]]", "credentials = \"entrance\"\n[[volume]]") + "[secrets]\nfile = \"secrets.toml\"\n"
}

#[test]
fn what_can_be_wrong_with_the_secrets_file() {
    let absent = "error holdfast.toml:6:15: camera \"entrance\": there are no credentials \"entrance\"; hint: add a section [entrance] with user and password to secrets.toml\n";
    let cases = [
        ("all is well", "[entrance]\nuser = \"viewer\"\npassword = \"x\"\n", 0o600, String::new()),
        ("its group can read it", "[entrance]\nuser = \"a\"\npassword = \"x\"\n", 0o640, "error secrets.toml: others can read the secrets file (mode 0640); allowed: a file that only its owner can read; hint: chmod 600 secrets.toml\n".into()),
        ("everyone can write it", "[entrance]\nuser = \"a\"\npassword = \"x\"\n", 0o602, "error secrets.toml: others can read the secrets file (mode 0602); allowed: a file that only its owner can read; hint: chmod 600 secrets.toml\n".into()),
        ("it lacks the camera", "[yard]\nuser = \"a\"\npassword = \"x\"\n", 0o600, absent.into()),
        ("a section lacks its password", "[entrance]\nuser = \"a\"\n", 0o600, "error secrets.toml:1:1: [entrance]: password is missing; hint: add password = \"...\"\n".into()),
        ("a password that is a number", "[entrance]\nuser = \"a\"\npassword = 1234\n", 0o600, "error secrets.toml:3:12: [entrance]: password is a number; allowed: a text in quotes\n".into()),
        ("an empty user", "[entrance]\nuser = \"\"\npassword = \"x\"\n", 0o600, "error secrets.toml:2:8: [entrance]: the user is empty\n".into()),
        ("a key too many", "[entrance]\nuser = \"a\"\npassword = \"x\"\npasswort = \"y\"\n", 0o600, "error secrets.toml:4:1: [entrance]: there is no key \"passwort\"; allowed: user, password; hint: did you mean \"password\"?\n".into()),
        ("a pair without a section", "entrance = \"a:x\"\n", 0o600, "error secrets.toml:1:1: a key stands outside of a section; allowed: sections [name], each with user and password\n".into()),
    ];
    for (name, secrets, mode, expected) in cases {
        assert_eq!(Files::new(&with_credentials(), secrets, mode).sentences(None), expected, "{name}");
    }
}

#[test]
fn credentials_reach_the_camera_they_are_for() {
    let files =
        Files::new(&with_credentials(), "[entrance]\nuser = \"viewer\"\npassword = \"from file\"\n", 0o600);
    let of_camera = |checked: Checked| {
        let credentials = checked.config.expect("fine").cameras[0].credentials.clone().expect("some");
        (credentials.user.clone(), credentials.password.expose().to_owned())
    };
    assert_eq!(of_camera(files.load(None)), ("viewer".into(), "from file".into()));

    let handed_over = tempfile::tempdir().expect("a directory");
    std::fs::write(handed_over.path().join("entrance"), "viewer:from:systemd\n").expect("written");
    let found = of_camera(files.load(Some(handed_over.path())));
    assert_eq!(found, ("viewer".into(), "from:systemd".into()), "systemd's wins");

    std::fs::write(handed_over.path().join("entrance"), CANARY).expect("written");
    let found = files.sentences(Some(handed_over.path()));
    let expected = "error holdfast.toml:6:15: camera \"entrance\": the credential \"entrance\" from systemd is not user:password on one line\n";
    assert_eq!(found, expected);
}

#[test]
fn a_user_in_the_url_and_credentials_are_one_too_many() {
    let text = with_credentials().replace("rtsp://", "rtsp://viewer:x@");
    let found = Files::new(&text, "[entrance]\nuser = \"a\"\npassword = \"x\"\n", 0o600).sentences(None);
    let expected = "error holdfast.toml:5:7: camera \"entrance\": there is a user in url and there are credentials too; allowed: one of the two; hint: take what stands before the @ out of url\n";
    assert_eq!(found, expected);
}

#[test]
fn a_fallback_has_the_credentials_of_the_camera_or_its_own() {
    let fallback = |line: &str| {
        let text = with_credentials().replace("credentials =", &format!("{line}\ncredentials ="));
        let files = Files::new(&text, "[entrance]\nuser = \"viewer\"\npassword = \"x\"\n", 0o600);
        let fallback = files.load(None).config.expect("fine").cameras[0].fallback.clone().expect("written");
        (fallback.url.to_string(), fallback.credentials.map(|credentials| credentials.user.clone()))
    };
    let expected = ("rtsp://192.0.2.10/sub".to_owned(), Some("viewer".to_owned()));
    assert_eq!(fallback("fallback = \"rtsp://192.0.2.10/sub\""), expected);

    let own = with("[[volume]]", "fallback = \"rtsp://other:x@192.0.2.10/sub\"\n[[volume]]");
    let fallback =
        check_text(&own).config.expect("warned only").cameras[0].fallback.clone().expect("written");
    assert_eq!(fallback.credentials.map(|credentials| credentials.user.clone()), Some("other".to_owned()));
}

#[test]
fn a_file_that_cannot_be_read_is_a_problem_like_any_other() {
    let directory = tempfile::tempdir().expect("a directory");
    let path = directory.path().join("x.toml");
    let problem = |path: &Path| load(path, None).problems[0].what.clone();
    assert_eq!(problem(&path), "the configuration cannot be read: No such file or directory (os error 2)");
    assert_eq!(problem(directory.path()), "the configuration cannot be read: Is a directory (os error 21)");
    std::fs::write(&path, b"name = \"\xff\"").expect("written");
    assert_eq!(
        problem(&path),
        "the configuration cannot be read: it is not UTF-8 (at byte 8); is it a text file?"
    );
    assert_eq!(
        problem(Path::new("/dev/zero")),
        "the configuration cannot be read: it is larger than 1024 KiB"
    );
}

#[test]
fn the_example_in_the_documentation_is_valid() {
    let example = include_str!("../../docs/holdfast.example.toml");
    let text =
        example.replace("/etc/holdfast/secrets.toml", "secrets.toml").replace("# fallback", "fallback");
    assert!(text.contains("\nfallback = "), "the commented key is checked too");
    let files = Files::new(&text, "[entrance]\nuser = \"viewer\"\npassword = \"x\"\n", 0o600);
    let checked = files.load(None);
    assert_eq!((checked.errors(), checked.warnings()), (0, 0), "{}", sentences(&checked));
    let config = checked.config.expect("valid");
    assert_eq!(config.limits, Limits::default(), "it says that it shows the defaults");
    assert_eq!(config.cameras.len(), 2);
}

#[test]
fn the_documentation_names_every_key_of_the_example() {
    let guide = include_str!("../../docs/configuration.md");
    for line in include_str!("../../docs/holdfast.example.toml").lines() {
        if let Some((key, _)) = line.trim_start_matches("# ").split_once(" = ") {
            assert!(
                guide.contains(&format!("`{key}`")) || key == "file",
                "configuration.md does not explain {key}"
            );
        }
    }
}

/// Whatever a person could be shown of a configuration and its problems.
fn everything_shown(checked: &Checked) -> String {
    // Debug of a problem holds each of its texts once; render and JSON are made of the same.
    let mut shown = format!("{checked:?}\n");
    for problem in &checked.problems {
        let _ = writeln!(shown, "{problem}");
    }
    shown
}

const LEAKY: &str = r#"[device]
name = "van-12"
[[camera]]
id = "entrance"
url = "rtsp://viewer:CANARY@192.0.2.10:554/main?pwd=CANARY"
fallback = "rtsp://viewer:CANARY@192.0.2.10/sub"
password = "CANARY" # CANARY
[[camera]]
id = "yard", password = "CANARY"
url = "CANARY@192.0.2.10"
[secrets]
yard = { user = "viewer", password = "CANARY" }
[[volume]]
path = "/media/holdfast"
"#;

/// No part of the canary that would help anybody: every stretch of six characters of it.
fn assert_silent(shown: &str, context: &str) {
    for at in 0..=CANARY.len() - 6 {
        let part = &CANARY[at..at + 6];
        assert!(!shown.contains(part), "{context}: {part:?} is shown:\n{shown}");
    }
}

#[test]
fn a_password_is_shown_nowhere_even_where_the_configuration_is_fine() {
    let text =
        with("rtsp://192.0.2.10:554/main", &format!("rtsp://viewer:{CANARY}@192.0.2.10/main?pwd={CANARY}"));
    let checked = check_text(&text);
    let config = checked.config.as_ref().expect("it works");
    let credentials = config.cameras[0].credentials.as_ref().expect("taken from the URL");
    assert_eq!(credentials.password.expose(), CANARY, "it is there, and would be found");
    assert_silent(&everything_shown(&checked), "a password in the URL");

    let secrets = format!("[entrance]\nuser = \"viewer\"\npassword = \"{CANARY}\"\n");
    let checked = Files::new(&with_credentials(), &secrets, 0o600).load(None);
    assert!(checked.config.is_some());
    assert_silent(&everything_shown(&checked), "a password in the secrets file");
}

#[test]
fn a_password_is_shown_nowhere_whatever_is_mistyped() {
    let text = LEAKY.replace("CANARY", CANARY);
    assert_silent(&everything_shown(&check_text(&text)), "as it is");
    let reference = with("[[volume]]", &format!("credentials = \"viewer:{CANARY}\"\n[[volume]]"));
    assert_silent(&everything_shown(&check_text(&reference)), "instead of a reference");
    for at in 0..text.len() {
        let (before, after) = text.split_at(at);
        assert_silent(
            &everything_shown(&check_text(&format!("{before}{}", &after[1..]))),
            &format!("without byte {at}"),
        );
        for typed in ["\"", "'", "\n", "=", "#", "[", "]", ".", "\\", "@", "\"\"\"", "{", ","] {
            let mistyped = format!("{before}{typed}{after}");
            assert_silent(&everything_shown(&check_text(&mistyped)), &format!("{typed:?} at {at}"));
        }
    }
}

#[test]
fn a_mistyped_secrets_file_shows_nothing() {
    let text = format!(
        "[entrance]\nuser = \"viewer\"\npassword = \"{CANARY}\"\n[yard]\nuser = \"viewer:{CANARY}\"\n"
    );
    for at in 0..text.len() {
        let (before, after) = text.split_at(at);
        for mistyped in [
            format!("{before}{}", &after[1..]),
            format!("{before}\"{after}"),
            format!("{before}\n{after}"),
            format!("{before}={after}"),
            format!("{before}[{after}"),
        ] {
            let mut vault = secrets::Vault::new(None);
            let files = Files::new("", &mistyped, 0o600);
            let problems = vault.read_file(&files.0.path().join("secrets.toml"));
            assert_silent(&everything_shown(&Checked { config: None, problems }), &format!("at {at}"));
        }
    }
}
