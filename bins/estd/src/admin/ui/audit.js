// The audit trail, without the page's own reads unless somebody asks for them.

import { get } from "./api.js";
import { h, link, serial, state, time } from "./dom.js";
import { choice, field, listing } from "./listing.js";

const EVENTS = ["auth", "cert", "enroll", "reenroll", "otp", "request", "key", "crl", "ca", "admin", "config", "limit", "audit", "store", "server", "tls", "time"];

export async function audit(view, context) {
  const chain = h("section", { class: "card", id: "chain", "aria-live": "polite" }, "The end of the chain is being looked at.");
  const names = h("datalist", { id: "event-names" }, EVENTS.map((value) => h("option", { value })));
  const again = await listing(view, context, {
    path: "/admin/audit",
    above: [h("h1", {}, "Audit"), chain, names],
    filters: [
      field("event", "Event", { placeholder: "cert", list: "event-names", size: 14 }),
      choice("outcome", "Outcome", [["", "any"], "success", "failure"]),
      field("find", "Subject, name, actor or reason", { placeholder: "device-17", size: 20 }),
      field("actor", "Actor", { placeholder: "admin:alice", size: 14 }),
      choice("label", "Label", [["", "any"], ...context.labels]),
      field("serial", "Serial number", { size: 20 }),
      { name: "start", label: "From (UTC)", element: h("input", { name: "start", type: "datetime-local" }) },
      { name: "end", label: "Until (UTC)", element: h("input", { name: "end", type: "datetime-local" }) },
      choice("reads", "Reads of operators", [["", "left out"], ["shown", "shown"]]),
    ],
    fields: ({ start, end, reads, event, ...rest }) => ({
      ...rest, event, start: utc(start), end: utc(end), without: reads === "" && event === "" ? "admin.access" : "",
    }),
    headings: ["Time", "Event", "Outcome", "Actor", "From", "Label", "About", "Reason"],
    read: (answer) => answer.events,
    row: (event) => ({
      key: String(event.number),
      cells: [
        time(event.timestamp), event.event, state(event.outcome), event.actor ?? "", event.source ?? "", event.label ?? "",
        event.serial ? h("a", { href: `#certificates/${encodeURIComponent(event.serial.replaceAll(":", ""))}${event.ca_id ? `?ca_id=${encodeURIComponent(event.ca_id)}` : ""}` }, serial(event.serial)) : event.ca_id ?? "",
        event.reason ?? "",
      ],
      kinds: ["nowrap", "nowrap", undefined, "wrap", "nowrap", undefined, undefined, "wrap wide"],
    }),
    nothing: { filtered: "No records match.", atAll: "No records." },
  });
  const look = async () => {
    const { status, nodes, message } = await get("/admin/audit/chain");
    const records = nodes.map((node) => `${node.node}: ${node.records.toLocaleString("en")} records`).join(", ");
    chain.replaceChildren(state(status), ` ${message ?? `The end of each chain is as it was written. ${records}.`} `,
      h("span", { class: "hint" }, "`estd audit verify` checks all of it against the signed checkpoints."));
  };
  await look();
  return again;
}

const utc = (text) => (text === "" ? "" : `${text}${text.length === 16 ? ":00" : ""}Z`);
