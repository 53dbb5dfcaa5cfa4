//! Tests of which functions are served, from snapshots without files.

use super::*;
use crate::release::{ModuleStore, Release};
use crate::series::Series;
use crate::source::Entry;
use fezz_manifest::Manifest;
use serde_json::json;
use tempfile::TempDir;

/// What a catalogue is built with.
struct Site {
    homes: Homes,
    store: Arc<ModuleStore>,
    _folder: TempDir,
}

impl Site {
    fn new() -> Self {
        let folder = TempDir::new().unwrap();
        let store = ModuleStore::open(folder.path()).unwrap();
        Self { homes: Homes::new(Some(1000), Series::new()), store, _folder: folder }
    }

    fn entry(&self, name: &str, module: &[u8]) -> Entry {
        let (id, version) = name.split_once('@').unwrap();
        let routes = json!([{"path": format!("/{id}")}]);
        let json = json!({"id": id, "version": version, "entry": "none.so", "routes": routes}).to_string();
        let manifest = Manifest::parse(json.as_bytes(), name).unwrap();
        let release = Release::new(manifest, module, None, &self.store).unwrap();
        Entry { origin: format!("{name} of {}", module.len()), release: Ok(Arc::new(release)) }
    }

    fn build(&self, entries: Vec<Entry>, previous: &Catalogue) -> Catalogue {
        Catalogue::build(Snapshot { entries, ..Snapshot::default() }, previous, &self.homes, &|_| Ok(()))
    }
}

#[test]
fn a_new_release_of_a_name_has_the_home_of_the_previous_one() {
    let site = Site::new();
    let first = site.build(vec![site.entry("f@v1", b"1"), site.entry("g@v1", b"1")], &Catalogue::default());
    let second = site.build(vec![site.entry("f@v1", b"2"), site.entry("g@v1", b"1")], &first);
    let of = |catalogue: &Catalogue, name| Arc::clone(catalogue.by_name(name).unwrap());
    let (before, after) = (of(&first, "f@v1"), of(&second, "f@v1"));
    assert!(Arc::ptr_eq(&before.home, &after.home) && !Arc::ptr_eq(&before, &after));
    assert_ne!(before.release.digest(), after.release.digest());
    let uids = [&before, &of(&second, "g@v1"), &after].map(|function| function.home.uid());
    assert_eq!(uids, [Some(1000), Some(1001), Some(1000)]);
}

#[test]
fn a_route_and_an_id_lead_to_the_latest_version() {
    let site = Site::new();
    let entries = ["f@v9", "f@v10", "f@v1"].map(|name| site.entry(name, b"1"));
    let catalogue = site.build(entries.into(), &Catalogue::default());
    let Found::Target { target, .. } = catalogue.router().find(None, &http::Method::GET, "/f") else {
        panic!("the route leads nowhere")
    };
    let by_id = catalogue.by_name("f").unwrap();
    assert_eq!([target.choose().name(), by_id.name()], ["f@v10", "f@v10"]);
}

#[test]
fn of_two_releases_with_one_name_the_second_is_rejected() {
    let site = Site::new();
    let entries = vec![site.entry("f@v1", b"first"), site.entry("f@v1", b"second")];
    let catalogue = site.build(entries, &Catalogue::default());
    let [rejected] = catalogue.rejected() else { panic!("{:?}", catalogue.rejected()) };
    assert_eq!(
        rejected.to_string(),
        "`f@v1 of 6`: `f@v1` is already that of `f@v1 of 5`: give each function a name of its own"
    );
    assert_eq!(catalogue.functions().count(), 1);
}

#[test]
fn an_entry_has_the_name_of_its_release() {
    let site = Site::new();
    let gone = Unavailable { name: "f@v1".to_owned(), cause: "it is gone".into() };
    let gone = Entry { origin: "memory".to_owned(), release: Err(gone) };
    let names = [site.entry("g@v1", b"1").name(), gone.name()];
    assert_eq!(names, ["g@v1", "f@v1"]);
    let before = site.build(vec![site.entry("f@v1", b"1")], &Catalogue::default());
    let after = site.build(vec![gone], &before);
    assert!(after.rejected()[0].keeps_previous && after.by_name("f@v1").is_some());
}

#[test]
fn a_function_that_is_not_ready_is_a_candidate_until_another_release_of_it_comes() {
    let site = Site::new();
    let release = site.entry("f@v1", b"1").release.unwrap();
    let unchanged = || Entry { origin: "f@v1".to_owned(), release: Ok(Arc::clone(&release)) };
    let first = site.build(vec![unchanged()], &Catalogue::default());
    let mut second = site.build(vec![unchanged(), site.entry("f@v2", b"22")], &first);
    let [replacement] = second.replacements(&first).try_into().unwrap();
    let names = (replacement.function.name(), replacement.predecessor.name());
    assert_eq!(names, ("f@v2".to_owned(), "f@v1".to_owned()));
    let candidate = Arc::clone(&replacement.function);
    second.hold_back(vec![(replacement, NotReady::Starting { waited: Default::default() })], &first);
    assert_eq!(second.by_name("f").unwrap().name(), "f@v1");
    assert!(second.by_name("f@v2").is_none() && second.rejected()[0].keeps_previous);
    assert!(Arc::ptr_eq(second.candidates().next().unwrap(), &candidate));
    let third = site.build(vec![unchanged(), site.entry("f@v2", b"333")], &second);
    third.retire(&second);
    assert!(candidate.is_retired() && third.candidates().next().is_none());
}

#[test]
fn a_function_that_loses_its_route_to_one_that_is_put_back_is_retired() {
    let site = Site::new();
    let first = site.build(vec![site.entry("f@v1", b"1")], &Catalogue::default());
    // `f` gives up its route, and `g` takes it: but the new `f` isn't ready.
    let taken = |name: &str, route: &str| {
        let mut entry = site.entry(name, b"2");
        let (id, version) = name.split_once('@').unwrap();
        let json = json!({"id": id, "version": version, "entry": "none.so", "routes": [{"path": route}]});
        let manifest = Manifest::parse(json.to_string().as_bytes(), name).unwrap();
        entry.release = Ok(Arc::new(Release::new(manifest, b"2", None, &site.store).unwrap()));
        entry
    };
    let mut second = site.build(vec![taken("f@v1", "/other"), taken("g@v1", "/f")], &first);
    let g = Arc::clone(second.by_name("g").unwrap());
    let late = second.replacements(&first).into_iter();
    let late = late.map(|late| (late, NotReady::Starting { waited: Default::default() })).collect();
    second.hold_back(late, &first);
    assert!(second.by_name("g").is_none() && g.is_retired());
    assert!(!second.by_name("f").unwrap().is_retired());
}
