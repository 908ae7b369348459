//! Digests and domains.

use pbft_crypto::{Digest, Domain, Hasher, HexError, digest, sha256};

#[test]
fn sha256_is_that_of_fips_180() {
    let abc = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";
    assert_eq!(sha256(b"abc").to_string(), abc);
    assert_eq!(abc.to_uppercase().parse(), Ok(sha256(b"abc")));
}

/// SHA-256 of `04 "x.v1" "abc" 0000000000000007`, computed with another program.
#[test]
fn layout_is_fixed() {
    let made = Hasher::new(Domain::new("x.v1")).update(b"a").update(b"bc").update_u64(7).finish();
    assert_eq!(made.to_string(), "26bf6f41affde5a0d4db8cb1deb703905eddda68d1eaa50cfeac13227cd722c4");
    assert_eq!(made, digest(Domain::new("x.v1"), b"abc\0\0\0\0\0\0\0\x07"));
    assert_eq!(made, sha256(b"\x04x.v1abc\0\0\0\0\0\0\0\x07"));
}

/// Without the length in front the tag `a` with data `b` would be the tag `ab` with none.
#[test]
fn domains_are_prefix_free() {
    assert_ne!(digest(Domain::new("a"), b"b"), digest(Domain::new("ab"), b""));
    assert_ne!(digest(Domain::new("a"), b"x"), digest(Domain::new("b"), b"x"));
}

#[test]
fn finish_can_be_asked_on_the_way() {
    let mut hasher = Hasher::new(Domain::new("x.v1"));
    let before = hasher.update(b"one").finish();
    assert_eq!(before, hasher.finish());
    assert_ne!(before, hasher.update(b"two").finish());
}

#[test]
fn text_form() {
    let shown = Digest::ZERO.to_string();
    assert_eq!(shown, "0".repeat(64));
    assert_eq!(format!("{:?}", Digest::ZERO), format!("Digest({shown})"));
    for wrong in ["", "00", &shown[1..], &format!("{shown}00"), &shown.replace('0', "g")] {
        assert_eq!(wrong.parse::<Digest>(), Err(HexError { expected: 32 }), "{wrong}");
    }
}

#[test]
#[should_panic(expected = "1 to 255 bytes")]
fn empty_tag_is_refused() {
    let _ = Domain::new("");
}

#[test]
#[should_panic(expected = "1 to 255 bytes")]
fn long_tag_is_refused() {
    let _ = Domain::new("0123456789abcdef".repeat(16).leak());
}
