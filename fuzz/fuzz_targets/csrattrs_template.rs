//! `csrattrs_template` under libFuzzer.
#![no_main]

libfuzzer_sys::fuzz_target!(|input: &[u8]| ohia_fuzz::csrattrs_template::run(input));
