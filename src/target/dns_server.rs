//! A DNS server of the tests' own on a loopback address, over UDP and TCP. It answers from a table of lines such as
//! `mail.example MX 10 mx.example`, follows aliases in it, and notes what it was asked.
//!
//! In place of a value: `SERVFAIL`, `REFUSED`, `SILENCE`, and `TRUNCATED` (over UDP no record fits). The kind `ANY` is
//! for every question, the name `*` for every name. An alias that ends in `ALONE` is answered without what it leads to.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex};

use hickory_resolver::proto::op::{Message, Query, ResponseCode};
use hickory_resolver::proto::rr::rdata::{A, AAAA, CNAME, MX, PTR};
use hickory_resolver::proto::rr::{Name, RData, Record};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream, UdpSocket};
use tokio::task::JoinSet;

/// Stopped when it is dropped.
pub(super) struct DnsServer {
    pub(super) address: SocketAddr,
    zone: Arc<Zone>,
    _tasks: JoinSet<()>,
}

impl DnsServer {
    pub(super) async fn start(lines: &str) -> Self {
        let zone = Arc::new(Zone { lines: lines.lines().map(str::to_owned).collect(), asked: Mutex::default() });
        let (udp, tcp) = sockets().await;
        let address = udp.local_addr().unwrap();
        let mut tasks = JoinSet::new();
        tasks.spawn(over_udp(udp, Arc::clone(&zone)));
        tasks.spawn(over_tcp(tcp, Arc::clone(&zone)));
        Self { address, zone, _tasks: tasks }
    }

    /// The questions so far, such as `mail.example. MX udp`, in alphabetical order and each once.
    pub(super) fn asked(&self) -> Vec<String> {
        let mut asked = self.zone.asked.lock().unwrap().clone();
        asked.sort();
        asked.dedup();
        asked
    }
}

/// Both of one port, which a second program may hold for one of them.
async fn sockets() -> (UdpSocket, TcpListener) {
    loop {
        let tcp = TcpListener::bind("127.0.0.1:0").await.unwrap();
        if let Ok(udp) = UdpSocket::bind(tcp.local_addr().unwrap()).await {
            return (udp, tcp);
        }
    }
}

async fn over_udp(socket: UdpSocket, zone: Arc<Zone>) {
    let mut datagram = [0; 4096];
    while let Ok((length, peer)) = socket.recv_from(&mut datagram).await {
        if let Some(answer) = zone.answer(&datagram[..length], "udp") {
            socket.send_to(&answer, peer).await.unwrap();
        }
    }
}

async fn over_tcp(listener: TcpListener, zone: Arc<Zone>) {
    let mut connections = JoinSet::new();
    while let Ok((stream, _)) = listener.accept().await {
        connections.spawn(converse(stream, Arc::clone(&zone)));
    }
}

async fn converse(mut stream: TcpStream, zone: Arc<Zone>) {
    while let Ok(length) = stream.read_u16().await {
        let mut question = vec![0; length.into()];
        stream.read_exact(&mut question).await.unwrap();
        if let Some(answer) = zone.answer(&question, "tcp") {
            stream.write_u16(answer.len().try_into().unwrap()).await.unwrap();
            stream.write_all(&answer).await.unwrap();
        }
    }
}

struct Zone {
    lines: Vec<String>,
    asked: Mutex<Vec<String>>,
}

impl Zone {
    fn answer(&self, question: &[u8], transport: &str) -> Option<Vec<u8>> {
        let question = Message::from_vec(question).unwrap();
        let query = question.queries[0].clone();
        self.asked.lock().unwrap().push(format!("{} {} {transport}", query.name().to_ascii(), query.query_type()));

        let mut answer = Message::response(question.metadata.id, question.metadata.op_code);
        answer.metadata.recursion_desired = true;
        answer.metadata.recursion_available = true;
        let owner = query.name().to_ascii();
        let values = self.values(&owner, &query);
        match values.first().copied() {
            Some("SILENCE") => return None,
            Some("SERVFAIL") => answer.metadata.response_code = ResponseCode::ServFail,
            Some("REFUSED") => answer.metadata.response_code = ResponseCode::Refused,
            Some("TRUNCATED") if transport == "udp" => answer.metadata.truncation = true,
            Some(_) | None => (answer.answers, answer.metadata.response_code) = self.records(&owner, &query),
        }
        answer.queries = vec![query];
        Some(answer.to_vec().unwrap())
    }

    /// What a name has, its aliases followed, and whether it exists.
    fn records(&self, owner: &str, query: &Query) -> (Vec<Record>, ResponseCode) {
        let name = Name::from_ascii(owner).unwrap();
        let record = |data| Record::from_rdata(name.clone(), 60, data);
        if let Some(alias) = self.of(owner, "CNAME").first() {
            let target = alias.trim_end_matches(" ALONE");
            let (mut records, mut code) = (vec![record(data("CNAME", target))], ResponseCode::NoError);
            if target == *alias {
                let (more, of_target) = self.records(target, query);
                records.extend(more);
                code = of_target;
            }
            return (records, code);
        }
        let kind = query.query_type().to_string();
        let values = self.values(owner, query).into_iter().filter(|value| *value != "TRUNCATED");
        let records = values.map(|value| record(data(&kind, value))).collect();
        let exists = self.lines.iter().any(|line| line.starts_with(&format!("{} ", owner.trim_end_matches('.'))));
        (records, if exists { ResponseCode::NoError } else { ResponseCode::NXDomain })
    }

    fn values(&self, owner: &str, query: &Query) -> Vec<&str> {
        let kind = query.query_type().to_string();
        [self.of("*", "ANY"), self.of(owner, "ANY"), self.of(owner, &kind)].concat()
    }

    fn of(&self, owner: &str, kind: &str) -> Vec<&str> {
        let key = format!("{} {kind} ", owner.trim_end_matches('.').to_ascii_lowercase());
        self.lines.iter().filter_map(|line| line.trim().strip_prefix(&key)).collect()
    }
}

fn data(kind: &str, value: &str) -> RData {
    match kind {
        "A" => RData::A(A(value.parse().unwrap())),
        "AAAA" => RData::AAAA(AAAA(value.parse().unwrap())),
        "CNAME" => RData::CNAME(CNAME(name(value))),
        "MX" => {
            let (preference, exchange) = value.split_once(' ').unwrap();
            RData::MX(MX::new(preference.parse().unwrap(), name(exchange)))
        }
        "PTR" => RData::PTR(PTR(name(value))),
        kind => panic!("{kind} is not served"),
    }
}

fn name(text: &str) -> Name {
    let mut name = Name::from_ascii(text).unwrap();
    name.set_fqdn(true);
    name
}
