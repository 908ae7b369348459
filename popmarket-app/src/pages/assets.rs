//! The few files that pages load, embedded in the program.

use std::sync::LazyLock;

use axum::http::HeaderValue;
use axum::http::header::{CACHE_CONTROL, CONTENT_TYPE};
use axum::response::{IntoResponse, Response};

use crate::http::{Answer, Code, Id, Problem};

struct Asset {
    name: &'static str,
    content_type: &'static str,
    bytes: &'static [u8],
    /// With the digest of the bytes, so that a browser may keep it for ever.
    link: String,
}

static ASSETS: LazyLock<[Asset; 3]> = LazyLock::new(|| {
    [
        asset("app.css", "text/css; charset=utf-8", include_bytes!("../../static/app.css")),
        asset("app.js", "text/javascript; charset=utf-8", include_bytes!("../../static/app.js")),
        asset("icon.svg", "image/svg+xml", include_bytes!("../../static/icon.svg")),
    ]
});

fn asset(name: &'static str, content_type: &'static str, bytes: &'static [u8]) -> Asset {
    let digest = pbft_crypto::sha256(bytes).to_string();
    let link = format!("/static/{name}?v={}", digest.get(..16).unwrap_or_default());
    Asset { name, content_type, bytes, link }
}

/// The address of a file in `static/`.
pub(crate) fn link(name: &str) -> &'static str {
    ASSETS.iter().find(|asset| asset.name == name).map_or("", |asset| asset.link.as_str())
}

/// Serves one.
pub(crate) async fn serve(Id(name): Id<String>) -> Answer<Response> {
    let asset =
        ASSETS.iter().find(|asset| asset.name == name).ok_or_else(|| Problem::new(Code::NO_SUCH_ROUTE))?;
    let mut response = asset.bytes.into_response();
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static(asset.content_type));
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("public, max-age=31536000, immutable"));
    Ok(response)
}
