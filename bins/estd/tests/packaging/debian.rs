//! The Debian packages: what they hold is there. `packaging/debian/build.sh` builds them elsewhere, since it takes minutes.

use std::process::Command;

use serde_json::Value;

use crate::{read, root};

/// What Cargo knows of the packages that are for Debian, by their program.
fn packages() -> Vec<(String, Value)> {
    let output = Command::new(env!("CARGO"))
        .args(["metadata", "--no-deps", "--offline", "--format-version", "1"])
        .current_dir(root())
        .output()
        .expect("cargo runs");
    let metadata: Value = serde_json::from_slice(&output.stdout).expect("JSON");
    let packages = metadata["packages"].as_array().expect("packages").iter();
    let for_debian = packages.filter(|package| package["metadata"]["deb"].is_object());
    let named =
        for_debian.map(|one| (one["name"].as_str().expect("a name").to_owned(), one["metadata"]["deb"].clone()));
    let mut packages: Vec<_> = named.collect();
    packages.sort_by(|(one, _), (other, _)| one.cmp(other));
    packages
}

#[test]
fn the_debian_packages_hold_files_that_are_there_or_are_built() {
    let packages = packages();
    assert_eq!(packages.iter().map(|(program, _)| program.as_str()).collect::<Vec<_>>(), ["est", "estd"]);
    let build = read("packaging/debian/build.sh");
    for (program, deb) in &packages {
        assert!(build.contains(program.as_str()));
        for asset in deb["assets"].as_array().expect("assets") {
            let [from, to, mode] = [0, 1, 2].map(|at| asset[at].as_str().expect("text"));
            assert!(to.starts_with("usr/") && ["644", "755"].contains(&mode), "{asset}");
            if from == format!("target/release/{program}") {
                continue;
            }
            let path = from.strip_prefix("../../").expect("a path from the package's folder");
            if let Some(made) = path.strip_prefix(&format!("target/deb/{program}/")) {
                assert!(["man/*", "bash", "zsh", "fish"].contains(&made), "{path} is not built");
                continue;
            }
            let (folder, end) = path.rsplit_once('/').expect("a file in a folder");
            let is_there = match end.strip_prefix('*') {
                Some(suffix) => std::fs::read_dir(root().join(folder)).is_ok_and(|mut entries| {
                    entries.any(|entry| entry.is_ok_and(|entry| entry.file_name().to_string_lossy().ends_with(suffix)))
                }),
                None => root().join(path).is_file(),
            };
            assert!(is_there, "{path}");
        }
    }
}

#[test]
fn the_scripts_of_the_debian_package_are_scripts() {
    let mut scripts = vec![root().join("packaging/debian/build.sh")];
    for (_, deb) in packages() {
        let Some(folder) = deb["maintainer-scripts"].as_str() else { continue };
        let folder = root().join(folder.strip_prefix("../../").expect("a path from the package's folder"));
        scripts.extend(std::fs::read_dir(folder).expect("scripts").map(|entry| entry.expect("an entry").path()));
    }
    assert_eq!(scripts.len(), 4);
    for script in scripts {
        assert!(Command::new("sh").arg("-n").arg(&script).status().expect("sh runs").success(), "{}", script.display());
    }
}
