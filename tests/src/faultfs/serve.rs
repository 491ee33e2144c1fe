//! The kernel's requests, each through the gate and then to the tree.

use super::fault::Call;
use super::gate::Gate;
use super::space::BLOCK;
use super::tree::{Change, ROOT, Tree};
use fuser::{
    BsdFileFlags, Errno, FileHandle, Filesystem, FopenFlags, Generation, INodeNo, LockOwner, OpenAccMode,
    OpenFlags, RenameFlags, ReplyAttr, ReplyCreate, ReplyData, ReplyDirectory, ReplyEmpty, ReplyEntry,
    ReplyOpen, ReplyStatfs, ReplyWrite, Request, TimeOrNow, WriteFlags,
};
use std::ffi::OsStr;
use std::io;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

/// The kernel asks again each time, so that a fault hits at once.
const FORGOTTEN_AT_ONCE: Duration = Duration::ZERO;

/// See the module.
#[derive(Debug)]
pub(super) struct Server {
    gate: Arc<Gate>,
    tree: Arc<Tree>,
}

/// A request that came: what, of which path, how many bytes.
struct Asked {
    call: Call,
    path: PathBuf,
    bytes: u64,
}

impl Asked {
    fn of(call: Call, path: PathBuf) -> Self {
        Asked { call, path, bytes: 0 }
    }
}

impl Server {
    pub fn new(gate: Arc<Gate>, tree: Arc<Tree>) -> Self {
        Server { gate, tree }
    }

    /// Does `work`, or what the faults say instead, and answers. What waits does so on a thread of its own, so that it
    /// holds up nobody else.
    fn serve<T>(
        &self,
        asked: Asked,
        work: impl FnOnce(&Tree) -> io::Result<T> + Send + 'static,
        answer: impl FnOnce(Result<T, Errno>) + Send + 'static,
    ) {
        let verdict = self.gate.judge(asked.call, &asked.path, asked.bytes);
        let prompt = verdict.is_prompt();
        let (gate, tree) = (Arc::clone(&self.gate), Arc::clone(&self.tree));
        let handle = move || {
            gate.wait(&verdict);
            let done = verdict.errno.map_or_else(|| work(&tree), |errno| Err(errno.into()));
            let done = done.map_err(|error| error.raw_os_error().unwrap_or(Errno::EIO.code()));
            gate.answered(
                &verdict,
                done.as_ref().err().map(|code| rustix::io::Errno::from_raw_os_error(*code)),
            );
            answer(done.map_err(Errno::from_i32));
        };
        if prompt {
            handle();
        } else {
            // Not joined: it ends when its fault does, at the latest when the filesystem is dropped.
            std::thread::spawn(handle);
        }
    }

    fn child(&self, parent: INodeNo, name: &OsStr) -> PathBuf {
        self.tree.path_of(parent.0).join(name)
    }
}

impl Filesystem for Server {
    fn lookup(&self, _: &Request, parent: INodeNo, name: &OsStr, reply: ReplyEntry) {
        let asked = Asked::of(Call::Lookup, self.child(parent, name));
        let name = name.to_owned();
        self.serve(
            asked,
            move |tree| tree.lookup(parent.0, &name),
            move |done| match done {
                Ok(it) => reply.entry(&FORGOTTEN_AT_ONCE, &it.facts, Generation(it.generation)),
                Err(errno) => reply.error(errno),
            },
        );
    }

    fn getattr(&self, _: &Request, node: INodeNo, _: Option<FileHandle>, reply: ReplyAttr) {
        let asked = Asked::of(Call::Stat, self.tree.path_of(node.0));
        self.serve(asked, move |tree| tree.stat(node.0), move |done| attributes(done, reply));
    }

    fn setattr(
        &self,
        _: &Request,
        node: INodeNo,
        mode: Option<u32>,
        user: Option<u32>,
        group: Option<u32>,
        length: Option<u64>,
        accessed: Option<TimeOrNow>,
        modified: Option<TimeOrNow>,
        _: Option<SystemTime>,
        _: Option<FileHandle>,
        _: Option<SystemTime>,
        _: Option<SystemTime>,
        _: Option<SystemTime>,
        _: Option<BsdFileFlags>,
        reply: ReplyAttr,
    ) {
        let time = |time: Option<TimeOrNow>| match time {
            Some(TimeOrNow::SpecificTime(time)) => Some(time),
            Some(TimeOrNow::Now) => Some(SystemTime::now()),
            None => None,
        };
        // Nobody here sets one alone, but for `touch -a`.
        let times = time(modified).map(|modified| (time(accessed).unwrap_or(modified), modified));
        let change = Change { mode, owner: (user, group), length, times };
        let asked = Asked::of(Call::Change, self.tree.path_of(node.0));
        self.serve(asked, move |tree| tree.change(node.0, change), move |done| attributes(done, reply));
    }

