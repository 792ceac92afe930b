// One-time passwords: making them, what became of them, and lockouts.

import { call, get, post } from "./api.js";
import { ask, attempt, button, card, copyButton, facts, h, link, relative, say, show, state, table, time } from "./dom.js";
import { choice, listing } from "./listing.js";

export async function passwords(view, context) {
  const isOperator = context.role === "operator";
  const locked = h("div", {});
  const look = () => lockouts(locked, isOperator);
  const again = await listing(view, context, {
    path: "/admin/otp",
    above: [h("h1", {}, "One-time passwords"), ...(isOperator ? [maker(context)] : []), locked],
    filters: [choice("all", "Show", [["", "usable ones"], ["true", "all"]])],
    headings: ["Id", "For", "Label", "More names", "Uses left", "Ends", "State"],
    read: (answer) => answer,
    row: (password) => ({
      key: password.id,
      cells: [
        h("a", { href: `#passwords/${encodeURIComponent(password.id)}`, class: "code" }, password.id),
        password.entity_id ?? "anybody", password.est_label ?? "any", password.names.join(", "),
        `${password.remaining_uses} of ${password.max_uses}`, time(password.expires), state(password.state ?? "good"),
      ],
      kinds: ["nowrap", "wrap", undefined, "wrap"],
    }),
    nothing: { filtered: "No passwords.", atAll: "No usable passwords. Create one, and give it to the device that shall enroll." },
  });
  await look();
  return async () => { await again(); await look(); };
}

export async function password(view, context) {
  const found = await get(`/admin/otp/${encodeURIComponent(context.id)}`);
  const revoke = async (event) => {
    const pressed = event.currentTarget;
    const answer = await ask("Revoke this password?", {
      about: [h("p", {}, `Nobody can enroll with ${found.id} any more. Certificates that it led to stay as they are.`)], yes: "Revoke", kind: "danger filled",
    });
    if (answer === null) return;
    await attempt(pressed, async () => {
      await call("DELETE", `/admin/otp/${encodeURIComponent(found.id)}`);
      context.go("passwords");
      say(`The password ${found.id} is revoked.`);
    });
  };
  view.replaceChildren(
    h("p", { class: "crumbs" }, link("One-time passwords", "#passwords")),
    h("h1", {}, found.id, " ", state(found.state ?? "good")),
    context.role === "operator" && !found.revoked ? h("p", { class: "buttons" }, button("Revoke…", "danger", revoke)) : "",
    card(null, facts([
      ["For", found.entity_id ?? "anybody: any name that the label allows"], ["Label", found.est_label ?? "any"], ["More names", found.names.join(", ")],
      ["Uses left", `${found.remaining_uses} of ${found.max_uses}`], ["Made", time(found.created)], ["Made by", found.created_by],
      ["Ends", h("span", {}, time(found.expires), ` (${relative(found.expires)})`)],
    ])),
    ...(found.certificates?.length > 0 ? [h("h2", {}, "Certificates"), table(["Subject", "Issued"], found.certificates.map((one) => ({
      cells: [link(one.subject ?? one.serial, `#certificates/${encodeURIComponent(one.serial.replaceAll(":", ""))}?ca_id=${encodeURIComponent(one.ca_id)}`), time(one.issued_at)],
    })))] : []));
  return null;
}

function maker(context) {
  const form = h("form", { class: "card bar", id: "password-form" },
    h("label", {}, "For (the device's own name)", h("input", { name: "entity_id", placeholder: "device-17", spellcheck: "false", autocomplete: "off" })),
    h("label", {}, "Label", h("select", { name: "est_label" }, h("option", { value: "" }, "any"), context.labels.map((label) => h("option", {}, label)))),
    h("label", {}, "More names", h("input", { name: "names", placeholder: "dns:*.lab.example, ip:192.0.2.7", spellcheck: "false", autocomplete: "off", size: 26 })),
    h("label", {}, "Good for", h("input", { name: "ttl", placeholder: "24h", spellcheck: "false", autocomplete: "off", size: 6 })),
    h("label", {}, "Uses", h("input", { name: "max_uses", type: "number", min: 1, max: 1000000, placeholder: "1" })),
    h("div", { class: "buttons" }, h("button", { type: "submit", class: "primary" }, "Create")));
  form.addEventListener("submit", (event) => {
    event.preventDefault();
    attempt(event.submitter, async () => {
      const value = (name) => form.elements[name].value.trim();
      const wanted = {};
      for (const name of ["entity_id", "est_label", "ttl"]) if (value(name) !== "") wanted[name] = value(name);
      if (value("max_uses") !== "") wanted.max_uses = Number(value("max_uses"));
      if (value("names") !== "") wanted.names = value("names").split(/[\s;]+|,\s+/).filter(Boolean);
      const made = await post("/admin/otp", wanted);
      form.reset();
      say("");
      await show("The one-time password",
        h("p", {}, "It is shown now and never again: the server keeps a hash of it."),
        h("output", { class: "secret", id: "secret" }, made.otp), copyButton(made.otp),
        made.warning ? h("p", { class: "warning" }, made.warning) : "",
        h("p", { class: "hint" }, `For ${made.entity_id ?? "anybody"}, good for ${made.max_uses} request${made.max_uses === 1 ? "" : "s"} until ${made.expires.replace("T", " ").replace("Z", " UTC")}.`));
      await context.again();
    });
  });
  return form;
}

async function lockouts(place, isOperator) {
  const { lockouts: list } = await get("/admin/lockouts");
  if (list.length === 0) return place.replaceChildren();
  const unlock = (who) => button("Unlock", "", (event) => attempt(event.currentTarget, async () => {
    await post("/admin/lockouts/unlock", { who });
    await lockouts(place, isOperator);
    say(`No failures count against ${who} any more.`);
  }));
  place.replaceChildren(card("Wrong passwords", table(["Against", "Failures", "Last", "Locked out until", ""], list.map((one) => ({
    key: one.who,
    cells: [one.who, String(one.failures), time(one.last), one.locked_until ? time(one.locked_until) : "not locked out", isOperator ? unlock(one.who) : ""],
  })))));
}
