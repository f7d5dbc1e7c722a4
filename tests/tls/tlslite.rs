//! tlslite-ng, which speaks what OpenSSL has given up: one Python for all configurations.

use std::collections::HashMap;
use std::io::{BufRead, BufReader, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, Command, Stdio};

use serde_json::json;

use super::configuration::{Configuration, Server};
use super::dialogue::Dialogue;
use super::keys::Keys;

/// A process that ends when its stdin does, which is at the latest with the test.
pub(crate) struct Servers {
    child: Child,
    input: Option<ChildStdin>,
}

impl Drop for Servers {
    fn drop(&mut self) {
        self.input.take();
        drop(self.child.wait());
    }
}

/// A Python that has tlslite-ng: the system's, or what `tests/tls/install` made; otherwise, why there is none.
pub(crate) fn python() -> Result<PathBuf, String> {
    let own = Path::new(env!("CARGO_TARGET_TMPDIR")).with_file_name("tlslite").join("bin/python");
    let mut why = String::new();
    for python in [PathBuf::from("python3"), own] {
        match Command::new(&python).args(["-c", "import tlslite"]).output() {
            Ok(output) if output.status.success() => return Ok(python),
            Ok(_) => why = "there is none; `tests/tls/install` fetches it".to_owned(),
            Err(error) if why.is_empty() => why = format!("python3: {error}"),
            Err(_) => {}
        }
    }
    Err(why)
}

/// Serves until it is dropped, and tells at which ports.
pub(crate) fn serve(
    python: &Path,
    configurations: &[Configuration],
    keys: &Keys,
    ports: &mut HashMap<usize, u16>,
) -> Servers {
    let servers: Vec<_> = configurations
        .iter()
        .filter_map(|configuration| {
            let Server::Tlslite(settings) = &configuration.server else { return None };
            let dialogue = Dialogue::of(configuration);
            Some(json!({
                "id": configuration.id,
                "host": format!("tls-{}.example", configuration.id),
                "greeting": dialogue.greeting(),
                "secret": dialogue.secret(),
                "implicit": dialogue.is_implicit,
                "key": configuration.key,
                "settings": settings,
            }))
        })
        .collect();
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/tls/tlslite_server.py");
    let mut child = Command::new(python)
        .current_dir(&keys.folder)
        .arg(script)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut input = child.stdin.take().unwrap();
    writeln!(input, "{}", json!(servers)).unwrap();
    let lines = BufReader::new(child.stdout.take().unwrap()).lines().map_while(Result::ok).take(servers.len());
    let told: HashMap<usize, u16> = lines
        .map(|line| line.split_once(' ').map(|(id, port)| (id.parse().unwrap(), port.parse().unwrap())).unwrap())
        .collect();
    assert_eq!(told.len(), servers.len(), "tlslite-ng serves all of them");
    ports.extend(told);
    Servers { child, input: Some(input) }
}
