//! Subscriptions: server-sent events with a view as it is and then what changes of it.
//!
//! A subscriber is told a `snapshot` (in pieces; the last has `"last":true` and an id), then
//! `changes` with each state that changed the view, and `frontier` where only time went on. With the
//! `Last-Event-ID` it had it goes on from there, as long as what it missed is kept; if it is not, or
//! if it falls behind that far, it is told `stale` and a snapshot follows. Whatever is sent is
//! written when the connection has room for it, so a reader that is slow holds up nobody and costs
//! its place only.

use super::answer::{self, PIECE, changes, head};
use super::index::{Head, Row, State, View};
use super::store::Store;
use axum::body::{Body, Bytes};
use axum::http::{HeaderMap, HeaderValue, header};
use axum::response::{IntoResponse, Response};
use futures_util::stream;
use std::collections::VecDeque;
use std::convert::Infallible;
use std::ops::Bound;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;
use tokio::sync::watch;
use tokio::time::Instant;

/// How often something is sent where nothing happens, so that a connection that is gone is noticed.
const ALIVE: Duration = Duration::from_secs(15);
/// How often at most it is told that time goes on.
const PASSING: Duration = Duration::from_secs(1);
/// How often at most the page is told which views changed.
const TICKS: Duration = Duration::from_millis(250);
/// What is sent then: a comment.
const ALIVE_SIGN: &[u8] = b":\n\n";
/// How soon a reader that was cut off comes again, in milliseconds.
const RETRY: &str = "retry: 1000\n\n";

/// Counts a subscriber while it lives.
struct Counted(Arc<Store>);

impl Counted {
    fn new(store: Arc<Store>) -> Counted {
        store.subscribers.fetch_add(1, Ordering::Relaxed);
        Counted(store)
    }
}

impl Drop for Counted {
    fn drop(&mut self) {
        self.0.subscribers.fetch_sub(1, Ordering::Relaxed);
    }
}

/// A subscriber of one view.
struct Subscriber {
    store: Counted,
    place: usize,
    view: View,
    /// The version up to which it was told everything.
    at: u64,
    news: watch::Receiver<Head>,
    telling: Option<Telling>,
    waiting: VecDeque<Bytes>,
    passed: Instant,
}

/// A state that is told in pieces, and the last row that was.
struct Telling {
    state: Arc<State>,
    behind: Option<Row>,
}

/// Subscribes to a view. `snapshot`: whether it is told as it is, where the reader has nothing.
pub fn view(store: &Arc<Store>, place: usize, headers: &HeaderMap, snapshot: bool) -> Response {
    let last = headers.get("last-event-id").map(|id| id.to_str().unwrap_or_default());
    let state = store.state();
    let version = state.head.version;
    let known = last.map(|id| known(id, store).filter(|known| *known <= version));
    let whole = || Some(Telling { state: Arc::clone(&state), behind: None });
    let mut waiting = VecDeque::from([Bytes::from_static(RETRY.as_bytes())]);
    let (at, telling) = match known {
        Some(Some(version)) => (version, None),
        Some(None) => {
            waiting.push_back(stale(&state));
            (version, whole())
        }
        None => (version, whole().filter(|_| snapshot)),
    };
    let subscriber = Subscriber {
        view: store.views[place].clone(), // the place of a view that was found
        news: store.news(),
        store: Counted::new(Arc::clone(store)),
        place,
        at,
        telling,
        waiting,
        passed: Instant::now(),
    };
    events(Body::from_stream(stream::unfold(subscriber, |mut subscriber| async {
        let bytes = subscriber.next().await;
        Some((Ok::<_, Infallible>(bytes), subscriber))
    })))
}

/// The version of an id that this run gave.
fn known(id: &str, store: &Store) -> Option<u64> {
    let (run, version) = id.split_once('-')?;
    let same = u64::from_str_radix(run, 16).ok()? == store.run;
    version.parse().ok().filter(|_| same)
}

fn stale(state: &State) -> Bytes {
    format!("event: stale\ndata: {{{}}}\n\n", head(state.head)).into()
}

