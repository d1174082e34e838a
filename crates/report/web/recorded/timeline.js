// Bytes over time, and the part of it that is chosen: by dragging, or by the two ends, which the keyboard moves.
(() => {
"use strict";

const { bytes, el, hear } = window.residue;
const { data, chosen, choose, slotCount, slotSeconds, timeAt, many, seconds, change, svg } = window.recording;
const place = document.getElementById("timeline");
const HEIGHT = 210, LEFT = 74, RIGHT = 12, TOP = 14, BOTTOM = 26;

if (data.totals.length < 2) {
  place.append(el("p", null, "It was too short for a picture: everything is in one slot of time."));
  return;
}

const [live, most, allocated, , rss] = [0, 1, 2, 3, 4].map((column) => data.totals.map((total) => total[column]));
const hasRss = rss.some((bytes) => bytes !== null);
let showsRss = hasRss && Math.max(...rss) < 20 * Math.max(...most, 1);
let width = 0;

const end = data.recorded || data.totals.length * data.slot;
const timeOf = (index) => Math.min((index + 1) * data.slot, end);
const x = (time) => LEFT + ((width - LEFT - RIGHT) * time) / end;
const atPixel = (pixel) => Math.max(0, Math.min(end, ((pixel - LEFT) * end) / (width - LEFT - RIGHT)));

// A number at least as large that is easily read, in binary units.
function ceiling(value) {
  const unit = 1024 ** Math.max(0, Math.floor(Math.log2(Math.max(value, 1)) / 10));
  for (const step of [1, 2, 4, 5, 8, 10, 16, 20, 32, 40, 50, 64, 80, 100, 128, 200, 256, 400, 512, 800, 1024])
    if (step * unit >= value) return step * unit;
  return value;
}
function timeSteps() {
  const rough = end / Math.max(2, Math.min(8, (width - LEFT) / 110));
  const unit = 10 ** Math.floor(Math.log10(rough));
  const step = [1, 2, 5, 10].map((n) => n * unit).find((n) => n >= rough);
  return Array.from({ length: Math.floor(end / step) + 1 }, (_, n) => n * step);
}

const picture = svg("svg", { role: "img", height: HEIGHT, "aria-label": "Live bytes over time" });
const shade = svg("rect", { class: "window", y: TOP, height: HEIGHT - TOP - BOTTOM });
const pointer = svg("line", { class: "pointer", y1: TOP, y2: HEIGHT - BOTTOM });
const readout = el("p", { className: "readout" });
const words = el("span", { id: "window-words", role: "status" });
const whole = el("button", { type: "button", id: "window-whole", onclick: () => choose("window", null) }, "Whole time");
const rssButton = el("button", { type: "button", hidden: !hasRss, className: "rss-key",
  onclick: () => { showsRss = !showsRss; draw(); } }, "RSS");
const ends = [0, 1].map((side) => el("div", { className: "end", tabIndex: 0, role: "slider",
  aria: { label: side ? "End of the window" : "Start of the window", valuemin: 0, valuemax: slotCount } }));
const stage = el("div", { className: "stage" }, picture, ...ends);
place.append(el("div", { className: "bar" }, words, whole, rssButton), stage, readout);

function line(values, y) {
  let path = "";
  values.forEach((value, index) => {
    if (value === null) return;
    path += (path ? "L" : "M") + x(timeOf(index)).toFixed(1) + " " + y(value).toFixed(1);
  });
  return path;
}

function draw() {
  width = Math.max(280, place.clientWidth);
  const top = ceiling(Math.max(...most, ...(showsRss ? rss : [0]), 1));
  const y = (value) => TOP + (HEIGHT - TOP - BOTTOM) * (1 - value / top);
  picture.setAttribute("width", width);
  picture.replaceChildren();
  for (const part of [0, 0.5, 1]) {
    picture.append(svg("line", { class: "grid", x1: LEFT, x2: width - RIGHT, y1: y(part * top), y2: y(part * top) }),
      svg("text", { x: LEFT - 8, y: y(part * top) + 4, "text-anchor": "end" }, bytes(part * top)));
  }
  for (const time of timeSteps())
    picture.append(svg("text", { x: x(time), y: HEIGHT - 8, "text-anchor": time ? "middle" : "start" }, seconds(time)));
  const base = "L" + x(timeOf(live.length - 1)).toFixed(1) + " " + y(0) + "L" + x(0) + " " + y(0) + "Z";
  const start = "M" + x(0) + " " + y(0) + "L";
  picture.append(svg("path", { class: "most", d: start + line(most, y).slice(1) }));
  picture.append(svg("path", { class: "live", d: start + line(live, y).slice(1) + base }));
  if (showsRss) picture.append(svg("path", { class: "rss", d: line(rss, y) }));
  const peakX = x(Math.min(data.peak_at, end)), isRight = peakX > width * 0.7;
  picture.append(svg("circle", { class: "peak", cx: peakX, cy: y(data.peak), r: 3 }),
    svg("text", { class: "peak", x: peakX + (isRight ? -7 : 7), y: Math.max(TOP + 10, y(data.peak) - 5),
      "text-anchor": isRight ? "end" : "start" }, "peak " + bytes(data.peak)));
  picture.append(shade, pointer);
  rssButton.setAttribute("aria-pressed", showsRss);
  mark();
}

function mark() {
  const [from, to] = chosen.window || [0, slotCount];
  const [left, right] = [x(timeAt(from)), x(to === slotCount ? end : timeAt(to))];
  shade.setAttribute("x", left);
  shade.setAttribute("width", Math.max(1, right - left));
  shade.classList.toggle("whole", !chosen.window);
  ends.forEach((handle, side) => {
    handle.style.left = (side ? right : left) + "px";
    handle.setAttribute("aria-valuenow", side ? to : from);
    handle.setAttribute("aria-valuetext", seconds(side && to === slotCount ? end : timeAt(side ? to : from)));
  });
  whole.hidden = !chosen.window;
  words.textContent = chosen.window ? windowWords(from, to)
    : "Whole time, " + seconds(end) + ". Drag over a part of it to look only there.";
}

// What the whole program did in the window.
function windowWords(from, to) {
  const [first, behind] = [from * data.step, Math.min(to * data.step, live.length)];
  const before = first ? live[first - 1] : 0, after = live[behind - 1];
  const asked = allocated.slice(first, behind).reduce((sum, more) => sum + more, 0);
  const until = to === slotCount ? end : timeAt(to);
  return seconds(timeAt(from)) + " … " + seconds(until) + ": " + change(after - before) + " growth, "
    + bytes(asked) + " allocated, " + bytes(after) + " stood at its end";
}

const slotAt = (event) => {
  const time = atPixel(event.clientX - picture.getBoundingClientRect().left);
  return Math.min(slotCount - 1, Math.floor(time / slotSeconds));
};

let anchor = null, moved = false, waiting = false;
function drag(event) {
  const slot = slotAt(event);
  if (anchor === null) return look(event);
  moved ||= slot !== anchor;
  if (!moved || waiting) return;
  // The sums of all paths are made anew: not more often than they are painted.
  waiting = true;
  requestAnimationFrame(() => {
    waiting = false;
    if (anchor !== null) choose("window", [Math.min(anchor, slot), Math.max(anchor, slot) + 1]);
  });
}
function look(event) {
  const slot = Math.min(live.length - 1, Math.floor(atPixel(event.clientX - picture.getBoundingClientRect().left) / data.slot));
  const at = x(timeOf(slot));
  pointer.setAttribute("x1", at);
  pointer.setAttribute("x2", at);
  pointer.classList.add("shown");
  readout.textContent = "at " + seconds(timeOf(slot)) + ": " + bytes(live[slot]) + " live, "
    + (rss[slot] === null ? "" : bytes(rss[slot]) + " RSS, ") + bytes(allocated[slot]) + " allocated in this slot";
}
const release = (event) => {
  if (anchor !== null && moved) choose("window", [Math.min(anchor, slotAt(event)), Math.max(anchor, slotAt(event)) + 1]);
  anchor = null;
};
picture.addEventListener("pointerdown", (event) => {
  if (event.button !== 0) return;
  [anchor, moved] = [slotAt(event), false];
  picture.setPointerCapture(event.pointerId);
});
picture.addEventListener("pointermove", drag);
picture.addEventListener("pointerup", release);
picture.addEventListener("pointercancel", () => { anchor = null; });
picture.addEventListener("pointerleave", () => { pointer.classList.remove("shown"); readout.textContent = hint; });
const hint = many(slotCount, "slot") + " of " + seconds(slotSeconds) + ". The ends of the window move by the arrow keys too.";
readout.textContent = hint;

ends.forEach((handle, side) => handle.addEventListener("keydown", (event) => {
  const far = Math.max(1, Math.round(slotCount / 10));
  const steps = { ArrowLeft: -1, ArrowDown: -1, ArrowRight: 1, ArrowUp: 1, PageDown: -far, PageUp: far,
    Home: -slotCount, End: slotCount }[event.key];
  if (event.key === "Escape") choose("window", null);
  if (steps === undefined) return;
  event.preventDefault();
  const window = [...(chosen.window || [0, slotCount])];
  window[side] = side ? Math.max(window[0] + 1, Math.min(slotCount, window[1] + steps))
    : Math.min(window[1] - 1, Math.max(0, window[0] + steps));
  choose("window", window);
}));

// A handle may also be taken by the pointer.
ends.forEach((handle, side) => {
  handle.addEventListener("pointerdown", (event) => { handle.setPointerCapture(event.pointerId); event.preventDefault(); handle.focus(); });
  handle.addEventListener("pointermove", (event) => {
    if (!handle.hasPointerCapture(event.pointerId)) return;
    const window = [...(chosen.window || [0, slotCount])], slot = slotAt(event);
    window[side] = side ? Math.max(window[0] + 1, slot + 1) : Math.min(window[1] - 1, slot);
    choose("window", window);
  });
});

hear("chosen", ({ what }) => { if (what === "window") mark(); });
new ResizeObserver(() => { if (place.clientWidth !== width) draw(); }).observe(place);
draw();
})();
