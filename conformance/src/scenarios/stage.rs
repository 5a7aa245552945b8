//! A live daemon, as a scenario acts on it. Everything made here goes when the stage does.

use std::{
    cell::RefCell,
    thread,
    time::{Duration, Instant},
};

use drydock_spec::Version;
use serde_json::{Value, json};

use super::Wrong;
use crate::{
    exchange::{Client, Conversation, Exchange, Limits, Request, Response},
    verdict::{Evidence, ShownExchange},
};

/// How many exchanges a failure shows: the last ones.
const SHOWN: usize = 12;

/// A live daemon under one version.
pub struct Stage<'c> {
    version: Version,
    client: &'c Client,
    prefix: String,
    seen: RefCell<Vec<ShownExchange>>,
    containers: Vec<String>,
    images: Vec<String>,
}

impl<'c> Stage<'c> {
    pub(super) fn new(version: Version, client: &'c Client, prefix: &str) -> Self {
        let (seen, containers, images) = (RefCell::default(), Vec::new(), Vec::new());
        Self { version, client, prefix: prefix.to_owned(), seen, containers, images }
    }

    /// The version under which it is asked.
    pub fn version(&self) -> Version {
        self.version
    }

    /// The daemon.
    pub fn client(&self) -> &'c Client {
        self.client
    }

    /// A name for an object of this scenario.
    pub fn name(&self, name: &str) -> String {
        format!("{}s-{name}", self.prefix)
    }

    /// A request under the version's prefix.
    pub fn request(&self, method: &str, target: &str) -> Request {
        Request::new(method, format!("/v{}{target}", self.version))
    }

    /// Sends a request.
    pub fn send(&self, request: Request) -> Exchange {
        self.send_within(request, Duration::from_secs(20))
    }

    /// Sends a request that may take so long.
    pub fn send_within(&self, request: Request, time: Duration) -> Exchange {
        let exchange = self.client.send_within(request, Limits::default().within(time));
        self.note(&exchange);
        exchange
    }

    /// Begins a request whose answer is read step by step.
    pub fn open(&self, request: Request, time: Duration) -> Conversation {
        self.client.open(request, Limits::default().within(time))
    }

    /// Remembers an exchange for the report.
    pub fn note(&self, exchange: &Exchange) {
        let mut seen = self.seen.borrow_mut();
        if seen.len() == SHOWN {
            seen.remove(0);
        }
        seen.push(ShownExchange::of(exchange));
    }

    /// Sends a request whose answer has this status.
    pub fn expect(&self, request: Request, status: u16) -> Result<Response, Wrong> {
        let asked = format!("{} {}", request.method, request.target);
        let response = self.send(request).answer.map_err(|error| Wrong::Not(format!("{asked}: {error}")))?;
        match response.status == status {
            true => Ok(response),
            false => {
                Err(Wrong::Not(format!("{asked} answers {} {:?}, not {status}", response.status, response.text())))
            }
        }
    }

    /// Does what the scenario builds on: its failure says nothing of what the scenario is about.
    pub fn set_up(&self, request: Request, statuses: &[u16]) -> Result<Response, Wrong> {
        let asked = format!("{} {}", request.method, request.target);
        let response = self.send(request).answer.map_err(|error| Wrong::SetUp(format!("{asked}: {error}")))?;
        match statuses.contains(&response.status) {
            true => Ok(response),
            false => Err(Wrong::SetUp(format!("{asked} answers {} {:?}", response.status, response.text()))),
        }
    }

    /// Creates a container of the suite's image that runs a shell line.
    pub fn shell(&mut self, name: &str, line: &str) -> Result<String, Wrong> {
        self.create(name, json!({"Image": "busybox", "Cmd": ["sh", "-c", line]}))
    }

    /// Creates a container; gives the name it goes by.
    pub fn create(&mut self, name: &str, body: Value) -> Result<String, Wrong> {
        let name = self.name(name);
        let target = format!("/containers/create?name={name}");
        self.containers.push(name.clone());
        self.set_up(self.request("POST", &target).json(&body), &[201])?;
        Ok(name)
    }

    /// Creates a container of exactly this name; gives its id, by which it is removed.
    pub fn create_as(&mut self, name: &str, body: Value) -> Result<String, Wrong> {
        let request = self.request("POST", &format!("/containers/create?name={name}")).json(&body);
        let response = self.set_up(request, &[201])?;
        let id = response.json().and_then(|body| Some(body.get("Id")?.as_str()?.to_owned()));
        let id = id.ok_or_else(|| Wrong::SetUp("create answers no Id".to_owned()))?;
        self.containers.push(id.clone());
        Ok(id)
    }

    /// Starts a container.
    pub fn start(&self, container: &str) -> Result<(), Wrong> {
        self.set_up(self.request("POST", &format!("/containers/{container}/start")), &[204]).map(|_| ())
    }

    /// Waits until a container has ended; gives its exit code.
    pub fn wait(&self, container: &str) -> Result<i64, Wrong> {
        let response = self.set_up(self.request("POST", &format!("/containers/{container}/wait")), &[200])?;
        response
            .json()
            .and_then(|body| body.get("StatusCode")?.as_i64())
            .ok_or_else(|| Wrong::SetUp("wait answers no StatusCode".to_owned()))
    }

    /// A value of a container's inspect answer; null where there is none.
    pub fn inspect(&self, container: &str, pointer: &str) -> Result<Value, Wrong> {
        let response = self.set_up(self.request("GET", &format!("/containers/{container}/json")), &[200])?;
        let body = response.json().ok_or_else(|| Wrong::SetUp("inspect answers no JSON".to_owned()))?;
        Ok(body.pointer(pointer).cloned().unwrap_or_default())
    }

    /// A container's log on one stream (1 stdout, 2 stderr).
    pub fn log(&self, container: &str, stream: u8) -> Result<Vec<u8>, Wrong> {
        let target = format!("/containers/{container}/logs?stdout=1&stderr=1");
        let response = self.set_up(self.request("GET", &target), &[200])?;
        let frames = response.frames().map_err(|error| Wrong::Not(format!("logs: {error}")))?;
        let of_stream = frames.iter().filter(|frame| frame.stream == stream);
        Ok(of_stream.flat_map(|frame| frame.payload.iter().copied()).collect())
    }

    /// Waits until a condition holds; false if it does not within `time`.
    pub fn until(
        &self,
        time: Duration,
        mut condition: impl FnMut(&Self) -> Result<bool, Wrong>,
    ) -> Result<bool, Wrong> {
        let begun = Instant::now();
        loop {
            if condition(self)? {
                return Ok(true);
            }
            if begun.elapsed() >= time {
                return Ok(false);
            }
            thread::sleep(Duration::from_millis(50));
        }
    }

    /// Has an image removed when the scenario ends.
    pub fn owns_image(&mut self, reference: &str) {
        self.images.push(reference.to_owned());
    }

    pub(super) fn evidence(&self, expected: &str) -> Evidence {
        Evidence { exchanges: self.seen.borrow().clone(), expected: expected.to_owned(), ..Evidence::default() }
    }
}

impl Drop for Stage<'_> {
    fn drop(&mut self) {
        for container in &self.containers {
            let delete = || self.client.send(Request::new("DELETE", format!("/containers/{container}?force=1&v=1")));
            if !matches!(delete().status(), Some(204 | 404)) {
                self.client.send(Request::new("POST", format!("/containers/{container}/unpause")));
                delete();
            }
        }
        for image in &self.images {
            self.client.send(Request::new("DELETE", format!("/images/{image}?force=1")));
        }
    }
}
