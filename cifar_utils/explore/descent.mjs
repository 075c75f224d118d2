// Walking downhill: optimizers on a surface of two weights, under the reader's fingers.

import { above, drawChart, drawPaths, frameOf, relief } from "./drawing.mjs";
import { OPTIMIZERS, descend } from "./optimizers.mjs";
import {
  arrow, byId, content, drawInEveryScheme, make, oncePerFrame, tellHeight,
} from "./page.mjs";
import { largestStableRate } from "./surfaces.mjs";

const LABELS = {
  sgd: "gradient descent", momentum: "momentum", nesterov: "Nesterov",
  rmsprop: "RMSprop", adam: "Adam", adamw: "AdamW",
};
const LOWEST_RATE = 0.001; // of the sliders, which are logarithmic
const HIGHEST_RATE = 3;
const KEY_STEP = 0.02; // of the map's width, for each press of an arrow key

const given = content();
const walkers = Object.fromEntries(OPTIMIZERS.map((name) => [name, walkerRow(name)]));
let surface = given.surfaces[0];
let start = surface.start;
let background = null; // the relief, drawn once for a surface, a size and a scheme

/** A walker's row: a switch, a slider for its learning rate, and where it ends. */
function walkerRow(name) {
  const on = make("input", { type: "checkbox", checked: name === "sgd" || name === "momentum" });
  const swatch = make("span", { className: "swatch" });
  swatch.style.background = `var(--${name})`;
  const end = make("span", { className: "end" });
  const rate = make("input", { type: "range", min: 0, max: 1, step: 0.001 });
  rate.ariaLabel = `learning rate of ${LABELS[name]}`;
  rate.value = positionOf(given.rates[name]);
  const output = make("output", {});
  const row = make(
    "div",
    { className: "walker" },
    make("label", {}, on, swatch, LABELS[name]),
    make("span", {}),
    end,
    make("label", { className: "rate" }, "learning rate", rate, output),
  );
  row.dataset.walker = name;
  on.addEventListener("input", () => updateSoon());
  rate.addEventListener("input", () => updateSoon());
  byId("walkers").append(row);
  return { on, rate, output, end, row };
}

function positionOf(rate) {
  return Math.log(rate / LOWEST_RATE) / Math.log(HIGHEST_RATE / LOWEST_RATE);
}

/** The slider's rate, to two digits, which is what stands beside it. */
function rateOf(name) {
  const position = Number(walkers[name].rate.value);
  const rate = LOWEST_RATE * (HIGHEST_RATE / LOWEST_RATE) ** position;
  return Number(rate.toPrecision(2));
}

/** The walks that are switched on: { name, points } each. */
function walks() {
  const settings = {
    surface,
    start,
    momentum: Number(byId("momentum").value),
    steps: Number(byId("steps").value),
    single: surface.examples.length > 0 && byId("single").ariaPressed === "true",
  };
  return OPTIMIZERS.filter((name) => walkers[name].on.checked).map((name) => ({
    name,
    points: descend({ ...settings, optimizer: name, lr: rateOf(name) }),
  }));
}

function update() {
  const paths = walks();
  const limit = largestStableRate(surface, start);
  for (const [name, { on, row, output }] of Object.entries(walkers)) {
    row.classList.toggle("on", on.checked);
    output.textContent = rateOf(name);
    output.classList.toggle("over", name === "sgd" && rateOf(name) > limit);
  }
  for (const { name, points } of paths) {
    walkers[name].end.textContent = ending(above(surface, points.at(-1)[2]));
  }
  for (const id of ["momentum", "steps"]) {
    byId(id).parentElement.querySelector("output").textContent = byId(id).value;
  }
  byId("single").hidden = surface.examples.length === 0;
  byId("limit").textContent = inWords(limit);
  const [right, down] = frameOf(surface, 100, 100).toPlace(start);
  byId("start").style.left = `${right}%`;
  byId("start").style.top = `${down}%`;
  drawPaths(byId("map"), surface, background, paths);
  drawChart(byId("chart"), surface, paths, Number(byId("steps").value));
}

function ending(height) {
  return height < 1e6 ? `ends ${height.toPrecision(2)} above` : "flies off";
}

function inWords(limit) {
  if (limit === Infinity) {
    return "At the start the ground curves upwards nowhere: no learning rate is too large there.";
  }
  const bound = `2/λ = ${limit.toPrecision(3)}; λ is the steepest curvature at the start`;
  return `Gradient descent grows instead of settling where its learning rate is above ${bound}.`;
}

function redraw() {
  const { width, height } = byId("map").getBoundingClientRect();
  if (width === 0) return; // in a frame that has no size yet; the observer calls again
  background = relief(surface, width, height);
  update();
}

function useSurface(chosen) {
  surface = chosen;
  start = surface.start;
  for (const button of byId("surfaces").children) {
    button.ariaPressed = String(button.dataset.surface === surface.name);
  }
  redraw();
}

/** Move the start, but not off the map. */
function moveStart(point) {
  start = point.map((weight, i) => {
    const [low, high] = surface.limits[i];
    return Math.min(high, Math.max(low, weight));
  });
  updateSoon();
}

function dragTo(event) {
  const bounds = byId("map").getBoundingClientRect();
  const { toPoint } = frameOf(surface, bounds.width, bounds.height);
  moveStart(toPoint(event.clientX - bounds.left, event.clientY - bounds.top));
}

/** Let the steps run from 1 to where their slider stands. */
function play() {
  const steps = byId("steps");
  const last = Number(steps.value);
  let step = 0;
  byId("play").disabled = true;
  const next = () => {
    step += Math.max(1, Math.round(last / 120));
    steps.value = Math.min(step, last);
    update();
    if (step < last) requestAnimationFrame(next);
    else byId("play").disabled = false;
  };
  next();
}

globalThis.walks = walks; // for whoever wants the numbers, in the browser's console

const updateSoon = oncePerFrame(update);

for (const each of given.surfaces) {
  const button = make("button", { type: "button" }, each.label);
  button.dataset.surface = each.name;
  button.addEventListener("click", () => useSurface(each));
  byId("surfaces").append(button);
}
for (const id of ["momentum", "steps"]) byId(id).addEventListener("input", updateSoon);
byId("play").addEventListener("click", play);
byId("reset").addEventListener("click", () => moveStart(surface.start));
byId("single").addEventListener("click", () => {
  byId("single").ariaPressed = String(byId("single").ariaPressed !== "true");
  update();
});
byId("map").addEventListener("click", dragTo);
byId("start").addEventListener("pointerdown", (event) => {
  byId("start").setPointerCapture(event.pointerId);
});
byId("start").addEventListener("pointermove", (event) => event.buttons && dragTo(event));
byId("start").addEventListener("keydown", (event) => {
  const direction = arrow(event.key);
  if (!direction) return;
  event.preventDefault();
  const [right, down] = direction;
  const step = KEY_STEP * (surface.limits[0][1] - surface.limits[0][0]);
  moveStart([start[0] + right * step, start[1] - down * step]);
});
new ResizeObserver(oncePerFrame(redraw)).observe(byId("map"));
drawInEveryScheme(() => useSurface(surface));
tellHeight();
