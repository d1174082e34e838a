use residue_model::Bytes;

/// How much a target may be made to wait.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Care {
    /// Read exactly, with `smaps`, however long the target waits.
    Exact,
    /// Read processes above a resident size by their page tables, in small steps with pauses between.
    Above(Bytes),
    /// Read every process in small steps.
    Always,
}

impl Care {
    /// One GiB costs a target up to 20 ms of waiting: enough to be felt in a busy server.
    pub const DEFAULT: Care = Care::Above(Bytes::gib(1));

    /// Whether a process of this resident size is read in small steps.
    pub fn applies(self, rss: Option<Bytes>) -> bool {
        match self {
            Care::Exact => false,
            Care::Above(limit) => rss.is_some_and(|rss| rss > limit),
            Care::Always => true,
        }
    }
}
