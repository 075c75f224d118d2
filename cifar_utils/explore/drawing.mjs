// The surface from above with paths on it, and the chart of heights: on canvases as sharp as the
// screen.

import { colour } from "./page.mjs";
import { loss } from "./surfaces.mjs";

const BANDS = 16; // between two neighbouring shades lies a contour
const FLOOR = 1e-10; // the lowest height that the chart shows

/** A canvas's context in CSS pixels, cleared: { context, width, height }. */
export function sharp(canvas) {
  const scale = devicePixelRatio || 1;
  const { width, height } = canvas.getBoundingClientRect();
  canvas.width = Math.round(width * scale);
  canvas.height = Math.round(height * scale);
  const context = canvas.getContext("2d");
  context.scale(scale, scale);
  return { context, width, height };
}

/** From weights to places on a canvas and back. */
export function frameOf({ limits: [[left, right], [bottom, top]] }, width, height) {
  return {
    toPlace: ([w0, w1]) => [
      (width * (w0 - left)) / (right - left),
      (height * (top - w1)) / (top - bottom),
    ],
    toPoint: (x, y) => [
      left + (x / width) * (right - left),
      top - (y / height) * (top - bottom),
    ],
  };
}

/** Height above the surface's lowest point. */
export function above(surface, height) {
  return height - loss(surface, surface.lowest);
}

/** The surface in bands of height, high places darker: a canvas of the size given. */
export function relief(surface, width, height) {
  const picture = new OffscreenCanvas(Math.round(width), Math.round(height));
  const context = picture.getContext("2d");
  const image = context.createImageData(picture.width, picture.height);
  const { toPoint } = frameOf(surface, picture.width, picture.height);
  const heights = new Float64Array(picture.width * picture.height);
  for (let y = 0; y < picture.height; y++) {
    for (let x = 0; x < picture.width; x++) {
      const point = toPoint(x + 0.5, y + 0.5);
      heights[y * picture.width + x] = Math.sqrt(Math.max(0, above(surface, loss(surface, point))));
    }
  }
  const highest = heights.reduce((most, each) => Math.max(most, each), 0);
  const [low, high] = [colour("low"), colour("high")];
  heights.forEach((each, place) => {
    const share = Math.floor((BANDS * each) / highest) / BANDS;
    const shade = low.map((level, i) => level + share * (high[i] - level));
    image.data.set([...shade, 255], 4 * place);
  });
  context.putImageData(image, 0, 0);
  return picture;
}

/** Paths on the surface: `paths` are { name, points }, each in the colour of its name. */
export function drawPaths(canvas, surface, background, paths) {
  const { context, width, height } = sharp(canvas);
  const { toPlace } = frameOf(surface, width, height);
  context.drawImage(background, 0, 0, width, height);
  drawScale(context, surface, toPlace, width, height);
  cross(context, toPlace(surface.lowest));
  for (const { name, points } of paths) {
    const places = points.map(toPlace).filter(([x, y]) => Math.abs(x) < 1e5 && Math.abs(y) < 1e5);
    context.strokeStyle = context.fillStyle = css(name);
    line(context, places);
    if (places.length <= 80) for (const place of places) dot(context, place, 2.2);
    dot(context, places.at(-1), 5);
  }
}

/** Heights after each step on a logarithmic scale: `paths` as in drawPaths. */
export function drawChart(canvas, surface, paths, steps) {
  const { context, width, height } = sharp(canvas);
  const [left, bottom] = [58, 30];
  const logs = paths.map(({ name, points }) => ({
    name,
    logs: points.map(([, , each]) => Math.log10(Math.max(FLOOR, above(surface, each)))),
  }));
  const all = logs.flatMap((each) => each.logs).filter(Number.isFinite);
  const top = Math.min(6, Math.ceil(Math.max(0, ...all)));
  const low = Math.floor(Math.min(-1, ...all));
  const x = (step) => left + ((width - left - 12) * step) / Math.max(1, steps);
  const y = (log) => 8 + ((height - bottom - 8) * (top - log)) / (top - low);

  context.font = "12px system-ui, sans-serif";
  context.strokeStyle = css("line");
  context.fillStyle = css("soft");
  context.lineWidth = 1;
  const every = Math.ceil((top - low) / 6);
  for (let power = top; power >= low; power -= every) {
    line(context, [[left, y(power)], [width - 12, y(power)]]);
    context.textAlign = "right";
    const isShort = power >= -3 && power <= 3;
    const label = isShort ? String(10 ** power) : `10${raised(power)}`;
    context.fillText(label, left - 8, y(power) + 4);
  }
  context.textAlign = "center";
  for (let part = 0; part <= 4; part++) {
    const step = Math.round((steps * part) / 4);
    const label = part === 4 ? `${step} steps` : String(step);
    context.fillText(label, Math.min(x(step), width - 30), height - 8);
  }
  context.beginPath();
  context.rect(left, 0, width - left, height - bottom + 4);
  context.clip();
  context.lineWidth = 2;
  for (const { name, logs: heights } of logs) {
    context.strokeStyle = css(name);
    const finite = heights.filter(Number.isFinite);
    line(context, finite.map((log, step) => [x(step), y(log)]));
  }
}

function drawScale(context, { limits }, toPlace, width, height) {
  context.font = "12px system-ui, sans-serif";
  context.fillStyle = css("soft");
  const whole = ([low, high]) => {
    const inside = Array.from({ length: high - low - 1 }, (_, i) => low + 1 + i);
    return high - low < 8 ? inside : inside.filter((number) => number % 2 === 0);
  };
  context.textAlign = "center";
  for (const w0 of whole(limits[0])) context.fillText(minus(w0), toPlace([w0, 0])[0], height - 6);
  context.fillText("w0", width - 16, height - 6);
  context.textAlign = "left";
  for (const w1 of whole(limits[1])) context.fillText(minus(w1), 6, toPlace([0, w1])[1] + 4);
  context.fillText("w1", 6, 16);
}

function line(context, places) {
  context.beginPath();
  for (const place of places) context.lineTo(...place);
  context.stroke();
}

function dot(context, [x, y], radius) {
  context.beginPath();
  context.arc(x, y, radius, 0, 2 * Math.PI);
  context.fill();
}

function cross(context, [x, y]) {
  context.strokeStyle = css("ink");
  context.lineWidth = 1.5;
  line(context, [[x - 5, y - 5], [x + 5, y + 5]]);
  line(context, [[x - 5, y + 5], [x + 5, y - 5]]);
}

function css(name) {
  return `rgb(${colour(name).join(", ")})`;
}

function minus(number) {
  return String(number).replace("-", "−");
}

/** "⁻⁴" */
function raised(power) {
  return [...String(power)].map((sign) => (sign === "-" ? "⁻" : "⁰¹²³⁴⁵⁶⁷⁸⁹"[sign])).join("");
}
