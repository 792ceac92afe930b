//! Every committed input, once.

use ohia_fuzz::{TARGETS, corpus};

#[test]
fn every_committed_input_keeps_the_invariants() {
    for (name, run) in TARGETS {
        for (file, input) in corpus::read(name) {
            let kept = std::panic::catch_unwind(|| run(&input));
            assert!(kept.is_ok(), "corpus/{name}/{file}");
        }
    }
}
