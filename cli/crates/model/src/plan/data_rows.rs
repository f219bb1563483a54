//! Which row of a feeder a request takes its data from: a function of the seed, the user's number and the
//! iteration's number.

use crate::plan::seeded::{self, Purpose};
use crate::scenario::feeder::{Feeder, Order};

/// Which user and iteration asks for a row. All numbers but the iteration's count from 0.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RowRequest {
    /// Index of the load.
    pub load: usize,
    /// Number of the user within its load.
    pub user: u64,
    /// Number of the iteration within its load, from 1; 0 in start steps, whose row depends on the user
    /// instead.
    pub iteration: u64,
}

/// The row of feeder number `index`; `None` if it has none for this user.
pub fn row(feeder: &Feeder, index: usize, seed: u64, asker: RowRequest) -> Option<u64> {
    let RowRequest { load, user, iteration } = asker;
    let rows = feeder.rows();
    if rows == 0 {
        return None;
    }
    let turn = iteration.checked_sub(1);
    match feeder.order {
        Order::Sequential => Some(turn.unwrap_or(user) % rows),
        Order::Random => {
            // The key distinguishes numbers of iterations from numbers of users.
            let kind = 2 * index as u64 + u64::from(turn.is_some());
            let draw = seeded::uniform(seed, Purpose::Row, load, kind, turn.unwrap_or(user));
            Some(((rows as f64 * draw) as u64).min(rows - 1))
        }
        Order::Unique => feeder.first.get(load).map(|first| first + user).filter(|row| *row < rows),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn feeder(rows: usize, order: Order) -> Feeder {
        Feeder {
            name: "people".to_owned(),
            columns: vec!["name".to_owned(), "email".to_owned()],
            cells: (0..2 * rows).map(|cell| cell.to_string()).collect(),
            order,
            first: vec![0, 2],
        }
    }

    fn rows(feeder: &Feeder, load: usize, askers: &[(u64, u64)]) -> Vec<Option<u64>> {
        askers
            .iter()
            .map(|&(user, iteration)| row(feeder, 0, 7, RowRequest { load, user, iteration }))
            .collect()
    }

    #[test]
    fn cells_are_found_by_row_and_column() {
        let feeder = feeder(3, Order::Sequential);
        assert_eq!(feeder.rows(), 3);
        assert_eq!((feeder.cell(0, 1), feeder.cell(2, 0), feeder.cell(3, 0)), (Some("1"), Some("4"), None));
    }

    #[test]
    fn sequential_rows_go_by_the_iteration_of_any_user() {
        let feeder = feeder(3, Order::Sequential);
        assert_eq!(rows(&feeder, 0, &[(5, 1), (9, 2), (5, 3), (0, 4)]), [Some(0), Some(1), Some(2), Some(0)]);
        // Start steps belong to no iteration.
        assert_eq!(rows(&feeder, 0, &[(0, 0), (4, 0)]), [Some(0), Some(1)]);
    }

    #[test]
    fn unique_rows_go_by_the_user_and_load_and_end() {
        let feeder = feeder(4, Order::Unique);
        assert_eq!(rows(&feeder, 0, &[(0, 0), (0, 1), (1, 9), (4, 1)]), [Some(0), Some(0), Some(1), None]);
        assert_eq!(rows(&feeder, 1, &[(0, 3), (1, 1), (2, 1)]), [Some(2), Some(3), None]);
        assert_eq!(rows(&feeder, 2, &[(0, 3)]), [None]);
    }

    #[test]
    fn random_rows_are_drawn_evenly_and_reproducibly() {
        let feeder = feeder(4, Order::Random);
        let draw = |load: usize| -> Vec<Option<u64>> {
            rows(&feeder, load, &(1..=4000).map(|iteration| (iteration % 3, iteration)).collect::<Vec<_>>())
        };
        assert_eq!(draw(0), draw(0));
        assert_ne!(draw(0), draw(1));
        for row in 0..4 {
            let count = draw(0).iter().filter(|drawn| **drawn == Some(row)).count();
            // 1,000 expected each; the standard deviation is 27.
            assert!(count.abs_diff(1000) < 150, "{count} of row {row}");
        }
    }
}
