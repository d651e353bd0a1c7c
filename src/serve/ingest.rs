//! Events over HTTP: each batch is judged, written down, and only then acknowledged.
//!
//! A batch is an array of objects of JSON or one of them, lines of JSON, or a CSV with a header, plain or
//! with gzip. Its answer tells how many records were accepted, how many were so before (a batch that is
//! sent again with its `Idempotency-Key`), and which were not, and why. Limits: [`BODY`] bytes, also
//! unpacked, [`RECORD`] bytes of a record, [`RECORDS`] records.

use super::problem::Problem;
use super::routes::App;
use crate::event::Stream;
use crate::near::did_you_mean;
use crate::shown::{VALUE, shown};
use crate::source::Partition;
use crate::source::push::{MARK, Name, Push, Taken, one_line};
use axum::body::{Body, to_bytes};
use axum::extract::Request;
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response};
use flate2::read::MultiGzDecoder;
use serde_json::{Map, Value, json, value::RawValue};
use std::collections::BTreeMap;
use std::io::Read;
use std::sync::Arc;
use tokio::sync::oneshot;

/// The most bytes of a batch.
const BODY: usize = 8 << 20;
/// The most bytes of a record.
const RECORD: usize = 1 << 20;
/// The most records of a batch.
const RECORDS: usize = 100_000;
/// So many refused records are told one by one.
const TOLD: usize = 100;

/// Where webhooks of a stream are sent.
pub const HOOKS: &str = "/v1/hooks/";
/// Where events of a stream are sent.
pub const PATH: &str = "/v1/events/";

/// Takes a batch of events.
pub async fn events(app: Arc<App>, request: Request) -> Result<Response, Problem> {
    let name = request.uri().path().strip_prefix(PATH).unwrap_or_default().to_owned();
    let place = place(&app, &name)?;
    let (parts, body) = request.into_parts();
    let key = key(&parts.headers)?;
    let kind = Kind::of(&parts.headers)?;
    let partition = &app.feeds.partitions[place];
    let push = partition.push.as_ref().ok_or_else(|| unknown(&app, &name))?;
    if !push.has_room() {
        return Err(busy());
    }
    let sent = unpacked(body, &parts.headers).await?;
    let records = kind.records(&sent)?;
    let mut refused = told(&records);
    refused.extend(judged(partition, &app, &records, &refused));
    let good = |(i, record)| (!refused.contains_key(&i)).then_some(record);
    let good: Vec<&[u8]> =
        records.iter().map(|record| record.as_ref()).enumerate().filter_map(good).collect();
    let (accepted, before) = match good.is_empty() {
        true => (0, 0),
        false => write(push, &good, (key.as_deref(), &sent)).await?,
    };
    let status = match (accepted + before, refused.len()) {
        (0, 1..) => StatusCode::UNPROCESSABLE_ENTITY,
        _ => StatusCode::OK,
    };
    Ok(answer(status, (accepted, before), &refused))
}

/// Takes a webhook. It is written down whatever it says: what is no record ends with the bad ones, since
/// who sends it can do nothing about it and would send it again.
pub async fn hook(app: Arc<App>, request: Request) -> Result<Response, Problem> {
    let name = request.uri().path().strip_prefix(HOOKS).unwrap_or_default().to_owned();
    let takes = |p: &&Partition| p.stream.name() == name;
    let partition = app.feeds.partitions.iter().find(takes);
    let push = partition.and_then(|partition| partition.push.as_ref());
    let Some((push, hook)) = push.and_then(|push| Some((push, push.hook.as_ref()?))) else {
        let what = format!("no webhooks are taken for {}", shown(&name, VALUE));
        return Err(Problem::missing("path", what, "describe one in [source.hook]"));
    };
    let (parts, body) = request.into_parts();
    let sent = to_bytes(body, RECORD).await.map_err(|_| {
        let what = format!("it is larger than {} MiB", RECORD >> 20);
        Problem::new(StatusCode::PAYLOAD_TOO_LARGE, "body", what, "send less")
    })?;
    let header = |name: &str| parts.headers.get(name).and_then(|value| value.to_str().ok());
    let now = jiff::Timestamp::now().as_second();
    let key = hook.check(header, &sent, now).map_err(|what| {
        let remedy = "sign it with the secret that is set here";
        Problem::new(StatusCode::UNAUTHORIZED, "signature", what, remedy)
    })?;
    let records = Kind::Json.records(&sent)?;
    if let Some(why) = told(&records).into_values().next() {
        return Err(unreadable("body", &why));
    }
    let all: Vec<&[u8]> = records.iter().map(Vec::as_slice).collect();
    let (accepted, before) = write(push, &all, (key.as_deref(), &sent)).await?;
    Ok(answer(StatusCode::OK, (accepted, before), &BTreeMap::new()))
}

