//! The check of a filesystem before it is mounted: which program, how long, and what its answer means.

use crate::volumes::report::Check;
use holdfast_core::disk::Filesystem;
use std::io::{self, Read};
use std::path::Path;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::thread;
use std::time::{Duration, Instant};

/// How long a check may take. A journal is replayed in a second; a whole check of a terabyte of exFAT on a slow stick was seen to
/// take minutes. Longer than this a disk would be lost for recording anyway, and a person should look at it.
pub const DEADLINE: Duration = Duration::from_secs(600);

/// How long a program that was asked to end has for it.
const GRACE: Duration = Duration::from_secs(5);

/// Most bytes that are kept of what a program said.
const MAX_SAID: u64 = 16 * 1024;

/// What a check found, and in which words.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Checked {
    /// What it found.
    pub check: Check,
    /// What the program said, for the log: its last lines, on one.
    pub said: String,
}

/// Checks the filesystem on `device`, which must not be mounted, and mends what can be mended without a question.
pub fn check(filesystem: Filesystem, device: &Path, deadline: Duration) -> Checked {
    let program = filesystem.properties().check;
    let mut command = Command::new(program.program);
    command.args(program.arguments).arg(device);
    match run(command, deadline) {
        Ok(Ended { status: None, said }) => Checked { check: Check::TimedOut, said },
        Ok(Ended { status: Some(status), said }) => {
            let check = match meaning(filesystem, status.code()) {
                Check::Mended if filesystem == Filesystem::Vfat && !is_sound_fat(device, deadline) => {
                    Check::Unchecked
                }
                check => check,
            };
            Checked { check, said }
        }
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            Checked { check: Check::NoProgram, said: format!("{} is not installed", program.program) }
        }
        Err(error) => Checked { check: Check::Unchecked, said: format!("{}: {error}", program.program) },
    }
}

/// fsck.vfat ends with 1 after mending, and also when it gave up. A second look, at which it changes nothing, tells the two apart.
fn is_sound_fat(device: &Path, deadline: Duration) -> bool {
    let mut command = Command::new(Filesystem::Vfat.properties().check.program);
    command.arg("-n").arg(device);
    run(command, deadline).is_ok_and(|ended| ended.status.is_some_and(|status| status.success()))
}

/// What a program's exit code means; `None` if a signal ended it.
///
/// e2fsck, fsck.exfat and fsck.f2fs answer as fsck(8) says, in bits: 1 mended, 2 mended and the machine is to be started anew,
/// 4 damage left, 8 could not work, 16 asked wrongly, 32 cancelled, 128 no library. fsck.vfat has two codes of its own.
pub fn meaning(filesystem: Filesystem, code: Option<i32>) -> Check {
    match (filesystem, code) {
        (_, Some(0)) => Check::Clean,
        (_, None) => Check::Unchecked,
        (Filesystem::Vfat, Some(1)) => Check::Mended,
        (Filesystem::Vfat, Some(_)) => Check::Unchecked,
        (Filesystem::Ext4 | Filesystem::Exfat | Filesystem::F2fs, Some(code)) => match code {
            _ if code & 4 != 0 => Check::LeftDamaged,
            _ if code & (8 | 16 | 32 | 128) != 0 => Check::Unchecked,
            _ if code & 3 != 0 => Check::Mended,
            _ => Check::Unchecked, // no bit that is known
        },
    }
}

/// Whether a filesystem may be mounted after that. What could not be checked may: the kernel makes it read-only at the first
/// damage it meets, and footage is worth the try. What is known to be damaged may not, nor what a check was stopped in.
pub fn may_mount(check: Check) -> bool {
    match check {
        Check::Clean | Check::Mended | Check::NoProgram | Check::Unchecked => true,
        Check::LeftDamaged | Check::TimedOut => false,
    }
}

/// How a program ended, and what it said.
pub(super) struct Ended {
    /// `None`: it did not end in time.
    pub status: Option<ExitStatus>,
    /// What it said on standard output and error.
    pub said: String,
}

