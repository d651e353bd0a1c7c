// Small charts as SVG. What the frontier has not passed yet is drawn dashed: it will still grow.

import { figure, h, s, short } from "./dom.js";

const HOUR = 3_600_000;
const [WIDTH, HEIGHT, LEFT, BOTTOM, TOP] = [400, 150, 44, 18, 8];

/** A round number at or above one, for the top of an axis. */
function ceiling(value) {
  if (!(value > 0)) return 1;
  const unit = 10 ** Math.floor(Math.log10(value));
  return [1, 1.5, 2, 2.5, 3, 4, 5, 6, 8, 10].find((step) => step * unit >= value) * unit;
}

/** The path through points; where one is missing it begins anew. */
function through(points, x, y) {
  let [d, on] = ["", false];
  for (const [time, value] of points) {
    if (value == null) { on = false; continue; }
    d += `${on ? "L" : "M"}${x(time).toFixed(1)} ${y(value).toFixed(1)}`;
    on = true;
  }
  return d;
}

/** Curves over time: `series` of {name, points: [[time, value]…], past}; from `open` on nothing is sealed. */
export function lines({ series, open, kind, column, title }) {
  const shown = series.filter((one) => one.points.some(([, value]) => value != null));
  const times = shown.flatMap((one) => one.points.map(([time]) => time));
  if (!times.length) return h("p", { class: "quiet" }, "Nothing of this yet.");
  const [first, last] = [Math.min(...times), Math.max(...times)];
  const top = ceiling(Math.max(...shown.flatMap((one) => one.points.map(([, value]) => value ?? 0))));
  const x = (time) => LEFT + ((time - first) / Math.max(last - first, 1)) * (WIDTH - LEFT - 4);
  const y = (value) => HEIGHT - BOTTOM - (Math.max(value, 0) / top) * (HEIGHT - BOTTOM - TOP);
  const svg = s("svg", { viewBox: `0 0 ${WIDTH} ${HEIGHT}`, role: "img", "aria-label": summary(title, shown, kind, column) });
  for (const value of [0, top / 2, top]) {
    svg.append(s("line", { class: "axis", x1: LEFT, x2: WIDTH - 4, y1: y(value), y2: y(value) }));
    svg.append(s("text", { x: LEFT - 6, y: y(value) + 4, "text-anchor": "end" }, short(value, column)));
  }
  const days = last - first > 60 * HOUR;
  const step = days ? 24 * HOUR * Math.ceil((last - first) / (24 * HOUR) / 7) : Math.max(HOUR, Math.ceil((last - first) / HOUR / 6) * HOUR);
  for (let time = Math.ceil(first / step) * step; time <= last; time += step) {
    const text = new Date(time).toISOString();
    svg.append(s("text", { x: x(time), y: HEIGHT - 4, "text-anchor": "middle" }, days ? text.slice(5, 10) : text.slice(11, 16)));
  }
  shown.forEach((one, i) => {
    const look = one.past ? "past" : `s${i % 6}`;
    const sealed = one.past ? one.points : one.points.filter(([time]) => time < open);
    const rest = one.past ? [] : one.points.filter(([time]) => time >= open);
    const d = through(sealed, x, y);
    if (i === 0 && d && sealed.every(([, value]) => value != null)) {
      const [from, to] = [x(sealed[0][0]), x(sealed.at(-1)[0])];
      svg.append(s("path", { class: `area ${look}`, d: `${d}L${to.toFixed(1)} ${y(0)}L${from.toFixed(1)} ${y(0)}Z` }));
    }
    svg.append(s("path", { class: look, d }));
    if (rest.length) svg.append(s("path", { class: `${look} open`, d: through([...sealed.slice(-1), ...rest], x, y) }));
  });
  const legend = h("ul", { class: "legend" });
  const tell = (time) => {
    const items = shown.map((one, i) => {
      const value = one.points.find(([at]) => at === time)?.[1];
      const text = time == null ? one.name : `${one.name} ${figure(value, kind, column)}`;
      return h("li", {}, h("i", { class: one.past ? "past" : `s${i % 6}` }), text);
    });
    const at = time == null ? [] : [h("li", {}, new Date(time).toISOString().slice(5, 16).replace("T", " ") + (time >= open ? " (open)" : ""))];
    legend.replaceChildren(...at, ...items);
  };
  tell(null);
  const guide = s("line", { class: "guide", y1: TOP, y2: HEIGHT - BOTTOM, visibility: "hidden" });
  svg.append(guide);
  svg.addEventListener("pointermove", (event) => {
    const box = svg.getBoundingClientRect();
    const at = ((event.clientX - box.left) / box.width) * WIDTH;
    const near = shown[0].points.reduce((a, b) => (Math.abs(x(b[0]) - at) < Math.abs(x(a[0]) - at) ? b : a));
    for (const end of ["x1", "x2"]) guide.setAttribute(end, x(near[0]));
    guide.setAttribute("visibility", "visible");
    tell(near[0]);
  });
  svg.addEventListener("pointerleave", () => {
    guide.setAttribute("visibility", "hidden");
    tell(null);
  });
  return h("div", {}, svg, legend);
}

