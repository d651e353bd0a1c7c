//! Connections: how many there may be, how long they may take to ask, and how long they may leave what
//! they are sent unread.

use super::store::Store;
use axum::Router;
use hyper::server::conn::http1;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::service::TowerToHyperService;
use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::task::{Context, Poll};
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Semaphore;
use tokio::time::{Instant, Sleep};

/// Connections at one time; who comes after waits for one of them to end.
const CONNECTIONS: usize = 4096;
/// How long a request's head may take, and how long a connection may be idle.
const HEAD: Duration = Duration::from_secs(20);
/// How long a reader may leave unread what is sent to it.
const UNREAD: Duration = Duration::from_secs(20);
/// The most bytes of a request's head, and of what is sent in one go.
const BUFFER: usize = 64 << 10;
/// The most headers of a request.
const HEADERS: usize = 64;
/// How long to wait where no connection can be taken, for want of file descriptors for instance.
const AGAIN: Duration = Duration::from_millis(50);

/// Answers connections for ever.
pub async fn listen(listener: TcpListener, router: Router, store: Arc<Store>) {
    let room = Arc::new(Semaphore::new(CONNECTIONS));
    loop {
        // It is never closed.
        let Ok(place) = Arc::clone(&room).acquire_owned().await else { return };
        let Ok((stream, _)) = listener.accept().await else {
            tokio::time::sleep(AGAIN).await;
            continue;
        };
        let _ = stream.set_nodelay(true);
        let io = TokioIo::new(Patient::new(stream, Arc::clone(&store)));
        let service = TowerToHyperService::new(router.clone());
        tokio::spawn(async move {
            let mut http = http1::Builder::new();
            http.timer(TokioTimer::new()).header_read_timeout(HEAD);
            http.max_buf_size(BUFFER).max_headers(HEADERS);
            // What goes wrong with a connection concerns only who made it.
            let _ = http.serve_connection(io, service).await;
            drop(place);
        });
    }
}

/// A connection that is closed when its reader leaves unread for too long what it is sent.
struct Patient {
    stream: TcpStream,
    store: Arc<Store>,
    /// Runs while something waits to be sent.
    until: Pin<Box<Sleep>>,
    waiting: bool,
}

impl Patient {
    fn new(stream: TcpStream, store: Arc<Store>) -> Patient {
        Patient { stream, store, until: Box::pin(tokio::time::sleep(UNREAD)), waiting: false }
    }

    /// Passes on how a write went, and fails once writes have been waiting for too long.
    fn heed<T>(
        &mut self,
        context: &mut Context<'_>,
        written: Poll<io::Result<T>>,
    ) -> Poll<io::Result<T>> {
        if written.is_ready() {
            self.waiting = false;
            return written;
        }
        if !std::mem::replace(&mut self.waiting, true) {
            self.until.as_mut().reset(Instant::now() + UNREAD);
        }
        if self.until.as_mut().poll(context).is_pending() {
            return Poll::Pending;
        }
        self.store.dropped.fetch_add(1, Ordering::Relaxed);
        Poll::Ready(Err(io::ErrorKind::TimedOut.into()))
    }
}

impl AsyncRead for Patient {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_read(context, buffer)
    }
}

impl AsyncWrite for Patient {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        let written = Pin::new(&mut self.stream).poll_write(context, bytes);
        self.heed(context, written)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        slices: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let written = Pin::new(&mut self.stream).poll_write_vectored(context, slices);
        self.heed(context, written)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(context)
    }
}
