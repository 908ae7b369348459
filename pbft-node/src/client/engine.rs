//! The client's task: the protocol's client with sockets and a clock around it.

use core::{net::SocketAddr, time::Duration};
use std::{collections::BTreeMap, sync::Arc};

use bytes::Bytes;
use pbft_core::{
    ReadNumber, ReplicaId, Request, RequestId,
    client::{Client as Protocol, ClientEffect, ClientError, FoundAnswer},
    config::ReplicaSet,
    message::{Operation, Read, read::MAX_QUERY_BYTES},
    wire,
};
use pbft_crypto::PublicKey;
use tokio::{
    sync::{mpsc, oneshot, watch},
    task::JoinSet,
    time::{Instant, sleep_until},
};

use super::{ClientOptions, ClientStartError, ReadCounts, Receipt, SubmitError};
use crate::{
    node::AddressBook,
    tls::{TlsError, TlsIdentity},
    transport::{
        ClientAnswer, ClientRequest, Hello, LinkLimits, LinkState, MAX_READS_IN_FRAME, REPLICA_FRAME_BYTES,
        ReplicaReport, Role,
        dial::Dialer,
        link::{Expect, FromReplica, Link},
    },
};

/// So many calls, or frames of answers, are handled before anything is sent.
const AT_ONCE: usize = 1024;
/// So many frames of answers may wait; past that, TCP makes replicas wait.
const MAX_WAITING_ANSWERS: usize = 256;
/// A frame of requests has about so many bytes, unless one request alone has more.
const SUBMIT_FRAME_BYTES: usize = 1 << 20;
/// The longest operation that is sent. Replicas take frames a little longer than this.
const MAX_OPERATION_BYTES: usize = (2 << 20) - REQUEST_OVERHEAD;
/// What a request has besides its operation, at most.
const REQUEST_OVERHEAD: usize = 128;
/// So many callers may wait for the same request.
const MAX_WAITERS: usize = 16;
/// So many callers may wait for reports.
const MAX_INQUIRIES: usize = 256;

type SubmitAnswer = oneshot::Sender<Result<Receipt, SubmitError>>;
type ReadAnswer = oneshot::Sender<Result<FoundAnswer, SubmitError>>;

/// What handles ask for.
#[derive(Debug)]
pub(crate) enum Command {
    Submit(Request, SubmitAnswer),
    /// A question, and what is ordered if no quorum answers it.
    Read(Operation, Option<Request>, ReadAnswer),
    Reports(oneshot::Sender<Reports>),
    Links(oneshot::Sender<Vec<LinkState>>),
    Follow(ReplicaSet, AddressBook),
}

/// What each replica says, or nothing if it did not answer in time.
pub type Reports = BTreeMap<ReplicaId, Option<ReplicaReport>>;

/// Someone waits for reports.
struct Inquiry {
    reports: Reports,
    missing: usize,
    until: Instant,
    to: oneshot::Sender<Reports>,
}

pub(crate) struct Engine {
    protocol: Protocol,
    dialing: Dialing,
    links: BTreeMap<ReplicaId, (Dialed, Link)>,
    /// The links' tasks. They end with the engine, or when their link is dropped.
    tasks: JoinSet<()>,
    waiting: BTreeMap<RequestId, Vec<SubmitAnswer>>,
    reads: BTreeMap<ReadNumber, ReadAnswer>,
    read_counts: watch::Sender<ReadCounts>,
    inquiries: Vec<Inquiry>,
    effects: Vec<ClientEffect>,
    outgoing: Vec<Request>,
    outgoing_reads: Vec<Read>,
    started: Instant,
    timer: Option<Instant>,
    report_timeout: Duration,
}

/// Where a link leads.
type Dialed = (PublicKey, SocketAddr);

/// What it takes to reach replicas.
struct Dialing {
    identity: TlsIdentity,
    hello: Hello,
    limits: LinkLimits,
    answers: mpsc::Sender<FromReplica>,
    connected: watch::Sender<usize>,
}

impl Dialing {
    fn dial(
        &self,
        peer: ReplicaId,
        (key, address): Dialed,
        tasks: &mut JoinSet<()>,
    ) -> Result<Link, TlsError> {
        let (tls, hello, handshake) = (self.identity.connector(key)?, self.hello, self.limits.handshake);
        let dialer = Dialer { peer, address, tls, hello, handshake };
        let expect =
            Expect::Answers { from: peer, to: self.answers.clone(), frame_limit: REPLICA_FRAME_BYTES };
        let (link, task) = Link::new(dialer, expect, self.limits, self.connected.clone(), Arc::default());
        tasks.spawn(task);
        Ok(link)
    }
}

