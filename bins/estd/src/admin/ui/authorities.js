// The CAs, their CRLs, the pools and the nodes.

import { get } from "./api.js";
import { card, copyButton, download, empty, facts, h, link, relative, state, table, time } from "./dom.js";

export async function authorities(view, context) {
  const draw = async () => {
    const [cas, pools, chain] = await Promise.all([
      get("/admin/ca"), get("/admin/ha"), context.role === "viewer" ? null : get("/admin/audit/chain"),
    ]);
    view.replaceChildren(
      h("h1", {}, "CAs and nodes"),
      table(["CA", "Name", "Labels", "State", "Last issued", "Ends", "What is wrong"], cas.map((ca) => ({
        key: ca.id,
        cells: [link(ca.id, `#authorities/${encodeURIComponent(ca.id)}`), ca.name, ca.labels.join(", ") || "without a label", state(ca.status),
          time(ca.last_sign_time), time(ca.not_after), ca.error ?? ""],
        kinds: [undefined, "wrap", undefined, undefined, undefined, undefined, "wrap"],
      }))),
      card("Pools", pooled(pools)),
      ...(chain ? [card("Nodes", h("p", { class: "hint" }, "Each node that has written audit records to this database, with the end of its chain."),
        table(["Node", "Records", "Chain"], chain.nodes.map((node) => ({ key: node.node, cells: [node.node, node.records.toLocaleString("en"), state(node.status)] }))))] : []));
  };
  await draw();
  return draw;
}

function pooled(pools) {
  const list = Array.isArray(pools) ? pools : pools.pools ?? pools.groups ?? [];
  if (list.length === 0) return empty("There are no pools: each CA is on its own.");
  return table(["Pool", "State"], list.map((pool) => ({ cells: [pool.id ?? pool.name, state(pool.status)] })));
}

export async function authority(view, context) {
  const [ca, chain, all] = await Promise.all([
    get(`/admin/ca/${encodeURIComponent(context.id)}`), get(`/admin/ca/${encodeURIComponent(context.id)}/chain`), get("/admin/crls"),
  ]);
  const crls = all.filter((crl) => crl.ca_id === ca.id);
  view.replaceChildren(
    h("p", { class: "crumbs" }, link("CAs and nodes", "#authorities")),
    h("h1", {}, ca.name ?? ca.id, " ", state(ca.status)),
    h("div", { class: "columns" },
      card("CA", facts([
        ["Id", ca.id], ["Kind", ca.type], ["Labels", ca.labels?.join(", ") || "without a label"], ["Subject", ca.subject], ["Key", ca.key_type],
        ["Serial number", ca.serial ? h("span", { class: "code" }, ca.serial) : null],
        ["Valid from", time(ca.not_before)], ["Ends", ca.not_after ? h("span", {}, time(ca.not_after), ` (${relative(ca.not_after)})`) : null],
        ["Last issued", time(ca.last_sign_time)], ["What is wrong", ca.error], ["SHA-256", ca.fingerprint ? h("span", { class: "code" }, ca.fingerprint) : null],
        ["Certificates", link("those that it issued", `#certificates?ca_id=${encodeURIComponent(ca.id)}`)],
      ])),
      card("CRLs", crls.length === 0 ? empty("The server reports no CRL of this CA.") : table(["Address", "Number", "Entries", "Made", "Ends", "State", "What is wrong"], crls.map((crl) => ({
        cells: [crl.path, crl.number ?? "", crl.entries?.toLocaleString("en") ?? "", time(crl.this_update), time(crl.next_update), state(crl.status), crl.error ?? ""],
        kinds: ["wrap", undefined, undefined, undefined, undefined, undefined, "wrap"],
      }))))),
    card("Chain", h("p", { class: "buttons" }, copyButton(chain, "Copy PEM"), h("button", { type: "button", onclick: () => download(`${ca.id}-chain.pem`, chain, "application/x-pem-file") }, "Download")),
      h("pre", { class: "pem", tabindex: 0 }, chain)));
  return null;
}
