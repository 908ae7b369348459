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

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    /// The colours of the style sheet, for light and dark.
    fn colours() -> BTreeMap<&'static str, [f64; 2]> {
        let css = include_str!("../../static/app.css");
        let lines =
            css.lines().filter_map(|line| line.trim().strip_prefix("--")?.split_once(": light-dark("));
        let colours = lines.map(|(name, rest)| {
            let (light, dark) = rest.trim_end_matches(");").split_once(", ").unwrap();
            (name, [luminance(light), luminance(dark)])
        });
        colours.collect()
    }

    /// As WCAG defines it.
    fn luminance(colour: &str) -> f64 {
        let channel = |at: usize| {
            let value = f64::from(u8::from_str_radix(&colour[at..at + 2], 16).unwrap()) / 255.0;
            if value <= 0.04045 { value / 12.92 } else { ((value + 0.055) / 1.055).powf(2.4) }
        };
        0.2126 * channel(1) + 0.7152 * channel(3) + 0.0722 * channel(5)
    }

    #[test]
    fn texts_and_controls_have_the_contrast_of_wcag_aa() {
        let colours = colours();
        let text = [
            ("ink", "ground"),
            ("ink", "raised"),
            ("soft", "ground"),
            ("soft", "raised"),
            ("accent", "ground"),
            ("accent", "raised"),
            ("accent", "tint"),
            ("ink", "tint"),
            ("on-accent", "accent"),
            ("bad", "bad-tint"),
        ];
        let controls = [("control", "ground"), ("control", "raised")];
        let pairs = text.map(|pair| (pair, 4.5)).into_iter().chain(controls.map(|pair| (pair, 3.0)));
        for ((front, back), least) in pairs {
            for (mode, name) in ["light", "dark"].into_iter().enumerate() {
                let (a, b) = (colours[front][mode], colours[back][mode]);
                let contrast = (a.max(b) + 0.05) / (a.min(b) + 0.05);
                assert!(contrast >= least, "{front} on {back}, {name}: {contrast:.2}");
            }
        }
    }
}