/// Has records written down; gives how many were accepted, and how many were before.
async fn write(
    push: &Push,
    records: &[&[u8]],
    (key, sent): (Option<&str>, &[u8]),
) -> Result<(usize, usize), Problem> {
    let (tell, done) = oneshot::channel();
    let ack = Box::new(move |done| drop(tell.send(done)));
    match push.take(records, (key.map_or(Name::None, Name::Key), sent), ack) {
        Taken::Writing => {
            let done = done.await.unwrap_or_else(|_| Err("the run is ending".into()));
            done.map_err(|why| unwritten(&why))?;
            Ok((records.len(), 0))
        }
        Taken::Before(count) => Ok((0, count)),
        Taken::Busy => Err(busy()),
        Taken::Other => Err(Problem::new(
            StatusCode::UNPROCESSABLE_ENTITY,
            "header Idempotency-Key",
            "another batch was sent with it",
            "give each batch a key of its own, and the same one only where it is sent again",
        )),
        Taken::Key => Err(wrong_key()),
    }
}

/// What is told of a batch.
fn answer(
    status: StatusCode,
    (accepted, before): (usize, usize),
    refused: &BTreeMap<usize, String>,
) -> Response {
    let reasons = refused.iter().take(TOLD);
    let reasons: Vec<Value> =
        reasons.map(|(record, why)| json!({"record": record, "reason": why})).collect();
    let answer = json!({
        "accepted": accepted,
        "duplicate": before,
        "rejected": refused.len(),
        "reasons": reasons,
    });
    (status, [(header::CONTENT_TYPE, "application/json")], answer.to_string()).into_response()
}

/// The partition of a stream that takes events.
fn place(app: &App, name: &str) -> Result<usize, Problem> {
    let takes = |p: &Partition| p.push.is_some() && p.stream.name() == name;
    app.feeds.partitions.iter().position(takes).ok_or_else(|| unknown(app, name))
}

fn unknown(app: &App, name: &str) -> Problem {
    let open = app.feeds.partitions.iter().filter(|partition| partition.push.is_some());
    let open: Vec<&str> = open.map(|partition| partition.stream.name()).collect();
    let near = did_you_mean(name, open.iter().copied());
    let what = match Stream::by_name(name) {
        None => format!("there is no stream {}{near}", shown(name, VALUE)),
        Some(_) => format!("events of {name} are not taken here, or no query reads them"),
    };
    let remedy = match open.as_slice() {
        [] => "start the run with --push STREAM".to_owned(),
        open => format!("these are taken: {}", open.join(", ")),
    };
    Problem::missing("path", what, remedy)
}

fn busy() -> Problem {
    Problem::new(
        StatusCode::TOO_MANY_REQUESTS,
        "server",
        "more comes than can be taken",
        "send it again later, as Retry-After says",
    )
}

fn unwritten(why: &str) -> Problem {
    Problem::new(
        StatusCode::SERVICE_UNAVAILABLE,
        "server",
        format!("the batch could not be written down: {why}"),
        "nothing of it was accepted; send it again later",
    )
}

fn wrong_key() -> Problem {
    Problem::new(
        StatusCode::BAD_REQUEST,
        "header Idempotency-Key",
        "it is longer than 200 characters, or has others than printable ASCII",
        "use a UUID",
    )
}

