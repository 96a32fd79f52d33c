//! What a person does by the book: onboard a tenant, install from `deploy/` or with the chart.

mod manifests;
mod walkthrough;
