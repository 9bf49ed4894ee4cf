// @ts-check
// A lane for each worker: its memory and scratch space, and on a canvas what it did over time.

/** Each kind of work: its colour and its word. @type {Record<string, [string, string]>} */
const KINDS = {
  m: ["map", "read and map"],
  w: ["write", "shuffle write"],
  f: ["fetch", "fetch"],
  r: ["reduce", "reduce"],
  c: ["commit", "merge and commit"],
  x: ["failed", "failed"],
  t: ["retried", "retried"],
};
const LANE_HEIGHT = 18;
// A job that has just begun fills a part of its lane only, so that the first seconds do not flicker.
const FEWEST_CELLS = 48;

/** Runs of equal cells as [kind, first, length]. @param {string} cells @returns {[string, number, number][]} */
function runsOf(cells) {
  /** @type {[string, number, number][]} */
  const runs = [];
  for (let n = 0; n < cells.length; n++) {
    const last = runs[runs.length - 1];
    if (last && last[0] === cells[n]) last[2] += 1;
    else runs.push([cells[n], n, 1]);
  }
  return runs;
}

/** A lane as it travels, "m4wr2", as cells, "mmmmwrr". @param {string} packed */
function unpacked(packed) {
  return packed.replace(/([^0-9])([0-9]+)/g, (_, kind, length) => kind.repeat(Number(length)));
}

/** "read and map 62 %, waiting 38 %" @param {string} cells */
function laneWords(cells) {
  const counts = new Map();
  for (const cell of cells) counts.set(cell, (counts.get(cell) || 0) + 1);
  return [...counts]
    .sort((one, other) => other[1] - one[1])
    .map(([kind, number]) => `${KINDS[kind]?.[1] ?? "waiting"} ${Math.round((100 * number) / cells.length)} %`)
    .join(", ");
}

/** @param {HTMLCanvasElement} canvas @param {string} cells @param {number} most cells of the longest lane */
function paintLane(canvas, cells, most) {
  const width = canvas.parentElement?.clientWidth ?? 0;
  const context = canvas.getContext("2d");
  if (!context || !width) return;
  const ratio = window.devicePixelRatio || 1;
  canvas.width = Math.round(width * ratio);
  canvas.height = LANE_HEIGHT * ratio;
  context.setTransform(ratio, 0, 0, ratio, 0, 0);
  const step = width / Math.max(most, FEWEST_CELLS);
  // Working out a colour takes the browser longer than painting a cell with it.
  /** @type {Record<string, string>} */
  const known = {};
  const colour = (/** @type {string} */ name) => (known[name] ??= colourOf(canvas, name));
  context.fillStyle = colour("track");
  context.fillRect(0, LANE_HEIGHT - 1, step * cells.length, 1);
  for (const [kind, first, length] of runsOf(cells)) {
    if (!KINDS[kind]) continue;
    context.fillStyle = colour(KINDS[kind][0]);
    const wide = Math.max(1, step * length - (step > 3 ? 0.5 : 0));
    context.fillRect(step * first, 2, wide, LANE_HEIGHT - 3);
    if (kind === "x" || kind === "t") paintMark(context, kind, step * first + wide / 2, colour("back"));
  }
}

/**
 * Failed and retried are told by a shape too.
 * @param {CanvasRenderingContext2D} context @param {string} kind @param {number} x @param {string} colour
 */
function paintMark(context, kind, x, colour) {
  const y = (LANE_HEIGHT + 1) / 2;
  context.save();
  context.strokeStyle = context.fillStyle = colour;
  context.lineWidth = 1.6;
  context.beginPath();
  if (kind === "x") {
    context.moveTo(x - 3, y - 3);
    context.lineTo(x + 3, y + 3);
    context.moveTo(x + 3, y - 3);
    context.lineTo(x - 3, y + 3);
    context.stroke();
  } else {
    context.arc(x, y, 2.4, 0, 2 * Math.PI);
    context.fill();
  }
  context.restore();
}

