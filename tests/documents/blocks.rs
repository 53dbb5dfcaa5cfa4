//! Samples: each is read by what it is for. Commands are in `commands.rs`; Rust is compiled as rustdoc's tests of the
//! crate `fezz`.

use super::markdown::{Block, Page, repository};
use super::pages;
use crate::harness::{AUTHOR, Host, Site, binary};
use serde_json::Value;

fn blocks_of(language: &str) -> Vec<Block> {
    let all = pages().into_iter().flat_map(|page| page.blocks());
    let blocks: Vec<Block> = all.filter(|block| block.language == language).collect();
    assert!(!blocks.is_empty(), "no page has a block of {language}");
    blocks
}

#[test]
fn every_block_is_of_a_language_that_a_test_reads() {
    for block in pages().iter().flat_map(Page::blocks) {
        let is_read = ["sh", "json", "toml", "rust", "c", "text"].contains(&block.language.as_str());
        let reason = block.remark.as_deref().and_then(|remark| remark.strip_prefix("not run:"));
        assert!(is_read || reason.is_some(), "{}: no test reads `{}`", block.at, block.language);
        assert!(reason.is_none_or(|reason| reason.trim().len() > 5), "{}: say why it isn't run", block.at);
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
