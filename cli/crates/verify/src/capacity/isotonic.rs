//! Isotonic regression: how often the objectives hold at each level, given that no higher level can hold more
//! often.

#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct Trials {
    /// Trials in which the objectives held.
    pub(super) held: u32,
    /// Trials in which the service broke them.
    pub(super) broke: u32,
    /// Trials that the generator spoiled: they say nothing about the service, only that the level could not
    /// be driven.
    pub(super) spoiled: u32,
}

impl Trials {
    pub(super) fn total(self) -> u32 {
        self.clean() + self.spoiled
    }

    /// Trials that say something about the service.
    pub(super) fn clean(self) -> u32 {
        self.held + self.broke
    }
}

/// For each level in rising order, the share of all its trials that held, adjusted so that shares never rise:
/// the maximum likelihood estimate of a falling probability, by pooling adjacent violators (Barlow,
/// Bartholomew, Bremner and Brunk, Statistical Inference under Order Restrictions, 1972, section 1.2). Every
/// level needs at least one trial.
pub(super) fn falling_shares(trials: &[Trials]) -> Vec<f64> {
    let share = |held: u32, total: u32| f64::from(held) / f64::from(total.max(1));
    // Blocks of (held, total, levels); their shares fall strictly.
    let mut blocks: Vec<(u32, u32, usize)> = Vec::new();
    for level in trials {
        let mut block = (level.held, level.total(), 1);
        while let Some(&(held, total, levels)) = blocks.last() {
            if share(held, total) > share(block.0, block.1) {
                break;
            }
            block = (held + block.0, total + block.1, levels + block.2);
            blocks.pop();
        }
        blocks.push(block);
    }
    blocks
        .into_iter()
        .flat_map(|(held, total, levels)| std::iter::repeat_n(share(held, total), levels))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn violators_are_pooled() {
        let shares = |pairs: &[(u32, u32)]| {
            let trials: Vec<Trials> =
                pairs.iter().map(|&(held, broke)| Trials { held, broke, spoiled: 0 }).collect();
            falling_shares(&trials)
        };
        assert_eq!(shares(&[]), Vec::<f64>::new());
        assert_eq!(shares(&[(1, 0), (1, 0), (0, 2)]), [1.0, 1.0, 0.0]);
        assert_eq!(shares(&[(0, 1), (1, 0)]), [0.5, 0.5], "a lucky step beyond an unlucky one");
        assert_eq!(shares(&[(3, 0), (0, 1), (3, 0), (0, 4)]), [1.0, 0.75, 0.75, 0.0]);
    }
}
