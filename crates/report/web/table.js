// The words, numbers and tables that the pages share.
//
// Inlined first. map.js and triage.js find it as `window.residue`; it talks to the picture by events
// on `document`, so that neither knows how the other works:
//   residue:select {index}   a region was picked in the picture: show its row
//   residue:show   {index}   a row was picked in the table: show it in the picture
//   residue:usage  {usage}   one usage is of interest, or null for all
(() => {
"use strict";

const UNITS = ["B", "KiB", "MiB", "GiB", "TiB", "PiB", "EiB"];
const ROW_PX = 28;
const WINDOW_ROWS = 120;
const STEP_ROWS = 40;

// A size in binary units. Unknown is "-", never 0.
function bytes(count) {
  if (count === null || count === undefined) return "-";
  let size = Math.abs(count), unit = 0;
  // 1023.95 would print as 1024.0 of the smaller unit.
  while (size >= 1023.95 && unit < UNITS.length - 1) { size /= 1024; unit += 1; }
  return (count < 0 ? "−" : "") + (unit ? size.toFixed(1) : Math.round(size)) + " " + UNITS[unit];
}

const hex = (address) => "0x" + address.toString(16);
const count = (number) => number.toLocaleString("en-US");
const many = (number, noun) => count(number) + " " + noun + (number === 1 ? "" : "s");
const send = (name, detail) => document.dispatchEvent(new CustomEvent("residue:" + name, { detail }));
const hear = (name, act) => document.addEventListener("residue:" + name, (event) => act(event.detail));

// An element with properties and children: `el("button", { onclick }, "+")`.
function el(tag, properties, ...children) {
  const { data = {}, aria = {}, ...plain } = properties || {};
  const element = Object.assign(document.createElement(tag), plain);
  Object.assign(element.dataset, data);
  for (const [name, value] of Object.entries(aria)) element.setAttribute("aria-" + name, value);
  element.append(...children);
  return element;
}

// ---- Regions -----------------------------------------------------------------------------------

function readData() {
  const element = document.getElementById("data");
  return (element && JSON.parse(element.textContent)) || {};
}

const data = readData();
const regions = (data.regions || []).map(
  ([start, size, usage, protection, name, rss, pss, uss, swap, note], index) =>
    ({ index, start, size, end: start + size, usage, protection, rss, pss, uss, swap, note,
       name: name >= 0 ? data.names[name] : "" }));

const usageLabel = (region) => data.usages[region.usage].label;
const title = (region) => [region.name, region.note].filter(Boolean).join(" · ");

// What `rss` counts: pages in memory of a process, bytes that a dump holds, committed memory of Windows.
const held = data.held;
const HELD_TITLES = { resident: "RSS", "in the dump": "In dump", "in RAM": "In RAM", committed: "Committed" };

// Sums that keep what is unknown apart: `rss` is the known part, `unread` the regions without one.
function totals(list) {
  const sum = { count: list.length, size: 0, rss: 0, unread: 0 };
  for (const region of list) {
    sum.size += region.size;
    if (region.rss === null) sum.unread += 1; else sum.rss += region.rss;
  }
  return sum;
}

// The resident size of a sum: "-" when nothing was readable, "≥" when only some was.
function residentText(sum) {
  if (sum.count > 0 && sum.unread === sum.count) return "-";
  return (sum.unread ? "≥ " : "") + bytes(sum.rss);
}

// ---- Sorting -----------------------------------------------------------------------------------

const collator = new Intl.Collator("en", { numeric: true });

function compare(a, b) {
  if (a === b) return 0;
  if (a === null) return -1;
  if (b === null) return 1;
  return typeof a === "number" ? a - b : collator.compare(a, b);
}

const ordered = (list, value, descending) =>
  list.map((item) => [value(item), item])
    .sort(([a], [b]) => (descending ? compare(b, a) : compare(a, b)))
    .map(([, item]) => item);

function markSorted(header, descending) {
  for (const other of header.parentNode.children) other.removeAttribute("aria-sort");
  header.setAttribute("aria-sort", descending ? "descending" : "ascending");
}

// The direction of the next click: numbers start with the largest, words with the first.
function nextDirection(header, numeric) {
  const now = header.getAttribute("aria-sort");
  return now ? now === "ascending" : numeric;
}

// The value of a server-rendered cell. A cell of a numeric column without a number is unknown.
function cellValue(row, column, numeric) {
  const cell = row.cells[column];
  if (!cell) return null;
  if (!numeric) return cell.dataset.value ?? cell.textContent.trim();
  return cell.dataset.value ? Number(cell.dataset.value) : null;
}

function isNumeric(body, column) {
  const cells = [...body.rows].map((row) => row.cells[column]).filter(Boolean);
  return cells.some((cell) => cell.dataset.value && !Number.isNaN(Number(cell.dataset.value)));
}

function makeSortable(table) {
  const body = table.tBodies[0], heads = table.tHead?.rows[0]?.cells;
  if (!body || !heads) return;
  [...heads].forEach((header, column) => {
    const sort = () => {
      const numeric = isNumeric(body, column), descending = nextDirection(header, numeric);
      body.append(...ordered([...body.rows], (row) => cellValue(row, column, numeric), descending));
      markSorted(header, descending);
    };
    const button = el("button", { type: "button", onclick: sort }, ...header.childNodes);
    header.replaceChildren(button);
  });
}

// ---- The table of regions ----------------------------------------------------------------------
// Rows have one height, so only those near the view stand in the document; two spacers stand for the
// rest. A process of sixty thousand regions scrolls as one of sixty.

const number = (key, label) => ({ key, label, numeric: true, value: (r) => r[key], text: (r) => bytes(r[key]) });
const address = (key, label) => ({ ...number(key, label), text: (r) => hex(r[key]), address: true });
const word = (key, label, text) => ({ key, label, numeric: false, value: text, text });

// What no region tells has no column: Windows counts neither PSS nor swap, a dump none of them.
const isTold = ({ key }) => !["pss", "uss", "swap"].includes(key) || regions.some((region) => region[key] !== null);

const COLUMNS = [
  address("start", "Start"), address("end", "End"), number("size", "Size"), number("rss", HELD_TITLES[held]),
  number("pss", "PSS"), number("uss", "USS"), number("swap", "Swap"),
  word("protection", "Prot.", (r) => r.protection), word("usage", "Usage", usageLabel), word("name", "Name", title),
].filter(isTold);

function regionTable(table) {
  const scroller = el("div", { className: "scroll regions", tabIndex: 0 });
  const body = table.tBodies[0];
  const counter = document.getElementById("region-count");
  let sorted = [], shown = [], drawnFrom = -1;
  let words = "", usage = null, selected = null;

  function sort(column, descending) {
    sorted = ordered(regions, column.value, descending);
    filter();
  }

  function filter() {
    const wanted = matcher(words);
    shown = sorted.filter((region) => (usage === null || region.usage === usage) && wanted(region));
    scroller.scrollTop = 0;
    redraw();
    summarize();
  }

  function summarize() {
    const sum = totals(shown);
    const all = many(regions.length, "region"), part = shown.length === regions.length ? "" : count(shown.length) + " of ";
    const lost = selected !== null && !shown.includes(regions[selected]);
    counter.textContent = part + all + ", " + bytes(sum.size) + " mapped, "
      + residentText(sum) + " " + held + (lost ? "; the filter hides the selected region" : "") + ".";
  }

  function redraw() { drawnFrom = -1; draw(); }

  function draw() {
    const first = Math.floor(scroller.scrollTop / ROW_PX / STEP_ROWS) * STEP_ROWS - STEP_ROWS;
    const from = Math.max(0, first), to = Math.min(shown.length, from + WINDOW_ROWS);
    if (from === drawnFrom) return;
    drawnFrom = from;
    const rows = shown.slice(from, to).map(row);
    body.replaceChildren(spacer(from), ...rows, spacer(shown.length - to));
  }

  function row(region) {
    const line = el("tr", { tabIndex: 0, className: region.index === selected ? "selected" : "",
      data: { index: region.index } });
    for (const column of COLUMNS) {
      const text = column.text(region);
      line.append(el("td", { className: cellClass(column), title: column.numeric ? "" : text }, text));
    }
    return line;
  }

  function reveal({ index }) {
    selected = index;
    const rank = index === null ? -1 : shown.indexOf(regions[index]);
    const top = rank * ROW_PX, room = scroller.clientHeight - 3 * ROW_PX;
    const visible = top >= scroller.scrollTop && top <= scroller.scrollTop + room;
    // The wrapper scrolls, not the page: the picture that was clicked must stay where it is.
    if (rank >= 0 && !visible) scroller.scrollTop = Math.max(0, top - room / 2);
    redraw();
    summarize();
  }

  function pick(event) {
    const line = event.target.closest("tr[data-index]");
    if (!line || (event.type === "keydown" && event.key !== "Enter")) return;
    send("show", { index: Number(line.dataset.index) });
  }

  table.style.setProperty("--row", ROW_PX + "px");
  table.before(scroller);
  scroller.append(table);
  scroller.addEventListener("scroll", draw, { passive: true });
  body.addEventListener("click", pick);
  body.addEventListener("keydown", pick);
  table.tHead.replaceChildren(headRow(sort));
  filterBar((text) => { words = text; filter(); });
  hear("select", reveal);
  hear("usage", (detail) => { usage = detail.usage; filter(); });
  sort(COLUMNS.find((column) => column.key === "size"), true);
}

const cellClass = (column) => column.key + (column.numeric ? " number" : "") + (column.address ? " address" : "");
const spacer = (rows) => {
  const line = el("tr", { className: "spacer" }, el("td", { colSpan: COLUMNS.length }));
  line.style.height = rows * ROW_PX + "px";
  line.hidden = rows === 0;
  return line;
};

function headRow(sort) {
  const line = el("tr");
  for (const column of COLUMNS) {
    const header = el("th", { className: cellClass(column), scope: "col" });
    header.append(el("button", { type: "button", onclick: () => {
      const descending = nextDirection(header, column.numeric && !column.address);
      markSorted(header, descending);
      sort(column, descending);
    } }, column.label));
    line.append(header);
  }
  markSorted(line.children[COLUMNS.findIndex((column) => column.key === "size")], true);
  return line;
}

// Whether a region answers to the typed words. A hex address also finds the region that holds it.
function matcher(words) {
  const wanted = words.trim().toLowerCase();
  if (!wanted) return () => true;
  const inside = /^0x[0-9a-f]+$/.test(wanted) ? Number(wanted) : -1;
  return (region) => (inside >= region.start && inside < region.end) || haystack(region).includes(wanted);
}

function haystack(region) {
  region.haystack ??= [title(region), usageLabel(region), region.protection, hex(region.start), hex(region.end)]
    .join("\n").toLowerCase();
  return region.haystack;
}

function filterBar(search) {
  const bar = document.getElementById("region-filter");
  const input = el("input", { type: "search", placeholder: "name, usage, rw-p, 0x7f…", spellcheck: false });
  const only = el("button", { type: "button", hidden: true, onclick: () => send("usage", { usage: null }) });
  input.addEventListener("input", () => search(input.value));
  hear("usage", ({ usage }) => {
    only.hidden = usage === null;
    if (usage !== null) only.textContent = "only " + data.usages[usage].label + " ✕";
  });
  bar.append(el("label", null, "Filter ", input), only);
}

window.residue = { held, data, regions, bytes, hex, count, many, el, send, hear, usageLabel, totals, residentText };
for (const table of document.querySelectorAll("table.sortable")) makeSortable(table);
const table = document.getElementById("region-table");
if (table && data.regions) regionTable(table);
})();
