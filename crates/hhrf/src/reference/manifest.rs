//! `docs/manifest.md`: each key as `fezz.schema.json` has it, with its value in one of the page's own examples.

use super::{check, read, table};
use crate::settings::Settings;
use fezz_manifest::Manifest;
use serde_json::{Value, json};

/// A key of the manifest, with dots before inner keys and `[]` behind lists.
struct Key {
    name: String,
    schema: Value,
    is_required: bool,
}

#[test]
fn the_manifest_page_is_made_from_the_schema() {
    let [example, of_program] = examples();
    let rows = keys().into_iter().map(|key| {
        let example = look_up(&example, &key.name).or_else(|| look_up(&of_program, &key.name));
        let example = example.unwrap_or_else(|| panic!("the example lacks `{}`: add it", key.name));
        row(&key, example)
    });
    let made = table(["key", "type", "default", "allowed", "example", "meaning"], rows);
    check("docs/manifest.md", "manifest", &made);
}

/// The page says that its example has the defaults.
#[test]
fn the_numbers_of_the_example_are_the_defaults() {
    let [example, of_program] = examples();
    let mut defaults: Vec<(String, Value)> = keys()
        .into_iter()
        .filter_map(|key| {
            key.schema["default"].is_number().then(|| (key.name, key.schema["default"].clone()))
        })
        .collect();
    assert_eq!(defaults.len(), 12, "{defaults:?}");
    let settings = Settings::from_toml("runner = '/bin/true'").unwrap();
    defaults.push(("execution".to_owned(), settings.execution.as_str().into()));
    defaults.push(("spare".to_owned(), settings.limits.spare.into()));
    for (name, default) in defaults {
        let example = look_up(&example, &name).or_else(|| look_up(&of_program, &name));
        assert_eq!(example, Some(&default), "{name}");
    }
}

/// The page's manifest of a module, and the one of a program.
fn examples() -> [Value; 2] {
    let page = read("docs/manifest.md");
    let mut blocks = page.split("```json\n").skip(1);
    [(), ()].map(|()| serde_json::from_str(blocks.next().unwrap().split_once("```").unwrap().0).unwrap())
}

#[test]
fn the_examples_are_manifests() {
    for example in examples() {
        let folder = format!("{}@{}", example["id"].as_str().unwrap(), example["version"].as_str().unwrap());
        Manifest::parse(example.to_string().as_bytes(), &folder).unwrap();
    }
}

#[test]
fn the_schemas_ranges_are_those_that_the_host_accepts() {
    let mut ranges = 0;
    for key in keys() {
        let is_bound = |word: &str| key.schema[word].as_u64();
        // A type's own ends, which no number is beyond, are told by the parser's words for a wrong type.
        for (inside, outside) in [
            (is_bound("minimum"), is_bound("minimum").and_then(|bound| bound.checked_sub(1))),
            (is_bound("maximum"), is_bound("maximum").map(|bound| bound + 1)),
        ] {
            let Some(inside) = inside else { continue };
            ranges += 1;
            assert!(is_accepted(&key.name, inside), "{} = {inside}", key.name);
            assert!(
                outside.is_none_or(|outside| !is_accepted(&key.name, outside)),
                "{} = {outside:?}",
                key.name
            );
        }
    }
    assert!(ranges > 20, "{ranges}");
}

fn is_accepted(key: &str, number: u64) -> bool {
    let mut manifest = match key.starts_with("worker.") {
        true => json!({"id": "f", "version": "v1", "binary": "bin/f"}),
        false => json!({"id": "f", "version": "v1", "entry": "libf.so"}),
    };
    match key.strip_suffix("[]").unwrap_or(key).split_once('.') {
        Some((outer, inner)) if key.ends_with("[]") => manifest[outer] = json!({inner: [number]}),
        Some((outer, inner)) => manifest[outer] = json!({inner: number}),
        None => manifest[key] = number.into(),
    }
    Manifest::parse(manifest.to_string().as_bytes(), "f@v1").is_ok()
}

