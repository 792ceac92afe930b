// The operator's page: the caller, the view that is shown, and what keeps it fresh.

import { call, get, post, whenLoggedOut } from "./api.js";
import { audit } from "./audit.js";
import { authorities, authority } from "./authorities.js";
import { certificate, certificates } from "./certificates.js";
import { configuration } from "./configuration.js";
import { $, attempt, h, isAsking, say, show } from "./dom.js";
import { overview } from "./overview.js";
import { password, passwords } from "./passwords.js";
import { request, requests } from "./requests.js";

// Key, name, view of all, view of one, and the role that may see it.
const VIEWS = [
  { key: "o", name: "overview", title: "Overview", all: overview },
  { key: "r", name: "requests", title: "Requests", all: requests, one: request },
  { key: "c", name: "certificates", title: "Certificates", all: certificates, one: certificate },
  { key: "p", name: "passwords", title: "Passwords", all: passwords, one: password },
  { key: "n", name: "authorities", title: "CAs", all: authorities, one: authority },
  { key: "a", name: "audit", title: "Audit", all: audit, notFor: "viewer" },
  { key: "s", name: "configuration", title: "Configuration", all: configuration, notFor: "viewer" },
];
const EVERY = 15_000;

let me = null;
let cas = [];
let refresh = null;
let turn = 0;

// ---- Views

async function route() {
  if (me === null) return;
  const [path, search] = location.hash.slice(1).split("?");
  const [name, id] = path.split("/");
  const view = offered().find((known) => known.name === name) ?? VIEWS[0];
  const own = ++turn;
  refresh = null;
  for (const anchor of document.querySelectorAll("#nav a")) {
    if (anchor.dataset.view === view.name) anchor.setAttribute("aria-current", "page");
    else anchor.removeAttribute("aria-current");
  }
  document.title = [view.title, me.title, "Ohia"].filter(Boolean).join(" · ");
  say("");
  const place = h("div", {});
  const context = {
    name: view.name, id: id === undefined ? null : decodeURIComponent(id), parameters: new URLSearchParams(search ?? ""),
    role: me.role, labels: me.labels, cas, waiting, go, again: route,
  };
  const shown = await attempt(null, () => (context.id !== null && view.one ? view.one : view.all)(place, context));
  // Somebody may have gone elsewhere meanwhile.
  if (own !== turn) return;
  refresh = shown ?? null;
  $("view").replaceChildren(place);
}

function go(name, parameters = new URLSearchParams()) {
  const wanted = parameters.toString() === "" ? `#${name}` : `#${name}?${parameters}`;
  if (location.hash === wanted) route();
  else location.hash = wanted;
}

const offered = () => VIEWS.filter((view) => view.notFor !== me.role);

// How many requests wait, shown beside the link.
async function waiting() {
  const answer = await get("/admin/requests", { state: "awaiting", per_page: 100 });
  const count = answer.total ?? answer.requests.length;
  const text = answer.total === undefined && answer.cursor !== null ? `${count} or more` : String(count);
  $("pending-count").textContent = text;
  $("pending-count").hidden = count === 0;
  return { count, text };
}

// Looks again while somebody watches, and is not in the middle of something.
setInterval(() => {
  if (me === null || document.hidden || isAsking() || document.querySelector("#view form :focus, #view input:checked") !== null) return;
  const own = turn;
  Promise.resolve(refresh?.()).then(() => own === turn && waiting()).catch((error) => say(error.message, true));
}, EVERY);

// ---- Who is there

function enter(identity) {
  me = identity;
  $("who").textContent = `${me.name} (${me.role})`;
  $("installation").textContent = me.title ?? "";
  $("nav").replaceChildren(...offered().map((view) => h("a", { href: `#${view.name}`, "data-view": view.name }, view.title,
    view.name === "requests" ? h("span", { id: "pending-count", class: "badge", hidden: true }) : null)));
  $("login").hidden = true;
  $("shell").hidden = false;
}

async function begin() {
  cas = await get("/admin/ca");
  await Promise.all([route(), waiting()]);
}

function leave(why = "") {
  me = null;
  turn += 1;
  refresh = null;
  $("view").replaceChildren();
  $("shell").hidden = true;
  $("login").hidden = false;
  $("login-message").textContent = why;
  $("login-message").hidden = why === "";
  $("token").focus();
}

$("login-form").addEventListener("submit", async (event) => {
  event.preventDefault();
  event.submitter.disabled = true;
  const token = $("token").value.trim();
  $("token").value = "";
  try {
    enter(await call("POST", "/admin/session", undefined, token));
    await begin();
  } catch (error) {
    leave(error.status === 401 ? "This token does not belong to an operator." : error.message);
  } finally {
    event.submitter.disabled = false;
  }
});

$("logout").addEventListener("click", async () => {
  await call("DELETE", "/admin/session").catch(() => {});
  leave();
});
whenLoggedOut(() => me !== null && leave("The session has ended: log in again."));
window.addEventListener("hashchange", route);

// ---- Keys and looks

const THEMES = ["auto", "light", "dark"];

function dress(theme) {
  document.documentElement.dataset.theme = theme;
  $("theme").textContent = { auto: "Auto", light: "Light", dark: "Dark" }[theme];
  $("theme").setAttribute("aria-label", `Colours: ${theme}`);
}

dress(THEMES.includes(localStorage.getItem("theme")) ? localStorage.getItem("theme") : "auto");
$("theme").addEventListener("click", () => {
  const next = THEMES[(THEMES.indexOf(document.documentElement.dataset.theme) + 1) % THEMES.length];
  localStorage.setItem("theme", next);
  dress(next);
});

const help = () => show("Keys", h("dl", { class: "facts" },
  [...offered().map((view) => [`g ${view.key}`, view.title]), ["/", "Search"], ["j, k", "Next, previous row"], ["Enter", "Open"], ["?", "This list"]]
    .map(([key, what]) => [h("dt", {}, h("kbd", {}, key)), h("dd", {}, what)])));
$("help").addEventListener("click", help);

let isGoing = false;
document.addEventListener("keydown", (event) => {
  if (me === null || isAsking() || event.ctrlKey || event.metaKey || event.altKey || event.target.matches("input, select, textarea")) return;
  const pressed = event.key;
  if (isGoing) {
    isGoing = false;
    const view = offered().find(({ key }) => key === pressed);
    if (view) go(view.name);
  } else if (pressed === "g") {
    isGoing = true;
  } else if (pressed === "/") {
    event.preventDefault();
    document.querySelector("#view [type=search]")?.focus();
  } else if (pressed === "?") {
    help();
  } else if (pressed === "j" || pressed === "k") {
    const rows = [...document.querySelectorAll("#view tbody tr a:first-of-type")];
    const at = rows.indexOf(document.activeElement);
    rows[Math.min(rows.length - 1, Math.max(0, at + (pressed === "j" ? 1 : -1)))]?.focus();
  }
});

// A session under way, or a client certificate of an operator, needs no token.
get("/admin/whoami").then((identity) => { enter(identity); return begin(); }).catch(() => leave());
