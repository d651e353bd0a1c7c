//! Reads a CSV file, compressed file or stream as a header and blocks of whole records.
//!
//! A plain file is read by whoever asks for the next block, since that takes no longer than being handed one. What may
//! block or costs work (standard input, gzip, zstd) is read on a thread of its own, a few blocks ahead and no more. Of
//! many compressed files only the first have a thread; whoever asks decompresses the others. Both ways use the same
//! splitter, so they yield the same records.

use std::fs::File;
use std::io::{self, BufRead, Read};
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::{Receiver, RecvError, SyncSender, TryRecvError, sync_channel};
use std::thread::{self, JoinHandle};

use flate2::bufread::GzDecoder;

use super::described::Said;
use super::dialect::{Decoded, Dialect};
use super::error::SourceError;
use super::follow::{Follow, Following, Tail};
use super::header::Header;
use super::json::{self, Framed};
use super::plain::Plain;
use super::push::Push;
use super::split::{Block, HeaderLine, Splitter};
use crate::event::Stream;

/// The usual size of a block.
pub const BLOCK_SIZE: usize = 256 << 10;
/// How many blocks a thread reads ahead.
const AHEAD: usize = 4;
/// How many compressed files are decompressed ahead of who asks for their blocks. There are no more cores than that to
/// do it, and every thread holds a few blocks.
const THREADS: usize = 16;
/// The size of a block of the others.
const SMALL_BLOCK: usize = 64 << 10;
/// How many buffers are kept for reuse.
const SPARE: usize = 2 * AHEAD;

/// What there is to read next.
#[derive(Debug)]
pub enum Next {
    /// A block.
    Block(Block),
    /// Nothing yet; ask again later.
    Wait,
    /// Nothing any more.
    End,
}

/// Reads one source.
pub struct Reader {
    header: Header,
    /// How many lines the header takes, blank ones before it included.
    lines: u64,
    input: Input,
    said: Option<Arc<Said>>,
    /// Of a source that goes on.
    tail: Option<Following>,
    /// Whether records are or were pushed, and where they are.
    pushed: bool,
    push: Option<Arc<Push>>,
}

enum Input {
    Inline { splitter: Splitter<Text>, spare: Vec<Vec<u8>> },
    Thread(Decoder),
}

/// What is read, as text with a record on each line if it is JSON.
type Text = Framed<Decoded<Box<dyn Read + Send>>>;

/// One of the [`THREADS`], free again when dropped.
struct Ahead;

/// How many of them there are.
static TAKEN: AtomicUsize = AtomicUsize::new(0);

impl Ahead {
    fn take() -> Option<Ahead> {
        let more = |taken| (taken < THREADS).then_some(taken + 1);
        TAKEN.fetch_update(Ordering::Relaxed, Ordering::Relaxed, more).is_ok().then_some(Ahead)
    }
}

impl Drop for Ahead {
    fn drop(&mut self) {
        TAKEN.fetch_sub(1, Ordering::Relaxed);
    }
}

/// The other end of a reading thread.
struct Decoder {
    blocks: Receiver<io::Result<Block>>,
    spare: SyncSender<Vec<u8>>,
    thread: Option<JoinHandle<()>>,
}

impl Reader {
    /// Opens a file, decompressing it if its name ends in `.gz` or `.zst`, or standard input for `-`. Reads the header,
    /// and on standard input waits for it.
    pub fn open(path: &str, block_size: usize, dialect: &Dialect) -> Result<Reader, SourceError> {
        let sizes = (block_size, false);
        if path == "-" {
            return Reader::threaded(
                "standard input",
                Box::new(io::stdin()),
                (block_size, true),
                dialect,
            );
        }
        let failed = |error| SourceError::Open { file: path.to_owned(), error };
        let file = File::open(path).map_err(failed)?;
        if file.metadata().map_err(failed)?.is_dir() {
            return Err(SourceError::Directory { file: path.trim_end_matches('/').to_owned() });
        }
        let extension = Path::new(path).extension().unwrap_or_default();
        let (gzip, zstd) =
            (extension.eq_ignore_ascii_case("gz"), extension.eq_ignore_ascii_case("zst"));
        let (file, size) = Plain::new(Path::new(path), file, block_size).map_err(failed)?;
        if !gzip && !zstd {
            return Reader::inline(path, Box::new(file), size, dialect);
        }
        let file = io::BufReader::with_capacity(size, file);
        let decoder: Box<dyn Read + Send> = match gzip {
            true => Box::new(Members::new(file)),
            false => Box::new(zstd::Decoder::with_buffer(file).map_err(failed)?),
        };
        match Ahead::take() {
            Some(ahead) => {
                Reader::threaded(path, Box::new(Counted(decoder, ahead)), sizes, dialect)
            }
            None => Reader::inline(path, decoder, block_size.min(SMALL_BLOCK), dialect),
        }
    }

