use residue_model::{Address, Bytes, Module, Region, Snapshot};
use serde::Serialize;

/// A runtime that manages memory by itself: what native tools say of its heap is not the whole story.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Runtime {
    /// Which.
    pub kind: RuntimeKind,
    /// What told: the file's name, or where its heap begins.
    pub evidence: String,
}

/// Runtimes that are known by their files or by their heap.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum RuntimeKind {
    /// .NET, or the .NET Framework.
    #[serde(rename = "dotnet")]
    DotNet,
    /// A Java virtual machine.
    Jvm,
    /// V8: Chromium, Electron, Node.js.
    V8,
    /// Go.
    Go,
    /// Python.
    Python,
    /// Ruby.
    Ruby,
    /// PHP.
    Php,
    /// Mono, Unity too.
    Mono,
    /// Lua.
    Lua,
}

impl RuntimeKind {
    /// The name that people read.
    pub fn label(self) -> &'static str {
        match self {
            RuntimeKind::DotNet => ".NET",
            RuntimeKind::Jvm => "Java",
            RuntimeKind::V8 => "V8",
            RuntimeKind::Go => "Go",
            RuntimeKind::Python => "Python",
            RuntimeKind::Ruby => "Ruby",
            RuntimeKind::Php => "PHP",
            RuntimeKind::Mono => "Mono",
            RuntimeKind::Lua => "Lua",
        }
    }
}

/// The managed runtimes in a process, each once with what told first.
pub fn runtimes(snapshot: &Snapshot) -> Vec<Runtime> {
    let mut found: Vec<Runtime> = Vec::new();
    let mut add = |kind, evidence: &str| {
        if found.iter().all(|runtime| runtime.kind != kind) {
            found.push(Runtime { kind, evidence: evidence.into() });
        }
    };
    let modules = snapshot.modules.iter().filter(|module| !module.unloaded).map(Module::file_name);
    for name in modules.chain(mapped_files(&snapshot.regions)) {
        if let Some(kind) = of_file(name) {
            add(kind, name);
        }
    }
    if let Some(size) = go_arena(&snapshot.regions) {
        add(RuntimeKind::Go, &format!("arena of {} MiB at {GO_ARENA}", size.0 >> 20));
    }
    found.sort_by_key(|runtime| runtime.kind);
    found
}

/// Names of files of which some part is code: a script or a log that has a runtime's name in it is none.
fn mapped_files(regions: &[Region]) -> impl Iterator<Item = &str> {
    let is_code = |region: &&Region| region.protection.execute && region.name().contains(['/', '\\']);
    regions.iter().filter(is_code).map(|region| region.name().rsplit(['/', '\\']).next().unwrap_or_default())
}

fn of_file(name: &str) -> Option<RuntimeKind> {
    let lower = name.to_ascii_lowercase();
    let name = lower.strip_suffix(".exe").unwrap_or(&lower);
    // Versions stand behind names of programs (python3.11, php-fpm8.2) and of libraries (libjvm.so.1).
    let program = name.trim_end_matches(|byte: char| byte.is_ascii_digit() || byte == '.' || byte == '-');
    let library = name.split_once(".so").map_or(name, |(stem, _)| stem);
    let library = library.strip_suffix(".dylib").or_else(|| library.strip_suffix(".dll")).unwrap_or(library);
    let is_library = library.len() < name.len();
    if is_library { of_library(library) } else { of_program(program) }
}

fn of_program(name: &str) -> Option<RuntimeKind> {
    Some(match name {
        "node" | "nodejs" | "chrome" | "chromium" | "electron" | "msedge" | "d8" => RuntimeKind::V8,
        "python" | "pythonw" | "pypy" => RuntimeKind::Python,
        "ruby" | "rubyw" => RuntimeKind::Ruby,
        "php" | "php-fpm" | "php-cgi" => RuntimeKind::Php,
        "mono" | "mono-sgen" | "mono-boehm" => RuntimeKind::Mono,
        "lua" | "luajit" => RuntimeKind::Lua,
        _ => return None,
    })
}

/// By the name of a library without `.so…`, `.dll` or `.dylib`.
fn of_library(name: &str) -> Option<RuntimeKind> {
    let stem = name.trim_end_matches(|byte: char| byte.is_ascii_digit() || matches!(byte, '.' | '-' | '_'));
    Some(match (name, stem) {
        ("coreclr" | "libcoreclr" | "clr" | "mscorwks" | "libclrjit", _) => RuntimeKind::DotNet,
        ("jvm" | "libjvm", _) | (_, "j9vm" | "libj9vm") => RuntimeKind::Jvm,
        ("chrome" | "msedge" | "libcef" | "v8" | "libv8" | "libnode" | "node", _) => RuntimeKind::V8,
        (_, "python" | "libpython" | "libpypy" | "libpypy3-c") => RuntimeKind::Python,
        (_, "libruby" | "libruby-") => RuntimeKind::Ruby,
        _ if name.contains("msvcrt-ruby") || name.contains("ucrt-ruby") => RuntimeKind::Ruby,
        _ if name.starts_with("php") && matches!(stem, "php" | "php5ts" | "php7ts" | "php8ts") => {
            RuntimeKind::Php
        }
        (_, "libphp") => RuntimeKind::Php,
        (
            _,
            "mono" | "libmono" | "libmonosgen" | "libmonoboehm" | "mono-2.0-bdwgc" | "mono-2.0-sgen"
            | "mono-2.0-boehm" | "libmonobdwgc",
        ) => RuntimeKind::Mono,

        (_, "lua" | "liblua" | "libluajit") => RuntimeKind::Lua,
        _ => return None,
    })
}

