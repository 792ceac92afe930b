// Certificates: finding them, and the life of one.

import { call, get, post } from "./api.js";
import { absolute, ask, attempt, badge, button, card, copyButton, described, download, facts, h, link, relative, say, serial, state, time } from "./dom.js";
import { choice, field, listing } from "./listing.js";

const REASONS = [
  "unspecified", "keyCompromise", "affiliationChanged", "superseded", "cessationOfOperation", "certificateHold",
  "privilegeWithdrawn",
];
const ABOUT = {
  unspecified: "no particular reason",
  keyCompromise: "somebody else has the key: the key is refused for ever, and every certificate for it is revoked",
  affiliationChanged: "the holder belongs elsewhere",
  superseded: "another certificate has replaced it",
  cessationOfOperation: "the device is out of use",
  certificateHold: "for the time being: it can be released",
  privilegeWithdrawn: "the holder may not have it any more",
};

export const address = (certificate) =>
  `#certificates/${encodeURIComponent(certificate.serial.replaceAll(":", ""))}?ca_id=${encodeURIComponent(certificate.ca_id)}`;

export function certificates(view, context) {
  const cas = context.cas.map((ca) => ca.id);
  return listing(view, context, {
    path: "/admin/certs",
    above: [h("h1", {}, "Certificates")],
    filters: [
      field("subject", "Subject, name or serial number", { placeholder: "device-17", size: 28 }),
      choice("status", "State", [["", "any"], "active", "expired", "revoked"]),
      choice("label", "Label", [["", "any"], ...context.labels]),
      choice("ca_id", "CA", [["", "any"], ...cas]),
      choice("ends", "Ends", [["", "any time"], ["7", "within 7 days"], ["30", "within 30 days"], ["90", "within 90 days"]]),
    ],
    fields: ({ ends, ...rest }) => ends === "" ? rest
      : { ...rest, status: rest.status || "active", ends_before: new Date(Date.now() + Number(ends) * 86_400_000).toISOString().slice(0, 19) + "Z" },
    headings: ["Subject", "Names", "Serial number", "State", "Ends", "Label", "CA"],
    read: (answer) => answer.certificates,
    row: (certificate) => ({
      key: certificate.serial,
      cells: [
        link(certificate.subject || certificate.names || "(no subject)", address(certificate)), certificate.names ?? "",
        serial(certificate.serial), state(certificate.status), time(certificate.not_after), certificate.label ?? "", certificate.ca_id,
      ],
      kinds: ["wrap", "wrap"],
    }),
    nothing: { filtered: "No certificates match.", atAll: "No certificates yet. Make a one-time password for a device to enroll with." },
  });
}

export async function certificate(view, context) {
  const where = `/admin/certs/${encodeURIComponent(context.id)}`;
  const ca = context.parameters.get("ca_id");
  const draw = async () => {
    const found = await get(where, { ca_id: ca });
    const chain = `${found.pem}${await get(`/admin/ca/${encodeURIComponent(found.ca_id)}/chain`).catch(() => "")}`;
    const file = (found.subject.match(/CN=([A-Za-z0-9._-]+)/)?.[1] ?? found.serial.replaceAll(":", "").slice(0, 16));
    view.replaceChildren(
      h("p", { class: "crumbs" }, link("Certificates", "#certificates")),
      h("h1", {}, found.subject || found.names || "Certificate", " ", state(found.status)),
      actions(found, context, draw),
      h("div", { class: "columns" },
        card("Certificate", facts([
          ["Subject", found.subject], ["Names", found.names], ["Serial number", h("span", { class: "code" }, found.serial, " ", copyButton(found.serial))],
          ["Valid from", time(found.not_before)], ["Ends", h("span", {}, time(found.not_after), ` (${relative(found.not_after)})`)],
          ["Issuer", found.issuer], ["CA", link(found.ca_id, `#authorities/${encodeURIComponent(found.ca_id)}`)], ["Label", found.label], ["Profile", found.profile],
          ["Key", found.key_type], ["Extensions", described(found.extensions)],
          ["SHA-256", h("span", { class: "code" }, found.fingerprint)],
          ["Revoked", found.revocation_time ? h("span", {}, time(found.revocation_time), ` (${found.revocation_reason})`) : null],
        ])),
        card("Life", timeline(found))),
      card("PEM",
        h("p", { class: "buttons" }, copyButton(found.pem, "Copy PEM"),
          button("Download certificate", "", () => download(`${file}.pem`, found.pem, "application/x-pem-file")),
          button("Download with chain", "", () => download(`${file}-chain.pem`, chain, "application/x-pem-file"))),
        h("pre", { class: "pem", tabindex: 0 }, found.pem)));
  };
  await draw();
  return null;
}

