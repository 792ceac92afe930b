//! `key_request` under libFuzzer.
#![no_main]

libfuzzer_sys::fuzz_target!(|input: &[u8]| ohia_fuzz::key_request::run(input));
