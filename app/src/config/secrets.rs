//! Where a camera's user and password come from: a credential that systemd hands over, or the secrets file.
//!
//! A **systemd credential** (`LoadCredential=entrance:...`, `LoadCredentialEncrypted=`) is a file
//! `$CREDENTIALS_DIRECTORY/<name>` that holds `user:password` on one line. The **secrets file** is TOML,
//! with a section `[name]` that holds `user` and `password`; it is refused if anyone but its owner can
//! read it. A systemd credential wins over a section of the same name: it was meant for this service alone.

use super::problem::Problem;
use super::secret::{Credentials, Secret};
use super::source::Source;
use super::walk::{Walk, is_quotable};
use std::collections::BTreeMap;
use std::fs::File;
use std::io::{self, Read};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use toml::de::{DeTable, DeValue};
use zeroize::Zeroizing;

/// Most bytes of a secrets file or a credential: thousands of cameras. Bounds what a wrong path costs.
const MAX_BYTES: u64 = 256 << 10;

/// The users and passwords that cameras may refer to.
pub struct Vault {
    handed_over: Option<PathBuf>,
    file: SecretsFile,
}

enum SecretsFile {
    /// The configuration names none.
    NotNamed,
    /// It could not be read; that is a problem of its own, and nothing is known of what it lacks.
    Unusable,
    /// Read; under each name what it holds, `None` if that was a problem already.
    Read { shown: String, entries: BTreeMap<String, Option<Credentials>> },
}

/// Why there are no credentials under a name.
pub enum Unresolved {
    /// Said already, at the place that is wrong.
    Known,
    /// There is nothing under this name.
    Absent {
        /// Where to add it.
        hint: String,
    },
    /// The systemd credential of this name is of no use.
    Unreadable(String),
}

impl Vault {
    /// A vault of the systemd credentials in a directory (`$CREDENTIALS_DIRECTORY`) alone.
    pub fn new(handed_over: Option<&Path>) -> Self {
        Vault { handed_over: handed_over.map(Path::to_owned), file: SecretsFile::NotNamed }
    }

    /// Adds the secrets file. Returns what is wrong with it.
    pub fn read_file(&mut self, path: &Path) -> Vec<Problem> {
        let shown = path.display().to_string();
        match read_private(path) {
            Ok(text) => {
                let (entries, problems) = parse_entries(&shown, &text);
                self.file = SecretsFile::Read { shown, entries };
                problems
            }
            Err(refused) => {
                self.file = SecretsFile::Unusable;
                vec![refused.into_problem(&shown, path)]
            }
        }
    }

    /// The credentials under a name. The name must have passed [`is_reference`].
    pub fn find(&self, name: &str) -> Result<Credentials, Unresolved> {
        if let Some(path) = self.handed_over.as_ref().map(|directory| directory.join(name)) {
            match read_bounded(&path) {
                Ok(text) => return parse_credential(&text).map_err(Unresolved::Unreadable),
                Err(error) if error.kind() == io::ErrorKind::NotFound => {}
                Err(error) => {
                    return Err(Unresolved::Unreadable(format!("cannot be read from systemd: {error}")));
                }
            }
        }
        match &self.file {
            SecretsFile::NotNamed => {
                Err(Unresolved::Absent { hint: "name a secrets file: [secrets] file = \"...\"".to_owned() })
            }
            SecretsFile::Unusable => Err(Unresolved::Known),
            SecretsFile::Read { shown, entries } => match entries.get(name) {
                Some(Some(credentials)) => Ok(credentials.clone()),
                Some(None) => Err(Unresolved::Known),
                None => Err(Unresolved::Absent {
                    hint: format!("add a section [{name}] with user and password to {shown}"),
                }),
            },
        }
    }
}

/// Whether a text can be the name of credentials: it becomes a file name and a TOML section.
pub fn is_reference(name: &str) -> bool {
    !name.is_empty() && is_quotable(name) && !name.starts_with('.')
}

/// How a name of credentials is to be written.
pub const REFERENCE_FORM: &str = "1 to 40 of letters, digits, - _ and ., the first no dot";

enum Refused {
    Io(io::Error),
    NoFile,
    Readable(u32),
}

