use serde::Serialize;

/// The machine that a target runs or ran on.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Machine {
    /// Its operating system.
    pub os: Os,
    /// Version of the operating system, where the target tells.
    pub os_version: Option<String>,
    /// The instruction set of the process: `x86-64`, `x86`, `aarch64`, `arm` …
    pub cpu: Option<String>,
    /// Numbers begin with their highest byte.
    pub big_endian: bool,
}

/// An operating system.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Os {
    /// Linux, Android too.
    #[default]
    Linux,
    /// Windows.
    Windows,
    /// macOS and iOS.
    MacOs,
    /// Another one.
    Other,
}

impl Os {
    /// The name that people read.
    pub fn label(self) -> &'static str {
        match self {
            Os::Linux => "Linux",
            Os::Windows => "Windows",
            Os::MacOs => "macOS",
            Os::Other => "unknown OS",
        }
    }
}
