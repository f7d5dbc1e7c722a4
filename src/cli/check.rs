//! `hailer check`: one host after the other, in depth: what DNS says, what each port answers, what stands in the end.
//!
//! Everything is asked first and told then: nothing is printed while a peer can still keep it waiting.

mod args;
mod case;
mod dns;
mod front;
#[cfg(test)]
mod hand_made;
mod json;
mod names;
mod page;
mod plan;
mod tell;
mod timeline;
mod verdict;
mod words;

use std::collections::BTreeSet;
use std::io::{self, ErrorKind, Write};
use std::sync::Arc;

use futures::StreamExt;
use hailer::output::escape::escape;
use hailer::{Host, Observation, Scan};
use tokio::runtime::Builder;

pub(super) use self::args::CheckArgs;
pub(super) use self::page::Page;
pub(super) use self::timeline::{Told, tell as tell_timeline};

use self::case::{Case, Standing};
use self::dns::Dns;
use self::plan::{Asked, Plan, Settings};
use super::scan::{cannot_start, raise_open_file_limit};
use super::signals::Signals;
use super::{Ended, Failure, tell};

pub(super) fn run(args: &CheckArgs) -> Result<Ended, Failure> {
    raise_open_file_limit();
    let plan = Plan::new(args)?;
    let runtime = Builder::new_current_thread().enable_all().build().map_err(|error| cannot_start(&error))?;
    let ended = runtime.block_on(async {
        let mut signals = Signals::listen().map_err(|error| cannot_start(&error))?;
        tokio::select! {
            biased;
            () = signals.next() => Ok(Ended::Stopped),
            ended = check(plan) => ended,
        }
    });
    // Dropping it would wait for names that are still being looked up.
    runtime.shutdown_background();
    ended
}

async fn check(Plan { hosts, settings }: Plan) -> Result<Ended, Failure> {
    let mut standings = Vec::new();
    for (number, asked) in hosts.into_iter().enumerate() {
        let case = examine(asked, &settings).await?;
        let text =
            if settings.json { json::document(&case).map_err(Failure::failed)? } else { page(&case, number > 0) };
        standings.push(case.standing());
        match io::stdout().lock().write_all(text.as_bytes()) {
            // Whoever read it has read enough.
            Err(error) if error.kind() == ErrorKind::BrokenPipe => break,
            written => written.map_err(|error| Failure::failed(format!("cannot write to stdout: {error}")))?,
        }
    }
    in_the_end(standings)
}

/// How several hosts stand together: the worst that fits. Where that is a finding, it is said which could not be checked.
fn in_the_end(standings: Vec<Standing>) -> Result<Ended, Failure> {
    let worst = standings.iter().max().cloned().unwrap_or(Standing::Well);
    match worst {
        Standing::Well => Ok(Ended::Done),
        Standing::Forbidden(words) => Err(Failure::Policy(words)),
        Standing::Nothing(words) => Err(Failure::Failed(words)),
        Standing::High => {
            for standing in standings {
                match standing {
                    Standing::Forbidden(words) | Standing::Nothing(words) => {
                        tell(format_args!("hailer: {}", escape(words.as_bytes())));
                    }
                    Standing::Well | Standing::High => {}
                }
            }
            Ok(Ended::Findings)
        }
    }
}

/// Finds out all there is about one host.
async fn examine(Asked { host, scan }: Asked, settings: &Settings) -> Result<Case, Failure> {
    if !settings.quiet {
        let host = escape(host.to_string().as_bytes());
        let (count, noun) = (scan.endpoints(), if scan.endpoints() == 1 { "port" } else { "ports" });
        tell(format_args!("checking {host}: {count} {noun}, one at a time"));
    }
    let mut dns = Dns::ask(&settings.lookup, &host, settings.family).await;
    // Otherwise a dead resolver would be waited for once more.
    let found = if dns.leads_nowhere() { Vec::new() } else { rows(scan).await? };
    let missing = unheard(&dns, &host, &found);
    let exchanges = if missing.is_empty() { Vec::new() } else { rows(settings.greet(&missing)?).await? };
    dns.ask_back(&settings.lookup, found.iter().filter_map(|row| row.ip)).await;
    Ok(Case::new(host, dns, found, exchanges).expect(settings.expected.as_ref()))
}

/// The mail exchanges that were not asked on port 25 yet. Those of `mx:` were asked what they were to be asked.
fn unheard(dns: &Dns, host: &Host, rows: &[Observation]) -> Vec<Arc<str>> {
    if matches!(host, Host::Mx(_)) && rows.iter().any(|row| row.port == 25) {
        return Vec::new();
    }
    let heard = |name: &str| rows.iter().any(|row| row.port == 25 && row.name.as_deref() == Some(name));
    let sound = dns.exchanges().iter().filter(|it| it.flaw.is_none() && it.passed_over.is_none());
    let unheard: BTreeSet<_> = sound.map(|exchange| &exchange.name).filter(|name| !heard(name)).collect();
    unheard.into_iter().map(Arc::clone).collect()
}

async fn rows(scan: Scan) -> Result<Vec<Observation>, Failure> {
    let mut stream = scan.run();
    let mut rows = Vec::new();
    while let Some(row) = stream.next().await {
        rows.push(*row);
    }
    match stream.failure() {
        Some(reason) => Err(Failure::failed(reason)),
        None => Ok(rows),
    }
}

fn page(case: &Case, follows_another: bool) -> String {
    let mut page = Page::for_stdout();
    if follows_another {
        page.blank();
    }
    tell::tell(case, &mut page);
    page.into_text()
}
