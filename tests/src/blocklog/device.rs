//! A directory with one file in it, which is a disk: the kernel's side of it.

use fuser::{
    Errno, FileAttr, FileHandle, FileType, Filesystem, FopenFlags, Generation, INodeNo, LockOwner, OpenFlags,
    ReplyAttr, ReplyData, ReplyEmpty, ReplyEntry, ReplyOpen, ReplyWrite, Request, WriteFlags,
};
use rustix::fs::FallocateFlags;
use std::ffi::OsStr;
use std::io;
use std::time::{Duration, UNIX_EPOCH};

/// The file's name.
pub(super) const NAME: &str = "disk";

const DISK: INodeNo = INodeNo(2);

/// The size is told once.
const FOR_EVER: Duration = Duration::from_secs(1 << 30);

/// Where a disk keeps its bytes. Offsets and lengths lie inside it.
pub(super) trait Store: Send + Sync + 'static {
    fn read(&self, offset: u64, bytes: &mut [u8]) -> io::Result<()>;
    fn write(&self, offset: u64, bytes: &[u8]) -> io::Result<()>;
    fn zero(&self, offset: u64, length: u64) -> io::Result<()>;
    fn flush(&self);
}

/// See the module.
#[derive(Debug)]
pub(super) struct Server<S> {
    store: S,
    size: u64,
}

impl<S> Server<S> {
    pub fn new(store: S, size: u64) -> Self {
        Server { store, size }
    }

    /// How much of a range lies inside the disk.
    fn inside(&self, offset: u64, length: u64) -> u64 {
        length.min(self.size.saturating_sub(offset))
    }

    fn facts(&self, node: INodeNo) -> FileAttr {
        let (kind, size, perm) = match node == DISK {
            true => (FileType::RegularFile, self.size, 0o600),
            false => (FileType::Directory, 0, 0o700),
        };
        FileAttr {
            ino: node,
            size,
            blocks: size / 512,
            atime: UNIX_EPOCH,
            mtime: UNIX_EPOCH,
            ctime: UNIX_EPOCH,
            crtime: UNIX_EPOCH,
            kind,
            perm,
            nlink: 1,
            uid: rustix::process::geteuid().as_raw(),
            gid: rustix::process::getegid().as_raw(),
            rdev: 0,
            blksize: 4096,
            flags: 0,
        }
    }
}

fn answer(done: io::Result<()>, reply: ReplyEmpty) {
    match done {
        Ok(()) => reply.ok(),
        Err(error) => reply.error(error.into()),
    }
}

impl<S: Store> Filesystem for Server<S> {
    fn lookup(&self, _: &Request, parent: INodeNo, name: &OsStr, reply: ReplyEntry) {
        if parent == INodeNo::ROOT && name == NAME {
            reply.entry(&FOR_EVER, &self.facts(DISK), Generation(0));
        } else {
            reply.error(Errno::ENOENT);
        }
    }

    fn getattr(&self, _: &Request, node: INodeNo, _: Option<FileHandle>, reply: ReplyAttr) {
        reply.attr(&FOR_EVER, &self.facts(node));
    }

    fn open(&self, _: &Request, _: INodeNo, _: OpenFlags, reply: ReplyOpen) {
        // Past the kernel's cache: what it was told comes here at once, and in that order.
        reply.opened(FileHandle(0), FopenFlags::FOPEN_DIRECT_IO);
    }

    fn read(
        &self,
        _: &Request,
        _: INodeNo,
        _: FileHandle,
        offset: u64,
        length: u32,
        _: OpenFlags,
        _: Option<LockOwner>,
        reply: ReplyData,
    ) {
        let mut bytes = vec![0; self.inside(offset, length.into()) as usize]; // at most `length`
        match self.store.read(offset, &mut bytes) {
            Ok(()) => reply.data(&bytes),
            Err(error) => reply.error(error.into()),
        }
    }

    fn write(
        &self,
        _: &Request,
        _: INodeNo,
        _: FileHandle,
        offset: u64,
        bytes: &[u8],
        _: WriteFlags,
        _: OpenFlags,
        _: Option<LockOwner>,
        reply: ReplyWrite,
    ) {
        let fits = self.inside(offset, bytes.len() as u64) as usize; // at most its length
        match self.store.write(offset, &bytes[..fits]) {
            Ok(()) if fits > 0 || bytes.is_empty() => reply.written(fits as u32), // a request holds 16 MiB at most
            Ok(()) => reply.error(Errno::ENOSPC),
            Err(error) => reply.error(error.into()),
        }
    }

    fn fsync(&self, _: &Request, _: INodeNo, _: FileHandle, _: bool, reply: ReplyEmpty) {
        self.store.flush();
        reply.ok();
    }

    fn fallocate(
        &self,
        _: &Request,
        _: INodeNo,
        _: FileHandle,
        offset: u64,
        length: u64,
        mode: i32,
        reply: ReplyEmpty,
    ) {
        let mode = FallocateFlags::from_bits_retain(mode.cast_unsigned());
        if mode.intersects(FallocateFlags::PUNCH_HOLE | FallocateFlags::ZERO_RANGE) {
            answer(self.store.zero(offset, self.inside(offset, length)), reply);
        } else {
            reply.error(Errno::EOPNOTSUPP);
        }
    }
}
