//! Processes that find each other, among strangers, and those that do not.

use super::*;
use crate::description::Description;

fn cluster(addresses: &[String], process: usize, run: u32, patience: Duration) -> Cluster {
    let mut description = Description::default();
    description.add("--decimals", run);
    let addresses = addresses.to_vec();
    Cluster { addresses, process, description, patience, ..Cluster::threads(1) }
}

fn free_addresses(n: usize) -> Vec<String> {
    let listeners: Vec<_> = (0..n).map(|_| TcpListener::bind("127.0.0.1:0").unwrap()).collect();
    listeners.iter().map(|l| l.local_addr().unwrap().to_string()).collect()
}

fn secret(text: &str) -> Secret {
    Secret::new(text.as_bytes()).unwrap()
}

type Found = Result<usize, Error>;

/// A port that was free may be taken by another test before it is used: try again then.
fn unless_taken(attempt: impl Fn() -> Vec<Found>) -> Vec<Found> {
    for _ in 0..10 {
        let results = attempt();
        let taken = |r: &Found| r.as_ref().is_err_and(|e| e.to_string().contains("cannot listen"));
        if !results.iter().any(taken) {
            return results;
        }
    }
    panic!("no free port in ten tries");
}

fn all(clusters: Vec<(Cluster, Secret)>) -> Vec<Found> {
    let started: Vec<_> = clusters
        .into_iter()
        .map(|(cluster, secret)| {
            std::thread::spawn(move || {
                let met = meet(&cluster, &secret, &|| false)?;
                Ok(met.data.iter().flatten().count() + met.control.iter().flatten().count())
            })
        })
        .collect();
    started.into_iter().map(|process| process.join().unwrap()).collect()
}

#[test]
fn three_processes_find_each_other_among_strangers() {
    let attempt = || {
        let addresses = free_addresses(3);
        let stop = std::sync::atomic::AtomicBool::new(false);
        let going = || !stop.load(std::sync::atomic::Ordering::Relaxed);
        std::thread::scope(|scope| {
            // Those that say nothing, that say something else, and that begin as we would.
            for address in &addresses {
                scope.spawn(move || {
                    let mut open = Vec::new();
                    while going() {
                        if open.len() < 40
                            && let Ok(mut stream) = TcpStream::connect(address)
                        {
                            let words: [&[u8]; 3] = [b"", b"GET / HTTP/1.1\r\n\r\n", b"tidemil2??"];
                            let _ = stream.write_all(words[open.len() % 3]);
                            open.push(stream);
                        }
                        std::thread::sleep(Duration::from_millis(1));
                    }
                });
            }
            let found = all((0..3)
                .map(|i| (cluster(&addresses, i, 7, Duration::from_secs(60)), secret("s")))
                .collect());
            stop.store(true, std::sync::atomic::Ordering::Relaxed);
            found
        })
    };
    let found: Vec<usize> = unless_taken(attempt).into_iter().map(Result::unwrap).collect();
    assert_eq!(found, [4, 3, 3], "two others each, and the control connections");
}

#[test]
fn another_run_is_refused_by_both_by_name() {
    let different = || {
        let addresses = free_addresses(2);
        let each = |i: usize| cluster(&addresses, i, i as u32, Duration::from_secs(60));
        all([0, 1].map(|i| (each(i), secret("s"))).into())
    };
    for result in unless_taken(different) {
        let error = result.unwrap_err().to_string();
        assert!(error.contains("--decimals is"), "{error}");
    }
}

#[test]
fn a_missing_process_and_another_secret_are_told_at_the_deadline() {
    let short = Duration::from_millis(300);
    let alone = || {
        let addresses = free_addresses(2);
        all(vec![(cluster(&addresses, 0, 1, short), secret("s"))])
    };
    for result in unless_taken(alone) {
        let error = result.unwrap_err().to_string();
        assert!(error.starts_with("process 1 (") && error.contains("0.3 s"), "{error}");
    }
    let secrets = || {
        let addresses = free_addresses(2);
        let each = |i| cluster(&addresses, i, 1, Duration::from_secs(2));
        all(vec![(each(0), secret("one")), (each(1), secret("two"))])
    };
    for result in unless_taken(secrets) {
        let error = result.unwrap_err().to_string();
        assert!(error.contains("TIDEMILL_SECRET"), "{error}");
    }
}

#[test]
fn whoever_loses_patience_is_not_kept() {
    let stopped = || {
        let cluster = cluster(&free_addresses(2), 0, 1, Duration::from_secs(600));
        vec![meet(&cluster, &secret("s"), &|| true).map(|_| 0)]
    };
    for result in unless_taken(stopped) {
        assert!(result.unwrap_err().to_string().contains("stopped"));
    }
}
