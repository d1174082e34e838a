//! The writing side of a dump, in the caller's thread.

use std::os::unix::fs::FileExt;
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender};
use std::time::Duration;

use residue_model::Bytes;

use super::DumpProgress;
use super::capture::Captured;
use super::copy::{Chunk, Event};
use super::elf::{front, program_header_size, program_headers};
use super::sparse::write_sparse;
use crate::live::output::{Draft, Place};
use crate::{Error, ErrorKind, Result};

/// How often an interruption is looked for when nothing comes.
const PATIENCE: Duration = Duration::from_millis(50);

/// Writes what the reader sends.
pub(super) struct Writer<'a> {
    pub(super) place: &'a Place,
    pub(super) draft: &'a Draft,
    pub(super) interrupted: &'a dyn Fn() -> bool,
    pub(super) progress: &'a mut dyn FnMut(DumpProgress),
    /// How much can be copied before any of it is written.
    pub(super) staging: Bytes,
}

impl Writer<'_> {
    /// Writes chunks and hands them back, until the reader has no more.
    ///
    /// # Errors
    /// When writing fails or the caller asks to stop.
    #[allow(
        clippy::needless_pass_by_value,
        reason = "the reader sees by their end that nobody writes any more"
    )]
    pub(super) fn write<'c>(
        &mut self,
        events: Receiver<Event<'c>>,
        free: Sender<&'c mut [u8]>,
    ) -> Result<()> {
        let (mut done, mut all) = (Bytes::ZERO, Bytes::ZERO);
        // Where everything has room, nothing is written before the process runs again: writing would take processors and
        // the memory's bandwidth from those who read.
        let (mut waits, mut waiting) = (true, Vec::new());
        loop {
            self.go_on()?;
            match events.recv_timeout(PATIENCE) {
                Ok(Event::Stopped) => (self.progress)(DumpProgress::Stopped),
                Ok(Event::Planned(size)) => (all, waits) = (size, size <= self.staging),
                Ok(Event::Filled(chunk)) => waiting.push(chunk),
                Ok(Event::Resumed(stopped)) => {
                    waits = false;
                    (self.progress)(DumpProgress::Resumed(stopped));
                }
                Err(RecvTimeoutError::Timeout) => {}
                Err(RecvTimeoutError::Disconnected) => return Ok(()),
            }
            for chunk in if waits { Vec::new() } else { std::mem::take(&mut waiting) } {
                self.go_on()?;
                done += self.chunk(&chunk)?;
                (self.progress)(DumpProgress::Copied(done, all));
                // The reader may have all it needs.
                let _ = free.send(chunk.bytes);
            }
        }
    }

    fn chunk(&self, chunk: &Chunk<'_>) -> Result<Bytes> {
        let mut written = Bytes::ZERO;
        for (bytes, offset) in chunk.extents() {
            write_sparse(&self.draft.file, bytes, offset).map_err(|error| self.place.failed(error))?;
            written += Bytes(bytes.len() as u64);
        }
        Ok(written)
    }

    /// Writes the notes and the headers, which are known only now: what could not be read has split segments.
    pub(super) fn finish(&self, captured: &Captured) -> Result<()> {
        let mut layout = captured.layout;
        let mut end = captured.end;
        let count = captured.segments.len() + 1;
        let size = count as u64 * u64::from(program_header_size(layout.machine));
        if layout.headers + size > layout.notes.0 {
            // More than there is room for at the front, where readers of a cut file would find them.
            layout.headers = end.next_multiple_of(8);
            end = layout.headers + size;
        }
        let page_size_bytes = rustix::param::page_size() as u64;
        let headers = program_headers(&layout, &captured.segments, page_size_bytes);
        let file = &self.draft.file;
        let written = file
            .set_len(end)
            .and_then(|()| file.write_all_at(&front(&layout, count), 0))
            .and_then(|()| file.write_all_at(&captured.notes, layout.notes.0))
            .and_then(|()| file.write_all_at(&headers, layout.headers));
        written.map_err(|error| self.place.failed(error))
    }

    /// The draft once more, compressed.
    pub(super) fn compress(&mut self) -> Result<Draft> {
        let all = self.draft.file.metadata().map_err(|error| self.place.failed(error))?.len();
        let (place, draft) = (self.place, self.draft);
        place.compress(&draft.file, &mut |done| {
            (self.progress)(DumpProgress::Compressed(done, Bytes(all)));
            self.go_on()
        })
    }

    fn go_on(&self) -> Result<()> {
        if (self.interrupted)() {
            return Err(Error::new(ErrorKind::Interrupted, "interrupted: no core was written"));
        }
        Ok(())
    }
}