    /// Reads standard input and writes it down in a new file, by which it is known: what is handed over
    /// is on the disk.
    pub fn kept(path: &str, block_size: usize, dialect: &Dialect) -> Result<Reader, SourceError> {
        let failed = |error| SourceError::Open { file: path.to_owned(), error };
        let file = File::create_new(path).map_err(failed)?;
        let input = Box::new(Kept { input: io::stdin(), file });
        Reader::threaded(path, input, (block_size, true), dialect)
    }

    /// Opens a file that grows: what is there and, as long as the reader lives, what comes. Waits for the
    /// header. What is compressed does not grow, and ends; standard input has no past.
    pub fn follow(path: &str, block_size: usize, dialect: &Dialect) -> Result<Reader, SourceError> {
        if path == "-" {
            return Ok(Reader::open(path, block_size, dialect)?.from_now_on());
        }
        if [".gz", ".zst"].iter().any(|end| path.to_ascii_lowercase().ends_with(end)) {
            return Reader::open(path, block_size, dialect);
        }
        let failed = |error| SourceError::Open { file: path.to_owned(), error };
        let file = File::open(path).map_err(failed)?;
        if file.metadata().map_err(failed)?.is_dir() {
            return Err(SourceError::Directory { file: path.trim_end_matches('/').to_owned() });
        }
        let tail = Tail::grows();
        let input = Box::new(Follow::new(Path::new(path), file, Arc::clone(&tail)));
        let reader = Reader::threaded(path, input, (block_size, true), dialect)?;
        Ok(reader.with(tail))
    }

    /// Opens a file of what was pushed, with the fields of its stream; what is pushed now comes after it,
    /// if anything is.
    pub fn pushed(
        path: &Path,
        block_size: usize,
        (stream, push): (Stream, Option<Push>),
    ) -> Result<Reader, SourceError> {
        let name = path.display().to_string();
        let failed = |error| SourceError::Open { file: name.clone(), error };
        let file = File::open(path).map_err(failed)?;
        let header = Header::of_fields(&name, stream.schema());
        let tail = push.as_ref().map(Push::tail);
        let push = push.map(Arc::new);
        let text: Box<dyn Read + Send> = match &tail {
            None => Box::new(file),
            Some(tail) => Box::new(Follow::new(path, file, Arc::clone(tail))),
        };
        let sizes = (block_size, tail.is_some());
        let ((), input) = Reader::spawn((&name, None), text, sizes, |splitter| {
            splitter.lines = true;
            Ok(())
        })?;
        let tail = tail.map(Following::of);
        Ok(Reader { header, lines: 0, input, said: None, tail, pushed: true, push })
    }

    /// Whether its records are or were pushed.
    pub fn is_pushed(&self) -> bool {
        self.pushed
    }

    /// The way in, where records are pushed.
    pub fn push(&self) -> Option<Arc<Push>> {
        self.push.clone()
    }

    /// The same source, of which everything is taken to come from now on.
    pub fn from_now_on(self) -> Reader {
        self.with(Tail::comes())
    }

    fn with(self, tail: Arc<Tail>) -> Reader {
        Reader { tail: Some(Following::of(tail)), ..self }
    }

    /// Of a source that goes on: how far it has come.
    pub fn tail(&self) -> Option<Arc<Tail>> {
        self.tail.as_ref().map(Following::tail)
    }

    fn inline(
        name: &str,
        input: Box<dyn Read + Send>,
        block_size: usize,
        dialect: &Dialect,
    ) -> Result<Reader, SourceError> {
        let text = Framed::new(Decoded::new(input, dialect.encoding));
        let mut splitter = Splitter::new(text, block_size, false);
        let line = read_with(name, begin(&mut splitter, dialect, json::is_named(name)))?;
        let header = Header::read(name, line.as_ref(), dialect)?;
        let lines = line.map_or(0, |line| line.lines);
        Ok(Reader {
            header,
            lines,
            input: Input::Inline { splitter, spare: Vec::new() },
            said: None,
            tail: None,
            pushed: false,
            push: None,
        })
    }

