//! Who does the arithmetic on the curve. Each backend has a checked key, `verify` and `times_generator`, and gives the same
//! verdicts and bytes: tests hold the one against the other.

#[cfg(feature = "native")]
mod native;
mod portable;

#[cfg(feature = "native")]
pub(crate) use native::{ParsedKey, times_generator};
pub(crate) use portable::ParsedKey as PortableKey;
#[cfg(not(feature = "native"))]
pub(crate) use portable::{ParsedKey, times_generator};
