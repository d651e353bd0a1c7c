//! The table of routes, and what each answers.

use super::ask::Ask;
use super::guard::{Guard, harden};
use super::handle::{self, busy};
use super::ingest;
use super::page;
use super::problem::Problem;
use super::store::Store;
use crate::near::did_you_mean;
use crate::shown::shown;
use crate::source::Feeds;
use axum::Router;
use axum::extract::{Request, State as Of};
use axum::http::Uri;
use axum::middleware::{Next, from_fn_with_state};
use axum::response::{IntoResponse, Response};
use axum::routing::any;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;
use tokio::sync::Semaphore;

/// How long an answer may take to begin.
const LONGEST: Duration = Duration::from_secs(30);
/// How many large views are looked through at one time.
const SCANS: usize = 2;

/// What answers are made of.
pub struct App {
    /// The views.
    pub store: Arc<Store>,
    /// Where their records come from.
    pub feeds: Arc<Feeds>,
    /// Who may ask.
    pub guard: Guard,
    /// Room for looking through large views.
    pub scans: Arc<Semaphore>,
}

impl App {
    /// What answers are made of.
    pub fn new(store: Arc<Store>, feeds: Arc<Feeds>, guard: Guard) -> App {
        App { store, feeds, guard, scans: Arc::new(Semaphore::new(SCANS)) }
    }
}

type Answer = Result<Response, Problem>;
type Answering = Pin<Box<dyn Future<Output = Answer> + Send>>;

/// A route: everything there is to say of it stands here once, also for `/v1/openapi.json`.
pub struct Route {
    /// Its path.
    pub path: &'static str,
    /// What it answers.
    pub about: &'static str,
    /// Its parameters in the path.
    pub within: &'static [&'static str],
    /// Its parameters behind the path.
    pub parameters: &'static [&'static str],
    /// What its answer is, and the kind of text that it is written in.
    pub gives: (&'static str, &'static str),
    /// Whether it is answered without a token: it holds nothing of the views.
    pub open: bool,
    answer: fn(Arc<App>, Request) -> Answering,
}

macro_rules! routes {
    ($($path:literal $within:tt ? $parameters:expr => $answer:ident, $gives:literal $mime:literal, $open:literal: $about:literal;)*) => {
        /// All routes but the page and its files.
        pub static ROUTES: &[Route] = &[$(Route {
            path: $path,
            about: $about,
            within: &$within,
            parameters: $parameters,
            gives: ($gives, $mime),
            open: $open,
            answer: |app, request| Box::pin(handle::$answer(app, request)),
        }),*];
    };
}

routes! {
    "/v1/views" [] ? &[] => views, "Views" "application/json", false:
        "The views: their columns, each with its meaning and unit, and how many rows they have";
    "/v1/views/{name}" ["name"] ? &Ask::PARAMETERS => rows, "Page" "application/json", false:
        "Rows of a view, in order of their keys or in another";
    "/v1/views/{name}/subscribe" ["name"] ? &["snapshot"] => changes, "Events" "text/event-stream", false:
        "A view as it is, and then what changes of it";
    "/v1/views/{name}/{key}" ["name", "key"] ? &[] => row, "One" "application/json", false:
        "The row of a key: its cells in the order of the key columns, with / between them";
    "/v1/snapshot" [] ? &["views", "last"] => snapshot, "Snapshot" "application/json", false:
        "Several views at one time";
    "/v1/ticks" [] ? &[] => ticks, "Events" "text/event-stream", false:
        "Which views changed, whenever some did";
    "/v1/status" [] ? &[] => status, "Status" "application/json", false:
        "How far the run is, and what it reads";
    "/metrics" [] ? &[] => metrics_text, "Text" "text/plain; version=0.0.4; charset=utf-8", false:
        "The run in figures, for Prometheus";
    "/healthz" [] ? &[] => health, "Text" "text/plain; charset=utf-8", true:
        "Whether the service answers";
    "/readyz" [] ? &[] => ready, "Text" "text/plain; charset=utf-8", true:
        "Whether there is something to read: 503 until the first time is sealed";
    "/v1/openapi.json" [] ? &[] => document, "Document" "application/json", true:
        "This document";
}

/// All routes with what stands before them.
pub fn router(app: App) -> Router {
    let app = Arc::new(app);
    let mut router = Router::new();
    for route in ROUTES {
        // A key may have several parts.
        let path = route.path.replace("{key}", "{*key}");
        let answer = route.answer;
        router = router.route(
            &path,
            any(move |Of(app): Of<Arc<App>>, request: Request| async move {
                answer(app, request).await
            }),
        );
    }
    let take =
        |Of(app): Of<Arc<App>>, request: Request| async move { ingest::events(app, request).await };
    router = router.route(&format!("{}{{stream}}", ingest::PATH), any(take));
    let hook =
        |Of(app): Of<Arc<App>>, request: Request| async move { ingest::hook(app, request).await };
    router = router.route(&format!("{}{{stream}}", ingest::HOOKS), any(hook));
    for file in page::FILES {
        router = router.route(file.path, any(move || async move { file.answer() }));
    }
    let guarded = from_fn_with_state(Arc::clone(&app), guarded);
    router.fallback(nothing).layer(guarded).with_state(app)
}

/// What stands before every answer and behind it.
async fn guarded(Of(app): Of<Arc<App>>, request: Request, next: Next) -> Response {
    app.store.requests.fetch_add(1, Ordering::Relaxed);
    let path = request.uri().path();
    let signed = path.starts_with(ingest::HOOKS);
    let writes = signed || path.starts_with(ingest::PATH);
    let open = signed
        || page::FILES.iter().any(|file| file.path == path)
        || ROUTES.iter().any(|route| route.open && route.path == path);
    let checked =
        app.guard.check(request.method(), request.uri(), request.headers(), (open, writes));
    let mut response = match checked {
        Err(problem) => problem.into_response(),
        Ok(()) => match tokio::time::timeout(LONGEST, next.run(request)).await {
            Ok(response) => response,
            Err(_) => busy().into_response(),
        },
    };
    harden(response.headers_mut());
    response
}

/// What is answered where there is nothing.
async fn nothing(uri: Uri) -> Problem {
    let path = uri.path();
    let near = did_you_mean(path, ROUTES.iter().map(|route| route.path));
    let what = format!("there is nothing at {}{near}", shown(path, 80));
    Problem::missing("path", what, "see /v1/openapi.json for what there is")
}
