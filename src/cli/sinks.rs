//! Sinks as they are named on the command line. What is said of one that cannot be understood does
//! not repeat it: there may be a password in it.

use crate::sink::Spec;
use clap::builder::TypedValueParser;
use clap::error::ErrorKind;
use clap::{Arg, Command, Error};
use std::ffi::OsStr;

/// Understands `--sink`.
#[derive(Clone)]
pub struct Sinks;

impl TypedValueParser for Sinks {
    type Value = Spec;

    fn parse_ref(&self, cmd: &Command, _: Option<&Arg>, value: &OsStr) -> Result<Spec, Error> {
        let text = value.to_str().ok_or("--sink: it is no text".to_owned());
        let spec = text.and_then(str::parse);
        spec.map_err(|what| Error::raw(ErrorKind::ValueValidation, what + "\n").with_cmd(cmd))
    }
}
