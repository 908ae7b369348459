//! Placeholder entry, replaced by its first commit.
fn main() {}