    /// Reads any stream of bytes on its own thread and hands over records as soon as they are there. `name` stands for
    /// the file in errors.
    pub fn from_read(
        name: &str,
        input: Box<dyn Read + Send>,
        block_size: usize,
    ) -> Result<Reader, SourceError> {
        Reader::threaded(name, input, (block_size, true), &Dialect::default())
    }

    fn threaded(
        name: &str,
        input: Box<dyn Read + Send>,
        (block_size, eager): (usize, bool),
        dialect: &Dialect,
    ) -> Result<Reader, SourceError> {
        let (said, named) = (dialect.clone(), json::is_named(name));
        let first = move |splitter: &mut Splitter<Text>| begin(splitter, &said, named);
        let (line, input) =
            Reader::spawn((name, dialect.encoding), input, (block_size, eager), first)?;
        let header = Header::read(name, line.as_ref(), dialect)?;
        let lines = line.map_or(0, |line| line.lines);
        Ok(Reader { header, lines, input, said: None, tail: None, pushed: false, push: None })
    }

    /// Reads on a thread of its own, on which something is done first, and waited for.
    fn spawn<T: Send + 'static>(
        (name, encoding): (&str, Option<&'static encoding_rs::Encoding>),
        input: Box<dyn Read + Send>,
        (block_size, eager): (usize, bool),
        first: impl FnOnce(&mut Splitter<Text>) -> io::Result<T> + Send + 'static,
    ) -> Result<(T, Input), SourceError> {
        let (to_first, done) = sync_channel(1);
        let (to_blocks, blocks) = sync_channel(AHEAD);
        let (spare, from_spare) = sync_channel::<Vec<u8>>(SPARE);
        let thread = thread::Builder::new()
            .name("read".to_owned())
            .spawn(move || {
                let text = Framed::new(Decoded::new(input, encoding));
                let mut splitter = Splitter::new(text, block_size, eager);
                let done = first(&mut splitter);
                let failed = done.is_err();
                if to_first.send(done).is_err() || failed {
                    return;
                }
                // Ends with the input, after an error, or when the reader is gone.
                while let Some(next) =
                    splitter.next(from_spare.try_recv().unwrap_or_default()).transpose()
                {
                    let failed = next.is_err();
                    if to_blocks.send(next).is_err() || failed {
                        return;
                    }
                }
            })
            .map_err(|error| SourceError::Open { file: name.to_owned(), error })?;
        let done = done.recv().unwrap_or_else(|RecvError| Err(panicked()));
        let input = Input::Thread(Decoder { blocks, spare, thread: Some(thread) });
        Ok((read_with(name, done)?, input))
    }

    /// The same source, of which so much is said.
    pub fn described(self, said: Option<Arc<Said>>) -> Reader {
        Reader { said, ..self }
    }

    /// What is said of the source, if it was described.
    pub fn said(&self) -> Option<&Said> {
        self.said.as_deref()
    }

    /// The header.
    pub fn header(&self) -> &Header {
        &self.header
    }

    /// How many lines the header takes, blank ones before it included.
    pub fn header_lines(&self) -> u64 {
        self.lines
    }

    /// The next block if there is one yet.
    pub fn next_block(&mut self) -> Result<Next, SourceError> {
        let next = match &mut self.input {
            Input::Inline { splitter, spare } => splitter.next(spare.pop().unwrap_or_default()),
            Input::Thread(decoder) => match decoder.blocks.try_recv() {
                Ok(block) => block.map(Some),
                Err(TryRecvError::Empty) => return Ok(Next::Wait),
                Err(TryRecvError::Disconnected) => decoder.end(),
            },
        };
        Ok(read_with(self.header.file(), next)?.map_or(Next::End, Next::Block))
    }

    /// The next block once there is one, or none at the end.
    pub fn wait_block(&mut self) -> Result<Option<Block>, SourceError> {
        let next = match &mut self.input {
            Input::Inline { splitter, spare } => splitter.next(spare.pop().unwrap_or_default()),
            Input::Thread(decoder) => match decoder.blocks.recv() {
                Ok(block) => block.map(Some),
                Err(RecvError) => decoder.end(),
            },
        };
        read_with(self.header.file(), next)
    }

