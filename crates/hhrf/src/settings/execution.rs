//! Reads the name of an executor on the command line.

use clap::builder::{PossibleValue, PossibleValuesParser, TypedValueParser};
use fezz_manifest::Execution;

/// A parser of clap's for the words that a manifest has: the type is of a crate that knows no clap.
pub(crate) fn parse_execution() -> impl TypedValueParser<Value = Execution> {
    let values = Execution::ALL.map(|execution| PossibleValue::new(execution.as_str()).help(help(execution)));
    PossibleValuesParser::new(values).map(|word| {
        Execution::from_name(&word).expect("clap lets through only the words of `Execution::ALL`")
    })
}

fn help(execution: Execution) -> &'static str {
    match execution {
        Execution::Spawn => "A new process for each request, which loads the module itself",
        Execution::Fork => "A new process for each request, forked from one that has loaded the module",
    }
}
