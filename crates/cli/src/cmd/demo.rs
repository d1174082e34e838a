use std::hint::black_box;
use std::io::{self, Read, Write};
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{RecvTimeoutError, channel};
use std::thread;
use std::time::{Duration, Instant};

use residue::analysis::Diagnosis;
use residue::model::Bytes;
use residue::report::units::size;

use crate::exit::Exit;
use crate::trouble::Trouble;

/// What the demo loses every time: small blocks, as a forgotten list entry is.
const BLOCK: usize = 400;
const BLOCKS_A_TICK: usize = 16;
const TICK: Duration = Duration::from_millis(10);

/// A small leaking process of our own.
pub(crate) struct Demo {
    child: Child,
}

impl Demo {
    /// Starts it.
    pub(crate) fn start() -> Result<Demo, Trouble> {
        let program =
            std::env::current_exe().map_err(|error| Trouble::own("cannot find this program", &error))?;
        let child = Command::new(program)
            .arg("demo-leak")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .map_err(|error| Trouble::own("cannot start the demo", &error))?;
        eprintln!(
            "demo: process {} loses {BLOCKS_A_TICK} blocks of {BLOCK} bytes every {} ms and keeps count",
            child.id(),
            TICK.as_millis()
        );
        Ok(Demo { child })
    }

    pub(crate) fn pid(&self) -> u32 {
        self.child.id()
    }

    /// Ends it, and sets its own count beside what was measured.
    pub(crate) fn stop(mut self, diagnosis: &mut Diagnosis) {
        // No command can look at it again: what the page advises must not need it.
        if let Some(watched) = &mut diagnosis.watched {
            (watched.series.ended, watched.verdict.ended) = (true, true);
        }
        drop(self.child.stdin.take());
        let mut lost = String::new();
        if let Some(mut output) = self.child.stdout.take() {
            // Without its count the diagnosis stands all the same.
            let _ = output.read_to_string(&mut lost);
        }
        let measured = diagnosis.watched.as_ref().and_then(|watched| watched.verdict.rate);
        let (Ok(rate), Some(measured)) = (lost.trim().parse::<f64>(), measured) else { return };
        #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "rates for people")]
        let an_hour = |rate: f64| size(Bytes(rate.max(0.0) as u64));
        eprintln!(
            "demo: by its own count it lost {}/h; from outside Residue measured {}/h, allocator overhead included;\n\
             now one of yours: residue ps --top 10, then residue triage PID\n",
            an_hour(rate * 3600.0),
            an_hour(measured.estimate)
        );
    }
}

impl Drop for Demo {
    fn drop(&mut self) {
        // It may have ended by itself; then there is nothing to end.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// The leaking process itself: loses blocks until its input ends, then says how many bytes a second it lost.
pub(crate) fn leak() -> Result<Exit, Trouble> {
    let (ended, end) = channel::<()>();
    thread::spawn(move || {
        let _ = io::stdin().read_to_end(&mut Vec::new());
        drop(ended);
    });
    let started = Instant::now();
    let mut lost = 0_usize;
    while end.recv_timeout(TICK) == Err(RecvTimeoutError::Timeout) {
        for _ in 0..BLOCKS_A_TICK {
            Box::leak(black_box(vec![1_u8; BLOCK]).into_boxed_slice());
            lost += BLOCK;
        }
    }
    let rate = lost as f64 / started.elapsed().as_secs_f64();
    writeln!(io::stdout(), "{rate}")?;
    Ok(Exit::Done)
}
