//! The thread that writes: a range at a time, each in one transaction together with how far the
//! tables are then, and again until it is done.
//!
//! A range is kept until the server has said that it is committed. If the connection is lost before
//! that word has come, the progress tells whether it was. Bound: the ranges that wait are counted in
//! bytes, by which the sink says that it is behind.

use super::link::{Link, Mark, backoff};
use super::range::Range;
use super::trouble::Trouble;
use crate::error::Error;
use crate::sink::under_way::UnderWay;
use crate::tell::Tell;
use futures_util::SinkExt;
use std::io::Cursor;
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;
use tokio::runtime::Runtime;
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};
use tokio::sync::oneshot;
use tokio_postgres::Transaction;

/// How many bytes are sent at once.
const CHUNK: usize = 1 << 16;
/// When a person is told of a transaction that takes its time; each time twice as late.
const SLOW: Duration = Duration::from_secs(10);

/// A range to be written.
pub(super) struct Job {
    pub range: Range,
    /// Whether the tables are to have the rows of the range and no others.
    pub anew: bool,
    /// Up to when the tables are complete then, and whether the sources have ended.
    pub cut: i64,
    pub ended: bool,
    /// Commits only when this says so.
    pub go: Option<oneshot::Receiver<()>>,
    /// The number of the commit of which no word has come.
    doubted: Option<i64>,
}

impl Job {
    /// One that is committed as soon as it is written.
    pub fn new(range: Range, anew: bool, (cut, ended): (i64, bool)) -> Job {
        Job { range, anew, cut, ended, go: None, doubted: None }
    }
}

/// The thread, as the sink sees it.
pub(super) struct Writer {
    jobs: UnboundedSender<Job>,
    shared: Arc<Shared>,
}

#[derive(Default)]
struct Shared {
    under_way: UnderWay,
    /// Whether a job waits for the word to commit.
    prepared: AtomicBool,
}

impl Writer {
    /// Starts it on a connection.
    pub fn start(runtime: Runtime, link: Link, tell: (String, Tell)) -> Result<Writer, Error> {
        let (jobs, todo) = unbounded_channel();
        let shared = Arc::<Shared>::default();
        let work = Work { link, name: tell.0, tell: tell.1, shared: Arc::clone(&shared) };
        let run = move || runtime.block_on(work.run(todo));
        std::thread::Builder::new()
            .name("postgres".into())
            .spawn(run)
            .map_err(|e| Error::Cluster(format!("no thread to write to a database: {e}")))?;
        Ok(Writer { jobs, shared })
    }

    /// Has it write a range.
    pub fn give(&self, job: Job) {
        self.shared.under_way.given(job.range.bytes());
        // It is gone only after it has failed, which is told by `failure`.
        let _ = self.jobs.send(job);
    }

    /// The bytes that wait to be written.
    pub fn bytes(&self) -> usize {
        self.shared.under_way.bytes()
    }

    /// Whether everything is committed, or waits for the word.
    pub fn is_idle(&self) -> bool {
        self.is_done() || self.shared.prepared.load(Ordering::SeqCst)
    }

    /// Whether everything is committed.
    pub fn is_done(&self) -> bool {
        self.shared.under_way.is_done()
    }

    /// What has gone wrong, once.
    pub fn failure(&self) -> Result<(), Error> {
        self.shared.under_way.failure()
    }
}

impl Drop for Writer {
    fn drop(&mut self) {
        self.shared.under_way.leave();
    }
}

struct Work {
    link: Link,
    /// The sink, as it is named.
    name: String,
    tell: Tell,
    shared: Arc<Shared>,
}

impl Work {
    async fn run(mut self, mut todo: UnboundedReceiver<Job>) {
        while let Some(mut job) = todo.recv().await {
            if let Err(error) = self.persist(&mut job).await {
                self.shared.under_way.fail(error);
                return;
            }
            self.shared.prepared.store(false, Ordering::SeqCst);
            self.shared.under_way.done(job.range.bytes());
        }
    }

