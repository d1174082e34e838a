//! A server of debug files that answers one request at a time, and counts them.

use std::ffi::OsString;
use std::fs;
use std::io::{BufRead, BufReader, Write};
use std::net::{SocketAddr, TcpListener};
use std::path::{Path, PathBuf};
use std::sync::mpsc::{self, Receiver};
use std::thread;

use residue_model::Bytes;
use residue_model::recording::Place;
use residue_target::symbols::{Debuginfod, ImageId, Lookup};
use residue_testkit::Program;

use super::{alone, function, hex, image, objcopy, place};

/// What a server says.
#[derive(Clone)]
enum Answer {
    File(Vec<u8>),
    Status(&'static str),
    /// It ends in the middle.
    Half(Vec<u8>),
}

/// Where it listens, and the lines that were asked for.
struct Server {
    place: SocketAddr,
    asked: Receiver<String>,
}

impl Server {
    fn start(answer: Answer) -> Server {
        let listener = TcpListener::bind(("127.0.0.1", 0)).expect("a port is free");
        let place = listener.local_addr().expect("it is bound");
        let (tell, asked) = mpsc::channel();
        thread::spawn(move || {
            for stream in listener.incoming() {
                let mut stream = stream.expect("somebody asks");
                let mut lines = BufReader::new(stream.try_clone().expect("it is open")).lines();
                let first = lines.next().expect("a request").expect("it is text");
                while lines.next().is_some_and(|line| line.is_ok_and(|line| !line.is_empty())) {}
                let _ = tell.send(first);
                let _ = respond(&mut stream, &answer);
            }
        });
        Server { place, asked }
    }

    fn lookup(&self, cache: &Path) -> Lookup {
        let mut debuginfod = Debuginfod::in_cache(cache);
        debuginfod.servers = vec![format!("http://{}/", self.place)];
        Lookup { debuginfod: Some(debuginfod), ..alone() }
    }

    fn asked(&self) -> Vec<String> {
        self.asked.try_iter().collect()
    }
}

fn respond(stream: &mut impl Write, answer: &Answer) -> std::io::Result<()> {
    let (status, size, body) = match answer {
        Answer::File(bytes) => ("200 OK", bytes.len(), bytes.as_slice()),
        Answer::Half(bytes) => ("200 OK", bytes.len(), &bytes[..bytes.len() / 2]),
        Answer::Status(status) => (*status, 0, &[][..]),
    };
    write!(stream, "HTTP/1.1 {status}\r\nContent-Length: {size}\r\nConnection: close\r\n\r\n")?;
    stream.write_all(body)
}

/// A stripped program with its debug file, and what that tells of one address.
struct Known {
    stripped: ImageId,
    debug: Vec<u8>,
    address: u64,
    places: Vec<Place>,
}

impl Known {
    fn make(folder: &Path) -> Known {
        let whole = Program::build("leakkinds.c").flag("-O2").path().expect("it compiles");
        let address = function(&whole, "lose_chain");
        let (places, _) = place(&image(&whole), address, &alone());
        let (stripped, debug) = (folder.join("stripped"), folder.join("debug"));
        objcopy(&["--strip-all"], &whole, &stripped);
        objcopy(&["--only-keep-debug"], &whole, &debug);
        let debug = fs::read(debug).expect("it was made");
        Known { stripped: image(&stripped), debug, address, places }
    }

    fn hex(&self) -> String {
        hex(self.stripped.build_id.as_ref().expect("the linker gave it one"))
    }

    fn cached(&self, cache: &Path) -> PathBuf {
        cache.join(self.hex()).join("debuginfo")
    }

