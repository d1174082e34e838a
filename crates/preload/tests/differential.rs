//! Every return address of very many stacks, against what the compiler's own runtime says.

mod libraries;
mod stacks;

use std::ffi::c_long;
use std::sync::{Mutex, MutexGuard};

use libraries::Library;
use stacks::{Report, probe};

/// In how many looks a stack must be the same; `STACKS=100000` for more.
fn looks() -> c_long {
    std::env::var("STACKS").ok().and_then(|count| count.parse().ok()).unwrap_or(1000)
}

/// Signals and the report are the process's.
fn alone() -> MutexGuard<'static, ()> {
    static ALONE: Mutex<()> = Mutex::new(());
    ALONE.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
}

#[test]
fn c_programs_have_the_stacks_that_the_runtime_sees() {
    let _alone = alone();
    for flags in [
        &["-O0"][..],
        &["-O2"],
        &["-O3", "-mavx2"],
        &["-Os"],
        &["-O2", "-fno-omit-frame-pointer"],
        &["-O2", "-fcf-protection=full", "-fstack-protector-all", "-fstack-clash-protection"],
        &["-O2", "-fno-plt"],
    ] {
        let library = Library::build_with("calls.c", "gcc", flags);
        let count = looks();
        let report = run(&library, "run", count);
        report.assert_same(3 * count as u64, &format!("calls.c {flags:?}"));
        assert_eq!(report.shorter, 0);
    }
}

#[test]
fn interrupted_programs_have_the_stacks_that_the_runtime_sees() {
    let _alone = alone();
    for flags in [&["-O2"][..], &["-O0"], &["-Os", "-fno-omit-frame-pointer"]] {
        let library = Library::build_with("calls.c", "gcc", flags);
        let count = looks() / 4;
        let report = run(&library, "be_interrupted", count);
        report.assert_same(count as u64 / 2, &format!("calls.c interrupted {flags:?}"));
        // In the few instructions that realign a stack the frame is told by a register that is not followed.
        assert!(report.shorter * 10 < report.same, "{report:?}");
    }
}

#[test]
fn cpp_programs_have_the_stacks_that_the_runtime_sees() {
    let _alone = alone();
    for flags in [&["-O0"][..], &["-O2"], &["-O3", "-fno-omit-frame-pointer"]] {
        let library = Library::build_with("calls.cpp", "g++", flags);
        let count = looks();
        let report = run(&library, "run", count);
        report.assert_same(3 * count as u64, &format!("calls.cpp {flags:?}"));
        assert_eq!(report.shorter, 0);
    }
}

#[test]
fn rust_programs_have_the_stacks_that_the_runtime_sees() {
    let _alone = alone();
    let count = u64::try_from(looks()).expect("a count");
    std::thread::scope(|scope| {
        for seed in 0..3 {
            scope.spawn(move || Calls { random: seed, looks: 0 }.until(count));
        }
    });
    let report = Report::take();
    stacks::forget();
    report.assert_same(3 * count, "Rust");
    assert_eq!(report.shorter, 0);
}

/// Calls of all shapes that Rust gives frames.
struct Calls {
    random: u64,
    looks: u64,
}

trait Visit {
    fn visit(&self, calls: &mut Calls, depth: usize) -> u64;
}

struct Leaf([u8; 40]);
struct Branch(Vec<Box<dyn Visit>>);

impl Visit for Leaf {
    fn visit(&self, calls: &mut Calls, depth: usize) -> u64 {
        calls.next(depth) + u64::from(self.0[depth % 40])
    }
}

impl Visit for Branch {
    fn visit(&self, calls: &mut Calls, depth: usize) -> u64 {
        self.0.iter().map(|inner| inner.visit(calls, depth / 2)).sum()
    }
}

/// Looks while a panic goes by, or a scope ends.
struct Witness;

impl Drop for Witness {
    fn drop(&mut self) {
        unsafe { probe() };
    }
}

impl Calls {
    fn until(&mut self, count: u64) {
        while self.looks < count {
            let depth = 1 + self.pick(12);
            self.next(depth);
        }
    }

    fn pick(&mut self, below: usize) -> usize {
        self.random =
            self.random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.random >> 33) as usize % below
    }

    fn look(&mut self) {
        self.looks += 1;
        unsafe { probe() };
    }

    #[inline(never)]
    fn next(&mut self, depth: usize) -> u64 {
        if depth == 0 || self.pick(5) == 0 {
            self.look();
        }
        let Some(depth) = depth.checked_sub(1) else { return 1 };
        match self.pick(6) {
            0 => Leaf([1; 40]).visit(self, depth),
            1 => Branch(vec![Box::new(Leaf([2; 40])), Box::new(Branch(vec![Box::new(Leaf([3; 40]))]))])
                .visit(self, depth),
            2 => self.sort(depth),
            3 => self.caught(depth),
            4 => self.by_closure(&|calls, depth| calls.next(depth) + 1, depth),
            _ => self.collect(depth),
        }
    }

    fn sort(&mut self, depth: usize) -> u64 {
        let mut all: Vec<String> = (0..5).map(|_| format!("{}", self.pick(1000))).collect();
        all.sort_by(|left, right| {
            if self.pick(8) == 0 {
                self.look();
            }
            left.cmp(right)
        });
        self.next(depth) + all.len() as u64
    }

    fn caught(&mut self, depth: usize) -> u64 {
        let result = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
            let _witness = Witness;
            if self.pick(4) == 0 {
                std::panic::resume_unwind(Box::new("thrown to be caught"));
            }
            self.next(depth)
        }));
        result.unwrap_or_else(|_| self.next(depth))
    }

    fn by_closure(&mut self, call: &dyn Fn(&mut Calls, usize) -> u64, depth: usize) -> u64 {
        let values = std::hint::black_box([depth as f64; 7]);
        call(self, depth) + values[3] as u64
    }

    fn collect(&mut self, depth: usize) -> u64 {
        let found: std::collections::BTreeMap<usize, u64> =
            (0..2).map(|key| (key, self.next(depth / (key + 1)))).collect();
        found.values().sum()
    }
}

/// Runs a function of a program, which calls the probe.
fn run(library: &Library, name: &str, count: c_long) -> Report {
    let loaded = library.load();
    let function: unsafe extern "C" fn(unsafe extern "C" fn(), c_long) =
        unsafe { std::mem::transmute(loaded.function(name)) };
    unsafe { function(probe, count) };
    drop(loaded);
    stacks::forget();
    Report::take()
}
