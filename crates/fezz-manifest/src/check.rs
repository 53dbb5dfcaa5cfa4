//! The rules of a manifest that go beyond the types of its keys.

use crate::error::ManifestError;
use crate::header;
use crate::manifest::{Execution, Limits, Manifest, Network, TIMEOUT_MS_DEFAULT, Worker};
use crate::names::{VARIABLE_BYTES_MAX, check_name, full_name, is_variable};
use crate::{range, resource};
use std::path::{Component, Path};

/// Checks all values; `folder` is the name of the manifest's folder.
pub(crate) fn check(manifest: &Manifest, folder: &str) -> Result<(), ManifestError> {
    check_names(manifest, folder)?;
    range::TIMEOUT_MS.check(manifest.timeout_ms.unwrap_or(TIMEOUT_MS_DEFAULT))?;
    check_limits(&manifest.limits)?;
    range::SPARE.check(manifest.spare.unwrap_or(0).into())?;
    if let Some(execution @ (Execution::Fork | Execution::Rewind | Execution::InProcess)) = manifest.execution
        && manifest.limits.scratch_bytes > 0
    {
        return Err(ManifestError::Scratch(execution));
    }
    check_worker(manifest)?;
    if manifest.unload && manifest.execution != Some(Execution::InProcess) {
        return Err(ManifestError::Unload);
    }
    check_network(&manifest.network)?;
    manifest.env.iter().try_for_each(|(name, value)| check_variable(name, value))?;
    check_secrets(manifest)?;
    check_resources(manifest)?;
    header::check(&manifest.response_headers)?;
    check_code(manifest)
}

fn check_names(manifest: &Manifest, folder: &str) -> Result<(), ManifestError> {
    for (key, value) in [("id", &manifest.id), ("version", &manifest.version)] {
        check_name(value).map_err(|_| ManifestError::BadName { key, value: value.clone() })?;
    }
    let expected = full_name(&manifest.id, &manifest.version);
    if folder != expected {
        return Err(ManifestError::FolderDisagrees { folder: folder.to_owned(), expected });
    }
    Ok(())
}

fn check_limits(limits: &Limits) -> Result<(), ManifestError> {
    for (range, value) in [
        (range::MEMORY_BYTES, limits.memory_bytes),
        (range::CPU_MS, limits.cpu_ms),
        (range::SCRATCH_BYTES, limits.scratch_bytes),
        (range::DESCRIPTORS, limits.descriptors),
        (range::THREADS, limits.threads),
        (range::REQUEST_BODY_BYTES, limits.request_body_bytes),
        (range::RESPONSE_BODY_BYTES, limits.response_body_bytes),
        (range::CONCURRENCY, limits.concurrency.into()),
        (range::QUEUE, limits.queue.into()),
    ] {
        range.check(value)?;
    }
    Ok(())
}

fn check_network(network: &Network) -> Result<(), ManifestError> {
    range::PORTS.check(network.connect.len() as u64)?;
    network.connect.iter().try_for_each(|port| Ok(range::PORT.check((*port).into())?))
}

fn check_variable(name: &str, value: &str) -> Result<(), ManifestError> {
    if !is_variable(name) {
        return Err(ManifestError::BadVariable { name: name.to_owned() });
    }
    if value.len() > VARIABLE_BYTES_MAX {
        return Err(ManifestError::LongVariable { name: name.to_owned(), bytes: value.len() });
    }
    if value.contains('\0') {
        return Err(ManifestError::NulInVariable { name: name.to_owned() });
    }
    Ok(())
}

/// What is there to execute: exactly one of `entry` and `binary`.
fn check_code(manifest: &Manifest) -> Result<(), ManifestError> {
    match (&manifest.entry, &manifest.binary) {
        (Some(entry), None) => check_entry(entry),
        (None, Some(binary)) => check_binary(binary),
        (None, None) => Err(ManifestError::NoCode),
        (Some(_), Some(_)) => Err(ManifestError::TwoCodes),
    }
}

