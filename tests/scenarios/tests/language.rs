//! What a story that is not understood is told: each problem with its line, what is wrong and what is allowed.

use holdfast_scenarios::parse::parse;
use holdfast_scenarios::run::run;

/// The problems of a story, one a line, without what is allowed.
fn problems(text: &str) -> Vec<String> {
    match parse(text) {
        Ok(_) => Vec::new(),
        Err(problems) => {
            problems.iter().map(|problem| format!("{}: {}", problem.line, problem.what)).collect()
        }
    }
}

#[test]
fn a_line_that_is_not_understood_says_what_is_wrong() {
    let cases = [
        ("a verb of no camera", "gate explodes", "a camera does not \"explodes\""),
        ("a verb of no volume", "disk-a explodes", "a volume does not \"explodes\""),
        ("a name that nobody has", "gte fails: bye", "\"gte fails: bye\" is not understood"),
        ("a failure that is none", "gate fails: sadness", "\"sadness\" is no failure of a camera"),
        ("a fault that is none", "disk-a fails: sadness", "\"sadness\" is no fault of a volume"),
        ("a length that is none", "after ten", "\"ten\" is no length of time"),
        ("a step that is none", "clock steps 2h", "\"2h\" is no step of a clock"),
        ("a second start of the cast", "cameras shed", "\"cameras shed\" comes after the start"),
        ("an alarm that is none", "expect alarm fire", "\"fire\" is no alarm"),
        ("an alarm of nothing", "expect alarm camera-lost", "camera-lost of what?"),
        ("a status that is none", "expect gate happy", "\"happy\" is no status of a camera"),
        ("a cause that is none", "expect gate misses at most 1s of luck", "\"luck\" is no cause"),
        ("a fallback that is none", "gate's fallback fails: bye", "gate has no fallback stream"),
        ("what is not waited for", "expect gate misses nothing within 5s", "this is not waited for"),
        ("a path like a disk", "disk-a is exchanged for an empty one", "disk-a is a path, no disk"),
    ];
    for (case, line, what) in cases {
        let text = format!("# A story\ncameras gate\nvolumes disk-a\nstart\n{line}\n");
        assert_eq!(problems(&text), [format!("5: {what}")], "{case}");
    }
}

#[test]
fn all_problems_of_a_story_are_told_at_once_each_with_what_is_allowed() {
    let text = "cameras gate gate\nvolumes Disk\nstart\ngate goes away\n";
    let problems = parse(text).expect_err("it is wrong");
    let lines: Vec<_> = problems.iter().map(|problem| problem.line).collect();
    assert_eq!(lines, [1, 1, 2, 4], "{problems:#?}");
    assert!(problems.iter().all(|problem| !problem.allowed.is_empty()), "{problems:#?}");
}

#[test]
fn a_story_has_a_title_and_expects_something() {
    assert_eq!(problems("cameras gate\nstart\nexpect alive\n"), ["1: it has no title"]);
    let careless = problems("# A story\ncameras gate\nstart\n");
    assert_eq!(careless, ["3: it expects nothing, so a careless bless could hide a loss"]);
}

#[test]
fn what_is_not_as_expected_is_told_with_its_line_and_what_is_so_instead() {
    let cases = [
        ("a status", "expect gate backing off within 2s", "at 7.0: gate is recording"),
        ("a volume's status", "expect disk-a absent", "at 5.0: disk-a is ready"),
        (
            "what is missing",
            "expect gate misses at least 1m",
            "at 5.0: gate misses 0.3 s: 0.3 s (connecting after start)",
        ),
        ("an alarm", "expect alarm network", "at 5.0: there is no alarm"),
        ("where footage goes", "expect footage to nowhere", "at 5.0: it goes to disk-a"),
        ("attempts", "expect gate tried at least 2 times", "at 5.0: gate was tried 1 times"),
        ("words that were told", "expect not told is recording", "at 5.0: a line has these words"),
    ];
    for (case, line, instead) in cases {
        let text = format!("# A story\ncameras gate\nvolumes disk-a\nstart\nafter 5s\n{line}\n");
        let outcome = run(&parse(&text).expect("it is right"));
        assert_eq!(outcome.failures, [(6, format!("{line}\n    {instead}"))], "{case}");
    }
}
