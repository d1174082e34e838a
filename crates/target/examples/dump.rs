//! Writes the core of a running process: `dump PID FILE [all] [compress] [staging=MIB]`.
//!
//! What the measurements of the core writer run, and the smallest use of it.

#[cfg(target_os = "linux")]
fn main() -> Result<(), Box<dyn std::error::Error>> {
    use residue_model::{Bytes, ProcessId};
    use residue_target::live::linux::{DumpOptions, ProcDir, dump};

    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [pid, path, options @ ..] = &arguments[..] else {
        return Err("dump PID FILE [all] [compress] [staging=MIB]".into());
    };
    let has = |word: &str| options.iter().any(|option| option == word);
    let staging = options.iter().find_map(|option| option.strip_prefix("staging="));
    let options = DumpOptions {
        all_files: has("all"),
        compress: has("compress"),
        staging: staging.map(str::parse).transpose()?.map(Bytes::mib),
        ..DumpOptions::default()
    };
    let pid = ProcessId(pid.parse()?);
    let dumped = dump(&ProcDir::open()?, pid, &options, path.as_ref(), &mut |_| {})?;
    println!("{dumped:#?}");
    Ok(())
}

#[cfg(not(target_os = "linux"))]
fn main() {}