/** One worker's row. @param {string} name @param {() => {bucket: number, most: number}} scale */
function makeLane(name, scale) {
  let cells = "";
  const canvas = /** @type {HTMLCanvasElement} */ (
    make("canvas", {
      role: "img",
      class: "mr-lane",
      height: LANE_HEIGHT,
      onmousemove: (/** @type {MouseEvent} */ event) => {
        canvas.title = wordsAt(event.offsetX);
      },
    })
  );
  const memory = make("td", { class: "mr-num" });
  const scratch = make("td", { class: "mr-num" });
  const state = make("td", { class: "mr-dim" });
  const node = make(
    "tr",
    {},
    make("th", { scope: "row" }, name),
    memory,
    scratch,
    make("td", { class: "mr-lane-cell" }, canvas),
    state,
  );
  function wordsAt(/** @type {number} */ x) {
    const { bucket, most } = scale();
    const n = Math.floor((x / canvas.clientWidth) * Math.max(most, FEWEST_CELLS));
    if (n >= cells.length) return "";
    return `${KINDS[cells[n]]?.[1] ?? "waiting"}, ${formatDuration(n * bucket)} to ${formatDuration((n + 1) * bucket)}`;
  }
  function update(/** @type {string} */ now, /** @type {any} */ worker) {
    cells = now;
    canvas.setAttribute("aria-label", `worker ${name}: ${laneWords(cells) || "nothing yet"}`);
    const limit = worker?.limit ? ` of ${formatBytes(worker.limit)}` : "";
    setText(memory, worker?.memory ? formatBytes(worker.memory) + limit : "");
    setText(scratch, worker?.scratch ? formatBytes(worker.scratch) : "");
    setText(state, worker && worker.state !== "running" ? worker.state : "");
  }
  return { name, node, update, paint: () => paintLane(canvas, cells, scale().most) };
}

/** The table of all workers with their lanes, and what the colours mean. */
function makeLanes() {
  const body = make("tbody");
  const legend = make("p", { class: "mr-legend mr-dim" });
  const ends = [make("span", {}, "0 s"), make("span")];
  const axis = make(
    "tfoot",
    {},
    make(
      "tr",
      {},
      make("td", { colspan: 3 }),
      make("td", {}, make("div", { class: "mr-axis mr-dim" }, ends)),
      make("td"),
    ),
  );
  const head = make(
    "thead",
    {},
    make(
      "tr",
      {},
      make("th", { scope: "col" }, "worker"),
      ...["memory", "scratch"].map((name) => make("th", { scope: "col", class: "mr-num" }, name)),
      make("th", { scope: "col" }, "over time"),
      make("th", { scope: "col" }, make("span", { class: "mr-unseen" }, "state")),
    ),
  );
  const table = make("table", { class: "mr-workers", "aria-label": "workers" }, head, body, axis);
  const scroll = make(
    "div",
    { class: "mr-scroll mr-tall", role: "region", tabindex: 0, "aria-label": "workers" },
    table,
  );
  const scale = { bucket: 1, most: 1 };
  /** @type {ReturnType<typeof makeLane>[]} */
  let lanes = [];
  const node = make("div", {}, scroll, legend);
  function update(/** @type {any} */ { lanes: { bucket, rows: packedRows, more }, workers }) {
    /** @type {[string, string][]} */
    const rows = packedRows.map((/** @type {[string, string]} */ [name, packed]) => [name, unpacked(packed)]);
    node.hidden = !rows.length;
    scale.bucket = bucket;
    scale.most = Math.max(1, ...rows.map((/** @type {[string, string]} */ [, cells]) => cells.length));
    if (rows.map((/** @type {[string]} */ [name]) => name).join() !== lanes.map((lane) => lane.name).join()) {
      lanes = rows.map((/** @type {[string]} */ [name]) => makeLane(name, () => scale));
      fill(
        body,
        lanes.map((lane) => lane.node),
      );
    }
    rows.forEach((/** @type {[string, string]} */ [name, cells], /** @type {number} */ n) =>
      lanes[n].update(
        cells,
        workers.find((/** @type {any} */ worker) => worker.name === name),
      ),
    );
    setText(ends[1], formatDuration(Math.max(scale.most, FEWEST_CELLS) * bucket));
    const seen = Object.keys(KINDS).filter((kind) =>
      rows.some((/** @type {[string, string]} */ [, cells]) => cells.includes(kind)),
    );
    const isWaiting = rows.some(([, cells]) => cells.includes("."));
    if (legend.dataset.kinds !== `${seen}${isWaiting}${more}`) {
      legend.dataset.kinds = `${seen}${isWaiting}${more}`;
      fill(
        legend,
        seen.map((kind) => make("span", { class: `mr-kind mr-kind-${KINDS[kind][0]}` }, KINDS[kind][1])),
        isWaiting ? make("span", { class: "mr-kind mr-kind-none" }, "waiting") : null,
        more ? make("span", {}, `and ${counted(more, "worker")} more`) : null,
      );
    }
    paint();
  }
  const paint = () => lanes.forEach((lane) => lane.paint());
  return { node, update, paint };
}
