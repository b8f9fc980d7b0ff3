//! A form with a file: the fields before the file are read, and the rest is passed on as it arrives.

use super::{body_refusal, count_redactions, redacted_event};
use crate::privacy::json::{FormRedactor, JsonError, JsonScope, RedactedBody, RedactionSummary};
use crate::provider::UpstreamUpload;
use crate::proxy::guard::only;
use crate::proxy::read_body::BodyReader;
use crate::proxy::refusal::Refusal;
use crate::proxy::state::ProxyState;
use hyper::header::{CONTENT_TYPE, HeaderMap};
use std::rc::Rc;
use std::sync::Arc;
use tokio::sync::oneshot;

/// A form of which the beginning was read.
pub(super) struct FormUpload {
    redactor: FormRedactor,
    /// What was read, redacted.
    begin: Vec<RedactedBody>,
}

impl FormUpload {
    /// Reads up to the file.
    pub(super) async fn begin(
        scope: &Arc<JsonScope>,
        headers: &HeaderMap,
        body: &mut BodyReader,
    ) -> Result<Self, Refusal> {
        let mut redactor = FormRedactor::new(Arc::clone(scope), &form_boundary(headers)?);
        let mut begin = Vec::new();
        while !redactor.has_file() {
            let Some(piece) = body.next().await? else {
                redactor.finish().map_err(|error| body_refusal(&error))?;
                break;
            };
            let piece = redactor.push(&piece);
            begin.push(piece.map_err(|error| body_refusal(&error))?);
        }
        Ok(Self { redactor, begin })
    }

    /// The model that the fields before the file name.
    pub(super) fn model(&self) -> Option<&str> {
        self.redactor.model()
    }

    /// What was replaced until now.
    pub(super) fn take_summary(&mut self) -> RedactionSummary {
        self.redactor.take_summary()
    }

    /// Passes on the form, and reports what was wrong with it.
    pub(super) async fn pass_on(
        mut self,
        mut body: BodyReader,
        provider: UpstreamUpload,
        report: oneshot::Sender<Result<(), Refusal>>,
        (state, token): (Rc<ProxyState>, String),
    ) {
        let passed = self.pass_pieces(&mut body, &provider).await;
        let is_whole = passed.is_ok();
        // Before the connection breaks off, so that the reason is known then.
        drop(report.send(passed));
        drop(provider);
        let late = self.take_summary();
        if is_whole && late.new.total() > 0 {
            count_redactions(&state, &token, &late);
            state.record(redacted_event(&token, &late));
        }
        body.discard().await;
    }

    async fn pass_pieces(
        &mut self,
        body: &mut BodyReader,
        provider: &UpstreamUpload,
    ) -> Result<(), Refusal> {
        // A provider that has answered already may take no more.
        let mut takes_more = true;
        for piece in std::mem::take(&mut self.begin) {
            takes_more = takes_more && provider.send(piece).await;
        }
        while let Some(piece) = body.next().await? {
            let piece = self.redactor.push(&piece);
            let piece = piece.map_err(|error| broken(&error))?;
            takes_more = takes_more && provider.send(piece).await;
        }
        self.redactor.finish().map_err(|error| broken(&error))?;
        if takes_more {
            provider.end().await;
        }
        Ok(())
    }
}

/// The refusal of a form of which the beginning was sent. The provider sees that it broke off.
fn broken(error: &JsonError) -> Refusal {
    let message = format!("nothing more was sent: {error}");
    Refusal::new(400, "not_redacted", message)
}

/// What separates the fields of a form, by its content type.
fn form_boundary(headers: &HeaderMap) -> Result<String, Refusal> {
    let value = only(headers, &CONTENT_TYPE).unwrap_or_default();
    let mut parameters = value.split(';').skip(1).map(str::trim);
    let boundary = parameters
        .find_map(|one| one.strip_prefix("boundary="))
        .map(|boundary| boundary.trim_matches('"'));
    let is_boundary = |text: &str| {
        (1..=70).contains(&text.len()) && text.bytes().all(|b| b.is_ascii_graphic() && b != b'"')
    };
    boundary
        .filter(|boundary| is_boundary(boundary))
        .map(str::to_owned)
        .ok_or_else(|| Refusal::new(400, "malformed_body", "the form has no boundary"))
}
