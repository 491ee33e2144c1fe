//! The backing directory as the kernel sees it: nodes with numbers, open handles, and the calls done for real.
//!
//! Words: a **node** is a file or directory under the number that the kernel knows it by: its inode number in the
//! backing directory (the root is 1). A **handle** is a file or a listing that somebody has open.

use super::space::{BLOCK, Budget, blocks};
use crate::lock;
use fuser::{FileAttr, FileType, INodeNo};
use rustix::fs::{AtFlags, CWD, StatVfs, Timestamps, statvfs, utimensat};
use rustix::io::Errno;
use std::collections::HashMap;
use std::ffi::{OsStr, OsString};
use std::fs::{self, File, Metadata, OpenOptions, Permissions};
use std::io;
use std::os::unix::fs::{FileExt as _, MetadataExt as _, OpenOptionsExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// The number of the root.
pub(super) const ROOT: u64 = INodeNo::ROOT.0;

/// A node as it is shown: its facts, and which life of its number this is.
pub(super) struct Shown {
    pub facts: FileAttr,
    pub generation: u64,
}

/// One line of a listing.
#[derive(Clone, Debug)]
pub(super) struct Line {
    pub node: u64,
    pub kind: FileType,
    pub name: OsString,
}

/// What of a node is to be changed.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Change {
    pub mode: Option<u32>,
    pub owner: (Option<u32>, Option<u32>),
    pub length: Option<u64>,
    pub times: Option<(SystemTime, SystemTime)>,
}

#[derive(Debug)]
enum Handle {
    File { node: u64, file: Arc<File> },
    Listing(Arc<Vec<Line>>),
}

#[derive(Debug, Default)]
struct Books {
    /// Paths from the root.
    nodes: HashMap<u64, PathBuf>,
    /// How often a number was given back by deleting; the kernel must not take the next file for the last one.
    lives: HashMap<u64, u64>,
    handles: HashMap<u64, Handle>,
    next_handle: u64,
    budget: Budget,
}

/// See the module.
#[derive(Debug)]
pub(super) struct Tree {
    root: PathBuf,
    books: Mutex<Books>,
}

impl Tree {
    pub fn new(root: &Path) -> io::Result<Tree> {
        let root = root.canonicalize()?;
        let budget = Budget { used: used_below(&root)?, ..Budget::default() };
        let nodes = HashMap::from([(ROOT, PathBuf::new())]);
        Ok(Tree { root, books: Mutex::new(Books { nodes, budget, ..Books::default() }) })
    }

    pub fn set_capacity(&self, bytes: Option<u64>) {
        lock(&self.books).budget.capacity = bytes;
    }

    pub fn used(&self) -> u64 {
        lock(&self.books).budget.used
    }

    /// A node's path from the root; empty for one that the kernel has no name of, which no fault's path matches.
    pub fn path_of(&self, node: u64) -> PathBuf {
        lock(&self.books).nodes.get(&node).cloned().unwrap_or_default()
    }

    pub fn lookup(&self, parent: u64, name: &OsStr) -> io::Result<Shown> {
        self.show(self.child(parent, name)?)
    }

    pub fn stat(&self, node: u64) -> io::Result<FileAttr> {
        shown(node, &self.facts(node)?)
    }

    pub fn change(&self, node: u64, change: Change) -> io::Result<FileAttr> {
        let path = self.root.join(self.known(node)?);
        if let Some(mode) = change.mode {
            fs::set_permissions(&path, Permissions::from_mode(mode & 0o7777))?;
        }
        let (user, group) = change.owner;
        if user.is_some() || group.is_some() {
            std::os::unix::fs::chown(&path, user, group)?;
        }
        if let Some(length) = change.length {
            let from = self.facts(node)?.len();
            let mut books = lock(&self.books);
            if length > from && books.budget.grow(from, length)? < length {
                books.budget.shrink(length, from);
                return Err(Errno::NOSPC.into());
            }
            OpenOptions::new().write(true).open(&path)?.set_len(length)?;
            books.budget.shrink(from, length);
        }
        if let Some((accessed, modified)) = change.times {
            let times = Timestamps { last_access: timespec(accessed), last_modification: timespec(modified) };
            utimensat(CWD, &path, &times, AtFlags::SYMLINK_NOFOLLOW)?;
        }
        self.stat(node)
    }

    pub fn make_directory(&self, parent: u64, name: &OsStr, mode: u32) -> io::Result<Shown> {
        let path = self.child(parent, name)?;
        fs::create_dir(self.root.join(&path))?;
        fs::set_permissions(self.root.join(&path), Permissions::from_mode(mode & 0o7777))?;
        self.show(path)
    }

    pub fn remove(&self, parent: u64, name: &OsStr) -> io::Result<()> {
        let path = self.root.join(self.child(parent, name)?);
        // Until it is in the books nobody else may open the next file of this number.
        let mut books = lock(&self.books);
        let facts = fs::symlink_metadata(&path)?;
        fs::remove_file(&path)?;
        books.gone(&facts);
        Ok(())
    }

