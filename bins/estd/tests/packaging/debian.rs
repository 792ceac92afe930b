//! The Debian packages: built of the programs of the tests, and unpacked by dpkg. Optimised ones take minutes.

use std::fs;
use std::path::Path;
use std::process::Command;

use est_testkit::peers::is_installed;
use est_testkit::shell::Shell;
use serde_json::Value;

use crate::{ESTD, read, root};

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
                assert!(
                    ["man/*", "man/*.1.gz", "man/*.5.gz", "bash", "zsh", "fish"].contains(&made),
                    "{path} is not built"
                );
                continue;
            }
            let (folder, end) = path.rsplit_once('/').expect("a file in a folder");
            let is_there = match end.strip_prefix('*') {
                Some(suffix) => fs::read_dir(root().join(folder)).is_ok_and(|mut entries| {
                    entries.any(|entry| entry.is_ok_and(|entry| entry.file_name().to_string_lossy().ends_with(suffix)))
                }),
                None => root().join(path).is_file(),
            };
            assert!(is_there, "{path}");
        }
    }
}

/// Those that `--debug` makes of the programs of the tests.
#[test]
fn the_debian_packages_are_built_and_dpkg_unpacks_what_an_installation_needs() {
    if !is_installed("cargo-deb") || !is_installed("dpkg") {
        return;
    }
    let shell = Shell::new();
    let (root, folder) = (root().display().to_string(), shell.folder().display().to_string());
    let programs = Path::new(ESTD).parent().expect("a folder").display();
    assert_eq!(format!("{root}/target/debug"), programs.to_string(), "build.sh takes them from there");
    shell.run(&format!("{root}/packaging/debian/build.sh --debug && cp {root}/target/deb/*.deb {folder}"));
    // A system of its own, of which dpkg knows nothing. Scripts are not run: they are for the system that it is.
    shell.run(&format!(
        "mkdir -p system/var/lib/dpkg/info system/var/lib/dpkg/updates && touch system/var/lib/dpkg/status
         dpkg --root={folder}/system --force-depends --force-not-root --unpack ./ohia-server_*.deb ./ohia-client_*.deb"
    ));
    let system = shell.folder().join("system");
    for path in [
        "usr/bin/estd",
        "usr/bin/est",
        "usr/lib/systemd/system/estd.service",
        "usr/lib/systemd/system/est-renew@.service",
        "usr/lib/systemd/system/est-renew@.timer",
        "usr/lib/sysusers.d/ohia.conf",
        "usr/share/man/man1/estd.1.gz",
        "usr/share/man/man1/estd-otp-create.1.gz",
        "usr/share/man/man5/estd.toml.5.gz",
        "usr/share/man/man1/est-renew.1.gz",
        "usr/share/bash-completion/completions/estd",
        "usr/share/zsh/vendor-completions/_est",
        "usr/share/fish/vendor_completions.d/estd.fish",
        "usr/share/doc/ohia-server/monitoring/ohia.rules.yml",
        "usr/share/doc/ohia-server/docs/operate.md",
    ] {
        assert!(system.join(path).is_file(), "{path} is not in the packages");
    }
    let version = shell.run("system/usr/bin/estd --version && system/usr/bin/est --version");
    assert_eq!(version.lines().count(), 2, "{version}");
    let known = fs::read_to_string(system.join("var/lib/dpkg/status")).expect("what dpkg knows");
    for line in ["Package: ohia-server", "Package: ohia-client", "Status: install ok unpacked"] {
        assert!(known.lines().any(|found| found == line), "{line} is not in {known}");
    }
    // No configuration: `estd init` makes it. What is made there outlives the package.
    assert!(!system.join("etc").exists());
    for script in ["postinst", "prerm", "postrm"] {
        let text =
            fs::read_to_string(system.join(format!("var/lib/dpkg/info/ohia-server.{script}"))).expect("a script");
        assert!(
            !text.contains("#DEBHELPER#") && !text.contains("/var/lib/ohia\"") && !text.contains("rm -r"),
            "{text}"
        );
        shell.run(&format!("sh -n system/var/lib/dpkg/info/ohia-server.{script}"));
    }
}

#[test]
fn the_scripts_of_the_debian_package_are_scripts() {
    let mut scripts = vec![root().join("packaging/debian/build.sh")];
    for (_, deb) in packages() {
        let Some(folder) = deb["maintainer-scripts"].as_str() else { continue };
        let folder = root().join(folder.strip_prefix("../../").expect("a path from the package's folder"));
        scripts.extend(fs::read_dir(folder).expect("scripts").map(|entry| entry.expect("an entry").path()));
    }
    assert_eq!(scripts.len(), 4);
    for script in scripts {
        assert!(Command::new("sh").arg("-n").arg(&script).status().expect("sh runs").success(), "{}", script.display());
    }
}
