//! Whether the end of the audit trail is what was written. All of it is for `estd audit verify` to look at.

use std::collections::BTreeMap;
use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use est_store::{Chain, Checkpoint, Extent, StoreError, Verifier};
use schemars::JsonSchema;
use serde::Serialize;

use super::Admin;
use super::endpoint::{Access, Endpoint};
use super::problem::Problem;

/// How many records of each node are looked at.
const RECENT: u32 = 5_000;

pub(super) fn endpoints() -> Vec<Endpoint> {
    vec![
        Endpoint::get("/admin/audit/chain", "Looks at the last 5000 audit records of each node.")
            .only(Access::Auditor)
            .unaudited()
            .json::<ChainStatus>(StatusCode::OK, "Whether they are what was written.")
            .by(look),
    ]
}

/// Whether audit records are what was written.
#[derive(Serialize, JsonSchema)]
#[schemars(deny_unknown_fields)]
struct ChainStatus {
    /// Of all nodes together.
    status: Standing,
    /// Each node's chain.
    nodes: Vec<NodeChain>,
    /// What was found, where something was.
    message: Option<String>,
}

/// Whether records are what was written.
#[derive(Clone, Copy, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
#[schemars(rename = "ChainState")]
enum Standing {
    /// They are.
    Intact,
    /// One at least is not.
    Broken,
}

/// A node's chain.
#[derive(Serialize, JsonSchema)]
#[schemars(deny_unknown_fields)]
struct NodeChain {
    /// The node's name.
    node: String,
    /// How many records it has written.
    records: u64,
    /// The hash of the last one, in hexadecimal.
    hash: String,
    /// Whether those that were looked at are what it wrote.
    status: Standing,
    /// Up to which record the last checkpoint in this server's file reaches; null where none of this chain is in it.
    /// Nothing else tells a chain that somebody made up. Whether the checkpoints hold is for `estd audit verify` to tell.
    checkpoint: Option<u64>,
}

async fn look(State(admin): State<Arc<Admin>>) -> Result<Json<ChainStatus>, Problem> {
    let mut nodes = Vec::new();
    let mut message = None;
    let checkpoints = checkpoints(&admin).await?;
    for node in admin.store.chain_nodes().await? {
        let Some(end) = admin.store.chain_end(&node).await? else {
            message.get_or_insert_with(|| format!("the end of the chain of {node} is not on record"));
            continue;
        };
        let found = finding(&admin, &end).await?;
        let status = if found.is_some() { Standing::Broken } else { Standing::Intact };
        message = message.or(found);
        let hash = end.hash.iter().map(|octet| format!("{octet:02x}")).collect();
        let checkpoint = checkpoints.get(&node).copied();
        nodes.push(NodeChain { node, records: end.sequence, hash, status, checkpoint });
    }
    let status = if message.is_some() { Standing::Broken } else { Standing::Intact };
    let message = message.map(|found| format!("{found}: run estd audit verify"));
    Ok(Json(ChainStatus { status, nodes, message }))
}

/// Up to where the server's file of checkpoints reaches, for each chain.
async fn checkpoints(admin: &Admin) -> Result<BTreeMap<String, u64>, Problem> {
    let Some(path) = admin.current().settings.audit.checkpoints.clone() else { return Ok(BTreeMap::new()) };
    let read = move || {
        let read = host::checkpoints::read_all(&std::fs::read_to_string(path).ok()?).ok()?;
        let mut last: BTreeMap<String, u64> = BTreeMap::new();
        for Checkpoint { chain, others, .. } in read.checkpoints.into_iter().map(|signed| signed.checkpoint) {
            for chain in std::iter::once(chain).chain(others.into_iter().flatten()) {
                let known = last.entry(chain.node).or_default();
                *known = (*known).max(chain.sequence);
            }
        }
        Some(last)
    };
    // The file grows with every checkpoint.
    let last = tokio::task::spawn_blocking(read).await.map_err(|error| StoreError::Database(error.into()))?;
    Ok(last.unwrap_or_default())
}

/// What is wrong with the end of a chain, if something is.
async fn finding(admin: &Admin, end: &Chain) -> Result<Option<String>, Problem> {
    let node = &end.node;
    let after = end.sequence.saturating_sub(RECENT.into());
    let records = match admin.store.chain(node, after, RECENT).await {
        Ok(records) => records,
        Err(StoreError::Damaged { column }) => return Ok(Some(format!("a record of {node} cannot be read: {column}"))),
        Err(error) => return Err(error.into()),
    };
    let is_end = |record: &est_store::AuditRecord| record.chain.as_ref() == Some(end);
    if end.sequence > 0 && !records.iter().any(is_end) {
        return Ok(Some(format!("the last record of {node} is not what its chain ends with")));
    }
    let mut verifier = Verifier::new(Extent::Excerpt);
    records.iter().for_each(|record| verifier.add(record, None));
    let first = verifier.finish().into_iter().find_map(|report| report.finding);
    Ok(first.map(|found| format!("record {} of {node} is {}", found.sequence, found.kind.name())))
}
