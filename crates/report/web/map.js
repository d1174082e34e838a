// What a person does with the picture of an address space: looks, zooms, points, picks.
//
// Inlined after table.js and picture.js. For tests, and for nothing else to lean on:
//   residue.view()               {start, end, folded}: the addresses in sight
//   residue.zoomTo(start, end)   show these addresses
//   residue.regionAt(x)          {kind, index, start, size} under x pixels from the strip's left edge, or null
(() => {
"use strict";

const { data, regions, picture } = window.residue;
const { bytes, hex, count, many, el, send, hear, usageLabel, totals, residentText, held } = window.residue;
const { layouts, pieces, clamp, strip, overview } = picture;
const byId = (id) => document.getElementById(id);
const tooltip = byId("tooltip"), selection = byId("selection");

// ---- The view ----------------------------------------------------------------------------------

const MIN_SPAN = 4096; // nothing is mapped in less than a page
const span = () => picture.view.to - picture.view.from;
const wholeSpan = () => picture.layout.length;
const allowed = (wanted) => clamp(wanted, Math.min(MIN_SPAN, wholeSpan()), wholeSpan());
const placeAt = (x) => picture.view.from + clamp(x / strip.clientWidth, 0, 1) * span();

let waiting = false;
function refresh() {
  if (waiting) return;
  waiting = true;
  requestAnimationFrame(() => { waiting = false; picture.paint(); });
}

function look(from, wanted) {
  const start = clamp(from, 0, wholeSpan() - wanted);
  picture.view = { from: start, to: start + wanted };
  refresh();
}

function show(from, to) {
  const wanted = allowed(to - from);
  look((from + to - wanted) / 2, wanted);
}

function zoom(factor, anchor = (picture.view.from + picture.view.to) / 2) {
  const wanted = allowed(span() * factor);
  look(anchor - (anchor - picture.view.from) * wanted / span(), wanted);
}

const pan = (places) => look(picture.view.from + places, span());
const reset = () => show(0, wholeSpan());

function zoomToPiece(i) {
  const { places } = picture.layout, margin = picture.layout.width(i) * 0.06;
  show(places[i] - margin, places[i + 1] + margin);
}

function zoomTo(start, end) { show(picture.layout.place(start), picture.layout.place(end)); }

// The same addresses stay in sight when the mode changes.
function setFolded(folded) {
  const { layout, view } = picture, start = layout.address(view.from), end = layout.address(view.to);
  picture.layout = folded ? layouts.folded : layouts.scale;
  picture.forgetOverview();
  zoomTo(start, end);
}

// ---- What is under the pointer -----------------------------------------------------------------

function piecesBetween(left, right) {
  const { layout } = picture, from = placeAt(left), to = placeAt(right), found = [];
  for (let i = layout.pieceAt(from); i < pieces.length && layout.places[i] < to; i += 1) found.push(i);
  return found;
}

// Regions of less than a pixel are painted over their neighbours, so they are also found before them.
function largestHair(left, right) {
  const pixel = span() / strip.clientWidth;
  return piecesBetween(left, right)
    .filter((i) => pieces[i].kind === "region" && picture.layout.width(i) < pixel)
    .reduce((most, i) => (most === null || pieces[i].size > pieces[most].size ? i : most), null);
}

function pieceUnder(x) {
  const column = Math.floor(x), exact = picture.layout.pieceAt(placeAt(x));
  const reach = pieces[exact]?.kind === "region" ? 0 : 2; // a lone hair in a gap is hard to hit
  return largestHair(column, column + 1) ?? largestHair(column - reach, column + 1 + reach) ?? exact;
}

function regionAt(x) {
  const piece = pieces[pieceUnder(x)];
  return piece ? { kind: piece.kind, index: piece.region?.index ?? null, start: piece.start, size: piece.size } : null;
}

// ---- Words about it ----------------------------------------------------------------------------

const rangeText = (start, size) => hex(start) + " – " + hex(start + size);

const heldTitle = held[0].toUpperCase() + held.slice(1);
function residentOf({ rss, size }) {
  return rss === null ? "-" : bytes(rss) + (size ? " (" + (100 * rss / size).toFixed(rss < size ? 1 : 0) + " %)" : "");
}

// A piece as pairs of term and value; the first is its name.
function describe(piece) {
  const region = piece.region;
  if (!region) return [["", piece.kind === "free" ? "free, " + bytes(piece.size) : "not listed as mapped or free"],
    ["Address", rangeText(piece.start, piece.size)], ["Size", bytes(piece.size)]];
  return [["", region.name || usageLabel(region)], ["Usage", usageLabel(region)],
    ["Address", rangeText(region.start, region.size)], ["Size", bytes(region.size)],
    [heldTitle, residentOf(region)],
    ...[["PSS", region.pss], ["USS", region.uss], ["Swap", region.swap]]
      .filter(([, held]) => held !== null).map(([name, held]) => [name, bytes(held)]),
    ["Protection", region.protection],
    ...(region.note ? [["Note", region.note]] : [])];
}

function describeRange(first, last) {
  const list = pieces.slice(first, last + 1), sum = totals(list.flatMap((piece) => piece.region ?? []));
  const free = list.filter((piece) => piece.kind === "free").map((piece) => piece.size);
  const start = list[0].start, end = list.at(-1).start + list.at(-1).size;
  return [["", many(sum.count, "region")], ["Address", rangeText(start, end - start)], ["Mapped", bytes(sum.size)],
    [heldTitle, residentText(sum)], ["Free", bytes(free.reduce((all, size) => all + size, 0))],
    ["Largest free", bytes(free.reduce((most, size) => Math.max(most, size), 0))]];
}

function writeSelection(pairs) {
  const [[, name], ...rest] = pairs;
  const words = rest.map(([term, value]) => el("span", null, el("i", null, term + " "), value));
  selection.replaceChildren(el("b", null, name), ...words);
}

const HINT = "Point at a region for its numbers; click to keep them. Wheel zooms, drag moves, shift-drag sums a range.";

function select(i) {
  picture.selected = i;
  picture.range = null;
  if (i === null) selection.replaceChildren(HINT); else writeSelection(describe(pieces[i]));
  send("select", { index: i === null ? null : pieces[i].region?.index ?? null });
  refresh();
}

function selectRange(a, b) {
  picture.selected = null;
  picture.range = [Math.min(a, b), Math.max(a, b)];
  writeSelection(describeRange(...picture.range));
  refresh();
}

function showTooltip(x) {
  const i = pieceUnder(x), crowd = piecesBetween(Math.floor(x), Math.floor(x) + 1).filter((j) => pieces[j].region).length;
  const [[, name], ...rest] = describe(pieces[i]);
  const terms = rest.flatMap(([term, value]) => [el("dt", null, term), el("dd", null, value)]);
  tooltip.replaceChildren(el("b", null, name), el("dl", null, ...terms));
  if (crowd > 1 && pieces[i].region) {
    tooltip.append(el("small", null, "one of " + many(crowd, "region") + " in this pixel: zoom in"));
  }
  tooltip.hidden = false;
  placeTooltip(x);
}

// Below the strip, so that it covers nothing that could be pointed at next.
function placeTooltip(x) {
  const room = tooltip.offsetParent.clientWidth, wide = tooltip.offsetWidth, left = strip.offsetLeft + x;
  tooltip.style.left = clamp(left + 14 + wide > room ? left - wide - 14 : left + 14, 0, Math.max(0, room - wide)) + "px";
  tooltip.style.top = strip.offsetTop + strip.offsetHeight + 2 + "px";
}

const hideTooltip = () => { tooltip.hidden = true; };

// ---- Pointer and keyboard ----------------------------------------------------------------------

const within = (event, element) => event.clientX - element.getBoundingClientRect().left;

// Follows a pressed pointer: `move(x)` while it is dragged, `click(x)` if it never was.
function drag(element, begin) {
  element.addEventListener("pointerdown", (event) => {
    if (event.button !== 0) return;
    const pressed = within(event, element), { move, click } = begin(pressed, event);
    let moved = false;
    const follow = (at) => {
      const x = within(at, element);
      moved ||= Math.abs(x - pressed) > 3;
      if (moved) { hideTooltip(); move(x); }
    };
    const release = () => {
      element.removeEventListener("pointermove", follow);
      if (!moved) click(pressed);
    };
    element.setPointerCapture(event.pointerId);
    element.addEventListener("pointermove", follow);
    element.addEventListener("lostpointercapture", release, { once: true });
  });
}

function dragStrip(pressed, event) {
  const first = pieceUnder(pressed), from = picture.view.from;
  const click = (x) => { hideTooltip(); select(pieceUnder(x)); }; // it would hide what the click writes
  if (event.shiftKey) return { click, move: (x) => selectRange(first, pieceUnder(x)) };
  return { click, move: (x) => look(from - (x - pressed) / strip.clientWidth * span(), span()) };
}

// A press outside the rectangle brings it there first, so that it can be dragged on at once.
function dragOverview(pressed) {
  const placeOf = (x) => x / overview.clientWidth * wholeSpan(), at = placeOf(pressed);
  if (at < picture.view.from || at > picture.view.to) look(at - span() / 2, span());
  const grip = at - picture.view.from;
  return { click: () => {}, move: (x) => look(placeOf(x) - grip, span()) };
}

function wheel(event) {
  event.preventDefault();
  hideTooltip();
  const lines = event.deltaMode === 1 ? 16 : 1; // Firefox counts lines
  if (event.shiftKey || Math.abs(event.deltaX) > Math.abs(event.deltaY)) {
    return pan((event.deltaX || event.deltaY) * lines / strip.clientWidth * span());
  }
  return zoom(Math.exp(clamp(event.deltaY * lines, -300, 300) * 0.002), placeAt(within(event, strip)));
}

// The next region on either side becomes the selected one, and comes into sight.
function step(direction) {
  let i = picture.selected ?? picture.layout.pieceAt(picture.view.from) - direction;
  do i += direction; while (pieces[i] && !pieces[i].region);
  if (!pieces[i]) return;
  const { places } = picture.layout;
  if (places[i] < picture.view.from || places[i + 1] > picture.view.to) look(places[i] - span() / 2, span());
  select(i);
}

const KEYS = {
  ArrowLeft: () => pan(-0.1 * span()), ArrowRight: () => pan(0.1 * span()),
  ArrowUp: () => step(-1), ArrowDown: () => step(1),
  Enter: () => picture.selected !== null && zoomToPiece(picture.selected),
  Escape: () => select(null),
  "+": () => zoom(0.5), "=": () => zoom(0.5), "-": () => zoom(2), 0: reset,
};

function press(event) {
  if (!KEYS[event.key] || event.ctrlKey || event.metaKey || event.altKey) return;
  event.preventDefault();
  hideTooltip();
  KEYS[event.key]();
}

function listen() {
  drag(strip, dragStrip);
  drag(overview, dragOverview);
  strip.addEventListener("pointermove", (event) => event.buttons || showTooltip(within(event, strip)));
  strip.addEventListener("pointerleave", hideTooltip);
  strip.addEventListener("dblclick", (event) => zoomToPiece(pieceUnder(within(event, strip))));
  strip.addEventListener("wheel", wheel, { passive: false });
  strip.addEventListener("keydown", press);
  new ResizeObserver(refresh).observe(strip);
  picture.dark.addEventListener("change", () => { colourLegend(); picture.paint(); }); // at once: a printer waits for no frame
  hear("usage", (detail) => { picture.usage = detail.usage; picture.forgetOverview(); pressLegend(); refresh(); });
  hear("show", ({ index }) => {
    const i = pieces.findIndex((piece) => piece.region?.index === index);
    zoomToPiece(i);
    select(i);
  });
}

// ---- Legend and toolbar ------------------------------------------------------------------------

function legendEntry(usage, list) {
  const sum = totals(list), { label } = data.usages[usage];
  const pick = () => send("usage", { usage: picture.usage === usage ? null : usage });
  return el("button", { type: "button", onclick: pick, data: { usage, key: data.usages[usage].key }, aria: { pressed: "false" } },
    el("span", { className: "swatch" }),
    el("span", null, el("b", null, label), el("small", null, "\u00a0×\u00a0" + count(sum.count))),
    el("small", null, bytes(sum.size) + ", " + residentText(sum) + " " + held));
}

function fillLegend() {
  const byUsage = data.usages.map(() => []);
  for (const region of regions) byUsage[region.usage].push(region);
  byUsage.forEach((list, usage) => list.length && byId("legend").append(legendEntry(usage, list)));
  byId("legend").append(key());
  colourLegend();
}

const legendEntries = () => byId("legend").querySelectorAll("button");

function colourLegend() {
  for (const entry of legendEntries()) {
    entry.firstChild.style.setProperty("--colour", picture.usageColour(Number(entry.dataset.usage)));
  }
}

function pressLegend() {
  for (const entry of legendEntries()) {
    const picked = Number(entry.dataset.usage) === picture.usage;
    entry.setAttribute("aria-pressed", String(picked));
    entry.classList.toggle("faded", picture.usage !== null && !picked);
  }
}

function modeText() {
  if (picture.layout === layouts.scale) return "True scale: every byte of the address space has the same width.";
  const folds = [...layouts.folded.folds], reserved = folds.filter((piece) => piece.region).length;
  const parts = [folds.length > reserved && many(folds.length - reserved, "large gap"),
    reserved && many(reserved, "large reservation")].filter(Boolean);
  if (!parts.length) return "Folded: there is nothing to fold, so this is true scale.";
  return "Folded: " + parts.join(" and ") + " drawn as narrow bands, everything else to one scale.";
}

function fillToolbar() {
  const mode = el("span", { id: "mode" });
  const scale = el("button", { type: "button", id: "true-scale" }, "True scale");
  const showMode = () => {
    mode.textContent = modeText();
    scale.setAttribute("aria-pressed", String(picture.layout === layouts.scale));
  };
  scale.onclick = () => { setFolded(picture.layout === layouts.scale); showMode(); };
  byId("toolbar").append(button("+", "Zoom in", () => zoom(0.5)), button("−", "Zoom out", () => zoom(2)),
    button("Reset", "Show the whole space", reset), scale, mode);
  showMode();
}

const button = (text, label, onclick) => el("button", { type: "button", title: label, aria: { label }, onclick }, text);

// How to read a column.
function key() {
  const marks = { resident: held, "not-resident": "not " + held, "not-readable": "not readable", reserved: "reserved", free: "free" };
  return el("span", { className: "key" }, ...Object.entries(marks).map(([swatch, mark]) =>
    el("span", null, el("span", { className: "swatch " + swatch }), mark)));
}

function prepareStrip() {
  strip.tabIndex = 0;
  strip.setAttribute("role", "application");
  strip.setAttribute("aria-label", "Map of the address space, " + many(regions.length, "region")
    + ". Left and right arrows move, plus and minus zoom, 0 shows all, up and down step through regions.");
  overview.setAttribute("role", "img");
  overview.setAttribute("aria-label", "The whole address space; the frame is the part shown below.");
  selection.setAttribute("aria-live", "polite");
}

prepareStrip();
fillLegend();
fillToolbar();
listen();
reset();
select(null);
Object.assign(window.residue, {
  view: () => ({ start: picture.layout.address(picture.view.from), end: picture.layout.address(picture.view.to),
    folded: picture.layout === layouts.folded }),
  zoomTo, regionAt,
});
})();
