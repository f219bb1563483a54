//! Notation of sizes, `"64MiB"`, and of bounds on them, `"< 10kB"`.

use super::Complaint;
use crate::scenario::{
    expectation::{self, Comparison},
    problem::quoted,
};

const SIZES: &str = "a size is bounded like `< 10kB`, with <, <=, >, >= or == and B, kB, MB, KiB or MiB";

/// A bound on a number of bytes: `< 10kB`, `>= 1 MiB`, `== 0 B`.
pub fn size_bound(text: &str) -> Result<(Comparison, u64), Complaint> {
    let complain = |message: String| Err(Complaint::new(message, SIZES));
    let Some((comparison, size)) = expectation::comparison(text.trim()) else {
        return complain("nothing is compared here".to_owned());
    };
    match parsed(size.trim()) {
        Ok(bytes) => Ok((comparison, bytes)),
        Err(message) => complain(message),
    }
}

/// A number of bytes above zero: `64MiB`.
pub fn size(text: &str) -> Result<u64, Complaint> {
    let complain = |message: String| {
        Complaint::new(message, "a size is written like `64MiB`, with B, kB, MB, KiB or MiB")
    };
    match parsed(text.trim()).map_err(complain)? {
        0 => Err(complain("nothing would be read".to_owned())),
        bytes => Ok(bytes),
    }
}

/// The number of bytes that a number with its unit is, or what is wrong with it.
fn parsed(size: &str) -> Result<u64, String> {
    let digits = size.len() - size.trim_start_matches(|c: char| c.is_ascii_digit() || c == '_').len();
    let (number, unit) = size.split_at(digits);
    let scale: u64 = match unit.trim() {
        "B" => 1,
        "kB" => 1000,
        "KiB" => 1 << 10,
        "MB" => 1_000_000,
        "MiB" => 1 << 20,
        "" => return Err("the unit is missing".to_owned()),
        unit => return Err(format!("{} is not a unit of size", quoted(unit))),
    };
    match number.replace('_', "").parse::<u64>() {
        Ok(count) if count <= u64::from(u32::MAX) => Ok(count * scale),
        Ok(_) => Err("no response is this large".to_owned()),
        Err(_) => Err(format!("{} is not a size", quoted(size))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes() {
        for (text, comparison, bytes) in [
            ("< 10kB", Comparison::Less, 10_000),
            (">=1 MiB", Comparison::AtLeast, 1 << 20),
            (" == 0 B ", Comparison::Equal, 0),
            ("<= 1_000KiB", Comparison::AtMost, 1_024_000),
            ("> 2MB", Comparison::Greater, 2_000_000),
        ] {
            assert_eq!(size_bound(text), Ok((comparison, bytes)), "{text}");
        }
        for (text, complaint) in [
            ("10kB", "nothing is compared here"),
            ("=> 10kB", "nothing is compared here"),
            ("< 10", "the unit is missing"),
            ("< 10 parsecs", "`parsecs` is not a unit of size"),
            ("< kB", "`kB` is not a size"),
            ("< 1.5kB", "`.5kB` is not a unit of size"),
            ("< 99999999999MB", "no response is this large"),
        ] {
            assert_eq!(size_bound(text).unwrap_err().message, complaint, "{text}");
        }
        assert_eq!(size(" 64 MiB"), Ok(64 << 20));
        for (text, complaint) in [
            ("64", "the unit is missing"),
            ("0B", "nothing would be read"),
            ("big", "`big` is not a unit of size"),
        ] {
            assert_eq!(size(text).unwrap_err().message, complaint, "{text}");
        }
    }
}
