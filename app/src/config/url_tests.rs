//! What is and what is not the URL of a stream; what of it is shown.

use super::*;
use proptest::prelude::*;

fn parse(text: &str) -> Parsed {
    RtspUrl::parse(text).unwrap_or_else(|error| panic!("{text}: {error}"))
}

#[test]
fn urls_that_cameras_have() {
    let cases = [
        ("a plain one", "rtsp://192.0.2.10:8554/main", "192.0.2.10", 8554, "rtsp://192.0.2.10:8554/main"),
        ("the default port", "rtsp://cam.local/", "cam.local", 554, "rtsp://cam.local/"),
        ("TLS", "rtsps://cam/x", "cam", 322, "rtsps://cam/x"),
        ("capitals in the scheme", "RTSP://cam/x", "cam", 554, "rtsp://cam/x"),
        ("no path", "rtsp://cam", "cam", 554, "rtsp://cam"),
        ("IPv6", "rtsp://[2001:db8::7]:554/a", "2001:db8::7", 554, "rtsp://[2001:db8::7]:554/a"),
        ("IPv6 with a zone", "rtsp://[fe80::1%eth0]/a", "fe80::1%eth0", 554, "rtsp://[fe80::1%eth0]/a"),
        ("a query", "rtsp://cam/h264?ch=1&subtype=0", "cam", 554, "rtsp://cam/h264?ch=1&subtype=0"),
        ("a query without a path", "rtsp://cam?ch=1", "cam", 554, "rtsp://cam?ch=1"),
    ];
    for (name, text, host, port, shown) in cases {
        let parsed = parse(text);
        assert_eq!((parsed.url.host(), parsed.url.port()), (host, port), "{name}");
        assert_eq!(parsed.url.to_string(), shown, "{name}");
        assert_eq!(parsed.url.location(), shown, "{name}: nothing is left out of what is connected to");
        assert!(parsed.userinfo.is_none() && !parsed.url.holds_secret(), "{name}");
        assert_eq!(parsed.url.is_tls(), shown.starts_with("rtsps"), "{name}");
    }
}

#[test]
fn one_stream_has_many_spellings() {
    let same = [
        ("as it is", "rtsp://cam/main", "rtsp://cam/main"),
        ("the default port", "rtsp://cam/main", "rtsp://cam:554/main"),
        ("the default port of TLS", "rtsps://cam/main", "rtsps://cam:322/main"),
        ("capitals in host and scheme", "rtsp://cam.local/main", "RTSP://Cam.LOCAL/main"),
        ("a slash at the end", "rtsp://cam/main", "rtsp://cam/main/"),
        ("no path", "rtsp://cam", "rtsp://cam:554/"),
        ("a slash before a query", "rtsp://cam/a?ch=1", "rtsp://cam/a/?ch=1"),
        ("a user", "rtsp://cam/main", "rtsp://viewer:x@cam/main"),
        ("IPv6", "rtsp://[2001:db8::7]/a", "rtsp://[2001:DB8:0::7]:554/a"),
    ];
    let other = [
        ("another port", "rtsp://cam/main", "rtsp://cam:555/main"),
        ("TLS", "rtsp://cam:554/main", "rtsps://cam:554/main"),
        ("capitals in the path", "rtsp://cam/main", "rtsp://cam/Main"),
        ("another query", "rtsp://cam/a?ch=1", "rtsp://cam/a?ch=2"),
        ("a query", "rtsp://cam/a", "rtsp://cam/a?ch=1"),
        ("another host", "rtsp://cam/main", "rtsp://cam2/main"),
        ("another address", "rtsp://[2001:db8::7]/a", "rtsp://[2001:db8::8]/a"),
    ];
    for (cases, expected) in [(&same[..], true), (&other[..], false)] {
        for (name, one, another) in cases {
            let (one, another) = (parse(one).url, parse(another).url);
            let found = (one.is_same_stream(&another), another.is_same_stream(&one));
            assert_eq!(found, (expected, expected), "{name}");
        }
    }
}

#[test]
fn user_and_password_are_taken_out() {
    let cases = [
        ("a plain pair", "rtsp://viewer:canary@cam/x", "viewer", "canary"),
        ("a password with an escaped @", "rtsp://viewer:can%40ary@cam/x", "viewer", "can@ary"),
        ("a password with a bare @", "rtsp://viewer:can@ary@cam/x", "viewer", "can@ary"),
        ("a password with a colon", "rtsp://viewer:can:ary@cam/x", "viewer", "can:ary"),
        ("an empty password", "rtsp://viewer:@cam/x", "viewer", ""),
        ("a user alone", "rtsp://viewer@cam/x", "viewer", ""),
    ];
    for (name, text, user, password) in cases {
        let parsed = parse(text);
        assert_eq!(parsed.to_string(), "rtsp://***@cam/x", "{name}");
        assert_eq!(parsed.url.location(), "rtsp://cam/x", "{name}");
        assert_eq!(format!("{:?}", parsed.url), "RtspUrl(rtsp://cam/x)", "{name}");
        let userinfo = parsed.userinfo.unwrap_or_else(|| panic!("{name}: no userinfo"));
        assert_eq!((userinfo.user.as_str(), userinfo.password.expose()), (user, password), "{name}");
    }
}

