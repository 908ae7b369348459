//! The bytes of values: postcard.

use ledger::Block;
use serde::{Serialize, de::DeserializeOwned};

use super::StoreError;

#[expect(
    clippy::expect_used,
    reason = "postcard fails on sequences of unknown length only: what is stored has none"
)]
pub(super) fn encode<T: Serialize + ?Sized>(value: &T) -> Vec<u8> {
    postcard::to_stdvec(value).expect("what is stored is encodable")
}

pub(super) fn decode<T: DeserializeOwned>(bytes: &[u8], what: &'static str) -> Result<T, StoreError> {
    match postcard::take_from_bytes(bytes) {
        Ok((value, [])) => Ok(value),
        _ => Err(StoreError::Damaged(what)),
    }
}

pub(super) fn block(bytes: &[u8]) -> Result<Block, StoreError> {
    Block::decode(bytes).map_err(|_| StoreError::Damaged("a block"))
}
