//! The C libraries of Debian releases, unpacked beside the system's: the heap looks different in each.
//!
//! apt-get fetches them into folders of its own, so that the system's lists and packages stay as they are.

use std::fs;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::process::{self, Command};

use anyhow::{Context, Result, bail, ensure};
use residue_testkit::Libc;

use crate::place;
use crate::shell::{output, run, works};

/// What a program in C++ runs with, and what one in C is linked with when it must be linked with that library.
const RUNTIME: [&str; 3] = ["libc6", "libgcc-s1", "libstdc++6"];
const HEADERS: [&str; 2] = ["libc6-dev", "linux-libc-dev"];

/// Where no sources of the system name a mirror of Debian.
const MIRROR: &str = "http://deb.debian.org/debian";
const KEYRING: &str = "/usr/share/keyrings/debian-archive-keyring.gpg";

const CONFIGURATION: &str = "apt.conf";

/// Unpacks the libraries that are missing, and gives which. One that cannot be had does not keep the others out.
pub(crate) fn install() -> Result<Vec<String>> {
    let missing: Vec<Libc> = Libc::UNPACKED.into_iter().filter(|libc| libc.packages().is_none()).collect();
    if missing.is_empty() {
        return Ok(Vec::new());
    }
    if cfg!(not(target_arch = "x86_64")) || !works(Command::new("apt-get").arg("--version")) {
        println!("no Debian on x86-64 here: tests with C libraries of its releases will fail");
        return Ok(Vec::new());
    }
    let mirror = mirror();
    let mut installed = Vec::new();
    let mut failures = Vec::new();
    for libc in missing {
        let suite = libc.suite().context("the system's library is never missing")?;
        match unpack(libc, suite, &mirror) {
            Ok(()) => installed.push(format!("the C library of {suite}")),
            Err(error) => failures.push(format!("{suite}: {error:#}")),
        }
    }
    if !failures.is_empty() {
        bail!("no C library of {} (asked {mirror})", failures.join("; "));
    }
    Ok(installed)
}

/// The mirror that the system itself is installed from: where no other can be reached it still can.
fn mirror() -> String {
    let mut command = Command::new("apt-get");
    command.args(["indextargets", "--format", "$(REPO_URI)", "Created-By: Packages", "Label: Debian"]);
    let uris = output(&mut command).unwrap_or_default();
    uris.lines().map(str::trim).find(|uri| !uri.is_empty()).unwrap_or(MIRROR).to_owned()
}

/// Two clones may do this at the same time: each in folders of its own, and either may be the one that stays.
fn unpack(libc: Libc, suite: &str, mirror: &str) -> Result<()> {
    let folder = libc.folder().context("it has no folder")?;
    let work = place::target().join(format!("libc-{suite}.{}", process::id()));
    let new = folder.with_extension(process::id().to_string());
    clear(&work)?;
    clear(&new)?;
    let filled = fill(&new, suite, mirror, &work).and_then(|()| replace(&folder, &new));
    clear(&work)?;
    clear(&new)?;
    if libc.packages().is_some() { Ok(()) } else { filled }
}

fn fill(new: &Path, suite: &str, mirror: &str, work: &Path) -> Result<()> {
    let packages = fetch(suite, mirror, work)?;
    make(new)?;
    for package in &packages {
        run(Command::new("dpkg-deb").arg("--extract").arg(package).arg(new))?;
    }
    relink(new)?;
    let names: Vec<_> = packages.iter().filter_map(|package| package.file_stem()?.to_str()).collect();
    Libc::mark(new, &(names.join("\n") + "\n")).with_context(|| format!("failed to mark {}", new.display()))
}

fn replace(folder: &Path, new: &Path) -> Result<()> {
    clear(folder)?;
    fs::rename(new, folder).with_context(|| format!("failed to move {} into place", new.display()))
}

/// The packages as files, fetched with apt-get's own checks of who signed them.
fn fetch(suite: &str, mirror: &str, work: &Path) -> Result<Vec<PathBuf>> {
    let packages = work.join("packages");
    for part in ["state/lists/partial", "cache/archives/partial", "packages"] {
        make(&work.join(part))?;
    }
    let sources = format!("deb [signed-by={KEYRING}] {mirror} {suite} main\n");
    // An empty status: nothing is installed, as far as it is to know.
    for (name, text) in
        [("sources.list", sources), ("status", String::new()), (CONFIGURATION, configuration(work))]
    {
        let path = work.join(name);
        fs::write(&path, text).with_context(|| format!("failed to write {}", path.display()))?;
    }
    run(apt(work).args(["--quiet", "--error-on=any", "update"]))?;
    let names = [&RUNTIME[..], &HEADERS[..]].concat();
    run(apt(work).args(["--quiet", "download"]).args(&names).current_dir(&packages))?;

    let mut files = Vec::new();
    for entry in fs::read_dir(&packages)? {
        files.push(entry?.path());
    }
    files.sort();
    ensure!(files.len() == names.len(), "apt-get fetched {} of {} packages", files.len(), names.len());
    Ok(files)
}

/// apt-get with a state of its own. Of the system's configuration only the way to the network counts.
fn apt(work: &Path) -> Command {
    let mut command = Command::new("apt-get");
    command.arg("--config-file").arg(work.join(CONFIGURATION));
    command
}

/// As root apt-get would work as a user who may not enter this folder: so not here.
fn configuration(work: &Path) -> String {
    let work = work.display();
    format!(
        "Dir::Etc::SourceList \"{work}/sources.list\";\n\
         Dir::Etc::SourceParts \"/dev/null\";\n\
         Dir::Etc::Preferences \"/dev/null\";\n\
         Dir::Etc::PreferencesParts \"/dev/null\";\n\
         Dir::State \"{work}/state\";\n\
         Dir::State::status \"{work}/status\";\n\
         Dir::Cache \"{work}/cache\";\n\
         APT::Sandbox::User \"root\";\n\
         APT::Architecture \"amd64\";\n\
         APT::Architectures {{ \"amd64\"; }};\n\
         Acquire::IndexTargets::deb::DEP-11::DefaultEnabled \"false\";\n"
    )
}

/// Makes links from the root relative: the linker would follow them to the system's libraries.
fn relink(root: &Path) -> Result<()> {
    for (place, back) in [("usr/lib/x86_64-linux-gnu", "../../.."), ("lib64", "..")] {
        let folder = root.join(place);
        // Since `/lib` is a part of `/usr`, `/lib64` comes with another package.
        let Ok(entries) = fs::read_dir(&folder) else { continue };
        for entry in entries {
            let link = entry?.path();
            let Ok(aim) = fs::read_link(&link) else { continue };
            let Ok(inside) = aim.strip_prefix("/") else { continue };
            fs::remove_file(&link)?;
            symlink(Path::new(back).join(inside), &link)
                .with_context(|| format!("failed to link {}", link.display()))?;
        }
    }
    Ok(())
}

fn clear(folder: &Path) -> Result<()> {
    if !folder.exists() {
        return Ok(());
    }
    fs::remove_dir_all(folder).with_context(|| format!("failed to remove {}", folder.display()))
}

fn make(folder: &Path) -> Result<()> {
    fs::create_dir_all(folder).with_context(|| format!("failed to make {}", folder.display()))
}
