//! Addresses: one text for each, and no other.

use bech32::{Bech32, Bech32m, Hrp};
use pbft_crypto::{Address, AddressError, PublicKey};
use proptest::prelude::*;

/// Made with another program from the public key of RFC 6979, A.2.5.
const KEY: &str = "0360fed4ba255a9d31c961eb74c6356d68c049b8923b61fa6ce669622e60f29fb6";
const TEXT: &str = "pop1a2r2ruttugpustxzqss330zpj6999r7mzh5k8800l0x9h3367l0sysvje2";
const NON_ZERO_PADDING: &str = "pop1a2r2ruttugpustxzqss330zpj6999r7mzh5k8800l0x9h3367l03exc8yc";

fn address() -> Address {
    Address::from_public_key(&KEY.parse::<PublicKey>().unwrap())
}

#[test]
fn derivation_is_fixed() {
    assert_eq!(hex::encode(address()), "ea86a1f16be203c82cc2042118bc41968a528fdb15e9639deffbcc5bc63af7df");
    assert_eq!(address().to_string(), TEXT);
    assert_eq!(TEXT.parse(), Ok(address()));
    assert_eq!(format!("{:?}", address()), format!("Address({TEXT})"));
}

#[test]
fn every_one_character_error_is_refused() {
    let alphabet = (0x20..0x7f).map(char::from);
    let mut tried = 0;
    for (at, right) in TEXT.char_indices() {
        for wrong in alphabet.clone().filter(|c| *c != right) {
            let mut text = TEXT.to_owned();
            text.replace_range(at..=at, &wrong.to_string());
            assert!(text.parse::<Address>().is_err(), "{text}");
            tried += 1;
        }
    }
    assert_eq!(tried, 62 * 94);
}

#[test]
fn every_swap_of_two_neighbours_is_refused() {
    for at in 0..TEXT.len() - 1 {
        let mut bytes = TEXT.as_bytes().to_vec();
        bytes.swap(at, at + 1);
        let text = String::from_utf8(bytes).unwrap();
        assert!(text == TEXT || text.parse::<Address>().is_err(), "{text}");
    }
}

#[test]
fn each_fault_has_its_name() {
    let hrp = |text| Hrp::parse(text).unwrap();
    let bytes = address();
    let other_prefix = bech32::encode::<Bech32m>(hrp("pup"), bytes.as_ref()).unwrap();
    let old_checksum = bech32::encode::<Bech32>(hrp("pop"), bytes.as_ref()).unwrap();
    let short = bech32::encode::<Bech32m>(hrp("pop"), &bytes.as_ref()[1..]).unwrap();
    let expected = [
        (String::new(), AddressError::Length),
        (TEXT[1..].to_owned(), AddressError::Length),
        (format!("{TEXT} "), AddressError::Length),
        (short, AddressError::Length),
        (TEXT.to_uppercase(), AddressError::Case),
        (TEXT.replace('a', "A"), AddressError::Case),
        (TEXT.replace('s', "b"), AddressError::Character),
        (TEXT.replace('1', "q"), AddressError::Character),
        ("é".repeat(31), AddressError::Character),
        (TEXT.replace('s', "q"), AddressError::Checksum),
        (old_checksum, AddressError::Checksum),
        (other_prefix, AddressError::Prefix),
        (NON_ZERO_PADDING.to_owned(), AddressError::Padding),
    ];
    for (text, error) in expected {
        assert_eq!(text.parse::<Address>(), Err(error), "{text:?}");
    }
}

proptest! {
    #[test]
    fn round_trip(bytes in any::<[u8; 32]>()) {
        let address = Address::from_bytes(bytes);
        let text = address.to_string();
        prop_assert_eq!(text.len(), 62);
        prop_assert_eq!(text.parse(), Ok(address));
    }

    #[test]
    fn any_text_is_an_error_or_comes_back(text in ".{0,80}") {
        if let Ok(address) = text.parse::<Address>() {
            prop_assert_eq!(address.to_string(), text);
        }
    }
}
