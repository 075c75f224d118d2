// The maps of one layer as a mosaic, in which a unit is chosen by pointer or by arrow keys.

import { arrow, make } from "./page.mjs";
import { placeOf } from "./unit.mjs";

const WIDTH = 144; // units side by side at most: four maps of 33, sixteen of 9
const NUMBERS = 32; // side by side, where a map is a single number
const LARGEST_UNIT = 24; // CSS pixels

/**
 * A mosaic of so many maps a row: { element, show(maps, colours), mark(unit) }.
 *
 * `choose` gets the unit { channel, y, x } that was clicked or moved to.
 */
export function mosaic(title, detail, maps, columns, choose) {
  const grid = gridOf(maps, columns);
  const canvas = make("canvas", { width: grid.width, height: grid.height, tabIndex: 0 });
  canvas.setAttribute("role", "application");
  canvas.ariaLabel = `${title}: ${detail}. The arrow keys choose a unit.`;
  const marker = make("div", { className: "marker", hidden: true });
  const box = make("div", { className: "maps" }, canvas, marker);
  box.style.maxWidth = `${grid.width * LARGEST_UNIT}px`;
  const heading = make("h3", {}, title, make("span", {}, detail));
  const element = make("div", { className: "layer" }, heading, box);

  let chosen = null;
  const pick = (unit) => {
    if (unit) choose(unit);
  };
  canvas.addEventListener("click", (event) => {
    const bounds = canvas.getBoundingClientRect();
    const x = ((event.clientX - bounds.left) / bounds.width) * grid.width;
    const y = ((event.clientY - bounds.top) / bounds.height) * grid.height;
    pick(grid.unitAt(Math.floor(x), Math.floor(y)));
  });
  canvas.addEventListener("keydown", (event) => {
    const direction = arrow(event.key);
    if (!direction && event.key !== "Enter") return;
    event.preventDefault();
    const start = { channel: 0, y: 0, x: 0 };
    pick(chosen && direction ? grid.neighbour(chosen, direction) : (chosen ?? start));
  });

  return {
    element,
    show: (shown, colours) => paintMaps(canvas, grid, shown, colours),
    mark: (unit) => {
      chosen = unit;
      marker.hidden = !unit;
      if (!unit) return;
      const [x, y] = grid.cornerOf(unit);
      marker.style.left = `calc(${(100 * x) / grid.width}% - 3px)`;
      marker.style.top = `calc(${(100 * y) / grid.height}% - 3px)`;
      marker.style.width = `calc(${100 / grid.width}% + 6px)`;
      marker.style.height = `calc(${100 / grid.height}% + 6px)`;
    },
  };
}

/** How many maps a layer's mosaic has in a row. */
export function columnsFor({ channels, height, width }) {
  const most = height * width === 1 ? NUMBERS : Math.floor(WIDTH / (width + 1));
  return Math.min(channels, Math.max(1, most));
}

/** How maps lie beside each other, with a gap of one unit, and which unit is where. */
function gridOf({ channels, height, width }, columns) {
  const gap = height * width === 1 ? 0 : 1;
  const rows = Math.ceil(channels / columns);
  const [stepX, stepY] = [width + gap, height + gap];
  const cornerOf = ({ channel, y, x }) => [
    (channel % columns) * stepX + x,
    Math.floor(channel / columns) * stepY + y,
  ];
  const unitAt = (x, y) => {
    const channel = Math.floor(y / stepY) * columns + Math.floor(x / stepX);
    const unit = { channel, y: y % stepY, x: x % stepX };
    const inside = x >= 0 && y >= 0 && x < columns * stepX && channel < channels;
    return inside && unit.y < height && unit.x < width ? unit : null;
  };
  const neighbour = (unit, [right, down]) => {
    const [x, y] = cornerOf(unit);
    const overTheGap = 1 + gap;
    return (
      unitAt(x + right, y + down) ??
      unitAt(x + right * overTheGap, y + down * overTheGap) ??
      unit
    );
  };
  return { width: columns * stepX - gap, height: rows * stepY - gap, cornerOf, unitAt, neighbour };
}

function paintMaps(canvas, grid, maps, colours) {
  const context = canvas.getContext("2d");
  const image = context.createImageData(grid.width, grid.height);
  const largest = maps.values.reduce((most, value) => Math.max(most, Math.abs(value)), 1e-12);
  for (let y = 0; y < grid.height; y++) {
    for (let x = 0; x < grid.width; x++) {
      const unit = grid.unitAt(x, y);
      if (!unit) continue; // the gap: transparent
      const share = maps.values[placeOf(maps, unit)] / largest;
      image.data.set([...colours(share), 255], 4 * (y * grid.width + x));
    }
  }
  context.putImageData(image, 0, 0);
}
