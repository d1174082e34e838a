//! Programs that others wrote, as large as they come: recorded, they print and end as they do by themselves.

use residue_testkit::Program;

use crate::harness::folder::Folder;
use crate::harness::number;
use crate::harness::recorded::{Case, Recorded, report};

/// All of its processes were recorded, and something was allocated.
#[track_caller]
fn assert_same(words: &[&str]) -> Recorded {
    let recorded = Case::command(words).faithful();
    let total =
        |key: &str| recorded.reports().iter().map(|report| number(&report["totals"], key)).sum::<u64>();
    assert!(total("allocations") > 0, "{words:?}: {}", recorded.err);
    assert_eq!(total("dropped"), 0, "{words:?}: {}", recorded.err);
    recorded
}

const PYTHON: &str = r#"
import collections, gc, json, os, re, subprocess, sys, threading

words = collections.Counter(re.findall(r"\w+", "so it is, and so it was " * 500))
tree = json.loads(json.dumps({str(i): [i, {"words": dict(words)}] for i in range(2000)}))
print(len(tree), words["so"], flush=True)

def work(number, sums):
    sums[number] = sum(len(str(i) * 3) for i in range(20000))

sums = [0] * 8
threads = [threading.Thread(target=work, args=(i, sums)) for i in range(8)]
[thread.start() for thread in threads]
[thread.join() for thread in threads]
print(sums, flush=True)
print(subprocess.run([sys.executable, "-c", "print('a child')"], capture_output=True).stdout, flush=True)
child = os.fork()
if child == 0:
    tree.clear()
    gc.collect()
    os._exit(7)
print(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))
sys.exit(5)
"#;

#[test]
fn python_runs_threads_and_children() {
    let recorded = assert_same(&["python3", "-c", PYTHON]);
    assert!(recorded.others().len() >= 2, "a child by exec and one by fork: {:?}", recorded.others());
}

const GIT: &str = r#"
set -e
cd "$1"
rm -rf repository clone
git init --quiet repository
cd repository
for i in 1 2 3 4 5; do
    seq $i 3000 > numbers
    git add numbers
    git commit --quiet --message "numbers from $i"
done
git gc --quiet
git log --stat --format='%H %s'
git clone --quiet . ../clone
cd ../clone
git blame -s numbers | tail -n 3
git diff HEAD~3 --stat
"#;

#[test]
fn git_commits_packs_and_clones() {
    let folder = Folder::new();
    let mut case = Case::command(&["sh", "-c", GIT, "sh", &folder.path().display().to_string()])
        .env("GIT_CONFIG_GLOBAL", "/dev/null")
        .env("GIT_CONFIG_SYSTEM", "/dev/null");
    for who in ["AUTHOR", "COMMITTER"] {
        case = case
            .env(&format!("GIT_{who}_NAME"), "nobody")
            .env(&format!("GIT_{who}_EMAIL"), "nobody@localhost")
            .env(&format!("GIT_{who}_DATE"), "2026-01-01T00:00:00Z");
    }
    let recorded = case.faithful();
    assert!(recorded.others().len() > 20, "each git, and what it starts: {:?}", recorded.others());
}

const COMPILE: &str = r#"
set -e
cd "$1"
gcc -O2 -g -pthread -c "$2" -o churn.o
gcc -pthread churn.o -o churn
cksum churn.o < churn.o
./churn operations=10000 | cut -d' ' -f1-4
gcc -c /dev/null -o /no/such/folder/nothing.o 2> /dev/null
"#;

/// The compiler is four programs, the largest of which allocates by the gigabyte.
#[test]
fn gcc_compiles_a_program() {
    let source = concat!(env!("CARGO_MANIFEST_DIR"), "/../../testkit/programs/churn.c");
    let folder = Folder::new();
    let recorded = assert_same(&["sh", "-c", COMPILE, "sh", &folder.path().display().to_string(), source]);
    let compiler = recorded
        .others()
        .iter()
        .map(|path| report(path))
        .any(|report| number(&report["totals"], "allocations") > 10_000);
    assert!(compiler, "cc1 allocates much: {:?}", recorded.others());
}

#[test]
fn a_pipe_sorts_with_threads() {
    assert_same(&[
        "sh",
        "-c",
        "seq 200000 | sort --parallel=4 --random-sort --random-source=/bin/sh | cksum",
    ]);
}

#[test]
fn perl_fills_tables() {
    assert_same(&[
        "perl",
        "-e",
        "my %t = map { $_ => 'x' x ($_ % 300) } 1..50000; delete @t{1..20000}; print scalar(keys %t), qq(\\n);",
    ]);
}

/// A debugger, with a Python inside and a program beneath.
#[test]
fn gdb_runs_a_program() {
    let endings = Program::build("endings").path().expect("it compiles").display().to_string();
    assert_same(&[
        "gdb",
        "-nx",
        "-batch",
        "-ex",
        "python print(sum(range(1000)))",
        "-ex",
        "info line main",
        &endings,
    ]);
}