    fn look(&self, how: &Lookup) -> (Vec<Place>, Vec<String>) {
        place(&self.stripped, self.address, how)
    }
}

#[test]
fn what_a_server_has_is_loaded_once_and_kept_as_other_clients_keep_it() {
    let folder = tempfile::tempdir().expect("there is room");
    let known = Known::make(folder.path());
    let cache = folder.path().join("cache");
    let server = Server::start(Answer::File(known.debug.clone()));
    assert_eq!(known.look(&server.lookup(&cache)), (known.places.clone(), Vec::new()));
    let request = format!("GET /buildid/{}/debuginfo HTTP/1.1", known.hex());
    assert_eq!(server.asked(), [request]);
    assert!(fs::read(known.cached(&cache)).expect("it is kept") == known.debug);
    let files = fs::read_dir(cache.join(known.hex())).expect("it is there").count();
    assert_eq!(files, 1);
    assert_eq!(known.look(&server.lookup(&cache)).0, known.places);
    // Nor is a server needed by then.
    let offline = Lookup { debuginfod: Some(Debuginfod::in_cache(&cache)), ..alone() };
    assert_eq!(known.look(&offline).0, known.places);
    assert_eq!(server.asked(), [""; 0]);
}

#[test]
fn what_no_server_has_is_not_asked_for_again() {
    let folder = tempfile::tempdir().expect("there is room");
    let known = Known::make(folder.path());
    let cache = folder.path().join("cache");
    let server = Server::start(Answer::Status("404 Not Found"));
    for _ in 0..2 {
        let (places, gaps) = known.look(&server.lookup(&cache));
        assert_eq!((places.len(), gaps.len()), (0, 1));
        assert!(gaps[0].contains("no debuginfod server has it"), "{gaps:?}");
    }
    assert_eq!(server.asked().len(), 1);
}

#[test]
fn a_server_that_fails_is_a_gap_and_is_asked_once() {
    let folder = tempfile::tempdir().expect("there is room");
    let known = Known::make(folder.path());
    let cache = folder.path().join("cache");
    let server = Server::start(Answer::Status("503 Service Unavailable"));
    let how = server.lookup(&cache);
    for _ in 0..2 {
        let (places, gaps) = known.look(&how);
        assert_eq!((places.len(), gaps.len()), (0, 1));
        assert!(gaps[0].contains(&server.place.to_string()) && gaps[0].contains("503"), "{gaps:?}");
    }
    assert_eq!(server.asked().len(), 1);
    assert!(!known.cached(&cache).exists());
}

#[test]
fn what_is_not_whole_too_large_or_of_another_build_is_not_kept() {
    let folder = tempfile::tempdir().expect("there is room");
    let known = Known::make(folder.path());
    let cache = folder.path().join("cache");
    let other = Program::build("leakkinds.c").flag("-O1").path().expect("it compiles");
    let other = fs::read(other).expect("it is there");
    for (answer, most) in [
        (Answer::Half(known.debug.clone()), u64::MAX),
        (Answer::File(other), u64::MAX),
        (Answer::File(known.debug.clone()), 1000),
    ] {
        let server = Server::start(answer);
        let mut how = server.lookup(&cache);
        how.debuginfod.as_mut().expect("it is asked").most = Bytes(most);
        let (places, gaps) = known.look(&how);
        assert_eq!((places.len(), gaps.len()), (0, 1));
        assert!(gaps[0].contains(&server.place.to_string()), "{gaps:?}");
        let left = fs::read_dir(cache.join(known.hex())).map_or(0, Iterator::count);
        assert_eq!(left, 0);
    }
}

#[test]
fn the_environment_says_where_to_look() {
    let read = |variables: &[(&str, &str)]| {
        let variable = |name: &str| {
            let found = variables.iter().find(|(known, _)| *known == name);
            found.map(|(_, value)| OsString::from(value))
        };
        let found = Debuginfod::from_env(variable)?;
        Some((found.cache, found.servers, found.patience.as_secs(), found.most.0))
    };
    let most = 4 << 30;
    assert_eq!(read(&[]), None);
    let cache = PathBuf::from("/home/x/.cache/debuginfod_client");
    assert_eq!(read(&[("HOME", "/home/x")]), Some((cache, vec![], 90, most)));
    let urls = "ima:enforcing https://a.example/ http://b.example file:///c";
    let variables = [
        ("HOME", "/home/x"),
        ("XDG_CACHE_HOME", "/xdg"),
        ("DEBUGINFOD_URLS", urls),
        ("DEBUGINFOD_TIMEOUT", "5"),
        ("DEBUGINFOD_MAXSIZE", "70"),
    ];
    let servers = vec!["https://a.example/".to_owned(), "http://b.example".to_owned()];
    assert_eq!(read(&variables), Some(("/xdg/debuginfod_client".into(), servers, 5, 70)));
    let variables = [("DEBUGINFOD_CACHE_PATH", "/cache"), ("DEBUGINFOD_TIMEOUT", "soon")];
    assert_eq!(read(&variables), Some(("/cache".into(), vec![], 90, most)));
}
