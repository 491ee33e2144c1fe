//! Rounds to a verdict: medians, ratios to the rivals, targets; a table for people and JSON for programs.

use super::contender::Contender;
use super::round::Round;
use crate::clip::ClipSpec;
use std::fmt::Write as _;

/// CPU, as a multiple of the plain gst-launch pipeline's.
pub const MOST_CPU_RATIO: f64 = 1.1;
/// Peak resident memory beside what the rings hold, bytes.
pub const MOST_MEMORY: f64 = 40e6;
/// Write calls, a second and camera.
pub const MOST_WRITE_CALLS: f64 = 3.0;

/// What the figures are and are not, for who reads the JSON alone.
const NOTES: [&str; 5] = [
    "cpu_percent: user and system time of all processes and threads; 100 is one core. Work that the kernel does on its own threads (writeback of files that nobody syncs) is in nobody's figure; a sync is in that of the one who calls it, and of the three only Holdfast syncs",
    "peak_rss_bytes: VmHWM, summed over processes: pages that processes share count for each. pss_bytes shares them out",
    "write_calls_per_second: syscw of /proc/PID/io: write and its like on files, pipes and event descriptors, not send on sockets",
    "held_bytes: the fullest moment of all rings together as `holdfast run` shows it every 10 s; the true peak may be higher, which makes the target stricter",
    "frames_recorded: frames sent in the window whose marks were found again in the contender's files",
];

/// All rounds of one contender.
#[derive(Clone, Debug, serde::Serialize)]
pub struct Series {
    /// Whose.
    pub contender: Contender,
    /// In the order in which they were run.
    pub rounds: Vec<Round>,
}

/// The medians of the rounds that count.
#[derive(Clone, Copy, Debug, PartialEq, serde::Serialize)]
pub struct Figures {
    /// See [`Round`], for this and all others.
    pub cpu_percent: f64,
    /// The least and the most of all rounds: how far the machine was quiet.
    pub cpu_percent_range: (f64, f64),
    /// Bytes.
    pub peak_rss_bytes: f64,
    /// Bytes.
    pub pss_bytes: f64,
    /// A second.
    pub write_calls_per_second: f64,
    /// A second.
    pub written_bytes_per_second: f64,
    /// A second.
    pub disk_bytes_per_second: f64,
    /// A second.
    pub wake_ups_per_second: f64,
    /// Threads.
    pub threads: f64,
    /// A second.
    pub syncs_per_second: Option<f64>,
    /// Bytes.
    pub held_bytes: Option<f64>,
    /// Over all rounds.
    pub frames_sent: usize,
    /// Over all rounds.
    pub frames_recorded: usize,
}

impl Series {
    /// `None` if every round was void.
    pub fn figures(&self) -> Option<Figures> {
        let counting: Vec<&Round> = self.rounds.iter().filter(|round| round.void.is_empty()).collect();
        let of = |figure: fn(&Round) -> f64| median(counting.iter().map(|round| figure(round)).collect());
        let cpu: Vec<f64> = counting.iter().map(|round| round.cpu_percent).collect();
        let range = (cpu.iter().copied().reduce(f64::min)?, cpu.iter().copied().reduce(f64::max)?);
        let held = counting.iter().filter_map(|round| round.held_bytes).map(|bytes| bytes as f64).collect();
        Some(Figures {
            cpu_percent: median(cpu)?,
            cpu_percent_range: range,
            peak_rss_bytes: of(|round| round.peak_rss_bytes as f64)?,
            pss_bytes: of(|round| round.pss_bytes as f64)?,
            write_calls_per_second: of(|round| round.write_calls_per_second)?,
            written_bytes_per_second: of(|round| round.written_bytes_per_second)?,
            disk_bytes_per_second: of(|round| round.disk_bytes_per_second)?,
            wake_ups_per_second: of(|round| round.wake_ups_per_second)?,
            threads: of(|round| round.threads as f64)?,
            syncs_per_second: median(counting.iter().filter_map(|round| round.syncs_per_second).collect()),
            held_bytes: median(held),
            frames_sent: counting.iter().map(|round| round.frames_sent).sum(),
            frames_recorded: counting.iter().map(|round| round.frames_recorded).sum(),
        })
    }
}

