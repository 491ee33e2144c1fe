//! The proxy's thread: one poll loop over its listening socket, its connections and its commands.

use super::line::{Line, Way};
use super::rules::{Door, Rules};
use super::{Command, Shared};
use crate::dice::Dice;
use crate::lock;
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::fd::AsFd as _;
use std::io::Result;
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::mpsc::{Receiver, Sender};
use std::time::{Duration, Instant};

/// What the kernel may hold for us, as std asks for it.
const BACKLOG: i32 = 128;

/// A full queue of connections shows by this: on loopback an answer takes microseconds.
const NO_ANSWER: Duration = Duration::from_millis(150);

/// Most connections that fill a queue whose length we have set to the least.
const MOST_FILLERS: usize = 8;

/// See the module.
pub(super) struct Server {
    address: SocketAddr,
    camera: SocketAddr,
    /// None while the door is closed.
    listener: Option<TcpListener>,
    /// Our own connections that keep the kernel's queue full, while the door is deaf.
    fillers: Vec<TcpStream>,
    lines: Vec<Line>,
    rules: Rules,
    shared: Arc<Shared>,
    told: Receiver<(Command, Sender<()>)>,
    dice: Dice,
}

/// What a place in the poll set stands for.
enum Place {
    Wake,
    Listener,
    Socket(usize, Way, Act),
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Act {
    Read,
    Write,
}

impl Server {
    pub fn new(
        listener: TcpListener,
        camera: SocketAddr,
        shared: Arc<Shared>,
        told: Receiver<(Command, Sender<()>)>,
    ) -> Result<Self> {
        let address = listener.local_addr()?;
        Ok(Server {
            address,
            camera,
            listener: Some(listener),
            fillers: Vec::new(),
            lines: Vec::new(),
            rules: Rules::default(),
            shared,
            told,
            dice: Dice(u64::from(address.port())),
        })
    }

    pub fn run(mut self) {
        loop {
            let ready = self.wait();
            for place in ready {
                match place {
                    Place::Wake => {
                        let mut count = [0; 8];
                        // Nothing is in it if somebody else woke us.
                        let _ = rustix::io::read(&self.shared.wake, &mut count);
                    }
                    Place::Listener => self.accept(),
                    Place::Socket(at, way, Act::Read) => {
                        self.lines[at].read(way, &self.rules, &mut self.dice)
                    }
                    Place::Socket(at, way, Act::Write) => self.lines[at].write(way, Instant::now()),
                }
            }
            self.lines.retain(|line| !line.is_over());
            while let Ok((command, done)) = self.told.try_recv() {
                let ends = matches!(command, Command::End);
                self.obey(command);
                self.lines.retain(|line| !line.is_over());
                lock(&self.shared.counts).open = self.lines.len();
                // Who asked has stopped waiting.
                let _ = done.send(());
                if ends {
                    return;
                }
            }
            lock(&self.shared.counts).open = self.lines.len();
        }
    }

    /// Waits until something can be done; what.
    fn wait(&self) -> Vec<Place> {
        let now = Instant::now();
        let mut places = vec![Place::Wake];
        let mut polled = vec![PollFd::new(&self.shared.wake, PollFlags::IN)];
        if let Some(listener) = self.listener.as_ref().filter(|_| self.rules.door != Door::Deaf) {
            places.push(Place::Listener);
            polled.push(PollFd::new(listener, PollFlags::IN));
        }
        for (at, line) in self.lines.iter().enumerate() {
            for way in [Way::Down, Way::Up] {
                let (from, to) = match way {
                    Way::Down => (line.camera.as_ref(), Some(&line.client)),
                    Way::Up => (Some(&line.client), line.camera.as_ref()),
                };
                let (read, write) = line.wants(way, &self.rules, now);
                if let Some(from) = from.filter(|_| read) {
                    places.push(Place::Socket(at, way, Act::Read));
                    polled.push(PollFd::from_borrowed_fd(from.as_fd(), PollFlags::IN));
                }
                match to.filter(|_| write) {
                    Some(to) => {
                        places.push(Place::Socket(at, way, Act::Write));
                        polled.push(PollFd::from_borrowed_fd(to.as_fd(), PollFlags::OUT));
                    }
                    // What falls into a black hole needs no room.
                    None if write => return vec![Place::Socket(at, way, Act::Write)],
                    None => {}
                }
            }
        }
        let due = self.lines.iter().filter_map(Line::due).filter(|due| *due > now).min();
        let timeout = due.and_then(|due| Timespec::try_from(due - now).ok());
        if poll(&mut polled, timeout.as_ref()).is_err() {
            return Vec::new();
        }
        let ready: Vec<bool> = polled.iter().map(|fd| !fd.revents().is_empty()).collect();
        places.into_iter().zip(ready).filter(|(_, ready)| *ready).map(|(place, _)| place).collect()
    }

    fn accept(&mut self) {
        let Some(listener) = &self.listener else { return };
        let Ok((client, from)) = listener.accept() else { return };
        let ours = self.fillers.iter().any(|filler| filler.local_addr().is_ok_and(|own| own == from));
        if ours {
            return;
        }
        lock(&self.shared.counts).attempts.push(Instant::now());
        let camera = match self.rules.door {
            Door::Blackhole => None,
            Door::Resets => {
                Line::new(client, None).reset();
                return;
            }
            Door::Closes => return,
            // A camera that does not listen itself: who came is let go.
            Door::Open | Door::Closed | Door::Deaf | Door::HalfCloses => {
                match TcpStream::connect(self.camera) {
                    Ok(camera) => Some(camera),
                    Err(_) => return,
                }
            }
        };
        for socket in [Some(&client), camera.as_ref()].into_iter().flatten() {
            // Without these the proxy would be slow, or block: seen at once.
            let _ = socket.set_nonblocking(true);
            let _ = socket.set_nodelay(true);
        }
        let mut line = Line::new(client, camera);
        if self.rules.door == Door::HalfCloses {
            line.half_close();
        }
        self.lines.push(line);
    }

    fn obey(&mut self, command: Command) {
        match command {
            Command::Set(rules) => {
                self.rules = *rules;
                self.open_or_close();
            }
            Command::Reset => self.lines.iter_mut().for_each(Line::reset),
            Command::HangUp => self.lines.iter_mut().for_each(Line::hang_up),
            Command::HalfClose => self.lines.iter_mut().for_each(Line::half_close),
            Command::Bye => {
                for line in &mut self.lines {
                    line.bye(&self.rules);
                }
            }
            Command::End => self.lines.clear(),
        }
    }

    /// Makes the listening socket what the door is to be.
    fn open_or_close(&mut self) {
        if self.rules.door == Door::Closed {
            self.listener = None;
            return;
        }
        if self.listener.is_none() {
            // A port that another program took meanwhile leaves the door closed: the test sees it.
            self.listener = TcpListener::bind(self.address).ok();
            if let Some(listener) = &self.listener {
                let _ = listener.set_nonblocking(true);
            }
        }
        let Some(listener) = &self.listener else { return };
        if self.rules.door == Door::Deaf {
            // Of a listening socket this changes the length of its queue alone.
            let _ = rustix::net::listen(listener, 0);
            while self.fillers.len() < MOST_FILLERS {
                match TcpStream::connect_timeout(&self.address, NO_ANSWER) {
                    Ok(filler) => self.fillers.push(filler),
                    Err(_) => break,
                }
            }
        } else if !self.fillers.is_empty() {
            let _ = rustix::net::listen(listener, BACKLOG);
            for _ in 0..self.fillers.len() {
                self.accept();
            }
            self.fillers.clear();
        }
    }
}