/// The key by which a batch is known that is sent again.
fn key(headers: &HeaderMap) -> Result<Option<String>, Problem> {
    let Some(key) = headers.get("idempotency-key") else { return Ok(None) };
    let key = key.to_str().map_err(|_| wrong_key())?.trim().trim_matches('"');
    Ok(Some(key.to_owned()).filter(|key| !key.is_empty()))
}

/// The body of a request, unpacked if need be.
async fn unpacked(body: Body, headers: &HeaderMap) -> Result<Vec<u8>, Problem> {
    let large = || {
        Problem::new(
            StatusCode::PAYLOAD_TOO_LARGE,
            "body",
            format!("it is larger than {} MiB", BODY >> 20),
            "send it in several batches",
        )
    };
    let sent = to_bytes(body, BODY).await.map_err(|_| large())?;
    let coded = headers.get(header::CONTENT_ENCODING).map(|coding| coding.as_bytes().trim_ascii());
    match coded {
        None | Some(b"identity") => Ok(sent.into()),
        Some(b"gzip") => {
            let mut text = Vec::new();
            let read = MultiGzDecoder::new(&sent[..]).take(BODY as u64 + 1).read_to_end(&mut text);
            read.map_err(|error| unreadable("body", &format!("it is no gzip: {error}")))?;
            if text.len() > BODY { Err(large()) } else { Ok(text) }
        }
        Some(_) => Err(Problem::new(
            StatusCode::UNSUPPORTED_MEDIA_TYPE,
            "header Content-Encoding",
            "it is neither gzip nor identity",
            "send the batch with gzip, or as it is",
        )),
    }
}

fn unreadable(at: &str, what: &str) -> Problem {
    let what = shown(what, 200).to_string();
    Problem::new(StatusCode::BAD_REQUEST, at, what, "see /v1/openapi.json for what can be sent")
}

/// How a batch is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Json,
    Lines,
    Csv,
}

impl Kind {
    fn of(headers: &HeaderMap) -> Result<Kind, Problem> {
        let said = headers.get(header::CONTENT_TYPE).and_then(|said| said.to_str().ok());
        let said = said.unwrap_or("application/json").split(';').next().unwrap_or_default();
        match said.trim().to_ascii_lowercase().as_str() {
            "application/json" => Ok(Kind::Json),
            "application/x-ndjson" | "application/ndjson" | "application/jsonl" => Ok(Kind::Lines),
            "text/csv" => Ok(Kind::Csv),
            _ => Err(Problem::new(
                StatusCode::UNSUPPORTED_MEDIA_TYPE,
                "header Content-Type",
                "events are sent in another",
                "use application/json, application/x-ndjson or text/csv",
            )),
        }
    }

    /// The records, each as text that should be an object.
    fn records(self, sent: &[u8]) -> Result<Vec<Vec<u8>>, Problem> {
        let text = std::str::from_utf8(sent).map_err(|_| unreadable("body", "it is not UTF-8"))?;
        let text = text.strip_prefix('\u{feff}').unwrap_or(text);
        let records = match self {
            Kind::Lines => {
                let lines = text.lines().map(str::trim).filter(|line| !line.is_empty());
                lines.map(|line| line.as_bytes().to_vec()).collect()
            }
            Kind::Json if text.trim_start().starts_with('[') => {
                let all: Vec<&RawValue> = serde_json::from_str(text)
                    .map_err(|error| unreadable("body", &format!("it is no JSON: {error}")))?;
                all.into_iter().map(|one| one.get().as_bytes().to_vec()).collect()
            }
            Kind::Json => vec![text.trim().as_bytes().to_vec()],
            Kind::Csv => from_csv(text)?,
        };
        if records.len() > RECORDS {
            return Err(Problem::new(
                StatusCode::PAYLOAD_TOO_LARGE,
                "body",
                format!("it has more than {RECORDS} records"),
                "send it in several batches",
            ));
        }
        Ok(records)
    }
}

