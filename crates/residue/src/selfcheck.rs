//! What the calls of Windows say of one process, by default of ourselves, compared with each other.

use std::hint::black_box;
use std::ops::ControlFlow;
use std::sync::{Mutex, PoisonError};

use residue_analysis::Map;
use residue_model::{Address, Bytes, Memory, ProcessId, Range, Thread, Usage, Visit};
use residue_target::live::windows::{Host, Process, find, observe};
use residue_target::windows::{Check, Counted, Outcome, Piece, Selfcheck, checks, follows};
use residue_target::{Care, Target};

use crate::Result;

/// What is allocated to see whether the counters follow.
const PROOF: Bytes = Bytes::mib(64);

/// Observes a process, this one for `None`, compares everything that is told twice, and records it.
///
/// # Errors
/// When the process cannot be found or observed.
pub fn selfcheck(word: Option<&str>) -> Result<Selfcheck> {
    let myself = ProcessId(std::process::id());
    let pid = word.map_or(Ok(myself), |word| find(&Host::open()?, word))?;
    let target = Process::find(&pid.to_string(), Care::DEFAULT)?;
    let mut observation = observe(pid)?;
    let noting = Noting { memory: target.memory()?, pieces: Mutex::default() };
    let map = Map::with(observation.snapshot(&noting), &noting);
    let mut all = checks(&observation);
    all.push(stacks(&map));
    all.push(heap(&map));
    if pid == myself {
        all.extend(proof(pid, observation.counted())?);
    }
    observation.pieces = noting.into_pieces();
    Ok(Selfcheck::of(observation, all, env!("CARGO_PKG_VERSION")))
}

/// Takes memory, touches it, and looks whether the counters followed.
fn proof(pid: ProcessId, before: Counted) -> Result<Vec<Check>> {
    let size = usize::try_from(PROOF.0).unwrap_or_default();
    let taken = black_box(vec![1_u8; size]);
    let after = observe(pid)?.counted();
    drop(taken);
    let commit = |counted: &Counted| counted.private_usage.or(counted.pagefile_usage);
    Ok(vec![
        follows(&format!("{PROOF} more are {PROOF} more of commit"), commit(&before), commit(&after), PROOF),
        follows(
            &format!("{PROOF} touched are {PROOF} more of working set"),
            before.working_set,
            after.working_set,
            PROOF,
        ),
    ])
}

fn stacks(map: &Map) -> Check {
    // A thread that has ended since it was listed tells no block.
    let threads: Vec<&Thread> =
        map.snapshot.threads.iter().filter(|thread| thread.control_block.is_some()).collect();
    let has_stack = |tid: u32| map.snapshot.regions.iter().any(|region| region.threads.contains(&tid));
    let found = threads.iter().filter(|thread| has_stack(thread.tid)).count();
    Check {
        what: "every thread has a stack".into(),
        outcome: if found == threads.len() && found > 0 { Outcome::Pass } else { Outcome::Fail },
        detail: format!("{found} of {} threads", threads.len()),
    }
}

fn heap(map: &Map) -> Check {
    let found = map.snapshot.regions.iter().filter(|region| region.usage == Usage::NtHeap).count();
    Check {
        what: "a heap is found".into(),
        outcome: if found > 0 { Outcome::Pass } else { Outcome::Fail },
        detail: format!("{found} blocks"),
    }
}

/// Memory that notes what was read of it: that is what conclusions drawn again elsewhere will need.
struct Noting<'a> {
    memory: &'a dyn Memory,
    pieces: Mutex<Vec<(Address, Vec<u8>)>>,
}

impl Noting<'_> {
    fn note(&self, address: Address, bytes: &[u8]) {
        let mut pieces = self.pieces.lock().unwrap_or_else(PoisonError::into_inner);
        pieces.push((address, bytes.to_vec()));
    }

    fn into_pieces(self) -> Vec<Piece> {
        let mut pieces = self.pieces.into_inner().unwrap_or_else(PoisonError::into_inner);
        pieces.sort();
        pieces.dedup();
        let digits = |bytes: Vec<u8>| bytes.iter().map(|byte| format!("{byte:02x}")).collect();
        pieces.into_iter().map(|(address, bytes)| Piece { address, bytes: digits(bytes) }).collect()
    }
}

impl Memory for Noting<'_> {
    fn walk(&self, range: Range, window: &mut Vec<u8>, visit: &mut Visit<'_>) -> ControlFlow<()> {
        self.memory.walk(range, window, &mut |at, piece| {
            self.note(at, piece);
            visit(at, piece)
        })
    }
}
