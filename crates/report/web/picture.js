// The picture of an address space: its colours, its layout and its painting. map.js steers it.
//
// Inlined after table.js, before map.js, which finds it as `residue.picture`. Three coordinates: an
// *address*; a *place*, the picture's own length, in bytes except where a fold makes it shorter; and *x* in
// pixels. Layout turns the first two into each other, the view turns places into pixels.
(() => {
"use strict";

const { data, regions, bytes, hex, el, usageLabel } = window.residue;
const clamp = (value, low, high) => Math.max(low, Math.min(high, value));

// ---- Colours -----------------------------------------------------------------------------------
// One hue a family, told apart within it by lightness, so that colour-blind readers keep the families:
// heaps warm, anonymous blue, stacks purple, modules green, shared memory teal, the rest grey.

const PALETTE = { // usage: [light page, dark page]
  heap: ["#d1500b", "#f0763a"], arena: ["#eb9d2d", "#f6b95c"],
  anonymous_under_128k: ["#a3bdf2", "#c3d4fa"], anonymous_128k_to_1m: ["#6e95e8", "#93b1f5"],
  anonymous_1m_to_64m: ["#3d67d1", "#6a90ee"], anonymous_over_64m: ["#2447a6", "#4a78e8"],
  main_stack: ["#5c0f73", "#a545c4"], thread_stack: ["#b878cb", "#d6a4e4"], guard: ["#8d7f99", "#a89cb3"],
  text: ["#125c34", "#2f9a5d"], rodata: ["#33895a", "#5bb987"], data: ["#63b083", "#8dd3a9"],
  bss: ["#9bd0ae", "#bfe6cd"], mapped_file: ["#708238", "#a9bd68"],
  Image: ["#33895a", "#5bb987"], Stack: ["#7a3b9c", "#a86bc9"], Stack32: ["#8f55b0", "#bb85d8"],
  Stack64: ["#63307f", "#8f55b0"], TEB: ["#b0559a", "#d684c2"], PEB: ["#93407f", "#c06aa8"],
  Heap: ["#c2571a", "#e8864d"], MappedFile: ["#5f7a2a", "#8bab4d"], unknown: ["#3f6fd8", "#7da2f2"],
  sysv_shm: ["#005560", "#14808d"], posix_shm: ["#0f8794", "#3bb6c4"], memfd: ["#4fb0bb", "#77d2db"],
  shared_anonymous: ["#93d2d9", "#ace8ee"],
  jit: ["#cf3f84", "#ff7fb2"], hugetlb: ["#b5a679", "#ddd0a6"], device: ["#4d443a", "#8f8069"],
  vdso: ["#555a60", "#8b9299"], reserved: ["#868e96", "#79828b"], other: ["#9aa1a8", "#aab2ba"],
};

const dark = window.matchMedia("screen and (prefers-color-scheme: dark)");
const usageColour = (usage) => (PALETTE[data.usages[usage].key] || PALETTE.other)[dark.matches ? 1 : 0];
const PALE = 0.22, PICKED_PALE = 0.5; // the tint of what is mapped but not resident

// What the style sheet says, read again when the theme turns.
let ink = {};
function readTheme() {
  const style = getComputedStyle(document.documentElement);
  for (const name of ["paper", "ink", "muted", "line", "accent"]) ink[name] = style.getPropertyValue("--" + name).trim();
  patterns.clear();
  forgetOverview();
}

const patterns = new Map();
function pattern(name, colour, stamp) {
  const key = name + colour;
  if (!patterns.has(key)) {
    const tile = el("canvas", { width: 6, height: 6 }), ctx = tile.getContext("2d");
    ctx.fillStyle = ctx.strokeStyle = colour;
    stamp(ctx);
    patterns.set(key, ctx.createPattern(tile, "repeat"));
  }
  return patterns.get(key);
}

const hatch = () => pattern("hatch", ink.line, (ctx) => {
  ctx.lineWidth = 1.2;
  ctx.beginPath();
  for (const shift of [-6, 0, 6]) { ctx.moveTo(shift - 1, 7); ctx.lineTo(shift + 7, -1); }
  ctx.stroke();
});

const dots = (colour) => pattern("dots", colour, (ctx) => {
  ctx.globalAlpha = 0.35;
  ctx.fillRect(0, 0, 6, 6);
  ctx.globalAlpha = 1;
  ctx.fillRect(0, 0, 2, 2);
  ctx.fillRect(3, 3, 2, 2);
});

// ---- Layout ------------------------------------------------------------------------------------

for (const region of regions) region.reserved = region.protection.startsWith("---") || region.protection === "none";

// Regions and gaps in address order. What is neither listed as mapped nor as free says so.
function readPieces() {
  const listed = regions.map((region) => ({ kind: "region", region, start: region.start, size: region.size }))
    .concat(data.free.map(([start, size]) => ({ kind: "free", region: null, start, size })))
    // The kernel lists its vsyscall page too, far above all that a program can use: it is in the table only.
    .filter((piece) => piece.start < data.space.end)
    .sort((a, b) => a.start - b.start);
  const pieces = [];
  let reached = data.space.start;
  for (const piece of listed) {
    if (piece.start > reached) pieces.push(unlisted(reached, piece.start));
    pieces.push(piece);
    reached = Math.max(reached, piece.start + piece.size);
  }
  if (data.space.end > reached) pieces.push(unlisted(reached, data.space.end));
  return pieces;
}

const unlisted = (start, end) => ({ kind: "unlisted", region: null, start, size: end - start });
const isEmpty = (piece) => piece.kind !== "region" || piece.region.reserved;
const pieces = readPieces();

// The gaps and reservations that would drown the rest: all but the small ones, and of those no more
// than half of what is mapped. A 16 GiB reservation of a JavaScript engine is as empty as a gap.
function chooseFolds() {
  const mapped = pieces.reduce((sum, piece) => sum + (isEmpty(piece) ? 0 : piece.size), 0);
  const folds = new Set();
  let kept = 0;
  for (const piece of pieces.filter(isEmpty).sort((a, b) => a.size - b.size)) {
    if (piece.size <= mapped / 10 && kept + piece.size <= mapped / 2) kept += piece.size;
    else folds.add(piece);
  }
  return { folds: mapped ? folds : new Set(), mapped };
}

class Layout {
  constructor(folded) {
    const { folds, mapped } = folded ? chooseFolds() : { folds: new Set(), mapped: 0 };
    const smallest = Math.min(...[...folds].map((piece) => piece.size));
    const band = Math.min(mapped / 45, mapped / 2 / folds.size, smallest);
    this.folds = folds;
    this.places = new Float64Array(pieces.length + 1);
    pieces.forEach((piece, i) => {
      this.places[i + 1] = this.places[i] + (folds.has(piece) ? band : piece.size);
    });
    this.length = this.places[pieces.length] || 1;
  }

  width(i) { return this.places[i + 1] - this.places[i]; }
  pieceAt(place) { return lastAtOrBefore((i) => this.places[i], place); }
  address(place) { return this.carry(this.pieceAt(place), place, false); }
  place(address) { return this.carry(lastAtOrBefore((i) => pieces[i].start, address), address, true); }

  // Within a fold too, an address has a place: in proportion.
  carry(i, value, toPlace) {
    const piece = pieces[i];
    if (!piece || !piece.size) return 0;
    const share = clamp(toPlace ? (value - piece.start) / piece.size : (value - this.places[i]) / this.width(i), 0, 1);
    return toPlace ? this.places[i] + share * this.width(i) : piece.start + Math.floor(share * piece.size);
  }
}

function lastAtOrBefore(at, value) {
  let low = 0, high = pieces.length - 1;
  while (low < high) {
    const middle = (low + high + 1) >> 1;
    if (at(middle) <= value) low = middle; else high = middle - 1;
  }
  return low;
}

// What map.js sets and painting reads.
const layouts = { folded: new Layout(true), scale: new Layout(false) };
const picture = {
  layout: data.bits === 32 ? layouts.scale : layouts.folded,
  view: { from: 0, to: 0 }, // places
  usage: null,    // the usage that the legend picked out
  selected: null, // index of a piece
  range: null,    // first and last index of the pieces under a shift-drag
};

// ---- Painting ----------------------------------------------------------------------------------
// All in device pixels. A piece that is a pixel or wider is a rectangle; narrower ones are gathered per
// column of pixels into marks, painted last so that no neighbour hides them.

function fit(canvas, height) {
  const ratio = window.devicePixelRatio || 1, width = Math.round(canvas.clientWidth * ratio);
  if (canvas.width !== width) canvas.width = width;
  if (canvas.height !== Math.round(height * ratio)) canvas.height = Math.round(height * ratio);
  return { ctx: canvas.getContext("2d"), ratio, width };
}

const faded = (of) => (picture.usage !== null && of !== picture.usage ? 0.12 : 1);
const paleness = (of) => (of === picture.usage ? PICKED_PALE : PALE) * faded(of);

// One column: resident from the bottom, then what could not be read, what is not resident, what is free.
// Never lower than a quarter, or a library between gaps of its pixel would go unseen.
function paintColumn(ctx, of, x, width, box, { size, rss, unread, free = 0 }) {
  const colour = usageColour(of), total = size + free || 1;
  const height = box.height * Math.max(size / total, 0.25), bottom = box.top + box.height;
  const part = (bytes) => height * clamp(bytes / (size || 1), 0, 1);
  ctx.globalAlpha = paleness(of);
  ctx.fillStyle = colour;
  ctx.fillRect(x, bottom - height, width, height);
  ctx.globalAlpha = faded(of);
  if (rss) ctx.fillRect(x, bottom - part(rss), width, part(rss));
  if (unread) { ctx.fillStyle = dots(colour); ctx.fillRect(x, bottom - part(rss + unread), width, part(unread)); }
  ctx.globalAlpha = 1;
}

function paintOutline(ctx, of, x, width, box) {
  ctx.globalAlpha = faded(of);
  ctx.strokeStyle = usageColour(of);
  ctx.lineWidth = 1;
  ctx.strokeRect(x + 0.5, box.top + 0.5, Math.max(width - 1, 0), box.height - 1);
  ctx.globalAlpha = 1;
}

function paintPiece(ctx, piece, x, width, box) {
  const region = piece.region;
  if (piece.kind === "free") { ctx.fillStyle = hatch(); ctx.fillRect(x, box.top, width, box.height); }
  if (!region) return;
  if (region.reserved) paintOutline(ctx, region.usage, x, width, box);
  else paintColumn(ctx, region.usage, x, width > 3 ? width - 1 : width, box, sumOf(region)); // neighbours stay apart
}

const sumOf = ({ size, rss }) => ({ size, rss: rss ?? 0, unread: rss === null ? size : 0 });

// Small pieces of one column of pixels. Gaps count only when they too are small: a lone region between
// two large gaps is a mark of full height, a column that is half gaps is half high.
class Mark {
  constructor(x) { Object.assign(this, { x, free: 0, size: 0, rss: 0, unread: 0, byUsage: new Map() }); }

  add({ kind, region, size }) {
    if (kind !== "region") { this.free += size; return; }
    // A reservation weighs next to nothing: it names the column only when nothing real is there.
    this.byUsage.set(region.usage, (this.byUsage.get(region.usage) || 0) + (region.reserved ? size / 1e6 : size));
    if (region.reserved) return;
    this.size += size;
    if (region.rss === null) this.unread += size; else this.rss += region.rss;
  }

  // The usage of most bytes; the one picked in the legend shows wherever it has any.
  get usage() {
    if (this.byUsage.has(picture.usage)) return picture.usage;
    return [...this.byUsage].reduce((most, next) => (next[1] > most[1] ? next : most))[0];
  }

  paint(ctx, width, box) {
    if (!this.byUsage.size) return;
    ctx.fillStyle = ink.paper;
    ctx.fillRect(this.x, box.top, width, box.height);
    if (this.size) paintColumn(ctx, this.usage, this.x, width, box, this);
    else paintOutline(ctx, this.usage, this.x, width, box);
  }
}

function paintPieces(ctx, width, box, { from, to }, hair) {
  const { places } = picture.layout, scale = width / (to - from), marks = [];
  let mark = null;
  for (let i = picture.layout.pieceAt(from); i < pieces.length && places[i] < to; i += 1) {
    const x = (places[i] - from) * scale;
    const left = Math.max(Math.round(x), 0), right = Math.min(Math.round((places[i + 1] - from) * scale), width);
    if (right > left) { paintPiece(ctx, pieces[i], left, right - left, box); continue; }
    const column = clamp(Math.floor(x), 0, width - hair);
    if (mark?.x !== column) { mark = new Mark(column); marks.push(mark); }
    mark.add(pieces[i]);
  }
  for (const mark of marks) mark.paint(ctx, hair, box);
}

const strip = document.getElementById("strip"), overview = document.getElementById("overview");
const span = () => picture.view.to - picture.view.from;
const LANE = 18, BODY = 140, AXIS = 24; // label lane, columns, address axis of the strip

function paintStrip() {
  const { ctx, ratio, width } = fit(strip, LANE + BODY + AXIS);
  const box = { top: LANE * ratio, height: BODY * ratio };
  ctx.clearRect(0, 0, width, strip.height);
  ctx.font = `${11 * ratio}px system-ui, sans-serif`;
  paintPieces(ctx, width, box, picture.view, Math.max(1, Math.floor(ratio)));
  paintWords(ctx, ratio, width, box);
  paintAxis(ctx, ratio, width, box);
  if (picture.range) paintFrame(ctx, ...picture.range, width, box, true);
  if (picture.selected !== null) paintFrame(ctx, picture.selected, picture.selected, width, box, false);
}

// Names over wide regions, sizes within wide gaps and in every fold.
function paintWords(ctx, ratio, width, box) {
  const { places } = picture.layout, { from, to } = picture.view, scale = width / span();
  ctx.textBaseline = "middle";
  for (let i = picture.layout.pieceAt(from); i < pieces.length && places[i] < to; i += 1) {
    const left = Math.max((places[i] - from) * scale, 0), room = Math.min((places[i + 1] - from) * scale, width) - left;
    if (room < 11 * ratio) continue;
    if (isEmpty(pieces[i])) paintEmptyWords(ctx, ratio, pieces[i], left, room, box);
    else paintName(ctx, ratio, pieces[i].region, left, room);
  }
}

function paintName(ctx, ratio, region, left, room) {
  const name = region.name.split(/[/\\]/).pop() || region.note || usageLabel(region);
  const fits = Math.floor(room / ratio / 6);
  if (fits < 5) return;
  ctx.fillStyle = ink.muted;
  ctx.textAlign = "left";
  ctx.fillText(name.length > fits ? name.slice(0, fits - 1) + "…" : name, left + 2 * ratio, LANE / 2 * ratio, room - 3 * ratio);
}

function paintEmptyWords(ctx, ratio, piece, left, room, box) {
  const text = bytes(piece.size) + " " + emptyWord(piece), length = ctx.measureText(text).width;
  const upright = room < length + 12 * ratio;
  ctx.save();
  ctx.translate(left + room / 2, box.top + box.height / 2);
  if (upright) ctx.rotate(-Math.PI / 2);
  ctx.fillStyle = ink.paper;
  ctx.fillRect(-length / 2 - 3 * ratio, -5.5 * ratio, length + 6 * ratio, 11 * ratio);
  ctx.fillStyle = ink.ink;
  ctx.textAlign = "center";
  ctx.fillText(text, 0, 0.5 * ratio);
  ctx.restore();
}

const emptyWord = (piece) => ({ region: "reserved", free: "free", unlisted: "not listed" })[piece.kind];

function paintFrame(ctx, first, last, width, box, tinted) {
  const { places } = picture.layout, { from } = picture.view, scale = width / span();
  const left = (places[first] - from) * scale, right = (places[last + 1] - from) * scale;
  if (right < 0 || left > width) return;
  ctx.fillStyle = ctx.strokeStyle = ink.accent;
  ctx.globalAlpha = 0.18;
  if (tinted) ctx.fillRect(left, box.top, right - left, box.height);
  ctx.globalAlpha = 1;
  ctx.lineWidth = 2;
  ctx.strokeRect(left - 1, box.top - 1, Math.max(right - left, 1) + 2, box.height + 2);
}

// A label where a piece starts if one starts nearby, else at the next round address.
function paintAxis(ctx, ratio, width, box) {
  const slot = 130 * ratio, near = 60 * ratio, scale = width / span(), y = box.top + box.height;
  let taken = -1;
  ctx.textAlign = "left";
  ctx.fillStyle = ink.muted;
  ctx.font = `${11 * ratio}px ui-monospace, monospace`;
  for (let x = 0; x < width; x += slot / 2) {
    const address = tickAddress(picture.view.from + x / scale, near / scale), length = ctx.measureText(hex(address)).width;
    const at = Math.max(0, Math.round((picture.layout.place(address) - picture.view.from) * scale));
    if (at <= taken || at + length > width) continue;
    ctx.fillRect(at, y, Math.max(1, Math.floor(ratio)), 6 * ratio);
    ctx.fillText(hex(address), at, y + 15 * ratio);
    taken = at + Math.max(length + 12 * ratio, slot);
  }
}

function tickAddress(place, near) {
  const { layout } = picture, here = layout.pieceAt(place), next = here + 1;
  if (layout.places[here] === place) return pieces[here].start;
  if (next < pieces.length && layout.places[next] - place < near) return pieces[next].start;
  const address = layout.address(place), reach = near * pieces[here].size / layout.width(here);
  const step = 2 ** Math.floor(Math.log2(Math.max(reach, 1)));
  return Math.ceil(address / step) * step;
}

// The overview changes only with size, theme, mode and highlight: it is painted once and copied.
let backdrop = null;
function forgetOverview() { backdrop = null; }

function paintOverview() {
  const { ctx, ratio, width } = fit(overview, 30);
  if (!backdrop || backdrop.width !== width) {
    backdrop = el("canvas", { width, height: overview.height });
    paintPieces(backdrop.getContext("2d"), width, { top: 0, height: overview.height }, { from: 0, to: picture.layout.length }, 1);
  }
  ctx.clearRect(0, 0, width, overview.height);
  if (width) ctx.drawImage(backdrop, 0, 0);
  paintViewport(ctx, ratio, width);
}

function paintViewport(ctx, ratio, width) {
  const scale = width / picture.layout.length, left = picture.view.from * scale;
  const right = Math.max(picture.view.to * scale, left + 5 * ratio);
  ctx.fillStyle = ink.paper;
  ctx.globalAlpha = 0.6;
  ctx.fillRect(0, 0, left, overview.height);
  ctx.fillRect(right, 0, width - right, overview.height);
  ctx.globalAlpha = 1;
  ctx.strokeStyle = ink.accent;
  ctx.lineWidth = 2 * ratio;
  ctx.strokeRect(left + ratio, ratio, right - left - 2 * ratio, overview.height - 2 * ratio);
}

function paint() { paintStrip(); paintOverview(); }

readTheme();
dark.addEventListener("change", readTheme);
window.residue.picture = Object.assign(picture,
  { layouts, pieces, dark, clamp, usageColour, forgetOverview, paint, strip, overview });
})();
