//! The manual pages and completions that `estd` and `est` make of their command lines.

use std::fs;
use std::path::PathBuf;
use std::process::Command;

use est_testkit::peers::is_installed;

const ESTD: &str = env!("CARGO_BIN_EXE_estd");

/// Both programs; `est` is beside `estd`, where a build of the workspace has put it.
fn programs() -> impl Iterator<Item = (&'static str, PathBuf)> {
    let est = PathBuf::from(ESTD).with_file_name("est");
    [("estd", PathBuf::from(ESTD)), ("est", est)].into_iter().filter(|(_, path)| path.is_file())
}

fn printed(command: &mut Command) -> String {
    let output = command.output().expect("it runs");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&[output.stdout, output.stderr].concat()));
    String::from_utf8(output.stdout).expect("UTF-8")
}

#[test]
fn every_command_has_a_manual_page_that_mandoc_reads() {
    if !is_installed("mandoc") {
        return;
    }
    for (name, program) in programs() {
        let folder = tempfile::tempdir().expect("a folder");
        printed(Command::new(&program).args(["man", "--out"]).arg(folder.path()));
        let pages: Vec<PathBuf> = fs::read_dir(folder.path()).expect("pages").map(|e| e.expect("one").path()).collect();
        printed(Command::new("mandoc").args(["-Tlint", "-Werror"]).args(&pages));

        let help = printed(Command::new(&program).arg("--help"));
        let commands = help.lines().skip_while(|line| *line != "Commands:").skip(1).take_while(|line| !line.is_empty());
        let commands: Vec<&str> = commands
            .filter(|line| line.starts_with("  ") && !line.starts_with("   "))
            .filter_map(|line| line.split_whitespace().next())
            .filter(|command| *command != "help")
            .collect();
        assert!(commands.len() > 5, "{help}");
        for command in commands {
            let page = folder.path().join(format!("{name}-{command}.1"));
            let text = printed(Command::new("mandoc").args(["-Tascii"]).arg(&page));
            assert!(text.contains(&format!("{name}-{command}(1)")), "{text}");
        }
        let one = printed(Command::new(&program).arg("man"));
        assert_eq!(one, fs::read_to_string(folder.path().join(format!("{name}.1"))).expect("the page"));
    }
}

#[test]
fn the_configuration_has_a_manual_page_with_every_key() {
    if !is_installed("mandoc") {
        return;
    }
    let folder = tempfile::tempdir().expect("a folder");
    printed(Command::new(ESTD).args(["man", "--out"]).arg(folder.path()));
    let page = folder.path().join("estd.toml.5");
    let written = fs::read_to_string(&page).expect("the page");
    assert_eq!(printed(Command::new(ESTD).args(["man", "estd.toml"])), written);
    // It has no date: what it says changes with the version.
    let linted = Command::new("mandoc").args(["-Tlint", "-Wwarning"]).arg(&page).output().expect("mandoc runs");
    let linted = String::from_utf8_lossy(&linted.stdout).into_owned();
    assert!(linted.lines().all(|line| line.contains("missing date")), "{linted}");
    let text = printed(Command::new("mandoc").args(["-Tutf8"]).arg(&page)).replace('\u{8}', "");
    let schema: serde_json::Value =
        serde_json::from_str(&printed(Command::new(ESTD).args(["config", "schema"]))).expect("JSON");
    let sections = schema["properties"].as_object().expect("sections");
    assert!(sections.len() > 10);
    for name in sections.keys() {
        assert!(written.contains(&format!("[{name}]")), "{name} is not in {text}");
    }
    assert!(text.contains("ESTD.TOML(5)") || text.contains("estd.toml(5)"), "{text}");
}

#[test]
fn bash_completes_commands_and_their_options() {
    if !is_installed("bash") {
        return;
    }
    let complete = |program: &PathBuf, name: &str, words: &str, index: usize| {
        let script = format!(
            "source <({} completions bash); COMP_WORDS=({words}); COMP_CWORD={index}; \
             _{name} {name} \"${{COMP_WORDS[{index}]}}\" \"${{COMP_WORDS[{}]}}\"; echo \"${{COMPREPLY[@]}}\"",
            program.display(),
            index - 1
        );
        printed(Command::new("bash").args(["-c", &script])).trim().to_owned()
    };
    for (name, program) in programs() {
        let (start, whole, option) =
            if name == "estd" { ("ch", "check", "--config") } else { ("ser", "serverkeygen", "--server") };
        assert_eq!(complete(&program, name, &format!("{name} {start}"), 1), whole);
        assert_eq!(complete(&program, name, &format!("{name} {whole} {}", &option[..4]), 2), option);
    }
}

#[test]
fn every_shell_gets_its_completions() {
    for (name, program) in programs() {
        for (shell, mark) in
            [("bash", "complete -F"), ("zsh", "#compdef"), ("fish", "complete -c"), ("elvish", "edit:completion")]
        {
            let script = printed(Command::new(&program).args(["completions", shell]));
            assert!(script.contains(mark) && script.contains(name), "{shell}: {script}");
        }
    }
}
