//! One record per line, whatever lies between the records of the input.
//!
//! Text that is no JSON and JSON with a record on each line pass as they are. Of an array, and of
//! records that go over several lines, the line ends inside a record become spaces, and what
//! separates two records becomes a line end. No byte comes or goes, so places stay what they are.

use std::io::{self, Read};

use super::super::split::MAX_RECORD;

/// The mark some programs write first.
const MARK: &[u8] = b"\xEF\xBB\xBF";
/// Bytes read in one go to find how the input begins.
const PIECE: usize = 4096;

/// See the module.
pub struct Framed<R> {
    input: R,
    /// What was read to find how the input begins.
    first: Vec<u8>,
    ended: bool,
    /// None until it was found.
    form: Option<Form>,
    nested: Nested,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Form {
    /// No JSON.
    Other,
    /// A record on each line.
    Lines,
    /// Records that go over several lines.
    Several,
    /// An array of records.
    Array,
}

/// Where in a nested text one is.
#[derive(Default)]
struct Nested {
    depth: u64,
    text: bool,
    escaped: bool,
}

impl<R: Read> Framed<R> {
    /// Of an input that is JSON if it begins like it, or if so `named`.
    pub fn new(input: R) -> Framed<R> {
        let nested = Nested::default();
        Framed { input, first: Vec::new(), ended: false, form: None, nested }
    }

    /// Whether it is JSON; `named` says that it is called so. Waits for its first line if it looks so.
    pub fn is_json(&mut self, named: bool) -> io::Result<bool> {
        if self.form.is_none() {
            let found = self.begin()?;
            let form = if named && found == Form::Other { Form::Lines } else { found };
            // What was read so far has to be brought into form as well.
            let mut first = std::mem::take(&mut self.first);
            self.form = Some(form);
            self.nested.frame(form, &mut first);
            self.first = first;
        }
        Ok(self.form != Some(Form::Other))
    }

    fn begin(&mut self) -> io::Result<Form> {
        let mut opening = None;
        let mut next = None;
        while next.is_none() && !self.ended {
            self.more()?;
            if MARK.starts_with(&self.first) && !self.ended {
                continue; // the mark, or a part of it
            }
            let text = self.first.strip_prefix(MARK).unwrap_or(&self.first);
            let mut letters = text.iter().copied().filter(|byte| !byte.is_ascii_whitespace());
            opening = letters.next();
            next = letters.next();
            if !matches!(opening, None | Some(b'{' | b'[')) {
                return Ok(Form::Other);
            }
        }
        match (opening, next) {
            (Some(b'['), Some(b'{' | b']')) => Ok(Form::Array),
            (Some(b'{'), Some(b'"' | b'}')) => self.first_line(),
            _ => Ok(Form::Other),
        }
    }

    /// Whether the first line that is not blank is a record.
    fn first_line(&mut self) -> io::Result<Form> {
        let (mut nested, mut seen, mut opened) = (Nested::default(), 0, false);
        loop {
            for byte in &self.first[seen..] {
                nested.pass(*byte);
                opened |= nested.depth > 0;
                if *byte == b'\n' && opened {
                    let whole = nested.depth == 0;
                    return Ok(if whole { Form::Lines } else { Form::Several });
                }
            }
            seen = self.first.len();
            if self.ended || seen > MAX_RECORD {
                return Ok(Form::Lines);
            }
            self.more()?;
        }
    }

