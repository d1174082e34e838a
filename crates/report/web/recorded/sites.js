// The table of sites: sorted, filtered, and each opened where it stands. Long tables are shown a part at a time.
(() => {
"use strict";

const { bytes, el, hear } = window.residue;
const { data, sites, nodes, chosen, choose, isShown, MEASURES, stack, sums, count, many, change, percent, title, details, sparkline,
  slotCount } = window.recording;
const place = document.getElementById("site-list");
const PART = 100;

const hasLost = sites.some((site) => site.lost);
const SITE = { key: "name", label: "Site", text: true, value: (row) => title(row.site.frame) };
const SHAPE = { key: "shape", label: "Over time", text: true, value: (row) => data.shapes[row.site.shape] };
const number = (key, label, show = bytes) => ({ key, label, value: (row) => row.sums[key] ?? 0, show: (row) => show(row.sums[key] ?? 0) });
const LOST = { key: "lost", label: "Lost", value: (row) => (row.site.lost ? row.site.lost[1] : -1),
  show: (row) => (row.site.lost ? bytes(row.site.lost[1]) : "-") };
const TEMPORARY = { key: "temporary", label: "Temporary", value: (row) => row.site.temporary,
  show: (row) => percent(row.site.temporary, row.site.allocations) };
const WHOLE = [SITE, SHAPE, number("live", "Not freed"), ...(hasLost ? [LOST] : []), number("peak", "Peak"),
  number("allocated", "Allocated"), number("allocations", "Allocations", count), TEMPORARY];
const IN_WINDOW = [SITE, SHAPE, number("growth", "Growth", change), number("live", "Stood at its end"),
  number("allocated", "Allocated"), number("allocations", "Allocations", count)];

let order = { key: "live", down: true };
let wanted = "", shown = PART, rows = [];
const open = new Set();

const filter = el("input", { type: "search", placeholder: "function, file, module, shape", spellcheck: false,
  oninput: () => { wanted = filter.value.trim().toLowerCase(); shown = PART; draw(); } });
const focus = el("button", { type: "button", hidden: true, onclick: () => choose("focus", 0) });
const head = el("thead"), body = el("tbody");
const table = el("table", { id: "site-table" }, head, body);
const more = el("button", { type: "button", onclick: () => { shown += PART * 5; draw(); } });
const said = el("p", { className: "said", role: "status" });
place.append(el("div", { className: "bar" }, el("label", null, "Filter ", filter), focus), said,
  el("div", { className: "scroll-x" }, table), more);

function haystack(site) {
  site.haystack ??= [...new Set(site.tracks.slice(0, 50).flatMap((track) => stack(track.path))
    .flatMap((frame) => [frame.label, frame.name, frame.place, frame.path, frame.module])), data.shapes[site.shape], site.kind]
    .filter(Boolean).join("\n").toLowerCase();
  return site.haystack;
}

// Whether one of its paths leads through the function that the flame graph was narrowed to.
function below(site) {
  if (chosen.focus === 0) return true;
  return site.tracks.some((track) => {
    for (let at = track.node; at !== 0; at = nodes[at].parent) if (at === chosen.focus) return true;
    return false;
  });
}

const columns = () => (chosen.window ? IN_WINDOW : WHOLE);

function collect() {
  const did = (row) => !chosen.window || row.sums.live || row.sums.growth || row.sums.allocations;
  rows = sites.filter((site) => isShown(site) && below(site) && (!wanted || haystack(site).includes(wanted)))
    .map((site) => ({ site, sums: sums(site) })).filter(did);
  const column = columns().find(({ key }) => key === order.key) || columns()[2];
  const sign = order.down ? -1 : 1;
  const compare = column.text ? (a, b) => column.value(a).localeCompare(column.value(b)) : (a, b) => column.value(a) - column.value(b);
  rows.sort((a, b) => sign * compare(a, b) || a.site.index - b.site.index);
}

function headRow() {
  return el("tr", null, ...columns().map((column) => {
    const cell = el("th", { scope: "col", className: column.text ? column.key : "number" },
      el("button", { type: "button", onclick: () => {
        order = { key: column.key, down: order.key === column.key ? !order.down : !column.text };
        draw();
        head.querySelector('[data-key="' + column.key + '"]').focus();
      }, data: { key: column.key } }, column.label));
    if (order.key === column.key) cell.setAttribute("aria-sort", order.down ? "descending" : "ascending");
    return cell;
  }));
}

function cell(column, row) {
  if (column === SITE) {
    const { frame, kind, index } = row.site;
    return el("td", { className: "name" }, el("button", { type: "button", className: "open", title: frame.name ?? "",
      aria: { expanded: open.has(index) }, onclick: () => toggle(index) },
    kind === "heap" ? "" : el("span", { className: "kind" }, kind), frame.label,
    frame.name === null ? "" : el("small", null, " " + frame.place)));
  }
  if (column === SHAPE) {
    return el("td", { className: "shape " + row.site.shape }, slotCount > 1 ? sparkline(row.site, 96, 20, "") : "",
      el("span", null, column.value(row)));
  }
  return el("td", { className: "number" }, column.show(row));
}

function toggle(index) {
  if (!open.delete(index)) open.add(index);
  draw();
  body.querySelector('[data-site="' + index + '"] button').focus();
}

function draw() {
  if (!columns().some(({ key }) => key === order.key)) order = { key: columns()[2].key, down: true };
  collect();
  head.replaceChildren(headRow());
  const lines = [];
  for (const row of rows.slice(0, shown)) {
    lines.push(el("tr", { data: { site: row.site.index } }, ...columns().map((column) => cell(column, row))));
    if (open.has(row.site.index)) {
      lines.push(el("tr", { className: "opened" }, el("td", { colSpan: columns().length }, details(row.site))));
    }
  }
  body.replaceChildren(...lines);
  const all = sites.filter(isShown).length, key = chosen.window ? "growth" : "live";
  const sum = rows.reduce((sum, row) => sum + row.sums[key], 0);
  const amount = chosen.window ? change(sum) + " growth in the window" : bytes(sum) + " " + MEASURES.live.says;
  said.textContent = (rows.length === all ? many(all, "site") : count(rows.length) + " of " + many(all, "site")) + ", " + amount + ".";
  more.hidden = rows.length <= shown;
  more.textContent = "Show more of " + count(rows.length);
  focus.hidden = chosen.focus === 0;
  if (chosen.focus) focus.textContent = "only through " + nodes[chosen.focus].frame.label + " ✕";
}

hear("chosen", ({ what }) => {
  if (what === "measure") return;
  if (what === "window") order = { key: chosen.window ? "growth" : "live", down: true };
  draw();
});
draw();
})();