#[test]
fn a_password_in_path_or_query_is_kept_but_not_shown() {
    let cases = [
        ("a query", "rtsp://cam/x?user=a&password=canary&ch=1", "rtsp://cam/x?user=***&password=***&ch=1"),
        ("a path", "rtsp://cam/user=a&Password=canary&ch=1", "rtsp://cam/user=***&Password=***&ch=1"),
        ("underscores", "rtsp://cam/user=a_password=canary_ch=1", "rtsp://cam/user=***"),
        ("a token", "rtsp://cam/x?authToken=canary", "rtsp://cam/x?authToken=***"),
        ("a key of the maker's own", "rtsp://cam/x?loginkey=canary", "rtsp://cam/x?***"),
        ("behind a harmless key", "rtsp://cam/ch=1_pwd=canary", "rtsp://cam/ch=***"),
        ("a hash inside it", "rtsp://cam/x?pwd=can#ary", "rtsp://cam/x?pwd=***"),
        ("an equals sign inside it", "rtsp://cam/x?pwd=can=ary", "rtsp://cam/x?pwd=***"),
    ];
    for (name, text, shown) in cases {
        let parsed = parse(text);
        assert_eq!(parsed.url.to_string(), shown, "{name}");
        assert_eq!(parsed.url.location(), text, "{name}");
        assert!(parsed.url.holds_secret(), "{name}");
    }
}

#[test]
fn what_is_not_known_to_be_harmless_is_not_shown() {
    let cases = [
        ("an unknown key", "rtsp://cam/x?wd=canary&ch=1", "rtsp://cam/x?***&ch=1"),
        ("a query without a key", "rtsp://cam/x?canary", "rtsp://cam/x?***"),
        ("a key in the path", "rtsp://cam/a/wd=canary/b", "rtsp://cam/a/***/b"),
    ];
    for (name, text, shown) in cases {
        let parsed = parse(text);
        assert_eq!(parsed.url.to_string(), shown, "{name}");
        assert_eq!(parsed.url.location(), text, "{name}");
        assert!(!parsed.url.holds_secret(), "{name}: nothing to warn of");
    }
}

#[test]
fn what_is_no_url_of_a_stream() {
    let cases = [
        ("nothing", "", UrlError::Empty),
        ("no scheme", "192.0.2.1/main", UrlError::NoScheme),
        ("a user where the scheme belongs", "viewer:canary@cam://x", UrlError::NoScheme),
        ("a web page", "http://cam/x", UrlError::Scheme("http".to_owned())),
        ("a transport in the scheme", "rtspt://cam/x", UrlError::Scheme("rtspt".to_owned())),
        ("no host", "rtsp:///main", UrlError::NoHost),
        ("no host but a port", "rtsp://:554/main", UrlError::NoHost),
        ("no host but a password", "rtsp://viewer:canary@/main", UrlError::NoHost),
        ("a host with a space", "rtsp://cam one/", UrlError::Character),
        ("an umlaut", "rtsp://kamera-tür/", UrlError::Character),
        ("a line end", "rtsp://cam/\n", UrlError::Character),
        ("a host with a comma", "rtsp://cam,era/", UrlError::Host),
        ("a host that begins with a hyphen", "rtsp://-cam/", UrlError::Host),
        ("a broken IPv6 address", "rtsp://[2001:db8::zz]/", UrlError::Host),
        ("an open bracket", "rtsp://[2001:db8::1/", UrlError::Host),
        ("port 0", "rtsp://cam:0/", UrlError::Port),
        ("port 65536", "rtsp://cam:65536/", UrlError::Port),
        ("no digits after the colon", "rtsp://cam:/", UrlError::Port),
        ("a password cut by its own slash", "rtsp://viewer:can/ary@cam/", UrlError::Port),
        ("a password cut by its own hash", "rtsp://viewer:can#ary@cam/", UrlError::Port),
        ("a password that is a port, cut by its slash", "rtsp://viewer:1234/ary@cam/", UrlError::At),
        ("a user cut by its own hash", "rtsp://view#er:canary@cam/", UrlError::At),
        ("a bad escape in the password", "rtsp://viewer:can%zz@cam/", UrlError::Userinfo),
        ("an escape that makes no text", "rtsp://viewer:%ff%fe@cam/", UrlError::Userinfo),
        ("no user before the colon", "rtsp://:canary@cam/", UrlError::Userinfo),
    ];
    for (name, text, expected) in cases {
        let error = RtspUrl::parse(text).err().unwrap_or_else(|| panic!("{name}: was taken"));
        assert_eq!(error, expected, "{name}");
        assert!(
            !format!("{error} {error:?} {:?}", error.hint()).contains("ary"),
            "{name}: shows the password"
        );
    }
    let long = format!("rtsp://cam/{}", "x".repeat(MAX_URL));
    assert_eq!(RtspUrl::parse(&long).err(), Some(UrlError::TooLong));
}

proptest! {
    #[test]
    fn no_text_makes_it_panic(text in any::<String>()) {
        let _ = RtspUrl::parse(&text);
    }

    #[test]
    fn any_password_comes_back_and_is_never_shown(password in "[!-~]{6,20}") {
        let escaped: String = password.bytes().map(|byte| format!("%{byte:02X}")).collect();
        let parsed = parse(&format!("rtsp://viewer:{escaped}@192.0.2.1/x"));
        prop_assert_eq!(parsed.to_string(), "rtsp://***@192.0.2.1/x");
        let userinfo = parsed.userinfo.expect("it was written");
        prop_assert_eq!(userinfo.password.expose(), password);
    }
}
