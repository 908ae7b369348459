//! The two cookies: the session and the language.

use axum::http::header::COOKIE;
use axum::http::{HeaderMap, HeaderValue};

use super::state::HttpOptions;
use crate::accounts_db::SessionToken;
use crate::pages::Lang;

const LANGUAGE: &str = "lang";

/// A `__Host-` cookie is only taken over TLS, from this very host, for all its paths: browsers see to it.
const fn session_name(options: &HttpOptions) -> &'static str {
    if options.behind_tls { "__Host-session" } else { "session" }
}

/// The session that a browser is in.
pub(crate) fn session(options: &HttpOptions, headers: &HeaderMap) -> Option<SessionToken> {
    find(headers, session_name(options))?.parse().ok()
}

/// Keeps a browser signed in. Scripts do not see the cookie, and other sites cannot make a browser send it with a POST.
pub(crate) fn keep_session(options: &HttpOptions, token: &SessionToken) -> Option<HeaderValue> {
    let seconds = options.session_lasts.as_secs();
    set(session_name(options), &token.to_string(), seconds, options)
}

/// Signs a browser out.
pub(crate) fn drop_session(options: &HttpOptions) -> Option<HeaderValue> {
    set(session_name(options), "", 0, options)
}

/// The language that a visitor has chosen.
pub(crate) fn language(headers: &HeaderMap) -> Option<Lang> {
    Lang::from_code(find(headers, LANGUAGE)?)
}

/// Keeps the language for a year.
pub(crate) fn keep_language(options: &HttpOptions, lang: Lang) -> Option<HeaderValue> {
    set(LANGUAGE, lang.code(), 365 * 24 * 3_600, options)
}

fn find<'a>(headers: &'a HeaderMap, name: &str) -> Option<&'a str> {
    let lines = headers.get_all(COOKIE).iter().filter_map(|line| line.to_str().ok());
    let pairs = lines.flat_map(|line| line.split(';')).filter_map(|pair| pair.trim().split_once('='));
    pairs.into_iter().find(|(n, _)| *n == name).map(|(_, value)| value)
}

fn set(name: &str, value: &str, seconds: u64, options: &HttpOptions) -> Option<HeaderValue> {
    let secure = if options.behind_tls { "; Secure" } else { "" };
    let text = format!("{name}={value}; Path=/; Max-Age={seconds}; HttpOnly; SameSite=Lax{secure}");
    HeaderValue::try_from(text).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(cookies: &str) -> HeaderMap {
        std::iter::once((COOKIE, cookies.parse().unwrap())).collect()
    }

    #[test]
    fn sessions_are_found_among_other_cookies() {
        let token = "ab".repeat(32);
        let options = HttpOptions::default();
        let found = |cookies: &str| session(&options, &headers(cookies)).map(|token| token.to_string());
        assert_eq!(found(&format!("lang=en; session={token};x=y")), Some(token.clone()));
        assert_eq!(found(&format!("xsession={token}")), None);
        assert_eq!(found("session=nonsense"), None);
        assert_eq!(found(""), None);
        let behind_tls = HttpOptions { behind_tls: true, ..options };
        assert!(session(&behind_tls, &headers(&format!("session={token}"))).is_none());
        assert!(session(&behind_tls, &headers(&format!("__Host-session={token}"))).is_some());
    }

    #[test]
    fn cookies_are_as_strict_as_can_be() {
        let token: SessionToken = "ab".repeat(32).parse().unwrap();
        let options = HttpOptions { behind_tls: true, ..HttpOptions::default() };
        let cookie = keep_session(&options, &token).unwrap();
        let expected =
            format!("__Host-session={token}; Path=/; Max-Age=1209600; HttpOnly; SameSite=Lax; Secure");
        assert_eq!(cookie.to_str().unwrap(), expected);
        let cookie = drop_session(&HttpOptions::default()).unwrap();
        assert_eq!(cookie, "session=; Path=/; Max-Age=0; HttpOnly; SameSite=Lax");
    }
}
