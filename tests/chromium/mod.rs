//! Headless Chromium, driven over the DevTools protocol through a pipe.

use std::io::{BufRead, BufReader, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::time::{Duration, Instant};

use base64::prelude::{BASE64_STANDARD, Engine};
use serde_json::{Value, json};
use tempfile::TempDir;

/// Longer than anything takes on a machine that is busy with other things: it only ends a hang.
const PATIENCE: Duration = Duration::from_secs(120);

/// A browser with one page. Its profile is new, and gone with it.
pub(crate) struct Browser {
    process: Child,
    /// Closed when dropped, which ends the browser.
    commands: Option<ChildStdin>,
    messages: Receiver<Value>,
    events: Vec<Value>,
    session: Option<String>,
    next_id: u64,
    profile: TempDir,
}

/// Starts Chromium.
///
/// Prints SKIPPED and returns `None` where there is none, unless `REQUIRE_CHROMIUM=1`. `CHROMIUM` is
/// the program, if it is not one of the usual names.
///
/// # Panics
/// If it is required and missing, or does not start.
pub(crate) fn browser() -> Option<Browser> {
    let Some(program) = program() else {
        assert!(
            std::env::var_os("REQUIRE_CHROMIUM").is_none_or(|v| v != "1"),
            "REQUIRE_CHROMIUM=1, but there is no chromium"
        );
        // Straight to standard error: the test harness captures `eprintln!`.
        let _ = writeln!(std::io::stderr(), "SKIPPED: chromium is not installed");
        return None;
    };
    Some(Browser::start(&program))
}

fn program() -> Option<PathBuf> {
    if let Some(named) = std::env::var_os("CHROMIUM") {
        return Some(named.into());
    }
    let paths = std::env::var_os("PATH")?;
    std::env::split_paths(&paths)
        .flat_map(|dir| ["chromium", "chromium-browser", "google-chrome"].map(|n| dir.join(n)))
        .find(|path| path.is_file())
}

impl Browser {
    fn start(program: &Path) -> Self {
        let profile = tempfile::tempdir().unwrap();
        let mut flags = vec![
            "--headless=new",
            "--remote-debugging-pipe",
            "--no-first-run",
            "--no-default-browser-check",
            "--disable-background-networking",
            "--disable-component-update",
            "--disable-sync",
            "--disable-gpu",
            "--disable-dev-shm-usage",
            "--hide-scrollbars",
            "--font-render-hinting=none",
        ];
        // Its sandbox does not work for root.
        if is_root() {
            flags.push("--no-sandbox");
        }
        // Chromium reads commands from descriptor 3 and writes to 4.
        let mut process = Command::new("sh")
            .args(["-c", r#"exec "$0" "$@" 3<&0 4>&1 </dev/null >/dev/null"#])
            .arg(program)
            .args(flags)
            .arg(format!("--user-data-dir={}", profile.path().display()))
            .arg("about:blank")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .expect("there is a shell");
        let commands = process.stdin.take();
        let output = process.stdout.take().expect("it is piped");
        let (sender, messages) = channel();
        // Ends with the pipe, hence with the browser.
        std::thread::spawn(move || {
            let mut reader = BufReader::new(output);
            let mut message = Vec::new();
            while reader.read_until(0, &mut message).is_ok_and(|n| n > 0) {
                message.pop();
                let parsed = serde_json::from_slice(&message).expect("the protocol is JSON");
                message.clear();
                if sender.send(parsed).is_err() {
                    break;
                }
            }
        });
        let mut browser = Self {
            process,
            commands,
            messages,
            events: Vec::new(),
            session: None,
            next_id: 0,
            profile,
        };
        let target = browser.call("Target.createTarget", json!({"url": "about:blank"}));
        let attached = browser.call(
            "Target.attachToTarget",
            json!({"targetId": target["targetId"], "flatten": true}),
        );
        browser.session = Some(attached["sessionId"].as_str().unwrap().to_owned());
        for domain in ["Page", "Runtime", "Network", "Log"] {
            browser.call(&format!("{domain}.enable"), json!({}));
        }
        browser
    }

    /// Calls a method of the protocol: its result.
    ///
    /// # Panics
    /// On an error, or if no answer comes.
    #[expect(clippy::needless_pass_by_value, reason = "callers make it on the spot")]
    pub(crate) fn call(&mut self, method: &str, params: Value) -> Value {
        self.next_id += 1;
        let id = self.next_id;
        let mut message = json!({"id": id, "method": method, "params": params});
        if let Some(session) = &self.session {
            message["sessionId"] = json!(session);
        }
        let commands = self.commands.as_mut().expect("it is open until the drop");
        let mut bytes = message.to_string().into_bytes();
        bytes.push(0);
        commands.write_all(&bytes).expect("chromium runs");
        let until = Instant::now() + PATIENCE;
        loop {
            let message = self.next_message(until, method);
            if message["id"] == id {
                assert!(message["error"].is_null(), "{method}: {}", message["error"]);
                return message["result"].clone();
            }
            self.events.push(message);
        }
    }

    fn next_message(&self, until: Instant, waiting_for: &str) -> Value {
        let left = until.saturating_duration_since(Instant::now());
        match self.messages.recv_timeout(left) {
            Ok(message) => message,
            Err(RecvTimeoutError::Timeout) => panic!("{waiting_for}: no answer of chromium"),
            Err(RecvTimeoutError::Disconnected) => panic!("{waiting_for}: chromium ended"),
        }
    }

    /// Waits for an event that has not been waited for: its parameters.
    pub(crate) fn wait(&mut self, method: &str, fits: impl Fn(&Value) -> bool) -> Value {
        let wanted = |event: &Value| event["method"] == method && fits(&event["params"]);
        let until = Instant::now() + PATIENCE;
        loop {
            if let Some(i) = self.events.iter().position(wanted) {
                return self.events.remove(i)["params"].take();
            }
            let message = self.next_message(until, method);
            self.events.push(message);
        }
    }

    /// Forgets the events so far.
    pub(crate) fn forget(&mut self) {
        self.call("Runtime.evaluate", json!({"expression": "0"}));
        self.events.clear();
    }

    /// The parameters of all events of a name so far.
    pub(crate) fn events(&mut self, method: &str) -> Vec<Value> {
        // Whatever was on its way is here when this is answered.
        self.call("Runtime.evaluate", json!({"expression": "0"}));
        self.events
            .iter()
            .filter(|event| event["method"] == method)
            .map(|event| event["params"].clone())
            .collect()
    }

    /// Opens a file, with a fragment (`#…`) or an empty string, and waits until it is loaded.
    pub(crate) fn open(&mut self, path: &Path, fragment: &str) {
        let path = path.canonicalize().unwrap();
        // A page that differs in the fragment only would not be loaded again.
        self.navigate("about:blank");
        self.navigate(&format!("file://{}{fragment}", path.display()));
    }

    fn navigate(&mut self, url: &str) {
        self.events.retain(|e| e["method"] != "Page.loadEventFired");
        let done = self.call("Page.navigate", json!({"url": url}));
        assert!(done["errorText"].is_null(), "{url}: {}", done["errorText"]);
        self.wait("Page.loadEventFired", |_| true);
    }

    /// Size of the window in CSS pixels.
    pub(crate) fn resize(&mut self, width: u32, height: u32) {
        self.call(
            "Emulation.setDeviceMetricsOverride",
            json!({"width": width, "height": height, "deviceScaleFactor": 1, "mobile": width < 600}),
        );
    }

    /// Whether pages opened from now on run their scripts.
    pub(crate) fn scripts(&mut self, enabled: bool) {
        self.call(
            "Emulation.setScriptExecutionDisabled",
            json!({"value": !enabled}),
        );
    }

    /// The value of an expression, awaited if it is a promise.
    ///
    /// # Panics
    /// If it throws.
    pub(crate) fn eval(&mut self, expression: &str) -> Value {
        let mut done = self.call(
            "Runtime.evaluate",
            json!({"expression": expression, "returnByValue": true, "awaitPromise": true}),
        );
        let thrown = &done["exceptionDetails"];
        assert!(thrown.is_null(), "{expression}: {thrown}");
        done["result"]["value"].take()
    }

    /// The same of a function of one argument.
    pub(crate) fn apply(&mut self, function: &str, argument: &Value) -> Value {
        self.eval(&format!("({function})({argument})"))
    }

    /// A picture of a part of the page, or of all of it: a PNG file.
    ///
    /// - `clip`: `x`, `y`, `width`, `height` from the page's corner, and `scale`.
    pub(crate) fn picture(&mut self, clip: Option<Value>) -> Vec<u8> {
        let mut params = json!({"format": "png", "captureBeyondViewport": true});
        if let Some(clip) = clip {
            params["clip"] = clip;
        }
        let shot = self.call("Page.captureScreenshot", params);
        BASE64_STANDARD
            .decode(shot["data"].as_str().unwrap())
            .unwrap()
    }

    /// Lets pages save files: where they lie.
    pub(crate) fn downloads(&mut self) -> PathBuf {
        let folder = self.profile.path().join("saved");
        std::fs::create_dir_all(&folder).unwrap();
        let session = self.session.take();
        self.call(
            "Browser.setDownloadBehavior",
            json!({"behavior": "allow", "downloadPath": folder, "eventsEnabled": true}),
        );
        self.session = session;
        folder
    }
}

impl Drop for Browser {
    fn drop(&mut self) {
        // Chromium ends with the pipe; its helpers with it. The profile is removed after that.
        drop(self.commands.take());
        let until = Instant::now() + Duration::from_secs(10);
        while matches!(self.process.try_wait(), Ok(None)) && Instant::now() < until {
            std::thread::sleep(Duration::from_millis(20));
        }
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

fn is_root() -> bool {
    let id = Command::new("id").arg("-u").output();
    id.is_ok_and(|id| id.stdout.trim_ascii() == b"0")
}
