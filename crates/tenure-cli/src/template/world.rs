use jiff::Timestamp;
use rand::RngCore as _;
use tenure_gotmpl::Environment;

/// The clock and the random numbers of this machine; no cluster.
pub(super) struct SystemWorld;

impl Environment for SystemWorld {
    fn now(&self) -> Timestamp {
        Timestamp::now()
    }

    fn random(&self, buffer: &mut [u8]) {
        rand::rng().fill_bytes(buffer);
    }
}
