// Panels: what is asked for each, and how it is drawn.

import { bars, columns, lines, spark } from "./charts.js";
import { get, path } from "./data.js";
import { figure, h, moment } from "./dom.js";
import { rows } from "./table.js";

const HOUR = 3_600_000;
const WEEK = 7 * 24;

const at = (row) => Date.parse(row.hour ?? row.minute);
const link = (view, state) => h("a", { href: `/?${new URLSearchParams({ tab: "view", view, ...state })}` }, "all rows");

/** The rows of a view by hour: a list of [time, rows of that hour], without gaps, up to the newest. */
function byHour(list, hours) {
  const groups = new Map();
  for (const row of list) {
    const time = at(row);
    if (!groups.has(time)) groups.set(time, []);
    groups.get(time).push(row);
  }
  const newest = Math.max(...groups.keys());
  return Array.from({ length: hours }, (_, i) => newest - (hours - 1 - i) * HOUR).map((time) => [time, groups.get(time) ?? []]);
}

/** How each kind of panel is filled, from the rows of its view. */
const DRAW = {
  lines(panel, view, list, open) {
    if (!list.length) return lines({ series: [], open, title: panel.title });
    const all = byHour(list, panel.hours + (panel.past ? WEEK : 0));
    const now = all.slice(-panel.hours);
    const series = Object.entries(panel.curves).map(([name, of]) => ({ name, points: now.map(([time, some]) => [time, of(some)]) }));
    if (panel.past) {
      const [[, of]] = Object.entries(panel.curves);
      const [begins, before] = [at(list[0]), new Map(all.map(([time, some]) => [time + WEEK * HOUR, some]))];
      const points = now.map(([time]) => [time, time - WEEK * HOUR < begins ? null : of(before.get(time) ?? [])]);
      series.push({ name: "a week before", past: true, points });
    }
    return lines({ series, open, kind: panel.money ? "money" : "", column: panel.column ?? "", title: panel.title });
  },
  streams(panel, view, list) {
    // In steps of five minutes: of single ones there are too many to see.
    const [step, names] = [300_000, [...new Set(list.map((row) => row.stream))].sort()];
    const [first, last] = [at(list.at(-1) ?? {}), at(list[0] ?? {})].map((time) => Math.floor(time / step) * step);
    const times = [];
    for (let time = first + step; time <= last; time += step) times.push(time);
    const series = names.map((name) => {
      const sums = new Map();
      for (const row of list.filter((one) => one.stream === name)) {
        const time = Math.floor(at(row) / step) * step;
        const value = row[panel.of] ?? 0;
        sums.set(time, panel.greatest ? Math.max(sums.get(time) ?? 0, value) : (sums.get(time) ?? 0) + value);
      }
      return { name, points: times.map((time) => [time, sums.get(time) ?? 0]) };
    });
    return lines({ series, open: Infinity, kind: "", column: "", title: panel.title });
  },
  columns(panel, view, list, open) {
    const column = view.columns.find((one) => one.name === panel.value);
    const items = list.map((row) => ({ name: panel.name(row), value: row[panel.value] }));
    return columns({ items, kind: column.kind, column: column.name, title: panel.title });
  },
  bars(panel, view, list) {
    const column = view.columns.find((one) => one.name === panel.value);
    const items = list.map((row) => ({ name: panel.name(row), value: row[panel.value] }));
    return bars({ items, kind: column.kind, column: column.name, title: panel.title });
  },
  groups(panel, view, list, open) {
    const recent = byHour(list, panel.hours).flatMap(([, some]) => some);
    const names = [...new Set(recent.map((row) => row[panel.by]))];
    const items = names.map((name) => ({ name, value: panel.of(recent.filter((row) => row[panel.by] === name)) }));
    items.sort((a, b) => (b.value ?? 0) - (a.value ?? 0));
    return bars({ items: items.slice(0, 12), kind: panel.money ? "money" : "", column: "", title: panel.title });
  },
  funnel(panel, view, list) {
    const recent = byHour(list, panel.hours).flatMap(([, some]) => some);
    const total = (name) => recent.reduce((all, row) => all + (row[name] ?? 0), 0);
    const first = total(panel.steps[0]) || 1;
    const items = panel.steps.map((name) => ({
      name: name.replaceAll("_", " "), value: total(name), more: `(${figure(total(name) / first, "", "rate")})`,
    }));
    return bars({ items, kind: "", column: "", title: panel.title });
  },
  shares(panel, view, list) {
    const counts = new Map();
    list.forEach((row) => counts.set(row[panel.by], (counts.get(row[panel.by]) ?? 0) + 1));
    const items = [...counts].map(([name, value]) => ({ name, value })).sort((a, b) => b.value - a.value);
    return bars({ items, kind: "", column: "", title: panel.title });
  },
  rows(panel, view, list) {
    return rows(`${panel.title}:${location.search}`, view, list, { columns: panel.columns, brief: true, label: panel.title });
  },
};

