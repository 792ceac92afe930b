// Requests: what would be issued and by which rule, and the decision.

import { get, post } from "./api.js";
import { ask, attempt, badge, button, card, copyButton, described, empty, facts, h, link, relative, say, serial, state, time } from "./dom.js";
import { choice, listing } from "./listing.js";

export function requests(view, context) {
  const isOperator = context.role === "operator";
  const chosen = new Map();
  const decideAll = (verb) => decide(null, [...chosen.values()], verb, async () => { chosen.clear(); await context.again(); });
  const bar = h("div", { class: "bulk", hidden: true }, h("span", {}, ""),
    button("Approve…", "primary", () => decideAll("approve")), button("Deny…", "danger", () => decideAll("deny")));
  const count = () => {
    bar.hidden = chosen.size === 0;
    bar.firstChild.textContent = chosen.size === 1 ? "1 request chosen" : `${chosen.size} requests chosen`;
  };
  const box = (request) => h("input", {
    type: "checkbox", "aria-label": `Choose ${request.subject}`, checked: chosen.has(request.id),
    onchange: (event) => { event.target.checked ? chosen.set(request.id, request) : chosen.delete(request.id); count(); },
  });
  const isOpen = (context.parameters.get("state") ?? "") === "";
  return listing(view, context, {
    path: "/admin/requests",
    above: [h("h1", {}, isOpen ? "Requests that wait for a decision" : "Requests")],
    filters: [choice("state", "State", [["", "awaiting"], "approved", "denied", "all"])],
    headings: [...(isOperator && isOpen ? [""] : []), "Subject", "Names", "Requested by", "Label", "State", "Since"],
    read: (answer) => answer.requests,
    bar: () => (isOperator && isOpen ? bar : null),
    row: (request) => ({
      key: request.id,
      cells: [
        ...(isOperator && isOpen ? [box(request)] : []),
        link(request.subject || request.names || request.id, `#requests/${encodeURIComponent(request.id)}`),
        request.names ?? "", request.principal, request.label ?? "", state(request.state), time(request.created),
      ],
      kinds: [...(isOperator && isOpen ? ["choose"] : []), "wrap", "wrap", "wrap"],
    }),
    nothing: { filtered: "No requests match.", atAll: "No requests are waiting." },
  });
}

export async function request(view, context) {
  const draw = async () => {
    const found = await get(`/admin/requests/${encodeURIComponent(context.id)}`);
    const done = async () => { await draw(); await context.waiting(); };
    view.replaceChildren(
      h("p", { class: "crumbs" }, link("Requests", "#requests")),
      h("h1", {}, found.subject || found.names || found.id, " ", state(found.state)),
      context.role === "operator" && found.state === "awaiting"
        ? h("p", { class: "buttons" },
          button("Approve…", "primary", (event) => decide(event.currentTarget, [found], "approve", done)),
          button("Deny…", "danger", (event) => decide(event.currentTarget, [found], "deny", done)))
        : "",
      h("div", { class: "columns" },
        card("Request", facts([
          ["Id", h("span", { class: "code" }, found.id)], ["Subject", found.subject], ["Names", found.names],
          ["Key", found.key_type ?? "made by the server"], ["Requested extensions", described(found.extensions)],
          ["Requested by", found.principal], ["Password", found.password ? h("span", {}, link(found.password.id, `#passwords/${encodeURIComponent(found.password.id)}`), found.password.created_by ? ` made by ${found.password.created_by}` : "") : null],
          ["Client certificate", found.client_certificate ? ofSerial(found.client_certificate) : null], ["From", found.source], ["Label", found.label], ["CA", found.ca_id], ["Operation", found.enrollment_type],
          ["Since", h("span", {}, time(found.created), ` (${relative(found.created)})`)],
          ["Decided", found.decided_at ? h("span", {}, time(found.decided_at), ` by ${found.decided_by}`) : null], ["Comment", found.comment],
          ["Certificate", found.certificate ? ofSerial(found.certificate) : null],
        ])),
        card("What would be issued", outcome(found.explanation))),
      card("PEM", h("p", { class: "buttons" }, copyButton(found.csr, "Copy PEM")), h("pre", { class: "pem", tabindex: 0 }, found.csr)));
  };
  await draw();
  return null;
}

const ofSerial = (number) => h("a", { href: `#certificates/${encodeURIComponent(number.replaceAll(":", ""))}` }, serial(number));

// The API explains a request as `estd explain` does.
function outcome(explained) {
  if (!explained) return empty("Not known: the client or the label of this request is gone.");
  const isRefused = explained.status !== undefined;
  return h("div", {},
    h("p", {}, badge(isRefused ? "refused" : "issued", isRefused ? "bad" : "good"), ` ${explained.explanation}`),
    facts([
      ["Rule", isRefused ? [explained.code, explained.standard].filter(Boolean).join(", ") : null], ["The client reads", explained.text],
      ["Subject", explained.subject], ["Names", explained.names], ["Key", explained.key_type], ["Profile", explained.profile],
      ["Valid from", time(explained.not_before)],
      ["Ends", explained.not_after ? h("span", {}, time(explained.not_after), explained.clamped_from ? ` (instead of ${explained.clamped_from.slice(0, 10)}: its CA ends before)` : "") : null],
      ["Extensions", described(explained.extensions)],
      ["Left out", explained.dropped?.length > 0 ? explained.dropped.join(", ") : null], ["Registration authority", explained.registration_authority],
    ]));
}

async function decide(pressed, chosen, verb, done) {
  const isApproval = verb === "approve";
  const one = chosen.length === 1 ? chosen[0].subject || chosen[0].names : `${chosen.length} requests`;
  const answer = await ask(`${isApproval ? "Approve" : "Deny"} ${one}?`, {
    about: [
      h("ul", { class: "plain scrolling" }, chosen.map((request) => h("li", {}, h("strong", {}, request.subject || "(no subject)"),
        request.names ? ` ${request.names}` : "", h("span", { class: "hint" }, ` for ${request.principal}`)))),
      h("p", { class: "hint" }, isApproval ? "The client gets the certificate when it asks again." : "The client is refused for good, with the reason."),
    ],
    fields: [h("label", {}, isApproval ? "Comment (optional)" : "Reason", h("input", { name: "comment", maxlength: 255, required: !isApproval, autofocus: true }))],
    yes: isApproval ? "Approve" : "Deny", kind: isApproval ? "primary" : "danger filled",
  });
  if (answer === null) return;
  const comment = answer.get("comment").trim();
  await attempt(pressed, async () => {
    const ids = chosen.map((request) => request.id);
    const results = [];
    // The API takes a hundred at a time.
    for (let from = 0; from < ids.length; from += 100) {
      const decision = { ids: ids.slice(from, from + 100), decision: verb, comment: comment === "" ? undefined : comment };
      results.push(...(await post("/admin/requests/decide", decision)).results);
    }
    await done();
    const failed = results.filter((result) => result.error);
    if (failed.length > 0) say(failed.map((result) => `${result.id}: ${result.error}`).join(" "), true);
    else say(`${chosen.length === 1 ? `The request for ${one} is` : `${one} are`} ${isApproval ? "approved" : "denied"}.`);
  });
}
