// What the page knows of a recording, what is chosen of it, and the sums that follow from that.
//
// After table.js. The other files find it as `window.recording`; a choice is told by `residue:chosen {what}` on `document`,
// `what` being "window", "measure", "mapped" or "focus".
(() => {
"use strict";

const { data, bytes, send } = window.residue;

// A point of a track is five numbers: slot, live, blocks, allocated, allocations.
const STRIDE = 5;
const [LIVE, ALLOCATED, ALLOCATIONS] = [1, 3, 4];

const frames = data.frames.map(([label, name, place, file, line, module, inlined]) => ({
  label: data.texts[label], place: data.texts[place], name: name === null ? null : data.texts[name], file,
  path: file === null ? null : data.texts[file], line, module: module === null ? null : data.texts[module],
  inlined: inlined === 1 }));
const nodes = data.nodes.map(([parent, frame], index) =>
  ({ index, parent, frame: frame === null ? null : frames[frame], children: [], level: 0 }));
for (const node of nodes.slice(1)) {
  nodes[node.parent].children.push(node.index);
  node.level = nodes[node.parent].level + 1;
}
const tracks = data.tracks.map(([site, path, node, weights, points]) => ({ site, path, node, weights, points }));
const sites = data.sites.map((site, index) =>
  ({ ...site, index, kind: site.kind || "heap", temporary: site.temporary || 0, tracks: [] }));
for (const track of tracks) sites[track.site].tracks.push(track);

// Frames of a path, the innermost first.
function stack(path) {
  const list = [];
  for (let at = path; at !== 0; at = data.paths[at][0]) list.push(frames[data.paths[at][1]]);
  return list;
}
const UNKNOWN = { label: "a call path that nobody knows", place: "", name: null, path: null, line: null, module: null };
for (const site of sites) {
  site.frame = stack(site.tracks[0].path)[0] || UNKNOWN;
}

// ---- What is chosen ----------------------------------------------------------------------------

// Times are counted in slots of the tracks; of a window the second one is the first outside.
const slotCount = Math.ceil(data.totals.length / data.step);
const slotSeconds = data.slot * data.step;
const chosen = { window: null, measure: "live", mapped: false, focus: 0 };

const MEASURES = {
  live: { label: "Not freed", inWindow: "Stood at its end", unit: "bytes", says: "not freed at the end" },
  growth: { label: "Growth", inWindow: "Growth", unit: "bytes", says: "growth in the window", windowOnly: true },
  peak: { label: "At the peak", unit: "bytes", says: "stood when the program held most", wholeOnly: true },
  allocated: { label: "Allocated", inWindow: "Allocated", unit: "bytes", says: "allocated" },
  temporary: { label: "Temporary", unit: "blocks", says: "freed by the next call of their thread", wholeOnly: true },
};

const isKnown = (measure) => !MEASURES[measure][chosen.window ? "wholeOnly" : "windowOnly"];

function choose(what, value) {
  if (what === "window") {
    const wasWhole = chosen.window === null;
    chosen.window = value && (value[0] > 0 || value[1] < slotCount) ? value : null;
    // What is of interest in a part of the time is what it added.
    if (wasWhole && chosen.window && chosen.measure === "live") chosen.measure = "growth";
    if (!isKnown(chosen.measure)) chosen.measure = chosen.window ? "growth" : "live";
  } else chosen[what] = value;
  // What a function of the one kind leads to is nothing of the other.
  if (what === "mapped") chosen.focus = 0;
  send("chosen", { what });
}

const isShown = (site) => (site.kind !== "heap") === chosen.mapped;

// ---- Sums --------------------------------------------------------------------------------------

// The first point of a track that is in a slot or after it.
function pointAt(points, slot) {
  let low = 0, high = points.length / STRIDE;
  while (low < high) {
    const middle = (low + high) >> 1;
    if (points[middle * STRIDE] < slot) low = middle + 1; else high = middle;
  }
  return low * STRIDE;
}
const stoodBefore = (points, slot) => {
  const at = pointAt(points, slot);
  return at === 0 ? 0 : points[at - STRIDE + LIVE];
};
function sumWithin(points, [from, to], column) {
  let sum = 0;
  for (let at = pointAt(points, from); at < points.length && points[at] < to; at += STRIDE) sum += points[at + column];
  return sum;
}

// What a track weighs by a measure, in what is chosen of the time.
function weight(track, measure) {
  const { window } = chosen;
  if (!window) return track.weights[data.measures.indexOf(measure)];
  if (measure === "allocated") return sumWithin(track.points, window, ALLOCATED);
  const after = stoodBefore(track.points, window[1]);
  return measure === "growth" ? after - stoodBefore(track.points, window[0]) : after;
}

// The numbers of a site in what is chosen of the time.
function sums(site) {
  if (!chosen.window) return site;
  const sum = { live: 0, growth: 0, allocated: 0, allocations: 0 };
  for (const track of site.tracks) {
    for (const measure of ["live", "growth", "allocated"]) sum[measure] += weight(track, measure);
    sum.allocations += sumWithin(track.points, chosen.window, ALLOCATIONS);
  }
  return sum;
}

// Bytes that tracks held together at the end of each slot.
function history(list) {
  const held = new Float64Array(slotCount);
  for (const { points } of list) {
    let at = 0, live = 0;
    for (let slot = 0; slot < slotCount; slot += 1) {
      while (at < points.length && points[at] <= slot) { live = points[at + LIVE]; at += STRIDE; }
      held[slot] += live;
    }
  }
  return held;
}

// ---- Words -------------------------------------------------------------------------------------

const timeAt = (slot) => Math.min(slot * slotSeconds, data.recorded || slot * slotSeconds);

// Numbers as the rest of the page has them: digits in threes, parted by spaces.
const count = (number) => (number < 10000 ? String(number) : number.toLocaleString("en-US").replaceAll(",", "\u00a0"));
const many = (number, noun) => count(number) + " " + noun + (number === 1 ? "" : "s");

// Three digits that matter, in the unit that fits.
function seconds(time) {
  if (time === 0) return "0 s";
  if (time < 1e-3) return (time * 1e6).toPrecision(time < 1e-4 ? 2 : 3) + " µs";
  if (time < 1) return (time * 1e3).toPrecision(3) + " ms";
  if (time < 120) return Number(time.toPrecision(3)) + " s";
  if (time < 7200) return Number((time / 60).toPrecision(3)) + " min";
  return Number((time / 3600).toPrecision(3)) + " h";
}
const change = (number) => (number > 0 ? "+" : "") + bytes(number);
const percent = (part, whole) => {
  if (!whole) return "-";
  const share = (100 * part) / whole;
  return share > 0 && share < 0.1 ? "< 0.1 %" : share.toFixed(share < 9.95 ? 1 : 0) + " %";
};
// `load at app.c:5`; only the place where no name is known.
const title = (frame) => (frame.name === null || !frame.place ? frame.label
  : frame.label + (frame.line === null ? " in " : " at ") + frame.place);

function svg(tag, attributes, ...children) {
  const element = document.createElementNS("http://www.w3.org/2000/svg", tag);
  for (const [name, value] of Object.entries(attributes || {})) element.setAttribute(name, value);
  element.append(...children);
  return element;
}

// Buttons of which one is pressed.
function choice(label, options, pick) {
  const { el } = window.residue;
  const group = el("span", { className: "choice", role: "group", aria: { label } });
  const buttons = options.map(([value, text]) => {
    const button = el("button", { type: "button", onclick: () => pick(value) }, text);
    button.dataset.value = value;
    return button;
  });
  group.append(...buttons);
  group.press = (value) => {
    for (const button of buttons) button.setAttribute("aria-pressed", button.dataset.value === String(value));
  };
  return group;
}

window.recording = { data, frames, nodes, tracks, sites, chosen, choose, isShown, isKnown, MEASURES, slotCount, slotSeconds,
  stack, weight, sums, history, timeAt, count, many, seconds, change, percent, title, svg, choice };
})();
