//! What a person does by the book: onboard a tenant, install from `deploy/` with kubectl or the chart with
//! Helm, upgrade it, take it away.

mod beside_flux;
mod chart;
mod helm;
mod manifests;
mod objects;
mod walkthrough;