/// All keys, the required ones first.
fn keys() -> Vec<Key> {
    let schema: Value = serde_json::from_str(&read("fezz.schema.json")).unwrap();
    let mut keys = Vec::new();
    collect(&schema, &schema["$defs"], "", &mut keys);
    keys.sort_by_key(|key| !key.is_required || key.name.contains('.'));
    keys
}

fn collect(object: &Value, definitions: &Value, prefix: &str, keys: &mut Vec<Key>) {
    for (name, property) in object["properties"].as_object().unwrap() {
        let is_required =
            object["required"].as_array().is_some_and(|names| names.contains(&name.as_str().into()));
        let schema = resolve(property, definitions);
        let name = format!("{prefix}{name}");
        let items = resolve(&schema["items"], definitions);
        if schema.get("properties").is_some() {
            collect(&schema, definitions, &format!("{name}."), keys);
        } else if items.get("properties").is_some() {
            keys.push(Key { name: name.clone(), schema, is_required });
            collect(&items, definitions, &format!("{name}[]."), keys);
        } else if items.get("minimum").is_some() {
            keys.push(Key { name: name.clone(), schema, is_required });
            keys.push(Key { name: format!("{name}[]"), schema: items, is_required: false });
        } else {
            keys.push(Key { name, schema, is_required });
        }
    }
}

/// A property with what it refers to, its own words first.
fn resolve(property: &Value, definitions: &Value) -> Value {
    let reference = property["$ref"].as_str().or_else(|| property["anyOf"][0]["$ref"].as_str());
    let Some(reference) = reference else { return property.clone() };
    let mut resolved = definitions[reference.rsplit('/').next().unwrap()].clone();
    for (key, value) in property.as_object().unwrap().iter().filter(|(key, _)| *key != "anyOf") {
        resolved[key] = value.clone();
    }
    resolved
}

fn row(key: &Key, example: &Value) -> [String; 6] {
    let description = key.schema["description"].as_str().unwrap_or_default();
    let (meaning, left_out) = match description.split_once("Left out: ") {
        Some((meaning, rest)) => (meaning.trim_end(), rest.trim_end_matches('.')),
        None => (description, ""),
    };
    let default = match &key.schema["default"] {
        _ if key.is_required => "required".to_owned(),
        Value::Null => left_out.to_owned(),
        Value::Array(list) if list.is_empty() && !left_out.is_empty() => left_out.to_owned(),
        default => format!("`{default}`"),
    };
    [
        format!("`{}`", key.name),
        kind(&key.schema),
        default,
        allowed(&key.schema),
        format!("`{example}`"),
        meaning.to_owned(),
    ]
}

fn kind(schema: &Value) -> String {
    if let Some(choices) = schema["oneOf"].as_array() {
        return choices
            .iter()
            .map(|choice| format!("`{}`", choice["const"]))
            .collect::<Vec<_>>()
            .join(" or ");
    }
    if let Some(choices) = schema["anyOf"].as_array() {
        return choices.iter().map(kind).collect::<Vec<_>>().join(" or ");
    }
    let kind = schema["type"].as_str().or_else(|| schema["type"][0].as_str()).unwrap();
    match kind {
        "array" if schema["items"].get("type").is_some() => format!("list of {}s", kind_of_items(schema)),
        "array" => "list of objects".to_owned(),
        "object" => "object of strings".to_owned(),
        kind => kind.to_owned(),
    }
}

fn kind_of_items(schema: &Value) -> &str {
    schema["items"]["type"].as_str().unwrap()
}

fn allowed(schema: &Value) -> String {
    let bound = |word: &str| schema[word].as_u64();
    match (bound("minimum"), bound("maximum"), bound("maxItems")) {
        (Some(least), Some(most), _) => format!("{least} to {most}"),
        (Some(least), None, _) => format!("{least} or more"),
        (_, _, Some(most)) => format!("up to {most} items"),
        _ => String::new(),
    }
}

fn look_up<'a>(example: &'a Value, key: &str) -> Option<&'a Value> {
    key.split('.').try_fold(example, |value, part| match part.strip_suffix("[]") {
        Some(part) => value.get(part)?.get(0),
        None => value.get(part),
    })
}
