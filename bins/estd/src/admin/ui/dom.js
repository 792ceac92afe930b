// Elements, texts and dialogs. Elements are made, never written as markup: what a device calls itself stays text.

export const $ = (id) => document.getElementById(id);

export function h(name, attributes = {}, ...children) {
  const made = document.createElement(name);
  for (const [key, value] of Object.entries(attributes)) {
    if (key.startsWith("on")) made.addEventListener(key.slice(2), value);
    else if (value === true) made.setAttribute(key, "");
    else if (value !== undefined && value !== null && value !== false) made.setAttribute(key, value);
  }
  made.append(...children.flat(Infinity).filter((child) => child !== null && child !== undefined && child !== false));
  return made;
}

export function svg(name, attributes, ...children) {
  const made = document.createElementNS("http://www.w3.org/2000/svg", name);
  for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, value);
  made.append(...children);
  return made;
}

// ---- Times

const UNITS = [[86400 * 365, "y"], [86400, "d"], [3600, "h"], [60, "min"], [1, "s"]];

export function span(seconds) {
  const [unit, name] = UNITS.find(([size]) => Math.abs(seconds) >= size * (size > 3600 && size < 86400 * 365 ? 2 : 1)) ?? [1, "s"];
  return `${Math.floor(Math.abs(seconds) / unit)} ${name}`;
}

export function relative(text, now = Date.now()) {
  const seconds = (Date.parse(text) - now) / 1000;
  return seconds < 0 ? `${span(seconds)} ago` : `in ${span(seconds)}`;
}

export const absolute = (text) => (text ? text.replace("T", " ").replace(/\.\d+Z$|Z$/, " UTC") : "");

// The day and the minute; the second and the distance on demand.
export function time(text) {
  if (!text) return "";
  return h("time", { datetime: text, title: `${absolute(text)}, ${relative(text)}` }, text.slice(0, 16).replace("T", " "));
}

// ---- Small pieces

export const badge = (text, tone) => h("span", { class: `state ${tone}` }, text);
export const button = (text, kind, run) => h("button", { type: "button", class: kind, onclick: run }, text);
export const link = (text, href, kind) => h("a", { href, class: kind }, text);

export const TONES = {
  healthy: "good", active: "good", good: "good", success: "good", intact: "good", approved: "good", issued: "good", current: "good",
  degraded: "warn", recovering: "warn", expired: "warn", spent: "warn", awaiting: "warn", unproven: "warn", late: "warn", final: "warn",
};
export const state = (word) => badge(word, TONES[word] ?? "bad");

// A serial number is as wide as its ends; the whole is in the title, and where it is copied.
export function serial(text) {
  const short = text.length > 26 ? `${text.slice(0, 11)}…${text.slice(-11)}` : text;
  return h("span", { class: "code nowrap", title: text }, short);
}

export function copyButton(text, what = "Copy") {
  return button(what, "quiet", async (event) => {
    const own = event.currentTarget;
    await copy(text);
    own.textContent = "Copied";
    setTimeout(() => { own.textContent = what; }, 1500);
  });
}

export async function copy(text) {
  try {
    await navigator.clipboard.writeText(text);
  } catch {
    // Without a clipboard the text can be marked.
    getSelection()?.selectAllChildren(document.activeElement);
  }
}

export function download(name, text, type = "application/octet-stream") {
  const url = URL.createObjectURL(new Blob([text], { type }));
  const anchor = h("a", { href: url, download: name });
  anchor.click();
  URL.revokeObjectURL(url);
}

export function facts(pairs) {
  const shown = pairs.filter(([, value]) => value !== undefined && value !== null && value !== "");
  return h("dl", { class: "facts" }, shown.map(([name, value]) => [h("dt", {}, name), h("dd", {}, value)]));
}

// Extensions, each with its value in words.
export const described = (extensions) => (extensions ?? []).length === 0 ? null
  : h("ul", { class: "plain" }, extensions.map((one) => h("li", {}, one.extension, one.critical ? h("span", { class: "hint" }, " critical") : "")));

export const card = (title, ...children) => h("section", { class: "card" }, title ? h("h2", {}, title) : null, ...children);
export const empty = (text, ...more) => h("p", { class: "empty" }, text, ...more);

// A table that becomes a list of cards where there is no room: each cell knows its heading.
export function table(headings, rows) {
  const cells = (row) => row.cells.map((content, index) =>
    h("td", { "data-label": headings[index] ?? "", class: row.kinds?.[index] }, content));
  return h("div", { class: "scroll", tabindex: 0, role: "region", "aria-label": headings.filter(Boolean).join(", ") },
    h("table", {},
      h("thead", {}, h("tr", {}, headings.map((text) => h("th", { scope: "col" }, text)))),
      h("tbody", {}, rows.map((row) => h("tr", { class: row.kind, "data-key": row.key }, cells(row))))));
}

// ---- What happened

export function say(text, isBad = false) {
  const box = $("message");
  box.textContent = text;
  box.classList.toggle("error", isBad);
  box.hidden = text === "";
}

// Runs what a button does: reports what went wrong, and cannot be pressed twice.
export async function attempt(pressed, work) {
  if (pressed) pressed.disabled = true;
  try {
    return await work();
  } catch (error) {
    say([error.message, ...(error.details ?? [])].join(" "), true);
    return undefined;
  } finally {
    if (pressed) pressed.disabled = false;
  }
}

// ---- Dialogs

// Asks; the answer is the form's fields, or null. A form that is sent by Enter means its main button.
export function ask(title, { about = [], fields = [], yes, kind = "primary" }) {
  return new Promise((resolve) => {
    const form = h("form", { method: "dialog" }, fields,
      h("div", { class: "actions" },
        h("button", { type: "button", onclick: () => dialog.close("cancel") }, "Cancel"),
        h("button", { type: "submit", value: "yes", class: kind }, yes)));
    const dialog = h("dialog", { "aria-labelledby": "dialog-title" }, h("h2", { id: "dialog-title" }, title), ...about, form);
    dialog.addEventListener("close", () => {
      const answer = dialog.returnValue === "yes" ? new FormData(form) : null;
      dialog.remove();
      resolve(answer);
    });
    document.body.append(dialog);
    dialog.showModal();
  });
}

// Shows something once.
export function show(title, ...content) {
  return new Promise((resolve) => {
    const dialog = h("dialog", { "aria-labelledby": "dialog-title" }, h("h2", { id: "dialog-title" }, title), ...content,
      h("form", { method: "dialog", class: "actions" }, h("button", { type: "submit", class: "primary" }, "Done")));
    dialog.addEventListener("close", () => { dialog.remove(); resolve(); });
    document.body.append(dialog);
    dialog.showModal();
  });
}

export const isAsking = () => document.querySelector("dialog[open]") !== null;
