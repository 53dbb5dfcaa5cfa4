//! Reads the name of an executor on the command line.

use clap::builder::{PossibleValue, PossibleValuesParser, TypedValueParser};
use fezz_manifest::Execution;

/// A parser of clap's for the words that a manifest has, those of `executions`: the type is of a crate that knows no clap.
pub(crate) fn parse_execution(executions: &[Execution]) -> impl TypedValueParser<Value = Execution> {
    let value = |execution: &Execution| PossibleValue::new(execution.as_str()).help(help(*execution));
    PossibleValuesParser::new(executions.iter().map(value))
        .map(|word| Execution::from_name(&word).expect("clap lets through only the words of executions"))
}

fn help(execution: Execution) -> &'static str {
    match execution {
        Execution::Spawn => "A new process for each request, which loads the module itself",
        Execution::Fork => "A new process for each request, forked from one that has loaded the module",
        Execution::Rewind => {
            "A process that is put back to its snapshot after each request, for the next; fork where that is impossible"
        }
        Execution::Worker => "Long-lived processes, each of which serves request after request",
        Execution::InProcess => {
            "The host's own process, which loads the module: no jail. Only with --allow-in-process for all functions"
        }
    }
}
