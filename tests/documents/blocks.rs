//! Samples: each is read by what it is for. Commands are in `commands.rs`; Rust is compiled as rustdoc's tests of the
//! crate `fezz`.

use super::markdown::{Block, Page, repository};
use super::pages;
use crate::harness::{AUTHOR, Host, Site, binary};
use serde_json::Value;
use std::process::Command;

fn blocks_of(language: &str) -> Vec<Block> {
    let all = pages().into_iter().flat_map(|page| page.blocks());
    let blocks: Vec<Block> = all.filter(|block| block.language == language).collect();
    assert!(!blocks.is_empty(), "no page has a block of {language}");
    blocks
}

#[test]
fn every_block_is_of_a_language_that_a_test_reads() {
    for block in pages().iter().flat_map(Page::blocks) {
        const LANGUAGES: [&str; 10] =
            ["sh", "json", "toml", "rust", "c", "yaml", "ini", "dockerfile", "apparmor", "text"];
        let is_read = LANGUAGES.contains(&block.language.as_str());
        assert!(is_read, "{}: no test reads `{}`", block.at, block.language);
    }
}

#[test]
fn every_json_block_is_json_and_every_manifest_is_served() {
    for block in blocks_of("json") {
        let json: Value =
            serde_json::from_str(&block.text).unwrap_or_else(|error| panic!("{}: {error}", block.at));
        if json["entry"].is_string() {
            serve(&block.at, &json);
        }
    }
}

fn serve(at: &str, manifest: &Value) {
    let [id, version, entry] = ["id", "version", "entry"].map(|key| manifest[key].as_str().unwrap());
    let site = Site::new();
    let name = format!("{id}@{version}");
    site.write(&name, AUTHOR, &manifest.to_string());
    std::fs::copy(binary(AUTHOR), site.function(&name).join(entry)).unwrap();
    let host = Host::start(site);
    let refused: Vec<Value> = host.log().into_iter().filter(|line| line["level"] == "ERROR").collect();
    assert!(refused.is_empty() && host.metric("fezz_functions ") == 1.0, "{at}: {refused:?}");
}

#[test]
fn every_toml_block_is_toml() {
    for block in blocks_of("toml") {
        let table = block.text.parse::<toml::Table>();
        assert!(table.is_ok(), "{}: {table:?}", block.at);
    }
}

/// No YAML is parsed here: Envoy, which the tests start with these files, judges them; and the test of the gateway file.
#[test]
fn every_yaml_block_is_a_part_of_a_file_that_a_test_reads() {
    let files = ["examples/envoy/envoy.yaml", "tests/envoy/smallest.yaml", "examples/gateway/edge.yaml"];
    let files = files.map(|file| std::fs::read_to_string(repository(file)).unwrap());
    for block in blocks_of("yaml") {
        assert!(files.iter().any(|file| file.contains(&block.text)), "{}", block.at);
    }
}

#[test]
fn every_ini_block_is_a_section_with_settings() {
    for block in blocks_of("ini") {
        let (section, settings) = block.text.split_once('\n').unwrap();
        let is_setting = |line: &str| line.split_once('=').is_some_and(|(name, _)| !name.contains(' '));
        assert!(section.starts_with('[') && settings.lines().all(is_setting), "{}", block.at);
    }
}

/// AppArmor isn't run here. The profile must be for the runner where it is installed, and grant it namespaces.
#[test]
fn an_apparmor_profile_is_for_the_installed_runner() {
    for block in blocks_of("apparmor") {
        assert!(block.text.contains("profile fezz-runner /opt/fezz/fezz-runner "), "{}", block.at);
        assert!(block.text.contains("userns,"), "{}", block.at);
    }
}

/// Docker isn't run here either.
#[test]
fn a_dockerfile_copies_what_a_build_makes_and_starts_the_host_by_its_flags() {
    let help = Command::new(binary("hhrf")).arg("--help").output().unwrap().stdout;
    let help = String::from_utf8(help).unwrap();
    for block in blocks_of("dockerfile") {
        for line in block.text.lines() {
            match line.split_once(' ').unwrap() {
                ("COPY", paths) => assert_are_made(&block.at, paths.rsplit_once(' ').unwrap().0),
                ("CMD", words) => {
                    let words: Vec<String> = serde_json::from_str(words).unwrap();
                    let mut flags = words.iter().filter(|word| word.starts_with("--"));
                    assert!(flags.all(|flag| help.contains(&format!(" {flag} "))), "{}: {line}", block.at);
                }
                (keyword, _) => assert!(["FROM", "RUN"].contains(&keyword), "{}: {line}", block.at),
            }
        }
    }
}

fn assert_are_made(at: &str, paths: &str) {
    for path in paths.split(' ') {
        let is_there = match path.strip_prefix("target/release/") {
            Some(name) => binary(name).exists(),
            None => repository(path).exists(),
        };
        assert!(is_there, "{at}: nothing makes {path}");
    }
}

#[test]
fn every_line_of_c_stands_in_the_header_that_is_shipped() {
    let header = std::fs::read_to_string(repository("crates/fezz-wire/include/fezz.h")).unwrap();
    for block in blocks_of("c") {
        for line in block.text.lines() {
            assert!(header.lines().any(|known| known == line), "{}: `{line}`", block.at);
        }
    }
}

#[test]
fn every_page_with_rust_is_compiled_by_rustdoc() {
    let library = std::fs::read_to_string(repository("crates/fezz/src/lib.rs")).unwrap();
    for page in pages() {
        let has_rust = page.blocks().iter().any(|block| block.language == "rust");
        let is_compiled = library.contains(&format!("include_str!(\"../../../{}\")", page.path));
        assert_eq!(has_rust, is_compiled, "{}", page.path);
    }
}
