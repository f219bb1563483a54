//! Values grouped by tenant, step and replica, found by index instead of by name, because a run can have
//! millions of requests.

use saasbench_model::scenario::{Scenario, StepIndex, TenantIndex};
use saasbench_record::sample::Sample;

/// Marks a group without requests.
const NONE: u32 = u32::MAX;

/// The group of a request. The tenant is its user's.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Key {
    pub(super) tenant: TenantIndex,
    pub(super) step: StepIndex,
    pub(super) replica: usize,
}

/// A value for each group that had requests.
#[derive(Debug)]
pub(super) struct Grouped<T> {
    tenants: usize,
    steps: usize,
    replicas: usize,
    /// Index into `values` by tenant, step and replica.
    places: Vec<u32>,
    values: Vec<(Key, T)>,
}

impl<T> Grouped<T> {
    /// No groups yet; with `replicas` equal to 1, replicas are not distinguished.
    pub(super) fn new(scenario: &Scenario, replicas: usize) -> Self {
        let (tenants, steps) = (scenario.tenants.len(), scenario.steps.len());
        let places = vec![NONE; tenants * steps * replicas];
        Self { tenants, steps, replicas, places, values: Vec::new() }
    }

    /// The value of a sample's group, created if it is the first; `None` for a sample whose indices are out
    /// of range.
    #[inline]
    pub(super) fn of(&mut self, sample: &Sample, make: impl FnOnce() -> T) -> Option<&mut T> {
        let replica = if self.replicas == 1 { 0 } else { sample.replica };
        let key = Key { tenant: sample.tenant, step: sample.step, replica };
        if key.tenant >= self.tenants || key.step >= self.steps || key.replica >= self.replicas {
            return None;
        }
        let place =
            self.places.get_mut((key.tenant * self.steps + key.step) * self.replicas + key.replica)?;
        if *place == NONE {
            *place = self.values.len() as u32;
            self.values.push((key, make()));
        }
        self.values.get_mut(*place as usize).map(|(_, value)| value)
    }

    /// The groups, ordered by tenant, step and replica.
    pub(super) fn iter(&self) -> impl Iterator<Item = (Key, &T)> {
        let there = self.places.iter().filter_map(|place| self.values.get(*place as usize));
        there.map(|(key, value)| (*key, value))
    }
}
