//! `client_cert` under libFuzzer.
#![no_main]

libfuzzer_sys::fuzz_target!(|input: &[u8]| ohia_fuzz::client_cert::run(input));
