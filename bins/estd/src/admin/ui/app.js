// The operator page. It does nothing that the API does not do: every call below is one of /admin/openapi.json.

const $ = (id) => document.getElementById(id);

// The token lives here and nowhere else: not in a cookie, so that no other page can use it, and not in storage.
let token = null;
let role = "viewer";

const REASONS = [
  "unspecified", "keyCompromise", "affiliationChanged", "superseded", "cessationOfOperation", "certificateHold",
  "privilegeWithdrawn",
];

class Refused extends Error {
  constructor(status, message) {
    super(message);
    this.status = status;
  }
}

async function call(method, path, body) {
  const headers = { Accept: "application/json" };
  if (token !== null) headers.Authorization = `Bearer ${token}`;
  if (body !== undefined) headers["Content-Type"] = "application/json";
  let answer;
  try {
    answer = await fetch(path, {
      method, headers, credentials: "same-origin", cache: "no-store",
      body: body === undefined ? undefined : JSON.stringify(body),
    });
  } catch {
    throw new Refused(0, "The server cannot be reached.");
  }
  const text = await answer.text();
  const json = text === "" ? null : parse(text);
  // A list says in a header where it goes on.
  const next = new URLSearchParams(answer.headers.get("link")?.match(/\?([^>]*)>; rel="next"/)?.[1]).get("cursor");
  if (Array.isArray(json) && next !== null) json.cursor = next;
  if (!answer.ok) {
    if (answer.status === 401 && token !== null) logOut("The token is not good any more.");
    throw new Refused(answer.status, json?.message ?? `The server answered ${answer.status}.`);
  }
  return json;
}

function parse(text) {
  try {
    return JSON.parse(text);
  } catch {
    return null;
  }
}

function query(path, fields) {
  const parameters = new URLSearchParams();
  for (const [name, value] of Object.entries(fields)) {
    if (value !== "" && value !== null && value !== undefined) parameters.set(name, value);
  }
  const text = parameters.toString();
  return text === "" ? path : `${path}?${text}`;
}

// Elements are made, never written as markup: what a device calls itself stays text.
function element(name, attributes = {}, ...children) {
  const made = document.createElement(name);
  for (const [key, value] of Object.entries(attributes)) {
    if (key.startsWith("on")) made.addEventListener(key.slice(2), value);
    else if (value !== undefined) made.setAttribute(key, value);
  }
  made.append(...children.map((child) => child ?? ""));
  return made;
}

const cell = (text, kind) => element("td", kind ? { class: kind } : {}, text ?? "");
const state = (text, kind) => element("td", {}, element("span", { class: `state ${kind}` }, text));
const action = (text, kind, run) => element("button", { type: "button", class: kind, onclick: run }, text);
const time = (text) => (text ? text.replace("T", " ").replace(/\.\d+Z$|Z$/, " UTC") : "");

function say(text, bad = false) {
  const box = $("message");
  box.textContent = text;
  box.classList.toggle("error", bad);
  box.hidden = text === "";
}

// Runs what a button does: tells what went wrong, and lets nobody press twice.
async function attempt(button, work) {
  if (button) button.disabled = true;
  try {
    await work();
  } catch (error) {
    say(error.message, true);
  } finally {
    if (button) button.disabled = false;
  }
}

// A table that is read piece by piece.
function listing({ rows, none, more, read, show }) {
  let wanted = null;
  let cursor = null;
  const add = async () => {
    const [path, fields] = wanted;
    const answer = await call("GET", query(path, { ...fields, cursor }));
    cursor = answer.cursor ?? null;
    $(rows).append(...read(answer).map(show));
    $(none).hidden = $(rows).childElementCount > 0 || cursor !== null;
    if (more) $(more).hidden = cursor === null;
  };
  if (more) $(more).addEventListener("click", () => attempt($(more), add));
  return async (path, fields = {}) => {
    wanted = [path, fields];
    cursor = null;
    $(rows).replaceChildren();
    await add();
  };
}

// ---- Overview

async function showOverview() {
  const [health, statistics, pending] = await Promise.all([
    call("GET", "/admin/health"), call("GET", "/admin/statistics"), countPending(),
  ]);
  const well = health;
  const facts = [
    ["Server", well.status, tone(well.status)],
    ["Database", `${well.database.status} (${well.database.backend})`, tone(well.database.status)],
    ["Version", well.version],
    ["Running for", span(well.uptime_seconds)],
    ["Waiting for approval", String(pending)],
    ...well.sinks.map((sink) => [`Audit records to ${sink.sink}`, sink.error ?? `${sink.lag} to go`, tone(sink.status)]),
  ];
  $("health").replaceChildren(...facts.map(([name, text, kind]) =>
    element("dl", { class: "card" }, element("dt", {}, name), element("dd", kind ? { class: `state ${kind}` } : {}, text))));
  $("cas").replaceChildren(...well.cas.map((ca) =>
    element("tr", {}, cell(ca.id), state(ca.status, tone(ca.status)), cell(ca.type ?? "local"), cell(time(ca.last_sign_time)), cell(ca.error ?? ""))));
  $("chart").replaceChildren(chart(statistics.hours));
}

