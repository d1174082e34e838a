// The plots of the triage page: the footprint over time, and what each class of memory added to it.
// Everything that these plots say the page also says in words; this file only draws.
//
// Inlined after uPlot and table.js.
(() => {
"use strict";

const { data, bytes, el } = window.residue;
const dark = window.matchMedia("screen and (prefers-color-scheme: dark)");
const css = (name) => getComputedStyle(document.documentElement).getPropertyValue("--" + name).trim();

// Eight hues that stay apart for colour-blind readers, after Okabe and Ito; then the same again, dashed.
const HUES = [["#0072b2", "#56a8e8"], ["#d55e00", "#f08a3c"], ["#009e73", "#35c79c"], ["#cc79a7", "#e09cc2"],
  ["#8a6d00", "#e6c229"], ["#56b4e9", "#9ad4f5"], ["#6b4fa0", "#b39ddb"], ["#666666", "#a8a8a8"]];
const hue = (i) => HUES[i % HUES.length][dark.matches ? 1 : 0];
const DASH = [6, 4];

const BYTE_STEPS = Array.from({ length: 60 }, (_, power) => 2 ** power);
const TIME_STEPS = [0.001, 0.01, 0.05, 0.1, 0.2, 0.5, 1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1200, 1800, 3600, 7200,
  14400, 21600, 43200, 86400, 172800, 604800];

const signed = (count) => (count > 0 ? "+" : "") + bytes(count);
const short = (text) => text.replace(".0 ", " ");

// A time as it is said: seconds up to two minutes, then minutes, then hours.
function elapsed(seconds) {
  if (seconds === null) return "-";
  if (Math.abs(seconds) < 120) return Number(seconds.toFixed(2)) + " s";
  const minutes = Math.floor(seconds / 60), rest = Math.round(seconds % 60);
  if (minutes < 120) return minutes + " min" + (rest ? " " + rest + " s" : "");
  return Math.floor(minutes / 60) + " h" + (minutes % 60 ? " " + minutes % 60 + " min" : "");
}

function axes(format) {
  const common = { stroke: css("muted"), grid: { stroke: css("shade"), width: 1 }, ticks: { stroke: css("line"), width: 1 },
    font: "12px system-ui, sans-serif" };
  return [
    { ...common, incrs: TIME_STEPS, space: 80, values: (_, ticks) => ticks.map(elapsed) },
    { ...common, incrs: BYTE_STEPS, space: 40, size: 84, values: (_, ticks) => ticks.map((tick) => short(format(tick))) },
  ];
}

function line(label, i, format, more) {
  return { label, stroke: hue(i), width: 1.5, dash: i >= HUES.length ? DASH : undefined,
    value: (_, value) => (value === null || value === undefined ? "-" : format(value)), ...more };
}

// ---- Warm-up and trend -------------------------------------------------------------------------

// Shades what the verdict left out, and says so.
function shadeWarmUp(end) {
  return (plot) => {
    const { left, top, height, width } = plot.bbox, until = Math.min(plot.valToPos(end, "x", true), left + width);
    if (!(until > left)) return;
    const { ctx } = plot, ratio = window.devicePixelRatio || 1;
    ctx.save();
    ctx.fillStyle = css("shade");
    ctx.fillRect(left, top, until - left, height);
    ctx.fillStyle = css("muted");
    ctx.font = `${12 * ratio}px system-ui, sans-serif`;
    ctx.textAlign = "left";
    ctx.textBaseline = "top";
    ctx.fillText("warm-up, left out", left + 6 * ratio, top + 6 * ratio);
    ctx.restore();
  };
}

// The fitted line at the times of the samples, so that hovering reads it too.
function trendValues(time, { from, to }) {
  const slope = (to[1] - from[1]) / (to[0] - from[0] || 1);
  return time.map((at) => (at >= from[0] && at <= to[0] ? from[1] + slope * (at - from[0]) : null));
}

// ---- The two plots -----------------------------------------------------------------------------

function seriesPlot({ time, lines, warmup_end: warmUp, trend }) {
  const series = lines.map((one, i) => line(one.label, i, bytes, one.primary ? { width: 2.5 } : {}));
  const values = lines.map((one) => one.values);
  if (trend) {
    series.push(line("trend", 0, bytes, { stroke: css("bad"), dash: DASH, points: { show: false } }));
    values.push(trendValues(time, trend));
  }
  return { values: [time, ...values], series, format: bytes, draw: warmUp > 0 ? [shadeWarmUp(warmUp)] : [] };
}

const known = (values) => values.filter((value) => value !== null);
const growth = (values) => values.map((value) => (value === null ? null : value - known(values)[0]));
const moved = (values) => Math.max(...values.map(Math.abs), 0);

// A dozen flat lines on zero would hide the one that rises: they are named below instead.
function classesPlot(time, classes) {
  const grown = classes.map(({ label, values }) => ({ label, values: growth(values) }))
    .sort((a, b) => moved(b.values) - moved(a.values));
  const moving = grown.filter(({ values }) => moved(values) > 0);
  const still = grown.filter(({ values }) => moved(values) === 0 && known(values).length > 0).map(({ label }) => label);
  return { values: [time, ...moving.map((one) => one.values)], format: signed, draw: [], still,
    series: moving.map((one, i) => line(one.label, i, signed, {})) };
}

function options(host, { series, format, draw }) {
  return {
    width: Math.max(host.clientWidth, 240), height: 300,
    scales: { x: { time: false } },
    axes: axes(format),
    series: [{ label: "time", value: (_, at) => elapsed(at ?? null) }, ...series],
    cursor: { drag: { x: true, y: false }, points: { size: 7 } },
    hooks: { drawClear: draw },
  };
}

// Draws into `host` what `build` gives, again when the theme turns, and as wide as it is.
function draw(host, build) {
  let plot = null;
  const redraw = () => {
    const built = build();
    plot?.destroy();
    host.replaceChildren();
    plot = new uPlot(options(host, built), built.values, host);
    if (built.still?.length) host.append(el("p", { className: "subtitle" }, "Did not change: " + built.still.join(", ") + "."));
  };
  redraw();
  dark.addEventListener("change", redraw);
  new ResizeObserver(() => plot.setSize({ width: Math.max(host.clientWidth, 240), height: 300 })).observe(host);
}

function say(host, sentence) { host.replaceChildren(el("p", { className: "subtitle" }, sentence)); }

function plotSeries(host, series) {
  const values = series ? series.lines.flatMap((one) => known(one.values)) : [];
  if (values.length === 0) return say(host, "There are no samples to plot.");
  return draw(host, () => seriesPlot(series));
}

function plotClasses(host, time, classes) {
  if (time.length < 2) return say(host, "Growth by class needs at least two samples.");
  if (!classes.some(({ values }) => known(values).length > 1)) {
    return say(host, "No class of memory could be read twice, so growth by class is not known.");
  }
  if (classes.every(({ values }) => moved(growth(values)) === 0)) {
    return say(host, "No class of memory that could be read changed while it was watched.");
  }
  return draw(host, () => classesPlot(time, classes));
}

const series = data?.series, time = series?.time || [];
const hosts = ["plot-series", "plot-classes"].map((id) => document.getElementById(id));
if (hosts[0]) plotSeries(hosts[0], series);
if (hosts[1]) plotClasses(hosts[1], time, data?.classes || []);
})();
