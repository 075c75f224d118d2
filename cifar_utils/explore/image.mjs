// Images as people have them, made the 32 × 32 pixels that a network sees.

export const SIDE = 32;
const BACKGROUND = "rgb(125, 123, 114)"; // behind transparency: CIFAR-10's mean colour
const BYTES = 64e6; // the largest file that is opened
const ENOUGH = 1024; // pixels a side from which an image is shrunk

/** Red, green and blue of each of the 32 × 32 pixels, from base64. */
export function pixelsFrom(base64) {
  return Uint8ClampedArray.from(atob(base64), (letter) => letter.charCodeAt(0));
}

/** Draw pixels on a canvas of their size. */
export function paint(canvas, pixels) {
  const context = canvas.getContext("2d");
  const image = context.createImageData(SIDE, SIDE);
  for (let place = 0; place < SIDE * SIDE; place++) {
    image.data.set(pixels.subarray(3 * place, 3 * place + 3), 4 * place);
    image.data[4 * place + 3] = 255;
  }
  context.putImageData(image, 0, 0);
}

/**
 * The middle square of a file's image, shrunk to 32 × 32: each pixel the mean of its area.
 *
 * Throws an Error whose message is one sentence for the reader.
 */
export async function readImage(file) {
  const name = file.name || "What was pasted";
  if (file.size > BYTES) {
    const megabytes = Math.round(file.size / 1e6);
    throw new Error(`${name} has ${megabytes} MB; at most ${BYTES / 1e6} are read.`);
  }
  let bitmap;
  try {
    bitmap = await createImageBitmap(file);
  } catch {
    throw new Error(`${name} is not an image that this browser can read, or is too large for it.`);
  }
  const edge = Math.min(bitmap.width, bitmap.height);
  const small = Math.min(edge, ENOUGH);
  const canvas = new OffscreenCanvas(small, small);
  const context = canvas.getContext("2d");
  context.imageSmoothingQuality = "high";
  context.fillStyle = BACKGROUND;
  context.fillRect(0, 0, small, small);
  const left = Math.floor((bitmap.width - edge) / 2);
  const top = Math.floor((bitmap.height - edge) / 2);
  context.drawImage(bitmap, left, top, edge, edge, 0, 0, small, small);
  bitmap.close();
  return shrunk(context.getImageData(0, 0, small, small).data, small);
}

/** A square of edge × edge pixels with four numbers each as 32 × 32 with three: means of areas. */
export function shrunk(data, edge) {
  const pixels = new Uint8ClampedArray(3 * SIDE * SIDE);
  const shares = areas(edge);
  for (let y = 0; y < SIDE; y++) {
    for (let x = 0; x < SIDE; x++) {
      const sums = [0, 0, 0];
      for (const [row, high] of shares[y]) {
        for (const [column, wide] of shares[x]) {
          for (let i = 0; i < 3; i++) sums[i] += high * wide * data[4 * (row * edge + column) + i];
        }
      }
      pixels.set(sums, 3 * (y * SIDE + x));
    }
  }
  return pixels;
}

/** For each of the 32 places the old places below it, each with its share; they add up to 1. */
function areas(edge) {
  const width = edge / SIDE;
  return Array.from({ length: SIDE }, (_, place) => {
    const [start, end] = [place * width, (place + 1) * width];
    const below = [];
    for (let old = Math.floor(start); old < Math.min(edge, Math.ceil(end)); old++) {
      below.push([old, (Math.min(end, old + 1) - Math.max(start, old)) / width]);
    }
    return below;
  });
}

/** Hand over every file that is chosen, dropped on the page or pasted. */
export function takeFiles(input, take) {
  input.addEventListener("change", () => {
    if (input.files[0]) take(input.files[0]);
    input.value = ""; // the same file may be chosen again
  });
  document.addEventListener("dragover", (event) => event.preventDefault());
  document.addEventListener("drop", (event) => {
    event.preventDefault();
    const [file] = event.dataTransfer.files;
    if (file) take(file);
  });
  document.addEventListener("paste", (event) => {
    const [file] = event.clipboardData.files;
    if (file) take(file);
  });
}

/** A row of buttons, one a photograph; `choose` gets its place. */
export function thumbnails(box, images, choose) {
  images.forEach(({ name, pixels }, place) => {
    const canvas = document.createElement("canvas");
    canvas.width = canvas.height = SIDE;
    paint(canvas, pixels);
    const button = document.createElement("button");
    button.type = "button";
    button.title = button.ariaLabel = name;
    button.ariaPressed = "false";
    button.append(canvas);
    button.addEventListener("click", () => choose(place));
    box.append(button);
  });
}

/** Mark which photograph of the row is shown; −1: none of them. */
export function markChosen(box, chosen) {
  [...box.children].forEach((button, place) => {
    button.ariaPressed = String(place === chosen);
  });
}