fn median(mut values: Vec<f64>) -> Option<f64> {
    values.sort_by(f64::total_cmp);
    let middle = values.len() / 2;
    match (values.get(middle), values.len() % 2) {
        (Some(upper), 0) => Some((values[middle - 1] + upper) / 2.0), // an even count that is not 0
        (upper, _) => upper.copied(),
    }
}

/// One promise about the figures.
#[derive(Clone, Debug, PartialEq, serde::Serialize)]
pub struct Target {
    /// What is promised.
    pub what: &'static str,
    /// What was measured; `None` if it could not be.
    pub figure: Option<f64>,
    /// The most that it may be.
    pub limit: f64,
    /// Whether it is kept.
    pub met: bool,
}

impl Target {
    fn new(what: &'static str, figure: Option<f64>, limit: f64) -> Self {
        Target { what, figure, limit, met: figure.is_some_and(|figure| figure <= limit) }
    }
}

/// The load that all contenders were given.
#[derive(Clone, Debug, serde::Serialize)]
pub struct Load {
    /// How many cameras.
    pub cameras: usize,
    /// What each of them sends.
    pub video: ClipSpec,
}

/// Everything that a run of the bench found.
#[derive(Clone, Debug, serde::Serialize)]
pub struct Report {
    /// What was recorded.
    pub load: Load,
    /// Seconds of a window.
    pub window_seconds: u64,
    /// Every round of every contender.
    pub series: Vec<Series>,
    /// Medians, in the order of `series`.
    pub figures: Vec<Option<Figures>>,
    /// Holdfast held against the issue.
    pub targets: Vec<Target>,
    /// How to read it.
    pub notes: [&'static str; NOTES.len()],
}

impl Report {
    /// Of these rounds.
    pub fn new(load: Load, window_seconds: u64, series: Vec<Series>) -> Self {
        let figures: Vec<Option<Figures>> = series.iter().map(Series::figures).collect();
        let of = |contender| {
            let at = series.iter().position(|series: &Series| series.contender == contender)?;
            figures.get(at).copied().flatten()
        };
        let (ours, plain) = (of(Contender::Holdfast), of(Contender::GstLaunch));
        let cpu = ours.zip(plain).map(|(ours, plain)| ours.cpu_percent / plain.cpu_percent);
        let memory = ours.map(|ours| ours.peak_rss_bytes - ours.held_bytes.unwrap_or(0.0));
        let calls = ours.map(|ours| ours.write_calls_per_second / load.cameras.max(1) as f64);
        let targets = vec![
            Target::new("CPU, as a multiple of gst-launch's", cpu, MOST_CPU_RATIO),
            Target::new("peak RSS beside the rings, MB", memory.map(mega), mega(MOST_MEMORY)),
            Target::new("write calls a second and camera", calls, MOST_WRITE_CALLS),
        ];
        Report { load, window_seconds, series, figures, targets, notes: NOTES }
    }

    /// Whether every target is kept and every contender has figures.
    pub fn passed(&self) -> bool {
        self.targets.iter().all(|target| target.met) && self.figures.iter().all(Option::is_some)
    }

