//! What each route answers.

use super::ask::{Ask, MOST};
use super::cell::Cell;
use super::index::{Row, Rows, View};
use super::params::Params;
use super::problem::Problem;
use super::routes::App;
use super::store::Store;
use super::{answer, metrics, openapi, subscribe};
use crate::near::did_you_mean;
use crate::shown::shown;
use crate::source::{ENDED, LIVE};
use axum::extract::Request;
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use percent_encoding::percent_decode_str;
use serde_json::json;
use std::fmt::Write;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

/// Views of up to so many rows are looked through at once, larger ones by a thread for such work.
const SMALL: usize = 2000;
/// How long to wait for it.
const PATIENCE: Duration = Duration::from_secs(10);
/// Subscribers at one time.
const SUBSCRIBERS: usize = 3500;

type Answer = Result<Response, Problem>;

/// There is too much to do.
pub fn busy() -> Problem {
    let what = "there is too much to do at the moment";
    Problem::new(StatusCode::SERVICE_UNAVAILABLE, "service", what, "ask again in a second")
}

/// The part of the path behind `/v1/views/`, and the parameters.
fn parts<'a>(request: &'a Request, known: &[&str]) -> Result<(&'a str, Params), Problem> {
    let params = Params::read(request.uri().query(), known)?;
    let path = request.uri().path();
    Ok((path.strip_prefix("/v1/views/").unwrap_or_default(), params))
}

/// A part of a path as it was meant.
fn decoded(part: &str) -> Result<String, Problem> {
    let text = percent_decode_str(part).decode_utf8();
    text.map(|text| text.into_owned()).map_err(|_| {
        let what = "it is no UTF-8";
        Problem::new(StatusCode::BAD_REQUEST, "path", what, "write each part percent-encoded")
    })
}

fn found<'a>(store: &'a Store, name: &str) -> Result<(usize, &'a View), Problem> {
    let name = decoded(name)?;
    store.view(&name).ok_or_else(|| no_view(store, &name, "path"))
}

fn no_view(store: &Store, name: &str, at: &str) -> Problem {
    let near = did_you_mean(name, store.views.iter().map(|view| view.name));
    let what = format!("this run has no view {:?}{near}", shown(name, 60));
    Problem::missing(at, what, "see /v1/views for those that it has")
}

/// The views.
pub async fn views(app: Arc<App>, request: Request) -> Answer {
    Params::read(request.uri().query(), &[])?;
    let state = app.store.state();
    let list = app.store.views.iter().zip(&state.views).map(|(view, rows)| {
        let columns: Vec<_> = view
            .columns
            .iter()
            .map(|c| {
                json!({"name": c.name, "key": c.key, "kind": c.kind, "optional": c.optional, "about": c.about})
            })
            .collect();
        json!({
            "name": view.name,
            "area": view.area,
            "about": view.about,
            "rows": rows.size(),
            "columns": columns,
        })
    });
    let list = serde_json::Value::from(list.collect::<Vec<_>>());
    Ok(answer::json(&state, format!("{{{},\"views\":{list}}}\n", answer::head(state.head))))
}

/// Rows of a view.
pub async fn rows(app: Arc<App>, request: Request) -> Answer {
    let (name, params) = parts(&request, &Ask::PARAMETERS)?;
    let (place, view) = found(&app.store, name)?;
    let ask = Ask::read(&params, view, app.store.decimals)?;
    let state = app.store.state();
    let rows = state.views[place].clone(); // a state has every view
    let (total, format, decimals) = (rows.size(), ask.format, app.store.decimals);
    let page = if ask.scans() && total > SMALL {
        let room = tokio::time::timeout(PATIENCE, Arc::clone(&app.scans).acquire_owned());
        let Ok(Ok(room)) = room.await else { return Err(busy()) };
        let scan = move || {
            let page = ask.page(&rows, decimals);
            drop(room);
            page
        };
        tokio::task::spawn_blocking(scan).await.map_err(|_| busy())?
    } else {
        ask.page(&rows, decimals)
    };
    Ok(answer::page(&app.store, view, &state, total, page, format))
}

