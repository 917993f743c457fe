//! Salts and pseudonyms: random to everybody, and the same whenever a plan is made again.

use hmac::{Hmac, KeyInit as _, Mac as _};
use sha2::Sha256;

use crate::ids::{ItemId, Salt, hex};

fn keyed(seed: &[u8; 32], what: &str, of: &[u8]) -> [u8; 32] {
    let mut hmac = Hmac::<Sha256>::new_from_slice(seed).expect("HMAC takes keys of any length");
    hmac.update(what.as_bytes());
    hmac.update(&[0]);
    hmac.update(of);
    hmac.finalize().into_bytes().into()
}

/// The salt of what stands in the place of an item.
pub(super) fn salt_of(seed: &[u8; 32], item: &ItemId) -> Salt {
    let full = keyed(seed, "salt", &item.0);
    let (half, _) = full.split_first_chunk().expect("32 bytes have a first half");
    Salt(*half)
}

/// The salt of the tombstone of a case: one for all that it removes.
pub(super) fn salt_of_tombstone(seed: &[u8; 32]) -> Salt {
    salt_of(seed, &ItemId([0; 32]))
}

/// What stands for a uid: the same for the same one in every item of a case.
pub(in crate::privacy::erasure) fn pseudonym(seed: &[u8; 32], own: &str) -> String {
    format!("erased-{}", hex(&keyed(seed, "uid", own.as_bytes())[..6]))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn salts_and_pseudonyms_follow_from_the_seed() {
        let (one, other) = ([1; 32], [2; 32]);
        assert_eq!(salt_of(&one, &ItemId([3; 32])), salt_of(&one, &ItemId([3; 32])));
        assert_ne!(salt_of(&one, &ItemId([3; 32])), salt_of(&one, &ItemId([4; 32])));
        assert_ne!(salt_of(&one, &ItemId([3; 32])), salt_of(&other, &ItemId([3; 32])));
        assert_eq!(pseudonym(&one, "ada"), pseudonym(&one, "ada"));
        assert_ne!(pseudonym(&one, "ada"), pseudonym(&one, "bob"));
        let shape = pseudonym(&one, "Ada Lovelace");
        assert!(shape.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-'));
    }
}
