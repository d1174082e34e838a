// The tree of calls by what it weighs: a flame graph, or an icicle. Only what is wide enough to be seen is drawn.
(() => {
"use strict";

const { bytes, el, hear } = window.residue;
const { nodes, tracks, sites, chosen, choose, isShown, isKnown, MEASURES, weight, count, many, percent, title,
  choice } = window.recording;
const place = document.getElementById("flame");
const ROW = 20, LEAST_PX = 2.5, LABEL_PX = 28;

let upward = true;
let root = 0;             // what is drawn as wide as the page
let total = new Float64Array(nodes.length), own = total, shrunk = 0;
let wanted = "";          // what is searched
let current = 0;          // where the keyboard is
let cells = new Map();

const measures = choice("Weighed by", Object.entries(MEASURES).map(([key, { label }]) => [key, label]),
  (key) => choose("measure", key));
const kinds = choice("From whom", [["false", "Allocators"], ["true", "mmap and brk"]],
  (value) => choose("mapped", value === "true"));
kinds.hidden = !sites.some((site) => site.kind !== "heap");
const ways = choice("Drawn as", [["flame", "Flame"], ["icicle", "Icicle"]], (way) => { upward = way === "flame"; draw(); });
const search = el("input", { type: "search", placeholder: "function, file, module", spellcheck: false,
  oninput: () => { wanted = search.value.trim().toLowerCase(); draw(); tell(); } });
const found = el("span", { className: "found", role: "status" });
const out = el("button", { type: "button", id: "flame-out", onclick: () => zoom(0) }, "All");
const only = el("button", { type: "button", id: "flame-sites", onclick: () => choose("focus", root) }, "Only its sites below");
const details = el("p", { id: "flame-line", role: "status" });
const stage = el("div", { className: "cells", role: "tree", aria: { label: "Calls, by what they weigh" } });
const frame = el("div", { className: "flame" }, stage);
place.append(el("div", { className: "bar" }, measures, kinds, ways), el("div", { className: "bar" },
  el("label", null, "Search ", search), found, out, only), details, frame);

// ---- Weights -----------------------------------------------------------------------------------

function weigh() {
  own = new Float64Array(nodes.length);
  shrunk = 0;
  for (const track of tracks) {
    if (!isShown(sites[track.site])) continue;
    const more = weight(track, chosen.measure);
    if (more < 0) shrunk += more; else own[track.node] += more;
  }
  total = own.slice();
  for (let index = nodes.length - 1; index > 0; index -= 1) total[nodes[index].parent] += total[index];
  for (const { children } of nodes) if (children.length > 1) children.sort((a, b) => total[b] - total[a] || a - b);
}

const amount = (value) => (MEASURES[chosen.measure].unit === "bytes"
  ? bytes(value) + (value >= 1024 ? " (" + count(value) + " B)" : "") : many(value, "block"));
const nameOf = (node) => (node.index === 0 ? "all" : node.frame ? node.frame.label : "a call path that nobody knows");

function hue(text) {
  let sum = 7;
  for (const letter of text) sum = (sum * 31 + letter.codePointAt(0)) % 997;
  return (sum * 137) % 360;
}
// A module has a colour, its functions are shades of it.
function colour(cell, frame) {
  cell.style.setProperty("--hue", hue((frame && frame.module) || ""));
  cell.style.setProperty("--tint", (hue((frame && frame.label) || "") % 7) - 3 + "%");
}
const matches = (node) => wanted !== "" && node.frame !== null
  && [node.frame.name, node.frame.label, node.frame.path, node.frame.module]
    .some((text) => text !== null && text.toLowerCase().includes(wanted));

// ---- Drawing -----------------------------------------------------------------------------------

// The nodes to draw: those that lead to the root of the picture as wide as it, then what is below it.
function layout() {
  const rows = [];
  for (let at = root; at !== 0; at = nodes[at].parent) rows.push([nodes[nodes[at].parent], 0, 1]);
  rows.reverse();
  const least = LEAST_PX / Math.max(1, stage.clientWidth);
  const left = [[nodes[root], 0, 1]];
  while (left.length) {
    const [node, start, share] = left.pop();
    rows.push([node, start, share]);
    let at = start;
    for (const child of node.children) {
      const part = total[root] ? total[child] / total[root] : 0;
      if (part < least) break;
      left.push([nodes[child], at, part]);
      at += part;
    }
  }
  return rows;
}

function draw() {
  const rows = layout();
  const depth = Math.max(...rows.map(([node]) => node.level)) + 1;
  stage.style.height = depth * ROW + "px";
  cells = new Map();
  const width = stage.clientWidth;
  const list = rows.map(([node, start, share]) => {
    const level = upward ? depth - 1 - node.level : node.level;
    const cell = el("div", { className: "cell", tabIndex: -1, role: "treeitem", data: { node: node.index },
      aria: { level: node.level + 1, label: nameOf(node) + ", " + amount(total[node.index]) } },
    share * width >= LABEL_PX ? nameOf(node) : "");
    cell.style.cssText = "left:" + (100 * start).toFixed(4) + "%;width:" + (100 * share).toFixed(4) + "%;top:" + level * ROW + "px";
    if (node.index) colour(cell, node.frame);
    cell.classList.toggle("root", node.index === 0);
    cell.classList.toggle("above", node.level < nodes[root].level);
    cell.classList.toggle("match", matches(node));
    cells.set(node.index, cell);
    return cell;
  });
  stage.classList.toggle("searching", wanted !== "");
  stage.replaceChildren(...list);
  if (!cells.has(current)) current = root;
  cells.get(current).tabIndex = 0;
  if (upward) frame.scrollTop = frame.scrollHeight;
  measures.press(chosen.measure);
  for (const button of measures.children) {
    const measure = MEASURES[button.dataset.value];
    button.hidden = Boolean(measure.windowOnly && !chosen.window);
    button.disabled = !isKnown(button.dataset.value);
    button.title = button.disabled ? "Only counted for the whole time" : "";
    button.textContent = (chosen.window && measure.inWindow) || measure.label;
  }
  kinds.press(chosen.mapped);
  ways.press(upward ? "flame" : "icicle");
  out.hidden = only.hidden = root === 0;
}

// ---- What is said of a function ----------------------------------------------------------------

function say(index) {
  const node = nodes[index], { says } = MEASURES[chosen.measure];
  const text = el("b", null, node.frame ? title(node.frame) : nameOf(node));
  const parts = [" " + amount(total[index]) + " " + (chosen.window && chosen.measure === "live" ? "stood at the window's end" : says)
    + (chosen.window && chosen.measure === "allocated" ? " in the window" : "")];
  if (index !== 0) parts.push(percent(total[index], total[0]) + " of all");
  if (index !== 0 && own[index] !== total[index]) parts.push((MEASURES[chosen.measure].unit === "bytes"
    ? bytes(own[index]) : count(own[index])) + " of it by itself");
  if (node.frame && node.frame.module) parts.push("in " + node.frame.module);
  if (index === 0 && shrunk < 0) parts.push("what shrank is not drawn: " + bytes(shrunk));
  details.replaceChildren(text, parts.join(" · "));
}

// What of it all goes through functions that fit; a call within such a call counts once.
function tell() {
  if (wanted === "") { found.textContent = ""; return; }
  let sum = 0, number = 0;
  const inside = new Uint8Array(nodes.length);
  for (const node of nodes) {
    const fits = matches(node);
    inside[node.index] = fits || (node.index && inside[node.parent]) ? 1 : 0;
    if (fits && total[node.index] > 0) number += 1;
    if (fits && !inside[node.parent]) sum += total[node.index];
  }
  found.textContent = number ? percent(sum, total[0]) + " goes through it" : "not found here";
}

// ---- Steering ----------------------------------------------------------------------------------

function zoom(index) {
  root = index;
  current = index;
  draw();
  say(index);
  if (stage.contains(document.activeElement) || document.activeElement === document.body) focus(index);
}
function focus(index) {
  const before = cells.get(current), cell = cells.get(index);
  if (!cell) return;
  if (before) before.tabIndex = -1;
  current = index;
  cell.tabIndex = 0;
  cell.focus({ preventScroll: true });
  cell.scrollIntoView({ block: "nearest" });
  say(index);
}

// The neighbour in the same row.
function beside(index, step) {
  const { level } = nodes[index];
  const row = [...cells.keys()].filter((other) => nodes[other].level === level)
    .sort((a, b) => parseFloat(cells.get(a).style.left) - parseFloat(cells.get(b).style.left));
  return row[row.indexOf(index) + step];
}

stage.addEventListener("keydown", (event) => {
  const inward = nodes[current].children.find((child) => cells.has(child)), { parent } = nodes[current];
  const moves = { ArrowUp: upward ? inward : parent, ArrowDown: upward ? parent : inward,
    ArrowLeft: beside(current, -1), ArrowRight: beside(current, 1), Home: 0 };
  if (event.key in moves) { event.preventDefault(); if (moves[event.key] !== undefined) focus(moves[event.key]); }
  if (event.key === "Enter" || event.key === " ") { event.preventDefault(); zoom(current); cells.get(current).focus(); }
  if (event.key === "Escape") { zoom(nodes[root].parent); cells.get(current).focus(); }
});
const cellOf = (event) => event.target.closest(".cell");
stage.addEventListener("click", (event) => { const cell = cellOf(event); if (cell) zoom(Number(cell.dataset.node)); });
stage.addEventListener("mouseover", (event) => { const cell = cellOf(event); if (cell) say(Number(cell.dataset.node)); });
stage.addEventListener("mouseleave", () => say(current));
stage.addEventListener("focusin", (event) => { const cell = cellOf(event); if (cell) say(Number(cell.dataset.node)); });

hear("chosen", ({ what }) => {
  if (what === "focus") return;
  weigh();
  if (total[root] === 0) root = 0;
  draw();
  say(root);
  tell();
});
let width = 0;
new ResizeObserver(() => { if (stage.clientWidth !== width) { width = stage.clientWidth; draw(); } }).observe(frame);
weigh();
draw();
say(0);
})();
