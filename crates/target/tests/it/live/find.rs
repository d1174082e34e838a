use std::fs;
use std::io::{BufRead, BufReader};
use std::os::unix::fs::symlink;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};

use residue_model::ProcessId;
use residue_target::ErrorKind;
use residue_target::live::linux::find;
use residue_testkit::Program;

use super::proc_dir;

/// A program under a name that nothing else on the machine has. It ends with its stdin.
struct Named {
    path: PathBuf,
    children: Vec<Child>,
}

impl Named {
    fn start(name: &str, count: usize) -> Named {
        let program = Program::build("zombie").path().expect("it compiles");
        let folder = std::env::temp_dir().join(format!("residue-find-{}-{name}", std::process::id()));
        fs::create_dir_all(&folder).expect("a folder of our own");
        let path = folder.join(name);
        // Not a copy: while another test forks, a file that was just written cannot be started.
        symlink(program, &path).expect("a link of our own");
        let mut named = Named { path, children: Vec::new() };
        for _ in 0..count {
            let child = Command::new(&named.path).stdin(Stdio::piped()).stdout(Stdio::piped()).spawn();
            let mut child = child.expect("it runs");
            let mut said = BufReader::new(child.stdout.take().expect("it was asked for"));
            named.children.push(child);
            // Until it says that its child is a zombie, two processes live that have the name.
            said.read_line(&mut String::new()).expect("it speaks");
        }
        named
    }

    fn pids(&self) -> Vec<ProcessId> {
        self.children.iter().map(|child| ProcessId(child.id())).collect()
    }
}

impl Drop for Named {
    fn drop(&mut self) {
        for child in &mut self.children {
            let _ = child.kill();
            let _ = child.wait();
        }
        let _ = self.path.parent().map(fs::remove_dir_all);
    }
}

/// The zombie that the program makes has its name too, and is no process that one could mean.
#[test]
fn a_name_means_the_one_living_process_that_has_it() {
    let named = Named::start("rsd-only-one", 1);
    assert_eq!(find(&proc_dir(), "rsd-only-one").expect("it runs"), named.pids()[0]);
}

/// The kernel keeps fifteen bytes of a name; the command line has it whole.
#[test]
fn a_name_longer_than_the_kernel_keeps_is_found_whole() {
    let named = Named::start("rsd-a-name-of-more-than-fifteen", 1);
    assert_eq!(find(&proc_dir(), "rsd-a-name-of-more-than-fifteen").expect("it runs"), named.pids()[0]);
}

#[test]
fn a_name_of_two_is_refused_with_both_numbers() {
    let named = Named::start("rsd-of-two", 2);
    let error = find(&proc_dir(), "rsd-of-two").expect_err("two have it");
    assert_eq!(
        (error.kind(), error.to_string().as_str()),
        (ErrorKind::Ambiguous, "2 processes are called rsd-of-two")
    );
    let help = error.remedy().expect("it lists them");
    assert!(named.pids().iter().all(|pid| help.contains(&format!("\n  {pid}  "))), "{help}");
}

#[test]
fn a_name_of_nobody_says_how_to_look() {
    let error = find(&proc_dir(), "rsd-nobody").expect_err("nobody has it");
    assert_eq!(
        (error.kind(), error.to_string().as_str()),
        (ErrorKind::NotFound, "no process is called rsd-nobody")
    );
    assert_eq!(
        error.remedy(),
        Some("look for it with: residue ps --filter process=rsd-nobody; name a dump by its path")
    );
}

#[test]
fn digits_are_a_number_and_never_a_name() {
    assert_eq!(find(&proc_dir(), "4194304").expect("nothing is looked up"), ProcessId(4_194_304));
    assert_eq!(find(&proc_dir(), "99999999999").expect_err("no pid").kind(), ErrorKind::NotFound);
}
