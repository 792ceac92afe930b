//! How far audit records have gone.

use est_core::Seconds;
use est_store::{Actor, AuditFilter, ServerEvent, SinkChain};

use super::subject::{Store, Subject};
use crate::support::{LEASE, new_password};

/// The node that stores are opened as.
const NODE: &str = "local";

#[tokio::test]
async fn a_chain_is_read_in_order_and_in_pages() {
    let Subject { store, .. } = &Subject::fresh();
    store.note(ServerEvent::Startup, None).await.unwrap();
    for id in ["p1", "p2", "p3"] {
        store.create_password(new_password(id, 1), &Actor::local("admin")).await.unwrap();
    }
    let mut read = Vec::new();
    loop {
        let page = store.chain(NODE, read.len() as u64, 3).await.unwrap();
        if page.is_empty() {
            break;
        }
        read.extend(page);
    }
    let places: Vec<_> = read.iter().filter_map(|record| record.chain.as_ref()).collect();
    assert_eq!(places.iter().map(|chain| chain.sequence).collect::<Vec<_>>(), [1, 2, 3, 4]);
    assert!(places.iter().all(|chain| chain.node == NODE));
    let mut all = store.audit(AuditFilter::default(), 10, None).await.unwrap().items;
    all.reverse();
    assert_eq!(read, all);
    assert_eq!(store.chain_end(NODE).await.unwrap().unwrap().sequence, 4);
    assert!(store.chain("elsewhere", 0, 10).await.unwrap().is_empty());
    assert_eq!(store.chain_end("elsewhere").await.unwrap(), None);
}

#[tokio::test]
async fn a_sink_goes_on_where_it_was_and_never_back() {
    let Subject { store, .. } = &Subject::fresh();
    let position = async |node, sink| -> u64 { store.lease_chain(node, sink, NODE, LEASE).await.unwrap().unwrap() };
    assert_eq!(position(NODE, "file").await, 0);
    store.advance_sink(NODE, "file", 7).await.unwrap();
    assert_eq!(position(NODE, "file").await, 7);
    store.advance_sink(NODE, "file", 5).await.unwrap();
    store.advance_sink(NODE, "file", 7).await.unwrap();
    assert_eq!(position(NODE, "file").await, 7);
    store.advance_sink(NODE, "file", 8).await.unwrap();
    store.advance_sink(NODE, "syslog", 3).await.unwrap();
    store.advance_sink("elsewhere", "file", 1).await.unwrap();
    assert_eq!(position(NODE, "file").await, 8);
    assert_eq!((position(NODE, "syslog").await, position("elsewhere", "file").await), (3, 1));
    assert_eq!(count(store).await, 0, "moving a sink is no event");
}

#[tokio::test]
async fn one_server_at_a_time_ships_a_chain_to_a_sink() {
    let Subject { store, clock, .. } = &Subject::fresh();
    let lease = async |sink, holder| store.lease_chain("gone", sink, holder, LEASE).await.unwrap();
    store.advance_sink("gone", "file", 3).await.unwrap();
    assert_eq!(lease("file", "est-1").await, Some(3));
    assert_eq!(lease("file", "est-2").await, None);
    assert_eq!(lease("syslog", "est-2").await, Some(0), "another sink");
    clock.advance(Seconds(LEASE.0 - 1));
    assert_eq!(lease("file", "est-1").await, Some(3), "it says so again");
    clock.advance(Seconds(LEASE.0 - 1));
    assert_eq!(lease("file", "est-2").await, None);
    clock.advance(Seconds(1));
    store.advance_sink("gone", "file", 4).await.unwrap();
    assert_eq!(lease("file", "est-2").await, Some(4));
    assert_eq!(lease("file", "est-1").await, None);
    assert_eq!(lease("file", "gone").await, Some(4), "a node that comes back has its own chain");
    assert_eq!(lease("file", "est-2").await, None);
}

#[tokio::test]
async fn every_chain_is_listed_with_how_far_a_sink_has_taken_it() {
    let subject = Subject::fresh();
    let store = &subject.store;
    assert_eq!(store.sink_chains("file").await.unwrap(), []);
    for _ in 0..3 {
        store.note(ServerEvent::Startup, None).await.unwrap();
    }
    let chain = |position| SinkChain { node: NODE.into(), last: 3, position };
    store.advance_sink(NODE, "file", 2).await.unwrap();
    assert_eq!(store.sink_chains("file").await.unwrap(), [chain(2)]);
    assert_eq!(store.sink_chains("syslog").await.unwrap(), [chain(0)]);
}

async fn count(store: &Store) -> usize {
    store.audit(AuditFilter::default(), 10, None).await.unwrap().items.len()
}
