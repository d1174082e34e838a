use std::sync::Arc;

use residue_model::{Bytes, Dump, DumpFormat, Gap, Memory, Region, Snapshot};

use super::Observation;
use super::observation::Recalled;
use super::selfcheck::Selfcheck;
use crate::procfs::printable;
use crate::{Error, ErrorKind, Result, Still, StillProgress, Stillness, Target};

/// How a document of `residue selfcheck` begins, whatever wrote it.
const BEGINS: &[u8] = br#"{"schema":"residue.selfcheck/1""#;

/// Whether a file begins as a recording does.
pub(crate) fn is_recording(magic: &[u8]) -> bool {
    magic.starts_with(BEGINS)
}

/// What `residue selfcheck` recorded of itself on Windows, looked at on any system.
#[derive(Debug)]
pub struct Recorded {
    path: String,
    size: Bytes,
    selfcheck: Selfcheck,
    memory: Recalled,
}

impl Recorded {
    /// Reads a recording.
    pub(crate) fn open(path: &str, file: &[u8]) -> Result<Recorded> {
        let mut selfcheck: Selfcheck = serde_json::from_slice(file).map_err(|error| {
            // It may quote the file.
            let why = printable(error.to_string().as_bytes());
            Error::new(ErrorKind::Syntax, format!("{path} is no usable selfcheck recording: {why}"))
                .help("was it cut off or edited? Write it again on Windows: residue selfcheck -o FILE")
        })?;
        distrust(&mut selfcheck.observation);
        let memory = selfcheck.observation.memory();
        Ok(Recorded { path: path.to_owned(), size: Bytes(file.len() as u64), selfcheck, memory })
    }

    /// The whole document.
    pub fn selfcheck(&self) -> &Selfcheck {
        &self.selfcheck
    }
}

/// Anybody may have written it: ranges that end before they begin go, and names become printable.
fn distrust(observation: &mut Observation) {
    let Observation { system, process, queried, modules, files, threads, gaps, .. } = observation;
    queried.retain(|query| query.range.start < query.range.end);
    modules.retain(|module| module.range.start < module.range.end);
    files.sort_by_key(|(address, _)| *address);
    let clean = |text: &mut String| *text = printable(text.as_bytes());
    let clean_shared = |text: &mut Arc<str>| *text = printable(text.as_bytes()).into();
    [&mut system.version, &mut process.name, &mut process.cpu].into_iter().for_each(clean);
    [&mut system.wine, &mut process.command, &mut process.user].into_iter().flatten().for_each(clean);
    for module in modules {
        clean_shared(&mut module.name);
        module.version.iter_mut().for_each(clean);
    }
    for (_, name) in files {
        clean_shared(name);
    }
    for thread in threads {
        clean(&mut thread.name);
    }
    gaps.iter_mut().flat_map(|gap| [&mut gap.what, &mut gap.why]).for_each(clean);
}

impl Target for Recorded {
    fn snapshot(&self) -> Result<Snapshot> {
        let mut snapshot = self.selfcheck.observation.snapshot(&self.memory);
        for region in &mut snapshot.regions {
            region.saved = Some(self.memory.saved(region));
        }
        snapshot.gaps.push(Gap::new(
            "what is in memory",
            "a recording holds only what tells where stacks and heaps are",
        ));
        let vss: Bytes = snapshot.regions.iter().map(Region::size).sum();
        snapshot.process.footprint.vss.get_or_insert(vss);
        let saved = snapshot.regions.iter().filter_map(|region| region.saved).sum();
        snapshot.dump = Some(Dump {
            file: self.path.clone(),
            format: DumpFormat::Observation,
            size: self.size,
            saved,
            event: None,
        });
        Ok(snapshot)
    }

    fn memory(&self) -> Result<&dyn Memory> {
        Ok(&self.memory)
    }

    fn still(&self, _: Stillness<'_>, _: &mut dyn FnMut(StillProgress)) -> Result<Still<'_>> {
        Err(Error::new(ErrorKind::Unsupported, format!("{} holds no heap", self.path)).help(
            "a recording has only what tells where stacks and heaps are: write a dump of the process instead",
        ))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Found by the fuzzer: the parser's error quotes the file, and a terminal obeys what is in it.
    #[test]
    fn what_an_error_quotes_is_printable() {
        let file = b"{\"schema\":\"residue.selfcheck/1\",\"residue\":\"0\",\"target\":{\"kind\":\"process\",\"pid\":1,\"name\":\"a\"},\
            \"gaps\":[],\"checks\":[{\"what\":\"a\",\"outcome\":\"not\x7fgiven\",\"detail\":\"\"}]}";
        let error = Recorded::open("a.json", file).expect_err("there is no such outcome").to_string();
        assert!(error.contains("not\\x7fgiven"), "{error}");
    }
}
