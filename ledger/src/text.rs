//! Texts that users write: each kind has its own type, which cannot hold anything too long or ill-formed.
//!
//! Which characters are allowed is decided by fixed ranges only. The tables of Unicode that come with a compiler change
//! with its version, and two replicas built with different compilers must not disagree.

use std::cmp::Ordering;
use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};
use thiserror::Error;

/// Why a text is refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum TextError {
    /// Nothing but spaces, where something is needed.
    #[error("the text is empty")]
    Empty,
    /// Too many characters.
    #[error("the text has more than {max} characters")]
    TooLong {
        /// How many there may be.
        max: usize,
    },
    /// A character that is not allowed here.
    #[error("the character {0:?} is not allowed")]
    Character(char),
    /// A space at either end, or two of them together.
    #[error("spaces stand alone between other characters")]
    Spacing,
    /// Not an address: a host and a port.
    #[error("not of the form host:port")]
    HostPort,
}

macro_rules! text {
    ($(#[$doc:meta])* $name:ident, max $max:literal, $check:path) => {
        $(#[$doc])*
        #[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
        #[serde(try_from = "String")]
        pub struct $name(String);

        impl $name {
            /// How many characters it may have.
            pub const MAX_CHARS: usize = $max;

            /// Checks and wraps a text.
            ///
            /// # Errors
            /// [`TextError`].
            pub fn new(text: impl Into<String>) -> Result<Self, TextError> {
                let text = text.into();
                if text.chars().count() > Self::MAX_CHARS {
                    return Err(TextError::TooLong { max: Self::MAX_CHARS });
                }
                $check(&text)?;
                Ok(Self(text))
            }

            /// The text.
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        /// Like the bytes in the keys of entries: shorter texts first.
        impl Ord for $name {
            fn cmp(&self, other: &Self) -> Ordering {
                (self.0.len(), &self.0).cmp(&(other.0.len(), &other.0))
            }
        }

        impl PartialOrd for $name {
            fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
                Some(self.cmp(other))
            }
        }

        impl TryFrom<String> for $name {
            type Error = TextError;

            fn try_from(text: String) -> Result<Self, TextError> {
                Self::new(text)
            }
        }

        impl FromStr for $name {
            type Err = TextError;

            fn from_str(text: &str) -> Result<Self, TextError> {
                Self::new(text)
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }
    };
}

text! {
    /// The name that an account shows: Latin letters, digits, Hangul syllables, `.`, `_`, `-`, single spaces inside.
    Name, max 32, check_name
}
text! {
    /// What a token is called: like the name of an account.
    TokenName, max 64, check_name
}
text! {
    /// What a listing is called.
    Title, max 100, check_line
}
text! {
    /// What a listing is about. May be empty and have several lines.
    Description, max 3000, check_lines
}
text! {
    /// A note on a payment or charge. May be empty.
    Memo, max 256, check_note
}
text! {
    /// A payee's own number for a payment: printable ASCII without spaces.
    Reference, max 64, check_reference
}
text! {
    /// Why something was turned down.
    Reason, max 200, check_line
}
text! {
    /// What an owner calls a key. May be empty.
    Label, max 40, check_note
}
text! {
    /// How a parcel can be followed.
    Tracking, max 200, check_line
}

text! {
    /// What a buyer or seller says about a trade that is over. May be empty and have several lines.
    ReviewText, max 1000, check_lines
}
text! {
    /// The code that a seller shows when handing goods over in person: printable ASCII without spaces.
    HandoverCode, max 64, check_reference
}
text! {
    /// What a poll asks.
    Question, max 200, check_line
}
text! {
    /// One of the answers of a poll.
    PollOption, max 100, check_line
}

text! {
    /// Where a replica is reached: `host:port`, the host being a name, an IPv4 address, or an IPv6 address in brackets, all
    /// in lower case. Whether anyone is there is not checked.
    HostPort, max 259, check_host_port
}

impl Default for Memo {
    /// No note.
    fn default() -> Self {
        Self(String::new())
    }
}

impl Default for Label {
    /// No name.
    fn default() -> Self {
        Self(String::new())
    }
}

impl Name {
    /// Two names are the same if they differ in the case of Latin letters only.
    pub fn folded(&self) -> String {
        self.0.to_ascii_lowercase()
    }
}

fn check_name(text: &str) -> Result<(), TextError> {
    if text.is_empty() {
        return Err(TextError::Empty);
    }
    let known = |c| matches!(c, 'a'..='z' | 'A'..='Z' | '0'..='9' | '가'..='힣' | '.' | '_' | '-' | ' ');
    if let Some(other) = text.chars().find(|c| !known(*c)) {
        return Err(TextError::Character(other));
    }
    if text.starts_with(' ') || text.ends_with(' ') || text.contains("  ") {
        return Err(TextError::Spacing);
    }
    Ok(())
}

fn check_reference(text: &str) -> Result<(), TextError> {
    if text.is_empty() {
        return Err(TextError::Empty);
    }
    text.chars().find(|c| !matches!(c, '!'..='~')).map_or(Ok(()), |c| Err(TextError::Character(c)))
}

fn check_host_port(text: &str) -> Result<(), TextError> {
    let (host, port) = text.rsplit_once(':').ok_or(TextError::HostPort)?;
    let is_number = port.bytes().all(|c| c.is_ascii_digit()) && !port.starts_with('0');
    let is_port = is_number && port.parse::<u16>().is_ok();
    let is_host = match host.strip_prefix('[').and_then(|host| host.strip_suffix(']')) {
        Some(address) => is_ipv6(address),
        None => host.len() <= 253 && host.split('.').all(is_label),
    };
    if is_port && is_host { Ok(()) } else { Err(TextError::HostPort) }
}

/// By its characters and colons only: compilers came to differ in what they take for an address.
fn is_ipv6(text: &str) -> bool {
    let known = |c| matches!(c, b'0'..=b'9' | b'a'..=b'f' | b':' | b'.');
    text.len() <= 45 && text.bytes().all(known) && text.bytes().filter(|c| *c == b':').count() >= 2
}

fn is_label(label: &str) -> bool {
    let known = |c| matches!(c, b'0'..=b'9' | b'a'..=b'z' | b'-');
    (1..=63).contains(&label.len())
        && label.bytes().all(known)
        && !label.starts_with('-')
        && !label.ends_with('-')
}

fn check_line(text: &str) -> Result<(), TextError> {
    if text.chars().all(|c| c == ' ') {
        return Err(TextError::Empty);
    }
    check_note(text)
}

fn check_note(text: &str) -> Result<(), TextError> {
    text.chars().find(|c| is_unprintable(*c)).map_or(Ok(()), |c| Err(TextError::Character(c)))
}

fn check_lines(text: &str) -> Result<(), TextError> {
    let refused = |c: &char| *c != '\n' && is_unprintable(*c);
    text.chars().find(refused).map_or(Ok(()), |c| Err(TextError::Character(c)))
}

/// Control characters, line and paragraph separators, and those that turn the direction of writing round.
const fn is_unprintable(c: char) -> bool {
    matches!(c, '\0'..='\u{1f}' | '\u{7f}'..='\u{9f}' | '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_have_a_small_alphabet() {
        for good in ["a", "김철수", "Pop Admin", "x_1.2-3", &"힣".repeat(32)] {
            assert_eq!(Name::new(good).unwrap().as_str(), good);
        }
        assert_eq!(Name::new(""), Err(TextError::Empty));
        assert_eq!(Name::new("a".repeat(33)), Err(TextError::TooLong { max: 32 }));
        for bad in ["a\u{301}", "аdmin", "<b>", "a\nb", "a\u{202e}b", "ㄱ"] {
            assert!(matches!(Name::new(bad), Err(TextError::Character(_))), "{bad:?}");
        }
        for bad in [" a", "a ", "a  b", " "] {
            assert_eq!(Name::new(bad), Err(TextError::Spacing), "{bad:?}");
        }
        assert_eq!(Name::new("Kim 김").unwrap().folded(), Name::new("kIM 김").unwrap().folded());
    }

    #[test]
    fn lines_and_notes_hold_what_can_be_printed() {
        assert!(Memo::new("").is_ok());
        assert_eq!(Title::new("   "), Err(TextError::Empty));
        assert_eq!(Reason::new(""), Err(TextError::Empty));
        assert_eq!(Memo::new("a\nb"), Err(TextError::Character('\n')));
        assert_eq!(Title::new("a\u{202e}b"), Err(TextError::Character('\u{202e}')));
        assert!(Description::new("two\nlines 📷").is_ok());
        assert_eq!(Description::new("a\rb"), Err(TextError::Character('\r')));
        assert_eq!(Reference::new("a b"), Err(TextError::Character(' ')));
        assert!(Reference::new("INV-2024/7").is_ok());
    }

    #[test]
    fn addresses_have_a_host_and_a_port() {
        let longest = format!("{0}.{0}.{0}.{1}:65535", "a".repeat(63), "b".repeat(61));
        for good in ["localhost:1", "10.0.0.1:9000", "r-1.pop.example:443", "[::1]:80", &longest] {
            assert_eq!(HostPort::new(good).unwrap().as_str(), good);
        }
        let too_long = format!("{0}.{0}.{0}.{1}:1", "a".repeat(63), "b".repeat(62));
        let bad_ports = ["", "a", "a:", "a:0", "a:080", "a:65536", "a:+1", "a:1x", ":1"];
        let bad_hosts =
            ["A:1", "a b:1", "a..b:1", "-a:1", "a-:1", "::1:1", "[]:1", "[1]:1", "[::g]:1", &too_long];
        for bad in bad_ports.into_iter().chain(bad_hosts) {
            assert_eq!(HostPort::new(bad), Err(TextError::HostPort), "{bad:?}");
        }
        assert_eq!(HostPort::new("a".repeat(260)), Err(TextError::TooLong { max: 259 }));
    }

    #[test]
    fn reading_checks_as_well() {
        let bytes = postcard::to_allocvec("a\u{7}").unwrap();
        assert!(postcard::from_bytes::<Memo>(&bytes).is_err());
        assert!(serde_json::from_str::<Name>("\"\"").is_err());
        assert_eq!(serde_json::from_str::<Name>("\"ann\"").unwrap(), Name::new("ann").unwrap());
    }
}
