//! `gdb`: the same questions from inside the debugger, at a breakpoint, of a program that knows its blocks.

use std::collections::BTreeMap;
use std::fs::{self, Permissions};
use std::io::{BufRead, BufReader, Read};
use std::os::unix::fs::PermissionsExt;
use std::process::{Command, Stdio};

use insta::assert_snapshot;
use residue_testkit::{Facts, Program};
use serde_json::Value;

use crate::harness::dumped::Dumped;
use crate::harness::folder::Folder;
use crate::harness::{Ran, document, residue, row_of, rows, text, word};

/// Before it has told anything: what it would tell stands in its memory, all threads stand where they will stay.
const TO_THE_END: [&str; 2] = ["break tell", "run </dev/null"];

fn script(folder: &Folder) -> String {
    let script = folder.file("residue.py");
    residue(&["gdb", "--output", &script]).good();
    script
}

fn gdb(folder: &Folder, program: &str, commands: &[&str]) -> Command {
    let mut gdb = Command::new("gdb");
    // A compiled program may be older than its source in a fresh clone, which gdb warns of where it shows lines.
    gdb.args(["-q", "-batch", "-nx", "-iex", "set source open off", "-x", &script(folder)]);
    for command in commands {
        gdb.args(["-ex", command]);
    }
    gdb.arg(program).stdin(Stdio::null()).env_remove("RESIDUE").env_remove("DEBUGINFOD_URLS");
    gdb
}

fn leakkinds() -> String {
    let path = Program::build("leakkinds.c").path().expect("it compiles");
    path.to_str().expect("a plain path").to_owned()
}

/// What gdb says when it runs a program with known leaks to its end, and is asked there.
fn asked(commands: &[&str]) -> Ran {
    Ran::of(gdb(&Folder::new(), &leakkinds(), &[&TO_THE_END[..], commands].concat()))
}

/// What the program tells once it goes on.
fn facts(said: &str) -> Facts {
    Facts::of(
        said.lines().find(|line| line.starts_with("ready ")).unwrap_or_else(|| panic!("no facts: {said}")),
    )
}

/// The documents among what gdb says.
fn documents(said: &str) -> Vec<Value> {
    let lines = said.lines().filter(|line| line.starts_with('{'));
    lines.map(|line| serde_json::from_str(line).expect("a document")).collect()
}

/// The kind of each block that records name.
fn kinds(leaks: &Value) -> BTreeMap<u64, String> {
    let mut kinds = BTreeMap::new();
    for record in rows(leaks, "leaks") {
        for address in record["addresses"].as_array().expect("a list") {
            let digits = address.as_str().and_then(|text| text.strip_prefix("0x")).expect("an address");
            let address = u64::from_str_radix(digits, 16).expect("hexadecimal");
            kinds.insert(address, word(record, "kind").to_owned());
        }
    }
    kinds
}

/// The kind of a block as the program says; a lost ring is lost as a whole, where memcheck would choose a member.
fn told<'a>(facts: &'a Facts, name: &str) -> &'a str {
    let is_of_ring = name.starts_with("ring") && !name.contains("tail");
    if is_of_ring { "definite" } else { facts.text(&format!("{name}_kind")) }
}

/// Fails the test unless each block is of the kind that the program says.
#[track_caller]
fn as_told(facts: &Facts, leaks: &Value) {
    let kinds = kinds(leaks);
    let names: Vec<&str> = facts.names().filter_map(|name| name.strip_suffix("_kind")).collect();
    assert!(names.len() > 40, "{names:?}");
    for name in names {
        let told = told(facts, name);
        let found = kinds.get(&facts.number(name)).map_or("freed", String::as_str);
        assert_eq!(found, told, "{name}");
    }
}

