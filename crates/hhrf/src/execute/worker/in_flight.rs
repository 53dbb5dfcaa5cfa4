//! A request that a worker has, from its frame to its response.

use super::pool::Slot;
use crate::admitted::AdmittedRequest;
use crate::execute::failure::Failure;
use crate::memory::Holding;
use bytes::Bytes;
use tokio::sync::oneshot;
use tokio::time::Instant;

/// A request, with its permits, its memory and its slot, which are released when this is dropped.
#[derive(Debug)]
pub(super) struct InFlight {
    request: Box<AdmittedRequest>,
    /// `None` once its client has gone, or has its answer.
    reply: Option<oneshot::Sender<Reply>>,
    slot: Slot,
}

/// What a request's task gets.
#[derive(Debug)]
pub(super) enum Reply {
    /// The payload of the response, and its memory.
    Response(Bytes, Holding),
    /// The worker ended, and never saw the request: another one may have it.
    Unsent(Box<AdmittedRequest>),
    /// There is no response.
    Failed(Failure),
}

impl InFlight {
    pub(super) fn new(request: AdmittedRequest, slot: Slot, reply: oneshot::Sender<Reply>) -> Self {
        Self { request: Box::new(request), reply: Some(reply), slot }
    }

    pub(super) fn request_id(&self) -> String {
        self.request.facts.identity.request_id.clone()
    }

    pub(super) fn deadline(&self) -> Instant {
        self.request.facts.deadline
    }

    pub(super) fn holding(&self) -> &Holding {
        &self.request.response_memory
    }

    /// Whether a response is wanted.
    pub(super) fn has_client(&self) -> bool {
        self.reply.is_some()
    }

    pub(super) fn abandon(&mut self) {
        self.reply = None;
    }

    /// Fails it. It keeps its slot: the worker still has it.
    pub(super) fn fail(&mut self, failure: Failure) {
        if let Some(reply) = self.reply.take() {
            // Its client may have gone at the same moment.
            reply.send(Reply::Failed(failure)).ok();
        }
    }

    /// Gives it its reply. The slot and the permits go to the next request.
    pub(super) fn answer(self, reply: impl FnOnce(Holding) -> Reply) {
        let Self { request, reply: sender, slot } = self;
        let AdmittedRequest { response_memory, permits, .. } = *request;
        // First, so that a client that has its response finds its permit free.
        drop(permits);
        if let Some(sender) = sender {
            sender.send(reply(response_memory)).ok();
        }
        // Last: of the tasks that are woken here, the runtime runs the last one first, and the worker is idle until the next
        // request is written.
        drop(slot);
    }

    /// The worker never saw it.
    pub(super) fn retry(self) {
        let Self { request, reply, slot } = self;
        drop(slot);
        if let Some(reply) = reply {
            reply.send(Reply::Unsent(request)).ok();
        }
    }

    /// The request again, which was never sent.
    pub(super) fn into_request(self) -> Box<AdmittedRequest> {
        self.request
    }
}
