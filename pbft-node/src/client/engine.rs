//! The client's task: the protocol's client with sockets and a clock around it.

use core::time::Duration;
use std::{collections::BTreeMap, sync::Arc};

use bytes::Bytes;
use pbft_core::{
    ReplicaId, Request, RequestId,
    client::{Client as Protocol, ClientEffect, ClientError},
    wire,
};
use tokio::{
    sync::{mpsc, oneshot, watch},
    task::JoinSet,
    time::{Instant, sleep_until},
};

use super::{ClientOptions, ClientStartError, Receipt, SubmitError};
use crate::{
    tls::TlsIdentity,
    transport::{
        ClientAnswer, ClientRequest, Hello, LinkLimits, LinkState, REPLICA_FRAME_BYTES, ReplicaReport, Role,
        dialers,
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

/// What handles ask for.
#[derive(Debug)]
pub(crate) enum Command {
    Submit(Request, SubmitAnswer),
    Reports(oneshot::Sender<Vec<Option<ReplicaReport>>>),
    Links(oneshot::Sender<Vec<LinkState>>),
}

/// Someone waits for reports.
struct Inquiry {
    reports: Vec<Option<ReplicaReport>>,
    missing: usize,
    until: Instant,
    to: oneshot::Sender<Vec<Option<ReplicaReport>>>,
}

pub(crate) struct Engine {
    protocol: Protocol,
    links: Vec<Link>,
    /// The links' tasks. They end with the engine.
    _tasks: JoinSet<()>,
    waiting: BTreeMap<RequestId, Vec<SubmitAnswer>>,
    inquiries: Vec<Inquiry>,
    effects: Vec<ClientEffect>,
    outgoing: Vec<Request>,
    started: Instant,
    timer: Option<Instant>,
    report_timeout: Duration,
}

impl Engine {
    /// Starts the links. What replicas answer comes out of the receiver.
    pub(crate) fn new(
        options: &ClientOptions,
        connected: &watch::Sender<usize>,
    ) -> Result<(Self, mpsc::Receiver<FromReplica>), ClientStartError> {
        let identity = TlsIdentity::new(&options.key)?;
        let hello = Hello::new(options.cluster, Role::Client);
        let dialers = dialers(&options.replicas, &options.addresses, &identity, hello, &options.limits)?;
        let (to, answers) = mpsc::channel(MAX_WAITING_ANSWERS);
        let mut tasks = JoinSet::new();
        let limits: LinkLimits = options.limits;
        let links = dialers.into_iter().map(|dialer| {
            let expect =
                Expect::Answers { from: dialer.peer, to: to.clone(), frame_limit: REPLICA_FRAME_BYTES };
            let (link, task) = Link::new(dialer, expect, limits, connected.clone(), Arc::default());
            tasks.spawn(task);
            link
        });
        let links = links.collect();
        let engine = Self {
            protocol: Protocol::new(options.config.clone()),
            links,
            _tasks: tasks,
            waiting: BTreeMap::new(),
            inquiries: Vec::new(),
            effects: Vec::new(),
            outgoing: Vec::new(),
            started: Instant::now(),
            timer: None,
            report_timeout: options.report_timeout,
        };
        Ok((engine, answers))
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
            Command::Reports(to) => self.inquire(to),
            Command::Links(to) => drop(to.send(self.links.iter().map(|link| link.state(0, 0)).collect())),
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

    fn on_answers(&mut self, from: ReplicaId, answers: Vec<ClientAnswer>) {
        for answer in answers {
            match answer {
                ClientAnswer::Reply(reply) => self.protocol.on_reply(from, reply, &mut self.effects),
                ClientAnswer::Decline(id, reason) => {
                    self.protocol.on_decline(from, id, reason, &mut self.effects);
                }
                ClientAnswer::Report(report) => self.on_report(from, &report),
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
        for effect in self.effects.drain(..) {
            let (id, result) = match effect {
                ClientEffect::SendToAll(request) => {
                    self.outgoing.push(request);
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
        let mut bytes = 0_usize;
        let mut together = Vec::new();
        for request in core::mem::take(&mut self.outgoing) {
            let more = request.operation.len().saturating_add(REQUEST_OVERHEAD);
            if bytes.saturating_add(more) > SUBMIT_FRAME_BYTES && !together.is_empty() {
                self.send_to_all(&ClientRequest::Submit(core::mem::take(&mut together)));
                bytes = 0;
            }
            bytes = bytes.saturating_add(more);
            together.push(request);
        }
        if !together.is_empty() {
            self.send_to_all(&ClientRequest::Submit(together));
        }
    }

    fn send_to_all(&self, request: &ClientRequest) {
        match wire::encode(request) {
            Ok(bytes) => {
                let frame = Bytes::from(bytes);
                self.links.iter().for_each(|link| link.send(frame.clone()));
            }
            Err(error) => tracing::error!(%error, "a request cannot be sent"),
        }
    }

    fn inquire(&mut self, to: oneshot::Sender<Vec<Option<ReplicaReport>>>) {
        let reports = vec![None; self.links.len()];
        let missing = self.links.iter().filter(|link| link.is_connected()).count();
        if missing == 0 || self.inquiries.len() >= MAX_INQUIRIES {
            return drop(to.send(reports));
        }
        self.send_to_all(&ClientRequest::Report);
        let until = Instant::now() + self.report_timeout;
        self.inquiries.push(Inquiry { reports, missing, until, to });
    }

    fn on_report(&mut self, from: ReplicaId, report: &ReplicaReport) {
        for inquiry in &mut self.inquiries {
            if let Some(place @ None) = inquiry.reports.get_mut(from.index()) {
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
