//! Running the program, and reading what it wrote.

use std::ffi::OsStr;
use std::io::{self, Read, Write};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Condvar, Mutex, MutexGuard};
use std::thread;
use std::time::Duration;

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use serde_json::Value;

/// How long anything is waited for that has to come. It ends a test that hangs; no test that passes depends on it.
const PATIENCE: Duration = Duration::from_secs(60);

/// A value that others change, and that can be waited for.
#[derive(Debug, Default)]
pub(crate) struct Watched<T> {
    value: Mutex<T>,
    changed: Condvar,
}

impl<T> Watched<T> {
    pub(crate) fn change(&self, change: impl FnOnce(&mut T)) {
        change(&mut self.value.lock().unwrap());
        self.changed.notify_all();
    }

    /// The value once it is as it should be.
    pub(crate) fn once(&self, what: &str, is_so: impl Fn(&T) -> bool) -> MutexGuard<'_, T> {
        let value = self.value.lock().unwrap();
        let (value, waited) = self.changed.wait_timeout_while(value, PATIENCE, |value| !is_so(value)).unwrap();
        assert!(!waited.timed_out(), "waited in vain: {what}");
        value
    }

    pub(crate) fn now(&self) -> MutexGuard<'_, T> {
        self.value.lock().unwrap()
    }
}

/// `hailer` with these words; stdin is empty.
pub(crate) fn hailer(words: impl IntoIterator<Item = impl AsRef<OsStr>>) -> Command {
    let mut command = neutral(OsStr::new(env!("CARGO_BIN_EXE_hailer")));
    command.args(words);
    command
}

/// The same in that folder.
pub(crate) fn hailer_in(folder: &Path, words: &str) -> Command {
    let mut command = hailer(words.split_whitespace());
    command.current_dir(folder);
    command
}

/// `hailer scan` with these words.
pub(crate) fn scan(words: impl IntoIterator<Item = impl AsRef<OsStr>>) -> Command {
    let mut command = hailer(["scan"]);
    command.args(words);
    command
}

/// A program that machines have no say in: their variables tell of colours, terminals, locales and certificates (`CI` has
/// colours even where the terminal is dumb).
fn neutral(program: &OsStr) -> Command {
    let kept = ["PATH", "HOME", "TMPDIR", "LLVM_PROFILE_FILE"];
    let mut command = Command::new(program);
    command.env_clear().envs(kept.into_iter().filter_map(|name| Some((name, std::env::var_os(name)?))));
    command.stdin(Stdio::null());
    command
}

/// The same command line by way of a shell that first does `preparation`, in which `$0` and `$@` are not touched.
pub(crate) fn through_shell(wrapper: &[&str], preparation: &str, command: &Command) -> Command {
    let script = format!("{preparation}\nexec \"$0\" \"$@\"");
    let words = wrapper.iter().copied().chain(["sh", "-ec", &script]).map(OsStr::new);
    let mut words = words.chain([command.get_program()]).chain(command.get_args());
    let mut shell = neutral(words.next().unwrap());
    shell.args(words);
    shell
}

/// Runs a command to its end.
pub(crate) fn run(command: &mut Command) -> Ended {
    Running::start(command).end()
}

/// How a command ended, and what it said.
#[derive(Debug)]
pub(crate) struct Ended {
    /// The exit code; none after a deadly signal.
    pub(crate) code: Option<i32>,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
}

impl Ended {
    /// The rows on stdout, after checking the exit code.
    pub(crate) fn rows(&self) -> Vec<Value> {
        assert_eq!(self.code, Some(0), "{}", self.stderr);
        rows(&self.stdout)
    }
}

/// A program under way; it is killed if the test ends before it.
#[derive(Debug)]
pub(crate) struct Running {
    child: Child,
    stdout: Arc<Watched<Text>>,
    stderr: Arc<Watched<Text>>,
}

#[derive(Debug, Default)]
struct Text {
    bytes: Vec<u8>,
    ended: bool,
}

impl Running {
    pub(crate) fn start(command: &mut Command) -> Self {
        Self::start_onto(command, Stdio::piped())
    }

