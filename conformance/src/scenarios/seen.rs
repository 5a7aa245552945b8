//! The exchanges of a recorded scenario, as a scenario's check reads them.

use std::{cell::RefCell, collections::HashMap};

use drydock_spec::Version;
use serde_json::Value;

use super::Wrong;
use crate::{
    exchange::{Exchange, Frame, Response},
    verdict::ShownExchange,
};

/// Exchanges by step, and which of them were looked at.
#[derive(Clone, Debug)]
pub struct Seen<'e> {
    version: Version,
    scenario: String,
    steps: HashMap<String, &'e Exchange>,
    looked_at: RefCell<Vec<&'e Exchange>>,
}

impl<'e> Seen<'e> {
    /// The exchanges of `scenario`, by step; a step's second run is called `step#2`.
    pub fn new(version: Version, scenario: &str, steps: HashMap<String, &'e Exchange>) -> Self {
        Self { version, scenario: scenario.to_owned(), steps, looked_at: RefCell::default() }
    }

    pub(super) fn afresh(&self) -> Self {
        Self { looked_at: RefCell::default(), ..self.clone() }
    }

    /// The version under which they were made.
    pub fn version(&self) -> Version {
        self.version
    }

    /// The scenario.
    pub fn scenario(&self) -> &str {
        &self.scenario
    }

    pub(super) fn looked_at(&self) -> Vec<ShownExchange> {
        self.looked_at.borrow().iter().map(|exchange| ShownExchange::of(exchange)).collect()
    }

    pub(super) fn has_looked(&self) -> bool {
        !self.looked_at.borrow().is_empty()
    }

    /// A step's exchange. That a step is not there is the set-up's fault: what it builds on failed.
    pub fn step(&self, name: &str) -> Result<&'e Exchange, Wrong> {
        let exchange = self.steps.get(name).ok_or_else(|| Wrong::SetUp(format!("there is no step {name}")))?;
        self.looked_at.borrow_mut().push(exchange);
        Ok(exchange)
    }

    /// A step's answer.
    pub fn answer(&self, name: &str) -> Result<&'e Response, Wrong> {
        self.step(name)?.answer.as_ref().map_err(|error| Wrong::Not(format!("{name}: {error}")))
    }

    /// A step's answer, which has this status.
    pub fn with_status(&self, name: &str, status: u16) -> Result<&'e Response, Wrong> {
        let answer = self.answer(name)?;
        match answer.status == status {
            true => Ok(answer),
            false => Err(Wrong::Not(format!("{name} answers {}, not {status}", answer.status))),
        }
    }

    /// A step's successful answer as JSON.
    pub fn json(&self, name: &str) -> Result<Value, Wrong> {
        let answer = self.answer(name)?;
        match answer.json() {
            Some(value) if answer.status < 300 => Ok(value),
            _ => Err(Wrong::Not(format!("{name} answers {} and no JSON document", answer.status))),
        }
    }

    /// The value at a pointer into a step's JSON answer; null where there is none.
    pub fn at(&self, name: &str, pointer: &str) -> Result<Value, Wrong> {
        Ok(self.json(name)?.pointer(pointer).cloned().unwrap_or_default())
    }

    /// A step's container output: what came on one stream (1 stdout, 2 stderr), joined.
    pub fn output(&self, name: &str, stream: u8) -> Result<String, Wrong> {
        let frames = self.frames(name)?;
        let bytes: Vec<u8> =
            frames.iter().filter(|frame| frame.stream == stream).flat_map(|frame| frame.payload.clone()).collect();
        Ok(String::from_utf8_lossy(&bytes).into_owned())
    }

    /// A step's container output as frames.
    pub fn frames(&self, name: &str) -> Result<Vec<Frame>, Wrong> {
        let answer = self.answer(name)?;
        if answer.status >= 400 {
            return Err(Wrong::Not(format!("{name} answers {} {:?}", answer.status, answer.text())));
        }
        answer.frames().map(|frames| frames.into_owned()).map_err(|error| Wrong::Not(format!("{name}: {error}")))
    }
}
