// @ts-check
// Three small charts over the chunk sizes: time with its band, memory of a worker, scheduling.

const WIDTH = 420, LEFT = 58, RIGHT = 10;

/** Where a chunk size lies between the positions of the slider. @param {number[]} sizes @param {number} size */
function positionOf(sizes, size) {
  const above = sizes.findIndex((one) => one >= size);
  if (above <= 0) return above < 0 ? sizes.length - 1 : 0;
  const [low, high] = [sizes[above - 1], sizes[above]];
  return above - 1 + Math.log(size / low) / Math.log(high / low);
}

/** Round numbers between two others, evenly by ratio or by difference. */
function ticksBetween(/** @type {number} */ low, /** @type {number} */ high, /** @type {boolean} */ isLog) {
  if (!isLog) return [low, (low + high) / 2, high];
  return [low, Math.sqrt(low * high), high];
}

/**
 * One chart. `show` takes the predicted values, the factor of their band, measured values and where the slider is.
 * @param {string} name @param {number} height @param {boolean} isLog @param {(value: number) => string} words
 * @param {number} count of positions
 */
function makeChart(name, height, isLog, words, count) {
  const plot = draw("g", {}), axis = draw("g", { class: "mr-axis" });
  const node = draw("svg", { viewBox: `0 0 ${WIDTH} ${height}`, role: "img", "aria-label": name, class: "mr-chart" },
    draw("text", { x: LEFT, y: 11, class: "mr-axis" }, name), axis, plot);
  const x = (/** @type {number} */ position) => LEFT + (WIDTH - LEFT - RIGHT) * (count > 1 ? position / (count - 1) : 0.5);
  function show(/** @type {number[]} */ values, /** @type {number} */ band, /** @type {[number, number][]} */ measured,
    /** @type {number} */ here, /** @type {number} */ usual) {
    const all = [...values.map((v) => v * band), ...values.map((v) => v / band), ...measured.map((m) => m[1])]
      .filter((value) => value > 0);
    const high = Math.max(...all) * (isLog ? 1.1 : 1), low = isLog ? Math.min(...all) / 1.1 : 0;
    const scale = (/** @type {number} */ value) => (isLog ? Math.log(Math.max(value, low) / low) / Math.log(high / low)
      : value / (high || 1));
    const y = (/** @type {number} */ value) => height - 6 - (height - 26) * scale(value);
    const line = (/** @type {number[]} */ ones) => ones.map((v, n) => `${x(n).toFixed(1)},${y(v).toFixed(1)}`);
    fill(axis, ticksBetween(low, high, isLog).map((tick) => [
      draw("line", { x1: LEFT, x2: WIDTH - RIGHT, y1: y(tick), y2: y(tick), class: "mr-grid" }),
      draw("text", { x: LEFT - 6, y: y(tick) + 4, "text-anchor": "end" }, words(tick))]).flat());
    const edge = [...line(values.map((v) => v * band)), ...line(values.map((v) => v / band)).reverse()];
    fill(plot, band > 1 && draw("polygon", { points: edge.join(" "), class: "mr-band" }),
      draw("polyline", { points: line(values).join(" "), class: "mr-predicted" }),
      measured.map(([position, value]) => draw("circle", { cx: x(position), cy: y(value), r: 3.5, class: "mr-measured" })),
      draw("line", { x1: x(usual), x2: x(usual), y1: height - 14, y2: height - 6, class: "mr-usual" }),
      draw("line", { x1: x(here), x2: x(here), y1: 16, y2: height - 6, class: "mr-here" }),
      draw("circle", { cx: x(here), cy: y(values[here]), r: 4.5, class: "mr-point" }));
    node.setAttribute("aria-label", `${name}: ${words(values[here])} at the chosen chunk size, ` +
      `from ${words(Math.min(...values))} to ${words(Math.max(...values))} over all`);
  }
  return { node, show };
}

/** The three charts of a tuning. @param {any} state */
function makeCharts(state) {
  const count = state.chunkSizes.length;
  const time = makeChart("time for the whole input", 150, true, shortTime, count);
  const memory = makeChart("memory of a worker", 84, false, formatBytes, count);
  const idle = makeChart("idle workers and scheduling, share of the time", 84, false, (share) => `${Math.round(100 * share)} %`, count);
  const node = make("div", { class: "mr-charts" }, time.node, memory.node, idle.node,
    make("p", { class: "mr-dim" }, "chunk sizes from ", exactSizes(state), "; rings were measured, scaled to the whole input; the short mark below is the default"));
  function show(/** @type {number[]} */ at, /** @type {any[]} */ more) {
    const points = state.chunkSizes.map((/** @type {any} */ _, /** @type {number} */ size) =>
      pointAt(state, [size, at[1], at[2], at[3]]));
    const runs = [...state.runs, ...more].filter((run) => run.full && run.workers === state.workers[at[1]]
      && run.combine === state.combine[at[3]] && run.scaled > 0);
    const measured = (/** @type {string} */ name) => runs.map((run) =>
      /** @type {[number, number]} */ ([positionOf(state.chunkSizes, run.chunk), run[name]]));
    time.show(points.map((/** @type {number[]} */ p) => p[SECONDS]), Math.exp(state.error), measured("scaled"), at[0], state.default[0]);
    memory.show(points.map((/** @type {number[]} */ p) => p[MEMORY]), 1, measured("memory"), at[0], state.default[0]);
    idle.show(points.map((/** @type {number[]} */ p) => Math.min(1, p[OVERHEAD] / p[SECONDS])), 1, measured("overhead"), at[0], state.default[0]);
  }
  return { node, show };
}

/** @param {any} state */
function exactSizes(state) {
  return `${state.labels[0]} to ${state.labels[state.labels.length - 1]}`;
}
