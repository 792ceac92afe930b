//! The Containerfile, as far as it can be checked where nothing can be pulled: an image is built elsewhere.

use std::collections::BTreeSet;
use std::os::unix::fs::symlink;
use std::process::Command;

use est_testkit::python::Python;
use est_testkit::shell::Shell;

use crate::{ESTD, read, root};

/// The instructions, in their stages: the keyword, and what follows it.
fn stages() -> Vec<Vec<(String, String)>> {
    let text = read("packaging/container/Containerfile");
    let lines: String = text.lines().filter(|line| !line.starts_with('#')).map(|line| format!("{line}\n")).collect();
    let mut stages: Vec<Vec<(String, String)>> = Vec::new();
    for line in lines.replace("\\\n", " ").lines().filter(|line| !line.is_empty()) {
        let (keyword, rest) = line.split_once(' ').expect("an instruction");
        if keyword == "FROM" {
            stages.push(Vec::new());
        }
        stages.last_mut().expect("FROM comes first").push((keyword.to_owned(), rest.trim().to_owned()));
    }
    stages
}

/// What the instructions of this kind say.
fn all<'a>(stage: &'a [(String, String)], keyword: &str) -> Vec<&'a str> {
    stage.iter().filter(|(word, _)| word == keyword).map(|(_, rest)| rest.as_str()).collect()
}

fn command(text: &str) -> Vec<String> {
    let words = text.trim_start_matches(|letter| letter != '[');
    serde_json::from_str(words).expect("a command as a list of words: there is no shell")
}

#[test]
fn the_image_is_small_named_exactly_and_not_run_by_root() {
    let stages = stages();
    let [build, image] = &stages[..] else { panic!("two stages") };
    for stage in &stages {
        let base = all(stage, "FROM")[0].split(' ').next().expect("a base");
        let (_, version) = base.rsplit_once([':', '@']).expect("a tag or a digest");
        assert!(base.contains('.') && version != "latest", "{base}");
    }
    assert!(all(image, "FROM")[0].contains("distroless") && all(image, "RUN").is_empty(), "it has no shell");
    let user = all(image, "USER")[0].split(':').map(|id| id.parse::<u32>().expect("a number"));
    assert!(user.into_iter().all(|id| id != 0));

    let minimum =
        read("Cargo.toml").lines().find_map(|line| Some(line.strip_prefix("rust-version = ")?.replace('"', "")));
    assert!(
        all(build, "FROM")[0].contains(&format!("rust:{}-", minimum.expect("a version"))),
        "the oldest Rust that will do"
    );
}

#[test]
fn the_image_has_what_the_documented_build_makes() {
    let stages = stages();
    let [build, image] = &stages[..] else { panic!("two stages") };
    let runs = all(build, "RUN");
    assert!(read("docs/operate.md").contains(&format!("\n{}\n", runs[0])), "docs/operate.md builds with {}", runs[0]);
    let copied: Vec<&str> = all(image, "COPY")
        .iter()
        .flat_map(|copy| {
            let mut paths: Vec<&str> =
                copy.split(' ').filter(|word| !word.starts_with("--") && !word.is_empty()).collect();
            paths.pop();
            paths
        })
        .collect();
    for path in &copied {
        let is_made = match path.strip_prefix("/src/target/dist/") {
            Some(binary) => runs[0].contains(&format!("--bin {binary}")),
            None => runs.contains(&format!("mkdir {path}").as_str()),
        };
        assert!(is_made, "{path} is copied and never made");
    }
    assert_eq!(copied.len(), 4);
    assert_eq!(all(build, "COPY"), [". ."]);
}

#[test]
fn its_commands_are_ones_that_estd_knows() {
    let stages = stages();
    let image = stages.last().expect("the image");
    let started = [command(all(image, "ENTRYPOINT")[0]), command(all(image, "CMD")[0])].concat();
    for words in [started, command(all(image, "HEALTHCHECK")[0])] {
        assert_eq!(words[0], "/usr/bin/estd");
        let folder = tempfile::tempdir().expect("a folder");
        let missing = folder.path().join("estd.toml").display().to_string();
        let words = words[1..].iter().map(|word| word.replace("/etc/ohia/estd.toml", &missing));
        let output = Command::new(ESTD).args(words).output().expect("estd runs");
        let printed = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.code() == Some(1) && printed.contains("cannot be read"), "{printed}");
    }
}