/// The row of a key.
pub async fn row(app: Arc<App>, request: Request) -> Answer {
    let (rest, _) = parts(&request, &[])?;
    let (name, key) = rest.split_once('/').unwrap_or((rest, ""));
    let (place, view) = found(&app.store, name)?;
    let columns = &view.columns[..view.keys()];
    let parts: Vec<&str> = key.split('/').collect();
    let names = || columns.iter().map(|c| c.name).collect::<Vec<_>>().join("/");
    if parts.len() != columns.len() {
        let what =
            format!("the key of {} has {} parts, not {}", view.name, columns.len(), parts.len());
        let remedy = format!("write {}, each percent-encoded", names());
        return Err(Problem::new(StatusCode::BAD_REQUEST, "path", what, remedy));
    }
    let mut cells = Vec::new();
    for (part, column) in parts.iter().zip(columns) {
        let text = decoded(part)?;
        let cell = Cell::read(&text, column, app.store.decimals).map_err(|expected| {
            let what = format!("{:?} is no value of {}", shown(&text, 40), column.name);
            Problem::new(StatusCode::BAD_REQUEST, "path", what, format!("write {expected}"))
        })?;
        cells.push(cell);
    }
    let state = app.store.state();
    let row = state.views[place].get(&Row::new(cells, columns.len()));
    let Some(row) = row else {
        let what = format!("{} has no row of this key now", view.name);
        let remedy =
            format!("see /v1/views/{} for those that it has; a key is {}", view.name, names());
        return Err(Problem::missing("path", what, remedy));
    };
    let mut out = format!("{{\"view\":\"{}\",{},\"row\":", view.name, answer::head(state.head));
    answer::row(row, view, app.store.decimals, &mut out);
    out.push_str("}\n");
    Ok(answer::json(&state, out))
}

/// Several views at one time.
pub async fn snapshot(app: Arc<App>, request: Request) -> Answer {
    let params = Params::read(request.uri().query(), &["views", "last"])?;
    let last = params.number("last", 1, MOST)?;
    let mut wanted: Vec<(usize, &View)> = Vec::new();
    for name in params.get("views").unwrap_or_default().split(',').map(str::trim) {
        if name.is_empty() {
            let remedy = "name some: views=hourly_transactions,hourly_behavior";
            return Err(Problem::wrong("views", "a name is missing", remedy));
        }
        let found = app.store.view(name).ok_or_else(|| Problem {
            status: StatusCode::NOT_FOUND,
            ..no_view(&app.store, name, "parameter views")
        })?;
        if wanted.iter().any(|(place, _)| *place == found.0) {
            return Err(Problem::wrong("views", format!("{name} is there twice"), "name it once"));
        }
        wanted.push(found);
    }
    let state = app.store.state();
    let size = |rows: &Rows| last.map_or(rows.size(), |last| last.min(rows.size()));
    let all: usize = wanted.iter().map(|(place, _)| size(&state.views[*place])).sum();
    if all > MOST {
        let what = format!("they have {all} rows, more than the {MOST} of an answer");
        return Err(Problem::wrong("views", what, "ask for the last rows of each with last=N"));
    }
    let mut out = format!("{{{},\"views\":{{", answer::head(state.head));
    for (i, (place, view)) in wanted.iter().enumerate() {
        let (rows, comma) = (&state.views[*place], if i == 0 { "" } else { "," });
        // A string can always be written to.
        let _ = write!(out, "{comma}\"{}\":{{\"total\":{},\"rows\":", view.name, rows.size());
        let mut tail: Vec<&Row> = rows.iter().rev().take(size(rows)).collect();
        tail.reverse();
        answer::rows(tail.into_iter(), view, app.store.decimals, &mut out);
        out.push('}');
    }
    out.push_str("}}\n");
    Ok(answer::json(&state, out))
}

