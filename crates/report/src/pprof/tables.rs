use std::borrow::Cow;
use std::collections::HashMap;

use residue_model::Recording;
use residue_model::recording::{Code, CodeId, Place, RecordedModule};

use super::wire::Message;
use crate::frames::Modules;
use crate::words::recorded::place;

/// What samples point at: strings, functions, locations, mappings, each once.
///
/// The location of a code has the number of the code plus one, and so a mapping that of its module: 0 means none.
pub(super) struct Tables<'a> {
    recording: &'a Recording,
    modules: Modules,
    texts: Vec<Cow<'a, str>>,
    numbers: HashMap<Cow<'a, str>, u64>,
    functions: HashMap<(u64, u64), u64>,
    /// Locations that are no code, by their names.
    made: Vec<String>,
}

impl<'a> Tables<'a> {
    pub(super) fn of(recording: &'a Recording) -> Tables<'a> {
        let numbers = HashMap::from([("".into(), 0)]);
        Tables {
            recording,
            modules: Modules::of(recording),
            texts: vec!["".into()],
            numbers,
            functions: HashMap::new(),
            made: Vec::new(),
        }
    }

    pub(super) fn text(&mut self, text: impl Into<Cow<'a, str>>) -> u64 {
        let text = text.into();
        let next = self.texts.len() as u64;
        *self.numbers.entry(text).or_insert_with_key(|text| {
            self.texts.push(text.clone());
            next
        })
    }

    pub(super) fn location(code: CodeId) -> u64 {
        u64::from(code.0) + 1
    }

    /// A location that is no code: it has a name and no address.
    pub(super) fn location_named(&mut self, name: String) -> u64 {
        let known = self.made.iter().position(|made| *made == name);
        let index = known.unwrap_or_else(|| {
            self.made.push(name);
            self.made.len() - 1
        });
        (self.recording.calls.codes.len() + index + 1) as u64
    }

    /// Adds all tables to a profile.
    pub(super) fn finish(mut self, profile: Message) -> Message {
        let codes = &self.recording.calls.codes;
        let mut locations: Vec<Message> =
            (1..).zip(codes).map(|(number, code)| self.code(number, code)).collect();
        for (number, name) in (codes.len() as u64 + 1..).zip(self.made.clone()) {
            let line = self.line(name.into(), "".into(), None);
            locations.push(Message::default().number(1, number).message(4, &line));
        }
        let mappings = self.mappings();
        let profile = profile.messages(3, mappings).messages(4, locations);
        let mut functions: Vec<_> = self.functions.into_iter().map(|(what, number)| (number, what)).collect();
        functions.sort_unstable();
        let functions = functions.into_iter().map(|(number, (name, file))| {
            Message::default().number(1, number).number(2, name).number(3, name).number(4, file)
        });
        let profile = profile.messages(5, functions);
        self.texts.iter().fold(profile, |profile, text| profile.bytes(6, text.as_bytes()))
    }

    /// A location has the address of the call, as it was in the process; an inlined function is a line of it.
    fn code(&mut self, number: u64, code: &'a Code) -> Message {
        let bias = self.module(code).map_or(0, |(_, module)| module.bias);
        let mapping = self.module(code).map_or(0, |(index, _)| u64::from(index) + 1);
        let address = code.address.wrapping_add(bias).saturating_sub(1);
        let frames = self.modules.frames(code).into_iter();
        let lines: Vec<Message> = frames
            .map(|frame| {
                let name = frame.function.as_deref().map_or_else(|| place(&frame), str::to_owned);
                let file = frame.file.as_deref().unwrap_or_default();
                self.line(name.into(), file.to_owned().into(), frame.line)
            })
            .collect();
        Message::default().number(1, number).number(2, mapping).number(3, address).messages(4, lines)
    }

    fn module(&self, code: &Code) -> Option<(u32, &'a RecordedModule)> {
        let index = code.module?;
        Some((index, self.recording.modules.get(index as usize)?))
    }

    fn line(&mut self, function: Cow<'a, str>, file: Cow<'a, str>, line: Option<u32>) -> Message {
        let what = (self.text(function), self.text(file));
        let next = self.functions.len() as u64 + 1;
        let function = *self.functions.entry(what).or_insert(next);
        Message::default().number(1, function).number(2, line.unwrap_or(0).into())
    }

    /// The executable stands first: readers take the first one for the program.
    fn mappings(&mut self) -> Vec<Message> {
        let recording = self.recording;
        let mut modules: Vec<(u32, &RecordedModule)> = (0..).zip(&recording.modules).collect();
        modules.sort_by_key(|(_, module)| module.path != recording.program.executable);
        modules.into_iter().map(|(index, module)| self.mapping(index, module)).collect()
    }

    /// Says that a module's names are known only where all of them are: else readers look for more themselves.
    fn mapping(&mut self, index: u32, module: &'a RecordedModule) -> Message {
        let bytes = module.build_id.iter().flatten();
        let build_id: String = bytes
            .flat_map(|byte| [byte >> 4, byte & 0xf])
            .filter_map(|half| char::from_digit(half.into(), 16))
            .collect();
        let codes = self.recording.calls.codes.iter().filter(|code| code.module == Some(index));
        let named = |place: &Place| place.function.is_some();
        let is_named = codes.into_iter().all(|code| code.places.last().is_some_and(named));
        let mapping = Message::default()
            .number(1, u64::from(index) + 1)
            .number(2, module.start)
            .number(3, module.end)
            .number(5, self.text(module.path.as_str()))
            .number(6, self.text(build_id));
        (7..=10).fold(mapping, |mapping, field| mapping.number(field, is_named.into()))
    }
}