    /// For people.
    pub fn table(&self) -> String {
        let ClipSpec { width, height, fps, kbits, .. } = self.load.video;
        let mut text = format!(
            "{} cameras, {width}x{height}, {fps} frames/s, {:.1} Mb/s, H.264, TCP on loopback; medians of windows of {} s\n\n",
            self.load.cameras,
            f64::from(kbits) / 1000.0,
            self.window_seconds
        );
        text.push_str(&row(
            None,
            &[
                "CPU %",
                "CPU range",
                "peak RSS MB",
                "PSS MB",
                "writes/s",
                "MB/s written",
                "wake-ups/s",
                "threads",
                "frames",
            ]
            .map(str::to_owned),
        ));
        for (series, figures) in self.series.iter().zip(&self.figures) {
            text.push_str(&match figures {
                Some(figures) => row(Some(series.contender), &figures.cells()),
                None => format!("{:<12} no figure: every round was void\n", series.contender.name()),
            });
        }
        self.ratios(&mut text);
        for series in &self.series {
            for (at, round) in series.rounds.iter().enumerate() {
                for reason in &round.void {
                    put(&mut text, &format!("void: {}, round {}: {reason}", series.contender.name(), at + 1));
                }
            }
        }
        text.push('\n');
        if let Some(Some(ours)) = self.figures.first() {
            let held = ours.held_bytes.map_or("unknown".to_owned(), |bytes| format!("{:.1} MB", mega(bytes)));
            let syncs =
                ours.syncs_per_second.map_or("not countable here".to_owned(), |rate| format!("{rate:.1}/s"));
            put(
                &mut text,
                &format!(
                    "holdfast: its rings held up to {held}; syncs: {syncs} (with strace, after the window)"
                ),
            );
        }
        for target in &self.targets {
            let figure = target.figure.map_or("unknown".to_owned(), |figure| format!("{figure:.2}"));
            let verdict = if target.met { "kept  " } else { "MISSED" };
            put(&mut text, &format!("{verdict}  {}: {figure}, at most {}", target.what, target.limit));
        }
        text
    }

    /// Holdfast's figures as multiples of its rivals'.
    fn ratios(&self, text: &mut String) {
        let Some(Some(ours)) = self.figures.first() else { return };
        for (series, rival) in self.series.iter().zip(&self.figures).skip(1) {
            let Some(rival) = rival else { continue };
            put(
                text,
                &format!(
                    "holdfast : {:<10}  CPU {}, peak RSS {}, PSS {}, writes {}, wake-ups {}",
                    series.contender.name(),
                    ratio(ours.cpu_percent, rival.cpu_percent),
                    ratio(ours.peak_rss_bytes, rival.peak_rss_bytes),
                    ratio(ours.pss_bytes, rival.pss_bytes),
                    ratio(ours.write_calls_per_second, rival.write_calls_per_second),
                    ratio(ours.wake_ups_per_second, rival.wake_ups_per_second),
                ),
            );
        }
    }
}

impl Figures {
    fn cells(&self) -> [String; 9] {
        let (least, most) = self.cpu_percent_range;
        [
            format!("{:.2}", self.cpu_percent),
            format!("{least:.2}-{most:.2}"),
            format!("{:.1}", mega(self.peak_rss_bytes)),
            format!("{:.1}", mega(self.pss_bytes)),
            format!("{:.1}", self.write_calls_per_second),
            format!("{:.2}", mega(self.written_bytes_per_second)),
            format!("{:.0}", self.wake_ups_per_second),
            format!("{:.0}", self.threads),
            format!("{}/{}", self.frames_recorded, self.frames_sent),
        ]
    }
}

fn row(contender: Option<Contender>, cells: &[String; 9]) -> String {
    let mut line = format!("{:<12}", contender.map_or("", Contender::name));
    for cell in cells {
        // Writing to a string cannot fail.
        let _ = write!(line, " {cell:>12}");
    }
    line + "\n"
}

fn ratio(ours: f64, theirs: f64) -> String {
    if theirs > 0.0 { format!("{:.2}", ours / theirs) } else { "-".to_owned() }
}

fn mega(bytes: f64) -> f64 {
    bytes / 1e6
}

fn put(text: &mut String, line: &str) {
    text.push_str(line);
    text.push('\n');
}

#[cfg(test)]
mod tests {
    use super::*;

