//! Holds a running process still and says what it cost: `still PID [running|forked]`.
//!
//! What the measurements of stop times run, and the smallest use of it.

#[cfg(target_os = "linux")]
fn main() -> Result<(), Box<dyn std::error::Error>> {
    use residue_model::Bytes;
    use residue_target::live::linux::Process;
    use residue_target::{Care, Stillness, Target};

    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let (pid, how) = match &arguments[..] {
        [pid] => (pid, Stillness::Stopped),
        [pid, how] if how == "running" => (pid, Stillness::Running),
        [pid, how] if how == "forked" => (pid, Stillness::Forked),
        _ => return Err("still PID [running|forked]".into()),
    };
    let process = Process::find(pid, Care::DEFAULT)?;
    let still = process.still(how, &mut |progress| eprintln!("{progress:?}"))?;
    let pieces = still.pieces();
    let bytes: u64 = pieces.0.iter().map(|(_, bytes)| bytes.len() as u64).sum();
    let threads = &still.snapshot.threads;
    let known = threads.iter().filter(|thread| !thread.registers.is_empty()).count();
    println!("{:?}", still.stop);
    println!(
        "{} in {} pieces, {known} of {} threads with registers",
        Bytes(bytes),
        pieces.0.len(),
        threads.len()
    );
    for gap in &still.snapshot.gaps {
        println!("not seen: {}: {}", gap.what, gap.why);
    }
    Ok(())
}

#[cfg(not(target_os = "linux"))]
fn main() {}
