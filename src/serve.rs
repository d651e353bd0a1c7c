//! The views of a run over HTTP, while it goes on and after.
//!
//! Worker 0 hands what is sealed to a sink ([`Feed`]), which keeps each view as a tree that shares
//! what did not change with the states before it, and publishes all views as one state at each
//! frontier. Requests read the newest state: they never enter the dataflow, never wait for it, and
//! what one answer says of several views is of one time. Subscribers are told what changed from one
//! state to the next.
//!
//! By default it is served on this machine only. Bound: one entry for each row of a view, the
//! changes of the last states (`store`), so many connections and subscribers (`listen`, `handle`).

use crate::error::Error;
use crate::query::AnyQuery;
use crate::source::Feeds;
use crate::value::Decimals;
use guard::{Guard, Token};
use std::net::{SocketAddr, TcpListener, ToSocketAddrs};
use std::path::PathBuf;
use std::sync::Arc;
use store::Store;
use tokio::runtime::Runtime;

mod answer;
mod ask;
mod cell;
mod feed;
mod filter;
mod guard;
mod handle;
mod index;
mod ingest;
mod listen;
mod metrics;
mod openapi;
mod page;
mod params;
mod problem;
mod routes;
mod store;
mod subscribe;
pub use feed::Feed;

/// The variable that holds the token.
pub const VARIABLE: &str = "TIDEMILL_TOKEN";
/// Where it is served unless something else is said.
pub const ADDRESS: &str = "127.0.0.1:7878";
/// Threads that answer.
const THREADS: usize = 2;

/// Where views are served, and to whom.
#[derive(Clone, Debug, Default)]
pub struct Options {
    /// The address and port.
    pub address: String,
    /// A file with the token that is asked for; without one that of the environment, if there is one.
    pub token_file: Option<PathBuf>,
    /// Whether other machines may read everything without a token.
    pub insecure: bool,
}

/// An address that was taken, and who may come in.
pub struct Door {
    listener: TcpListener,
    address: SocketAddr,
    guard: Guard,
}

/// A service that answers until this is dropped.
pub struct Service {
    address: SocketAddr,
    runtime: Option<Runtime>,
}

impl Options {
    /// Takes the address, and refuses what would let in whom nobody meant.
    pub fn open(&self) -> Result<Door, Error> {
        let guard = Guard { token: self.token()? };
        let wrong = |what: String| Error::Usage(format!("--serve {}: {what}", self.address));
        let expected = || wrong(format!("expected an address and a port such as {ADDRESS}"));
        let mut found = self.address.to_socket_addrs().map_err(|_| expected())?;
        let address = found.next().ok_or_else(expected)?;
        if !address.ip().is_loopback() && guard.token.is_none() && !self.insecure {
            return Err(wrong(format!(
                "other machines could read every view there; give a token with --token-file FILE or \
                 {VARIABLE} (`openssl rand -hex 32` makes a good one), or say --insecure"
            )));
        }
        let taken = TcpListener::bind(address).and_then(|listener| {
            listener.set_nonblocking(true)?;
            Ok((listener.local_addr()?, listener))
        });
        let (address, listener) = taken
            .map_err(|e| wrong(format!("{e}; name another port, or 0 for any that is free")))?;
        Ok(Door { listener, address, guard })
    }

    /// The token that is asked for, if one was given.
    fn token(&self) -> Result<Option<Token>, Error> {
        let (text, place) = match (&self.token_file, std::env::var_os(VARIABLE)) {
            (Some(path), _) => {
                let text = std::fs::read_to_string(path).map_err(Error::file(path))?;
                (text, format!("--token-file {}", path.display()))
            }
            (None, Some(text)) => (text.to_string_lossy().into_owned(), VARIABLE.to_owned()),
            (None, None) => return Ok(None),
        };
        let mut key = [0; 32];
        getrandom::fill(&mut key).map_err(no_random)?;
        let empty = || Error::Usage(format!("{place}: it is empty; write the token there"));
        Token::new(&text, key).ok_or_else(empty).map(Some)
    }
}

/// A number by which the frames of this run are known.
fn drawn() -> Result<u64, Error> {
    getrandom::u64().map_err(no_random)
}

fn no_random(error: getrandom::Error) -> Error {
    Error::Usage(format!("no random number could be drawn: {error}"))
}

impl Door {
    /// Begins to answer, and gives the sink that feeds it. `queries` are those of the run in their
    /// order, each with its area of the catalog.
    pub fn serve(
        self,
        queries: &[(&'static str, Arc<dyn AnyQuery>)],
        feeds: Arc<Feeds>,
        decimals: Decimals,
    ) -> Result<(Service, Feed), Error> {
        let Door { listener, address, guard } = self;
        let failed = |error: std::io::Error| Error::file(address.to_string())(error);
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(THREADS)
            .thread_name("serve")
            .enable_all()
            .build()
            .map_err(failed)?;
        let view = |(area, query): &(&'static str, Arc<dyn AnyQuery>)| index::View {
            name: query.name(),
            area,
            about: query.about(),
            columns: query.columns(),
        };
        let views = queries.iter().map(view).collect();
        let store = Arc::new(Store::new(views, decimals, drawn()?));
        let router = routes::router(routes::App::new(Arc::clone(&store), feeds, guard));
        let listener = {
            let _inside = runtime.enter();
            tokio::net::TcpListener::from_std(listener).map_err(failed)?
        };
        runtime.spawn(listen::listen(listener, router, Arc::clone(&store)));
        Ok((Service { address, runtime: Some(runtime) }, Feed::new(&store)))
    }
}

impl Service {
    /// Where it answers.
    pub fn url(&self) -> String {
        // A browser cannot open "every address".
        match self.address.ip().is_unspecified() {
            true => format!("http://127.0.0.1:{}/", self.address.port()),
            false => format!("http://{}/", self.address),
        }
    }
}

impl Drop for Service {
    fn drop(&mut self) {
        if let Some(runtime) = self.runtime.take() {
            runtime.shutdown_background();
        }
    }
}
