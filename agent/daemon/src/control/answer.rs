//! Answers: JSON documents, problems, and events that go on.

use std::convert::Infallible;
use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll};

use hyper::body::{Body, Bytes, Frame, SizeHint};
use hyper::header::{CACHE_CONTROL, CONTENT_TYPE, HeaderValue};
use hyper::{Response, StatusCode};
use serde::Serialize;
use titania_core::api::Problem;

use super::events::EventRing;

/// An answer's body.
pub(super) enum Answer {
    /// All of it.
    Whole(Option<Bytes>),
    /// Events, as they come.
    Events(Follow),
}

/// Events after a number; `is_endless` waits for more.
pub(super) struct Follow {
    ring: EventRing,
    after: u64,
    is_endless: bool,
    waiting: Option<Pin<Box<dyn Future<Output = ()>>>>,
}

impl Follow {
    pub(super) fn new(ring: EventRing, after: u64, is_endless: bool) -> Self {
        Self { ring, after, is_endless, waiting: None }
    }

    fn poll_next(&mut self, context: &mut Context<'_>) -> Poll<Option<Bytes>> {
        loop {
            if let Some(waiting) = &mut self.waiting {
                if waiting.as_mut().poll(context).is_pending() {
                    return Poll::Pending;
                }
                self.waiting = None;
            }
            if let Some((last, lines)) = self.ring.after(self.after) {
                self.after = last;
                return Poll::Ready(Some(lines));
            }
            if !self.is_endless {
                return Poll::Ready(None);
            }
            self.waiting = Some(Box::pin(self.ring.clone().wait(self.after)));
        }
    }
}

impl Body for Answer {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        let next = match self.get_mut() {
            Self::Whole(bytes) => Poll::Ready(bytes.take()),
            Self::Events(events) => events.poll_next(context),
        };
        next.map(|bytes| bytes.map(|bytes| Ok(Frame::data(bytes))))
    }

    fn is_end_stream(&self) -> bool {
        matches!(self, Self::Whole(None))
    }

    fn size_hint(&self) -> SizeHint {
        match self {
            Self::Whole(bytes) => SizeHint::with_exact(bytes.as_ref().map_or(0, Bytes::len) as u64),
            Self::Events(_) => SizeHint::default(),
        }
    }
}

/// A document.
pub(super) fn json(status: StatusCode, document: &impl Serialize) -> Response<Answer> {
    let body = serde_json::to_vec(document).unwrap_or_default();
    whole(status, "application/json", body.into())
}

/// Bytes of a known type.
pub(super) fn whole(status: StatusCode, kind: &'static str, body: Bytes) -> Response<Answer> {
    typed(status, kind, Answer::Whole(Some(body)))
}

/// Events, one a line.
pub(super) fn events(events: Follow) -> Response<Answer> {
    typed(StatusCode::OK, "application/x-ndjson", Answer::Events(events))
}

/// RFC 9457.
pub(super) fn refuse(problem: &Problem) -> Response<Answer> {
    let status = StatusCode::from_u16(problem.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    let body = serde_json::to_vec(problem).unwrap_or_default();
    whole(status, "application/problem+json", body.into())
}

fn typed(status: StatusCode, kind: &'static str, body: Answer) -> Response<Answer> {
    let mut response = Response::new(body);
    *response.status_mut() = status;
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static(kind));
    response.headers_mut().insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    response
}
