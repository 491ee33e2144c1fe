//! A camera's URL: what was read is read again as the same, and its password is nowhere in it.

use holdfast::config::RtspUrl;

/// Reads a URL.
pub fn run(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else { return };
    let Ok(parsed) = RtspUrl::parse(text) else { return };
    let url = &parsed.url;
    assert!(!url.host().is_empty() && url.port() > 0);
    let again =
        RtspUrl::parse(url.location()).unwrap_or_else(|error| panic!("{}: {error:?}", url.location()));
    assert!(again.userinfo.is_none(), "a user is left in {}", url.location());
    let facts = |url: &RtspUrl| {
        (url.host().to_owned(), url.port(), url.is_tls(), url.location().to_owned(), url.to_string())
    };
    assert_eq!(facts(&again.url), facts(url));
    let shown = url.to_string();
    let server = url.location().split(['/', '?', '#']).nth(2).unwrap_or_default();
    assert!(
        shown.split("://").nth(1).is_some_and(|rest| rest.starts_with(server)),
        "{shown}: the host is shown as it is"
    );
    assert!(!shown.contains('@'), "{shown}");
}
