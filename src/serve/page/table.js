// Rows as a table, and any view as one: what is asked for stands in the address.

import { get, path, text } from "./data.js";
import { cell, h, isNumber } from "./dom.js";

const seen = new Map();

/** The rows of a view; those that changed since the last time are marked. `id` says of what they are rows. */
export function rows(id, view, list, { columns, sort, order, brief, label } = {}) {
  const shown = columns ? columns.flatMap((name) => view.columns.filter((column) => column.name === name)) : view.columns;
  const keys = view.columns.filter((column) => column.key);
  const before = seen.get(id);
  const written = list.map((row) => [JSON.stringify(keys.map((key) => row[key.name])), JSON.stringify(row)]);
  seen.set(id, new Map(written));
  const head = shown.map((column) => {
    const falling = order === `-${column.name}`;
    const sorted = falling ? "descending" : order === column.name ? "ascending" : null;
    const name = column.name.replaceAll("_", " ");
    const inside = sort ? h("button", { type: "button", onclick: () => sort(column.name, sorted) }, name + (sorted ? (falling ? " ↓" : " ↑") : "")) : name;
    return h("th", { scope: "col", class: isNumber(column) ? "n" : null, "aria-sort": sorted, title: column.about }, inside);
  });
  const body = list.map((row, i) => {
    const [key, text] = written[i];
    const fresh = before && before.get(key) !== text;
    return h("tr", { class: fresh ? "fresh" : null }, shown.map((column) => {
      const [value, whole] = [cell(row[column.name], column, brief), String(row[column.name] ?? "")];
      return h("td", { class: isNumber(column) ? "n" : null, title: value === whole && value.length < 40 ? null : whole }, value);
    }));
  });
  const table = h("table", { class: "rows" }, h("thead", {}, h("tr", {}, head)), h("tbody", {}, body));
  const none = list.length ? null : h("p", { class: "quiet" }, "No rows of this now.");
  return h("div", { class: "scroll", tabindex: 0, role: "region", "aria-label": label ?? view.name }, table, none);
}

/** The page of any view. `go` changes the address; `state` is what it says. */
export function explorer(views, state, go) {
  const view = views.find((one) => one.name === state.view) ?? views[0];
  const ask = { where: state.where ?? "", search: state.search ?? "", order: state.order ?? "" };
  const areas = [...new Set(views.map((one) => one.area))];
  const field = (name, label, kind = "text", hint = "") => h("label", { class: name === "where" ? "long" : null }, label,
    h("input", { type: kind, name, value: ask[name], placeholder: hint, autocomplete: "off", spellcheck: "false" }));
  const choice = h("select", { name: "view", onchange: (event) => go({ tab: "view", view: event.target.value }) },
    areas.map((area) => h("optgroup", { label: area || "own" }, views.filter((one) => one.area === area)
      .map((one) => h("option", { value: one.name, selected: one === view }, one.name)))));
  const example = view.columns.find(isNumber)?.name ?? view.columns[0].name;
  const form = h("form", { class: "ask", onsubmit: (event) => {
    event.preventDefault();
    const data = new FormData(form);
    go({ tab: "view", view: view.name, search: data.get("search"), where: data.get("where"), order: ask.order });
  } },
  h("label", {}, "View", choice), field("search", "Search", "search"),
  field("where", "Where", "text", `${example} > 5 and …`),
  h("button", { class: "button", type: "submit" }, "Show"),
  h("button", { class: "button", type: "button", onclick: download }, "Download CSV"));
  async function download() {
    const body = await text(path(`/v1/views/${view.name}`, { ...ask, format: "csv" }));
    const url = URL.createObjectURL(new Blob([body], { type: "text/csv" }));
    h("a", { href: url, download: `${view.name}.csv` }).click();
    setTimeout(() => URL.revokeObjectURL(url), 10_000);
  }
  const [wrong, count, place] = [h("p", { class: "wrong", role: "alert", hidden: true }), h("span", { class: "quiet" }), h("div")];
  const about = h("dl", { class: "about" }, view.columns.flatMap((column) =>
    [h("dt", {}, column.name), h("dd", {}, `${column.about} (${column.kind}${column.key ? ", key" : ""})`)]));
  const element = h("div", {}, form, wrong,
    h("section", { class: "card wide" }, h("h2", {}, h("span", {}, `${view.name}: ${view.about}`), count), place),
    h("section", { class: "card wide" }, h("h2", {}, "Columns"), about));
  const sort = (name, sorted) => go({ tab: "view", view: view.name, ...ask, order: sorted === "ascending" ? `-${name}` : sorted ? "" : name });
  async function update(signal) {
    try {
      const page = await get(path(`/v1/views/${view.name}`, { ...ask, limit: 200 }), signal);
      wrong.hidden = true;
      place.replaceChildren(rows(`any:${location.search}`, view, page.rows, { sort, order: ask.order }));
      count.textContent = `${page.rows.length}${page.next ? "+" : ""} of ${page.total.toLocaleString()} rows`;
    } catch (problem) {
      if (problem.name === "AbortError") return;
      wrong.textContent = problem.message;
      wrong.hidden = false;
      place.replaceChildren();
      count.textContent = "";
    }
  }
  return { element, update, reads: [view.name] };
}
