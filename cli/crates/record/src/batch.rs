//! A compact list of samples: workers fill it, the recorder takes it, and segments are read into it.
//!
//! Every request takes a row of 88 bytes. Rare fields (limiter headers, a failed check, a repetition, a
//! canary) are stored beside the rows, and all texts in one string. A reused batch allocates nothing.

use std::sync::Arc;

use super::sample::{LimiterHeaders, RequestOutcome, Sample};
use saasbench_model::units::Nanos;

/// Marks "none" where a number is stored more compactly than as an `Option`.
pub(super) const NONE: u32 = u32::MAX;
/// The same for 64 bits, and an instant that no run reaches.
pub(super) const NO_NUMBER: u64 = u64::MAX;
pub(super) const NO_INSTANT: i64 = i64::MIN;

/// A compact list of samples.
#[derive(Debug, Clone, Default)]
pub struct Batch {
    pub(super) rows: Vec<Row>,
    pub(super) extras: Vec<Extra>,
    pub(super) texts: Texts,
}

/// The fields that every request has.
#[derive(Debug, Clone, Copy)]
pub(super) struct Row {
    pub(super) intended: i64,
    pub(super) sent: i64,
    /// [`NO_INSTANT`] if none.
    pub(super) first_byte: i64,
    pub(super) done: i64,
    pub(super) iteration: u64,
    pub(super) request: u64,
    pub(super) bytes_in: u64,
    pub(super) user: u32,
    pub(super) tenant: u32,
    pub(super) bytes_out: u32,
    /// Index into [`Batch::extras`], or [`NONE`].
    pub(super) extra: u32,
    /// 0 if none.
    pub(super) connection: u32,
    pub(super) step: u16,
    pub(super) load: u16,
    pub(super) replica: u16,
    pub(super) outcome: RequestOutcome,
}

/// The fields that few requests have.
#[derive(Debug, Clone, Copy)]
pub(super) struct Extra {
    pub(super) limit: u64,
    pub(super) remaining: u64,
    pub(super) retry_after: u64,
    pub(super) retry_of: u64,
    /// NaN if none.
    pub(super) reset: f64,
    pub(super) canary: u32,
    /// Indices into [`Batch::texts`], or [`NONE`].
    pub(super) failed_check: u32,
    pub(super) policy: u32,
    pub(super) state: u32,
    pub(super) unread: u32,
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
        unread: NONE,
    };

    /// Whether any field is set.
    pub(super) fn is_any(&self) -> bool {
        let texts = [self.failed_check, self.policy, self.state, self.unread, self.canary];
        let numbers = [self.limit, self.remaining, self.retry_after, self.retry_of];
        texts != [NONE; 5] || numbers != [NO_NUMBER; 4] || !self.reset.is_nan()
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

/// Texts, stored consecutively in one string. A text that equals the previous one of its kind is stored once.
#[derive(Debug, Clone, Default)]
pub(super) struct Texts {
    all: String,
    ends: Vec<u32>,
    /// The index of the last text of each kind.
    last: [Option<u32>; 4],
}

impl Texts {
    /// The index of a text of the given `kind` (0 to 3), added if it is new.
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

    /// Adds a text and returns its index.
    pub(super) fn add(&mut self, text: &str) -> u32 {
        self.all.push_str(text);
        self.ends.push(self.all.len() as u32);
        self.ends.len() as u32 - 1
    }

    /// The text at an index.
    pub(super) fn get(&self, number: u32) -> &str {
        let number = number as usize;
        let from = number.checked_sub(1).and_then(|before| self.ends.get(before)).copied().unwrap_or(0);
        let to = self.ends.get(number).copied().unwrap_or(from);
        self.all.get(from as usize..to as usize).unwrap_or_default()
    }

    pub(super) fn len(&self) -> usize {
        self.ends.len()
    }

    fn clear(&mut self) {
        self.all.clear();
        self.ends.clear();
        self.last = [None; 4];
    }
}

/// Narrows a number; one that does not fit (which should never happen) becomes the maximum.
fn small(number: u64) -> u32 {
    u32::try_from(number).unwrap_or(u32::MAX)
}

fn tiny(index: usize) -> u16 {
    u16::try_from(index).unwrap_or(u16::MAX)
}

impl Batch {
    /// An empty batch with room for this many samples.
    pub fn with_capacity(samples: usize) -> Self {
        Self { rows: Vec::with_capacity(samples), ..Self::default() }
    }

    /// Number of samples.
    pub fn len(&self) -> usize {
        self.rows.len()
    }

    /// Whether it holds none.
    pub fn is_empty(&self) -> bool {
        self.rows.is_empty()
    }

    /// Removes all samples, but keeps the allocations.
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
            connection: sample.connection,
            step: tiny(sample.step),
            load: tiny(sample.load),
            replica: tiny(sample.replica),
            outcome: sample.outcome,
        });
    }

    /// The index of a sample's rare fields; [`NONE`] if it has none.
    #[inline]
    fn push_extra(&mut self, sample: &Sample) -> u32 {
        let LimiterHeaders { limit, remaining, reset, retry_after, policy, state, unread } = &sample.limiter;
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
            unread: text(3, unread.as_deref()),
        };
        if !extra.is_any() {
            return NONE;
        }
        self.extras.push(extra);
        self.extras.len() as u32 - 1
    }

    /// The samples, in the order in which they were added.
    pub fn iter(&self) -> impl Iterator<Item = Sample> + '_ {
        // Texts repeat, so each is allocated once.
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
                    unread: share(extra.unread),
                };
            }
            sample
        })
    }
}

/// The sample of a row without rare fields.
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
        connection: row.connection,
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
