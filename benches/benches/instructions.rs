//! Counts instructions: `cargo bench -p benches`, with valgrind and `gungraun-runner` of the same version installed.

#![expect(missing_docs, unused_qualifications, reason = "the macros write public items, and paths in full")]

use std::hint::black_box;

use benches::{Fixture, P256, RSA_2048};
use est_core::Request;
use est_core::pkix::Csr;
use est_core::policy::Plan;
use est_core::wire::http::Response;
use gungraun::prelude::*;

#[library_benchmark]
#[bench::p256(Fixture::new(), P256)]
#[bench::rsa_2048(Fixture::new(), RSA_2048)]
fn parse(fixture: Fixture, der: &[u8]) -> (Csr, Fixture) {
    (black_box(fixture.parse(black_box(der))), fixture)
}

#[library_benchmark]
#[bench::p256(Fixture::new(), P256)]
#[bench::rsa_2048(Fixture::new(), RSA_2048)]
fn parse_unchecked(fixture: Fixture, der: &[u8]) -> (Csr, Fixture) {
    (black_box(fixture.parse_unchecked(black_box(der))), fixture)
}

#[library_benchmark]
#[bench::default(Fixture::new())]
fn decide(fixture: Fixture) -> (Plan, Fixture) {
    (black_box(fixture.decide()), fixture)
}

#[library_benchmark]
#[bench::default(Fixture::new())]
fn assemble(fixture: Fixture) -> (Vec<u8>, Fixture) {
    (black_box(fixture.assemble()), fixture)
}

#[library_benchmark]
#[bench::default(Fixture::new())]
fn certs_only(fixture: Fixture) -> (Vec<u8>, Fixture) {
    (black_box(fixture.certs_only()), fixture)
}

#[library_benchmark]
#[bench::default(Fixture::new())]
fn route(fixture: Fixture) -> (Request, Fixture) {
    (black_box(fixture.route()), fixture)
}

#[library_benchmark]
#[bench::p256(Fixture::new())]
fn sign(fixture: Fixture) -> (Vec<u8>, Fixture) {
    (black_box(fixture.sign()), fixture)
}

#[library_benchmark]
#[bench::p256(Fixture::new())]
fn exchange(fixture: Fixture) -> (Response, Fixture) {
    (black_box(fixture.exchange()), fixture)
}

library_benchmark_group!(
    name = enrollment,
    benchmarks = [parse, parse_unchecked, decide, assemble, certs_only, route, sign, exchange]
);

main!(library_benchmark_groups = enrollment);