function tone(status) {
  return { healthy: "good", degraded: "warn", recovering: "warn" }[status] ?? "bad";
}

function span(seconds) {
  const parts = [[86400, "d"], [3600, "h"], [60, "min"]].map(([unit, name]) => [Math.floor(seconds / unit), unit, name]);
  const first = parts.find(([count]) => count > 0);
  return first ? `${first[0]} ${first[2]}` : `${seconds} s`;
}

function chart(hours) {
  const svg = (name, attributes, ...children) => {
    const made = document.createElementNS("http://www.w3.org/2000/svg", name);
    for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, value);
    made.append(...children);
    return made;
  };
  const [width, height, floor] = [960, 160, 138];
  const most = Math.max(1, ...hours.map((hour) => hour.issued));
  const step = width / hours.length;
  const total = hours.reduce((sum, hour) => sum + hour.issued, 0);
  const picture = svg("svg", {
    viewBox: `0 0 ${width} ${height}`, role: "img",
    "aria-label": `${total} certificates in ${hours.length} hours, at most ${most} in one hour`,
  });
  picture.append(svg("line", { x1: 0, x2: width, y1: floor, y2: floor }));
  hours.forEach((hour, index) => {
    const tall = (hour.issued / most) * (floor - 16);
    const bar = svg("rect", { x: index * step + 2, y: floor - tall, width: step - 4, height: tall, rx: 2 });
    bar.append(svg("title", {}, `${hour.issued} from ${time(hour.start)}`));
    picture.append(bar);
    if (index % 4 === 0) picture.append(svg("text", { x: index * step + 2, y: height - 6 }, hour.start.slice(11, 16)));
  });
  picture.append(svg("text", { x: 2, y: 11 }, `${total} in all, at most ${most} in an hour`));
  return picture;
}

// ---- Certificates

const listCertificates = listing({
  rows: "certificate-rows", none: "certificate-none", more: "certificate-more",
  read: (json) => json.certificates,
  show: (certificate) => element("tr", {},
    cell(certificate.subject), cell(certificate.serial, "code"),
    state(certificate.status, certificate.status === "active" ? "good" : certificate.status === "expired" ? "warn" : "bad"),
    cell(time(certificate.not_after)), cell(certificate.ca_id),
    element("td", { class: "row-actions" },
      role === "operator" && certificate.status === "active" ? action("Revoke", "danger", () => askToRevoke(certificate)) : "")),
});

function showCertificates() {
  const form = $("certificate-search").elements;
  return listCertificates("/admin/certs", { subject: form.subject.value.trim(), status: form.status.value, per_page: 50 });
}

let revoking = null;

function askToRevoke(certificate) {
  revoking = certificate;
  $("revoke-subject").textContent = certificate.subject;
  $("revoke-serial").textContent = certificate.serial;
  $("revoke-reason").value = "unspecified";
  $("revoke-dialog").returnValue = "cancel";
  $("revoke-dialog").showModal();
}

async function revoke() {
  if ($("revoke-dialog").returnValue !== "revoke" || revoking === null) return;
  const certificate = revoking;
  revoking = null;
  await attempt(null, async () => {
    await call("POST", `/admin/certs/${certificate.serial.replaceAll(":", "")}/revoke`, { reason: $("revoke-reason").value });
    await showCertificates();
    say(`The certificate of ${certificate.subject} is revoked.`);
  });
}

// ---- One-time passwords

const listPasswords = listing({
  rows: "password-rows", none: "password-none", more: "password-more",
  read: (json) => json,
  show: (password) => element("tr", {},
    cell(password.id, "code"), cell(password.entity_id ?? "anybody"), cell(`${password.remaining_uses} of ${password.max_uses}`),
    cell(time(password.expires)), state(password.state ?? "good", (password.state ?? "good") === "good" ? "good" : "warn"),
    element("td", { class: "row-actions" }, role === "operator"
      ? action("Revoke", "danger", (event) => attempt(event.target, async () => {
          await call("DELETE", `/admin/otp/${encodeURIComponent(password.id)}`);
          await showPasswords();
          say(`The password ${password.id} is revoked.`);
        })) : "")),
});

const showPasswords = () => listPasswords("/admin/otp", { per_page: 50 });

async function createPassword(event) {
  event.preventDefault();
  const form = event.target;
  await attempt(event.submitter, async () => {
    const wanted = {};
    if (form.elements.entity_id.value.trim() !== "") wanted.entity_id = form.elements.entity_id.value.trim();
    if (form.elements.ttl.value.trim() !== "") wanted.ttl = form.elements.ttl.value.trim();
    if (form.elements.max_uses.value !== "") wanted.max_uses = Number(form.elements.max_uses.value);
    const made = await call("POST", "/admin/otp", wanted);
    form.reset();
    say("");
    $("secret").textContent = made.otp;
    $("secret-about").textContent =
      `For ${made.entity_id ?? "anybody"}, good for ${made.max_uses} request${made.max_uses === 1 ? "" : "s"} until ${time(made.expires)}.`;
    $("secret-dialog").showModal();
    await showPasswords();
  });
}

