// Zooms by a click, searches, and takes the window's width. The picture stands without it.
(() => {
"use strict";

const svg = document.documentElement;
if (svg.localName !== "svg") return; // put into a page of somebody else's
const XHTML = "http://www.w3.org/1999/xhtml", SVG = "http://www.w3.org/2000/svg";
const LETTER = 7.25, MARGIN = 6, GAP = 0.6, LEAST_LETTERS = 3;
const height = svg.height.baseVal.value, all = Number(svg.dataset.total);
const frames = [...document.querySelectorAll("#frames > g")].map((g) => ({
  g, rect: g.querySelector("rect"), text: g.querySelector("text"), title: g.querySelector("title").textContent,
  name: g.dataset.name, at: Number(g.dataset.at), of: Number(g.dataset.of),
}));
const told = document.getElementById("told"), head = document.getElementById("head");
let width = 0, wanted = "";
let view = { at: 0, of: all };

// ---- Drawing -----------------------------------------------------------------------------------

const cells = (letter) => (letter.codePointAt(0) < 0x1100 ? 1 : 2);
function cut(name, pixels) {
  const room = Math.floor((pixels - MARGIN) / LETTER);
  let taken = 0, kept = "";
  for (const letter of name) {
    taken += cells(letter);
    if (taken > room) return room < LEAST_LETTERS ? "" : [...kept].slice(0, -1).join("") + "…";
    kept += letter;
  }
  return kept;
}

function draw() {
  const scale = width / view.of;
  for (const frame of frames) {
    const start = Math.max(frame.at, view.at), end = Math.min(frame.at + frame.of, view.at + view.of);
    frame.g.style.display = end > start ? "" : "none";
    if (end <= start) continue;
    const x = (start - view.at) * scale, pixels = (end - start) * scale;
    frame.rect.setAttribute("x", x);
    frame.rect.setAttribute("width", pixels > 4 * GAP ? pixels - GAP : pixels);
    frame.text.setAttribute("x", x + MARGIN / 2);
    frame.text.textContent = cut(frame.name, pixels);
    frame.g.classList.toggle("caller", frame.of > view.of);
  }
}

function fit() {
  if (innerWidth === width) return;
  width = Math.max(innerWidth, 300);
  svg.setAttribute("width", width);
  svg.setAttribute("viewBox", "0 0 " + width + " " + height);
  bar.setAttribute("x", Math.max(width - 420, 0));
  draw();
}

function zoom(to) { view = to; draw(); }

// The head stays in sight while the picture is scrolled.
function follow() { head.setAttribute("transform", "translate(0 " + scrollY + ")"); }

// ---- Search ------------------------------------------------------------------------------------

// A match within a match weighs nothing more.
function look() {
  wanted = input.value.trim().toLowerCase();
  document.getElementById("frames").classList.toggle("searching", wanted !== "");
  let sum = 0, covered = [];
  for (const frame of frames) {
    const fits = wanted !== "" && frame.title.toLowerCase().includes(wanted);
    frame.g.classList.toggle("match", fits);
    if (fits) covered.push(frame);
  }
  covered.sort((a, b) => a.at - b.at || b.of - a.of);
  let end = 0;
  for (const frame of covered) {
    const more = frame.at + frame.of - Math.max(frame.at, end);
    if (more > 0) { sum += more; end = frame.at + frame.of; }
  }
  const share = 100 * sum / all;
  found.textContent = wanted === "" ? "" : sum === 0 ? "not found" : share.toFixed(share < 10 ? 1 : 0) + " % goes through it";
}

function reset() { input.value = ""; look(); zoom({ at: 0, of: all }); }

// ---- Steering ----------------------------------------------------------------------------------

const make = (name, properties) => Object.assign(document.createElementNS(XHTML, name), properties);
const bar = document.createElementNS(SVG, "foreignObject");
const found = make("span"), input = make("input", { type: "search", placeholder: "Search (Ctrl-F)", oninput: look });
found.setAttribute("role", "status");
input.setAttribute("aria-label", "Search functions, files, modules");
const box = make("div", { className: "bar" });
box.append(found, input, make("button", { type: "button", textContent: "Reset", onclick: reset }));
bar.append(box);
for (const [key, value] of Object.entries({ y: 6, width: 410, height: 30 })) bar.setAttribute(key, value);
head.append(bar);

const frameOf = (event) => frames.find((frame) => frame.g === event.target.closest("#frames > g"));
addEventListener("click", (event) => { const frame = frameOf(event); if (frame) zoom(frame); });
addEventListener("mouseover", (event) => {
  const frame = frameOf(event);
  told.textContent = frame ? frame.title.split("\n").join("   ") : "";
});
addEventListener("keydown", (event) => {
  // Asked a second time, the browser's own search is wanted.
  if ((event.ctrlKey || event.metaKey) && event.key === "f" && document.activeElement !== input) {
    event.preventDefault();
    input.focus();
  }
  if (event.key === "Escape") reset();
});
addEventListener("resize", fit);
addEventListener("scroll", follow);
if (all > 0) fit();
scrollTo(0, height); // the root is at the bottom
})();
