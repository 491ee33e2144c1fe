//! Runs worlds.
use core::time::Duration;
use holdfast_sim::{Plan, run};
fn main() {
    let args: Vec<u64> = std::env::args().skip(1).map(|a| a.parse().unwrap()).collect();
    let (from, to, hours) = (args[0], args[1], args[2]);
    let lines = args.get(3).copied().unwrap_or(0) as usize;
    for seed in from..to {
        let begun = std::time::Instant::now();
        let report = run(Plan { seed, span: Duration::from_secs(hours * 3600), cameras: 32 }, None);
        println!("seed {seed}: {:.2?} {:?}", begun.elapsed(), report.tally);
        if let Some((violation, log)) = report.broken {
            let skip = log.len().saturating_sub(lines);
            for line in log.iter().skip(skip) {
                println!("   {line}");
            }
            println!("  BROKEN {violation}");
        }
    }
}