fn check_worker(manifest: &Manifest) -> Result<(), ManifestError> {
    match manifest.execution {
        Some(Execution::Worker) => {}
        None if manifest.binary.is_some() => {}
        Some(execution) if manifest.binary.is_some() => {
            return Err(ManifestError::ProgramExecution(execution));
        }
        _ if manifest.worker.is_some() => return Err(ManifestError::Worker),
        _ => return Ok(()),
    }
    if manifest.spare.is_some() {
        let instead = "`worker.min` keeps processes for later requests";
        return Err(ManifestError::NotForWorkers { key: "spare", instead });
    }
    let Some(worker) = &manifest.worker else { return Ok(()) };
    check_ranges(worker)?;
    if let Some(max) = worker.max
        && worker.min > max
    {
        return Err(ManifestError::WorkerMin { min: worker.min, max });
    }
    let (concurrency, threads) = (worker.concurrency, manifest.limits.threads);
    if manifest.binary.is_none() && u64::from(concurrency) > threads {
        return Err(ManifestError::WorkerThreads { concurrency, threads });
    }
    Ok(())
}

fn check_ranges(worker: &Worker) -> Result<(), ManifestError> {
    for (range, value) in [
        (range::WORKER_MIN, Some(worker.min.into())),
        (range::WORKER_MAX, worker.max.map(u64::from)),
        (range::WORKER_CONCURRENCY, Some(worker.concurrency.into())),
        (range::WORKER_MAX_REQUESTS, worker.max_requests),
        (range::WORKER_MAX_AGE_MS, worker.max_age_ms),
        (range::WORKER_MAX_MEMORY_BYTES, worker.max_memory_bytes),
    ] {
        value.map_or(Ok(()), |value| range.check(value))?;
    }
    Ok(())
}

/// The path of a program consists of names alone, written as the system would print it, so that it can't lead out of the
/// folder.
fn check_binary(binary: &str) -> Result<(), ManifestError> {
    let is_name = |part: &str| !["", ".", ".."].contains(&part);
    if !binary.split('/').all(is_name) || binary.contains('\0') {
        return Err(ManifestError::NotBelow { binary: binary.to_owned() });
    }
    Ok(())
}

fn check_secrets(manifest: &Manifest) -> Result<(), ManifestError> {
    for (name, file) in &manifest.secrets {
        if !is_variable(name) {
            return Err(ManifestError::BadSecret { name: name.clone() });
        }
        let key = format!("secrets.{name}");
        check_secrets_file(&key, file)?;
        if manifest.env.contains(name) {
            return Err(ManifestError::SameVariable { key, other: format!("env.{name}") });
        }
    }
    Ok(())
}

fn check_resources(manifest: &Manifest) -> Result<(), ManifestError> {
    range::RESOURCES.check(manifest.resources.len() as u64)?;
    for (name, value) in &manifest.resources {
        if !resource::is_resource(name) {
            return Err(ManifestError::BadResource { name: name.clone() });
        }
        let (key, variable) = (format!("resources.{name}"), resource::variable(name));
        match value.secret() {
            Some(file) => check_secrets_file(&key, file)?,
            None => drop(
                resource::port(value.text())
                    .map_err(|cause| ManifestError::ResourceUrl { name: name.clone(), cause })?,
            ),
        }
        if value.text().len() > VARIABLE_BYTES_MAX {
            return Err(ManifestError::LongVariable { name: variable, bytes: value.text().len() });
        }
        if manifest.env.contains(&variable) {
            return Err(ManifestError::SameVariable { key, other: format!("env.{variable}") });
        }
        if manifest.secrets.contains_key(&variable) {
            return Err(ManifestError::SameVariable { key, other: format!("secrets.{variable}") });
        }
    }
    Ok(())
}

fn check_secrets_file(key: &str, file: &str) -> Result<(), ManifestError> {
    if is_file_name(file) {
        return Ok(());
    }
    Err(ManifestError::NotASecretsFile { key: key.to_owned(), file: file.to_owned() })
}

fn check_entry(entry: &str) -> Result<(), ManifestError> {
    if is_file_name(entry) {
        return Ok(());
    }
    Err(ManifestError::NotAFileName { entry: entry.to_owned() })
}

/// Whether a path is one component, so that it can't lead out of its folder.
fn is_file_name(path: &str) -> bool {
    let mut names = Path::new(path).components();
    matches!((names.next(), names.next()), (Some(Component::Normal(name)), None) if name == path)
        && !path.contains('\0')
}