/// Runs a program with a deadline. One that does not end is asked to (SIGTERM), then made to; one that even then
/// hangs in the kernel is left behind: nobody may wait for it.
pub(super) fn run(mut command: Command, deadline: Duration) -> io::Result<Ended> {
    command.env("LC_ALL", "C").stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn()?;
    let (out, err) = (gather(child.stdout.take()), gather(child.stderr.take()));
    let mut status = wait(&mut child, deadline)?;
    if status.is_none() {
        if let Some(pid) = i32::try_from(child.id()).ok().and_then(rustix::process::Pid::from_raw) {
            // Gone already, or ours: there is nothing to be done about an error.
            let _ = rustix::process::kill_process(pid, rustix::process::Signal::TERM);
        }
        if wait(&mut child, GRACE)?.is_none() {
            let _ = child.kill();
            if wait(&mut child, GRACE)?.is_none() {
                return Ok(Ended { status: None, said: "it hangs in the kernel".to_owned() });
            }
        }
        status = None;
    }
    let said = [out, err].into_iter().flatten().filter_map(|thread| thread.join().ok());
    let said: Vec<u8> = said.flatten().collect();
    Ok(Ended { status, said: last_lines(&String::from_utf8_lossy(&said)) })
}

/// As [`run`], for a program whose output is read by us: standard output as it is.
pub(in crate::volumes) fn output_of(
    mut command: Command,
    deadline: Duration,
) -> io::Result<(Option<i32>, Vec<u8>)> {
    command.env("LC_ALL", "C").stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::null());
    let mut child = command.spawn()?;
    let out = gather(child.stdout.take());
    let Some(status) = wait(&mut child, deadline)? else {
        let _ = child.kill();
        let _ = wait(&mut child, GRACE)?;
        return Err(io::Error::from(io::ErrorKind::TimedOut));
    };
    Ok((status.code(), out.and_then(|thread| thread.join().ok()).unwrap_or_default()))
}

/// Most bytes of a program's output that are read by us: smartctl's longest is some 30 KiB.
const MAX_OUTPUT: u64 = 1 << 20;

fn gather<R: Read + Send + 'static>(pipe: Option<R>) -> Option<thread::JoinHandle<Vec<u8>>> {
    let mut pipe = pipe?;
    Some(thread::spawn(move || {
        let mut kept = Vec::new();
        // What goes beyond is read and dropped, so that the program does not stop at a full pipe. An error ends the reading.
        let _ = (&mut pipe).take(MAX_OUTPUT).read_to_end(&mut kept);
        let _ = io::copy(&mut pipe, &mut io::sink());
        kept
    }))
}

fn wait(child: &mut Child, deadline: Duration) -> io::Result<Option<ExitStatus>> {
    let end = Instant::now() + deadline;
    loop {
        if let Some(status) = child.try_wait()? {
            return Ok(Some(status));
        }
        if Instant::now() >= end {
            return Ok(None);
        }
        // Not waiting for a condition of ours: the system has no wait with a deadline that std knows.
        thread::sleep(Duration::from_millis(20));
    }
}

fn last_lines(text: &str) -> String {
    let most = usize::try_from(MAX_SAID).unwrap_or(usize::MAX);
    let start = text.len().saturating_sub(most);
    let text = text.get(text.ceil_char_boundary(start)..).unwrap_or_default();
    let lines: Vec<&str> = text.lines().map(str::trim).filter(|line| !line.is_empty()).collect();
    let last = lines.len().saturating_sub(4);
    lines[last..].join("; ")
}

#[cfg(test)]
mod tests {
    use super::*;
    use Filesystem::{Exfat, Ext4, F2fs, Vfat};

    #[test]
    fn each_exit_code_has_its_meaning() {
        for (case, filesystem, code, check) in [
            ("nothing found", Ext4, Some(0), Check::Clean),
            ("mended", Ext4, Some(1), Check::Mended),
            ("mended, wants a reboot", Ext4, Some(2), Check::Mended),
            ("mended in part", Ext4, Some(1 | 4), Check::LeftDamaged),
            ("damage left", Ext4, Some(4), Check::LeftDamaged),
            ("it could not open the disk", Ext4, Some(8), Check::Unchecked),
            ("wrong usage", Exfat, Some(16), Check::Unchecked),
            ("cancelled", Ext4, Some(32), Check::Unchecked),
            ("a library is missing", F2fs, Some(128), Check::Unchecked),
            ("an unknown bit", F2fs, Some(64), Check::Unchecked),
            ("exFAT mended", Exfat, Some(1), Check::Mended),
            ("exFAT damaged", Exfat, Some(4), Check::LeftDamaged),
            ("FAT clean", Vfat, Some(0), Check::Clean),
            ("FAT mended: the dirty bit alone too", Vfat, Some(1), Check::Mended),
            ("FAT: wrong usage or no FAT at all", Vfat, Some(2), Check::Unchecked),
            ("killed by a signal", Ext4, None, Check::Unchecked),
        ] {
            assert_eq!(meaning(filesystem, code), check, "{case}");
        }
    }

