use std::fs;
use std::io::{BufRead, BufReader, Write};
use std::path::Path;
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::mpsc::{self, Receiver};
use std::thread;
use std::time::Duration;

use serde_json::{Value, json};

use super::folder::Folder;

/// How long the browser may be silent before the test is given up.
const PATIENCE: Duration = Duration::from_secs(120);

/// A page in a real browser without a window, asked over the `DevTools` protocol.
///
/// The protocol goes through a pipe (`--remote-debugging-pipe`): no port is opened and nothing can be fetched.
pub(crate) struct Page {
    browser: Child,
    input: ChildStdin,
    messages: Receiver<Value>,
    session: String,
    last: u64,
    /// What the page asked of the network, beside itself.
    requests: Vec<String>,
    /// What went wrong in it.
    errors: Vec<String>,
    _profile: Folder,
}

impl Page {
    /// Opens a file and waits until it has loaded and painted.
    pub(crate) fn open(path: &str) -> Page {
        Page::open_sized(path, 1400, 1000)
    }

    pub(crate) fn open_sized(path: &str, width: u32, height: u32) -> Page {
        let mut page = Page::start();
        page.attach();
        for domain in ["Page.enable", "Runtime.enable", "Log.enable", "Network.enable"] {
            page.call(domain, &json!({}));
        }
        let size = json!({"width": width, "height": height, "deviceScaleFactor": 1, "mobile": false});
        page.call("Emulation.setDeviceMetricsOverride", &size);
        let absolute = fs::canonicalize(path).unwrap_or_else(|error| panic!("{path}: {error}"));
        page.call("Page.navigate", &json!({"url": format!("file://{}", absolute.display())}));
        page.wait_for("document.readyState === 'complete'");
        page.settle();
        page
    }

    fn start() -> Page {
        let profile = Folder::new();
        // The browser speaks on descriptors 3 and 4; a shell puts our pipes there.
        let script = "exec chromium --headless --no-sandbox --disable-gpu --disable-background-networking \
            --disable-component-update --disable-sync --no-first-run --disable-dev-shm-usage \
            --host-resolver-rules='MAP * ~NOTFOUND' --remote-debugging-pipe --user-data-dir=\"$1\" \
            3<&0 4>&1 </dev/null >/dev/null 2>&1";
        let mut browser = Command::new("bash")
            .args(["-c", script, "bash", &profile.file("profile")])
            .env("HOME", profile.path())
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .expect("bash starts");
        let input = browser.stdin.take().expect("stdin was asked for");
        let output = BufReader::new(browser.stdout.take().expect("stdout was asked for"));
        let (sender, messages) = mpsc::channel();
        thread::spawn(move || {
            for message in output.split(0).map_while(Result::ok) {
                let Ok(message) = serde_json::from_slice(&message) else { return };
                if sender.send(message).is_err() {
                    return;
                }
            }
        });
        let (session, requests, errors) = (String::new(), Vec::new(), Vec::new());
        Page { browser, input, messages, session, last: 0, requests, errors, _profile: profile }
    }

    fn attach(&mut self) {
        let target = self.call("Target.createTarget", &json!({"url": "about:blank"}));
        let wanted = json!({"targetId": target["targetId"], "flatten": true});
        let session = self.call("Target.attachToTarget", &wanted);
        session["sessionId"].as_str().expect("a session has a name").clone_into(&mut self.session);
    }

    /// Calls a method of the protocol and gives its result; events that come meanwhile are noted.
    fn call(&mut self, method: &str, parameters: &Value) -> Value {
        self.last += 1;
        let mut message = json!({"id": self.last, "method": method, "params": parameters});
        if !self.session.is_empty() {
            message["sessionId"] = json!(self.session);
        }
        let sent = write!(self.input, "{message}\0").and_then(|()| self.input.flush());
        sent.unwrap_or_else(|error| {
            panic!("the browser does not listen ({error}): is chromium installed? cargo xtask setup")
        });
        loop {
            let message = self.messages.recv_timeout(PATIENCE).unwrap_or_else(|error| {
                panic!(
                    "the browser says nothing to {method} ({error}): is chromium installed? cargo xtask setup"
                )
            });
            if message["id"] == self.last {
                assert!(message["error"].is_null(), "{method}: {}", message["error"]);
                return message["result"].clone();
            }
            self.note(&message);
        }
    }

    fn note(&mut self, event: &Value) {
        let parameters = &event["params"];
        match event["method"].as_str() {
            Some("Network.requestWillBeSent") => {
                self.requests.push(parameters["request"]["url"].as_str().unwrap_or_default().to_owned());
            }
            Some("Runtime.exceptionThrown") => self.errors.push(parameters["exceptionDetails"].to_string()),
            Some("Log.entryAdded") if parameters["entry"]["level"] == "error" => {
                self.errors.push(parameters["entry"]["text"].to_string());
            }
            Some("Runtime.consoleAPICalled") if parameters["type"] == "error" => {
                self.errors.push(parameters["args"].to_string());
            }
            _ => {}
        }
    }