impl Engine {
    /// Starts the links. What replicas answer comes out of the receiver.
    pub(crate) fn new(
        options: &ClientOptions,
        connected: &watch::Sender<usize>,
        read_counts: watch::Sender<ReadCounts>,
    ) -> Result<(Self, mpsc::Receiver<FromReplica>), ClientStartError> {
        let (to, answers) = mpsc::channel(MAX_WAITING_ANSWERS);
        let dialing = Dialing {
            identity: TlsIdentity::new(&options.key)?,
            hello: Hello::new(options.cluster, Role::Client),
            limits: options.limits,
            answers: to,
            connected: connected.clone(),
        };
        let mut engine = Self {
            protocol: Protocol::new(options.config.clone()),
            dialing,
            links: BTreeMap::new(),
            tasks: JoinSet::new(),
            waiting: BTreeMap::new(),
            reads: BTreeMap::new(),
            read_counts,
            inquiries: Vec::new(),
            effects: Vec::new(),
            outgoing: Vec::new(),
            outgoing_reads: Vec::new(),
            started: Instant::now(),
            timer: None,
            report_timeout: options.report_timeout,
        };
        // Only a quorum of known replicas shows a state.
        engine.protocol.follow(&options.replicas);
        let addresses = options.replicas.ids().zip(options.addresses.iter().copied()).collect();
        engine.connect(&options.replicas, &addresses)?;
        Ok((engine, answers))
    }

    /// Dials these replicas and no others. Who keeps key and address keeps its connection; who has no address is left out.
    fn connect(&mut self, replicas: &ReplicaSet, addresses: &AddressBook) -> Result<(), TlsError> {
        let mut before = core::mem::take(&mut self.links);
        for (peer, key) in replicas.members() {
            let Some(address) = addresses.get(peer) else { continue };
            let dialed = (*key, *address);
            let link = match before.remove(peer).filter(|(known, _)| *known == dialed) {
                Some((_, link)) => link,
                None => self.dialing.dial(*peer, dialed, &mut self.tasks)?,
            };
            self.links.insert(*peer, (dialed, link));
        }
        Ok(())
    }

    fn follow(&mut self, replicas: &ReplicaSet, addresses: &AddressBook) {
        self.protocol.follow(replicas);
        if let Err(error) = self.connect(replicas, addresses) {
            tracing::error!(%error, "a replica cannot be dialed");
        }
    }

    fn links(&self) -> impl Iterator<Item = &Link> {
        self.links.values().map(|(_, link)| link)
    }

    /// Runs until all handles are gone.
    pub(crate) async fn run(
        mut self,
        mut commands: mpsc::Receiver<Command>,
        mut answers: mpsc::Receiver<FromReplica>,
    ) {
        let (mut asked, mut heard) = (Vec::new(), Vec::new());
        loop {
            let deadline = self.deadline();
            tokio::select! {
                count = commands.recv_many(&mut asked, AT_ONCE) => match count {
                    0 => return,
                    _ => asked.drain(..).for_each(|command| self.on_command(command)),
                },
                _ = answers.recv_many(&mut heard, AT_ONCE) => {
                    heard.drain(..).for_each(|(from, answers)| self.on_answers(from, answers));
                }
                () = sleep_until(deadline.unwrap_or(self.started)), if deadline.is_some() => self.on_timer(),
            }
            self.carry_out();
            self.send_requests();
        }
    }

    fn on_command(&mut self, command: Command) {
        match command {
            Command::Submit(request, to) => {
                let id = request.id();
                match self.submit(request) {
                    Ok(()) => self.waiting.entry(id).or_default().push(to),
                    // Whoever does not wait any more needs no answer, here and below.
                    Err(error) => drop(to.send(Err(error))),
                }
            }
            Command::Read(query, fallback, to) => self.read(query, fallback, to),
            Command::Reports(to) => self.inquire(to),
            Command::Links(to) => drop(to.send(self.links().map(|link| link.state(0, 0)).collect())),
            Command::Follow(replicas, addresses) => self.follow(&replicas, &addresses),
        }
    }

    fn submit(&mut self, request: Request) -> Result<(), SubmitError> {
        let (bytes, limit) = (request.operation.len(), MAX_OPERATION_BYTES);
        if bytes > limit {
            return Err(SubmitError::TooLarge { bytes, limit });
        }
        if self.waiting.get(&request.id()).is_some_and(|waiting| waiting.len() >= MAX_WAITERS) {
            return Err(ClientError::TooManyOutstanding.into());
        }
        Ok(self.protocol.submit(self.started.elapsed(), request, &mut self.effects)?)
    }

    fn read(&mut self, query: Operation, fallback: Option<Request>, to: ReadAnswer) {
        let (bytes, limit) = (query.len(), MAX_QUERY_BYTES);
        if bytes > limit {
            return drop(to.send(Err(SubmitError::TooLarge { bytes, limit })));
        }
        match self.protocol.read(self.started.elapsed(), query, fallback, &mut self.effects) {
            Ok(number) => drop(self.reads.insert(number, to)),
            Err(error) => drop(to.send(Err(error.into()))),
        }
    }

    /// A question has come to its end.
    fn on_read_end(&mut self, number: ReadNumber, end: Result<FoundAnswer, ClientError>) {
        self.read_counts.send_modify(|counts| match &end {
            Ok(FoundAnswer::Quorum { .. }) => counts.by_quorum += 1,
            Ok(FoundAnswer::Ordered(_)) | Err(_) => counts.without_quorum += 1,
        });
        if let Some(to) = self.reads.remove(&number) {
            let _ = to.send(end.map_err(SubmitError::Failed));
        }
    }

