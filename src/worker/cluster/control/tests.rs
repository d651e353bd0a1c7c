//! Processes that end a run together, over connections within this one.

use super::*;
use std::io::Write;
use std::net::TcpListener;
use std::sync::atomic::AtomicU64;

const PATIENCE: Duration = Duration::from_secs(60);

/// A process of a run, as the test plays it.
struct Process {
    control: Arc<Control>,
    stop: Arc<AtomicBool>,
    records: Arc<AtomicU64>,
    bad: Arc<AtomicU64>,
}

fn connection() -> (TcpStream, TcpStream) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let one = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
    (one, listener.accept().unwrap().0)
}

fn process(at: usize, connections: Vec<Option<TcpStream>>, silence: Duration) -> Process {
    let addresses = (0..connections.len()).map(|i| format!("host{i}:2101")).collect();
    let (stop, records, bad) =
        (Arc::<AtomicBool>::default(), Arc::<AtomicU64>::default(), Arc::<AtomicU64>::default());
    let (read, wrong) = (Arc::clone(&records), Arc::clone(&bad));
    let own = move || {
        let records = read.load(Ordering::Relaxed);
        let bad = wrong.load(Ordering::Relaxed);
        let (duplicates, bytes) = (records / 2, records * 10);
        let counts = Counts {
            records,
            bad,
            duplicates,
            bytes,
            superseded: 1,
            differing: 1,
            late: 2,
            unpaired: -1,
            never_came: 1,
            beyond: 2,
            too_large: 1,
        };
        let dead_letters = (bad > 0).then(|| format!("letters.{at}"));
        Report { counts, dead_letters, ..Report::default() }
    };
    let setup = Setup { process: at, addresses, stop: Arc::clone(&stop), max_bad: 0.05, silence };
    let control = Control::start(setup, connections, Box::new(own)).unwrap();
    Process { control, stop, records, bad }
}

/// Three of one run, with these records and bad ones.
fn three(read: [(u64, u64); 3]) -> Vec<Process> {
    let ((a0, a1), (b0, b2)) = (connection(), connection());
    let ends =
        [vec![None, Some(a0), Some(b0)], vec![Some(a1), None, None], vec![Some(b2), None, None]];
    let all: Vec<_> =
        ends.into_iter().enumerate().map(|(at, ends)| process(at, ends, SILENCE)).collect();
    for (process, (records, bad)) in all.iter().zip(read) {
        process.records.store(records, Ordering::Relaxed);
        process.bad.store(bad, Ordering::Relaxed);
    }
    all
}

fn until<T>(what: impl Fn() -> Option<T>) -> T {
    let deadline = Instant::now() + PATIENCE;
    loop {
        match what() {
            Some(found) => return found,
            None => assert!(Instant::now() < deadline, "nothing comes"),
        }
        std::thread::sleep(Duration::from_millis(2));
    }
}

fn verdict(process: &Process) -> Result<Report, String> {
    until(|| process.control.verdict()).map_err(|end| process.control.error(&end).to_string())
}

#[test]
fn counts_are_of_all_and_nothing_is_good_before_all_are_done() {
    let all = three([(100, 0), (10, 1), (90, 3)]);
    all[0].control.done();
    all[1].control.done();
    for _ in 0..20 {
        assert!(all[0].control.verdict().is_none(), "process 2 is not done");
        std::thread::sleep(Duration::from_millis(5));
    }
    all[2].control.done();
    // One in ten and one in thirty are bad, one in fifty of all.
    let total = verdict(&all[0]).unwrap();
    let (superseded, differing, late, unpaired, never_came) = (3, 3, 6, -3, 3);
    let want = Counts {
        records: 200,
        bad: 4,
        duplicates: 100,
        bytes: 2000,
        superseded,
        differing,
        late,
        unpaired,
        never_came,
        beyond: 6,
        too_large: 3,
    };
    assert_eq!(total.counts, want);
    let places = "letters.1 of process 1 (host1:2101) and letters.2 of process 2 (host2:2101)";
    assert_eq!(total.dead_letters.as_deref(), Some(places));
    assert!(all[1].control.verdict().is_none(), "nothing is written yet");
    all[0].control.finish();
    for member in &all[1..] {
        assert_eq!(verdict(member).unwrap().counts, want);
        assert!(!member.stop.load(Ordering::Relaxed));
        member.control.close();
    }
    all[0].control.close();
}

#[test]
fn too_many_bad_are_judged_over_all() {
    let all = three([(100, 0), (10, 0), (90, 11)]);
    all.iter().for_each(|process| process.control.done());
    let error = verdict(&all[0]).unwrap_err();
    assert!(error.starts_with("11 of 200 records are bad, more than --max-bad 5%"), "{error}");
    assert!(error.contains("letters.2 of process 2 (host2:2101)"), "{error}");
    for member in &all[1..] {
        assert_eq!(verdict(member).unwrap_err(), error);
    }
}