const value = (of, state) => (typeof of === "function" ? of(state) : of) || "";

/** Whether a panel shows the last hours of its view. */
const recent = (panel) => panel.hours != null;

/** A page of panels. */
export function dashboard(tab, views, state, go) {
  const known = new Map(views.map((view) => [view.name, view]));
  const there = (part) => !part.view || known.has(part.view);
  const tiles = (tab.tiles ?? []).filter(there);
  const panels = tab.panels.filter(there);
  const reads = [...new Set([...tiles, ...panels].map((part) => part.view).filter(Boolean))];
  const parts = new Map();
  const card = (panel) => {
    const place = h("div", {}, h("p", { class: "quiet" }, "…"));
    parts.set(panel, place);
    const where = { where: value(panel.where, state), order: value(panel.order, state) };
    const more = panel.view ? link(panel.view, Object.fromEntries(Object.entries(where).filter(([, v]) => v))) : null;
    return h("section", { class: `card${panel.wide ? " wide" : ""}` }, h("h2", {}, h("span", {}, panel.title), more), place);
  };
  const tile = (one) => {
    const place = h("div", {}, h("div", { class: "value" }, "…"));
    parts.set(one, place);
    return h("section", { class: "tile" }, h("h2", {}, one.title), place);
  };
  const lacking = [...new Set([...(tab.tiles ?? []), ...tab.panels].filter((part) => !there(part)).map((part) => part.view))];
  const element = h("div", {}, asking(tab, state, go),
    tiles.length ? h("div", { class: "tiles" }, tiles.map(tile)) : null,
    panels.length ? h("div", { class: "grid" }, panels.map(card)) : null,
    lacking.length ? h("p", { class: "quiet" }, `Not in this run: ${lacking.join(", ")}.`) : null);

  async function update(signal) {
    const last = [...tiles, ...panels].filter((part) => part.view && recent(part));
    const need = new Map();
    for (const part of last) need.set(part.view, Math.max(need.get(part.view) ?? 0, wanted(part)));
    // Views of a like number of rows are asked for together: they are then of one time.
    const snapshot = {};
    let frontier = null;
    for (const size of new Set(need.values())) {
      const names = [...need].filter(([, n]) => n === size).map(([name]) => name);
      for (let i = 0; i < names.length; i += Math.max(1, Math.floor(10_000 / size))) {
        const some = names.slice(i, i + Math.max(1, Math.floor(10_000 / size)));
        const answer = await get(path("/v1/snapshot", { views: some.join(","), last: size }), signal);
        Object.assign(snapshot, answer.views);
        frontier = answer.ended ? Infinity : Date.parse(answer.frontier);
      }
    }
    const open = frontier == null ? Infinity : Math.floor(frontier / HOUR) * HOUR;
    for (const panel of panels) {
      const place = parts.get(panel);
      if (panel.kind === "sources") place.replaceChildren(await sources(signal));
      else if (recent(panel)) place.replaceChildren(DRAW[panel.kind](panel, known.get(panel.view), snapshot[panel.view].rows, open));
      else {
        const ask = { where: value(panel.where, state), order: value(panel.order, state), limit: panel.limit ?? 100 };
        const page = await get(path(`/v1/views/${panel.view}`, ask), signal);
        place.replaceChildren(DRAW[panel.kind](panel, known.get(panel.view), page.rows, open));
      }
    }
    for (const one of tiles) parts.get(one).replaceChildren(...(await filled(one, snapshot, open, frontier, signal)));
  }
  return { element, update, reads: tab.panels.some((panel) => panel.kind === "sources") ? [] : reads };
}

