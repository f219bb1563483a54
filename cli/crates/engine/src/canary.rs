//! Canaries: words that belong to one tenant and one run, and must never be returned to another tenant.
//!
//! A word is 46 decimal digits: the run's nonce (16), the tenant's index (7), and these 23 again in reverse.
//! Digits have no case, and a palindrome reads the same in reverse, so the word survives a service that
//! reverses text or changes its case. The shape can be checked: a text contains a word with this nonce by
//! chance with a probability of about 10⁻³⁹ at each position. A word that is truncated, interrupted or
//! encoded (base64) is not recognised.

use std::hash::{BuildHasher as _, RandomState};

use memchr::memmem::Finder;

use saasbench_model::scenario::TenantIndex;

/// Digits of the nonce.
const NONCE: usize = 16;
/// Digits of the tenant's index; a scenario of as many tenants does not fit into memory.
const INDEX: usize = 7;
/// Digits before the mirrored half.
const HALF: usize = NONCE + INDEX;

/// The canaries of one run.
#[derive(Debug)]
pub struct Canaries {
    nonce: String,
    finder: Finder<'static>,
}

impl Canaries {
    /// Canaries of a new run, with a random nonce.
    pub fn draw() -> Self {
        // The standard library's hasher is keyed by the operating system's random numbers.
        let random = RandomState::new().hash_one(std::process::id());
        Self::new(format!("{:0NONCE$}", random % 10_u64.pow(NONCE as u32)))
    }

    /// Canaries of the run with this nonce.
    pub fn new(nonce: String) -> Self {
        let finder = Finder::new(&nonce).into_owned();
        Self { nonce, finder }
    }

    /// Distinguishes the run's canaries from those of other runs.
    pub fn nonce(&self) -> &str {
        &self.nonce
    }

    /// A tenant's word.
    pub fn word(&self, tenant: TenantIndex) -> String {
        let mut word = format!("{}{tenant:0INDEX$}", self.nonce);
        let mirrored: String = word.chars().rev().collect();
        word.push_str(&mirrored);
        word
    }

    /// The tenant whose word is in `text`: another tenant before `own`, because one foreign word is enough to
    /// break isolation.
    pub fn find(&self, text: &[u8], own: TenantIndex) -> Option<TenantIndex> {
        let mut found = None;
        for tenant in self.finder.find_iter(text).filter_map(|at| owner(text.get(at..at + 2 * HALF)?)) {
            if tenant != own {
                return Some(tenant);
            }
            found = Some(tenant);
        }
        found
    }
}

/// The tenant of a word; `None` if it is not a canary.
fn owner(word: &[u8]) -> Option<TenantIndex> {
    let (first, second) = word.split_at_checked(HALF)?;
    let is_mirrored = first.iter().eq(second.iter().rev());
    let index = first.get(NONCE..).filter(|index| is_mirrored && index.iter().all(u8::is_ascii_digit))?;
    std::str::from_utf8(index).ok()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_word_has_its_shape() {
        let canaries = Canaries::new("1234567890123456".to_owned());
        assert_eq!(canaries.word(42), "1234567890123456000004224000006543210987654321");
        let drawn = [Canaries::draw(), Canaries::draw()];
        assert_ne!(drawn[0].nonce(), drawn[1].nonce());
        assert!(drawn.iter().all(|canaries| canaries.word(9_999_999).len() == 46));
    }

    #[test]
    fn a_foreign_word_is_found_before_ones_own() {
        let canaries = Canaries::new("0000000000000001".to_owned());
        let (own, foreign) = (canaries.word(3), canaries.word(12));
        let find = |text: &str| canaries.find(text.as_bytes(), 3);
        assert_eq!(find(""), None);
        assert_eq!(find(&own), Some(3));
        assert_eq!(find(&format!("{{\"a\":\"{own}\",\"b\":\"7{foreign}7\"}}")), Some(12));
        assert_eq!(find(&format!("{own}{foreign}{own}")), Some(12));
        assert_eq!(find(&foreign[..45]), None, "a part of a word is none");
        assert_eq!(find(&own.replace('3', "4")), Some(4), "the index is the tenant's");
        assert_eq!(find(&own.replacen('3', "4", 1)), None, "a word is the same backwards");
        assert_eq!(find(&Canaries::new("0000000000000002".to_owned()).word(12)), None, "another run's");
    }

    proptest! {
        #[test]
        fn a_word_survives_what_services_do_to_text(
            nonce in "[0-9]{16}", tenant in 0_usize..10_000_000, before in ".{0,20}", after in ".{0,20}"
        ) {
            let canaries = Canaries::new(nonce);
            let text = format!("{before}{}{after}", canaries.word(tenant));
            let reversed: String = text.chars().rev().collect();
            for text in [&text, &reversed, &text.to_uppercase(), &reversed.to_lowercase()] {
                prop_assert_eq!(canaries.find(text.as_bytes(), tenant), Some(tenant));
            }
        }

        #[test]
        fn other_text_holds_none(text in "[0-9]{0,200}") {
            prop_assert_eq!(Canaries::new("9031752846109283".to_owned()).find(text.as_bytes(), 0), None);
        }
    }
}
