//! Session ids: opaque to clients, but each contains its tenant, so that another tenant's session is
//! distinguished from an unknown one by a single key.

use base64::Engine as _;
use base64::prelude::BASE64_URL_SAFE_NO_PAD as BASE64;

/// 128 random bits: the session of another client cannot be guessed.
const RANDOM_BYTES: usize = 16;

/// Length of an id in base64, with the longest tenant id; anything longer is not a session id.
const MAX_LENGTH: usize = (RANDOM_BYTES + 64).div_ceil(3) * 4;

/// A new session id for `tenant`: base64url of 16 random bytes and the tenant's id.
///
/// # Errors
///
/// The operating system has no random numbers available.
pub(crate) fn new_id(tenant: &str) -> Result<String, getrandom::Error> {
    let mut bytes = [0; RANDOM_BYTES].to_vec();
    getrandom::fill(&mut bytes)?;
    bytes.extend_from_slice(tenant.as_bytes());
    Ok(BASE64.encode(bytes))
}

/// The tenant that a session id names, if the id is well-formed. Whether the session exists, only the store
/// knows. Decoding is strict (each id has exactly one spelling), so that the text itself can be the key.
pub(crate) fn tenant_of(session_id: &str) -> Option<String> {
    if session_id.len() > MAX_LENGTH {
        return None;
    }
    let mut bytes = BASE64.decode(session_id).ok()?;
    if bytes.len() <= RANDOM_BYTES {
        return None;
    }
    String::from_utf8(bytes.split_off(RANDOM_BYTES)).ok()
}

/// The key of a session in the store; the tenant is its hash tag, as in the keys of limits.
pub(crate) fn key(tenant: &str, session_id: &str) -> String {
    let mut key = String::with_capacity(20 + tenant.len() + session_id.len());
    for part in ["tenancy:{", tenant, "}:session:", session_id] {
        key.push_str(part);
    }
    key
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn an_id_names_its_tenant_and_never_repeats() {
        let (one, two) = (new_id("acme").unwrap(), new_id("acme").unwrap());
        assert_ne!(one, two);
        assert_eq!(tenant_of(&one).as_deref(), Some("acme"));
        let longest = "t".repeat(64);
        assert_eq!(tenant_of(&new_id(&longest).unwrap()), Some(longest));
    }

    proptest! {
        #[test]
        fn an_arbitrary_text_is_rejected_or_has_one_spelling(text in ".*") {
            if let Some(tenant) = tenant_of(&text) {
                                let decoded = BASE64.decode(&text).unwrap();
                prop_assert_eq!(BASE64.encode(&decoded), text);
                prop_assert_eq!(&decoded[RANDOM_BYTES..], tenant.as_bytes());
            }
        }
    }
}