    pub fn remove_directory(&self, parent: u64, name: &OsStr) -> io::Result<()> {
        let path = self.root.join(self.child(parent, name)?);
        // Until it is in the books nobody else may open the next file of this number.
        let mut books = lock(&self.books);
        let facts = fs::symlink_metadata(&path)?;
        fs::remove_dir(&path)?;
        books.gone(&facts);
        Ok(())
    }

    pub fn rename(&self, from: (u64, &OsStr), to: (u64, &OsStr)) -> io::Result<()> {
        let (from, to) = (self.child(from.0, from.1)?, self.child(to.0, to.1)?);
        let mut books = lock(&self.books);
        let replaced = fs::symlink_metadata(self.root.join(&to)).ok();
        fs::rename(self.root.join(&from), self.root.join(&to))?;
        if let Some(facts) = replaced {
            books.gone(&facts);
        }
        for path in books.nodes.values_mut() {
            if let Ok(rest) = path.strip_prefix(&from) {
                // Joining an empty path would add a slash.
                *path = if rest.as_os_str().is_empty() { to.clone() } else { to.join(rest) };
            }
        }
        Ok(())
    }

    /// `flags` as open(2) takes them.
    pub fn open(&self, node: u64, flags: i32) -> io::Result<u64> {
        let file = open_options(flags).open(self.root.join(self.known(node)?))?;
        Ok(lock(&self.books).keep(Handle::File { node, file: Arc::new(file) }))
    }

    pub fn create(&self, parent: u64, name: &OsStr, mode: u32, flags: i32) -> io::Result<(Shown, u64)> {
        let path = self.child(parent, name)?;
        let file = open_options(flags).create_new(true).mode(mode).open(self.root.join(&path))?;
        let made = self.show(path)?;
        let handle = Handle::File { node: made.facts.ino.0, file: Arc::new(file) };
        Ok((made, lock(&self.books).keep(handle)))
    }

    pub fn read(&self, handle: u64, offset: u64, length: usize) -> io::Result<Vec<u8>> {
        let file = self.file(handle)?;
        let mut bytes = vec![0; length];
        let mut filled = 0;
        while filled < length {
            match file.read_at(&mut bytes[filled..], offset + filled as u64)? {
                0 => break,
                more => filled += more,
            }
        }
        bytes.truncate(filled);
        Ok(bytes)
    }

    /// How many of the bytes were taken: fewer than all if the disk became full on the way.
    pub fn write(&self, handle: u64, offset: u64, bytes: &[u8]) -> io::Result<usize> {
        let file = self.file(handle)?;
        let length = file.metadata()?.len();
        // Nobody else makes this file longer meanwhile: the kernel holds its lock.
        let end = length.max(offset.saturating_add(bytes.len() as u64));
        let allowed = lock(&self.books).budget.grow(length, end)?;
        let fits = usize::try_from(allowed.saturating_sub(offset)).unwrap_or(usize::MAX).min(bytes.len());
        if fits == 0 && !bytes.is_empty() {
            return Err(Errno::NOSPC.into());
        }
        file.write_all_at(&bytes[..fits], offset)?;
        Ok(fits)
    }

    pub fn list(&self, node: u64) -> io::Result<u64> {
        let path = self.root.join(self.known(node)?);
        let above = |node| Line { node, kind: FileType::Directory, name: OsString::new() };
        let mut lines =
            vec![Line { name: ".".into(), ..above(node) }, Line { name: "..".into(), ..above(ROOT) }];
        for entry in fs::read_dir(path)? {
            let entry = entry?;
            let Some(kind) = FileType::from_std(entry.file_type()?) else { continue };
            lines.push(Line {
                node: std::os::unix::fs::DirEntryExt::ino(&entry),
                kind,
                name: entry.file_name(),
            });
        }
        Ok(lock(&self.books).keep(Handle::Listing(Arc::new(lines))))
    }

    pub fn listing(&self, handle: u64) -> io::Result<Arc<Vec<Line>>> {
        match lock(&self.books).handles.get(&handle) {
            Some(Handle::Listing(lines)) => Ok(Arc::clone(lines)),
            Some(Handle::File { .. }) | None => Err(Errno::BADF.into()),
        }
    }

    /// Nobody has it open any more.
    pub fn release(&self, handle: u64) {
        let mut books = lock(&self.books);
        let Some(Handle::File { node, file }) = books.handles.remove(&handle) else { return };
        if !books.is_open(node) && books.budget.deleted.remove(&node) {
            books.budget.shrink(file.metadata().map_or(0, |facts| facts.len()), 0);
        }
    }

    /// Blocks in all, blocks free, files free, and the length of a block.
    pub fn space(&self) -> io::Result<StatVfs> {
        let mut facts = statvfs(&self.root)?;
        let budget = &lock(&self.books).budget;
        if let Some(capacity) = budget.capacity {
            facts.f_frsize = BLOCK;
            facts.f_blocks = capacity / BLOCK;
            facts.f_bfree = budget.free(capacity) / BLOCK;
            facts.f_bavail = facts.f_bfree;
        }
        Ok(facts)
    }

