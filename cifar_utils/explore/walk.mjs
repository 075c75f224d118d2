// The walk of an image: a network runs in the page, and every number in it can be looked at.

import { bars } from "./bars.mjs";
import { brush } from "./brush.mjs";
import { explanation } from "./explanation.mjs";
import { columnsFor, mosaic } from "./mosaic.mjs";
import { normalised, run, softmax, unpack } from "./network.mjs";
import {
  byId, content, drawInEveryScheme, make, oncePerFrame, signColours, tellHeight,
} from "./page.mjs";
import {
  SIDE, markChosen, paint, pixelsFrom, readImage, takeFiles, thumbnails,
} from "./image.mjs";
import { patch } from "./unit.mjs";

const GREY = [125, 123, 114]; // CIFAR-10's mean colour: near 0 to a network
const TITLES = {
  convolution: "Convolution", max_pool: "Max-pooling", average_pool: "Average pooling",
  relu: "ReLU", gelu: "GELU", linear: "Linear layer",
};

const given = content();
const networks = given.networks.map(unpack);
const images = given.images.map(({ name, pixels }) => ({ name, pixels: pixelsFrom(pixels) }));

let network = networks[0];
let pixels = images[0].pixels.slice();
let walk = []; // the maps: of the image, then of every layer
let views = []; // { index, mosaic, title } of each layer that is shown
let chosen = null; // { index, unit }
let panel = null;
let colours = null;

const moveBars = bars(byId("bars"), network.classes);

function update() {
  paint(byId("image"), pixels);
  const start = performance.now();
  walk = run(network, normalised(pixels, network));
  const took = Math.max(1, Math.round(performance.now() - start));
  moveBars(softmax(walk.at(-1).values));
  const parameters = network.parameters.toLocaleString("en");
  const called = `${network.name}, ${parameters} parameters`;
  byId("cost").textContent = `${called}: ${took} ms in this browser.`;
  for (const view of views) view.mosaic.show(walk[view.index + 1], colours);
  showUnit();
}

/** One stage for each convolution or linear layer and what follows it, up to the next. */
function buildLayers() {
  const box = byId("layers");
  box.replaceChildren();
  views = [];
  panel = chosen = null;
  byId("patch").hidden = true;
  let stage = null;
  let columns = 0; // of every mosaic of a stage, so that a map stays in its place
  let convolutions = 0;
  network.layers.forEach((layer, index) => {
    if (!TITLES[layer.kind]) return; // flatten and divide change no image
    if (layer.weights || !stage) {
      stage = make("div", { className: "stage" });
      box.append(stage);
      columns = columnsFor(walk[index + 1]);
    }
    const maps = walk[index + 1];
    if (maps.height * maps.width === 1) columns = columnsFor(maps);
    if (layer.kind === "convolution") convolutions += 1;
    const title = TITLES[layer.kind] + (layer.kind === "convolution" ? ` ${convolutions}` : "");
    const view = mosaic(title, detail(layer, maps), maps, columns, (unit) => choose(index, unit));
    views.push({ index, mosaic: view, title, stage });
    stage.append(view.element);
  });
}

function detail(layer, { channels, height, width }) {
  const isList = height * width === 1;
  const size = layer.kind === "convolution" || (layer.size && layer.kind.endsWith("pool"));
  const window = size ? `${layer.size} × ${layer.size} → ` : "";
  return window + (isList ? `${channels} numbers` : `${channels} maps of ${height} × ${width}`);
}

function choose(index, unit) {
  chosen = { index, unit };
  for (const view of views) view.mosaic.mark(view.index === index ? unit : null);
  showUnit();
}

/** The panel below the chosen unit's stage, and the patch on the image. */
function showUnit() {
  if (!chosen) return;
  const { index, unit } = chosen;
  const { title, stage } = views.find((view) => view.index === index);
  const last = network.layers.findLastIndex((layer) => layer.weights);
  const box = patch(network.layers.slice(0, index + 1), walk, unit);
  const fresh = explanation({
    layer: network.layers[index],
    below: walk[index],
    maps: walk[index + 1],
    names: index === last ? network.classes : null,
    unit, box, title, colours,
    image: byId("image"),
  });
  panel?.remove();
  panel = fresh;
  stage.append(panel);
  const marker = byId("patch");
  marker.hidden = false;
  marker.style.left = `${(100 * box.left) / SIDE}%`;
  marker.style.top = `${(100 * box.top) / SIDE}%`;
  marker.style.width = `${(100 * (box.right - box.left)) / SIDE}%`;
  marker.style.height = `${(100 * (box.bottom - box.top)) / SIDE}%`;
}

function show(newPixels, place = -1) {
  pixels = newPixels.slice();
  markChosen(byId("thumbs"), place);
  byId("message").textContent = "";
  update();
}

async function take(file) {
  try {
    show(await readImage(file));
  } catch (error) {
    byId("message").textContent = error.message;
  }
}

function useNetwork(place) {
  network = networks[place];
  walk = run(network, normalised(pixels, network));
  buildLayers();
  update();
}

const updateSoon = oncePerFrame(update);
thumbnails(byId("thumbs"), images, (place) => show(images[place].pixels, place));
markChosen(byId("thumbs"), 0);
takeFiles(byId("file"), take);
brush({
  canvas: byId("image"), button: byId("draw"), palette: byId("palette"), marker: byId("brush"),
  dab(x, y, levels) {
    pixels.set(levels, 3 * (y * SIDE + x));
    markChosen(byId("thumbs"), -1);
    updateSoon();
  },
});
byId("clear").addEventListener("click", () => {
  show(Uint8ClampedArray.from({ length: 3 * SIDE * SIDE }, (_, i) => GREY[i % 3]));
});
byId("network").hidden = networks.length < 2;
networks.forEach(({ name }, place) => {
  byId("network").append(make("option", { value: place }, name));
});
byId("network").addEventListener("change", (event) => useNetwork(Number(event.target.value)));
drawInEveryScheme(() => {
  colours = signColours();
  if (views.length) update();
  else useNetwork(0);
});
tellHeight();
