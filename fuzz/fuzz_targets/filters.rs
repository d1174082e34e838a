//! What a user may type: a question is understood, or refused with what would be right.
#![no_main]

use libfuzzer_sys::fuzz_target;
use residue_analysis::accounting::{ProcessFilter, View};
use residue_analysis::{Error, RegionFilter, RegionOrder, parse_size};
use residue_model::{Address, Process, Range, Region};

fuzz_target!(|text: &str| {
    let range = Range { start: Address(0x1000), end: Address(0x3000) };
    let region = Region { range, name: Some("[heap]".into()), ..Region::default() };
    let process = Process { name: "nginx".into(), command: Some("nginx -g".into()), ..Process::default() };

    match RegionFilter::parse(text) {
        Ok(filter) => assert!(filter.accepts(&region) || !filter.is_empty()),
        Err(error) => assert_helps(&error),
    }
    let conditions: Vec<String> = text.split('\n').map(Into::into).collect();
    match ProcessFilter::parse(&conditions) {
        Ok(filter) => {
            filter.accepts(&process);
            filter.accepts_mapping(b"/usr/lib/libc.so.6");
            assert!(filter.names_processes() || filter.names_users() || filter.is_by_mapping());
        }
        Err(error) => assert_helps(&error),
    }
    for view in [View::Process, View::User, View::Mapping] {
        match view.columns(text) {
            Ok(columns) => assert!(columns.iter().all(|column| view.column(column.key()).is_ok())),
            Err(error) => assert_helps(&error),
        }
    }
    if let Err(error) = RegionOrder::parse(text) {
        assert_helps(&error);
    }
    if let Some(size) = parse_size(text) {
        assert!(text.starts_with(|first: char| first.is_ascii_digit() || first == '.'), "{text}: {size:?}");
    }
});

fn assert_helps(error: &Error) {
    assert!(!error.to_string().is_empty() && error.remedy().is_some_and(|help| !help.is_empty()));
}
