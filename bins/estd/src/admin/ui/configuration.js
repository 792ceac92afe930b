// The configuration that is in force, without its secrets; and reading it again.

import { get, post } from "./api.js";
import { ask, attempt, button, card, copyButton, empty, h, say } from "./dom.js";

export async function configuration(view, context) {
  const draw = async () => {
    const config = await get("/admin/config");
    view.replaceChildren(
      h("h1", {}, "Configuration"),
      h("p", { class: "buttons" },
        context.role === "operator" ? button("Reload…", "", (event) => reload(event.currentTarget, draw)) : "",
        copyButton(JSON.stringify(config, null, 2), "Copy as JSON")),
      h("div", { id: "reload-report" }),
      ...Object.entries(config).map(([name, section]) => card(name, content(section))));
  };
  await draw();
  return null;
}

async function reload(pressed, draw) {
  const answer = await ask("Read the configuration again?", {
    about: [h("p", {}, "The whole new configuration is applied, or none of it: a mistake changes nothing.")], yes: "Reload",
  });
  if (answer === null) return;
  await attempt(pressed, async () => {
    const { warnings } = await post("/admin/reload");
    await draw();
    say("The configuration is in force.");
    if (warnings.length > 0) {
      document.getElementById("reload-report").replaceChildren(card("Worth a second look", h("ul", {}, warnings.map((text) => h("li", {}, text)))));
    }
  });
}

function content(value) {
  if (value === null || value === undefined) return h("span", { class: "hint" }, "not set");
  if (Array.isArray(value)) {
    if (value.length === 0) return h("span", { class: "hint" }, "none");
    return h("ul", { class: "plain" }, value.map((one) => h("li", {}, content(one))));
  }
  if (typeof value === "object") {
    const entries = Object.entries(value);
    if (entries.length === 0) return empty("Empty.");
    return h("dl", { class: "facts code" }, entries.map(([name, one]) => [h("dt", {}, name), h("dd", {}, content(one))]));
  }
  return String(value);
}
