//! Several requests at a time, on tokio.

use super::stream::{HELLO, StreamError, response_frame, socket_of_stdin};
use super::{decoded, fail, lock};
use crate::{FezzRequest, FezzResponse, IntoResponse, panic};
use fezz_wire::ErrorKind;
use fezz_wire::frame::{Format, HEADER_BYTES, Header, Kind};
use std::collections::HashMap;
use std::sync::Arc;
use std::sync::Mutex as Lock;
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::UnixStream;
use tokio::net::unix::{OwnedReadHalf, OwnedWriteHalf};
use tokio::sync::{Mutex, Semaphore};
use tokio::task::{AbortHandle, JoinError};

/// The most requests at a time. The host sends fewer, as the manifest's `worker.concurrency` says: this bounds the memory
/// if it doesn't.
const CONCURRENCY_MAX: u32 = 1024;

/// Answers each request by the future that `handler` returns for it, several at a time. Call it in tokio's runtime, once
/// all is built that requests need: it tells the host that this worker is ready.
///
/// ```no_run
/// use fezz::{Request, Response, ipc};
/// use std::sync::Arc;
///
/// #[tokio::main(flavor = "current_thread")]
/// async fn main() {
///     let greeting = Arc::new("Hello".to_owned()); // a pool of connections
///     ipc::serve(move |request: Request| {
///         let greeting = Arc::clone(&greeting);
///         async move { Response::text(format!("{greeting}, {}!", request.param("name").unwrap_or("world"))) }
///     })
///     .await;
///     // The host has closed the socket, and each request is answered.
/// }
/// ```
///
/// - Each future is a task of its own. If the client disconnects, it is dropped at its next `.await`.
/// - A panic answers 500 `function_panicked`, and the worker serves on.
/// - It returns when the host closes the socket and all requests are answered. If the host is gone, the process ends.
pub async fn serve<H, F>(mut handler: H)
where
    H: FnMut(FezzRequest) -> F,
    F: Future<Output: IntoResponse> + Send + 'static,
{
    #[cfg(feature = "tracing")]
    crate::log::install();
    panic::watch();
    let (mut input, worker) = start().await.unwrap_or_else(|error| fail(&error));
    loop {
        // Before the next frame is read, so that no more are held than are served.
        let permit = Arc::clone(&worker.permits).acquire_owned().await.expect("no one closes it");
        let (header, message) = match next(&mut input).await {
            Ok(Some(frame)) => frame,
            Ok(None) => break,
            Err(error) => fail(&error),
        };
        match (header.kind, header.format) {
            (Kind::Request, Format::Cbor) => {
                let worker = Arc::clone(&worker);
                match decoded(&message) {
                    Ok(request) => {
                        let future = handler(request);
                        let task = tokio::spawn(async { future.await.into_response() });
                        lock(&worker.tasks).insert(header.id, task.abort_handle());
                        // Not the task itself, which a cancellation drops: a frame that is written is written to its end.
                        tokio::spawn(async move {
                            let response = task.await.unwrap_or_else(ended);
                            lock(&worker.tasks).remove(&header.id);
                            worker.respond(header.id, &response).await;
                            drop(permit);
                        });
                    }
                    Err(response) => worker.respond(header.id, &response).await,
                }
            }
            (Kind::Ping, _) => worker.write(Header { kind: Kind::Pong, ..header }, &[]).await,
            (Kind::Cancel, _) => {
                if let Some(task) = lock(&worker.tasks).get(&header.id) {
                    task.abort();
                }
            }
            _ => fail(&StreamError::Unexpected(header)),
        }
    }
    // All of them: each response is written.
    drop(worker.permits.acquire_many(CONCURRENCY_MAX).await);
}

/// What the tasks of the requests share.
struct Worker {
    output: Mutex<OwnedWriteHalf>,
    permits: Arc<Semaphore>,
    /// By the ids of the requests.
    tasks: Lock<HashMap<u64, AbortHandle>>,
}

/// Takes the socket and says hello.
async fn start() -> Result<(BufReader<OwnedReadHalf>, Arc<Worker>), StreamError> {
    let socket = socket_of_stdin().map_err(StreamError::NoSocket)?;
    socket.set_nonblocking(true).map_err(StreamError::NoSocket)?;
    let (input, output) = UnixStream::from_std(socket).map_err(StreamError::NoSocket)?.into_split();
    let permits = Arc::new(Semaphore::new(CONCURRENCY_MAX as usize));
    let worker = Worker { output: Mutex::new(output), permits, tasks: Lock::default() };
    worker.write(HELLO, &[]).await;
    Ok((BufReader::new(input), Arc::new(worker)))
}

/// Waits for the next frame; `None` where the host sends no more.
async fn next(input: &mut BufReader<OwnedReadHalf>) -> Result<Option<(Header, Vec<u8>)>, StreamError> {
    if input.fill_buf().await.map_err(StreamError::Read)?.is_empty() {
        return Ok(None);
    }
    let mut header = [0; HEADER_BYTES];
    input.read_exact(&mut header).await.map_err(StreamError::Read)?;
    let header = Header::decode(&header).map_err(StreamError::Header)?;
    let mut payload = Vec::new();
    // It grows as bytes arrive, whatever length the header claims.
    let read = input.take(header.length.into()).read_to_end(&mut payload).await.map_err(StreamError::Read)?;
    if read < header.length as usize {
        return Err(StreamError::Read(std::io::ErrorKind::UnexpectedEof.into()));
    }
    Ok(Some((header, payload)))
}

/// The response to a request whose task has none.
fn ended(task: JoinError) -> FezzResponse {
    match task.try_into_panic() {
        Ok(payload) => FezzResponse::failed(ErrorKind::Panicked, panic::text(payload)),
        // No client reads it.
        Err(_) => FezzResponse::failed(ErrorKind::Returned, "the client has disconnected".to_owned()),
    }
}

impl Worker {
    async fn respond(&self, id: u64, response: &FezzResponse) {
        let (header, payload) = response_frame(id, response);
        self.write(header, &payload).await;
    }

    async fn write(&self, header: Header, payload: &[u8]) {
        let frame = [&header.encode()[..], payload].concat();
        if let Err(error) = self.output.lock().await.write_all(&frame).await {
            fail(&StreamError::Write(error));
        }
    }
}
