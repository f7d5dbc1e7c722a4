//! A browser without a window, Chromium, driven through its debugging pipe: what is asked of it are JSON objects ended by
//! NUL, on descriptors 3 and 4 of its own, so that nothing listens on any port.

use std::io::{BufRead, BufReader, Write};
use std::os::unix::fs::MetadataExt;
use std::path::Path;
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::thread;
use std::time::Duration;

use serde_json::{Value, json};
use tempfile::TempDir;

use super::program::{skip, succeeds};

/// How long an answer is waited for. It ends a test that hangs; no test that passes depends on it.
const PATIENCE: Duration = Duration::from_secs(120);

/// What it may be called, and what installs it on Debian.
const NAMES: [&str; 3] = ["chromium", "chromium-browser", "google-chrome"];

/// A browser with one page.
pub(crate) struct Browser {
    child: Child,
    calls: ChildStdin,
    answers: Receiver<Value>,
    next: u64,
    session: Option<Value>,
    events: Vec<Value>,
    _profile: TempDir,
}

impl Browser {
    /// A browser, where there is one; otherwise says so.
    pub(crate) fn start() -> Option<Self> {
        let is_there = |name: &&&str| succeeds(Command::new(name).arg("--version")).is_ok();
        let Some(name) = NAMES.iter().find(is_there) else {
            skip("there is no chromium: apt-get install chromium");
            return None;
        };
        let profile = tempfile::tempdir().unwrap();
        let mut words = vec![
            "--headless",
            "--remote-debugging-pipe",
            "--no-first-run",
            "--window-size=1440,900",
            "--disable-gpu",
            "--disable-dev-shm-usage",
        ];
        // What a browser says to its maker when it starts is not ours to allow.
        words.extend([
            "--disable-background-networking",
            "--disable-component-update",
            "--disable-sync",
            "--no-default-browser-check",
        ]);
        if profile.path().metadata().unwrap().uid() == 0 {
            words.push("--no-sandbox");
        }
        let mut child = Command::new("sh")
            .args(["-c", "exec \"$0\" \"$@\" 3<&0 4>&1 </dev/null >/dev/null 2>/dev/null", name])
            .args(words)
            .arg(format!("--user-data-dir={}", profile.path().display()))
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let (calls, mut said) = (child.stdin.take().unwrap(), BufReader::new(child.stdout.take().unwrap()));
        let (sender, answers) = channel();
        thread::spawn(move || {
            let mut message = Vec::new();
            while said.read_until(0, &mut message).is_ok_and(|count| count > 0) {
                message.pop();
                if serde_json::from_slice(&message).map(|message| sender.send(message)).is_err() {
                    return;
                }
                message.clear();
            }
        });
        let events = Vec::new();
        let mut browser = Self { child, calls, answers, next: 0, session: None, events, _profile: profile };
        let target = browser.call("Target.createTarget", &json!({ "url": "about:blank" }));
        let attach = json!({ "targetId": target["targetId"], "flatten": true });
        browser.session = Some(browser.call("Target.attachToTarget", &attach)["sessionId"].clone());
        for domain in ["Page", "Runtime", "Log", "Network", "Audits"] {
            browser.call(&format!("{domain}.enable"), &json!({}));
        }
        Some(browser)
    }

    /// Opens a page, and waits until its script has read all rows.
    pub(crate) fn open(&mut self, page: &Path) {
        self.open_without_script(page);
        self.until("document.documentElement.dataset.ready === 'true'");
    }

    /// Opens a page, and waits until it is there.
    pub(crate) fn open_without_script(&mut self, page: &Path) {
        self.call("Page.navigate", &json!({ "url": "about:blank" }));
        self.call("Page.navigate", &json!({ "url": format!("file://{}", page.display()) }));
        self.until("document.readyState === 'complete' && location.protocol === 'file:'");
    }

    /// What an expression comes to in the page; a promise is waited for.
    pub(crate) fn value(&mut self, expression: &str) -> Value {
        let asked = json!({ "expression": expression, "awaitPromise": true, "returnByValue": true });
        let told = self.call("Runtime.evaluate", &asked);
        assert!(told.get("exceptionDetails").is_none(), "{expression}: {told}");
        told["result"]["value"].clone()
    }

