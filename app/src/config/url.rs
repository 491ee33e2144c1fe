//! The address of a camera's stream, safe to show.
//!
//! Words: the **userinfo** of a URL is the `user:password@` before its host. It is taken out when the
//! URL is read, so a [`RtspUrl`] never holds it. Some cameras want the password in the path or the
//! query (`/user=viewer&password=...`): it has to stay there, and is masked whenever the URL is shown,
//! with everything else there that is not known to be harmless.
//!
//! Why no general URL library: those put the userinfo into the middle of one string that they also
//! print, and refuse or rewrite what cameras ask for. RTSP URLs are a small corner of RFC 3986.

use super::secret::{Credentials, MASK, Secret};
use std::fmt;
use zeroize::Zeroizing;

/// Longest URL in bytes. Far above what cameras use; it keeps a log line readable.
pub const MAX_URL: usize = 1024;

/// How a URL is to be written.
pub const URL_FORM: &str = "rtsp://HOST[:PORT]/PATH or rtsps://HOST[:PORT]/PATH";

/// Where a camera's stream is, without user and password.
#[derive(Clone)]
pub struct RtspUrl {
    location: Zeroizing<String>,
    shown: String,
    host: String,
    port: u16,
    tls: bool,
    secret: bool,
}

/// A URL as it was written, taken apart.
pub struct Parsed {
    /// The address.
    pub url: RtspUrl,
    /// What stood before the `@`.
    pub userinfo: Option<Credentials>,
}

/// Why a text is not the URL of a stream. No variant holds any of the text but the scheme's name: what
/// stands in the wrong place of a URL is often its password.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum UrlError {
    /// Nothing in it.
    Empty,
    /// More than [`MAX_URL`] bytes.
    TooLong,
    /// A space, a control character or one outside ASCII.
    Character,
    /// No `rtsp://` at its start.
    NoScheme,
    /// A scheme that is not recorded.
    Scheme(String),
    /// No host after the scheme.
    NoHost,
    /// A host that is neither a name nor an address.
    Host,
    /// What follows the host's colon is not a port from 1 to 65535.
    Port,
    /// An `@` after the host. Most likely it ends a password with a `/`, `?` or `#` in it, and what was
    /// taken for the host is the user.
    At,
    /// A user that is empty or cannot be decoded, or a password that cannot be.
    Userinfo,
}

impl RtspUrl {
    /// Reads `rtsp://[user[:password]@]host[:port][/path]`. User and password are percent-decoded.
    pub fn parse(text: &str) -> Result<Parsed, UrlError> {
        if text.is_empty() {
            return Err(UrlError::Empty);
        }
        if text.len() > MAX_URL {
            return Err(UrlError::TooLong);
        }
        if !text.chars().all(|c| c.is_ascii_graphic()) {
            return Err(UrlError::Character);
        }
        let (scheme, rest) = text.split_once("://").ok_or(UrlError::NoScheme)?;
        let tls = read_scheme(scheme)?;
        let (authority, path) = rest.split_at(rest.find(['/', '?', '#']).unwrap_or(rest.len()));
        let (userinfo, host_and_port) = match authority.rsplit_once('@') {
            Some((userinfo, host)) => (Some(read_userinfo(userinfo)?), host),
            None => (None, authority),
        };
        let (host, port) = read_host(host_and_port)?;
        if path.contains('@') {
            return Err(UrlError::At);
        }
        let scheme = if tls { "rtsps" } else { "rtsp" };
        let shown_path = show_path(path);
        let url = RtspUrl {
            location: Zeroizing::new(format!("{scheme}://{host_and_port}{path}")),
            shown: format!("{scheme}://{host_and_port}{shown_path}"),
            host: host.to_owned(),
            port: port.unwrap_or(if tls { 322 } else { 554 }),
            tls,
            secret: seems_secret(path),
        };
        Ok(Parsed { url, userinfo })
    }

    /// The address to connect to, without userinfo. It may hold a password in its query, so it is for
    /// the RTSP client alone; `Display` is what may be shown.
    pub fn location(&self) -> &str {
        &self.location
    }
    /// The host: a name, an IPv4 address, or an IPv6 address without its brackets.
    pub fn host(&self) -> &str {
        &self.host
    }
    /// The port; 554 (rtsp) or 322 (rtsps) where none was written, as IANA registers them.
    pub fn port(&self) -> u16 {
        self.port
    }
    /// Whether both mean one stream, however they are written: a host is the same in capitals, a port that is not written is the
    /// scheme's own, and a path is the same with a slash at its end. What else a path says is the camera's affair.
    pub fn is_same_stream(&self, other: &RtspUrl) -> bool {
        let server = |url: &RtspUrl| (url.tls, url.port);
        server(self) == server(other)
            && is_same_host(&self.host, &other.host)
            && self.path_and_rest() == other.path_and_rest()
    }
    /// The path without a slash at its end, and what follows it.
    fn path_and_rest(&self) -> (&str, &str) {
        let server = self.location.split_once("://").map_or("", |(_, rest)| rest);
        let path = server.find(['/', '?', '#']).map_or("", |at| &server[at..]);
        let (path, rest) = path.split_at(path.find(['?', '#']).unwrap_or(path.len()));
        (path.strip_suffix('/').unwrap_or(path), rest)
    }
    /// Whether it is RTSP over TLS.
    pub fn is_tls(&self) -> bool {
        self.tls
    }
    /// Whether the path or query holds what looks like a password.
    pub fn holds_secret(&self) -> bool {
        self.secret
    }
}