    fn round(cpu_percent: f64) -> Round {
        Round {
            seconds: 60.0,
            cpu_percent,
            peak_rss_bytes: 45_000_000,
            write_calls_per_second: 18.0,
            held_bytes: Some(6_000_000),
            frames_sent: 100,
            frames_recorded: 100,
            ..Round::default()
        }
    }

    fn report(ours: Vec<Round>, plain: Vec<Round>) -> Report {
        let load = Load { cameras: 6, video: ClipSpec::bench() };
        let series = [
            (Contender::Holdfast, ours),
            (Contender::Ffmpeg, vec![round(5.0)]),
            (Contender::GstLaunch, plain),
        ];
        Report::new(load, 60, series.map(|(contender, rounds)| Series { contender, rounds }).into())
    }

    fn missed(report: &Report) -> Vec<&'static str> {
        report.targets.iter().filter(|target| !target.met).map(|target| target.what).collect()
    }

    #[test]
    fn each_target_fails_by_itself_and_is_named() {
        const CPU: &str = "CPU, as a multiple of gst-launch's";
        const MEMORY: &str = "peak RSS beside the rings, MB";
        const CALLS: &str = "write calls a second and camera";
        let cases: [(&str, Round, &[&str]); 5] = [
            ("all at their limits", round(11.0), &[]),
            ("too much CPU", round(11.1), &[CPU]),
            ("too much memory", Round { peak_rss_bytes: 46_100_000, ..round(9.0) }, &[MEMORY]),
            ("what the rings hold is not told", Round { held_bytes: None, ..round(9.0) }, &[MEMORY]),
            ("too many calls", Round { write_calls_per_second: 18.1, ..round(9.0) }, &[CALLS]),
        ];
        for (name, ours, expected) in cases {
            let report = report(vec![ours], vec![round(10.0)]);
            assert_eq!(missed(&report), expected, "{name}");
            assert_eq!(report.passed(), expected.is_empty(), "{name}");
            for target in expected {
                assert!(
                    report.table().contains(&format!("MISSED  {target}: ")),
                    "{name}: {}",
                    report.table()
                );
            }
        }
    }

    #[test]
    fn a_void_round_is_left_out_and_told_and_a_contender_without_rounds_fails_the_bench() {
        let void = || Round { void: vec!["a camera fell 900 ms behind".to_owned()], ..round(1.0) };
        let some = report(vec![round(12.0), void(), round(10.0)], vec![round(10.0)]);
        assert_eq!(some.figures[0].map(|figures| figures.cpu_percent), Some(11.0));
        assert!(
            some.table().contains("void: holdfast, round 2: a camera fell 900 ms behind"),
            "{}",
            some.table()
        );
        assert!(some.passed());

        let none = report(vec![round(10.0)], vec![void()]);
        assert!(!none.passed(), "nothing to compare with is no success");
        assert!(none.table().contains("gst-launch   no figure: every round was void"), "{}", none.table());
    }

    #[test]
    fn the_median_is_that_of_the_middle() {
        let cases: [(&str, &[f64], Option<f64>); 4] = [
            ("none", &[], None),
            ("one", &[3.0], Some(3.0)),
            ("two", &[4.0, 2.0], Some(3.0)),
            ("three, one far off", &[2.0, 90.0, 1.0], Some(2.0)),
        ];
        for (name, values, expected) in cases {
            assert_eq!(median(values.to_vec()), expected, "{name}");
        }
    }

    #[test]
    fn the_json_has_every_round_and_the_verdict() {
        let json = serde_json::to_value(report(vec![round(11.0), round(12.0)], vec![round(10.0)])).unwrap();
        assert_eq!(json["series"][0]["contender"], "holdfast");
        assert_eq!(json["series"][0]["rounds"][1]["cpu_percent"], 12.0);
        assert_eq!(json["figures"][2]["cpu_percent"], 10.0);
        assert_eq!(json["targets"][0]["met"], false);
        assert_eq!(json["load"]["video"]["kbits"], 4000);
    }
}
