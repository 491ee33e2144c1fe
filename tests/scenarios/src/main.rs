//! `story FILE...`: tells stories to the core and prints what comes of them.

use holdfast_scenarios::parse::parse;
use holdfast_scenarios::run::run;
use std::process::ExitCode;

fn main() -> ExitCode {
    let files: Vec<String> = std::env::args().skip(1).collect();
    if files.is_empty() {
        eprintln!("usage: story FILE...   tells stories to the core and prints what comes of them");
        return ExitCode::from(2);
    }
    let mut failed = false;
    for file in files {
        let story = match std::fs::read_to_string(&file) {
            Err(error) => Err(vec![format!("{file}: cannot be read: {error}")]),
            Ok(text) => parse(&text).map_err(|problems| {
                problems.iter().map(|problem| format!("{file}:{problem}")).collect::<Vec<_>>()
            }),
        };
        let complaints = match story {
            Err(complaints) => complaints,
            Ok(story) => {
                let outcome = run(&story);
                print!("{}", outcome.golden);
                let tell = |(line, what): &(usize, String)| format!("{file}:{line}: {what}");
                outcome.failures.iter().map(tell).collect()
            }
        };
        failed |= !complaints.is_empty();
        complaints.iter().for_each(|complaint| eprintln!("{complaint}"));
    }
    if failed { ExitCode::FAILURE } else { ExitCode::SUCCESS }
}
