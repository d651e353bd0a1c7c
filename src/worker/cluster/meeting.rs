//! How the processes of a cluster find each other: before timely is started, and instead of its
//! own way, which waits for ever, sleeps whole seconds, and takes whoever connects for a peer.
//!
//! Every process listens on its address, calls those before it and waits for those after it, all
//! at the same time and with one deadline for all. Whoever does not prove the secret is hung up on
//! without an answer, and keeps nobody waiting. Processes started with other arguments are refused
//! by both sides. Once all are there nobody listens any more. Bound: `CALLERS` conversations.

use super::Cluster;
use super::greeting::{Greeting, Introduction, Nonce, Purpose, Stranger};
use super::secret::Secret;
use crate::error::Error;
use crate::lock::lock;
use std::collections::VecDeque;
use std::io::{self, ErrorKind, Read, Write};
use std::net::{IpAddr, SocketAddr, TcpListener, TcpStream, ToSocketAddrs};
use std::sync::Mutex;
use std::time::{Duration, Instant};

/// Between two looks at what has come.
const PAUSE: Duration = Duration::from_millis(5);
/// How long one try to connect may take.
const CONNECT: Duration = Duration::from_secs(3);
/// How long a conversation may take.
const GREETING: Duration = Duration::from_secs(10);
/// How many callers may be in the middle of a greeting; after that the oldest is hung up on.
const CALLERS: usize = 256;

/// The beginning of what is told of a listener that did not answer a greeting.
const HANGS_UP: &str = "it hangs up";

/// The connections of a process.
pub(super) struct Met {
    /// To each other process, for the dataflow.
    pub data: Vec<Option<TcpStream>>,
    /// Process 0 has one to each other, the others have one to process 0.
    pub control: Vec<Option<TcpStream>>,
}

/// A connection in the middle of a greeting.
struct Talk {
    stream: TcpStream,
    from: Option<IpAddr>,
    greeting: Greeting,
    unsent: Vec<u8>,
    since: Instant,
    who: Option<Introduction>,
}

enum Step {
    Wait,
    Done(Introduction),
    Over(Option<Stranger>),
}

impl Talk {
    fn new(stream: TcpStream, greeting: Greeting, unsent: Vec<u8>) -> io::Result<Talk> {
        stream.set_nodelay(true)?;
        stream.set_nonblocking(true)?;
        let from = stream.peer_addr().ok().map(|address| address.ip());
        Ok(Talk { stream, from, greeting, unsent, since: Instant::now(), who: None })
    }

    /// Goes on as far as it can without waiting.
    fn step(&mut self) -> Step {
        loop {
            while !self.unsent.is_empty() {
                match self.stream.write(&self.unsent) {
                    Ok(0) => return Step::Over(None),
                    Ok(n) => drop(self.unsent.drain(..n)),
                    Err(e) if e.kind() == ErrorKind::Interrupted => {}
                    Err(e) if e.kind() == ErrorKind::WouldBlock => return self.waits(),
                    Err(_) => return Step::Over(None),
                }
            }
            if let Some(who) = self.who.take() {
                return Step::Done(who);
            }
            let mut bytes = [0; 4096];
            let wants = self.greeting.wants().min(bytes.len());
            match self.stream.read(&mut bytes[..wants]) {
                Ok(0) => return Step::Over(None),
                Ok(n) => match self.greeting.take(&bytes[..n], &mut self.unsent) {
                    Ok(who) => self.who = who,
                    Err(stranger) => return Step::Over(Some(stranger)),
                },
                Err(e) if e.kind() == ErrorKind::Interrupted => {}
                Err(e) if e.kind() == ErrorKind::WouldBlock => return self.waits(),
                Err(_) => return Step::Over(None),
            }
        }
    }

    fn waits(&self) -> Step {
        if self.since.elapsed() > GREETING { Step::Over(None) } else { Step::Wait }
    }

    fn into_stream(self) -> io::Result<TcpStream> {
        self.stream.set_nonblocking(false)?;
        Ok(self.stream)
    }
}

fn nonce() -> Result<Nonce, Error> {
    let mut nonce = Nonce::default();
    getrandom::fill(&mut nonce)
        .map_err(|e| Error::Cluster(format!("the system gives no random numbers: {e}")))?;
    Ok(nonce)
}

/// What all who look for the others share.
struct Search<'a> {
    cluster: &'a Cluster,
    secret: &'a Secret,
    stopped: &'a (dyn Fn() -> bool + Sync),
    deadline: Instant,
    /// The first thing that went wrong, which ends the search for all.
    failed: Mutex<Option<Error>>,
    met: Mutex<Met>,
}