// ---- Requests

const listRequests = listing({
  rows: "request-rows", none: "request-none", more: null,
  read: (json) => json.requests,
  show: (request) => element("tr", {},
    cell(request.id, "code"), cell(request.subject), cell(request.names), cell(request.principal), cell(request.label),
    cell(time(request.created)),
    element("td", { class: "row-actions" }, ...(role === "operator" ? [
      action("Approve", "primary", (event) => decide(event.target, request, "approve", "approved")), " ",
      action("Deny", "danger", (event) => decide(event.target, request, "deny", "denied")),
    ] : []))),
});

const showRequests = () => listRequests("/admin/requests", { state: "awaiting", per_page: 100 }).then(countPending);

function decide(button, request, verb, done) {
  return attempt(button, async () => {
    await call("POST", `/admin/requests/${encodeURIComponent(request.id)}/${verb}`);
    await showRequests();
    say(`The request ${request.id} for ${request.subject} is ${done}.`);
  });
}

async function countPending() {
  const { requests } = await call("GET", "/admin/requests?state=awaiting&per_page=100");
  const count = requests.length;
  $("pending-count").textContent = count === 100 ? "100+" : String(count);
  $("pending-count").hidden = count === 0;
  return count === 100 ? "100 or more" : count;
}

// ---- Audit

const listAudit = listing({
  rows: "audit-rows", none: "audit-none", more: "audit-more",
  read: (json) => json.events,
  show: (event) => element("tr", {},
    cell(time(event.timestamp), "code"), cell(event.event), state(event.outcome, event.outcome === "success" ? "good" : "bad"),
    cell(event.actor), cell(event.source), cell(event.reason)),
});

async function showAudit() {
  const form = $("audit-search").elements;
  await Promise.all([
    listAudit("/admin/audit", {
      event: form.event.value.trim(), outcome: form.outcome.value, serial: form.serial.value.trim(), per_page: 50,
    }),
    showChain(),
  ]);
}

async function showChain() {
  const chain = await call("GET", "/admin/audit/chain");
  const whole = chain.status === "intact";
  const nodes = chain.nodes.map((node) => `${node.node}: ${node.records} records`).join(", ");
  $("chain").replaceChildren(
    element("strong", { class: `state ${whole ? "good" : "bad"}` }, whole ? "The chain is intact. " : "The chain is broken. "),
    chain.message ?? nodes);
}

// ---- Around the pages

const PAGES = {
  overview: showOverview, certificates: showCertificates, passwords: showPasswords, requests: showRequests, audit: showAudit,
};

async function go() {
  const wanted = location.hash.slice(1);
  const name = wanted in PAGES ? wanted : "overview";
  for (const page of Object.keys(PAGES)) $(page).hidden = page !== name;
  for (const link of document.querySelectorAll("header nav a")) {
    if (link.hash === `#${name}`) link.setAttribute("aria-current", "page");
    else link.removeAttribute("aria-current");
  }
  say("");
  await attempt(null, PAGES[name]);
}

async function logIn() {
  const me = await call("GET", "/admin/whoami");
  role = me.role;
  $("who").textContent = `${me.name} (${role})`;
  $("audit-link").hidden = role === "viewer";
  for (const part of document.querySelectorAll(".operator")) part.hidden = role !== "operator";
  $("login").hidden = true;
  $("shell").hidden = false;
  await go();
}

function logOut(why = "") {
  token = null;
  $("shell").hidden = true;
  for (const part of document.querySelectorAll("tbody")) part.replaceChildren();
  $("login").hidden = false;
  $("login-message").textContent = why;
  $("login-message").hidden = why === "";
  $("token").focus();
}

$("login-form").addEventListener("submit", async (event) => {
  event.preventDefault();
  event.submitter.disabled = true;
  token = $("token").value.trim();
  $("token").value = "";
  try {
    await logIn();
  } catch (error) {
    logOut(error.status === 401 ? "No operator has this token." : error.message);
  } finally {
    event.submitter.disabled = false;
  }
});
$("logout").addEventListener("click", () => logOut());
$("certificate-search").addEventListener("submit", (event) => {
  event.preventDefault();
  attempt(event.submitter, showCertificates);
});
$("audit-search").addEventListener("submit", (event) => {
  event.preventDefault();
  attempt(event.submitter, showAudit);
});
$("password-form").addEventListener("submit", createPassword);
$("secret-copy").addEventListener("click", () => navigator.clipboard?.writeText($("secret").textContent));
$("secret-dialog").addEventListener("close", () => { $("secret").textContent = ""; });
$("revoke-reason").append(...REASONS.map((reason) => element("option", {}, reason)));
$("revoke-dialog").addEventListener("close", revoke);
window.addEventListener("hashchange", go);

// Whoever has a client certificate of an operator needs no token.
logIn().catch(() => logOut());