function actions(found, context, draw) {
  if (context.role !== "operator" || found.status === "expired") return "";
  const at = `/admin/certs/${encodeURIComponent(found.serial.replaceAll(":", ""))}`;
  const body = { ca_id: found.ca_id };
  if (found.status === "active") {
    return h("p", { class: "buttons" }, button("Revoke…", "danger", async (event) => {
      const pressed = event.currentTarget;
      const answer = await ask("Revoke this certificate?", {
        about: [h("p", {}, h("strong", {}, found.subject || found.names), h("br"), h("span", { class: "code" }, found.serial)),
          h("p", { class: "hint" }, "It cannot enroll or renew from now on, and the next CRL lists it. Only a hold can be taken back.")],
        fields: [h("label", {}, "Reason", h("select", { name: "reason", id: "revoke-reason" },
          REASONS.map((reason) => h("option", { value: reason }, `${reason}: ${ABOUT[reason]}`))))],
        yes: "Revoke", kind: "danger filled",
      });
      if (answer === null) return;
      await attempt(pressed, async () => {
        await post(`${at}/revoke`, { ...body, reason: answer.get("reason") });
        await draw();
        say(`The certificate of ${found.subject} is revoked.`);
      });
    }));
  }
  if (found.revocation_reason === "certificateHold") {
    return h("p", { class: "buttons" }, button("Release from hold", "", (event) => attempt(event.currentTarget, async () => {
      await call("POST", `${at}/release`, body);
      await draw();
      say(`The certificate of ${found.subject} is released.`);
    })));
  }
  return "";
}

// The line of certificates that it belongs to, and what happened to this one, as far as the caller may see.
function timeline(found) {
  const steps = [];
  const at = (when, ...what) => { if (when) steps.push({ when, what: h("span", {}, what) }); };
  for (const entry of found.story ?? []) {
    const { password, request } = entry;
    const isThis = entry.relation === "this";
    if (password && isThis) {
      at(password.created, "Password ", link(password.id, `#passwords/${encodeURIComponent(password.id)}`), ` made${password.created_by ? ` by ${password.created_by}` : ""}`);
    }
    if (request && isThis) {
      at(request.created, "Asked for in request ", link(request.id, `#requests/${encodeURIComponent(request.id)}`), request.source ? ` from ${request.source}` : "");
      at(request.decided_at, `Approved by ${request.decided_by}`, request.comment ? `: ${request.comment}` : "");
    }
    if (!isThis) at(entry.issued_at, entry.relation === "before" ? "Before it: " : "After it: ", link(entry.serial, address(entry), "code"), " ", entry.status === "active" ? null : state(entry.status));
  }
  at(found.issued_at, badge("Issued", "good"), ` to ${found.principal}`);
  const told = ["admin.access", "cert.issued", "request.created", "request.approved", "otp.created"];
  for (const event of (found.events ?? []).filter((event) => !told.includes(event.event))) {
    at(event.timestamp, event.event, event.actor ? ` by ${event.actor}` : "", event.source ? ` from ${event.source}` : "",
      event.reason ? h("span", { class: "hint" }, ` ${event.reason}`) : "");
  }
  if (!found.events && found.revocation_time) at(found.revocation_time, `Revoked: ${found.revocation_reason}`);
  at(found.not_after, Date.parse(found.not_after) < Date.now() ? "Ended" : "Ends");
  steps.sort((a, b) => Date.parse(a.when) - Date.parse(b.when));
  return h("div", {}, h("ol", { class: "timeline" }, steps.map(({ when, what }) =>
    h("li", { class: Date.parse(when) > Date.now() ? "future" : undefined }, h("time", { datetime: when, title: absolute(when) }, when.slice(0, 16).replace("T", " ")), what))),
  found.story_is_cut ? h("p", { class: "hint" }, "The line is longer than what is shown.") : "");
}
