//! The arithmetic of a load: which iteration is due when, for which user, and at which replica.
//!
//! Every choice is a function of the seed and of an index, so it does not depend on the number of workers or
//! on how fast the service responds.

pub mod arrivals;
pub mod connections;
pub mod data_rows;
pub mod pause;
pub mod population;
pub mod seeded;
pub mod stages;
pub mod step_selection;
pub mod time;
pub mod upper_bounds;
