//! Many samples, stored small: what a worker fills and the recorder takes, and what a segment is read into.
//!
//! What every request has lies in a row of 88 bytes. What few have (limiter headers, a failed check, a repetition, a canary)
//! lies beside the rows, and texts lie in one string. A batch that is used again allocates nothing.

use std::sync::Arc;

use super::sample::{LimiterHeaders, Outcome, Sample};
use saasbench_model::units::Nanos;

/// Stands for "none" where a number is stored in less room than an `Option` takes.
pub(super) const NONE: u32 = u32::MAX;
/// The same for 64 bits; also an instant that no run reaches.
pub(super) const NO_NUMBER: u64 = u64::MAX;
pub(super) const NO_INSTANT: i64 = i64::MIN;

/// Many samples, stored small.
#[derive(Debug, Clone, Default)]
pub struct Batch {
    pub(super) rows: Vec<Row>,
    pub(super) extras: Vec<Extra>,
    pub(super) texts: Texts,
}

/// What every request has.
#[derive(Debug, Clone, Copy)]
pub(super) struct Row {
    pub(super) intended: i64,
    pub(super) sent: i64,
    /// [`NO_INSTANT`]: none.
    pub(super) first_byte: i64,
    pub(super) done: i64,
    pub(super) iteration: u64,
    pub(super) request: u64,
    pub(super) bytes_in: u64,
    pub(super) user: u32,
    pub(super) tenant: u32,
    pub(super) bytes_out: u32,
    /// Position in [`Batch::extras`], or [`NONE`].
    pub(super) extra: u32,
    pub(super) step: u16,
    pub(super) load: u16,
    pub(super) replica: u16,
    pub(super) outcome: Outcome,
}

/// What few requests have.
#[derive(Debug, Clone, Copy)]
pub(super) struct Extra {
    pub(super) limit: u64,
    pub(super) remaining: u64,
    pub(super) retry_after: u64,
    pub(super) retry_of: u64,
    /// Not a number: none.
    pub(super) reset: f64,
    pub(super) canary: u32,
    /// Numbers of texts in [`Batch::texts`], or [`NONE`].
    pub(super) failed_check: u32,
    pub(super) policy: u32,
    pub(super) state: u32,
}

impl Row {
    pub(super) fn first_byte(&self) -> Option<i64> {
        (self.first_byte != NO_INSTANT).then_some(self.first_byte)
    }
}

impl Extra {
    pub(super) const NOTHING: Self = Self {
        limit: NO_NUMBER,
        remaining: NO_NUMBER,
        retry_after: NO_NUMBER,
        retry_of: NO_NUMBER,
        reset: f64::NAN,
        canary: NONE,
        failed_check: NONE,
        policy: NONE,
        state: NONE,
    };

    /// Whether it says anything.
    pub(super) fn is_any(&self) -> bool {
        let texts = [self.failed_check, self.policy, self.state, self.canary];
        let numbers = [self.limit, self.remaining, self.retry_after, self.retry_of];
        texts != [NONE; 4] || numbers != [NO_NUMBER; 4] || !self.reset.is_nan()
    }

    pub(super) fn limit(&self) -> Option<u64> {
        some(self.limit)
    }

    pub(super) fn remaining(&self) -> Option<u64> {
        some(self.remaining)
    }

    pub(super) fn retry_after(&self) -> Option<u64> {
        some(self.retry_after)
    }

    pub(super) fn retry_of(&self) -> Option<u64> {
        some(self.retry_of)
    }

    pub(super) fn reset(&self) -> Option<f64> {
        (!self.reset.is_nan()).then_some(self.reset)
    }

    pub(super) fn canary(&self) -> Option<u32> {
        (self.canary != NONE).then_some(self.canary)
    }
}

fn some(number: u64) -> Option<u64> {
    (number != NO_NUMBER).then_some(number)
}

/// Texts, one after the other in one string. A text that repeats the last of its kind is stored once.
#[derive(Debug, Clone, Default)]
pub(super) struct Texts {
    all: String,
    ends: Vec<u32>,
    /// The last number given, by kind.
    last: [Option<u32>; 3],
}

impl Texts {
    /// The number of a text, one of `kind` (0, 1 or 2).
    fn number(&mut self, kind: usize, text: &str) -> u32 {
        if let Some(last) = self.last[kind]
            && self.get(last) == text
        {
            return last;
        }
        let number = self.add(text);
        self.last[kind] = Some(number);
        number
    }

    /// Adds a text and says its number.
    pub(super) fn add(&mut self, text: &str) -> u32 {
        self.all.push_str(text);
        self.ends.push(self.all.len() as u32);
        self.ends.len() as u32 - 1
    }

    /// The text of a number.
    pub(super) fn get(&self, number: u32) -> &str {
        let number = number as usize;
        let from = number.checked_sub(1).and_then(|before| self.ends.get(before)).copied().unwrap_or(0);
        let to = self.ends.get(number).copied().unwrap_or(from);
        self.all.get(from as usize..to as usize).unwrap_or_default()
    }