    fn more(&mut self) -> io::Result<()> {
        let filled = self.first.len();
        self.first.resize(filled + PIECE, 0);
        let read = loop {
            match self.input.read(&mut self.first[filled..]) {
                Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                read => break read,
            }
        };
        self.first.truncate(filled + read.as_ref().copied().unwrap_or(0));
        self.ended = read? == 0;
        Ok(())
    }
}

impl<R: Read> Read for Framed<R> {
    fn read(&mut self, room: &mut [u8]) -> io::Result<usize> {
        // What is there already must not wait for more.
        if !self.first.is_empty() {
            let taken = self.first.len().min(room.len());
            room[..taken].copy_from_slice(&self.first[..taken]);
            self.first.drain(..taken);
            return Ok(taken);
        }
        let read = self.input.read(room)?;
        if let Some(form) = self.form {
            self.nested.frame(form, &mut room[..read]);
        }
        Ok(read)
    }
}

impl Nested {
    /// Passes a byte.
    fn pass(&mut self, byte: u8) {
        if self.text {
            match byte {
                _ if self.escaped => self.escaped = false,
                b'\\' => self.escaped = true,
                b'"' => self.text = false,
                _ => {}
            }
            return;
        }
        match byte {
            b'"' => self.text = true,
            b'{' | b'[' => self.depth += 1,
            b'}' | b']' => self.depth = self.depth.saturating_sub(1),
            _ => {}
        }
    }

    /// Makes line ends of what separates records, and spaces of line ends inside them.
    fn frame(&mut self, form: Form, bytes: &mut [u8]) {
        let around = match form {
            Form::Other | Form::Lines => return,
            Form::Several => 0,
            Form::Array => 1,
        };
        for byte in bytes {
            let (before, text) = (self.depth, self.text);
            self.pass(*byte);
            if text {
                continue;
            }
            match *byte {
                b'\n' | b'\r' if around == 1 || before > around => *byte = b' ',
                b',' if around == 1 && before == 1 => *byte = b'\n',
                b'[' if around == 1 && before == 0 => *byte = b' ',
                b']' if around == 1 && before == 1 => *byte = b'\n',
                _ => {}
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Yields so many bytes at a time.
    struct Pieces<'a>(&'a [u8], usize);

    impl Read for Pieces<'_> {
        fn read(&mut self, room: &mut [u8]) -> io::Result<usize> {
            let most = room.len().min(self.1);
            self.0.read(&mut room[..most])
        }
    }

    fn framed(text: &str, named: bool) -> (bool, String) {
        let mut results = [1, 2, 7, 10_000].map(|size| {
            let mut framed = Framed::new(Pieces(text.as_bytes(), size));
            let json = framed.is_json(named).unwrap();
            let mut out = String::new();
            framed.read_to_string(&mut out).unwrap();
            assert_eq!(out.len(), text.len());
            (json, out)
        });
        assert!(results.iter().all(|result| *result == results[0]));
        std::mem::take(&mut results[0])
    }

    #[test]
    fn what_is_no_json_passes_as_it_is() {
        for text in ["a,b\n1,2\n", "", "\n[id],[x]\n", "{x},y\n", "\u{FEFF}a\n"] {
            assert_eq!(framed(text, false), (false, text.to_owned()));
            assert_eq!(framed(text, true), (true, text.to_owned()));
        }
    }

    #[test]
    fn a_record_on_each_line_passes_as_it_is() {
        for text in ["{\"a\":1}\n{\"a\":\n{}", "\u{FEFF}\n {\"a\":{\"b\":[]}}\n\n{", "{}", "{\"a"] {
            assert_eq!(framed(text, false), (true, text.to_owned()));
        }
    }

    #[test]
    fn records_of_several_lines_and_of_arrays_become_lines() {
        let several = "{\n \"a\": \"}\\\"{\",\r\n \"b\": [1,\n2]\n}\n{\"a\":2}\n";
        let lines = "{  \"a\": \"}\\\"{\",   \"b\": [1, 2] }\n{\"a\":2}\n";
        assert_eq!(framed(several, false), (true, lines.to_owned()));
        let array = " [{\"a\":[1,{\"x\":\",]\"}],\n\"b\":2},\n {\"a\":3}]\n";
        let lines = "  {\"a\":[1,{\"x\":\",]\"}], \"b\":2}\n  {\"a\":3}\n ";
        let (json, found) = framed(array, false);
        assert!(json);
        assert_eq!(found.trim_end(), lines.trim_end());
        assert_eq!(framed("[]", false), (true, " \n".to_owned()));
    }
}
