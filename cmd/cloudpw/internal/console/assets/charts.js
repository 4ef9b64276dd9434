// Charts of ages and rotations. Each has a table with the same numbers.
import uPlot from "./vendor/uplot/uPlot.esm.js";
import { h, replace } from "./dom.js";
import { get, problemBox } from "./api.js";
import { many, number, when } from "./format.js";

const pollEvery = 5000; // milliseconds

function spanName(one) {
  if (!one.to_days) return `${one.from_days} d and more`;
  return one.from_days === 0 ? "under 1 d" : `${one.from_days}–${one.to_days} d`;
}

export function chartsView(frame) {
  const ended = new AbortController();
  const note = h("div"), count = h("p", { class: "faint", role: "status" }, "Reading the report…");
  const ages = chart("Ages of the current passwords", "Age", "Accounts", true);
  const days = chart("Rotations: when the current passwords were made", "Day (UTC)", "Accounts", false);
  replace(frame, h("h1", { tabindex: "-1" }, "Charts"), note, count, ages.element, days.element);
  let shown = "";

  async function load() {
    try {
      const f = await get("figures", {}, ended.signal);
      replace(note, f.problem ? problemBox(f) : null);
      if (!f.read_at) return;
      const text = JSON.stringify([f.ages, f.days, f.earlier, f.none]);
      if (text === shown) return;
      shown = text;
      replace(count, `${many(f.total, "account")} as of ${when(f.read_at)}; each counts once, with its current password. `,
        f.none ? `${many(f.none, "account")} without a password are left out.` : "", f.whole ? "" : " More accounts are being read.");
      ages.set(f.ages.map((one) => [spanName(one), one.count]));
      days.set(f.days.map((one) => [one.day, one.count]), f.earlier ? ["earlier", f.earlier] : null);
    } catch (error) {
      if (error.name !== "AbortError") replace(note, problemBox(error));
    }
  }

  load();
  const timer = setInterval(() => document.hidden || load(), pollEvery);
  return () => {
    clearInterval(timer);
    ended.abort();
    ages.destroy();
    days.destroy();
  };
}

// chart makes bars and a table. rows are names and numbers; more is a row of the table only.
function chart(title, head, unit, all) {
  const canvas = h("div", { class: "plot", role: "img", "aria-label": title });
  const cells = h("tbody");
  const element = h("section", { class: "card" }, h("h2", null, title), canvas, h("details", null, h("summary", null, "Numbers as a table"),
    h("table", { class: "numbers" }, h("caption", { class: "unseen" }, title), h("thead", null, h("tr", null, h("th", { scope: "col" }, head), h("th", { scope: "col" }, unit))), cells)));
  let rows = [], plot = null;

  function draw() {
    plot?.destroy();
    plot = null;
    const width = canvas.clientWidth;
    if (!rows.length || !width) return;
    const style = getComputedStyle(document.documentElement);
    const ink = style.getPropertyValue("--faint").trim(), grid = style.getPropertyValue("--line").trim(), fill = style.getPropertyValue("--accent").trim();
    const font = `12px ${getComputedStyle(document.body).fontFamily}`;
    const each = Math.max(1, Math.ceil(rows.length / Math.max(1, Math.floor(width / 76))));
    plot = new uPlot({
      width, height: 240, cursor: { show: false }, legend: { show: false }, scales: { x: { time: false, range: [-0.6, rows.length - 0.4] },
        y: { range: (_, __, max) => [0, Math.max(1, max * 1.1)] } },
      axes: [
        { stroke: ink, font, grid: { show: false }, ticks: { show: false }, splits: () => rows.map((_, i) => i).filter((i) => i % each === 0),
          values: (_, at) => at.map((i) => all ? rows[i][0] : rows[i][0].slice(5)) },
        { stroke: ink, font, grid: { stroke: grid, width: 1 }, ticks: { show: false }, size: 56, incrs: [1, 2, 5, 10, 20, 50, 100, 200, 500, 1000, 2000, 5000, 10000, 20000, 50000],
          values: (_, at) => at.map(number) },
      ],
      series: [{}, { fill, stroke: fill, width: 0, points: { show: false }, paths: uPlot.paths.bars({ size: [0.7, 60], radius: 0.1 }) }],
    }, [rows.map((_, i) => i), rows.map(([, n]) => n)], canvas);
  }

  const watch = new ResizeObserver(() => {
    if (plot?.width !== canvas.clientWidth) draw();
  });
  watch.observe(canvas);
  document.addEventListener("painted", draw);
  const scheme = window.matchMedia("(prefers-color-scheme: dark)");
  scheme.addEventListener("change", draw);
  return {
    element,
    set(now, more) {
      rows = now;
      const most = rows.reduce((best, one) => (one[1] > best[1] ? one : best), ["", -1]);
      canvas.setAttribute("aria-label", `${title}: ${rows.length} bars, most in ${most[0]} with ${number(most[1])}. The table below has all numbers.`);
      replace(cells, [...rows, ...(more ? [more] : [])].map(([name, n]) => h("tr", null, h("th", { scope: "row" }, name), h("td", null, number(n)))));
      draw();
    },
    destroy() {
      watch.disconnect();
      document.removeEventListener("painted", draw);
      scheme.removeEventListener("change", draw);
      plot?.destroy();
    },
  };
}
