// What needs somebody, and by when; then how the installation does.

import { get } from "./api.js";
import { absolute, badge, card, empty, facts, h, link, relative, span, state, svg, table, time } from "./dom.js";

const WHAT = {
  tls: "TLS certificate", admin: "TLS certificate of the admin API", ca: "CA certificate", crl: "CRL",
  "client-crl": "CRL of client certificates", "trust-anchor": "trust anchor", proxy: "proxy certificate",
};

export async function overview(view, context) {
  const draw = async () => {
    const [health, statistics, waiting] = await Promise.all([
      get("/admin/health"), get("/admin/statistics"), context.waiting(),
    ]);
    view.replaceChildren(
      h("h1", {}, "Overview"),
      needs(health, waiting),
      h("div", { class: "columns" },
        card("Health", parts(health)),
        card("What ends next", ends(health.ends ?? []))),
      card("Certificates issued in the last 24 hours", chart(statistics.hours)));
  };
  await draw();
  return draw;
}

// Each: what is the matter, what to do, where, and by when.
export function mattersOf(health, waiting) {
  const matters = [];
  if (health.database.status !== "healthy") {
    matters.push({ bad: health.database.status === "unhealthy", what: "The database", why: health.database.error ?? "does not answer" });
  }
  for (const ca of health.cas) {
    if (ca.status !== "healthy") matters.push({ bad: true, what: `CA ${ca.id}`, why: ca.error ?? ca.status, href: `#authorities/${encodeURIComponent(ca.id)}` });
  }
  for (const sink of health.sinks ?? []) {
    if (sink.status !== "healthy") matters.push({ bad: true, what: `Audit records to ${sink.sink}`, why: sink.error ?? `${sink.lag} wait` });
  }
  for (const end of health.ends ?? []) {
    if (end.status !== "healthy") {
      matters.push({ bad: Date.parse(end.not_after) < Date.now(), what: `${WHAT[end.what] ?? end.what} ${end.name}`, why: end.error ?? "ends soon", by: end.not_after });
    }
  }
  if (waiting.count > 0) {
    const who = waiting.count === 1 ? "1 request waits" : `${waiting.text} requests wait`;
    matters.push({ what: who, why: "for somebody to approve or deny", href: "#requests" });
  }
  return matters.sort((a, b) => Number(b.bad ?? false) - Number(a.bad ?? false) || Date.parse(a.by ?? "9999") - Date.parse(b.by ?? "9999"));
}

function needs(health, waiting) {
  const matters = mattersOf(health, waiting);
  if (matters.length === 0) {
    return h("section", { class: "card calm", id: "needs" }, h("strong", {}, "Nothing needs you."),
      " Certificates are issued, the audit trail is written, and nothing ends within 30 days.");
  }
  return h("section", { class: "card needs", id: "needs" }, h("h2", {}, matters.length === 1 ? "One thing needs you" : `${matters.length} things need you`),
    h("ul", {}, matters.map(({ bad, what, why, by, href }) => h("li", { class: bad ? "bad" : "warn" },
      h("strong", {}, href ? link(what, href) : what), " ", why,
      by ? h("span", { class: "by", title: absolute(by) }, Date.parse(by) < Date.now() ? `ended ${relative(by)}` : `by ${by.slice(0, 10)}, ${relative(by)}`) : null))));
}

function parts(health) {
  return facts([
    ["Server", h("span", {}, state(health.status), ` version ${health.version}, up for ${span(health.uptime_seconds)}`)],
    ["Database", h("span", {}, state(health.database.status), ` ${health.database.backend}, ${health.database.pool_in_use} of ${health.database.pool_size} connections in use`)],
    ...health.cas.map((ca) => [`CA ${ca.id}`, h("span", {}, state(ca.status),
      ca.last_sign_time ? ` last issued ${relative(ca.last_sign_time)}` : " has issued nothing since the start")]),
    ...(health.sinks ?? []).map((sink) => [`Audit to ${sink.sink}`, h("span", {}, state(sink.status), sink.lag > 0 ? ` ${sink.lag} records to go` : " up to date")]),
  ]);
}

function ends(list) {
  if (list.length === 0) return empty("Nothing is known to end.");
  return table(["What", "Which", "Ends"], list.slice(0, 8).map((end) => ({
    cells: [WHAT[end.what] ?? end.what, end.name, h("span", {}, time(end.not_after), " ", end.status === "healthy" ? null : badge(relative(end.not_after), "warn"))],
    kinds: [undefined, "wrap", undefined],
  })));
}

function chart(hours) {
  const total = hours.reduce((sum, hour) => sum + hour.issued, 0);
  if (total === 0) return empty("None. ", link("Make a one-time password", "#passwords"), " for a device to enroll with.");
  const [width, height, floor] = [960, 140, 118];
  const most = Math.max(...hours.map((hour) => hour.issued));
  const step = width / hours.length;
  const picture = svg("svg", {
    viewBox: `0 0 ${width} ${height}`, role: "img",
    "aria-label": `${total} certificates in ${hours.length} hours, at most ${most} in one hour`,
  }, svg("line", { x1: 0, x2: width, y1: floor, y2: floor }));
  hours.forEach((hour, index) => {
    const tall = (hour.issued / most) * (floor - 8);
    picture.append(svg("rect", { x: index * step + 2, y: floor - tall, width: step - 4, height: tall, rx: 2 },
      svg("title", {}, `${hour.issued} from ${absolute(hour.start)}`)));
    if (index % 4 === 0) picture.append(svg("text", { x: index * step + 2, y: height - 6 }, hour.start.slice(11, 16)));
  });
  return h("div", { class: "chart", id: "chart" }, h("p", { class: "hint" }, `${total} in all, at most ${most} in an hour`), picture);
}
