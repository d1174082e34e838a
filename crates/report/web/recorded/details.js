// All that is known of one site: its numbers, its time, its call paths with their lines, the sizes and lives of its blocks.
(() => {
"use strict";

const { bytes, el } = window.residue;
const { chosen, data, stack, history, timeAt, count, many, seconds, percent, slotCount, svg } = window.recording;
const PATHS = 8;

// A small picture of bytes over time.
function sparkline(site, width, height, label) {
  const held = (site.held ??= history(site.tracks)), most = Math.max(...held, 1);
  const x = (slot) => ((slot + 1) * width) / slotCount, y = (value) => height - 1 - ((height - 2) * value) / most;
  let path = "M0 " + height;
  held.forEach((value, slot) => { path += "L" + x(slot).toFixed(1) + " " + y(value).toFixed(1); });
  const picture = svg("svg", { class: "spark", viewBox: "0 0 " + width + " " + height, preserveAspectRatio: "none",
    role: "img", "aria-label": label }, svg("path", { d: path + "L" + width + " " + height + "Z" }));
  return picture;
}

function facts(site) {
  const heap = site.kind === "heap";
  const rows = [
    ["not freed at the end", bytes(site.live) + " in " + many(site.blocks, "block") + (site.young ? ", all young" : "")],
    site.lost && ["lost at the end", bytes(site.lost[1]) + " in " + many(site.lost[0], "block")],
    ["the most at once", bytes(site.peak) + " at " + seconds(site.peak_at)],
    ["when the program held most", bytes(site.at_peak)],
    ["allocated", bytes(site.allocated) + " in " + many(site.allocations, "allocation") + ", " + count(site.frees) + " freed"],
    site.reallocations && ["by realloc", count(site.reallocations) + " of them"],
    heap && ["temporary", count(site.temporary) + ", " + percent(site.temporary, site.allocations) + " freed by the next call"],
    site.short && ["short-lived", count(site.short) + " freed within " + seconds(data.short_lived_below)],
    heap && site.usable > site.allocated && ["given beyond what was asked for", bytes(site.usable - site.allocated)],
    ["sizes", site.smallest === site.largest ? bytes(site.smallest) : bytes(site.smallest) + " … " + bytes(site.largest)],
    site.threads && ["threads", count(site.threads)],
    site.note && ["estimate", site.note],
  ];
  const list = el("dl", { className: "facts" });
  for (const row of rows) if (row) list.append(el("dt", null, row[0]), el("dd", null, row[1]));
  return list;
}

// What an entry counts: 0 zeros, n what is at least 2^(n-1) and less than 2^n.
function histogram(name, counts, unit) {
  const first = counts.findIndex((number) => number > 0);
  if (first < 0) return "";
  const most = Math.max(...counts), sum = counts.reduce((all, more) => all + more, 0);
  const body = el("tbody");
  for (let entry = first; entry < counts.length; entry += 1) {
    const span = entry === 0 ? unit(0) : unit(2 ** (entry - 1)) + " … " + unit(2 ** entry);
    const bar = el("i", { className: "bar" });
    bar.style.width = (100 * counts[entry]) / most + "%";
    body.append(el("tr", null, el("th", { scope: "row" }, span), el("td", { className: "number" }, count(counts[entry])),
      el("td", { className: "number" }, percent(counts[entry], sum)), el("td", { className: "bars" }, bar)));
  }
  return el("div", { className: "histogram" }, el("h4", null, name), el("table", null, body));
}

function source(frame) {
  if (!hasSource(frame)) return "";
  const excerpt = data.sources[frame.file];
  const text = el("pre", { className: "source" });
  for (let line = frame.line - 4; line <= frame.line + 4; line += 1) {
    if (!(line in excerpt.lines)) continue;
    text.append(el("span", { className: line === frame.line ? "line here" : "line" },
      el("i", null, String(line).padStart(5)), " " + excerpt.lines[line]), "\n");
  }
  const note = excerpt.newer
    ? el("p", { className: "note" }, "The file was written after the recording began: its lines may be others by now.") : "";
  return el("div", null, note, text);
}

const hasSource = (frame) => frame.file !== null && frame.line !== null && frame.line in (data.sources[frame.file]?.lines || {});

function frameRow(frame, isOpen) {
  const where = frame.path === null ? "" : frame.path + (frame.line === null ? "" : ":" + frame.line);
  const lines = source(frame);
  const head = [el("code", null, frame.name ?? frame.label), frame.inlined ? el("span", { className: "inlined" }, "inlined") : "",
    el("small", null, [where || (frame.name === null ? "" : frame.place), frame.module].filter(Boolean).join(" · "))];
  return el("li", null, lines ? el("details", { open: isOpen }, el("summary", null, ...head), lines) : el("div", null, ...head));
}

function paths(site) {
  const box = el("div", { className: "paths" });
  site.tracks.slice(0, PATHS).forEach((track, index) => {
    const [live, , allocated] = track.weights;
    const frames = stack(track.path);
    const first = index === 0 ? frames.findIndex(hasSource) : -1;
    const list = el("ol", null, ...frames.map((frame, at) => frameRow(frame, at === first)));
    const head = (site.tracks.length > 1 ? "Call path " + (index + 1) + " of " + count(site.tracks.length) : "Call path")
      + ": " + bytes(live) + " not freed, " + bytes(allocated) + " allocated";
    box.append(el("details", { open: index === 0, className: "path" }, el("summary", null, head),
      frames.length ? list : el("p", null, "Nobody knows this path.")));
  });
  if (site.tracks.length > PATHS) box.append(el("p", null, "and " + many(site.tracks.length - PATHS, "path") + " that hold less"));
  return box;
}

function details(site) {
  const over = el("figure", null, sparkline(site, 560, 70, "Bytes over time"),
    el("figcaption", null, el("span", null, "0 s"), el("span", null, site.growth), el("span", null, seconds(timeAt(slotCount)))));
  const note = chosen.window ? el("p", { className: "note" }, "What follows is of the whole time.") : "";
  return el("div", { className: "details" }, note, over,
    el("div", { className: "columns" }, facts(site), histogram("Sizes", site.sizes, bytes),
      histogram("Lifetimes of freed blocks", site.lifetimes, (micros) => seconds(micros / 1e6))),
    paths(site));
}

Object.assign(window.recording, { details, sparkline });
})();