    fn on_answers(&mut self, from: ReplicaId, answers: Vec<ClientAnswer>) {
        for answer in answers {
            match answer {
                ClientAnswer::Reply(reply) => self.protocol.on_reply(from, reply, &mut self.effects),
                ClientAnswer::Decline(id, reason) => {
                    self.protocol.on_decline(from, id, reason, &mut self.effects);
                }
                ClientAnswer::Report(report) => self.on_report(from, &report),
                ClientAnswer::Read(reply) => {
                    let now = self.started.elapsed();
                    self.protocol.on_read_reply(now, from, reply, &mut self.effects);
                }
            }
        }
    }

    fn on_timer(&mut self) {
        let now = Instant::now();
        if self.timer.is_some_and(|at| at <= now) {
            self.timer = None;
            self.protocol.on_timer(self.started.elapsed(), &mut self.effects);
        }
        self.answer_inquiries(|inquiry| inquiry.until <= now);
    }

    /// When there is something to do though nothing comes in.
    fn deadline(&self) -> Option<Instant> {
        self.inquiries.iter().map(|inquiry| inquiry.until).chain(self.timer).min()
    }

    fn carry_out(&mut self) {
        for effect in core::mem::take(&mut self.effects) {
            let (id, result) = match effect {
                ClientEffect::SendToAll(request) => {
                    self.outgoing.push(request);
                    continue;
                }
                ClientEffect::ReadFromAll(read) => {
                    self.outgoing_reads.push(read);
                    continue;
                }
                ClientEffect::Found(found) => {
                    self.on_read_end(found.number, Ok(found.answer));
                    continue;
                }
                ClientEffect::ReadFailed(number, error) => {
                    self.on_read_end(number, Err(error));
                    continue;
                }
                ClientEffect::SetTimer(at) => {
                    self.timer = self.started.checked_add(at);
                    continue;
                }
                ClientEffect::Accepted(accepted) => (accepted.id, Ok(accepted)),
                ClientEffect::Failed(id, error) => (id, Err(SubmitError::Failed(error))),
            };
            for to in self.waiting.remove(&id).unwrap_or_default() {
                let _ = to.send(result.clone());
            }
        }
    }

    /// Sends what has come together, in as few frames as the bounds allow.
    fn send_requests(&mut self) {
        let (requests, reads) =
            (core::mem::take(&mut self.outgoing), core::mem::take(&mut self.outgoing_reads));
        for together in in_frames(requests, |request| request.operation.len()) {
            self.send_to_all(&ClientRequest::Submit(together));
        }
        for together in in_frames(reads, |read| read.query.len()) {
            for few in together.chunks(MAX_READS_IN_FRAME) {
                self.send_to_all(&ClientRequest::Read(few.to_vec()));
            }
        }
    }

    fn send_to_all(&self, request: &ClientRequest) {
        match wire::encode(request) {
            Ok(bytes) => {
                let frame = Bytes::from(bytes);
                self.links().for_each(|link| link.send(frame.clone()));
            }
            Err(error) => tracing::error!(%error, "a request cannot be sent"),
        }
    }

    fn inquire(&mut self, to: oneshot::Sender<Reports>) {
        let reports = self.links.keys().map(|replica| (*replica, None)).collect();
        let missing = self.links().filter(|link| link.is_connected()).count();
        if missing == 0 || self.inquiries.len() >= MAX_INQUIRIES {
            return drop(to.send(reports));
        }
        self.send_to_all(&ClientRequest::Report);
        let until = Instant::now() + self.report_timeout;
        self.inquiries.push(Inquiry { reports, missing, until, to });
    }

    fn on_report(&mut self, from: ReplicaId, report: &ReplicaReport) {
        for inquiry in &mut self.inquiries {
            if let Some(place @ None) = inquiry.reports.get_mut(&from) {
                *place = Some(report.clone());
                inquiry.missing = inquiry.missing.saturating_sub(1);
            }
        }
        self.answer_inquiries(|inquiry| inquiry.missing == 0);
    }

    fn answer_inquiries(&mut self, is_due: impl Fn(&Inquiry) -> bool) {
        for inquiry in self.inquiries.extract_if(.., |inquiry| is_due(inquiry)) {
            let _ = inquiry.to.send(inquiry.reports);
        }
    }
}

/// Cuts a list into parts that fit a frame each.
fn in_frames<T>(list: Vec<T>, length: impl Fn(&T) -> usize) -> Vec<Vec<T>> {
    let mut bytes = 0_usize;
    let mut frames: Vec<Vec<T>> = Vec::new();
    for item in list {
        let more = length(&item).saturating_add(REQUEST_OVERHEAD);
        bytes = bytes.saturating_add(more);
        match frames.last_mut() {
            Some(frame) if bytes <= SUBMIT_FRAME_BYTES => frame.push(item),
            _ => {
                bytes = more;
                frames.push(vec![item]);
            }
        }
    }
    frames
}
