// The page: which part is shown stands in the address, and what it shows is asked for anew when the
// server tells that it changed.

import { get, listen } from "./data.js";
import { h, moment } from "./dom.js";
import { TABS } from "./tabs.js";
import { dashboard } from "./panels.js";
import { explorer } from "./table.js";

/** How soon at most what is shown is asked for again. */
const AGAIN = 1000;

const [tabs, main, status] = ["tabs", "main", "status"].map((id) => document.getElementById(id));
let [views, shown, running, stale, last, changed] = [[], null, null, false, 0, new Set()];

function address() {
  return Object.fromEntries(new URLSearchParams(location.search));
}

function url(state) {
  const kept = Object.entries(state).filter(([, value]) => value);
  return `/?${new URLSearchParams(kept)}`;
}

/** Changes the address, and shows what it says. */
function go(state) {
  history.pushState(null, "", url(state));
  show();
}

function show() {
  const state = address();
  const name = state.tab ?? "now";
  const entries = [...TABS.map((tab) => [tab.id, tab.name]), ["view", "Any view"]];
  tabs.replaceChildren(...entries.map(([id, label]) => h("li", {},
    h("a", { href: url({ tab: id }), "aria-current": id === name ? "page" : null, onclick: (event) => {
      if (event.ctrlKey || event.metaKey || event.shiftKey) return;
      event.preventDefault();
      go({ tab: id });
    } }, label))));
  const tab = TABS.find((one) => one.id === name);
  shown = tab ? dashboard(tab, views, state, go) : explorer(views, state, go);
  document.title = `${(entries.find(([id]) => id === name) ?? entries[0])[1]} · tidemill`;
  main.replaceChildren(shown.element);
  refresh();
}

/** Asks for what is shown; one question at a time, the last wins. */
async function refresh() {
  running?.abort();
  const mine = running = new AbortController();
  [stale, last] = [false, Date.now()];
  changed.clear();
  try {
    await shown.update(mine.signal);
    if (!mine.signal.aborted) main.dataset.ready = String(Date.now());
  } catch (problem) {
    if (problem.name !== "AbortError") off(problem.message);
  } finally {
    if (running === mine) running = null;
  }
}

/** A tab that sleeps asks for nothing, and catches up when it is looked at. */
function soon() {
  if (stale || document.hidden || !shown) return;
  if (![...changed].some((name) => shown.reads.includes(name)) && shown.reads.length) return;
  stale = true;
  setTimeout(() => running ? (stale = false, setTimeout(soon, AGAIN)) : refresh(), Math.max(0, last + AGAIN - Date.now()));
}

function off(text) {
  status.className = "off";
  status.textContent = text;
}

function news(tick) {
  status.className = "";
  const at = tick.frontier ? moment(tick.frontier) : "…";
  status.textContent = tick.ended ? `ended at ${at}` : `sealed to ${at}`;
  status.dataset.version = tick.version;
  tick.views.forEach((name) => changed.add(name));
  soon();
}

addEventListener("popstate", show);
document.addEventListener("visibilitychange", soon);
try {
  ({ views } = await get("/v1/views"));
  show();
} catch (problem) {
  main.replaceChildren(h("p", { class: "wrong", role: "alert" }, problem.message));
}
listen(news, () => off("not connected; trying again"));