/// Where Go puts the first arena of its heap on 64-bit machines, in steps of 64 MiB.
///
/// Source: Go `runtime/malloc.go`, `mallocinit`: hints from `0x00c0 << 32` on; `heapArenaBytes`.
const GO_ARENA: Address = Address(0xc0_0000_0000);
const GO_STEP: Bytes = Bytes::mib(64);

/// How much Go has reserved there: its committed part and the reserved one behind it.
fn go_arena(regions: &[Region]) -> Option<Bytes> {
    let mut end = GO_ARENA;
    let first = regions.partition_point(|region| region.range.start < GO_ARENA);
    for region in &regions[first..] {
        if region.range.start != end || !region.is_private_anonymous() {
            break;
        }
        end = region.range.end;
    }
    let size = Bytes(end.0 - GO_ARENA.0);
    (size > Bytes::ZERO && Address(size.0).is_aligned(GO_STEP)).then_some(size)
}

#[cfg(test)]
mod tests {
    use residue_model::{Protection, Range};

    use super::*;

    fn kinds(snapshot: &Snapshot) -> Vec<RuntimeKind> {
        runtimes(snapshot).iter().map(|runtime| runtime.kind).collect()
    }

    fn with_modules(names: &[&str]) -> Snapshot {
        let module = |name: &&str| Module { name: (*name).into(), ..Module::default() };
        Snapshot { modules: names.iter().map(module).collect(), ..Snapshot::default() }
    }

    fn region(start: u64, size: u64, letters: &[u8], name: &str) -> Region {
        Region {
            range: Range { start: Address(start), end: Address(start + size) },
            protection: Protection::from_letters(letters).expect("four letters"),
            name: (!name.is_empty()).then(|| name.into()),
            inode: u64::from(!name.is_empty()),
            ..Region::default()
        }
    }

    #[test]
    fn runtimes_are_known_by_their_files() {
        for (name, kind) in [
            ("C:\\Windows\\Microsoft.NET\\Framework\\v4.0.30319\\clr.dll", RuntimeKind::DotNet),
            ("/usr/share/dotnet/shared/Microsoft.NETCore.App/8.0.1/libcoreclr.so", RuntimeKind::DotNet),
            ("C:\\Program Files\\Java\\bin\\server\\jvm.dll", RuntimeKind::Jvm),
            ("/usr/lib/jvm/java-17/lib/server/libjvm.so", RuntimeKind::Jvm),
            ("C:\\Program Files\\nodejs\\node.exe", RuntimeKind::V8),
            ("/usr/lib/x86_64-linux-gnu/libnode.so.108", RuntimeKind::V8),
            ("C:\\Python311\\python311.dll", RuntimeKind::Python),
            ("/usr/lib/libpython3.11.so.1.0", RuntimeKind::Python),
            ("/usr/bin/python3.11", RuntimeKind::Python),
            ("/usr/lib/libruby-3.1.so.3.1", RuntimeKind::Ruby),
            ("C:\\Ruby\\bin\\x64-ucrt-ruby320.dll", RuntimeKind::Ruby),
            ("/usr/sbin/php-fpm8.2", RuntimeKind::Php),
            ("C:\\php\\php8ts.dll", RuntimeKind::Php),
            ("C:\\Game\\MonoBleedingEdge\\EmbedRuntime\\mono-2.0-bdwgc.dll", RuntimeKind::Mono),
            ("/usr/lib/liblua5.4.so.0", RuntimeKind::Lua),
        ] {
            assert_eq!(kinds(&with_modules(&[name])), [kind], "{name}");
        }
    }

    #[test]
    fn names_that_only_contain_one_are_no_runtime() {
        let names = [
            "/opt/python/bin/forecast",
            "/usr/lib/libjvmti_agent.so",
            "C:\\chrome\\helper.exe",
            "/home/node/app/libapp.so",
            "C:\\x\\mscoree.dll",
            "/usr/bin/phpstorm-launcher",
            "monolith.dll",
            "/usr/lib/libgo.so.22",
            "node_helper.exe",
        ];
        assert_eq!(kinds(&with_modules(&names)), []);
        let log = region(0x1000, 0x1000, b"r--p", "/var/log/python3");
        assert_eq!(kinds(&Snapshot { regions: vec![log], ..Snapshot::default() }), []);
        let unloaded = Module { name: "clr.dll".into(), unloaded: true, ..Module::default() };
        assert_eq!(kinds(&Snapshot { modules: vec![unloaded], ..Snapshot::default() }), []);
    }

    #[test]
    fn linux_tells_by_the_files_that_it_maps() {
        let regions = vec![region(0x1000, 0x1000, b"r-xp", "/usr/bin/python3.11")];
        let found = runtimes(&Snapshot { regions, ..Snapshot::default() });
        assert_eq!(found, [Runtime { kind: RuntimeKind::Python, evidence: "python3.11".into() }]);
    }

    #[test]
    fn go_is_known_by_its_arena() {
        let arena = |size| {
            vec![
                region(GO_ARENA.0, 0x40_0000, b"rw-p", ""),
                region(GO_ARENA.0 + 0x40_0000, size, b"---p", ""),
            ]
        };
        let snapshot = |regions| Snapshot { regions, ..Snapshot::default() };
        let found = runtimes(&snapshot(arena(0x3c0_0000)));
        assert_eq!(
            found,
            [Runtime { kind: RuntimeKind::Go, evidence: "arena of 64 MiB at 0xc000000000".into() }]
        );
        assert_eq!(runtimes(&snapshot(arena(0x1000))), []);
    }
}
