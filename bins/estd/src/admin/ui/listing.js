// A listing with filters: the filters are in the address, so that a reload, a bookmark and "back" keep them.

import { get } from "./api.js";
import { attempt, button, empty, h, table } from "./dom.js";

const PER_PAGE = 50;

// Makes the view of a listing.
//
// `filters` make the form: { name, label, element }. `read(answer)` gives the items, `row(item)` the cells.
export async function listing(view, context, options) {
  const { path, filters = [], fixed = {}, headings, read, row, nothing, above = [], bar } = options;
  const wanted = Object.fromEntries(filters.map(({ name }) => [name, context.parameters.get(name) ?? ""]));
  for (const { name, element } of filters) element.value = wanted[name];
  const form = h("form", { class: "bar", role: "search" },
    filters.map(({ label, element }) => h("label", {}, label, element)),
    h("div", { class: "buttons" },
      h("button", { type: "submit" }, "Search"),
      Object.values(wanted).some((value) => value !== "") ? h("a", { href: `#${context.name}`, class: "button" }, "Clear") : null));
  form.addEventListener("submit", (event) => {
    event.preventDefault();
    const chosen = filters.map(({ name, element }) => [name, element.value.trim()]).filter(([, value]) => value !== "");
    context.go(context.name, new URLSearchParams(chosen));
  });
  for (const { element } of filters) {
    if (element.localName === "select") element.addEventListener("change", () => form.requestSubmit());
  }

  const fields = { ...fixed, ...(options.fields?.(wanted) ?? wanted), per_page: PER_PAGE };
  const items = [];
  let cursor = null;
  let total = null;
  const body = h("div", {});
  const more = button("More", "", () => attempt(more, () => add()));
  const draw = () => {
    const isFiltered = Object.values(wanted).some((value) => value !== "");
    const count = total === null || total === undefined ? "" : `${total.toLocaleString("en")} in all. `;
    const shown = cursor === null ? "" : `The first ${items.length} are shown.`;
    body.replaceChildren(
      ...(items.length === 0
        ? [empty(isFiltered ? nothing.filtered : nothing.atAll)]
        : [h("p", { class: "hint" }, count + shown), bar?.(items) ?? "", table(headings, items.map(row))]),
      ...(cursor === null ? [] : [more]));
  };
  const add = async () => {
    const answer = await get(path, { ...fields, cursor });
    items.push(...read(answer));
    cursor = answer.cursor ?? null;
    total = answer.total;
    draw();
  };
  view.replaceChildren(...above, ...(filters.length > 0 ? [form] : []), body);
  await add();
  // Looks again, unless somebody has gone further than the first page.
  return async () => {
    if (items.length > PER_PAGE) return;
    const answer = await get(path, fields);
    items.splice(0, items.length, ...read(answer));
    cursor = answer.cursor ?? null;
    total = answer.total;
    draw();
  };
}

export const field = (name, label, attributes = {}) =>
  ({ name, label, element: h("input", { name, type: "search", spellcheck: "false", autocomplete: "off", ...attributes }) });

export const choice = (name, label, options) => ({
  name, label,
  element: h("select", { name }, options.map((option) => {
    const [value, text] = Array.isArray(option) ? option : [option, option];
    return h("option", { value }, text);
  })),
});