impl Refused {
    fn into_problem(self, shown: &str, path: &Path) -> Problem {
        match self {
            Refused::Io(error) => Problem::error(shown, format!("the secrets file cannot be read: {error}"))
                .hint("[secrets] file names it; the service's user must be able to read it"),
            Refused::NoFile => Problem::error(shown, "the secrets file is no regular file"),
            Refused::Readable(mode) => {
                Problem::error(shown, format!("others can read the secrets file (mode {mode:04o})"))
                    .allowed("a file that only its owner can read")
                    .hint(format!("chmod 600 {}", path.display()))
            }
        }
    }
}

/// Reads a file that nobody but its owner may read. The mode is that of the file that was opened, so
/// it cannot be exchanged in between.
fn read_private(path: &Path) -> Result<Zeroizing<String>, Refused> {
    // Opening a FIFO would wait for a writer: look first, and again once open.
    if !std::fs::metadata(path).map_err(Refused::Io)?.is_file() {
        return Err(Refused::NoFile);
    }
    let file = File::open(path).map_err(Refused::Io)?;
    let facts = file.metadata().map_err(Refused::Io)?;
    let mode = facts.permissions().mode() & 0o7777;
    if !facts.is_file() {
        return Err(Refused::NoFile);
    }
    if mode & 0o077 != 0 {
        return Err(Refused::Readable(mode));
    }
    read_all(file).map_err(Refused::Io)
}

fn read_bounded(path: &Path) -> io::Result<Zeroizing<String>> {
    read_all(File::open(path)?)
}

fn read_all(file: File) -> io::Result<Zeroizing<String>> {
    let mut text = Zeroizing::new(String::new());
    let bytes = file.take(MAX_BYTES + 1).read_to_string(&mut text)?;
    match bytes as u64 > MAX_BYTES {
        true => Err(io::Error::other(format!("it is larger than {} KiB", MAX_BYTES >> 10))),
        false => Ok(text),
    }
}

fn parse_entries(shown: &str, text: &str) -> (BTreeMap<String, Option<Credentials>>, Vec<Problem>) {
    let (document, syntax) = DeTable::parse_recoverable(text);
    let mut walk = Walk::new(Source::of_secrets(shown, text), &syntax);
    let mut entries = BTreeMap::new();
    for (key, value) in document.get_ref() {
        let name: &str = key.get_ref();
        let at = value.span().start;
        if !is_reference(name) {
            walk.error(key.span().start, |problem| {
                Problem { what: "a section's name cannot be referred to".to_owned(), ..problem }
                    .allowed(REFERENCE_FORM)
            });
            continue;
        }
        let credentials = match value.get_ref() {
            DeValue::Table(table) => {
                let section = walk.section(format!("[{name}]"), at, table, &["user", "password"], |_| None);
                let user = walk.required(&section, "user", "...");
                let password = walk.required(&section, "password", "...");
                user.zip(password).and_then(|(user, password)| {
                    let password = Secret::new(password.value.to_owned());
                    let credentials = Credentials::new(user.value.to_owned(), password);
                    if let Err(error) = &credentials {
                        let what = format!("[{name}]: {error}");
                        walk.error(user.at, |problem| Problem { what, ..problem });
                    }
                    credentials.ok()
                })
            }
            DeValue::String(_)
            | DeValue::Integer(_)
            | DeValue::Float(_)
            | DeValue::Boolean(_)
            | DeValue::Datetime(_)
            | DeValue::Array(_) => {
                // The key may be anything that was typed before a password: it is not quoted.
                walk.error(key.span().start, |problem| {
                    Problem { what: "a key stands outside of a section".to_owned(), ..problem }
                        .allowed("sections [name], each with user and password")
                });
                None
            }
        };
        entries.insert(name.to_owned(), credentials);
    }
    (entries, walk.into_problems())
}

/// `user:password` on one line; the first colon parts them, so a password may hold more.
fn parse_credential(text: &str) -> Result<Credentials, String> {
    let line = text.strip_suffix('\n').unwrap_or(text);
    let line = line.strip_suffix('\r').unwrap_or(line);
    let (user, password) =
        line.split_once(':').ok_or("from systemd is not user:password on one line".to_owned())?;
    Credentials::new(user.to_owned(), Secret::new(password.to_owned()))
        .map_err(|error| format!("from systemd is not user:password on one line: {error}"))
}
