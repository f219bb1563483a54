//! What observers tell of their looks while they go, to those who want to hear it. What they see is in the record either way.

use std::{
    collections::BTreeMap,
    sync::{Mutex, PoisonError, mpsc::Sender},
};

use saasbench_model::units::Nanos;

/// A look that takes longer is worth telling.
const SLOW: Nanos = Nanos::from_secs(1);

/// Where tidings go. Telling them waits for nobody.
#[derive(Debug, Clone)]
pub struct ObserverLog {
    to: Sender<String>,
    /// Whether each look is told, and not only what is unusual.
    each: bool,
}

impl ObserverLog {
    /// Told there; of each look if so.
    pub fn new(to: Sender<String>, each: bool) -> Self {
        Self { to, each }
    }
}

/// The looks at several things, each of which is looked at again and again.
#[derive(Debug, Default)]
pub struct ProbeLog {
    tidings: Option<ObserverLog>,
    /// How often each has failed, in a row.
    failed: Mutex<BTreeMap<String, u32>>,
}

impl ProbeLog {
    /// Tells of them, if there is anybody who wants to hear it.
    pub fn told(tidings: Option<ObserverLog>) -> Self {
        Self { tidings, failed: Mutex::default() }
    }

    /// A look at `subject` lasted from one instant to another, and came to this: what was seen, or why nothing was. Told is that it
    /// failed, that it did not any more, and that it took long.
    pub fn note(&self, subject: &str, from: Nanos, to: Nanos, seen: Result<&str, &str>) {
        let Some(tidings) = &self.tidings else { return };
        let mut failed = self.failed.lock().unwrap_or_else(PoisonError::into_inner);
        let before = failed.get(subject).copied().unwrap_or_default();
        let text = match seen {
            Err(reason) => {
                failed.insert(subject.to_owned(), before + 1);
                (before == 0 || tidings.each).then(|| format!("failed: {reason}"))
            }
            Ok(what) => {
                failed.remove(subject);
                let took = to - from;
                match before {
                    0 if took > SLOW || tidings.each => Some(format!("{what} in {took}")),
                    0 => None,
                    _ => Some(format!("{what} in {took}, after {before} that failed")),
                }
            }
        };
        if let Some(text) = text {
            // Whoever does not listen any more has heard enough.
            let _ = tidings.to.send(format!("{:8.3} s  {subject}: {text}", from.as_secs_f64()));
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc;

    use super::*;

    /// What is told of some looks.
    fn told(each: bool) -> String {
        let (to, told) = mpsc::channel();
        let looks = ProbeLog::told(Some(ObserverLog::new(to, each)));
        let millis = Nanos::from_millis;
        let rejected = Err("connection refused");
        looks.note("metrics of a", millis(1000), millis(1003), Ok("14000 bytes"));
        looks.note("metrics of a", millis(2000), millis(2001), rejected);
        looks.note("metrics of b", millis(2000), millis(2001), Ok("14000 bytes"));
        looks.note("metrics of a", millis(3000), millis(3001), rejected);
        looks.note("metrics of a", millis(4000), millis(4002), Ok("900 bytes"));
        looks.note("Redis", millis(4500), millis(6250), Ok("16 keys"));
        told.try_iter().collect::<Vec<_>>().join("\n")
    }

    #[test]
    fn what_is_unusual_is_told_once_and_each_look_to_those_who_want_it() {
        insta::assert_snapshot!(format!("{}\n\n{}", told(false), told(true)));
        ProbeLog::default().note("nobody", Nanos::ZERO, Nanos::ZERO, Err("listens"));
    }
}
