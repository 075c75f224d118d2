// Drawing on the image by pointer, touch or keys.

import { arrow, make } from "./page.mjs";
import { SIDE } from "./image.mjs";

const COLOURS = {
  white: [250, 250, 248], grey: [125, 123, 114], black: [20, 20, 22], sky: [110, 170, 220],
  sea: [30, 70, 130], grass: [70, 120, 50], brown: [120, 80, 45], red: [190, 40, 35],
};
const CENTRE = SIDE / 2;

/**
 * Let the canvas be drawn on while the button is pressed.
 *
 * `dab(x, y, colour)` is called with a pixel and red, green, blue in 0 … 255.
 */
export function brush({ canvas, button, palette, marker, dab }) {
  let colour = COLOURS.white;
  let at = { x: CENTRE, y: CENTRE };
  const inside = (position) => Math.min(SIDE - 1, Math.max(0, position));
  const drawing = () => button.ariaPressed === "true";

  for (const [name, levels] of Object.entries(COLOURS)) {
    const choice = make("button", { type: "button", title: name, ariaLabel: name });
    choice.ariaPressed = String(name === "white");
    choice.style.background = `rgb(${levels.join(", ")})`;
    choice.addEventListener("click", () => {
      colour = levels;
      for (const other of palette.children) other.ariaPressed = String(other === choice);
    });
    palette.append(choice);
  }

  const place = () => {
    marker.hidden = !(drawing() && document.activeElement === canvas);
    marker.style.left = `${(100 * at.x) / SIDE}%`;
    marker.style.top = `${(100 * at.y) / SIDE}%`;
    marker.style.width = marker.style.height = `${100 / SIDE}%`;
  };

  button.addEventListener("click", () => {
    button.ariaPressed = String(!drawing());
    palette.hidden = !drawing();
    canvas.style.touchAction = drawing() ? "none" : "";
    canvas.style.cursor = drawing() ? "crosshair" : "";
    place();
  });

  const pixelOf = (event) => {
    const bounds = canvas.getBoundingClientRect();
    const part = (position, length) => inside(Math.floor((SIDE * position) / length));
    return {
      x: part(event.clientX - bounds.left, bounds.width),
      y: part(event.clientY - bounds.top, bounds.height),
    };
  };

  const lineTo = (end) => {
    const steps = Math.max(1, Math.abs(end.x - at.x), Math.abs(end.y - at.y));
    for (let step = 1; step <= steps; step++) {
      const part = step / steps;
      const between = (axis) => Math.round(at[axis] + part * (end[axis] - at[axis]));
      dab(between("x"), between("y"), colour);
    }
    at = end;
    place();
  };

  canvas.addEventListener("pointerdown", (event) => {
    if (!drawing()) return;
    canvas.setPointerCapture(event.pointerId);
    at = pixelOf(event);
    lineTo(at);
  });
  canvas.addEventListener("pointermove", (event) => {
    if (drawing() && event.buttons) lineTo(pixelOf(event));
  });
  canvas.addEventListener("focus", place);
  canvas.addEventListener("blur", place);
  canvas.addEventListener("keydown", (event) => {
    if (!drawing()) return;
    const direction = arrow(event.key);
    if (direction) {
      at = { x: inside(at.x + direction[0]), y: inside(at.y + direction[1]) };
      place();
    } else if (event.key === " " || event.key === "Enter") {
      lineTo(at);
    } else {
      return;
    }
    event.preventDefault();
  });
}