impl fmt::Display for RtspUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.shown)
    }
}

impl fmt::Debug for RtspUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "RtspUrl({})", self.shown)
    }
}

/// A parsed URL as it may be shown, with a mark where its userinfo was.
impl fmt::Display for Parsed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (&self.userinfo, self.url.shown.split_once("://")) {
            (Some(_), Some((scheme, rest))) => write!(f, "{scheme}://{MASK}@{rest}"),
            (Some(_), None) | (None, _) => self.url.fmt(f),
        }
    }
}

impl fmt::Display for UrlError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            UrlError::Empty => f.write_str("is empty"),
            UrlError::TooLong => write!(f, "is longer than {MAX_URL} characters"),
            UrlError::Character => f.write_str("holds a space or a character that is not plain ASCII"),
            UrlError::NoScheme => f.write_str("does not begin with rtsp://"),
            UrlError::Scheme(scheme) => write!(f, "begins with {scheme}://, which is not recorded"),
            UrlError::NoHost => f.write_str("names no host"),
            UrlError::Host => f.write_str("names a host that is neither a name nor an address"),
            UrlError::Port => f.write_str("has a port that is not a number from 1 to 65535"),
            UrlError::At => f.write_str("has an @ behind its host"),
            UrlError::Userinfo => f.write_str("has a user or a password before its @ that cannot be read"),
        }
    }
}

impl UrlError {
    /// What to do about it, where more can be said than `URL_FORM` does.
    pub fn hint(&self) -> Option<&'static str> {
        match self {
            UrlError::Character => Some("write other characters as %XX"),
            UrlError::Scheme(scheme) => match scheme.as_str() {
                "rtspt" => Some("write rtsp:// and transport = \"tcp\""),
                "rtspu" => Some("write rtsp:// and transport = \"udp\""),
                _ => None,
            },
            UrlError::At => {
                Some("write %40 in a path; a password with / ? or # in it belongs in the secrets file")
            }
            UrlError::Port | UrlError::Host | UrlError::Userinfo => Some(
                "a password with / ? # @ : or % in it belongs in the secrets file, where it needs no escaping",
            ),
            UrlError::Empty | UrlError::TooLong | UrlError::NoScheme | UrlError::NoHost => None,
        }
    }
}

/// Whether it is TLS. A scheme is only quoted back if it looks like one: before `://` may stand anything.
fn read_scheme(scheme: &str) -> Result<bool, UrlError> {
    let scheme = scheme.to_ascii_lowercase();
    match scheme.as_str() {
        "rtsp" => Ok(false),
        "rtsps" => Ok(true),
        "http" | "https" | "rtmp" | "rtmps" | "rtspt" | "rtspu" | "rtsph" | "srt" | "udp" | "rtp"
        | "file" | "onvif" => Err(UrlError::Scheme(scheme)),
        _ => Err(UrlError::NoScheme),
    }
}

fn read_userinfo(text: &str) -> Result<Credentials, UrlError> {
    let (user, password) = text.split_once(':').unwrap_or((text, ""));
    let user = percent_decode(user).ok_or(UrlError::Userinfo)?;
    let password = percent_decode(password).map(Secret::new).ok_or(UrlError::Userinfo)?;
    Credentials::new(user, password).map_err(|_| UrlError::Userinfo)
}