    /// The same, where it is a text.
    pub(crate) fn text(&mut self, expression: &str) -> String {
        self.value(expression).as_str().unwrap_or_else(|| panic!("{expression} is no text")).to_owned()
    }

    /// Waits until an expression holds.
    pub(crate) fn until(&mut self, expression: &str) {
        // Each is asked anew: a promise would go with a page that is left.
        let asked = json!({ "expression": expression, "returnByValue": true });
        let begun = std::time::Instant::now();
        while self.call("Runtime.evaluate", &asked)["result"]["value"] != true {
            assert!(begun.elapsed() < PATIENCE, "waited in vain: {expression}; {:?}", self.problems());
            thread::sleep(Duration::from_millis(5));
        }
    }

    /// Clicks in the middle of an element, as a mouse does.
    pub(crate) fn click(&mut self, selector: &str) {
        let place = self.value(&format!(
            "(() => {{ const it = document.querySelector({}); it.scrollIntoView({{ block: 'center' }}); \
             const box = it.getBoundingClientRect(); return [box.x + Math.min(box.width / 2, 60), box.y + box.height / 2]; }})()",
            Value::from(selector)
        ));
        for kind in ["mousePressed", "mouseReleased"] {
            let event = json!({ "type": kind, "x": place[0], "y": place[1], "button": "left", "clickCount": 1 });
            self.call("Input.dispatchMouseEvent", &event);
        }
    }

    /// Presses a key: `Enter`, `ArrowDown`, `/`.
    pub(crate) fn press(&mut self, key: &str) {
        let code = match key {
            "Enter" => 13,
            "Escape" => 27,
            "Tab" => 9,
            "End" => 35,
            "Home" => 36,
            "ArrowUp" => 38,
            "ArrowDown" => 40,
            _ => 0,
        };
        for kind in ["rawKeyDown", "keyUp"] {
            let event = json!({ "type": kind, "key": key, "windowsVirtualKeyCode": code });
            self.call("Input.dispatchKeyEvent", &event);
        }
    }

    /// Types where the focus is.
    pub(crate) fn write(&mut self, text: &str) {
        self.call("Input.insertText", &json!({ "text": text }));
    }

    /// What went wrong so far: errors, warnings, violations of the policy, dialogs, requests of the page's.
    pub(crate) fn problems(&self) -> Vec<String> {
        let is_problem = |event: &&Value| {
            let params = &event["params"];
            match event["method"].as_str().unwrap_or_default() {
                "Runtime.exceptionThrown"
                | "Runtime.consoleAPICalled"
                | "Page.javascriptDialogOpening"
                | "Log.entryAdded"
                | "Page.windowOpen"
                | "Page.downloadWillBegin"
                | "Network.webSocketCreated" => true,
                "Audits.issueAdded" => params["issue"]["code"] == "ContentSecurityPolicyIssue",
                "Network.requestWillBeSent" => {
                    let url = params["request"]["url"].as_str().unwrap_or_default();
                    params["type"] != "Document" && !url.starts_with("data:image/svg+xml;base64,")
                }
                _ => false,
            }
        };
        self.events.iter().filter(is_problem).map(ToString::to_string).collect()
    }

    /// Asks the browser for something, and notes what else it says meanwhile.
    pub(crate) fn call(&mut self, method: &str, params: &Value) -> Value {
        self.next += 1;
        let mut message = json!({ "id": self.next, "method": method, "params": params });
        if let Some(session) = &self.session {
            message["sessionId"] = session.clone();
        }
        let mut bytes = message.to_string().into_bytes();
        bytes.push(0);
        self.calls.write_all(&bytes).unwrap();
        self.calls.flush().unwrap();
        loop {
            let answer = self.answers.recv_timeout(PATIENCE);
            let mut answer = answer.unwrap_or_else(|_| panic!("no answer to {message}; {:?}", self.problems()));
            if answer["id"] == self.next {
                assert!(answer.get("error").is_none(), "{message}: {answer}");
                return answer["result"].take();
            }
            assert_ne!(answer["method"], "Page.javascriptDialogOpening", "{answer}");
            self.events.push(answer);
        }
    }
}

impl Drop for Browser {
    fn drop(&mut self) {
        drop(self.child.kill());
        drop(self.child.wait());
    }
}