    fn known(&self, node: u64) -> io::Result<PathBuf> {
        lock(&self.books).nodes.get(&node).cloned().ok_or_else(|| Errno::STALE.into())
    }

    fn child(&self, parent: u64, name: &OsStr) -> io::Result<PathBuf> {
        Ok(self.known(parent)?.join(name))
    }

    fn file(&self, handle: u64) -> io::Result<Arc<File>> {
        match lock(&self.books).handles.get(&handle) {
            Some(Handle::File { file, .. }) => Ok(Arc::clone(file)),
            Some(Handle::Listing(_)) | None => Err(Errno::BADF.into()),
        }
    }

    /// By its path, or by somebody's open handle if it was deleted, even if another has its name now.
    fn facts(&self, node: u64) -> io::Result<Metadata> {
        let by_path = fs::symlink_metadata(self.root.join(self.known(node)?));
        if by_path.as_ref().is_ok_and(|facts| node == ROOT || facts.ino() == node) {
            return by_path;
        }
        let books = lock(&self.books);
        let open = books.handles.values().find_map(|handle| match handle {
            Handle::File { node: other, file } if *other == node => Some(Arc::clone(file)),
            Handle::File { .. } | Handle::Listing(_) => None,
        });
        open.ok_or(io::ErrorKind::NotFound)?.metadata()
    }

    fn show(&self, path: PathBuf) -> io::Result<Shown> {
        let facts = fs::symlink_metadata(self.root.join(&path))?;
        let node = facts.ino();
        let mut books = lock(&self.books);
        books.nodes.insert(node, path);
        let generation = books.lives.get(&node).copied().unwrap_or(0);
        Ok(Shown { facts: shown(node, &facts)?, generation })
    }
}

impl Books {
    fn keep(&mut self, handle: Handle) -> u64 {
        self.next_handle += 1;
        self.handles.insert(self.next_handle, handle);
        self.next_handle
    }

    fn is_open(&self, node: u64) -> bool {
        let is = |handle: &Handle| matches!(handle, Handle::File { node: other, .. } if *other == node);
        self.handles.values().any(is)
    }

    /// A name of this file or directory was deleted.
    fn gone(&mut self, facts: &Metadata) {
        let node = facts.ino();
        *self.lives.entry(node).or_default() += 1;
        if facts.is_dir() || facts.nlink() > 1 {
            return;
        }
        if self.is_open(node) {
            self.budget.deleted.insert(node);
        } else {
            self.budget.shrink(facts.len(), 0);
        }
    }
}

fn open_options(flags: i32) -> OpenOptions {
    let flags = fuser::OpenFlags(flags);
    let mut options = OpenOptions::new();
    // The kernel says at which offset to write, also where the program appends, and truncates by itself.
    match flags.acc_mode() {
        fuser::OpenAccMode::O_RDONLY => options.read(true),
        // Read too, so that creating in it is allowed by the standard library.
        fuser::OpenAccMode::O_WRONLY | fuser::OpenAccMode::O_RDWR => options.read(true).write(true),
    };
    options
}

fn shown(node: u64, facts: &Metadata) -> io::Result<FileAttr> {
    let kind = FileType::from_std(facts.file_type()).ok_or(Errno::IO)?;
    let moment = |seconds: i64, nanos: i64| {
        let seconds = u64::try_from(seconds).unwrap_or(0);
        UNIX_EPOCH + Duration::new(seconds, u32::try_from(nanos).unwrap_or(0))
    };
    Ok(FileAttr {
        ino: INodeNo(node),
        size: facts.len(),
        blocks: facts.blocks(),
        atime: moment(facts.atime(), facts.atime_nsec()),
        mtime: moment(facts.mtime(), facts.mtime_nsec()),
        ctime: moment(facts.ctime(), facts.ctime_nsec()),
        crtime: UNIX_EPOCH,
        kind,
        perm: (facts.mode() & 0o7777) as u16, // twelve bits
        nlink: u32::try_from(facts.nlink()).unwrap_or(u32::MAX),
        uid: facts.uid(),
        gid: facts.gid(),
        rdev: 0,
        blksize: BLOCK as u32, // a small constant
        flags: 0,
    })
}

fn timespec(time: SystemTime) -> rustix::fs::Timespec {
    let since = time.duration_since(UNIX_EPOCH).unwrap_or_default();
    rustix::fs::Timespec {
        tv_sec: i64::try_from(since.as_secs()).unwrap_or(i64::MAX),
        tv_nsec: since.subsec_nanos().into(),
    }
}

fn used_below(folder: &Path) -> io::Result<u64> {
    let mut used = 0;
    for entry in fs::read_dir(folder)? {
        let entry = entry?;
        let facts = entry.metadata()?;
        used += if facts.is_dir() { used_below(&entry.path())? } else { blocks(facts.len()) };
    }
    Ok(used)
}