    /// Writes a range, however often it takes.
    async fn persist(&mut self, job: &mut Job) -> Result<(), Error> {
        let mut tries = 0;
        loop {
            match self.attended(job).await {
                Ok(()) => {
                    if tries > 0 {
                        self.say("it is there again, and nothing is lost");
                    }
                    return Ok(());
                }
                Err(Trouble::Fatal(error)) => return Err(named(&self.name, error)),
                Err(Trouble::Lost(what)) => {
                    if self.shared.under_way.is_left() {
                        return Ok(());
                    }
                    if tries == 0 || tries % 10 == 0 {
                        self.say(&format!("{what}; trying again until it is there"));
                    }
                    tokio::time::sleep(backoff(tries)).await;
                    tries += 1;
                }
            }
        }
    }

    fn say(&self, what: &str) {
        self.tell.say(&format!("{}: {what}", self.name));
    }

    /// One attempt; a person is told if it takes long.
    async fn attended(&mut self, job: &mut Job) -> Result<(), Trouble> {
        let (name, tell) = (self.name.clone(), self.tell.clone());
        let waits = Arc::clone(&self.shared);
        let mut attempt = pin!(attempt(&mut self.link, &self.shared, job));
        let (mut wait, mut slept) = (SLOW, Duration::ZERO);
        loop {
            match tokio::time::timeout(wait, &mut attempt).await {
                Ok(done) => return done,
                Err(_) => {
                    slept += wait;
                    wait *= 2;
                    if !waits.prepared.load(Ordering::SeqCst) {
                        let seconds = slept.as_secs();
                        tell.say(&format!("{name}: a commit has been under way for {seconds} s"));
                    }
                }
            }
        }
    }
}

/// What is wrong, and with which sink.
pub(super) fn named(name: &str, error: Error) -> Error {
    match error {
        Error::Room { what, wrong_use } => Error::of(format!("{name}: {what}"), wrong_use),
        Error::Usage(what) if !what.starts_with(name) => Error::Usage(format!("{name}: {what}")),
        error => error,
    }
}

async fn attempt(link: &mut Link, shared: &Shared, job: &mut Job) -> Result<(), Trouble> {
    let mut client = link.take().await?;
    write(link, client.transaction().await?, shared, job).await?;
    link.put(client);
    Ok(())
}

/// Writes a range in a transaction and commits it.
async fn write(
    link: &Link,
    transaction: Transaction<'_>,
    shared: &Shared,
    job: &mut Job,
) -> Result<(), Trouble> {
    let (commits, own) = link.check(&transaction).await?;
    if own && job.doubted == Some(commits) {
        return Ok(());
    }
    if job.anew {
        link.look(&transaction).await?;
        link.prepare(&transaction).await?;
    }
    for (view, shape) in link.shapes.iter().enumerate() {
        if job.anew || job.range.rows(view).len() > 0 {
            copy(&transaction, shape.copy(), (&job.range, view), &shape.nulls()).await?;
            let merge = if job.anew { shape.merge_all() } else { shape.merge() };
            transaction.batch_execute(&merge).await?;
        }
    }
    let mark = Mark { cut: job.cut, ended: job.ended, commits: commits + 1 };
    link.note(&transaction, Some(mark)).await?;
    if let Some(go) = &mut job.go {
        shared.prepared.store(true, Ordering::SeqCst);
        if go.await.is_err() {
            return Ok(()); // nobody wants it any more: it is rolled back
        }
        job.go = None;
    }
    job.doubted = Some(mark.commits);
    transaction.commit().await?;
    Ok(())
}

/// Sends the rows of a view.
async fn copy(
    transaction: &Transaction<'_>,
    statement: String,
    (range, view): (&Range, usize),
    nulls: &[u8],
) -> Result<(), Trouble> {
    let sink = transaction.copy_in::<_, Cursor<Vec<u8>>>(&statement).await?;
    let mut sink = pin!(sink);
    let mut chunk = Vec::with_capacity(CHUNK);
    for (key, row) in range.rows(view) {
        chunk.extend_from_slice(key);
        chunk.extend_from_slice(row.map_or(nulls, |row| row));
        chunk.extend_from_slice(if row.is_some() { b"f\n" } else { b"t\n" });
        if chunk.len() >= CHUNK {
            sink.send(Cursor::new(std::mem::take(&mut chunk))).await?;
        }
    }
    if !chunk.is_empty() {
        sink.send(Cursor::new(chunk)).await?;
    }
    sink.finish().await?;
    Ok(())
}
