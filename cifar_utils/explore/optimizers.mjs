// The six rules of cifar_utils.descent, and a walk with one of them.

import { gradient, loss } from "./surfaces.mjs";

// A rule: (weight, gradient, state of the step before, {} at first, lr, mu) to [step, state], each
// number of the weights by itself.
const RULES = {
  sgd: (w, g, state, lr) => [-lr * g, state],

  momentum(w, g, { velocity = 0 }, lr, mu) {
    const next = mu * velocity + g;
    return [-lr * next, { velocity: next }];
  },

  nesterov(w, g, { velocity = 0 }, lr, mu) {
    const next = mu * velocity + g;
    return [-lr * (g + mu * next), { velocity: next }];
  },

  rmsprop(w, g, { square = 0 }, lr) {
    const next = 0.99 * square + 0.01 * g ** 2;
    return [(-lr * g) / (Math.sqrt(next) + 1e-8), { square: next }];
  },

  adam(w, g, { t = 0, mean = 0, square = 0 }, lr) {
    const next = { t: t + 1, mean: 0.9 * mean + 0.1 * g, square: 0.999 * square + 0.001 * g ** 2 };
    const freedMean = next.mean / (1 - 0.9 ** next.t);
    const freedSquare = next.square / (1 - 0.999 ** next.t);
    return [(-lr * freedMean) / (Math.sqrt(freedSquare) + 1e-8), next];
  },

  adamw(w, g, state, lr) {
    const [step, next] = RULES.adam(w, g, state, lr);
    return [step - lr * 0.01 * w, next];
  },
};

export const OPTIMIZERS = Object.keys(RULES);

/**
 * Points [w0, w1, loss] from the start on, one more than there are steps.
 *
 * With `single` a step reads one example, the one that the surface's order names.
 */
export function descend({ surface, optimizer, lr, momentum, steps, start, single = false }) {
  const rule = RULES[optimizer];
  const states = [{}, {}];
  let point = start;
  const path = [[...point, loss(surface, point)]];
  for (let step = 0; step < steps; step++) {
    const examples = single ? [surface.examples[surface.order[step]]] : surface.examples;
    const slope = gradient(surface, point, examples);
    point = point.map((weight, i) => {
      const noisy = slope[i] + surface.noise[step][i];
      const [move, state] = rule(weight, noisy, states[i], lr, momentum);
      states[i] = state;
      return weight + move;
    });
    path.push([...point, loss(surface, point)]);
  }
  return path;
}
