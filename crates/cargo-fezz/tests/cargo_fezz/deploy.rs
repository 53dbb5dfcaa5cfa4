//! `cargo fezz deploy`.

use crate::harness::Project;

#[test]
fn a_release_is_copied_and_the_same_one_is_left_alone() {
    let project = Project::c("deploy-copy", "", &[]);
    std::fs::create_dir_all(project.path("host")).unwrap();
    let deploy =
        || project.fezz("deploy host --from deploy-copy@v1 --format json").result()["outcome"].clone();
    assert_eq!((deploy(), deploy()), ("created".into(), "unchanged".into()));
    for file in ["fezz.json", "module.so"] {
        let copy = std::fs::read(project.path("host/functions/deploy-copy@v1").join(file)).unwrap();
        assert!(copy == std::fs::read(project.path("deploy-copy@v1").join(file)).unwrap(), "{file}");
    }
}

#[test]
fn another_release_of_the_same_version_needs_force_and_is_told_why() {
    let project = Project::c("deploy-force", "", &[]);
    std::fs::create_dir_all(project.path("host")).unwrap();
    assert_eq!(project.fezz("deploy host --from deploy-force@v1").status, Some(0));
    let changed = project.read("deploy-force@v1/fezz.json").replace("/deploy-force", "/changed");
    project.write("deploy-force@v1/fezz.json", &changed);
    project.fezz("deploy host --from deploy-force@v1").failed_with(&["a version of its own", "--force"]);
    assert!(project.read("host/functions/deploy-force@v1/fezz.json").contains("/deploy-force\""));
    let forced = project.fezz("deploy host --from deploy-force@v1 --force --format json").result();
    assert_eq!(forced["outcome"], "replaced");
    assert!(project.read("host/functions/deploy-force@v1/fezz.json").contains("/changed\""));
}

#[test]
fn what_a_host_would_refuse_is_not_deployed() {
    let project = Project::c("deploy-broken", "", &[]);
    std::fs::create_dir_all(project.path("host")).unwrap();
    project.write("deploy-broken@v1/module.so", "nonsense");
    project.fezz("deploy host --from deploy-broken@v1").failed_with(&["is not a complete 64-bit ELF file"]);
    project.fezz("deploy nowhere --from deploy-broken@v1").failed_with(&["is not a complete"]);
    assert!(!project.path("host/functions").exists());
}

#[test]
fn a_misspelt_folder_is_not_made() {
    let project = Project::c("deploy-nowhere", "", &[]);
    project.fezz("deploy nowhere --from deploy-nowhere@v1").failed_with(&["there is no folder `nowhere`"]);
    assert!(!project.path("nowhere").exists());
}

#[test]
fn the_function_that_is_meant_is_the_only_one_or_named() {
    let project = Project::c("deploy-meant", "", &[]);
    project.fezz("deploy .").failed_with(&["run `cargo fezz build` first"]);
    for name in ["a@v1", "b@v1"] {
        std::fs::create_dir_all(project.path("functions").join(name)).unwrap();
    }
    project.fezz("deploy .").failed_with(&["choose one by --from: functions/a@v1, functions/b@v1"]);
}
