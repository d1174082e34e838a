use super::victim;
use crate::harness::residue;

#[test]
fn what_cannot_be_opened_is_explained() {
    residue(&["map", "4000000"]).ended(3).says(&["there is no process 4000000", "residue ps"]);
    residue(&["map", "0"]).ended(3).says(&["idle process"]);
    residue(&["map", "no-such-program"]).ended(3).says(&["no process is called no-such-program"]);
    residue(&["ps", "--by", "mapping"]).ended(2).says(&["residue map PID"]);
    residue(&["watch", "4000000", "--for", "1s"]).ended(3).says(&["there is no process"]);
    residue(&["dump", "4000000", "-o", "never.dmp"]).ended(3).says(&["there is no process"]);
}

#[test]
fn a_name_that_several_carry_is_listed() {
    let (first, second) = (victim(), victim());
    let ran = residue(&["map", "victim"]);
    ran.says(&["are called victim", &first.pid().to_string(), &second.pid().to_string()]);
    assert_eq!(ran.code, Some(3));
}

#[test]
fn a_file_that_is_no_dump_is_told_as_one() {
    let program = residue_testkit::Program::build("victim").path().expect("it was built");
    let name = program.to_str().expect("a plain name");
    residue(&["map", name]).ended(3).says(&["neither an ELF core nor a minidump"]);
}
