//! The reference multi-tenant server: sessions, mock chat and a rate limit per tenant, global over all
//! replicas.
//!
//! [`serve()`] serves on a listener until it is asked to shut down; an [`App`] is one replica (its tenants,
//! its metrics), and a [`Store`] is what replicas share. [`run()`] is the whole program behind the command
//! line, [`Args`]. [`calibration`] is a separate service, of known latency.

mod app;
mod args;
pub mod calibration;
mod error;
pub mod faults;
pub mod head_timeout;
mod health;
mod limiter;
mod reply_style;
mod response;
mod routes;
mod run;
mod serve;
mod sessions;
mod shutdown;
mod state;
mod store;
mod telemetry;
mod tenants;

pub use app::App;
pub use args::{Args, StoreChoice};
pub use faults::{Fault, Faults};
pub use limiter::{Algorithm, Limit, LimitError};
pub use run::{RunError, run, run_until};
pub use serve::serve;
pub use shutdown::ShutdownSignals;
pub use state::Config;
pub use store::{Store, StoreError};
pub use tenants::{Tenant, Tenants, TenantsError, TenantsProblem};
