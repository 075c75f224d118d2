// A network that runs in the page: convolution, pooling, activation, linear, over typed arrays.
//
// Maps are { values: Float32Array, channels, height, width }, values in that order. A list of
// numbers, which a linear layer takes and gives, is `channels` maps of one number.

/** The network that Python exported, ready to run: its packed weights as numbers. */
export function unpack(exported) {
  const layers = exported.layers.map((layer) =>
    layer.weights
      ? { ...layer, weights: numbers(layer.weights), bias: Float32Array.from(layer.bias) }
      : layer,
  );
  return { ...exported, layers };
}

/** Weights from { steps, bits, packed }: whole numbers of steps, a step of its own an output. */
function numbers({ steps, bits, packed }) {
  const bytes = atob(packed);
  const middle = 2 ** (bits - 1);
  const count = Math.floor((bytes.length * 8) / bits);
  const perOutput = Math.floor(count / steps.length);
  const weights = new Float32Array(perOutput * steps.length);
  let held = 0; // bits that were read and not yet used
  let heldBits = 0;
  let next = 0;
  for (let i = 0; i < weights.length; i++) {
    while (heldBits < bits) {
      held = ((held & 0xffff) << 8) | bytes.charCodeAt(next++);
      heldBits += 8;
    }
    heldBits -= bits;
    const level = (held >> heldBits) & (2 ** bits - 1);
    weights[i] = (level - middle) * steps[Math.floor(i / perOutput)];
  }
  return weights;
}

/** Pixels (red, green, blue for each, 0 … 255) as the network sees them: (p / 255 − mean) / std. */
export function normalised(pixels, network, side = 32) {
  const values = new Float32Array(3 * side * side);
  for (let channel = 0; channel < 3; channel++) {
    for (let place = 0; place < side * side; place++) {
      const level = pixels[3 * place + channel] / 255;
      values[channel * side * side + place] =
        (level - network.mean[channel]) / network.std[channel];
    }
  }
  return { values, channels: 3, height: side, width: side };
}

/** What comes out of every layer, the input first: one more than there are layers. */
export function run(network, input) {
  const maps = [input];
  for (const layer of network.layers) {
    maps.push(RUN[layer.kind](layer, maps.at(-1)));
  }
  return maps;
}

/** Logits to probabilities. */
export function softmax(logits) {
  const highest = Math.max(...logits);
  const powers = Array.from(logits, (logit) => Math.exp(logit - highest));
  const total = powers.reduce((sum, power) => sum + power, 0);
  return powers.map((power) => power / total);
}

/** Ten probabilities of pixels, in the order of network.classes. */
export function probabilities(network, pixels) {
  return softmax(run(network, normalised(pixels, network)).at(-1).values);
}

const RUN = {
  convolution: convolve,
  linear,
  max_pool: (layer, maps) => pool(layer, maps, Math.max, -Infinity, 1),
  average_pool: (layer, maps) => pool(layer, maps, (a, b) => a + b, 0, side(layer, maps) ** 2),
  relu: (_, maps) => each(maps, (x) => (x > 0 ? x : 0)),
  gelu: (_, maps) => each(maps, gelu),
  divide: (layer, maps) => each(maps, (x) => x / layer.by),
  flatten: (_, { values }) => ({ values, channels: values.length, height: 1, width: 1 }),
};

function convolve({ weights, bias, inputs, outputs, size, padding }, maps) {
  const around = padded(maps, padding);
  const height = around.height - size + 1;
  const width = around.width - size + 1;
  const values = new Float32Array(outputs * height * width);
  for (let output = 0; output < outputs; output++) {
    const map = values.subarray(output * height * width, (output + 1) * height * width);
    map.fill(bias[output]);
    for (let input = 0; input < inputs; input++) {
      for (let row = 0; row < size; row++) {
        for (let column = 0; column < size; column++) {
          const weight = weights[((output * inputs + input) * size + row) * size + column];
          const corner = (input * around.height + row) * around.width + column;
          addShifted(map, around, corner, weight, height, width);
        }
      }
    }
  }
  return { values, channels: outputs, height, width };
}

/** Add to a map `weight` times the window of the same size that begins at `corner`. */
function addShifted(map, around, corner, weight, height, width) {
  const { values, width: stride } = around;
  for (let y = 0; y < height; y++) {
    const from = corner + y * stride;
    const to = y * width;
    for (let x = 0; x < width; x++) map[to + x] += weight * values[from + x];
  }
}

/** The same maps with a border of zeros. */
function padded(maps, padding) {
  if (padding === 0) return maps;
  const height = maps.height + 2 * padding;
  const width = maps.width + 2 * padding;
  const values = new Float32Array(maps.channels * height * width);
  for (let channel = 0; channel < maps.channels; channel++) {
    for (let y = 0; y < maps.height; y++) {
      const from = (channel * maps.height + y) * maps.width;
      const to = (channel * height + y + padding) * width + padding;
      values.set(maps.values.subarray(from, from + maps.width), to);
    }
  }
  return { values, channels: maps.channels, height, width };
}

/** The side of a pooling's window; 0 stands for the whole map. */
export function side(layer, maps) {
  return layer.size || maps.height;
}

function pool(layer, maps, combine, start, divisor) {
  const size = side(layer, maps);
  const height = Math.floor(maps.height / size);
  const width = Math.floor(maps.width / size);
  const values = new Float32Array(maps.channels * height * width);
  for (let place = 0; place < values.length; place++) {
    const x = place % width;
    const y = Math.floor(place / width) % height;
    const channel = Math.floor(place / (width * height));
    let result = start;
    for (let row = 0; row < size; row++) {
      const from = (channel * maps.height + y * size + row) * maps.width + x * size;
      for (let column = 0; column < size; column++) {
        result = combine(result, maps.values[from + column]);
      }
    }
    values[place] = result / divisor;
  }
  return { values, channels: maps.channels, height, width };
}

function linear({ weights, bias, inputs, outputs }, maps) {
  const values = new Float32Array(outputs);
  for (let output = 0; output < outputs; output++) {
    let sum = bias[output];
    for (let input = 0; input < inputs; input++) {
      sum += weights[output * inputs + input] * maps.values[input];
    }
    values[output] = sum;
  }
  return { values, channels: outputs, height: 1, width: 1 };
}

function each(maps, change) {
  return { ...maps, values: maps.values.map(change) };
}

/** x · Φ(x), with the normal distribution's Φ. */
function gelu(x) {
  return (x * (1 + erf(x / Math.SQRT2))) / 2;
}

/** The error function to 1.5e-7 (Abramowitz & Stegun 1964, 7.1.26). */
function erf(x) {
  const t = 1 / (1 + 0.3275911 * Math.abs(x));
  const powers = [0.254829592, -0.284496736, 1.421413741, -1.453152027, 1.061405429];
  const sum = powers.reduceRight((rest, factor) => (rest + factor) * t, 0);
  return Math.sign(x) * (1 - sum * Math.exp(-x * x));
}