    fn mkdir(&self, _: &Request, parent: INodeNo, name: &OsStr, mode: u32, umask: u32, reply: ReplyEntry) {
        let asked = Asked::of(Call::MakeDirectory, self.child(parent, name));
        let name = name.to_owned();
        self.serve(
            asked,
            move |tree| tree.make_directory(parent.0, &name, mode & !umask),
            move |done| match done {
                Ok(it) => reply.entry(&FORGOTTEN_AT_ONCE, &it.facts, Generation(it.generation)),
                Err(errno) => reply.error(errno),
            },
        );
    }

    fn unlink(&self, _: &Request, parent: INodeNo, name: &OsStr, reply: ReplyEmpty) {
        let asked = Asked::of(Call::Remove, self.child(parent, name));
        let name = name.to_owned();
        self.serve(asked, move |tree| tree.remove(parent.0, &name), move |done| nothing(done, reply));
    }

    fn rmdir(&self, _: &Request, parent: INodeNo, name: &OsStr, reply: ReplyEmpty) {
        let asked = Asked::of(Call::RemoveDirectory, self.child(parent, name));
        let name = name.to_owned();
        self.serve(
            asked,
            move |tree| tree.remove_directory(parent.0, &name),
            move |done| nothing(done, reply),
        );
    }

    fn rename(
        &self,
        _: &Request,
        parent: INodeNo,
        name: &OsStr,
        new_parent: INodeNo,
        new_name: &OsStr,
        flags: RenameFlags,
        reply: ReplyEmpty,
    ) {
        let asked = Asked::of(Call::Rename, self.child(parent, name));
        let (name, new_name) = (name.to_owned(), new_name.to_owned());
        self.serve(
            asked,
            move |tree| {
                // As a filesystem without the flags of renameat2: "exchange" and "no replace" are refused.
                let plain = flags.bits() == 0;
                let refused = rustix::io::Errno::INVAL;
                plain.then_some(()).ok_or(refused)?;
                tree.rename((parent.0, &name), (new_parent.0, &new_name))
            },
            move |done| nothing(done, reply),
        );
    }

    fn open(&self, _: &Request, node: INodeNo, flags: OpenFlags, reply: ReplyOpen) {
        let call = match flags.acc_mode() {
            OpenAccMode::O_RDONLY => Call::Open,
            OpenAccMode::O_WRONLY | OpenAccMode::O_RDWR => Call::OpenToWrite,
        };
        let asked = Asked::of(call, self.tree.path_of(node.0));
        self.serve(asked, move |tree| tree.open(node.0, flags.0), move |done| opened(done, reply));
    }

    fn create(
        &self,
        _: &Request,
        parent: INodeNo,
        name: &OsStr,
        mode: u32,
        umask: u32,
        flags: i32,
        reply: ReplyCreate,
    ) {
        let asked = Asked::of(Call::Create, self.child(parent, name));
        let name = name.to_owned();
        self.serve(
            asked,
            move |tree| tree.create(parent.0, &name, mode & !umask, flags),
            move |done| match done {
                Ok((it, handle)) => {
                    let generation = Generation(it.generation);
                    let flags = FopenFlags::FOPEN_DIRECT_IO;
                    reply.created(&FORGOTTEN_AT_ONCE, &it.facts, generation, FileHandle(handle), flags);
                }
                Err(errno) => reply.error(errno),
            },
        );
    }

    fn read(
        &self,
        _: &Request,
        node: INodeNo,
        handle: FileHandle,
        offset: u64,
        length: u32,
        _: OpenFlags,
        _: Option<LockOwner>,
        reply: ReplyData,
    ) {
        let asked = Asked { call: Call::Read, path: self.tree.path_of(node.0), bytes: length.into() };
        self.serve(
            asked,
            move |tree| tree.read(handle.0, offset, length as usize),
            move |done| match done {
                Ok(bytes) => reply.data(&bytes),
                Err(errno) => reply.error(errno),
            },
        );
    }

    fn write(
        &self,
        _: &Request,
        node: INodeNo,
        handle: FileHandle,
        offset: u64,
        bytes: &[u8],
        _: WriteFlags,
        _: OpenFlags,
        _: Option<LockOwner>,
        reply: ReplyWrite,
    ) {
        let asked = Asked { call: Call::Write, path: self.tree.path_of(node.0), bytes: bytes.len() as u64 };
        let bytes = bytes.to_vec();
        self.serve(
            asked,
            move |tree| tree.write(handle.0, offset, &bytes),
            move |done| match done {
                // One request is never longer than 16 MiB.
                Ok(taken) => reply.written(taken as u32),
                Err(errno) => reply.error(errno),
            },
        );
    }