    /// How many there are.
    pub(super) fn len(&self) -> usize {
        self.ends.len()
    }

    fn clear(&mut self) {
        self.all.clear();
        self.ends.clear();
        self.last = [None; 3];
    }
}

/// A number in half the room; what does not fit (it never should) becomes the greatest that does.
fn small(number: u64) -> u32 {
    u32::try_from(number).unwrap_or(u32::MAX)
}

fn tiny(index: usize) -> u16 {
    u16::try_from(index).unwrap_or(u16::MAX)
}

impl Batch {
    /// An empty one with room for so many samples.
    pub fn with_capacity(samples: usize) -> Self {
        Self { rows: Vec::with_capacity(samples), ..Self::default() }
    }

    /// How many samples it holds.
    pub fn len(&self) -> usize {
        self.rows.len()
    }

    /// Whether it holds none.
    pub fn is_empty(&self) -> bool {
        self.rows.is_empty()
    }

    /// Forgets the samples and keeps the room.
    pub fn clear(&mut self) {
        self.rows.clear();
        self.extras.clear();
        self.texts.clear();
    }

    /// Adds a sample.
    #[inline]
    pub fn push(&mut self, sample: &Sample) {
        let extra = self.push_extra(sample);
        self.rows.push(Row {
            intended: sample.intended.0,
            sent: sample.sent.0,
            first_byte: sample.first_byte.map_or(NO_INSTANT, |at| at.0),
            done: sample.done.0,
            iteration: sample.iteration,
            request: sample.request,
            bytes_in: sample.bytes_in,
            user: small(sample.user),
            tenant: small(sample.tenant as u64),
            bytes_out: small(sample.bytes_out),
            extra,
            step: tiny(sample.step),
            load: tiny(sample.load),
            replica: tiny(sample.replica),
            outcome: sample.outcome,
        });
    }

    /// The position of what is rare in a sample; [`NONE`] if nothing is.
    #[inline]
    fn push_extra(&mut self, sample: &Sample) -> u32 {
        let LimiterHeaders { limit, remaining, reset, retry_after, policy, state } = &sample.limiter;
        let number = |number: Option<u64>| number.unwrap_or(NO_NUMBER);
        let mut text =
            |kind, text: Option<&str>| text.map_or(NONE, |text: &str| self.texts.number(kind, text));
        let extra = Extra {
            limit: number(*limit),
            remaining: number(*remaining),
            retry_after: number(*retry_after),
            retry_of: number(sample.retry_of),
            reset: reset.unwrap_or(f64::NAN),
            canary: sample.canary.map_or(NONE, |tenant| small(tenant as u64)),
            failed_check: text(0, sample.failed_check.as_deref()),
            policy: text(1, policy.as_deref()),
            state: text(2, state.as_deref()),
        };
        if !extra.is_any() {
            return NONE;
        }
        self.extras.push(extra);
        self.extras.len() as u32 - 1
    }

    /// The samples, in the order in which they were added.
    pub fn iter(&self) -> impl Iterator<Item = Sample> + '_ {
        // Texts repeat: they are made once each.
        let mut shared: Vec<Option<Arc<str>>> = vec![None; self.texts.len()];
        let mut share = move |number: u32| {
            let slot = shared.get_mut(number as usize)?;
            Some(Arc::clone(slot.get_or_insert_with(|| Arc::from(self.texts.get(number)))))
        };
        self.rows.iter().map(move |row| {
            let mut sample = plain(row);
            if let Some(extra) = self.extras.get(row.extra as usize) {
                sample.failed_check =
                    (extra.failed_check != NONE).then(|| self.texts.get(extra.failed_check).to_owned());
                sample.retry_of = extra.retry_of();
                sample.canary = extra.canary().map(|tenant| tenant as usize);
                sample.limiter = LimiterHeaders {
                    limit: extra.limit(),
                    remaining: extra.remaining(),
                    reset: extra.reset(),
                    retry_after: extra.retry_after(),
                    policy: share(extra.policy),
                    state: share(extra.state),
                };
            }
            sample
        })
    }
}

/// The sample of a row without anything rare.
#[inline]
fn plain(row: &Row) -> Sample {
    Sample {
        intended: Nanos(row.intended),
        sent: Nanos(row.sent),
        first_byte: row.first_byte().map(Nanos),
        done: Nanos(row.done),
        tenant: row.tenant as usize,
        step: row.step.into(),
        load: row.load.into(),
        user: row.user.into(),
        request: row.request,
        iteration: row.iteration,
        replica: row.replica.into(),
        outcome: row.outcome,
        bytes_out: row.bytes_out.into(),
        bytes_in: row.bytes_in,
        failed_check: None,
        limiter: LimiterHeaders::default(),
        retry_of: None,
        canary: None,
    }
}

impl<'a> FromIterator<&'a Sample> for Batch {
    fn from_iter<I: IntoIterator<Item = &'a Sample>>(samples: I) -> Self {
        let mut batch = Self::default();
        samples.into_iter().for_each(|sample| batch.push(sample));
        batch
    }
}
