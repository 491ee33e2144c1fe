//! Writes down when the program is built: the recorder distrusts a wall clock that is earlier.

use std::env;
use std::time::{SystemTime, UNIX_EPOCH};

fn main() {
    // SOURCE_DATE_EPOCH makes builds repeatable: https://reproducible-builds.org/specs/source-date-epoch/
    println!("cargo::rerun-if-env-changed=SOURCE_DATE_EPOCH");
    println!("cargo::rerun-if-changed=Cargo.toml");
    let built = match env::var("SOURCE_DATE_EPOCH") {
        Ok(text) => text
            .parse()
            .unwrap_or_else(|_| panic!("SOURCE_DATE_EPOCH is {text:?}, which is no number of seconds")),
        Err(_) => SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs()),
    };
    println!("cargo::rustc-env=HOLDFAST_BUILT={built}");
}
