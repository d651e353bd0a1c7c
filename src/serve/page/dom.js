// Elements and figures. Whatever comes from the data becomes text, and never markup.

const SVG = "http://www.w3.org/2000/svg";

function build(element, attributes, children) {
  for (const [name, value] of Object.entries(attributes ?? {})) {
    if (name.startsWith("on")) element.addEventListener(name.slice(2), value);
    else if (value != null && value !== false) element.setAttribute(name, value === true ? "" : value);
  }
  for (const child of children.flat()) {
    if (child != null) element.append(child instanceof Node ? child : document.createTextNode(String(child)));
  }
  return element;
}

/** An element with attributes and children; texts become text. */
export const h = (tag, attributes, ...children) => build(document.createElement(tag), attributes, children);
/** The same of SVG. */
export const s = (tag, attributes, ...children) => build(document.createElementNS(SVG, tag), attributes, children);

const SHARES = /(^|_)(rate|conversion|share|on_time|on_time_least|in_full|otif|first_attempt|ctr|support|probability|confidence_ab|confidence_ba|ratio_share)$/;

/** Whether a column holds shares of a whole. */
export const isShare = (name) => SHARES.test(name) || name === "chargeback_ratio";

const format = (options) => new Intl.NumberFormat(undefined, options);
const WHOLE = format({ maximumFractionDigits: 0 });
const MONEY = format({ minimumFractionDigits: 2, maximumFractionDigits: 2 });
const PERCENT = format({ style: "percent", maximumFractionDigits: 1 });
const FEW = format({ style: "percent", maximumFractionDigits: 2 });
const SHORT = format({ notation: "compact", maximumFractionDigits: 1 });
const DIGITS = format({ maximumSignificantDigits: 4 });

/** A number as people read it. `kind` is that of its column. */
export function figure(value, kind, name = "") {
  if (value == null) return "–";
  if (isShare(name)) return (Math.abs(value) < 0.1 ? FEW : PERCENT).format(value);
  if (name.endsWith("_micros")) return SHORT.format(value);
  if (kind === "money") return MONEY.format(value);
  return Number.isInteger(value) ? WHOLE.format(value) : DIGITS.format(value);
}

/** The same where there is little room. */
export function short(value, name = "") {
  return isShare(name) ? PERCENT.format(value) : Math.abs(value) < 10 ? DIGITS.format(value) : SHORT.format(value);
}

/** A time without what says nothing; `brief`: without the year and the seconds. */
export function moment(text, brief) {
  const told = String(text).replace("T", " ").replace(/\.\d+Z$/, "Z").replace(/:00Z$|Z$/, "");
  return brief ? told.replace(/^\d{4}-/, "").replace(/(\d\d:\d\d):\d\d$/, "$1") : told;
}

/** Whether the cells of a column are numbers. */
export const isNumber = (column) => /number|money/.test(column.kind);

/** A cell as text; `brief` where there is little room. */
export function cell(value, column, brief) {
  if (value == null) return "–";
  if (typeof value === "number") return column.name.endsWith("_id") ? String(value) : figure(value, column.kind, column.name);
  if (typeof value === "boolean") return value ? "yes" : "no";
  return column.kind.startsWith("time") ? moment(value, brief) : value;
}