fn events(body: Body) -> Response {
    let mime = HeaderValue::from_static("text/event-stream");
    // For proxies that would collect it.
    let unbuffered = ("x-accel-buffering", HeaderValue::from_static("no"));
    ([(header::CONTENT_TYPE, mime)], [unbuffered], body).into_response()
}

impl Subscriber {
    /// What is sent next.
    async fn next(&mut self) -> Bytes {
        loop {
            if let Some(bytes) = self.waiting.pop_front() {
                return bytes;
            }
            if let Some(telling) = self.telling.take() {
                return self.piece(telling);
            }
            // First which state is the newest, then what is there: its changes are.
            let newest = *self.news.borrow_and_update();
            let Some(frames) = self.store.0.after(self.place, self.at) else {
                let state = self.store.0.state();
                self.waiting.push_back(stale(&state));
                self.tell(state);
                continue;
            };
            if let Some(last) = frames.last() {
                self.at = last.head.version;
                let written = frames.iter().map(|frame| changes(frame, &self.view, &self.store.0));
                self.waiting.extend(written);
            } else if newest.version > self.at {
                let due = self.passed + PASSING;
                if due <= Instant::now() {
                    (self.at, self.passed) = (newest.version, Instant::now());
                    return format!("event: frontier\ndata: {{{}}}\n\n", head(newest)).into();
                }
                // Nothing of this view: told when it is due, if nothing else comes before.
                let _ = tokio::time::timeout_at(due, self.news.changed()).await;
            } else if tokio::time::timeout(ALIVE, self.news.changed()).await.is_err() {
                return Bytes::from_static(ALIVE_SIGN);
            }
        }
    }

    fn tell(&mut self, state: Arc<State>) {
        self.at = state.head.version;
        self.telling = Some(Telling { state, behind: None });
    }

    /// A piece of a snapshot.
    fn piece(&mut self, telling: Telling) -> Bytes {
        let mut out = String::from("event: snapshot\n");
        let Some(rows) = telling.state.views.get(self.place) else { return Bytes::new() };
        let begin = telling.behind.clone().map_or(Bound::Unbounded, Bound::Excluded);
        let mut following = rows.range((begin, Bound::Unbounded));
        let piece: Vec<&Row> = following.by_ref().take(PIECE).collect();
        let (head, first) = (telling.state.head, telling.behind.is_none());
        let behind = piece.last().filter(|_| following.next().is_some()).map(|row| (*row).clone());
        if behind.is_none() {
            out.push_str(&format!("id: {:x}-{}\n", self.store.0.run, head.version));
        }
        let (last, head) = (behind.is_none(), answer::head(head));
        out.push_str(&format!("data: {{{head},\"first\":{first},\"last\":{last},\"rows\":"));
        answer::rows(piece.into_iter(), &self.view, self.store.0.decimals, &mut out);
        out.push_str("}\n\n");
        if !last {
            self.telling = Some(Telling { state: Arc::clone(&telling.state), behind });
        }
        out.into()
    }
}

/// Tells with each state which views changed: what a page shows is then asked for anew.
pub fn ticks(store: &Arc<Store>) -> Response {
    let told = (Counted::new(Arc::clone(store)), store.news(), None::<u64>);
    events(Body::from_stream(stream::unfold(told, |(counted, mut news, at)| async move {
        if at.is_some() {
            tokio::time::sleep(TICKS).await;
            if tokio::time::timeout(ALIVE, news.changed()).await.is_err() {
                let alive = Bytes::from_static(ALIVE_SIGN);
                return Some((Ok::<_, Infallible>(alive), (counted, news, at)));
            }
        }
        let newest = *news.borrow_and_update();
        let names: Vec<String> = match at {
            Some(at) => counted.0.touched_after(at).map(|view| answer::text(view.name)).collect(),
            None => counted.0.views.iter().map(|view| answer::text(view.name)).collect(),
        };
        let (head, names) = (head(newest), names.join(","));
        let text = format!("event: tick\ndata: {{{head},\"views\":[{names}]}}\n\n");
        Some((Ok(Bytes::from(text)), (counted, news, Some(newest.version))))
    })))
}