    /// Takes back the bytes of a block that is done with, for the next one to use.
    pub fn give_back(&mut self, bytes: Vec<u8>) {
        // One long record must not make all buffers large for good.
        if bytes.capacity() > 2 * BLOCK_SIZE {
            return;
        }
        match &mut self.input {
            Input::Inline { spare, .. } if spare.len() < SPARE => spare.push(bytes),
            Input::Inline { .. } => {}
            // With no room for it the buffer is dropped, which is as well.
            Input::Thread(decoder) => drop(decoder.spare.try_send(bytes)),
        }
    }
}

impl Decoder {
    /// The end of the blocks, unless it came about by a panic: then records are missing, and that is an error.
    fn end(&mut self) -> io::Result<Option<Block>> {
        match self.thread.take().map(JoinHandle::join) {
            Some(Err(_)) => Err(panicked()),
            _ => Ok(None),
        }
    }
}

/// Input that cannot be asked for again, written down as it is read.
struct Kept<R> {
    input: R,
    file: File,
}

impl<R: Read> Read for Kept<R> {
    fn read(&mut self, room: &mut [u8]) -> io::Result<usize> {
        let read = self.input.read(room)?;
        io::Write::write_all(&mut self.file, &room[..read])?;
        self.file.sync_data()?;
        Ok(read)
    }
}

/// What is read on one of the threads for compressed files.
struct Counted(Box<dyn Read + Send>, Ahead);

impl Read for Counted {
    fn read(&mut self, room: &mut [u8]) -> io::Result<usize> {
        self.0.read(room)
    }
}

/// Decompresses the members of a gzip file one after another. Some programs pad their files with zeros, which are passed
/// by; anything else behind a member is damage.
struct Members<R> {
    /// None between two members.
    member: Option<GzDecoder<R>>,
    /// None within a member.
    rest: Option<R>,
}

impl<R: BufRead> Members<R> {
    fn new(file: R) -> Members<R> {
        Members { member: Some(GzDecoder::new(file)), rest: None }
    }
}

impl<R: BufRead> Read for Members<R> {
    fn read(&mut self, room: &mut [u8]) -> io::Result<usize> {
        loop {
            if let Some(member) = &mut self.member {
                let read = member.read(room)?;
                if read > 0 || room.is_empty() {
                    return Ok(read);
                }
                self.rest = self.member.take().map(GzDecoder::into_inner);
            }
            let Some(rest) = &mut self.rest else { return Ok(0) };
            let there = rest.fill_buf()?;
            let zeros = there.iter().take_while(|&&byte| byte == 0).count();
            match (there.is_empty(), there.get(zeros)) {
                (true, _) => return Ok(0),
                (false, None) => rest.consume(zeros),
                (false, Some(_)) => {
                    rest.consume(zeros);
                    self.member = self.rest.take().map(GzDecoder::new);
                }
            }
        }
    }
}

/// Reads the first line, and has the records taken apart as it tells. Of JSON, which the source may be `named` as, it
/// looks at the first records.
fn begin(
    splitter: &mut Splitter<Text>,
    dialect: &Dialect,
    named: bool,
) -> io::Result<Option<HeaderLine>> {
    splitter.lines = splitter.input().is_json(named)?;
    if splitter.lines {
        let (lines, whole) = splitter.first_lines()?;
        let (bytes, json) = (lines.to_vec(), Some(whole));
        return Ok(Some(HeaderLine { bytes, json, ..HeaderLine::default() }));
    }
    let line = splitter.header(dialect.columns.is_none())?;
    splitter.delimiter = dialect.delimiter(line.as_ref().map_or(&[], |line| &line.bytes));
    Ok(line)
}

fn panicked() -> io::Error {
    io::Error::other("the reading thread stopped on a bug")
}