    fn flush(&self, _: &Request, _: INodeNo, _: FileHandle, _: LockOwner, reply: ReplyEmpty) {
        // The kernel never asks again, so that closing a file can neither fail nor hang: a test that ends while
        // its disk hangs has to be able to.
        reply.error(Errno::ENOSYS);
    }

    fn release(
        &self,
        _: &Request,
        _: INodeNo,
        handle: FileHandle,
        _: OpenFlags,
        _: Option<LockOwner>,
        _: bool,
        reply: ReplyEmpty,
    ) {
        self.tree.release(handle.0);
        reply.ok();
    }

    fn fsync(&self, _: &Request, node: INodeNo, _: FileHandle, _: bool, reply: ReplyEmpty) {
        let asked = Asked::of(Call::Sync, self.tree.path_of(node.0));
        self.serve(asked, |_| Ok(()), move |done| nothing(done, reply));
    }

    fn fsyncdir(&self, _: &Request, node: INodeNo, _: FileHandle, _: bool, reply: ReplyEmpty) {
        let asked = Asked::of(Call::SyncDirectory, self.tree.path_of(node.0));
        self.serve(asked, |_| Ok(()), move |done| nothing(done, reply));
    }

    fn opendir(&self, _: &Request, node: INodeNo, _: OpenFlags, reply: ReplyOpen) {
        let asked = Asked::of(Call::List, self.tree.path_of(node.0));
        self.serve(
            asked,
            move |tree| tree.list(node.0),
            move |done| match done {
                Ok(handle) => reply.opened(FileHandle(handle), FopenFlags::empty()),
                Err(errno) => reply.error(errno),
            },
        );
    }

    fn readdir(
        &self,
        _: &Request,
        node: INodeNo,
        handle: FileHandle,
        offset: u64,
        mut reply: ReplyDirectory,
    ) {
        let asked = Asked::of(Call::List, self.tree.path_of(node.0));
        self.serve(
            asked,
            move |tree| tree.listing(handle.0),
            move |done| match done {
                Ok(lines) => {
                    let skipped = usize::try_from(offset).unwrap_or(usize::MAX);
                    for (line, next) in lines.iter().zip(1u64..).skip(skipped) {
                        if reply.add(INodeNo(line.node), next, line.kind, &line.name) {
                            break;
                        }
                    }
                    reply.ok();
                }
                Err(errno) => reply.error(errno),
            },
        );
    }

    fn releasedir(&self, _: &Request, _: INodeNo, handle: FileHandle, _: OpenFlags, reply: ReplyEmpty) {
        self.tree.release(handle.0);
        reply.ok();
    }

    fn statfs(&self, _: &Request, _: INodeNo, reply: ReplyStatfs) {
        let asked = Asked::of(Call::Space, self.tree.path_of(ROOT));
        let claimed = self.gate.claimed_space();
        self.serve(
            asked,
            move |tree| {
                let mut facts = tree.space()?;
                if let Some((free, total)) = claimed {
                    (facts.f_frsize, facts.f_blocks) = (BLOCK, total / BLOCK);
                    (facts.f_bfree, facts.f_bavail) = (free / BLOCK, free / BLOCK);
                }
                Ok(facts)
            },
            move |done| match done {
                Ok(facts) => {
                    let block = u32::try_from(facts.f_frsize).unwrap_or(u32::MAX);
                    let (blocks, free, available) = (facts.f_blocks, facts.f_bfree, facts.f_bavail);
                    reply.statfs(blocks, free, available, facts.f_files, facts.f_ffree, block, 255, block);
                }
                Err(errno) => reply.error(errno),
            },
        );
    }
}

fn attributes(done: Result<fuser::FileAttr, Errno>, reply: ReplyAttr) {
    match done {
        Ok(facts) => reply.attr(&FORGOTTEN_AT_ONCE, &facts),
        Err(errno) => reply.error(errno),
    }
}

fn nothing(done: Result<(), Errno>, reply: ReplyEmpty) {
    match done {
        Ok(()) => reply.ok(),
        Err(errno) => reply.error(errno),
    }
}

/// Opened so that the kernel's cache takes no part: each read and write of a program is a request.
fn opened(done: Result<u64, Errno>, reply: ReplyOpen) {
    match done {
        Ok(handle) => reply.opened(FileHandle(handle), FopenFlags::FOPEN_DIRECT_IO),
        Err(errno) => reply.error(errno),
    }
}
