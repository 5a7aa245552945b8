//! `syslog`: each line a message to a syslog server.
//!
//! Options: `syslog-address`, or as the documents have it `address`: `unix://PATH`, `tcp://HOST[:PORT]`,
//! `udp://HOST[:PORT]` (port 514); anything else, and nothing, is the local server. Facility `daemon`; stdout `info`,
//! stderr `err`. Source: recordings `daemon/log-driver-syslog…`; clauses of the `syslog` driver.

mod address;
mod connection;
mod format;

use crate::sender::Sender;
use crate::{Driver, Error, LogConfig, Writer};
use address::Address;
use connection::Connection;
use format::Format;

pub(crate) struct Syslog;

/// Longer lines are cut: servers cut at 8 KiB and less, and a datagram holds no more than 64 KiB.
const LONGEST: usize = 32 << 10;

impl Driver for Syslog {
    fn name(&self) -> &'static str {
        "syslog"
    }

    fn prepare(&self, mut config: LogConfig) -> Result<LogConfig, Error> {
        if let Some((option, text)) = address::option(&config) {
            let resolved = Address::parse(text)?.resolved()?.to_string();
            config.options.insert(option.to_owned(), resolved);
        }
        Ok(config)
    }

    fn open(&self, config: &LogConfig) -> Result<Box<dyn Writer>, Error> {
        let address = match address::option(config) {
            Some((_, text)) => Address::parse(text)?,
            None => Address::Local,
        };
        let format = Format::new(config.short_id(), &address);
        Ok(Box::new(Sender::new(Connection::open(address, format)?, LONGEST)))
    }
}

#[cfg(test)]
mod tests;