#[test]
fn a_run_is_given_up_early_by_what_all_have_read() {
    let all = three([(90_000, 0), (90_000, 0), (1_000, 1_000)]);
    let seen = |records| {
        until(|| {
            let state = lock(&all[0].control.state);
            (all[0].control.all(&state).counts.records == records).then_some(())
        });
    };
    seen(181_000);
    assert!(all[0].control.hopeless().is_none(), "one in 181 is not too many");
    all[2].records.store(20_000, Ordering::Relaxed);
    all[2].bad.store(20_000, Ordering::Relaxed);
    seen(200_000);
    let error = all[0].control.hopeless().unwrap().to_string();
    assert!(error.starts_with("20000 of 200000"), "{error}");
    assert_eq!(verdict(&all[1]).unwrap_err(), error);
    let few = three([(50_000, 50_000), (0, 0), (0, 0)]);
    assert!(few[0].control.hopeless().is_none(), "too few to prove anything");
}

#[test]
fn a_failure_anywhere_stops_all_and_is_named() {
    for failing in 0..3 {
        let all = three([(1, 0); 3]);
        all[failing].control.fail("b.csv.gz: it is\ncut short");
        for (at, process) in all.iter().enumerate() {
            let error = verdict(process).unwrap_err();
            let want = format!(
                "process {failing} (host{failing}:2101) failed: b.csv.gz: it is cut short; the \
                 run is over"
            );
            assert_eq!(error, want, "process {at}");
            assert!(process.stop.load(Ordering::Relaxed), "process {at}");
        }
    }
}

#[test]
fn a_stop_anywhere_stops_all() {
    for asked in 0..3 {
        let all = three([(1, 0); 3]);
        all[asked].control.stop();
        for process in &all {
            assert_eq!(until(|| process.control.verdict()), Err(End::Stopped(asked)));
            assert!(process.stop.load(Ordering::Relaxed));
        }
    }
}

#[test]
fn what_comes_after_the_verdict_comes_too_late() {
    let all = three([(1, 0); 3]);
    all.iter().for_each(|process| process.control.done());
    verdict(&all[0]).unwrap();
    all[1].control.stop();
    all[2].control.close();
    std::thread::sleep(Duration::from_millis(200));
    all[0].control.stop();
    assert!(lock(&all[0].control.state).end.is_none());
    all[0].control.finish();
    assert!(verdict(&all[1]).is_ok());
    // But if the results cannot be written, all hear of it.
    let all = three([(1, 0); 3]);
    all.iter().for_each(|process| process.control.done());
    verdict(&all[0]).unwrap();
    all[0].control.fail("out: no space left");
    assert!(verdict(&all[1]).unwrap_err().contains("no space left"));
}

#[test]
fn whoever_is_gone_or_silent_or_speaks_nonsense_ends_the_run() {
    let with = |play: fn(TcpStream) -> Option<TcpStream>| {
        let ((a0, a1), (b0, b2)) = (connection(), connection());
        let silence = Duration::from_secs(3);
        let first = process(0, vec![None, Some(a0), Some(b0)], silence);
        let second = process(1, vec![Some(a1), None, None], SILENCE);
        let _held = play(b2);
        let error = verdict(&second).unwrap_err();
        assert_eq!(verdict(&first).unwrap_err(), error, "all hear the same");
        error
    };
    let who = "process 2 (host2:2101)";
    assert_eq!(with(|_| None), format!("{who} is gone; the run is over"));
    assert_eq!(with(Some), format!("{who} has said nothing for 3 s; the run is over"));
    let nonsense = |mut stream: TcpStream| {
        stream.write_all(b"{\"Pulse\":7}\n").unwrap();
        Some(stream)
    };
    assert_eq!(with(nonsense), format!("{who} says what no tidemill says; the run is over"));
    let endless = |mut stream: TcpStream| {
        let _ = stream.write_all(&vec![b'['; 1 << 20]);
        Some(stream)
    };
    assert_eq!(with(endless), format!("{who} says what no tidemill says; the run is over"));
}

#[test]
fn a_member_is_told_that_process_0_is_gone() {
    let (one, other) = connection();
    let member = process(1, vec![Some(one), None], SILENCE);
    drop(other);
    assert_eq!(verdict(&member).unwrap_err(), "process 0 (host0:2101) is gone; the run is over");
    assert!(member.stop.load(Ordering::Relaxed));
}

#[test]
fn the_last_words_of_a_panic_reach_the_others() {
    let all = three([(1, 0); 3]);
    tell_of_panics(&all[2].control);
    last_words("failed at src/x.rs:1: index out of bounds");
    for process in &all[..2] {
        let error = verdict(process).unwrap_err();
        assert!(error.contains("process 2 (host2:2101) failed: failed at src/x.rs:1"), "{error}");
    }
}

#[test]
fn one_process_is_judged_by_the_same_code() {
    let alone = process(0, Vec::new(), SILENCE);
    alone.records.store(10, Ordering::Relaxed);
    assert!(alone.control.verdict().is_none(), "it is not done");
    alone.control.done();
    assert_eq!(verdict(&alone).unwrap().counts.records, 10);
    alone.control.finish();
    alone.control.close();
    let alone = process(0, Vec::new(), SILENCE);
    alone.records.store(10, Ordering::Relaxed);
    alone.bad.store(1, Ordering::Relaxed);
    alone.control.done();
    let error = verdict(&alone).unwrap_err();
    assert_eq!(
        error,
        "1 of 10 records are bad, more than --max-bad 5%; see letters.0 for the reasons"
    );
}