/// Connects this process with all others, or says which did not come and why. `stopped` is asked
/// whether somebody has lost patience.
pub(super) fn meet(
    cluster: &Cluster,
    secret: &Secret,
    stopped: &(dyn Fn() -> bool + Sync),
) -> Result<Met, Error> {
    let (me, addresses) = (cluster.process, &cluster.addresses);
    let listener = TcpListener::bind(&addresses[me]).map_err(|e| cannot_listen(cluster, &e))?;
    listener.set_nonblocking(true).map_err(Error::file(&addresses[me]))?;
    let none = || addresses.iter().map(|_| None).collect();
    let search = Search {
        cluster,
        secret,
        stopped,
        deadline: Instant::now() + cluster.patience,
        failed: Mutex::new(None),
        met: Mutex::new(Met { data: none(), control: none() }),
    };
    std::thread::scope(|scope| {
        for other in 0..me {
            let search = &search;
            scope.spawn(move || {
                let purposes: &[Purpose] = match other {
                    0 => &[Purpose::Control, Purpose::Data],
                    _ => &[Purpose::Data],
                };
                search.note(purposes.iter().try_for_each(|purpose| search.call(other, *purpose)));
            });
        }
        // Ends with the scope: nobody is listened to once all are there.
        search.note(search.listen(listener));
    });
    match lock(&search.failed).take() {
        Some(error) => Err(error),
        None => Ok(search.met.into_inner().unwrap_or_else(std::sync::PoisonError::into_inner)),
    }
}

fn cannot_listen(cluster: &Cluster, error: &io::Error) -> Error {
    let (process, address) = (cluster.process, &cluster.addresses[cluster.process]);
    let hint = match error.kind() {
        ErrorKind::AddrInUse => {
            "another run or another program has that port; wait for it to end, or name other \
             ports with --hostfile"
        }
        ErrorKind::AddrNotAvailable => {
            "it is not an address of this machine; is --process that of this machine's line?"
        }
        ErrorKind::PermissionDenied => "ports below 1024 are not for everybody; take a higher one",
        _ => "is the address right?",
    };
    Error::Cluster(format!("process {process} cannot listen on {address}: {error}; {hint}"))
}

