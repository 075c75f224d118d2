// The panel below a layer: what a unit sees, and the sum that makes its number.

import { make, short } from "./page.mjs";
import { SIDE } from "./image.mjs";
import { convolutionTerms, largestTerms, linearTerms, placeOf, pooled } from "./unit.mjs";

const SHOWN_MAPS = 3;
const SHOWN_INPUTS = 8;

/**
 * The panel of a unit; `below` are the maps that its layer was given, `image` is a canvas.
 *
 * `names`, if any, are what the maps of the layer stand for: the classes.
 */
export function explanation({ layer, below, maps, unit, names, box, title, image, colours }) {
  const value = maps.values[placeOf(maps, unit)];
  const isNumber = maps.height * maps.width === 1;
  const map = names ? names[unit.channel] : `${isNumber ? "unit" : "map"} ${unit.channel + 1}`;
  const where = isNumber ? map : `${map}, row ${unit.y + 1}, column ${unit.x + 1}`;
  return make(
    "div",
    { className: "unit", role: "status" },
    make("h2", {}, `${title}, ${where}: ${short(value)}`),
    make(
      "div",
      { className: "columns" },
      make("div", { className: "seen" }, crop(image, box), soft(sees(box))),
      make("div", { className: "work" }, ...work(layer, below, unit, value, colours)),
    ),
  );
}

function sees({ top, left, bottom, right }) {
  const [height, width] = [bottom - top, right - left];
  if (height === SIDE && width === SIDE) return "It sees the whole image.";
  const unit = height * width === 1 ? "pixel" : "pixels";
  return `It sees ${height} × ${width} ${unit} of the image.`;
}

/** The part of the image that the unit sees, enlarged. */
function crop(image, { top, left, bottom, right }) {
  const [width, height] = [right - left, bottom - top];
  const canvas = make("canvas", { width, height });
  const longest = Math.max(width, height);
  canvas.style.width = `${(128 * width) / longest}px`;
  canvas.style.height = `${(128 * height) / longest}px`;
  canvas.getContext("2d").drawImage(image, left, top, width, height, 0, 0, width, height);
  return canvas;
}

function work(layer, below, unit, value, colours) {
  const explain = EXPLAIN[layer.kind];
  return explain(layer, below, unit, value, colours);
}

const EXPLAIN = {
  convolution(layer, below, unit, value, colours) {
    const { bias, terms } = convolutionTerms(layer, below, unit);
    const { largest, rest, others } = largestTerms(terms, SHOWN_MAPS);
    const names = below.height === SIDE && terms.length === 3 ? ["red", "green", "blue"] : null;
    const scale = largestOf(largest.map((term) => term.kernel));
    const light = largestOf(largest.map((term) => term.seen));
    const name = ({ input }) => (names ? `the ${names[input]} of the image` : `map ${input + 1} below`);
    const rows = largest.map((term) =>
      make(
        "div",
        { className: "term" },
        make("span", {}, name(term)),
        numberTable(term.seen, layer.size, light, colours),
        "×",
        numberTable(term.kernel, layer.size, scale, colours),
        `= ${short(term.sum)}`,
      ),
    );
    const which = others ? `: the ${SHOWN_MAPS} maps of ${terms.length} that weigh most` : "";
    const said = `What it sees times its kernel, number by number${which}.`;
    return [soft(said), ...rows, total(largest, rest, others, "maps", bias, value)];
  },

  linear(layer, below, unit, value) {
    const { bias, terms } = linearTerms(layer, below, unit);
    const { largest, rest, others } = largestTerms(terms, SHOWN_INPUTS);
    const rows = largest.map((term) =>
      row(
        `input ${term.input + 1}`,
        `${short(term.seen)} × ${short(term.weight, 3)}`,
        `= ${short(term.sum)}`,
      ),
    );
    const which = `the ${largest.length} of ${terms.length} that weigh most`;
    return [
      soft(`Every input times a weight of its own: ${which}.`),
      make("table", { className: "list" }, ...rows),
      total(largest, rest, others, "inputs", bias, value),
    ];
  },

  max_pool(layer, below, unit, value, colours) {
    const seen = pooled(layer, below, unit);
    const size = Math.sqrt(seen.length);
    const most = seen.indexOf(value);
    const table = numberTable(seen, size, largestOf([seen]), colours, most);
    const line = make("div", { className: "term" }, table, `the largest: ${short(value)}`);
    return [soft("Of each window only the largest number goes on."), line];
  },

  average_pool(layer, below, unit, value, colours) {
    const seen = pooled(layer, below, unit);
    const table = numberTable(seen, Math.sqrt(seen.length), largestOf([seen]), colours);
    const line = make("div", { className: "term" }, table, `their mean: ${short(value)}`);
    return [soft("Of each window the mean goes on."), line];
  },

  relu(_, below, unit, value) {
    const given = below.values[placeOf(below, unit)];
    const said = given > 0 ? "A number above 0 goes on as it is." : "A number below 0 becomes 0.";
    return [soft(said), sum(`max(0, ${short(given)}) = ${short(value)}`)];
  },

  gelu(_, below, unit, value) {
    const given = short(below.values[placeOf(below, unit)]);
    const said = "A number times the share of the normal distribution below it.";
    return [soft(said), sum(`${given} · Φ(${given}) = ${short(value)}`)];
  },
};

function total(largest, rest, others, what, bias, value) {
  const parts = largest.map((term) => short(term.sum));
  if (others) parts.push(`${short(rest)} (${others} other ${what})`);
  parts.push(`${short(bias)} (bias)`);
  return sum(`${parts.join(" + ").replaceAll("+ −", "− ")} = ${short(value)}`);
}

function soft(text) {
  return make("p", { className: "soft" }, text);
}

function sum(text) {
  return make("p", { className: "sum" }, text);
}

/** Numbers as a square table, each on its colour. */
function numberTable(values, size, largest, colours, most = -1) {
  const table = make("table", { className: "numbers" });
  for (let y = 0; y < size; y++) {
    const cells = [];
    for (let x = 0; x < size; x++) {
      const place = y * size + x;
      const cell = make("td", { className: place === most ? "most" : "" }, short(values[place]));
      const shade = colours((0.55 * values[place]) / largest); // pale enough to be read on
      cell.style.background = `rgb(${shade.join(", ")})`;
      cells.push(cell);
    }
    table.append(make("tr", {}, ...cells));
  }
  return table;
}

function row(...texts) {
  return make("tr", {}, ...texts.map((text) => make("td", {}, text)));
}

function largestOf(lists) {
  return Math.max(1e-12, ...lists.flatMap((list) => Array.from(list, Math.abs)));
}
