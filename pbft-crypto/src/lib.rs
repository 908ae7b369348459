//! P-256 keys, signatures and digests.