#[test]
fn a_program_at_a_breakpoint_is_told_as_it_is_and_runs_on_to_its_end() {
    let ran = asked(&[
        "residue leaks --kinds all --all-addresses --json",
        "delete",
        "continue",
        "print $_exitcode",
        "print $residue_leaked_blocks",
    ]);

    let said = ran.text();
    let leaks = &documents(&said)[0];
    let facts = facts(&said);
    as_told(&facts, leaks);
    assert_eq!(leaks["fuzzy"], false);
    assert_eq!(rows(leaks, "gaps"), &[] as &[Value], "it sees everything");
    assert!(said.contains("exited normally") && said.contains("$1 = 0"), "{said}");
    let names = facts.names().filter_map(|name| name.strip_suffix("_kind"));
    let lost = names.filter(|name| told(&facts, name) == "definite").count();
    assert!(said.contains(&format!("$2 = {lost}\n")), "{said}");
}

/// Without the registers that gdb tells, a block that only a register holds passes for lost.
#[test]
#[cfg(target_arch = "x86_64")]
fn what_only_a_register_holds_is_not_lost() {
    let without = format!(
        "python gdb.execute('shell {} leaks %d --no-stop --all-addresses --json' % gdb.selected_inferior().pid)",
        crate::harness::BINARY
    );
    let ran = asked(&[
        "residue leaks --kinds definite,reachable --all-addresses --json",
        &without,
        "delete",
        "continue",
    ]);

    let said = ran.text();
    let register = facts(&said).number("register");
    let [with, without] = &documents(&said)[..] else { panic!("two: {said}") };
    assert_eq!(kinds(with)[&register], "reachable");
    assert_eq!(kinds(without)[&register], "definite");
    row_of(rows(with, "roots"), "kind", "registers");
}

/// A block in a register of the thread that stands at the breakpoint itself, and in none of its memory yet.
#[test]
#[cfg(target_arch = "x86_64")]
fn what_malloc_has_just_returned_is_not_lost() {
    let ran = Ran::of(gdb(
        &Folder::new(),
        &leakkinds(),
        &[
            "break lose_alone",
            "run </dev/null",
            "break malloc",
            "continue",
            "delete",
            "finish",
            "python print('BLOCK', hex(int(gdb.parse_and_eval('$rax'))))",
            "residue leaks --kinds all --all-addresses --json",
            "residue refs $rax --json",
        ],
    ));

    let said = ran.text();
    let block = said.lines().find_map(|line| line.strip_prefix("BLOCK 0x")).expect("an address");
    let block = u64::from_str_radix(block, 16).expect("an address");
    let [leaks, refs] = &documents(&said)[..] else { panic!("two: {said}") };
    assert_eq!(kinds(leaks)[&block], "reachable");
    assert!(
        rows(refs, "references").iter().any(|reference| reference.to_string().contains("register")),
        "{refs}"
    );
}

#[test]
fn the_other_questions_are_answered_too() {
    let ran = asked(&[
        "residue heap",
        "residue refs global",
        "residue refs &global sizeof(global) --limit 3",
        "residue blocks 1",
        "residue map",
        "residue search --pointer 0",
        "residue read global 16",
        "residue read &global sizeof(global)",
    ]);

    let said = ran.text();
    assert!(ran.err.is_empty(), "{}", ran.err);
    for words in [
        "Heap of ",
        "a debugger holds it",
        "global in leakkinds",
        "Record 1 of ",
        "Address space of ",
        " matches in ",
        "LIVE BLOCKS BY SIZE",
    ] {
        assert!(said.contains(words), "{words}: {said}");
    }
}

/// What an answer offers as the next question is meant to be typed.
#[test]
fn what_is_offered_next_works_as_it_stands() {
    let next = "python gdb.execute('residue blocks %d 1' % gdb.selected_inferior().pid)";
    let ran = asked(&[next]);

    assert!(ran.err.is_empty(), "{}", ran.err);
    assert!(ran.text().contains("Record 1 of "), "{}", ran.text());
}

#[test]
fn gdb_stands_where_it_stood() {
    let selected = "python print('SELECTED', gdb.selected_thread().num, gdb.selected_frame().level())";
    let ran = asked(&["thread 3", "frame 1", selected, "residue leaks", selected]);

    let said = ran.text();
    let told: Vec<&str> = said.lines().filter(|line| line.starts_with("SELECTED")).collect();
    assert_eq!(told, ["SELECTED 3 1"; 2]);
}

