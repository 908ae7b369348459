//! The codes of refusals and rejections: names that never change, for programs.

/// Gives each variant its code. One without a code does not compile, so none is missing in `codes`, either. A variant after
/// `..` holds an error that has codes of its own.
macro_rules! codes_of {
    ($vis:vis $error:ident { $($variant:ident => $code:literal,)* $(..$nested:ident => $inner:ident,)* }) => {
        impl $error {
            /// A name that never changes.
            $vis const fn code(&self) -> &'static str {
                match self {
                    $(Self::$variant { .. } => $code,)*
                    $(Self::$nested(inner) => inner.code(),)*
                }
            }

            /// All the names that there are. Errors of different kinds can have the same.
            $vis fn codes() -> impl Iterator<Item = &'static str> {
                const OWN: &[&str] = &[$($code),*];
                OWN.iter().copied()$(.chain($inner::codes()))*
            }
        }
    };
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use crate::{AccountRejection, AssetId, MoneyRejection, Refusal, Rejection, RoleRejection, UnixMillis};

    #[test]
    fn all_codes_are_listed_also_those_of_errors_within_errors() {
        let refusals: Vec<_> = Refusal::codes().collect();
        assert_eq!(refusals.len(), 9);
        assert!(refusals.contains(&Refusal::Expired { valid_until: UnixMillis::MAX }.code()));
        let rejections: BTreeSet<_> = Rejection::codes().collect();
        assert!(rejections.len() > 100, "{rejections:?}");
        for rejection in [
            Rejection::from(MoneyRejection::InsufficientFunds { asset: AssetId::Pop }),
            AccountRejection::Frozen.into(),
            AccountRejection::from(RoleRejection::SameRole).into(),
        ] {
            assert!(rejections.contains(rejection.code()), "{rejection}");
        }
    }

    #[test]
    fn codes_are_words_in_capitals() {
        for code in Refusal::codes().chain(Rejection::codes()) {
            let fits = |byte: u8| byte.is_ascii_uppercase() || byte == b'_';
            assert!(code.bytes().all(fits) && !code.starts_with('_') && !code.ends_with('_'), "{code}");
        }
    }
}