    /// With a stdout of the test's own.
    pub(crate) fn start_onto(command: &mut Command, stdout: Stdio) -> Self {
        let mut child = command.stdout(stdout).stderr(Stdio::piped()).spawn().unwrap();
        // The command would keep what it was given open.
        command.stdout(Stdio::null());
        let stderr = gather(child.stderr.take());
        Self { stdout: gather(child.stdout.take()), stderr, child }
    }

    pub(crate) fn id(&self) -> u32 {
        self.child.id()
    }

    pub(crate) fn signal(&self, signal: Signal) {
        kill(Pid::from_raw(self.child.id().try_into().unwrap()), signal).unwrap();
    }

    /// Waits until stderr says this.
    pub(crate) fn says(&self, words: &str) {
        self.says_times(1, words);
    }

    /// Waits until stderr has said this so often.
    pub(crate) fn says_times(&self, times: usize, words: &str) {
        let said = |text: &Text| String::from_utf8_lossy(&text.bytes).matches(words).count() >= times;
        drop(self.stderr.once(&format!("'{words}' on stderr, {times} times"), said));
    }

    pub(crate) fn is_running(&mut self) -> bool {
        self.child.try_wait().unwrap().is_none()
    }

    /// Waits for the end.
    pub(crate) fn end(mut self) -> Ended {
        let [stdout, stderr] = [&self.stdout, &self.stderr].map(|text| {
            let text = text.once("the end of the program", |text| text.ended);
            String::from_utf8(text.bytes.clone()).unwrap()
        });
        Ended { code: self.child.wait().unwrap().code(), stdout, stderr }
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        // Neither does anything where it has ended and been waited for.
        drop(self.child.kill());
        drop(self.child.wait());
    }
}

/// Reads a pipe to its end, on a thread of its own.
fn gather(pipe: Option<impl Read + Send + 'static>) -> Arc<Watched<Text>> {
    let text = Arc::<Watched<Text>>::default();
    let gathered = Arc::clone(&text);
    thread::spawn(move || {
        let mut chunk = [0; 4096];
        if let Some(mut pipe) = pipe {
            while let Ok(count @ 1..) = pipe.read(&mut chunk) {
                gathered.change(|text| text.bytes.extend_from_slice(&chunk[..count]));
            }
        }
        gathered.change(|text| text.ended = true);
    });
    text
}

/// The rows of NDJSON; every line must be whole.
pub(crate) fn rows(ndjson: &str) -> Vec<Value> {
    assert!(ndjson.is_empty() || ndjson.ends_with('\n'), "torn: {ndjson:?}");
    ndjson.lines().map(|line| serde_json::from_str(line).unwrap_or_else(|error| panic!("{error}: {line}"))).collect()
}

/// The rows of a file.
pub(crate) fn rows_in(path: &Path) -> Vec<Value> {
    rows(&std::fs::read_to_string(path).unwrap())
}

/// In what a row differs from what is expected of some of its fields; null stands for a missing key.
pub(crate) fn differences(row: &Value, expected: &Value) -> Vec<String> {
    let expected = expected.as_object().unwrap();
    let differs = expected.iter().filter(|(key, value)| row.get(key).unwrap_or(&Value::Null) != *value);
    differs.map(|(key, value)| format!("{key} should be {value} in {row}")).collect()
}

/// Says that a test cannot run here. Not with a macro: those are caught, and shown of failed tests only.
pub(crate) fn skip(why: &str) {
    assert!(std::env::var_os("HAILER_REQUIRE_ALL").is_none_or(|value| value != "1"), "cannot be skipped: {why}");
    let name = thread::current().name().unwrap_or_default().to_owned();
    writeln!(io::stderr(), "skipped: {name}: {why}").unwrap();
}

/// Whether a command can be run and succeeds; otherwise, why not.
pub(crate) fn succeeds(command: &mut Command) -> Result<(), String> {
    let name = command.get_program().to_string_lossy().into_owned();
    let output = command.stdin(Stdio::null()).output().map_err(|error| format!("{name}: {error}"))?;
    if output.status.success() {
        return Ok(());
    }
    let words = String::from_utf8_lossy(&output.stderr);
    Err(format!("{name}: {}", words.trim()))
}