/** What a chart shows, for who does not see it. */
function summary(title, series, kind, column) {
  const parts = series.map((one) => {
    const values = one.points.map(([, value]) => value).filter((value) => value != null);
    const say = (value) => figure(value, kind, column);
    return `${one.name} last ${say(values.at(-1))}, from ${say(Math.min(...values))} to ${say(Math.max(...values))}`;
  });
  return `${title}: ${parts.join("; ")}`;
}

/** Columns side by side: [{name, value}…]. */
export function columns({ items, kind, column, title }) {
  if (!items.length) return h("p", { class: "quiet" }, "Nothing of this yet.");
  const top = ceiling(Math.max(...items.map((item) => item.value ?? 0)));
  const width = (WIDTH - LEFT - 4) / items.length;
  const y = (value) => HEIGHT - BOTTOM - (Math.max(value ?? 0, 0) / top) * (HEIGHT - BOTTOM - TOP);
  const best = items.reduce((a, b) => (b.value > a.value ? b : a));
  const label = `${title}: most at ${best.name} with ${figure(best.value, kind, column)}`;
  const svg = s("svg", { viewBox: `0 0 ${WIDTH} ${HEIGHT}`, role: "img", "aria-label": label });
  for (const value of [0, top / 2, top]) {
    svg.append(s("line", { class: "axis", x1: LEFT, x2: WIDTH - 4, y1: y(value), y2: y(value) }));
    svg.append(s("text", { x: LEFT - 6, y: y(value) + 4, "text-anchor": "end" }, short(value, column)));
  }
  const every = Math.ceil(items.length / 6);
  items.forEach(({ name, value }, i) => {
    const x = LEFT + i * width;
    svg.append(s("rect", { class: "s0", x: x + 1, width: width - 2, y: y(value), height: y(0) - y(value) },
      s("title", {}, `${name}: ${figure(value, kind, column)}`)));
    if (i % every === 0) svg.append(s("text", { x: x + width / 2, y: HEIGHT - 4, "text-anchor": "middle" }, name));
  });
  return svg;
}

/** A curve without axes. */
export function spark(points, open) {
  const values = points.map(([, value]) => value ?? 0);
  if (values.length < 2) return null;
  const top = Math.max(...values) || 1;
  const [first, last] = [points[0][0], points.at(-1)[0]];
  const x = (time) => ((time - first) / Math.max(last - first, 1)) * 200;
  const y = (value) => 33 - (value / top) * 30;
  const sealed = points.filter(([time]) => time < open);
  const rest = points.filter(([time]) => time >= open);
  const svg = s("svg", { viewBox: "0 0 200 36", height: 36, preserveAspectRatio: "none", "aria-hidden": "true" });
  const keep = { "vector-effect": "non-scaling-stroke" };
  svg.append(s("path", { class: "s0", d: through(sealed, x, y), ...keep }));
  if (rest.length) svg.append(s("path", { class: "s0 open", d: through([...sealed.slice(-1), ...rest], x, y), ...keep }));
  return svg;
}

/** Bars with their names: [{name, value, open}…]. */
export function bars({ items, kind, column, title }) {
  if (!items.length) return h("p", { class: "quiet" }, "Nothing of this yet.");
  const top = Math.max(...items.map((item) => item.value ?? 0)) || 1;
  const row = ({ name, value, open, more }) => h("tr", {},
    h("th", { scope: "row", title: name }, name),
    h("td", {}, s("svg", { viewBox: "0 0 100 10", preserveAspectRatio: "none", "aria-hidden": "true" },
      s("rect", { class: `s0${open ? " open" : ""}`, width: Math.max((Math.max(value ?? 0, 0) / top) * 100, 0.5), height: 10 }))),
    h("td", { class: "n" }, figure(value, kind, column), more ? ` ${more}` : ""));
  return h("table", { class: "bars", "aria-label": title }, h("tbody", {}, items.map(row)));
}
