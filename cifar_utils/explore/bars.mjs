// Ten bars, one a class, that move to the probabilities they are given.

import { make, percent } from "./page.mjs";

/** Fill `box` with a bar for each name; the function that is returned moves them. */
export function bars(box, names) {
  const rows = names.map((name) => {
    const fill = make("div", { className: "fill" });
    const number = make("span", { className: "number" });
    const track = make("div", { className: "track" }, fill);
    const row = make("div", { className: "bar" }, make("span", {}, name), track, number);
    box.append(row);
    return { row, fill, number };
  });
  return (shares) => {
    const highest = Math.max(...shares);
    rows.forEach(({ row, fill, number }, place) => {
      fill.style.width = `${100 * shares[place]}%`;
      number.textContent = percent(shares[place]);
      row.classList.toggle("first", shares[place] === highest);
    });
  };
}