/// Under the number of such a process the kernel shows no memory: one of its threads must lend its own.
#[test]
fn a_program_whose_main_thread_has_ended_is_told_too() {
    let path = Program::build("leaderless").path().expect("it compiles");
    let all = "residue leaks --kinds all --all-addresses --json";
    let commands = [&TO_THE_END[..], &[all, "delete", "continue"]].concat();
    let ran = Ran::of(gdb(&Folder::new(), path.to_str().expect("a plain path"), &commands));

    let said = ran.text();
    let [leaks] = &documents(&said)[..] else { panic!("one: {said} {}", ran.err) };
    let (kinds, facts) = (kinds(leaks), facts(&said));
    assert_eq!(kinds[&facts.number("held")], "reachable");
    assert_eq!(kinds[&facts.number("lost")], "definite");
}

/// What runs on while it is read would be half old and half new.
#[test]
fn a_program_of_which_a_thread_runs_is_refused() {
    let commands = [&["set non-stop on"], &TO_THE_END[..], &["residue leaks"]].concat();
    Ran::of(gdb(&Folder::new(), &leakkinds(), &commands)).says(&[" is running: interrupt it first."]);
}

/// gdb reads a core: then so does Residue, and says the same as without gdb.
#[test]
fn a_core_in_gdb_is_told_as_it_is() {
    let dumped = Dumped::of("leakkinds.c", &[]);
    let all = ["--kinds", "all", "--all-addresses"];
    let commands = [
        &format!("core-file {}", dumped.core),
        "residue leaks --kinds all --all-addresses --json",
        "residue refs global",
    ];
    let ran = Ran::of(gdb(&dumped.folder, &leakkinds(), &commands));

    let said = ran.text();
    let leaks = &documents(&said)[0];
    as_told(dumped.program.facts(), leaks);
    let without = document(&[&["leaks", &dumped.core], &all[..]].concat());
    assert_eq!(leaks, &without);
    assert!(said.contains("global in leakkinds"), "{said}");
}

#[test]
fn a_question_that_cannot_be_answered_is_an_error_of_gdb() {
    let ran = Ran::of(gdb(&Folder::new(), &leakkinds(), &["residue leaks"]));
    ran.says(&["There is no program to look at"]);
    let ran = asked(&[
        "residue refs",
        "residue refs --to-root",
        "residue refs nosuch",
        "residue refs unaligned",
        "residue blocks 4711",
        "residue leaks --nonsense",
        "residue nonsense",
        "residue leaks --fail-on leak",
        "set residue-path /nowhere/residue",
        "residue heap",
    ]);
    ran.says(&[
        "Write: residue refs EXPRESSION",
        "`nosuch`: No symbol \"nosuch\" in current context.",
        "write &unaligned",
        "has no record 4711",
        "'--nonsense'",
        "Undefined residue command: \"nonsense\"",
        "What --fail-on asks for is so.",
        "Cannot run /nowhere/residue: No such file",
    ]);
    assert!(!ran.err.contains("Python Exception") && !ran.err.contains("Traceback"), "{}", ran.err);
}

/// Ctrl-C in a long search must not cost the debugging session.
#[test]
fn an_interrupt_ends_the_question_and_nothing_else() {
    let folder = Folder::new();
    let told = folder.file("told");
    let slow = folder.with(
        "slow",
        format!("#!/bin/sh\ntrap 'echo interrupted > {told}; exit 130' INT\necho begun\nwhile :; do sleep 0.01; done\n"),
    );
    fs::set_permissions(&slow, Permissions::from_mode(0o755)).expect("it is ours");
    let path = format!("set residue-path {slow}");
    let commands =
        [&TO_THE_END[..], &[&path, "residue leaks", "delete", "continue", "print $_exitcode"]].concat();
    let mut gdb = gdb(&folder, &leakkinds(), &commands)
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("gdb is installed");
    let mut lines =
        BufReader::new(gdb.stdout.take().expect("asked for")).lines().map(|line| line.expect("text"));
    assert!(lines.any(|line| line == "begun"), "it begins");
    crate::harness::oracle::tool("kill", &["-INT", &gdb.id().to_string()]);

    let rest: Vec<String> = lines.collect();
    let mut errors = String::new();
    gdb.stderr.take().expect("asked for").read_to_string(&mut errors).expect("text");
    gdb.wait().expect("it was started here");
    assert_eq!(fs::read_to_string(told).expect("it was told"), "interrupted\n", "{rest:?}");
    assert!(errors.contains("Interrupted."), "{errors}");
    assert!(rest.iter().any(|line| line == "$1 = 0"), "{rest:?}");
}