/** How many of the last rows a panel needs. */
function wanted(part) {
  const hours = part.hours + (part.past || !part.kind ? WEEK : 0);
  return Math.min(hours * (part.each ?? (part.view === "delivery_performance" ? 30 : 1)) + 2, 10_000);
}

/** The contents of a tile. */
async function filled(one, snapshot, open, frontier, signal) {
  const shown = (number) => h("div", { class: "value" }, number);
  if (one.count) {
    const from = Number.isFinite(frontier) && frontier != null ? frontier : Date.now();
    const since = new Date(from - (one.hours ?? 0) * HOUR).toISOString();
    const where = one.count(since);
    const page = await get(path(`/v1/views/${one.view}`, { where, limit: 1000 }), signal);
    return [shown(`${page.rows.length.toLocaleString()}${page.next ? "+" : ""}`), h("div", { class: "than" }, link(one.view, { where }))];
  }
  const list = snapshot[one.view].rows;
  if (!list.length) return [shown("–")];
  // The hour that is open is left out: it would always be behind.
  const all = byHour(list, one.hours + WEEK + 1).filter(([time]) => time < open);
  const flat = (some) => some.flatMap(([, rows]) => rows);
  const now = one.of(flat(all.slice(-one.hours)));
  const then = all.length >= WEEK + one.hours ? one.of(flat(all.slice(-one.hours - WEEK, -WEEK))) : null;
  const change = then && now != null ? now / then - 1 : null;
  const than = change == null ? "no week before" : h("span", {},
    h("span", { class: change >= 0 ? "up" : "down" }, `${change >= 0 ? "▲" : "▼"} ${Math.round(Math.abs(change) * 100)}%`), " than a week before");
  const points = byHour(list, 48).map(([time, some]) => [time, some.length ? one.of(some) : null]);
  return [shown(figure(now, one.kind ?? "", one.column ?? "")), h("div", { class: "than" }, than), spark(points, open)];
}

/** What a page asks a person for; it stays in the address. */
function asking(tab, state, go) {
  if (!tab.ask) return null;
  const form = h("form", { class: "ask", onsubmit: (event) => {
    event.preventDefault();
    go({ tab: tab.id, ...Object.fromEntries(new FormData(form)) });
  } }, tab.ask.map((one) => h("label", {}, one.label, h("input", { name: one.name, value: state[one.name] ?? "", autocomplete: "off", spellcheck: "false" }))),
  h("button", { class: "button", type: "submit" }, "Show"));
  return form;
}

/** The sources of the run and what became of their records. */
async function sources(signal) {
  const { run, frontier } = await get("/v1/status", signal);
  const table = (name, columns) => ({ name, columns: columns.map((column, i) => ({ name: column, kind: column === "records" ? "whole number" : "text", key: i === 0, about: "" })) });
  const view = table("sources", ["source", "stream", "clock", "state"]);
  const list = run.sources.map((one) => ({ source: one.name, stream: one.stream, clock: one.clock ? moment(one.clock) : "–", state: one.ended ? "ended" : one.live ? "live" : "open" }));
  const facts = [["Records", run.records], ["Dead letters", run.dead_letters], ["Late among them", run.late], ["Changes of views", run.changes], ["Subscribers", run.subscribers]];
  return h("div", {}, h("ul", { class: "legend" }, facts.map(([name, number]) => h("li", {}, `${name} ${figure(number, "")}`)), h("li", {}, `sealed to ${frontier ? moment(frontier) : "–"}`)),
    rows("sources", view, list),
    run.reasons.length ? rows("reasons", table("dead letters", ["reason", "records", "first"]), run.reasons) : null);
}
