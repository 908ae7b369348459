//! Photos.

use axum::Json;
use axum::extract::{Request, State};
use axum::http::header::{CACHE_CONTROL, CONTENT_TYPE};
use axum::http::{HeaderValue, StatusCode};
use axum::response::{IntoResponse, Response};
use bytes::Bytes;
use pbft_crypto::Digest;

use crate::http::caller::SignedIn;
use crate::http::code::Code;
use crate::http::extract::{Id, PICTURE_BODY, read_body};
use crate::http::model::{BlobView, blob_link};
use crate::http::problem::{Answer, Failure, Problem};
use crate::http::state::AppState;

/// Upload a photo: JPEG, PNG or WebP, at most 8 MiB.
///
/// It is encoded anew as a JPEG with sides of at most 1600 pixels, without what cameras write into files besides the
/// picture. The same photo has the same hash.
#[utoipa::path(post, path = "/v1/blobs", tag = "listings",
    request_body(content = Vec<u8>, content_type = "application/octet-stream", description = "The picture."), responses(
    (status = 201, description = "It is stored.", body = BlobView),
))]
pub(super) async fn create(
    State(state): State<AppState>,
    _: SignedIn,
    request: Request,
) -> Answer<(StatusCode, Json<BlobView>)> {
    let content_type = request.headers().get(CONTENT_TYPE).and_then(|value| value.to_str().ok());
    let is_picture = content_type.is_some_and(|t| t.starts_with("image/") || t == "application/octet-stream");
    if !is_picture {
        return Err(
            Problem::because(Code::UNSUPPORTED_MEDIA_TYPE, "image/jpeg, image/png or image/webp").into()
        );
    }
    let bytes = read_body(request.into_body(), PICTURE_BODY).await?;
    let (hash, bytes) = store_photo(&state, bytes).await?;
    Ok((StatusCode::CREATED, Json(BlobView { hash, href: blob_link(&hash), bytes })))
}

/// Encodes a photo anew and stores it. Answers its hash and size.
pub(crate) async fn store_photo(state: &AppState, bytes: Bytes) -> Result<(Digest, usize), Failure> {
    let jpeg = state.shared.darkroom.develop(bytes).await?;
    let size = jpeg.len();
    let hash = state.blobs.put(jpeg).await.map_err(|error| Problem::internal(&error))?;
    Ok((hash, size))
}

/// A photo. It never changes, so it may be kept for ever.
#[utoipa::path(get, path = "/v1/blobs/{hash}", tag = "listings", params(("hash" = String, Path, description = "SHA-256 of the photo.")), responses(
    (status = 200, description = "The photo.", content((Vec<u8> = "image/jpeg"), (Vec<u8> = "image/png"))),
))]
pub(super) async fn show(State(state): State<AppState>, Id(hash): Id<Digest>) -> Answer<Response> {
    let bytes = state.blobs.read(&hash).await.map_err(|error| Problem::internal(&error))?;
    let bytes = bytes.ok_or_else(|| Problem::new(Code::UNKNOWN_BLOB))?;
    let content_type =
        HeaderValue::from_static(if bytes.starts_with(b"\x89PNG") { "image/png" } else { "image/jpeg" });
    let forever = HeaderValue::from_static("public, max-age=31536000, immutable");
    Ok(([(CONTENT_TYPE, content_type), (CACHE_CONTROL, forever)], bytes).into_response())
}
