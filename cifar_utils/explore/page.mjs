// What every explorer shares: its data, elements, colours, and the height that it tells.

/** What Python put into the page. */
export function content() {
  return JSON.parse(byId("content").textContent);
}

export function byId(id) {
  return document.getElementById(id);
}

/** A new element with its properties and children: make("button", { type: "button" }, "Clear"). */
export function make(tag, properties = {}, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(properties)) {
    if (name in element) element[name] = value;
    else element.setAttribute(name, value);
  }
  element.append(...children);
  return element;
}

/** A colour of the style sheet in the scheme in force: [red, green, blue], 0 … 255. */
export function colour(name) {
  const probe = make("span", { hidden: true });
  probe.style.color = `var(--${name})`;
  document.body.append(probe);
  const numbers = getComputedStyle(probe).color.match(/[\d.]+/g).slice(0, 3).map(Number);
  probe.remove();
  return numbers;
}

/** Colours for numbers from −1 (blue) over 0 (the page's own) to 1 (orange). */
export function signColours() {
  const [zero, plus, minus] = ["paper", "plus", "minus"].map(colour);
  return (share) => {
    const part = Math.min(1, Math.abs(share) || 0);
    const end = share > 0 ? plus : minus;
    return zero.map((level, i) => Math.round(level + part * (end[i] - level)));
  };
}

/** Call `draw` now, and again whenever light and dark change. */
export function drawInEveryScheme(draw) {
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", draw);
  addEventListener("message", ({ data }) => {
    if (!data?.explorer || data.dark === null) return;
    const scheme = data.dark ? "dark" : "light";
    if (document.documentElement.style.colorScheme === scheme) return;
    document.documentElement.style.colorScheme = scheme;
    draw();
  });
  draw();
}

/** Tell the page around the frame how high this one is, now and after every change. */
export function tellHeight() {
  const tell = () => {
    if (innerWidth === 0) {
      setTimeout(tell, 200); // a frame that has no size yet
      return;
    }
    const explorerHeight = Math.ceil(document.body.getBoundingClientRect().height);
    parent.postMessage({ explorerHeight }, "*");
  };
  new ResizeObserver(tell).observe(document.body);
  addEventListener("message", ({ data }) => {
    if (!data?.explorer) return;
    document.documentElement.style.overflowY = "hidden"; // the frame grows: no bar beside it
    if (data.asked) tell();
  });
  tell(); // a frame that is out of sight observes nothing until it is seen
}

/** `act` at most once a frame of the screen, however often it is asked for. */
export function oncePerFrame(act) {
  let waiting = false;
  return () => {
    if (waiting) return;
    waiting = true;
    requestAnimationFrame(() => {
      waiting = false;
      act();
    });
  };
}

/** "−0.42": two digits after the point, and a true minus sign. */
export function short(number, digits = 2) {
  const text = number.toFixed(digits);
  return /^-0\.?0*$/.test(text) ? text.slice(1) : text.replace("-", "−");
}

/** "83.1 %" */
export function percent(share, digits = 1) {
  return `${(100 * share).toFixed(digits)} %`;
}

/** The direction of an arrow key as [columns, rows], or undefined for any other key. */
export function arrow(key) {
  return { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] }[key];
}
