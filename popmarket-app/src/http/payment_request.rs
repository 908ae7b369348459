//! What somebody is asked to pay, as it stands in a link.
//!
//! The link is not signed, since nothing is believed of it: who pays sees the payee's name as the ledger has it, the amount
//! and the reference, and presses a button. A reference can be paid once only, so a link is paid once, too.

use axum::http::HeaderMap;
use axum::http::header::HOST;
use ledger::{Amount, AssetId, PaymentOp, Reference};
use pbft_crypto::Address;
use qrcode::QrCode;
use qrcode::render::svg;
use serde::Deserialize;

use super::code::Code;
use super::model::no_memo;
use super::problem::{Failure, Problem};
use super::state::HttpOptions;

/// The longest name of a host with its port.
const MAX_HOST: usize = 260;
/// How wide a picture is at least.
const PIXELS: u32 = 240;

/// Who asks for how much, and for what.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub(crate) struct PaymentRequest {
    /// The payee.
    pub(crate) to: Address,
    /// How much, of the coin.
    pub(crate) amount: Amount,
    /// The payee's own number for it.
    pub(crate) reference: Reference,
}

impl PaymentRequest {
    /// The page where it is paid, on any server of the chain.
    pub(crate) fn path(&self) -> String {
        format!("/pay?{}", self.query())
    }

    /// Its parts, as they stand in links.
    pub(crate) fn query(&self) -> String {
        let (to, amount) = (self.to.to_string(), self.amount.to_string());
        let pairs = [("to", to.as_str()), ("amount", &amount), ("reference", self.reference.as_str())];
        form_urlencoded::Serializer::new(String::new()).extend_pairs(pairs).finish()
    }

    /// The whole link, to the server that is asked now.
    ///
    /// # Errors
    /// The client does not say by which name it knows this server.
    pub(crate) fn link(&self, options: &HttpOptions, headers: &HeaderMap) -> Result<String, Failure> {
        let is_part = |c: u8| c.is_ascii_alphanumeric() || b".-_:[]".contains(&c);
        let is_host = |host: &&str| (1..=MAX_HOST).contains(&host.len()) && host.bytes().all(is_part);
        let host = headers.get(HOST).and_then(|host| host.to_str().ok()).filter(is_host);
        let host =
            host.ok_or_else(|| Problem::because(Code::INVALID_HEADER, "host: the name of this server"))?;
        let scheme = if options.behind_tls { "https" } else { "http" };
        Ok(format!("{scheme}://{host}{}", self.path()))
    }

    /// What the payer does.
    pub(crate) fn operation(&self) -> PaymentOp {
        PaymentOp::Pay {
            to: self.to,
            asset: AssetId::Pop,
            amount: self.amount,
            reference: Some(self.reference.clone()),
            memo: no_memo(),
        }
    }
}

/// A QR code of a text, as an SVG picture.
///
/// # Errors
/// The text is too long.
pub(crate) fn picture(text: &str) -> Result<String, Failure> {
    let code = QrCode::new(text).map_err(|error| Problem::because(Code::INVALID_QUERY, error))?;
    Ok(code.render::<svg::Color<'_>>().min_dimensions(PIXELS, PIXELS).build())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn request() -> PaymentRequest {
        let (amount, reference) = (Amount::new(1_000), Reference::new("INV-2024/7").unwrap());
        PaymentRequest { to: Address::from_bytes([7; 32]), amount, reference }
    }

    fn link(host: &str, behind_tls: bool) -> Option<String> {
        let headers = HeaderMap::from_iter([(HOST, host.parse().unwrap())]);
        request().link(&HttpOptions { behind_tls, ..HttpOptions::default() }, &headers).ok()
    }

    #[test]
    fn a_link_says_what_it_was_made_of() {
        let query = request().path().split_once('?').unwrap().1.to_owned();
        assert_eq!(serde_urlencoded::from_str::<PaymentRequest>(&query).unwrap(), request());
        assert!(query.ends_with("&amount=1000&reference=INV-2024%2F7"), "{query}");
        assert_eq!(link("shop.example", true), Some(format!("https://shop.example/pay?{query}")));
        assert_eq!(link("[::1]:8080", false), Some(format!("http://[::1]:8080/pay?{query}")));
    }

    #[test]
    fn a_host_is_a_name_and_nothing_else() {
        for host in ["", "a b", "a/b", "evil.example?", "user@shop.example", &"a".repeat(300)] {
            assert_eq!(link(host, true), None, "{host}");
        }
        assert!(request().link(&HttpOptions::default(), &HeaderMap::new()).is_err());
    }

    #[test]
    fn a_picture_has_a_size_and_texts_are_bounded() {
        let svg = picture("https://shop.example/pay").unwrap();
        assert!(svg.contains("<svg") && svg.contains("<path"), "{svg}");
        assert_ne!(svg, picture("https://shop.example/pax").unwrap());
        assert!(picture(&"x".repeat(4_000)).is_err());
    }
}
