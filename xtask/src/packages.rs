//! Debian packages.

use std::process::Command;

use anyhow::{Context, Result, bail};

use crate::shell::{self, output, works};

/// Installs those that are missing. Where there is no Debian it names them and does nothing.
pub(crate) fn install(packages: &[&str]) -> Result<Vec<String>> {
    if !works(Command::new("dpkg-query").arg("--version")) {
        println!("no Debian here: see that the equivalents of {} are installed", packages.join(" "));
        return Ok(Vec::new());
    }
    let missing: Vec<&str> = packages.iter().copied().filter(|package| !has_package(package)).collect();
    if missing.is_empty() {
        return Ok(Vec::new());
    }
    let wanted = missing.join(" ");
    let Some(mut update) = apt_get() else {
        bail!("packages are missing. Run as root: apt-get install {wanted}");
    };
    // A list that cannot be renewed may still do: what counts is whether the installation succeeds.
    if let Err(error) = shell::run(update.arg("update")) {
        eprintln!("{error:#}");
    }
    let mut install = apt_get().expect("it was there a moment ago");
    install.args(["install", "--yes", "--no-install-recommends"]).args(&missing);
    shell::run(&mut install).with_context(|| format!("failed to install {wanted}"))?;
    Ok(missing.into_iter().map(str::to_owned).collect())
}

fn has_package(package: &str) -> bool {
    output(Command::new("dpkg-query").args(["--show", "--showformat=${db:Status-Status}", package]))
        .is_ok_and(|status| status == "installed")
}

/// apt-get with the right to install, or `None` for somebody without it.
fn apt_get() -> Option<Command> {
    let is_root = output(Command::new("id").arg("-u")).is_ok_and(|id| id.trim() == "0");
    let mut command = if is_root {
        Command::new("apt-get")
    } else if works(Command::new("sudo").args(["--non-interactive", "true"])) {
        let mut sudo = Command::new("sudo");
        sudo.args(["--non-interactive", "apt-get"]);
        sudo
    } else {
        return None;
    };
    command.env("DEBIAN_FRONTEND", "noninteractive");
    Some(command)
}
