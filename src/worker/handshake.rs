//! How the processes of a cluster find each other: before timely is started, and instead of its
//! own way, which waits for ever, sleeps whole seconds, and takes whoever connects for a peer.
//!
//! Every process listens on its address, calls those before it and waits for those after it. A
//! greeting says who calls and which run it belongs to, and is answered in kind; whatever else connects is
//! hung up on. Processes started with other arguments are refused by both sides, and a process
//! that does not come in time is named.

use super::Cluster;
use crate::error::Error;
use std::io::{self, ErrorKind, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::time::{Duration, Instant};
use timely::communication::Hooks;
use timely::communication::allocator::AllocatorBuilder;
use timely::communication::allocator::ProcessBuilder;
use timely::communication::allocator::zero_copy::initialize::initialize_networking_from_sockets;

/// How long the others may take to start.
const PATIENCE: Duration = Duration::from_secs(60);
/// How long a caller may take to say who it is.
const GREETING: Duration = Duration::from_secs(2);
/// Between two tries.
const PAUSE: Duration = Duration::from_millis(10);

const MAGIC: [u8; 8] = *b"tidemil1";
const LENGTH: usize = 8 + 8 + 8;

/// Who calls, and which run it belongs to.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
struct Greeting {
    run: u64,
    process: u64,
}

impl Greeting {
    fn send(self, stream: &mut TcpStream) -> io::Result<()> {
        let mut bytes = MAGIC.to_vec();
        bytes.extend(self.run.to_be_bytes());
        bytes.extend(self.process.to_be_bytes());
        stream.write_all(&bytes)
    }

    /// `None`: whoever this is, it is not one of us.
    fn receive(stream: &mut TcpStream, patience: Duration) -> io::Result<Option<Greeting>> {
        stream.set_read_timeout(Some(patience))?;
        let mut bytes = [0; LENGTH];
        match stream.read_exact(&mut bytes) {
            Ok(()) => {}
            Err(_) => return Ok(None),
        }
        stream.set_read_timeout(None)?;
        let number = |at: usize| {
            let mut number = [0; 8];
            number.copy_from_slice(&bytes[at..at + 8]);
            u64::from_be_bytes(number)
        };
        let greeting = Greeting { run: number(8), process: number(16) };
        Ok((bytes[..8] == MAGIC).then_some(greeting))
    }
}

type Builders = (Vec<AllocatorBuilder>, Box<dyn std::any::Any + Send>);

/// The allocators of a process of a cluster, once all processes are there.
pub(super) fn join(cluster: &Cluster) -> Result<Builders, Error> {
    let sockets = sockets(cluster, PATIENCE)?;
    let hooks = Hooks::default();
    let workers = cluster.workers;
    let local = ProcessBuilder::new_typed_vector(workers, hooks.refill.clone(), None);
    let (builders, guard) =
        initialize_networking_from_sockets(local, sockets, cluster.process, workers, hooks)
            .map_err(|e| Error::Cluster(format!("cannot start the network threads: {e}")))?;
    Ok((builders.into_iter().map(AllocatorBuilder::Tcp).collect(), Box::new(guard)))
}

fn sockets(cluster: &Cluster, patience: Duration) -> Result<Vec<Option<TcpStream>>, Error> {
    let (me, addresses) = (cluster.process, &cluster.addresses);
    let deadline = Instant::now() + patience;
    let mine = Greeting { run: cluster.run, process: me as u64 };
    let listener = TcpListener::bind(&addresses[me]).map_err(|e| {
        Error::Cluster(format!("cannot listen on {}: {e}; is it free and ours?", addresses[me]))
    })?;
    let mut sockets: Vec<Option<TcpStream>> = addresses.iter().map(|_| None).collect();
    for (other, address) in addresses.iter().enumerate().take(me) {
        sockets[other] = Some(call(mine, other, address, deadline)?);
    }
    listener.set_nonblocking(true).map_err(Error::file(&addresses[me]))?;
    while let Some(missing) = (me + 1..addresses.len()).find(|i| sockets[*i].is_none()) {
        match listener.accept() {
            Ok((stream, _)) => {
                if let Some((process, stream)) = answer(mine, stream, addresses.len())? {
                    sockets[process] = Some(stream);
                }
            }
            Err(e) if e.kind() == ErrorKind::WouldBlock => {
                wait(deadline, missing, &addresses[missing])?;
            }
            Err(e) => return Err(Error::file(&addresses[me])(e)),
        }
    }
    Ok(sockets)
}

/// Calls a process that comes before this one, until it answers.
fn call(
    mine: Greeting,
    other: usize,
    address: &str,
    deadline: Instant,
) -> Result<TcpStream, Error> {
    loop {
        if let Ok(mut stream) = TcpStream::connect(address) {
            let patience = deadline.saturating_duration_since(Instant::now()).max(PAUSE);
            let theirs = stream
                .set_nodelay(true)
                .and_then(|()| mine.send(&mut stream))
                .and_then(|()| Greeting::receive(&mut stream, patience));
            match theirs {
                Ok(Some(theirs)) if theirs.run != mine.run => return Err(other_run(other)),
                Ok(Some(theirs)) if theirs.process == other as u64 => return Ok(stream),
                // It hung up or is someone else: perhaps it is just being restarted.
                _ => {}
            }
        }
        wait(deadline, other, address)?;
    }
}

/// Answers a caller; `None` if it is not one of us.
fn answer(
    mine: Greeting,
    mut stream: TcpStream,
    processes: usize,
) -> Result<Option<(usize, TcpStream)>, Error> {
    let received = stream
        .set_nonblocking(false)
        .and_then(|()| stream.set_nodelay(true))
        .and_then(|()| Greeting::receive(&mut stream, GREETING));
    let Ok(Some(theirs)) = received else { return Ok(None) };
    if mine.send(&mut stream).is_err() {
        return Ok(None);
    }
    if theirs.run != mine.run {
        return Err(other_run(theirs.process as usize));
    }
    let process = theirs.process as usize;
    Ok((process > mine.process as usize && process < processes).then_some((process, stream)))
}

fn other_run(process: usize) -> Error {
    Error::Cluster(format!(
        "process {process} was started with other arguments (queries, sources, tick, workers or \
         version); start all processes with the same, but for --process"
    ))
}

fn wait(deadline: Instant, process: usize, address: &str) -> Result<(), Error> {
    if Instant::now() >= deadline {
        return Err(Error::Cluster(format!(
            "process {process} ({address}) did not come within {} s; is it running, and can it be \
             reached?",
            PATIENCE.as_secs()
        )));
    }
    std::thread::sleep(PAUSE);
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn cluster(addresses: &[String], process: usize, run: u64) -> Cluster {
        Cluster { workers: 1, addresses: addresses.to_vec(), process, run }
    }

    fn free_addresses(n: usize) -> Vec<String> {
        let listeners: Vec<_> = (0..n).map(|_| TcpListener::bind("127.0.0.1:0").unwrap()).collect();
        listeners.iter().map(|l| l.local_addr().unwrap().to_string()).collect()
    }

    /// A port that was free may be taken by another test before it is used: try again then.
    fn unless_taken(attempt: impl Fn() -> Vec<Result<usize, Error>>) -> Vec<Result<usize, Error>> {
        for _ in 0..10 {
            let results = attempt();
            let taken = |r: &Result<usize, Error>| {
                r.as_ref().is_err_and(|e| e.to_string().starts_with("cannot listen"))
            };
            if !results.iter().any(taken) {
                return results;
            }
        }
        panic!("no free port in ten tries");
    }

    #[test]
    fn three_processes_find_each_other_among_strangers() {
        let results = unless_taken(|| three(Duration::from_secs(10)));
        for sockets in results {
            assert_eq!(sockets.unwrap(), 3);
        }
    }

    fn three(patience: Duration) -> Vec<Result<usize, Error>> {
        let addresses = free_addresses(3);
        let stranger = addresses[0].clone();
        let processes: Vec<_> = (0..3)
            .map(|process| {
                let cluster = cluster(&addresses, process, 7);
                std::thread::spawn(move || sockets(&cluster, patience).map(|s| s.len()))
            })
            .collect();
        // Bytes that are not ours, and a caller that says nothing.
        for _ in 0..3 {
            if let Ok(mut stream) = TcpStream::connect(&stranger) {
                let _ = stream.write_all(b"GET / HTTP/1.1\r\nHost: here\r\n\r\n");
            }
        }
        processes.into_iter().map(|process| process.join().unwrap()).collect()
    }

    #[test]
    fn another_run_is_refused_by_both_and_a_missing_process_is_named() {
        let different = || {
            let addresses = free_addresses(2);
            let processes = [1, 2].map(|run| {
                let cluster = cluster(&addresses, run as usize - 1, run);
                let patience = Duration::from_secs(10);
                std::thread::spawn(move || sockets(&cluster, patience).map(|s| s.len()))
            });
            processes.into_iter().map(|process| process.join().unwrap()).collect()
        };
        for result in unless_taken(different) {
            let error = result.unwrap_err().to_string();
            assert!(error.contains("other arguments"), "{error}");
        }
        let alone = || {
            let cluster = cluster(&free_addresses(2), 0, 1);
            vec![sockets(&cluster, Duration::from_millis(50)).map(|s| s.len())]
        };
        for result in unless_taken(alone) {
            let error = result.unwrap_err().to_string();
            assert!(error.starts_with("process 1 ("), "{error}");
        }
    }
}
