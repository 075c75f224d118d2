// The surfaces of cifar_utils.descent: height, gradient and curvature at (w0, w1).
//
// A surface from Python has { name, start, limits, examples, lowest, noise, order }: pairs of
// numbers; where the lowest point is; the noise of the gradient at each step; which example each
// step draws. Both were drawn by the generator that Python's walker uses, with seed 0.

const FORMULAS = {
  line_fit: {
    loss: ([w0, w1], pairs) => mean(pairs.map(([x, y]) => (w0 + w1 * x - y) ** 2)),
    gradient: ([w0, w1], pairs) => [
      mean(pairs.map(([x, y]) => 2 * (w0 + w1 * x - y))),
      mean(pairs.map(([x, y]) => 2 * (w0 + w1 * x - y) * x)),
    ],
    curvature: (_, pairs) => {
      const across = mean(pairs.map(([x]) => 2 * x));
      return [2, across, mean(pairs.map(([x]) => 2 * x * x))];
    },
  },
  noisy_bowl: {
    loss: ([w0, w1]) => (w0 ** 2 + w1 ** 2) / 2,
    gradient: ([w0, w1]) => [w0, w1],
    curvature: () => [1, 0, 1],
  },
  ravine: {
    loss: ([w0, w1]) => (w0 ** 2 + 25 * w1 ** 2) / 2,
    gradient: ([w0, w1]) => [w0, 25 * w1],
    curvature: () => [1, 0, 25],
  },
  saddle: {
    loss: ([w0, w1]) => (w0 ** 2 - w1 ** 2 + w1 ** 4 / 2) / 2,
    gradient: ([w0, w1]) => [w0, -w1 + w1 ** 3],
    curvature: ([, w1]) => [1, 0, -1 + 3 * w1 ** 2],
  },
};

/** The height at a point, over all examples and without noise. */
export function loss(surface, point) {
  return FORMULAS[surface.name].loss(point, surface.examples);
}

/** The gradient over `examples`, without noise. */
export function gradient(surface, point, examples = surface.examples) {
  return FORMULAS[surface.name].gradient(point, examples);
}

/** 2 / λ, λ the largest eigenvalue of the Hessian: above it gradient descent grows. */
export function largestStableRate(surface, point) {
  const [first, across, second] = FORMULAS[surface.name].curvature(point, surface.examples);
  const steepest = (first + second) / 2 + Math.hypot((first - second) / 2, across);
  return steepest > 0 ? 2 / steepest : Infinity;
}

function mean(numbers) {
  return numbers.reduce((sum, number) => sum + number, 0) / numbers.length;
}
