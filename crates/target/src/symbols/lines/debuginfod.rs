//! Debug files from servers that know them by build ID.
//!
//! Source: `debuginfod(8)`, "WEBAPI"; `debuginfod-find(1)`, "CACHE" and "ENVIRONMENT VARIABLES".

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::time::{Duration, SystemTime};

use residue_model::Bytes;
use ureq::Agent;
use ureq::tls::{Certificate, RootCerts, TlsConfig};

use super::elf::Elf;
use super::find::{hex, open};
use crate::procfs::printable;

/// The cache that the clients of debuginfod share, and the servers that fill it.
#[derive(Debug)]
pub struct Debuginfod {
    /// `~/.cache/debuginfod_client`: a folder a build.
    pub cache: PathBuf,
    /// The servers, the first to be asked first. Without any, only what was loaded before is found.
    pub servers: Vec<String>,
    /// How long a server may be silent. A whole file may take ten times as long.
    pub patience: Duration,
    /// How large a file may be.
    pub most: Bytes,
    /// The servers that did not answer, and why: they are not asked twice.
    silent: Mutex<BTreeMap<String, String>>,
    agent: OnceLock<Agent>,
}

/// So long it is believed that no server has a build. As `debuginfod-find(1)` has it.
const MISSED: Duration = Duration::from_secs(600);

impl Debuginfod {
    /// What the environment says: `DEBUGINFOD_URLS`, `DEBUGINFOD_CACHE_PATH`, `DEBUGINFOD_TIMEOUT` in seconds and
    /// `DEBUGINFOD_MAXSIZE` in bytes.
    ///
    /// None where there is no place for a cache.
    pub fn from_env(variable: impl Fn(&str) -> Option<OsString>) -> Option<Debuginfod> {
        let set = |name: &str| variable(name).filter(|value| !value.is_empty());
        let number =
            |name: &str| set(name)?.to_str()?.trim().parse::<u64>().ok().filter(|&number| number > 0);
        let home = || Some(PathBuf::from(set("HOME").or_else(|| set("USERPROFILE"))?).join(".cache"));
        let shared =
            || Some(set("XDG_CACHE_HOME").map(PathBuf::from).or_else(home)?.join("debuginfod_client"));
        let urls = set("DEBUGINFOD_URLS").unwrap_or_default();
        let urls = urls.to_string_lossy();
        let is_url = |word: &&str| word.starts_with("http://") || word.starts_with("https://");
        Some(Debuginfod {
            servers: urls.split_whitespace().filter(is_url).map(str::to_owned).collect(),
            patience: Duration::from_secs(number("DEBUGINFOD_TIMEOUT").unwrap_or(90)),
            most: Bytes(number("DEBUGINFOD_MAXSIZE").unwrap_or(4 << 30)),
            ..Debuginfod::in_cache(set("DEBUGINFOD_CACHE_PATH").map(PathBuf::from).or_else(shared)?)
        })
    }

    /// What stands in a cache, without any server.
    pub fn in_cache(cache: impl Into<PathBuf>) -> Debuginfod {
        Debuginfod {
            cache: cache.into(),
            servers: Vec::new(),
            patience: Duration::from_secs(90),
            most: Bytes(4 << 30),
            silent: Mutex::default(),
            agent: OnceLock::new(),
        }
    }

    /// The debug file of a build, from the cache or from the first server that has it.
    ///
    /// # Errors
    /// Why a server could not give it, where none has it.
    pub(super) fn find(&self, id: &[u8]) -> Result<Option<PathBuf>, String> {
        // A path of its own for each: what is too short is no build ID.
        if id.len() < 2 {
            return Ok(None);
        }
        let path = self.cache.join(hex(id)).join("debuginfo");
        match fs::metadata(&path) {
            Ok(file) if file.len() > 0 => return Ok(Some(path)),
            Ok(file) if is_young(&file) => return Ok(None),
            _ => {}
        }
        let mut whys = Vec::new();
        for server in &self.servers {
            match self.ask(server, id, &path) {
                Ok(true) => return Ok(Some(path)),
                Ok(false) => {}
                Err(why) => whys.push(why),
            }
        }
        if let Some(why) = whys.into_iter().next() {
            return Err(why);
        }
        if !self.servers.is_empty() {
            // As other clients note that there is none.
            let _ = fs::create_dir_all(path.parent().unwrap_or(&self.cache));
            let _ = File::create(&path);
        }
        Ok(None)
    }

    /// Whether a server has the file, which is in the cache then.
    fn ask(&self, server: &str, id: &[u8], path: &Path) -> Result<bool, String> {
        if let Some(why) = self.silent().get(server) {
            return Err(why.clone());
        }
        let url = format!("{}/buildid/{}/debuginfo", server.trim_end_matches('/'), hex(id));
        match self.agent.get_or_init(|| self.agent()).get(&url).call() {
            Ok(mut answer) => {
                let mut body = answer.body_mut().with_config().limit(self.most.0).reader();
                store(&mut body, id, path).map(|()| true).map_err(|why| format!("{server}: {why}"))
            }
            Err(ureq::Error::StatusCode(404)) => Ok(false),
            Err(error) => {
                let why = printable(format!("{server}: {error}").as_bytes());
                self.silent().insert(server.to_owned(), why.clone());
                Err(why)
            }
        }
    }

    fn silent(&self) -> std::sync::MutexGuard<'_, BTreeMap<String, String>> {
        self.silent.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Trusts whom the machine trusts.
    fn agent(&self) -> Agent {
        let trusted = rustls_native_certs::load_native_certs().certs;
        let trusted: Vec<_> =
            trusted.iter().map(|trusted| Certificate::from_der(trusted).to_owned()).collect();
        let tls = TlsConfig::builder()
            .root_certs(RootCerts::Specific(Arc::new(trusted)))
            .unversioned_rustls_crypto_provider(Arc::new(rustls::crypto::ring::default_provider()))
            .build();
        let patience = Some(self.patience);
        Agent::config_builder()
            .tls_config(tls)
            .user_agent(concat!("residue/", env!("CARGO_PKG_VERSION")))
            .timeout_global(Some(self.patience.saturating_mul(10)))
            .timeout_resolve(patience)
            .timeout_connect(patience)
            .timeout_recv_response(patience)
            .timeout_per_read(patience)
            .build()
            .new_agent()
    }
}

/// Whether a file that notes that no server has a build still counts.
fn is_young(file: &fs::Metadata) -> bool {
    let age = file.modified().ok().and_then(|then| SystemTime::now().duration_since(then).ok());
    age.is_some_and(|age| age < MISSED)
}

/// Keeps what was sent, where it is what was asked for; others see it whole or not at all.
fn store(body: &mut impl io::Read, id: &[u8], path: &Path) -> Result<(), String> {
    let folder = path.parent().ok_or("there is no cache")?;
    let told = |error: io::Error| error.to_string();
    fs::create_dir_all(folder).map_err(told)?;
    let mut file = tempfile::Builder::new().prefix("debuginfo.").tempfile_in(folder).map_err(told)?;
    io::copy(body, &mut file).map_err(told)?;
    let sent = open(file.path()).and_then(Elf::read).and_then(|elf| elf.build_id);
    if sent.as_deref() != Some(id) {
        return Err("it sent a file of another build".into());
    }
    file.persist(path).map_err(|error| error.error.to_string())?;
    Ok(())
}
