// The random changes of cifar_utils.augment, for one normalised image, and the draws they need.
//
// An image is { values, channels, height, width }, as in network.mjs, and square. As there, 0 is
// the mean colour.

/** Change an image by a draw: first shift, then mirror, rotate and cut out. */
export function change(image, { corner, mirrored, degrees, hole, size, padding }) {
  let changed = shift(image, corner, padding);
  if (mirrored) changed = mirror(changed);
  if (degrees) changed = rotate(changed, degrees);
  return size ? cutout(changed, hole, size) : changed;
}

/** The window that begins at `corner`, [row, column], of the image with a reflected border. */
export function shift(image, [top, left], padding) {
  const last = image.height - 1;
  const reflected = (place) => last - Math.abs(last - Math.abs(place));
  return remade(image, (map, y, x) =>
    map(reflected(y + top - padding), reflected(x + left - padding)),
  );
}

/** Left and right exchanged. */
export function mirror(image) {
  return remade(image, (map, y, x) => map(y, image.width - 1 - x));
}

/** Turned counter-clockwise about the centre, bilinear, the corners filled with 0. */
export function rotate(image, degrees) {
  const [cos, sin] = [Math.cos((degrees * Math.PI) / 180), Math.sin((degrees * Math.PI) / 180)];
  const centre = (image.height - 1) / 2;
  const isInside = (y, x) => y >= 0 && x >= 0 && y < image.height && x < image.width;
  const inside = (map, y, x) => (isInside(y, x) ? map(y, x) : 0);
  return remade(image, (map, y, x) => {
    const fromY = sin * (x - centre) + cos * (y - centre) + centre;
    const fromX = cos * (x - centre) - sin * (y - centre) + centre;
    const [above, before] = [Math.floor(fromY), Math.floor(fromX)];
    const [down, right] = [fromY - above, fromX - before];
    return (
      (1 - down) * (1 - right) * inside(map, above, before) +
      (1 - down) * right * inside(map, above, before + 1) +
      down * (1 - right) * inside(map, above + 1, before) +
      down * right * inside(map, above + 1, before + 1)
    );
  });
}

/** A square of `size` pixels about `centre`, [row, column], becomes 0; clipped at the border. */
export function cutout(image, centre, size) {
  const [top, left] = centre.map((place) => place - Math.floor(size / 2));
  const isHole = (y, x) => y >= top && y < top + size && x >= left && x < left + size;
  return remade(image, (map, y, x) => (isHole(y, x) ? 0 : map(y, x)));
}

/** A new image of the values that `value(map, y, x)` gives, with map(y, x) of the old one. */
function remade(image, value) {
  const { values, channels, height, width } = image;
  const fresh = new Float32Array(values.length);
  for (let channel = 0; channel < channels; channel++) {
    const start = channel * height * width;
    const map = (y, x) => values[start + y * width + x];
    for (let y = 0; y < height; y++) {
      for (let x = 0; x < width; x++) fresh[start + y * width + x] = value(map, y, x);
    }
  }
  return { ...image, values: fresh };
}

/**
 * A draw from six chances in 0 … 1. The same chances and larger settings give a larger change.
 *
 * Settings: padding and size in pixels, share of mirrored images, degrees either way.
 */
export function drawFrom(chances, { padding, share, degrees, size }, side = 32) {
  const [up, across, turned, angle, row, column] = chances;
  return {
    corner: [up, across].map((chance) => Math.floor(chance * (2 * padding + 1))),
    mirrored: turned < share,
    degrees: (2 * angle - 1) * degrees,
    hole: [row, column].map((chance) => Math.floor(chance * side)),
    size,
    padding,
  };
}

/** A source of chances in 0 … 1 that a seed determines (mulberry32, by Tommy Ettinger). */
export function chancesOf(seed) {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}
