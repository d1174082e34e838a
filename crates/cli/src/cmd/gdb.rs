use std::env;
use std::io::Write;
use std::os::unix::ffi::OsStrExt;
use std::path::Path;

use crate::arguments::GdbArgs;
use crate::exit::Exit;
use crate::output::{Output, write_file};
use crate::trouble::Trouble;

/// What gdb reads, but for the place where it finds this program.
const SCRIPT: &str = include_str!("gdb.py");

/// What stands for that place.
const PLACE: &str = "b\"residue\"";

/// `residue gdb`: the script that adds `residue` to gdb.
pub(crate) fn run(args: &GdbArgs, output: &mut Output) -> Result<Exit, Trouble> {
    let own =
        env::current_exe().map_err(|error| Trouble::own("cannot tell where residue itself is", &error))?;
    let script = SCRIPT.replacen(PLACE, &literal(&own), 1);
    match &args.output {
        Some(path) => write_file(path, script.as_bytes())?,
        None => output.out.write_all(script.as_bytes())?,
    }
    Ok(Exit::Done)
}

/// A path as Python writes bytes: it may hold anything but a zero.
fn literal(path: &Path) -> String {
    let escaped: String = path
        .as_os_str()
        .as_bytes()
        .iter()
        .map(|&byte| match byte {
            b'"' | b'\\' => format!("\\{}", char::from(byte)),
            b' '..=b'~' => char::from(byte).to_string(),
            _ => format!("\\x{byte:02x}"),
        })
        .collect();
    format!("b\"{escaped}\"")
}

#[cfg(test)]
mod tests {
    use std::ffi::OsStr;

    use super::*;

    #[test]
    fn any_path_is_a_word_of_python() {
        let told = |bytes: &[u8]| literal(Path::new(OsStr::from_bytes(bytes)));
        assert_eq!(told(b"/usr/bin/residue"), r#"b"/usr/bin/residue""#);
        assert_eq!(told(b"/a \"b\"\\c\n\xff"), r#"b"/a \"b\"\\c\x0a\xff""#);
    }

    #[test]
    fn the_script_has_one_place_for_the_path() {
        assert_eq!(SCRIPT.matches(PLACE).count(), 1);
    }
}
