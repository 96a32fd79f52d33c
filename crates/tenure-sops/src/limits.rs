/// What a document may cost.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// Bytes of the encrypted document. Flux's limit for files is the default.
    pub bytes: usize,
    /// Lists and mappings inside each other.
    pub depth: usize,
    /// Values, comments and containers in the document.
    pub nodes: usize,
    /// Key groups; Shamir's scheme ends at 255.
    pub groups: usize,
    /// Recipients of all key groups. Each may cost an asymmetric operation, or a request.
    pub recipients: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            bytes: 5 << 20,
            depth: 64,
            nodes: 200_000,
            groups: 32,
            recipients: 256,
        }
    }
}
