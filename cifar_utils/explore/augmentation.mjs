// Forty random changes of one image, and what the network says of each.

import { change, chancesOf, drawFrom } from "./augment.mjs";
import { bars } from "./bars.mjs";
import { normalised, run, softmax, unpack } from "./network.mjs";
import {
  byId, content, drawInEveryScheme, make, oncePerFrame, percent, tellHeight,
} from "./page.mjs";
import {
  SIDE, markChosen, paint, pixelsFrom, readImage, takeFiles, thumbnails,
} from "./image.mjs";

const COUNT = 40;
const CHANCES = 6; // of a draw
const AT_ONCE = 5; // draws that the network sees between two frames of the screen
const NONE = { padding: 0, share: 0, degrees: 0, size: 0 };
const UNITS = {
  padding: (value) => (value === 1 ? "1 pixel" : `${value} pixels`),
  share: (value) => `${value} %`,
  degrees: (value) => `±${value}°`,
  size: (value) => (value ? `${value} × ${value}` : "none"),
};

const given = content();
const network = unpack(given.network);
const images = given.images.map(({ name, pixels }) => ({ name, pixels: pixelsFrom(pixels) }));
const moveBars = bars(byId("bars"), network.classes);
const figures = Array.from({ length: COUNT }, () => {
  const canvas = make("canvas", { width: SIDE, height: SIDE });
  const caption = make("figcaption", {});
  const figure = make("figure", { className: "draw" }, canvas, caption);
  byId("draws").append(figure);
  return { canvas, caption, figure };
});

let image = null; // normalised
let name = ""; // of the class that is right
let isOwn = false; // then the class is what the network says of the image as it is
let seed = 0;
let round = 0; // a newer one ends the older ones

function settings() {
  const read = Object.fromEntries(Object.keys(NONE).map((id) => [id, Number(byId(id).value)]));
  return { ...read, share: read.share / 100 };
}

function set(chosen) {
  for (const id of Object.keys(NONE)) byId(id).value = chosen[id];
  update();
}

/** Forty changed images at once; the network's answers follow, a few a frame. */
function update() {
  for (const id of Object.keys(NONE)) {
    byId(id).parentElement.querySelector("output").textContent = UNITS[id](Number(byId(id).value));
  }
  const chance = chancesOf(seed);
  const images = figures.map(({ canvas }) => {
    const chances = Array.from({ length: CHANCES }, chance);
    const changed = change(image, drawFrom(chances, settings()));
    paint(canvas, asPixels(changed));
    return changed;
  });
  round += 1;
  answer(images, [], round, 0);
}

/** Ask the network about the next few images, and go on in the screen's next frame. */
function answer(images, answers, mine, spent) {
  if (mine !== round) return;
  const start = performance.now();
  const next = answers.length + AT_ONCE;
  while (answers.length < Math.min(next, COUNT)) {
    answers.push(softmax(run(network, images[answers.length]).at(-1).values));
    caption(answers.length - 1, answers.at(-1));
  }
  const total = spent + performance.now() - start;
  if (answers.length < COUNT) requestAnimationFrame(() => answer(images, answers, mine, total));
  else conclude(answers, total);
}

function caption(place, shares) {
  const { caption: text, figure } = figures[place];
  const best = shares.indexOf(Math.max(...shares));
  const said = network.classes[best];
  text.textContent = `${said} ${percent(shares[best], 0)}`;
  figure.className = said === name ? "draw right" : "draw wrong";
}

function conclude(answers, milliseconds) {
  const right = document.querySelectorAll(".draw.right").length;
  const of = isOwn ? `what ${network.name} calls the image as it is` : "which is right";
  byId("verdict").textContent = `${right} of ${COUNT} draws are called ${name}, ${of}.`;
  const mean = (place) => answers.reduce((sum, each) => sum + each[place], 0) / COUNT;
  moveBars(network.classes.map((_, place) => mean(place)));
  const each = Math.max(1, Math.round(milliseconds / COUNT));
  byId("cost").textContent = `${network.name}: ${each} ms a draw in this browser.`;
}

/** A normalised image as pixels again. */
function asPixels({ values }) {
  const pixels = new Uint8ClampedArray(values.length);
  for (let place = 0; place < SIDE * SIDE; place++) {
    for (let channel = 0; channel < 3; channel++) {
      const value = values[channel * SIDE * SIDE + place];
      pixels[3 * place + channel] = 255 * (value * network.std[channel] + network.mean[channel]);
    }
  }
  return pixels;
}

function show(pixels, place = -1) {
  paint(byId("image"), pixels);
  image = normalised(pixels, network);
  isOwn = place < 0;
  const shares = softmax(run(network, image).at(-1).values);
  name = isOwn ? network.classes[shares.indexOf(Math.max(...shares))] : images[place].name;
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

thumbnails(byId("thumbs"), images, (place) => show(images[place].pixels, place));
takeFiles(byId("file"), take);
const updateSoon = oncePerFrame(update);
for (const id of Object.keys(NONE)) byId(id).addEventListener("input", updateSoon);
byId("again").addEventListener("click", () => {
  seed += 1;
  update();
});
byId("none").addEventListener("click", () => set(NONE));
byId("study").addEventListener("click", () => set(given.training));
for (const id of Object.keys(NONE)) byId(id).value = given.training[id];
show(images[given.first].pixels, given.first);
drawInEveryScheme(() => {}); // no canvas here has colours of the scheme
tellHeight();