/// The rows of a CSV as objects; what is empty is left out.
fn from_csv(text: &str) -> Result<Vec<Vec<u8>>, Problem> {
    let mut reader = csv::Reader::from_reader(text.as_bytes());
    let wrong = |error: csv::Error| unreadable("body", &format!("it is no CSV: {error}"));
    let header = reader.headers().map_err(wrong)?.clone();
    let mut records = Vec::new();
    for row in reader.records() {
        let row = row.map_err(wrong)?;
        let cells = header.iter().zip(row.iter()).filter(|(_, cell)| !cell.is_empty());
        let object: Map<String, Value> =
            cells.map(|(name, cell)| (name.trim().to_owned(), cell.into())).collect();
        records.push(Value::Object(object).to_string().into_bytes());
    }
    Ok(records)
}

/// The records that are none.
fn told(records: &[Vec<u8>]) -> BTreeMap<usize, String> {
    let why = |record: &[u8]| {
        if record.len() > RECORD {
            return Some(format!("it is larger than {} MiB", RECORD >> 20));
        }
        if record.first() != Some(&b'{') {
            return Some("it is no object of JSON".to_owned());
        }
        match serde_json::from_slice::<&RawValue>(record) {
            Err(error) => Some(format!("it is no JSON: {error}")),
            Ok(_) if memchr::memmem::find(record, format!("\"{MARK}\"").as_bytes()).is_some() => {
                Some(format!("a field {MARK} is not its sender's to tell"))
            }
            Ok(_) => None,
        }
    };
    records.iter().enumerate().filter_map(|(i, record)| Some((i, why(record)?))).collect()
}

/// The records that cannot be taken, among those that are some.
fn judged(
    partition: &Partition,
    app: &App,
    records: &[Vec<u8>],
    none: &BTreeMap<usize, String>,
) -> BTreeMap<usize, String> {
    let (mut lines, mut which) = (Vec::new(), Vec::new());
    for (i, record) in records.iter().enumerate().filter(|(i, _)| !none.contains_key(i)) {
        lines.extend(one_line(record));
        lines.push(b'\n');
        which.push(i);
    }
    let refused = partition.judge(lines, &app.feeds);
    let found = |(line, why): (u64, String)| Some((*which.get(usize::try_from(line).ok()?)?, why));
    refused.into_iter().filter_map(found).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_batch_is_taken_apart_however_it_is_written() {
        let texts = |kind: Kind, sent: &str| {
            let records = kind.records(sent.as_bytes()).expect("readable");
            records.into_iter().map(|r| String::from_utf8(r).expect("text")).collect::<Vec<_>>()
        };
        assert_eq!(
            texts(Kind::Json, " [ {\"a\": 1.10},\n{\"b\":2}]"),
            ["{\"a\": 1.10}", "{\"b\":2}"]
        );
        assert_eq!(texts(Kind::Json, "{\"a\":1}\n"), ["{\"a\":1}"]);
        assert_eq!(texts(Kind::Lines, "\u{feff}{\"a\":1}\r\n\n{\"b\""), ["{\"a\":1}", "{\"b\""]);
        let csv = "a,b\n1,\"x\ny\"\n,\"\"\"\"\n";
        assert_eq!(texts(Kind::Csv, csv), ["{\"a\":\"1\",\"b\":\"x\\ny\"}", "{\"b\":\"\\\"\"}"]);
        for (kind, sent) in [(Kind::Json, "[{]"), (Kind::Csv, "a,b\n1\n")] {
            assert_eq!(kind.records(sent.as_bytes()).expect_err("no batch").status, 400, "{sent}");
        }
        assert!(Kind::Lines.records(b"\xff").is_err());
    }

    #[test]
    fn what_is_no_record_is_told() {
        let none = told(&[
            b"{\"a\":1}".to_vec(),
            b"5".to_vec(),
            b"{\"a\":}".to_vec(),
            b"{\"_batch\":\"x 1 \"}".to_vec(),
        ]);
        assert_eq!(none.keys().copied().collect::<Vec<_>>(), [1, 2, 3]);
    }
}