    /// The value of an expression in the page; a promise is waited for.
    #[track_caller]
    pub(crate) fn value(&mut self, expression: &str) -> Value {
        let wanted = json!({"expression": expression, "returnByValue": true, "awaitPromise": true});
        let result = self.call("Runtime.evaluate", &wanted);
        assert!(result["exceptionDetails"].is_null(), "{expression}: {}", result["exceptionDetails"]);
        result["result"]["value"].clone()
    }

    #[track_caller]
    pub(crate) fn number(&mut self, expression: &str) -> f64 {
        let value = self.value(expression);
        value.as_f64().unwrap_or_else(|| panic!("{expression} is no number: {value}"))
    }

    #[track_caller]
    pub(crate) fn text(&mut self, expression: &str) -> String {
        let value = self.value(expression);
        value.as_str().unwrap_or_else(|| panic!("{expression} is no text: {value}")).to_owned()
    }

    /// The visible texts of all elements that a selector fits.
    #[track_caller]
    pub(crate) fn texts(&mut self, selector: &str) -> Vec<String> {
        let value =
            self.value(&format!("[...document.querySelectorAll({selector:?})].map(e => e.innerText)"));
        serde_json::from_value(value).expect("texts")
    }

    /// Waits until an expression holds, looking again after each frame.
    #[track_caller]
    pub(crate) fn wait_for(&mut self, expression: &str) {
        for _ in 0..600 {
            if self.value(expression) == true {
                return;
            }
            self.value("new Promise(done => setTimeout(() => done(0), 20))");
        }
        panic!("it never came true in the page: {expression}");
    }

    /// Waits until what was asked for has been painted.
    pub(crate) fn settle(&mut self) {
        self.value("new Promise(done => requestAnimationFrame(() => requestAnimationFrame(() => done(0))))");
    }

    /// Moves the mouse to a point of the window.
    pub(crate) fn point(&mut self, x: f64, y: f64) {
        self.call("Input.dispatchMouseEvent", &json!({"type": "mouseMoved", "x": x, "y": y}));
        self.settle();
    }

    /// Clicks into the middle of the element that an expression gives.
    #[track_caller]
    pub(crate) fn click(&mut self, element: &str) {
        let middle = format!(
            "(() => {{ const e = {element}; e.scrollIntoView({{block: 'center'}}); const r = e.getBoundingClientRect(); \
             return [r.x + r.width / 2, r.y + r.height / 2]; }})()"
        );
        let middle = self.value(&middle);
        for kind in ["mousePressed", "mouseReleased"] {
            let event =
                json!({"type": kind, "x": middle[0], "y": middle[1], "button": "left", "clickCount": 1});
            self.call("Input.dispatchMouseEvent", &event);
        }
        self.settle();
    }

    /// Types into what has the focus.
    pub(crate) fn write(&mut self, text: &str) {
        self.call("Input.insertText", &json!({"text": text}));
        self.settle();
    }

    /// Fails the test if anything went wrong in the page, or if it asked the network for anything.
    #[track_caller]
    pub(crate) fn assert_quiet(&mut self) {
        self.settle();
        assert!(self.errors.is_empty(), "errors in the page: {:#?}", self.errors);
        assert_eq!(self.requests.len(), 1, "a page is one file: {:?}", self.requests);
        assert!(self.requests[0].starts_with("file://"), "{:?}", self.requests);
    }

    /// Keeps a picture for people to look at, where `RESIDUE_SCREENSHOTS` names a folder.
    pub(crate) fn keep(&mut self, name: &str) {
        let Ok(folder) = std::env::var("RESIDUE_SCREENSHOTS") else { return };
        let shot = self.call("Page.captureScreenshot", &json!({"captureBeyondViewport": true}));
        let picture = Path::new(&folder).join(format!("{name}.png"));
        let mut decode = Command::new("sh");
        decode.args(["-c", "base64 -d > \"$1\"", "sh"]).arg(picture).stdin(Stdio::piped());
        let mut child = decode.spawn().expect("sh starts");
        let text = shot["data"].as_str().unwrap_or_default();
        child.stdin.take().expect("stdin was asked for").write_all(text.as_bytes()).expect("it reads");
        child.wait().expect("it ends");
    }
}

impl Drop for Page {
    /// A killed browser leaves children behind that still write to its profile: first it is asked.
    fn drop(&mut self) {
        let asked = write!(self.input, "{}\0", json!({"id": 0, "method": "Browser.close"}));
        if asked.and_then(|()| self.input.flush()).is_ok() {
            while self.messages.recv_timeout(Duration::from_secs(10)).is_ok() {}
        }
        let _ = self.browser.kill();
        let _ = self.browser.wait();
    }
}
