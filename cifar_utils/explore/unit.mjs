// One unit of a layer: the patch of the image that it sees, and the sum that makes its number.

import { side } from "./network.mjs";

/** Where a unit lies: its place in the values of its layer, from map, row and column. */
export function placeOf(maps, { channel, y, x }) {
  return (channel * maps.height + y) * maps.width + x;
}

/**
 * The pixels of the image that a unit depends on: { top, left, bottom, right }, ends not included.
 *
 * `layers` are those up to the unit's own, `maps` what went into each, the image first.
 */
export function patch(layers, maps, { y, x }) {
  let box = { top: y, left: x, bottom: y + 1, right: x + 1 };
  for (let i = layers.length - 1; i >= 0; i--) {
    box = windowBelow(layers[i], maps[i], box);
  }
  return box;
}

function windowBelow(layer, maps, { top, left, bottom, right }) {
  const { height, width } = maps;
  if (layer.kind === "linear" || layer.kind === "flatten") {
    return { top: 0, left: 0, bottom: height, right: width };
  }
  let window = { top, left, bottom, right };
  if (layer.kind === "convolution") {
    const { size, padding } = layer;
    const reach = size - 1 - padding;
    window = {
      top: top - padding,
      left: left - padding,
      bottom: bottom + reach,
      right: right + reach,
    };
  } else if (layer.kind.endsWith("pool")) {
    const size = side(layer, maps);
    window = { top: top * size, left: left * size, bottom: bottom * size, right: right * size };
  }
  return {
    top: Math.max(0, window.top),
    left: Math.max(0, window.left),
    bottom: Math.min(height, window.bottom),
    right: Math.min(width, window.right),
  };
}

/**
 * How a convolution's unit comes about: { bias, terms }, a term for each map below it.
 *
 * A term is { input, seen, kernel, sum }, row after row; the unit is bias plus all sums.
 */
export function convolutionTerms(layer, maps, { channel, y, x }) {
  const { size, padding, inputs, weights } = layer;
  const terms = [];
  for (let input = 0; input < inputs; input++) {
    const start = (channel * inputs + input) * size * size;
    const kernel = weights.slice(start, start + size * size);
    const seen = windowOf(maps, input, y - padding, x - padding, size);
    const sum = kernel.reduce((total, weight, i) => total + weight * seen[i], 0);
    terms.push({ input, seen, kernel, sum });
  }
  return { bias: layer.bias[channel], terms };
}

/** How a linear unit comes about: { bias, terms }, a term { input, seen, weight, sum } an input. */
export function linearTerms(layer, maps, { channel }) {
  const terms = [];
  for (let input = 0; input < layer.inputs; input++) {
    const weight = layer.weights[channel * layer.inputs + input];
    const seen = maps.values[input];
    terms.push({ input, seen, weight, sum: weight * seen });
  }
  return { bias: layer.bias[channel], terms };
}

/** The numbers that a pooling's unit takes together, row after row. */
export function pooled(layer, maps, { channel, y, x }) {
  const size = side(layer, maps);
  return windowOf(maps, channel, y * size, x * size, size);
}

/** A window of a map, zeros where it reaches over the border. */
function windowOf(maps, channel, top, left, size) {
  const window = new Float32Array(size * size);
  for (let row = 0; row < size; row++) {
    for (let column = 0; column < size; column++) {
      const [y, x] = [top + row, left + column];
      const inside = y >= 0 && x >= 0 && y < maps.height && x < maps.width;
      if (inside) window[row * size + column] = maps.values[placeOf(maps, { channel, y, x })];
    }
  }
  return window;
}

/** The terms that weigh most, and the sum of all others: { largest, rest, others }. */
export function largestTerms(terms, count) {
  const ordered = [...terms].sort((a, b) => Math.abs(b.sum) - Math.abs(a.sum));
  const rest = ordered.slice(count);
  return {
    largest: ordered.slice(0, count),
    rest: rest.reduce((total, term) => total + term.sum, 0),
    others: rest.length,
  };
}
