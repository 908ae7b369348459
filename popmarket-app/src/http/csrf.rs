//! Requests that a browser sends on behalf of another site are not answered.
//!
//! Browsers say where a request comes from in `Sec-Fetch-Site`, older ones at least in `Origin`. What a cookie signs in
//! needs one of the two. What nobody is signed in for does not, but is refused if it comes from elsewhere: else another
//! site could sign a visitor in as someone whose password it knows. A bearer token is never sent by a browser by itself.

use axum::http::header::{HOST, ORIGIN};
use axum::http::{HeaderMap, Method};

/// Whether a request of a browser may change something.
pub(crate) fn is_own_site(method: &Method, headers: &HeaderMap) -> bool {
    if method.is_safe() {
        return true;
    }
    let text = |name| headers.get(name).and_then(|value: &axum::http::HeaderValue| value.to_str().ok());
    if let Some(site) = headers.get("sec-fetch-site") {
        return matches!(site.as_bytes(), b"same-origin" | b"none");
    }
    let origin = text(ORIGIN).and_then(|origin| origin.split_once("://")).map(|(_, host)| host);
    origin.is_some() && origin == text(HOST)
}

/// Whether a browser says where the request comes from.
pub(crate) fn by_browser(headers: &HeaderMap) -> bool {
    headers.contains_key("sec-fetch-site") || headers.contains_key(ORIGIN)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn allowed(method: &Method, headers: &[(&'static str, &str)]) -> bool {
        let headers = headers.iter().map(|(name, value)| (name.parse().unwrap(), value.parse().unwrap()));
        is_own_site(method, &headers.collect())
    }

    #[test]
    fn only_the_own_site_changes_anything() {
        let host = ("host", "shop.example:8080");
        assert!(allowed(&Method::GET, &[("sec-fetch-site", "cross-site")]));
        assert!(allowed(&Method::POST, &[("sec-fetch-site", "same-origin")]));
        assert!(allowed(&Method::POST, &[("sec-fetch-site", "none")]));
        assert!(allowed(&Method::POST, &[host, ("origin", "http://shop.example:8080")]));
        for site in ["cross-site", "same-site", "", "SAME-ORIGIN "] {
            let headers = [host, ("origin", "http://shop.example:8080"), ("sec-fetch-site", site)];
            assert!(!allowed(&Method::POST, &headers), "{site}");
        }
        for origin in
            ["null", "http://evil.example", "http://shop.example", "http://shop.example:8080.evil.example"]
        {
            assert!(!allowed(&Method::DELETE, &[host, ("origin", origin)]), "{origin}");
        }
        assert!(!allowed(&Method::POST, &[host]));
        assert!(!allowed(&Method::POST, &[]));
    }
}
