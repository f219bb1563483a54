//! Session ids: opaque to clients, but each carries its tenant, so that a foreign session is distinguished from an unknown one
//! by looking at a single key.

use base64::Engine as _;
use base64::prelude::BASE64_URL_SAFE_NO_PAD as BASE64;

/// 128 random bits: no client guesses another's session.
const RANDOM_BYTES: usize = 16;

/// Base64 of the random bytes and the longest tenant id; whatever is longer is no session id.
const LONGEST: usize = (RANDOM_BYTES + 64).div_ceil(3) * 4;

/// A fresh session id for `tenant`: base64url of 16 random bytes and the tenant's id.
///
/// # Errors
///
/// The operating system has no randomness to give.
pub(crate) fn new_id(tenant: &str) -> Result<String, getrandom::Error> {
    let mut bytes = [0; RANDOM_BYTES].to_vec();
    getrandom::fill(&mut bytes)?;
    bytes.extend_from_slice(tenant.as_bytes());
    Ok(BASE64.encode(bytes))
}

/// The tenant that a session id names, if it is one of ours by its form. Whether the session exists is the store's to
/// say. Decoding is strict (one text for each id), so that the text itself can be the key.
pub(crate) fn tenant_of(session_id: &str) -> Option<String> {
    if session_id.len() > LONGEST {
        return None;
    }
    let mut bytes = BASE64.decode(session_id).ok()?;
    if bytes.len() <= RANDOM_BYTES {
        return None;
    }
    String::from_utf8(bytes.split_off(RANDOM_BYTES)).ok()
}

/// The store's key of a session; the tenant is its hash tag, as with its limits.
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
        fn garbage_is_no_session(text in ".*") {
            if let Some(tenant) = tenant_of(&text) {
                // Whatever is accepted has one spelling only.
                let decoded = BASE64.decode(&text).unwrap();
                prop_assert_eq!(BASE64.encode(&decoded), text);
                prop_assert_eq!(&decoded[RANDOM_BYTES..], tenant.as_bytes());
            }
        }
    }
}