fn room(store: &Store) -> Result<(), Problem> {
    match store.subscribers.load(Ordering::Relaxed) < SUBSCRIBERS {
        true => Ok(()),
        false => Err(busy()),
    }
}

/// A view as it is, and what changes of it.
pub async fn changes(app: Arc<App>, request: Request) -> Answer {
    let (rest, params) = parts(&request, &["snapshot"])?;
    let (place, _) = found(&app.store, rest.strip_suffix("/subscribe").unwrap_or(rest))?;
    let snapshot = match params.get("snapshot") {
        None | Some("true") => true,
        Some("false") => false,
        Some(_) => return Err(Problem::wrong("snapshot", "it is neither", "use true or false")),
    };
    room(&app.store)?;
    Ok(subscribe::view(&app.store, place, request.headers(), snapshot))
}

/// Which views changed.
pub async fn ticks(app: Arc<App>, request: Request) -> Answer {
    Params::read(request.uri().query(), &[])?;
    room(&app.store)?;
    Ok(subscribe::ticks(&app.store))
}

/// How far the run is.
pub async fn status(app: Arc<App>, request: Request) -> Answer {
    Params::read(request.uri().query(), &[])?;
    let (state, feeds) = (app.store.state(), &app.feeds);
    let sources: Vec<_> = feeds
        .partitions
        .iter()
        .map(|partition| {
            let clock = partition.newest().map(|newest| {
                let mut text = String::new();
                crate::value::Value::Moment(newest).write(app.store.decimals, &mut text);
                text
            });
            json!({
                "name": partition.name,
                "stream": partition.stream.name(),
                "clock": clock,
                "live": partition.clock() == LIVE,
                "ended": partition.clock() == ENDED,
            })
        })
        .collect();
    let (bad, late) = (feeds.dead_letters.count(), feeds.late.load(Ordering::Relaxed));
    let reasons: Vec<_> = feeds
        .dead_letters
        .reasons()
        .into_iter()
        .map(|(reason, (records, first))| json!({"reason": reason, "records": records, "first": first}))
        .collect();
    let told = json!({
        "records": feeds.records(),
        "bytes": feeds.bytes.load(Ordering::Relaxed),
        "dead_letters": bad,
        "late": late,
        "reasons": reasons,
        "changes": app.store.changes.load(Ordering::Relaxed),
        "subscribers": app.store.subscribers.load(Ordering::Relaxed),
        "sources": sources,
    });
    Ok(answer::json(&state, format!("{{{},\"run\":{told}}}\n", answer::head(state.head))))
}

fn plain(status: StatusCode, text: &'static str) -> Response {
    let mime = HeaderValue::from_static("text/plain; charset=utf-8");
    (status, [(header::CONTENT_TYPE, mime)], text).into_response()
}

/// The run in figures.
pub async fn metrics_text(app: Arc<App>, request: Request) -> Answer {
    Params::read(request.uri().query(), &[])?;
    let mime = HeaderValue::from_static("text/plain; version=0.0.4; charset=utf-8");
    Ok(([(header::CONTENT_TYPE, mime)], metrics::write(&app)).into_response())
}

/// Whether the service answers.
pub async fn health(_: Arc<App>, request: Request) -> Answer {
    Params::read(request.uri().query(), &[])?;
    Ok(plain(StatusCode::OK, "ok\n"))
}

/// Whether there is something to read.
pub async fn ready(app: Arc<App>, request: Request) -> Answer {
    Params::read(request.uri().query(), &[])?;
    match app.store.state().head.version {
        0 => Ok(plain(StatusCode::SERVICE_UNAVAILABLE, "nothing is sealed yet\n")),
        _ => Ok(plain(StatusCode::OK, "ready\n")),
    }
}

/// What there is to ask.
pub async fn document(app: Arc<App>, request: Request) -> Answer {
    Params::read(request.uri().query(), &[])?;
    Ok(answer::json(&app.store.state(), openapi::document(&app.store.views).to_string() + "\n"))
}