    #[test]
    fn only_known_damage_keeps_a_disk_from_being_mounted() {
        let may: Vec<bool> = [
            Check::Clean,
            Check::Mended,
            Check::NoProgram,
            Check::Unchecked,
            Check::LeftDamaged,
            Check::TimedOut,
        ]
        .map(may_mount)
        .to_vec();
        assert_eq!(may, [true, true, true, true, false, false]);
    }

    fn shell(script: &str) -> Command {
        let mut command = Command::new("sh");
        command.args(["-c", script]);
        command
    }

    #[test]
    fn a_program_that_does_not_end_is_ended_and_what_it_said_is_kept() {
        let began = Instant::now();
        let ended = run(shell("echo checking; exec sleep 600"), Duration::from_millis(300)).unwrap();
        assert_eq!((ended.status, ended.said.as_str()), (None, "checking"));
        assert!(began.elapsed() < Duration::from_secs(300), "it was waited for");
    }

    #[test]
    fn a_program_that_says_a_lot_does_not_stop_at_a_full_pipe() {
        let script =
            "i=0; while [ $i -lt 20000 ]; do echo a line that fills the pipe $i; i=$((i+1)); done; exit 4";
        let ended = run(shell(script), Duration::from_secs(300)).unwrap();
        assert_eq!(ended.status.and_then(|status| status.code()), Some(4));
        assert!(ended.said.ends_with("a line that fills the pipe 19999"), "{}", ended.said);
        assert!(ended.said.len() < 200, "more than the last lines");
    }

    /// Makes a filesystem in an image; `None`, said, where the program for it is not installed.
    fn image(program: &str, arguments: &[&str]) -> Option<tempfile::NamedTempFile> {
        let file = tempfile::NamedTempFile::new().unwrap();
        file.as_file().set_len(80 << 20).unwrap();
        let made = Command::new(program).args(arguments).arg(file.path()).output();
        match made {
            Ok(output) => {
                assert!(output.status.success(), "{program}: {}", String::from_utf8_lossy(&output.stderr));
                Some(file)
            }
            Err(error) => {
                eprintln!("NOT TESTED: {program}: {error}");
                None
            }
        }
    }

    #[test]
    fn the_real_programs_call_a_new_filesystem_clean_and_an_empty_file_none() {
        let empty = tempfile::NamedTempFile::new().unwrap();
        empty.as_file().set_len(80 << 20).unwrap();
        for (filesystem, program, arguments) in [
            (Ext4, "mkfs.ext4", &["-q", "-F"][..]),
            (Exfat, "mkfs.exfat", &[]),
            (F2fs, "mkfs.f2fs", &["-q"]),
            (Vfat, "mkfs.vfat", &[]),
        ] {
            let Some(file) = image(program, arguments) else { continue };
            let checked = check(filesystem, file.path(), DEADLINE);
            assert_eq!(checked.check, Check::Clean, "{filesystem:?}: {}", checked.said);
            // What blkid would not have called so: the programs may answer what they like, but not that all is well.
            let nothing = check(filesystem, empty.path(), DEADLINE).check;
            assert!(
                !matches!(nothing, Check::Clean | Check::Mended),
                "{filesystem:?}: an empty file is {nothing:?}"
            );
        }
    }

    #[test]
    fn a_fat_that_was_not_unmounted_is_mended() {
        use std::os::unix::fs::FileExt;
        let Some(file) = image("mkfs.vfat", &["-F", "32"]) else { return };
        // The dirty bit of FAT32's boot sector.
        file.as_file().write_all_at(&[1], 0x41).unwrap();
        let checked = check(Vfat, file.path(), DEADLINE);
        assert_eq!(checked.check, Check::Mended, "{}", checked.said);
        assert_eq!(check(Vfat, file.path(), DEADLINE).check, Check::Clean);
    }
}
