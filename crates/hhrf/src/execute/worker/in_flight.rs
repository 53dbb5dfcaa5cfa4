//! A request that a worker has, from its frame to its response.

use super::pool::Slot;
use crate::admitted::{AdmittedRequest, RequestBody};
use crate::execute::failure::Failure;
use crate::identity::Identity;
use crate::limiter::Permit;
use crate::memory::Holding;
use bytes::Bytes;
use std::sync::Arc;
use tokio::sync::oneshot;
use tokio::time::Instant;

/// A request, with its permits, its memory and its slot, which are released when this is dropped.
#[derive(Debug)]
pub(super) struct InFlight {
    identity: Arc<Identity>,
    deadline: Instant,
    stage: Stage,
    slot: Slot,
}

#[derive(Debug)]
enum Stage {
    /// Its client waits for the response.
    Wanted { request: Box<AdmittedRequest>, reply: oneshot::Sender<Reply> },
    /// Its client has gone, or has been told of a failure. The worker still has it.
    Abandoned {
        _of_function: Permit,
        /// See [`Requests`](super::requests::Requests).
        of_host: Option<Permit>,
    },
}

/// What is left of a request whose response isn't wanted any more.
#[derive(Debug)]
pub(super) struct Remains {
    /// Where to tell the reason.
    pub(super) reply: oneshot::Sender<Reply>,
    /// To be kept while a part of it must be written.
    pub(super) body: RequestBody,
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
        let (identity, deadline) = (Arc::clone(&request.facts.identity), request.facts.deadline);
        Self { identity, deadline, stage: Stage::Wanted { request: Box::new(request), reply }, slot }
    }

    pub(super) fn request_id(&self) -> String {
        self.identity.request_id.clone()
    }

    pub(super) fn deadline(&self) -> Instant {
        self.deadline
    }

    /// The memory of its response, if that is wanted.
    pub(super) fn holding(&self) -> Option<&Holding> {
        match &self.stage {
            Stage::Wanted { request, .. } => Some(&request.response_memory),
            Stage::Abandoned { .. } => None,
        }
    }

    /// Whether a response is wanted.
    pub(super) fn has_client(&self) -> bool {
        matches!(self.stage, Stage::Wanted { .. })
    }

    /// Gives back its memory: no response is wanted any more. It keeps its slot and its permits, as the worker still has it.
    pub(super) fn abandon(self) -> (Self, Option<Remains>) {
        let Self { identity, deadline, stage, slot } = self;
        let (stage, remains) = match stage {
            Stage::Wanted { request, reply } => {
                let AdmittedRequest { permits: [of_function, of_host], body, .. } = *request;
                let stage = Stage::Abandoned { _of_function: of_function, of_host: Some(of_host) };
                (stage, Some(Remains { reply, body }))
            }
            abandoned @ Stage::Abandoned { .. } => (abandoned, None),
        };
        (Self { identity, deadline, stage, slot }, remains)
    }

    /// Where an abandoned request keeps its permit of the host.
    pub(super) fn abandoned_of_host(&mut self) -> Option<&mut Option<Permit>> {
        match &mut self.stage {
            Stage::Wanted { .. } => None,
            Stage::Abandoned { of_host, .. } => Some(of_host),
        }
    }

    /// Gives it its reply. The slot and the permits go to the next request.
    pub(super) fn answer(self, reply: impl FnOnce(Holding) -> Reply) {
        let Self { stage, slot, .. } = self;
        if let Stage::Wanted { request, reply: sender } = stage {
            let AdmittedRequest { response_memory, permits, .. } = *request;
            // First, so that a client that has its response finds its permit free.
            drop(permits);
            // Its client may go at the same moment.
            sender.send(reply(response_memory)).ok();
        }
        // Last: of the tasks that are woken here, the runtime runs the last one first, and the worker is idle until the next
        // request is written.
        drop(slot);
    }

    /// The worker never saw it.
    pub(super) fn retry(self) {
        let Self { stage, slot, .. } = self;
        drop(slot);
        if let Stage::Wanted { request, reply } = stage {
            reply.send(Reply::Unsent(request)).ok();
        }
    }

    /// The request again, which was never sent, if it is still wanted.
    pub(super) fn into_request(self) -> Option<Box<AdmittedRequest>> {
        match self.stage {
            Stage::Wanted { request, .. } => Some(request),
            Stage::Abandoned { .. } => None,
        }
    }
}
