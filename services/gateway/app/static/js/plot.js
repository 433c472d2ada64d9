// A small plot of one number over time, drawn as SVG.

import { h, set, setText } from "./dom.js";

const SPACE = "http://www.w3.org/2000/svg";
const WIDTH = 240;
const HEIGHT = 44;
const GAP = 15; // seconds without a point after which the line is broken

function svg(name, attributes, ...children) {
  const element = document.createElementNS(SPACE, name);
  for (const [key, value] of Object.entries(attributes)) element.setAttribute(key, value);
  element.append(...children);
  return element;
}

// {element, update(points, from, to)}; points are [seconds since 1970, value or null].
export function plot(name, format) {
  const area = svg("path", { class: "area" });
  const line = svg("path", { class: "line" });
  const mark = svg("line", { class: "mark", y1: 0, y2: HEIGHT, visibility: "hidden" });
  const box = { class: "plot", viewBox: `0 0 ${WIDTH} ${HEIGHT}`, preserveAspectRatio: "none", role: "img" };
  const picture = svg("svg", box, area, line, mark);
  const most = h("span", { class: "most" });
  const element = h("div", { class: "plotted" }, picture, most);
  let shown = { points: [], from: 0, to: 1 };

  picture.addEventListener("pointermove", (event) => point(event.offsetX / picture.clientWidth));
  picture.addEventListener("pointerleave", () => {
    mark.setAttribute("visibility", "hidden");
    tell();
  });

  function point(share) {
    const at = shown.from + share * (shown.to - shown.from);
    const near = shown.points.reduce((best, one) => (distance(one, at) < distance(best, at) ? one : best), [NaN, null]);
    if (!(distance(near, at) < Infinity)) return;
    const x = place(near[0]);
    mark.setAttribute("x1", x);
    mark.setAttribute("x2", x);
    mark.setAttribute("visibility", "visible");
    setText(most, `${new Date(near[0] * 1000).toLocaleTimeString("en-GB")}: ${format(near[1] ?? 0)}`);
  }

  const place = (at) => ((at - shown.from) / (shown.to - shown.from)) * WIDTH;
  const peak = () => Math.max(0, ...shown.points.map((one) => one[1] ?? 0));
  const tell = () => setText(most, `at most ${format(peak())}`);

  function update(points, from, to) {
    shown = { points: points.filter(([at]) => at >= from), from, to };
    const top = Math.max(peak(), 1) * 1.08;
    const runs = runsOf(shown.points).map((run) =>
      run.map(([at, value]) => `${place(at).toFixed(1)},${(HEIGHT - ((value ?? 0) / top) * (HEIGHT - 2) - 1).toFixed(1)}`));
    line.setAttribute("d", runs.map((run) => `M${run.join("L")}`).join(""));
    area.setAttribute("d", runs.map((run) => `M${run[0].split(",")[0]},${HEIGHT}L${run.join("L")}V${HEIGHT}Z`).join(""));
    const now = shown.points.at(-1)?.[1] ?? 0;
    set(picture, "aria-label", `${name}: now ${format(now)}, at most ${format(peak())}`);
    if (mark.getAttribute("visibility") === "hidden") tell();
  }

  return { element, update };
}

const distance = ([at], to) => (Number.isNaN(at) ? Infinity : Math.abs(at - to));

// Parts without a gap.
function runsOf(points) {
  const runs = [];
  for (const one of points) {
    const last = runs.at(-1)?.at(-1);
    if (last && one[0] - last[0] <= GAP) runs.at(-1).push(one);
    else runs.push([one]);
  }
  return runs;
}
