//! A configuration file: whatever its text, all problems are told, and none that is said twice or points outside of the file.

use holdfast::config::{self, Severity};
use std::path::Path;

/// Checks the text of a configuration. It may name a secrets file: that is looked for where there is none.
pub fn run(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else { return };
    let nowhere = Path::new("/nonexistent");
    let checked = config::check("holdfast.toml", text, nowhere, Some(nowhere));
    assert_eq!(
        checked.config.is_none(),
        checked.errors() > 0,
        "a configuration is used if and only if it has no error"
    );
    assert_eq!(checked.errors() + checked.warnings(), checked.problems.len());
    for problem in &checked.problems {
        assert!(!problem.one_line().contains('\n'), "{:?}", problem.one_line());
        assert!(!problem.to_string().is_empty());
        assert!(matches!(problem.severity, Severity::Error | Severity::Warning));
    }
    if let Some(config) = &checked.config {
        // What `Debug` shows goes into logs.
        let shown = format!("{config:?}");
        for camera in &config.cameras {
            let Some(credentials) = &camera.credentials else { continue };
            let password = credentials.password.expose();
            // A short one is found anywhere, "e" for one.
            assert!(
                password.len() < 8 || text.matches(password).count() > 1 || !shown.contains(password),
                "{shown}"
            );
        }
    }
    let _ = config::parse_duration(text).map(config::show_duration);
    let _ = config::parse_size(text).map(config::show_size);
}