impl Search<'_> {
    fn note(&self, result: Result<(), Error>) {
        if let Err(error) = result {
            lock(&self.failed).get_or_insert(error);
        }
    }

    /// Whether there is nothing more to wait for.
    fn over(&self) -> bool {
        if (self.stopped)() {
            self.note(Err(Error::Cluster("stopped while waiting for the other processes".into())));
        }
        lock(&self.failed).is_some()
    }

    fn introduction(&self, purpose: Purpose) -> Introduction {
        let description = self.cluster.description.clone();
        Introduction { process: self.cluster.process, purpose, description }
    }

    /// Refuses who was started otherwise.
    fn same_run(&self, theirs: &Introduction) -> Result<(), Error> {
        let name = |process: usize| format!("process {process}");
        let (me, them) = (name(self.cluster.process), name(theirs.process));
        match self.cluster.description.difference(&me, &theirs.description, &them) {
            None => Ok(()),
            Some(difference) => Err(Error::Cluster(format!(
                "process {} was started otherwise: {difference}; start all processes with the \
                 same arguments but --process",
                theirs.process
            ))),
        }
    }

    fn keep(&self, process: usize, purpose: Purpose, talk: Talk) -> bool {
        let Ok(stream) = talk.into_stream() else { return false };
        let mut met = lock(&self.met);
        let place = match purpose {
            Purpose::Data => &mut met.data[process],
            Purpose::Control => &mut met.control[process],
        };
        // The first holds: another with its number came too late.
        let new = place.is_none();
        place.get_or_insert(stream);
        new
    }

    /// The first process after this one that is not there yet.
    fn missing(&self) -> Option<usize> {
        let (met, me) = (lock(&self.met), self.cluster.process);
        let gone = |i: &usize| met.data[*i].is_none() || (me == 0 && met.control[*i].is_none());
        (me + 1..met.data.len()).find(gone)
    }

    /// Answers callers until all processes after this one are there.
    fn listen(&self, listener: TcpListener) -> Result<(), Error> {
        let mut talks: VecDeque<Talk> = VecDeque::new();
        let mut strange: Option<IpAddr> = None;
        while let Some(missing) = self.missing() {
            if self.over() {
                return Ok(());
            }
            if Instant::now() >= self.deadline {
                let hint = match strange {
                    Some(from) => format!(
                        "{from} called with another secret: is --secret-file or {} the same everywhere?",
                        super::secret::VARIABLE
                    ),
                    None => "is it running, and can this one be reached?".into(),
                };
                return Err(self.did_not_come(missing, &hint));
            }
            let mut busy = self.accept(&listener, &mut talks)?;
            for mut talk in std::mem::take(&mut talks) {
                match talk.step() {
                    Step::Wait => talks.push_back(talk),
                    Step::Over(why) => {
                        if why == Some(Stranger::Secret) {
                            strange = talk.from.or(strange);
                        }
                    }
                    Step::Done(who) => {
                        busy = true;
                        self.same_run(&who)?;
                        let me = self.cluster.process;
                        if who.process > me && who.process < self.cluster.count() {
                            self.keep(who.process, who.purpose, talk);
                        }
                    }
                }
            }
            if !busy {
                std::thread::sleep(PAUSE);
            }
        }
        Ok(())
    }

    /// Takes all who call now; whether there were any.
    fn accept(&self, listener: &TcpListener, talks: &mut VecDeque<Talk>) -> Result<bool, Error> {
        let mut some = false;
        for _ in 0..CALLERS {
            // What can fail is one caller's connection, or for now there are too many files open.
            let Ok((stream, _)) = listener.accept() else { break };
            some = true;
            let greeting =
                Greeting::listen(self.secret, nonce()?, &self.introduction(Purpose::Data));
            talks.extend(Talk::new(stream, greeting, Vec::new()));
            if talks.len() > CALLERS {
                talks.pop_front();
            }
        }
        Ok(some)
    }

    /// Calls a process that comes before this one, until it answers.
    fn call(&self, other: usize, purpose: Purpose) -> Result<(), Error> {
        let address = &self.cluster.addresses[other];
        let mut hint = "is it running, and can it be reached?".to_string();
        while !self.over() {
            if Instant::now() >= self.deadline {
                return Err(self.did_not_come(other, &hint));
            }
            match address.to_socket_addrs() {
                Err(error) => hint = format!("its name is not known: {error}"),
                // A name may have several addresses, and a stranger may sit on one of them.
                Ok(addresses) => {
                    for address in addresses {
                        match self.try_address(other, purpose, address)? {
                            None => return Ok(()),
                            // A listener that gives up a moment before does not explain why
                            // it hung up until then.
                            Some(_) if hint.starts_with(HANGS_UP) => {}
                            Some(why) => hint = why,
                        }
                    }
                }
            }
            std::thread::sleep(PAUSE * 4);
        }
        Ok(())
    }

    /// `None`: it is there; otherwise why it is not, as far as that is known.
    fn try_address(
        &self,
        other: usize,
        purpose: Purpose,
        address: SocketAddr,
    ) -> Result<Option<String>, Error> {
        let left = self.deadline.saturating_duration_since(Instant::now());
        let stream = match TcpStream::connect_timeout(&address, CONNECT.min(left).max(PAUSE)) {
            Ok(stream) => stream,
            Err(error) => {
                return Ok(Some(format!("{error}; is it running, and can it be reached?")));
            }
        };
        let (greeting, first) = Greeting::call(self.secret, nonce()?, &self.introduction(purpose));
        let mut talk = match Talk::new(stream, greeting, first) {
            Ok(talk) => talk,
            Err(error) => return Ok(Some(error.to_string())),
        };
        loop {
            match talk.step() {
                Step::Wait if self.over() || Instant::now() >= self.deadline => {
                    return Ok(Some(
                        "it does not answer; is it tidemill that has this port?".into(),
                    ));
                }
                Step::Wait => std::thread::sleep(PAUSE),
                Step::Over(_) => {
                    return Ok(Some(format!(
                        "{HANGS_UP}: is it tidemill that has this port, and is --secret-file or \
                         {} the same everywhere?",
                        super::secret::VARIABLE
                    )));
                }
                Step::Done(who) => {
                    self.same_run(&who)?;
                    if who.process != other {
                        return Ok(Some(format!("process {} has its address", who.process)));
                    }
                    self.keep(other, purpose, talk);
                    return Ok(None);
                }
            }
        }
    }

    fn did_not_come(&self, process: usize, hint: &str) -> Error {
        Error::Cluster(format!(
            "process {process} ({}) did not come within {} s: {hint}",
            self.cluster.addresses[process],
            self.cluster.patience.as_secs_f64()
        ))
    }
}

#[cfg(test)]
mod tests;
