//! Forms.

use std::time::Duration;

use axum::extract::multipart::{Field, MultipartError};
use axum::extract::{FromRequest, Multipart, Request};
use axum::http::header::CONTENT_TYPE;
use axum::response::{IntoResponse, Redirect, Response};
use ledger::Reason;
use pbft_crypto::Digest;
use serde::Deserialize;
use serde::de::DeserializeOwned;

use crate::http::model::{Reply, ReplyStatus};
use crate::http::routes::store_photo;
use crate::http::{AppState, Code, Failed, Failure, PICTURE_BODY, Problem, TEXT_BODY, read_body};

/// How long a page waits for what a form does.
pub(super) const WAIT: Duration = Duration::from_secs(10);
/// How many photos a form takes.
const MAX_PHOTOS: usize = 4;
/// The limit of a form with photos.
pub(super) const MULTIPART_BODY: usize = MAX_PHOTOS * PICTURE_BODY + TEXT_BODY;

/// What a form says, and the digest of it.
pub(super) struct Form<T> {
    pub(super) value: T,
    pub(super) fingerprint: Digest,
}

impl<S: Sync, T: DeserializeOwned> FromRequest<S> for Form<T> {
    type Rejection = Failed;

    async fn from_request(request: Request, _: &S) -> Result<Self, Failed> {
        let content_type =
            request.headers().get(CONTENT_TYPE).map(|value| value.as_bytes().to_ascii_lowercase());
        if !content_type.is_some_and(|value| value.starts_with(b"application/x-www-form-urlencoded")) {
            return Err(Problem::new(Code::UNSUPPORTED_MEDIA_TYPE).into());
        }
        let bytes = read_body(request.into_body(), TEXT_BODY).await?;
        let value = serde_urlencoded::from_bytes(&bytes)
            .map_err(|error| Problem::because(Code::INVALID_BODY, error))?;
        Ok(Self { value, fingerprint: pbft_crypto::sha256(&bytes) })
    }
}

/// A form that is just a button.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Press {
    pub(super) form_key: String,
}

/// The form to turn down what somebody asked for.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RejectForm {
    pub(super) form_key: String,
    reason: String,
}

impl RejectForm {
    /// Why, if it can be put on the chain.
    pub(super) fn reason(&self) -> Result<Reason, Failure> {
        let reason = self.reason.trim().parse();
        reason.map_err(|error| Problem::in_field(Code::INVALID_BODY, "reason", error))
    }
}

/// The form to put something up for sale.
#[derive(Default)]
pub(super) struct SellForm {
    pub(super) form_key: String,
    pub(super) title: String,
    pub(super) price: String,
    pub(super) description: String,
    pub(super) photos: Vec<Digest>,
}

impl SellForm {
    /// Reads the form; photos are stored as they come. What was read stays, also if there is a problem.
    pub(super) async fn read(&mut self, state: &AppState, request: Request) -> Result<(), Failure> {
        let multipart = Multipart::from_request(request, &()).await;
        let mut multipart = multipart.map_err(|_| Problem::new(Code::UNSUPPORTED_MEDIA_TYPE))?;
        while let Some(field) = multipart.next_field().await.map_err(|error| unreadable(&error))? {
            let name = field.name().unwrap_or_default().to_owned();
            match name.as_str() {
                "form_key" => self.form_key = text(field).await?,
                "title" => self.title = text(field).await?,
                "price" => self.price = text(field).await?,
                // Browsers end the lines of a text area like this.
                "description" => self.description = text(field).await?.replace("\r\n", "\n"),
                "photo" => self.photo(state, field).await?,
                _ => return Err(Problem::because(Code::INVALID_BODY, format_args!("unknown field {name}"))),
            }
        }
        Ok(())
    }

    async fn photo(&mut self, state: &AppState, field: Field<'_>) -> Result<(), Failure> {
        let bytes = field.bytes().await.map_err(|error| unreadable(&error))?;
        // A browser sends an empty file where none was chosen.
        if bytes.is_empty() {
            return Ok(());
        }
        if self.photos.len() == MAX_PHOTOS || bytes.len() > PICTURE_BODY {
            return Err(Problem::new(Code::BODY_TOO_LARGE));
        }
        let (hash, _) = store_photo(state, bytes).await?;
        self.photos.push(hash);
        Ok(())
    }

    /// The digest of all that it says.
    pub(super) fn fingerprint(&self) -> Digest {
        let Self { title, price, description, photos, .. } = self;
        pbft_crypto::sha256(format!("{title}\0{price}\0{description}\0{photos:?}").as_bytes())
    }
}

async fn text(field: Field<'_>) -> Result<String, Failure> {
    field.text().await.map_err(|error| unreadable(&error))
}

fn unreadable(error: &MultipartError) -> Failure {
    let too_large = error.status() == axum::http::StatusCode::PAYLOAD_TOO_LARGE;
    Problem::new(if too_large { Code::BODY_TOO_LARGE } else { Code::BODY_UNREADABLE })
}

/// To the page that shows what a form did.
pub(super) fn done(reply: &Reply, path: &str, notice: &str) -> Response {
    let notice = if reply.status == ReplyStatus::Applied { notice } else { "submitted" };
    Redirect::to(&format!("{path}?notice={notice}")).into_response()
}