fn read_with<T>(file: &str, result: io::Result<T>) -> Result<T, SourceError> {
    result.map_err(|error| SourceError::Read { file: file.to_owned(), error })
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Write;
    use std::path::PathBuf;

    fn sample() -> Vec<u8> {
        let mut sample = b"id,name\n".to_vec();
        for row in 0..20_000 {
            sample.extend_from_slice(format!("{row},name {}\n", row % 7).as_bytes());
        }
        sample
    }

    /// A file that goes when the test is done.
    struct Temporary(PathBuf);

    impl Temporary {
        fn new(name: &str, bytes: &[u8]) -> Temporary {
            let path =
                std::env::temp_dir().join(format!("tidemill-read-{}-{name}", std::process::id()));
            std::fs::write(&path, bytes).unwrap();
            Temporary(path)
        }

        fn open(&self, block_size: usize) -> Result<Reader, SourceError> {
            Reader::open(self.0.to_str().unwrap(), block_size, &Dialect::default())
        }
    }

    impl Drop for Temporary {
        fn drop(&mut self) {
            let _ = std::fs::remove_file(&self.0);
        }
    }

    /// All bytes after the header.
    fn drain(mut reader: Reader) -> Result<Vec<u8>, SourceError> {
        assert_eq!(reader.header().columns(), ["id", "name"]);
        let mut bytes = Vec::new();
        while let Some(block) = reader.wait_block()? {
            assert_eq!(block.offset as usize, 8 + bytes.len());
            bytes.extend_from_slice(&block.bytes);
            reader.give_back(block.bytes);
        }
        assert!(matches!(reader.next_block(), Ok(Next::End)));
        Ok(bytes)
    }

    fn gzip(bytes: &[u8]) -> Vec<u8> {
        let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
        encoder.write_all(bytes).unwrap();
        encoder.finish().unwrap()
    }

    #[test]
    fn every_way_yields_the_same() {
        let sample = sample();
        let (one, two) = sample.split_at(100_000);
        let files = [
            Temporary::new("plain.csv", &sample),
            Temporary::new("one.csv.gz", &gzip(&sample)),
            Temporary::new("members.csv.GZ", &[gzip(one), gzip(two)].concat()),
            Temporary::new(
                "padded.gz",
                &[gzip(one), vec![0; 70_000], gzip(two), vec![0; 9]].concat(),
            ),
            Temporary::new("one.csv.zst", &zstd::encode_all(sample.as_slice(), 1).unwrap()),
        ];
        for size in [100, 5000, BLOCK_SIZE] {
            for file in &files {
                assert!(drain(file.open(size).unwrap()).unwrap() == sample[8..]);
            }
            let stream = Box::new(io::Cursor::new(sample.clone()));
            assert!(
                drain(Reader::from_read("stream", stream, size).unwrap()).unwrap() == sample[8..]
            );
        }
    }

    #[test]
    fn what_is_not_there_yet_is_waited_for() {
        let (send, pieces) = sync_channel::<u8>(0);
        /// Blocks until a byte is sent.
        struct Live(Receiver<u8>);
        impl Read for Live {
            fn read(&mut self, room: &mut [u8]) -> io::Result<usize> {
                let Ok(byte) = self.0.recv() else {
                    return Ok(0);
                };
                room[0] = byte;
                Ok(1)
            }
        }
        let sender = thread::spawn(move || {
            b"id\n".iter().for_each(|&byte| send.send(byte).unwrap());
            send
        });
        let mut reader = Reader::from_read("live", Box::new(Live(pieces)), 100).unwrap();
        let send = sender.join().unwrap();
        assert!(matches!(reader.next_block(), Ok(Next::Wait)));
        b"1\n".iter().for_each(|&byte| send.send(byte).unwrap());
        assert_eq!(reader.wait_block().unwrap().unwrap().bytes, b"1\n");
        drop(send);
        assert!(reader.wait_block().unwrap().is_none());
    }

    #[test]
    fn errors_name_the_file() {
        let error = Reader::open("/nowhere/x.csv", BLOCK_SIZE, &Dialect::default())
            .err()
            .unwrap()
            .to_string();
        assert!(error.contains("/nowhere/x.csv"), "{error}");
        let error = Temporary::new("empty.csv", b"").open(BLOCK_SIZE).err().unwrap().to_string();
        assert!(error.contains("empty.csv") && error.contains("no header"), "{error}");
        let cut = gzip(&sample());
        let file = Temporary::new("cut.gz", &cut[..cut.len() / 2]);
        let error = drain(file.open(5000).unwrap()).err().unwrap().to_string();
        assert!(error.contains("cut.gz") && error.contains("cannot read on"), "{error}");
    }

    #[test]
    fn what_follows_a_gzip_member_is_not_passed_by() {
        let file = Temporary::new("behind.gz", &[gzip(&sample()), b"more".to_vec()].concat());
        assert!(drain(file.open(5000).unwrap()).is_err());
    }

    #[test]
    fn a_reader_dropped_early_lets_its_thread_go() {
        let file = Temporary::new("early.zst", &zstd::encode_all(sample().as_slice(), 1).unwrap());
        let mut reader = file.open(100).unwrap();
        assert!(reader.wait_block().unwrap().is_some());
        let Input::Thread(Decoder { blocks, spare, thread }) = reader.input else {
            panic!("decoded inline");
        };
        drop((blocks, spare));
        thread.unwrap().join().unwrap();
    }
}