/// What is told must be of the process, and of this moment: a stale register would make a lost block look held.
#[test]
fn registers_that_are_not_of_now_are_refused() {
    let folder = Folder::new();
    let program = Program::build("posed").spawn(&["threads=1"]);
    let pid = program.pid().to_string();
    let names = "r15 r14 r13 r12 rbp rbx r11 r10 r9 r8 rax rcx rdx rsi rdi orig_rax rip cs eflags rsp ss fs_base \
                 gs_base ds es fs gs";
    let line = |tid: &str| {
        names.split_ascii_whitespace().fold(tid.to_owned(), |line, name| line + " " + name + "=0x10")
    };
    let old = folder.with("old", line(&pid) + "\n");
    let of_another = folder.with("another", line(&pid) + "\n" + &line("4194305") + "\n");
    let wrong = folder.with("wrong", line(&pid) + "\n12 rip=nonsense\n");
    let ask = |file: &str| residue(&["leaks", &pid, "--stopped-by-debugger", file]).ended(3);

    ask(&wrong).says(&["line 2 of ", "`rip=nonsense` is not REGISTER=0xNUMBER"]);
    ask("/nowhere").says(&["cannot read /nowhere"]);
    ask(&of_another).says(&["has no thread 4194305"]);
    ask(&old).says(&["no debugger holds thread "]);
    let held = format!("shell {} leaks {pid} --stopped-by-debugger {old}", crate::harness::BINARY);
    let mut gdb = Command::new("gdb");
    gdb.args(["-q", "-batch", "-nx", "-p", &pid, "-ex", &held]).stdin(Stdio::null());
    Ran::of(gdb).says(&["the registers that are told of thread ", " are old"]);
    residue(&["leaks", &pid, "--stopped-by-debugger", &old, "--no-stop"]).ended(2);
}

/// The words that users of gdb meet.
#[test]
fn help_in_gdb() {
    let questions = ["", " leaks", " heap", " blocks", " refs", " map", " search", " read"];
    let commands: Vec<String> = questions.iter().map(|question| format!("help residue{question}")).collect();
    let commands: Vec<&str> = commands.iter().map(String::as_str).collect();
    let said = Ran::of(gdb(&Folder::new(), "-nw", &commands)).good().text();
    let own: Vec<&str> = said
        .lines()
        .filter(|line| !line.starts_with("Type \"") && !line.starts_with("Command name abbreviations"))
        .collect();
    assert_snapshot!(own.join("\n"));
}

#[test]
fn options_and_expressions_are_completed() {
    let ran = asked(&["complete residue re", "complete residue leaks --k", "complete residue refs global_"]);
    let said = ran.text();
    for line in ["residue read", "residue refs", "residue leaks --kinds"] {
        assert!(said.lines().any(|said| said == line), "{line}: {said}");
    }
}

#[test]
fn the_script_names_the_program_that_printed_it() {
    let script = text(&["gdb"]);
    let own = fs::canonicalize(crate::harness::BINARY).expect("it is there");
    assert!(script.contains(&format!("b\"{}\"", own.display())), "{script:.500}");
    let folder = Folder::new();
    let said = Ran::of(gdb(&folder, "-nw", &["show residue-path"])).good().text();
    assert!(said.contains(&own.display().to_string()), "{said}");
    let mut other = gdb(&folder, "-nw", &["show residue-path"]);
    other.env("RESIDUE", "/opt/other/residue");
    let said = Ran::of(other).good().text();
    assert!(said.contains("runs /opt/other/residue."), "{said}");
}
