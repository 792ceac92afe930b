//! How far audit records have gone.

use est_store::{Actor, AuditFilter, ServerEvent};

use super::subject::{Store, Subject};
use crate::support::new_password;

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
    let position = async |node, sink| -> u64 { store.sink_position(node, sink).await.unwrap() };
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

async fn count(store: &Store) -> usize {
    store.audit(AuditFilter::default(), 10, None).await.unwrap().items.len()
}