#[test]
fn what_is_sent_to_the_builder_is_the_workspace_and_nothing_else() {
    let ignored = read(".containerignore");
    let mut lines = ignored.lines().filter(|line| !line.starts_with('#'));
    assert_eq!(lines.next(), Some("*"));
    let sent: BTreeSet<&str> = lines.map(|line| line.strip_prefix('!').expect("an exception")).collect();
    for forbidden in ["target", ".git", "ohia-dev"] {
        assert!(!sent.contains(forbidden));
    }
    let context = tempfile::tempdir().expect("a folder");
    for name in sent {
        let path = root().join(name);
        assert!(path.exists(), "{name} is not there");
        symlink(path, context.path().join(name)).expect("a link");
    }
    // Every member of the workspace is there, with its targets.
    let output = Command::new(env!("CARGO"))
        .args(["metadata", "--locked", "--offline", "--format-version", "1"])
        .current_dir(context.path())
        .output()
        .expect("cargo runs");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
}

/// What a page says about a container, with a folder in the place of `/etc/ohia` and no container.
fn commands(page: &str, begin: &str, folder: &str, etc: &str) -> String {
    let block = page.split("\n```\n").find(|block| block.starts_with(begin)).expect("the block");
    let est = std::path::Path::new(ESTD).display().to_string();
    block
        .replace("podman run --rm --volume /etc/ohia:/etc/ohia ohia", &est)
        .replace("podman run --rm --volume ./ohia:/etc/ohia ohia", &est)
        .replace("init /etc/ohia", &format!("init {etc}"))
        .replace("-o 65532 -g 65532 ", "")
        .replace("/etc/ohia", etc)
        .replace("cd packaging/container", &format!("cd {folder}"))
        .replace("podman compose up --detach", "")
}

#[test]
fn the_page_fills_the_folder_of_a_container_so_that_it_can_run_there() {
    let (shell, page) = (Shell::new(), read("docs/operate.md"));
    let etc = shell.folder().join("ohia").display().to_string();
    shell.run(&commands(&page, "install -d -o 65532 -g 65532 -m 750 /etc/ohia\n", "", &etc));
    let text = std::fs::read_to_string(shell.folder().join("ohia/estd.toml")).expect("a configuration");
    for line in ["node = \"est-1\"", "admin_listen = \"0.0.0.0:9443\"", "url = \"sqlite:///var/lib/ohia/estd.db\""] {
        assert!(text.lines().any(|found| found == line), "{line} in {text}");
    }
    let checked = text.replace("/var/lib/ohia", &etc);
    std::fs::write(shell.folder().join("ohia/estd.toml"), checked).expect("a file");
    shell.run(&format!("{ESTD} check --config {etc}/estd.toml"));
}

#[test]
fn the_page_fills_the_folders_of_the_composition() {
    let (shell, page) = (Shell::new(), read("docs/operate.md"));
    let folder = shell.folder().display().to_string();
    let etc = format!("{folder}/ohia");
    shell.run(&commands(&page, "cd packaging/container\n", &folder, &etc));
    let text = std::fs::read_to_string(shell.folder().join("ohia/estd.toml")).expect("a configuration");
    let text = text.replace("/run/secrets", &format!("{folder}/secrets"));
    std::fs::write(shell.folder().join("ohia/estd.toml"), text).expect("a file");
    let checked = shell.run(&format!("OHIA_NODE=est-1 {ESTD} check --config {etc}/estd.toml 2>&1"));
    assert!(!checked.contains("error"), "{checked}");
    shell.fails(&format!("{ESTD} check --config {etc}/estd.toml"));
}

#[test]
fn the_composition_names_what_there_is() {
    let Some(python) = Python::with(&["yaml"]) else { return };
    let script = "import json, sys, yaml; print(json.dumps(yaml.safe_load(open(sys.argv[1]))))";
    let path = root().join("packaging/container/compose.yaml");
    let text = python.run(script, &root(), &[path.to_str().expect("UTF-8")]);
    let read: serde_json::Value = serde_json::from_str(&text).expect("JSON");
    for node in ["est-1", "est-2"] {
        let service = &read["services"][node];
        assert_eq!(service["environment"]["OHIA_NODE"], node);
        assert_eq!(service["depends_on"]["db"]["condition"], "service_healthy");
        assert_eq!((&service["read_only"], &service["cap_drop"][0]), (&true.into(), &"ALL".into()));
        let file = service["build"]["dockerfile"].as_str().expect("a path");
        assert!(root().join(file).exists(), "{file}");
        for secret in service["secrets"].as_array().expect("a list") {
            let name = secret["source"].as_str().expect("a name");
            assert!(read["secrets"][name]["file"].as_str().is_some(), "{name}");
        }
        let volume = service["volumes"][1].as_str().and_then(|volume| volume.split_once(':')).expect("a volume");
        assert!(read["volumes"].get(volume.0).is_some(), "{volume:?}");
    }
    assert!(read["services"]["db"]["healthcheck"]["test"].is_array());
}