fn read_host(text: &str) -> Result<(&str, Option<u16>), UrlError> {
    let (host, port) = if let Some(bracketed) = text.strip_prefix('[') {
        let (address, after) = bracketed.split_once(']').ok_or(UrlError::Host)?;
        let bare = address.split_once('%').map_or(address, |(bare, _zone)| bare);
        bare.parse::<std::net::Ipv6Addr>().map_err(|_| UrlError::Host)?;
        match after.strip_prefix(':') {
            Some(port) => (address, Some(port)),
            None if after.is_empty() => (address, None),
            None => return Err(UrlError::Host),
        }
    } else {
        match text.split_once(':') {
            Some((host, port)) => (host, Some(port)),
            None => (text, None),
        }
    };
    if host.is_empty() {
        return Err(UrlError::NoHost);
    }
    let is_name = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '.' | '_');
    let is_address = text.starts_with('[');
    if !is_address && (!host.chars().all(is_name) || !host.starts_with(char::is_alphanumeric)) {
        return Err(UrlError::Host);
    }
    let port = match port {
        None => None,
        Some(digits) if digits.bytes().all(|b| b.is_ascii_digit()) => {
            Some(digits.parse::<u16>().ok().filter(|port| *port != 0).ok_or(UrlError::Port)?)
        }
        Some(_) => return Err(UrlError::Port),
    };
    Ok((host, port))
}

/// Names in whatever case; addresses as what they mean: IPv6 has many spellings.
fn is_same_host(one: &str, other: &str) -> bool {
    let address = |host: &str| host.parse::<std::net::Ipv6Addr>().ok();
    match (address(one), address(other)) {
        (Some(one), Some(other)) => one == other,
        (Some(_), None) | (None, Some(_)) => false,
        (None, None) => one.eq_ignore_ascii_case(other),
    }
}

fn percent_decode(text: &str) -> Option<String> {
    let mut bytes = Zeroizing::new(Vec::with_capacity(text.len()));
    let mut rest = text.bytes();
    while let Some(byte) = rest.next() {
        let decoded = match byte {
            b'%' => {
                let mut digit = || char::from(rest.next()?).to_digit(16);
                u8::try_from(digit()? * 16 + digit()?).ok()?
            }
            other => other,
        };
        bytes.push(decoded);
    }
    std::str::from_utf8(&bytes).ok().map(str::to_owned)
}

/// Keys whose values say which picture is meant, and can be shown.
const OPEN_KEYS: [&str; 16] = [
    "camera",
    "ch",
    "channel",
    "codec",
    "fps",
    "id",
    "inst",
    "profile",
    "proto",
    "resolution",
    "stream",
    "streamtype",
    "subtype",
    "trackid",
    "transportmode",
    "unicast",
];

/// Keys that can be shown though their values cannot.
const SECRET_KEYS: [&str; 14] = [
    "auth",
    "authtoken",
    "key",
    "pass",
    "passwd",
    "password",
    "psw",
    "pswd",
    "pwd",
    "secret",
    "token",
    "user",
    "username",
    "usr",
];

/// What in a key tells that a password follows, for the warning.
const SECRET_SIGNS: [&str; 8] = ["pass", "pwd", "psw", "pswd", "token", "secret", "auth", "key"];

/// Path and query as they may be shown: by an allow list, since a password stands under whatever key a
/// camera's maker thought of, or under a mistyped one.
fn show_path(path: &str) -> String {
    let (before, query) = path.split_at(path.find('?').unwrap_or(path.len()));
    let mut shown = String::with_capacity(path.len());
    for piece in before.split_inclusive(SEPARATORS) {
        show_piece(&mut shown, piece, false);
    }
    for piece in query.split_inclusive(SEPARATORS) {
        show_piece(&mut shown, piece, true);
    }
    shown
}

const SEPARATORS: [char; 4] = ['/', '?', '&', ';'];

/// One piece of a path or query with the separator that ends it.
fn show_piece(shown: &mut String, piece: &str, in_query: bool) {
    let text = piece.strip_suffix(SEPARATORS).unwrap_or(piece);
    let knows = |keys: &[&str], key: &str| keys.contains(&key.to_ascii_lowercase().as_str());
    match text.split_once('=') {
        None if in_query && !text.is_empty() => shown.push_str(MASK),
        None => shown.push_str(text),
        Some((key, value)) if knows(&OPEN_KEYS, key) && value.chars().all(|c| c.is_ascii_alphanumeric()) => {
            shown.push_str(text);
        }
        Some((key, _)) if knows(&OPEN_KEYS, key) || knows(&SECRET_KEYS, key) => {
            shown.push_str(key);
            shown.push('=');
            shown.push_str(MASK);
        }
        Some(_) => shown.push_str(MASK),
    }
    shown.push_str(&piece[text.len()..]);
}

/// Whether a path or query seems to hold a password: something before a `=` says so.
fn seems_secret(path: &str) -> bool {
    let lower = path.to_ascii_lowercase();
    let mut keys: Vec<&str> = lower.split('=').collect();
    keys.pop(); // behind the last = stands no key
    let last_piece = |text: &str| {
        text.rsplit(SEPARATORS).next().is_some_and(|key| SECRET_SIGNS.iter().any(|sign| key.contains(sign)))
    };
    keys.into_iter().any(last_piece)
}

#[cfg(test)]
#[path = "url_tests.rs"]
mod tests;
