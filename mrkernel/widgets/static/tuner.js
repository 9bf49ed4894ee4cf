// @ts-check
// A tuning with sliders: predictions for every point came with it, so that moving one asks nobody.

/** Which columns of a point hold what. */
const SECONDS = 0, MEMORY = 1, TASKS = 2, REDUCES = 3, OVERHEAD = 4;

/** The numbers of a point. @param {any} state @param {number[]} at chunk size, workers, reducers, combine */
function pointAt(state, [size, workers, reducers, combine]) {
  return state.points[size][(workers * state.reducers.length + reducers) * state.combine.length + combine];
}

/** Text to paste for a point; empty for the default. @param {any} state @param {number[]} at */
function optionsAt(state, [size, workers, reducers, combine]) {
  return [state.options[size], state.reducers[reducers] ? `--reducers ${state.reducers[reducers]}` : "",
    workers === state.default[1] ? "" : `--workers ${state.workers[workers]}`,
    state.combine[combine] === "auto" ? "" : `--combine ${state.combine[combine]}`].filter(Boolean).join(" ");
}

/** "23.4 ms", "2.35 s", "3 min 05 s" @param {number} seconds */
function shortTime(seconds) {
  if (seconds < 0.1) return `${(seconds * 1000).toFixed(1)} ms`;
  return seconds < 10 ? `${seconds.toFixed(2)} s` : formatDuration(seconds);
}

/** Words for a point, and for how it stands to the default. @param {any} state @param {number[]} at */
function predictionWords(state, at) {
  const point = pointAt(state, at), before = pointAt(state, state.default)[SECONDS];
  const band = Math.exp(state.error), ratio = before / point[SECONDS];
  const near = Math.abs(Math.log(ratio)) < 0.03;
  const other = ratio >= 1 ? `${ratio.toFixed(1)} × as fast as the default` : `${(1 / ratio).toFixed(1)} × as slow as the default`;
  return {
    time: `${shortTime(point[SECONDS])} (${shortTime(point[SECONDS] / band)} to ${shortTime(point[SECONDS] * band)})`,
    memory: `${formatBytes(point[MEMORY])} for each worker`,
    tasks: counted(point[TASKS], "map task") + (point[REDUCES] ? `, ${counted(point[REDUCES], "reduce task")}` : ""),
    scheduling: `${shortTime(point[OVERHEAD])} of it`,
    compared: near ? "as fast as the default" : other,
  };
}

/**
 * A labelled slider that shows what its position means.
 * @param {string} name @param {string[]} values @param {number} start @param {(position: number) => void} onmove
 */
function makeSlider(name, values, start, onmove) {
  const id = `mr-${Math.random().toString(36).slice(2)}`;
  const shown = make("output", { class: "mr-value", for: id });
  const input = /** @type {HTMLInputElement} */ (make("input",
    { type: "range", id, min: 0, max: values.length - 1, step: 1, disabled: values.length < 2, oninput: moved }));
  function moved() {
    setText(shown, values[input.valueAsNumber]);
    input.setAttribute("aria-valuetext", values[input.valueAsNumber]);
    onmove(input.valueAsNumber);
  }
  function set(/** @type {number} */ position) {
    input.valueAsNumber = position;
    setText(shown, values[position]);
    input.setAttribute("aria-valuetext", values[position]);
  }
  set(start);
  return { nodes: [make("label", { for: id }, name), input, shown], set };
}

/** The facts of a point, one row each. */
function makeFacts() {
  const names = { time: "predicted time", compared: "", memory: "memory", tasks: "tasks", scheduling: "idle, scheduling" };
  const cells = Object.fromEntries(Object.keys(names).map((name) => [name, make("td", {})]));
  const rows = Object.entries(names).map(([name, words]) => make("tr", {}, make("th", { scope: "row" }, words), cells[name]));
  const table = make("table", { class: "mr-facts" }, make("tbody", {}, rows));
  return { table, show: (/** @type {Record<string, string>} */ words) => {
    for (const [name, cell] of Object.entries(cells)) setText(cell, words[name]);
  } };
}

/** Cancel, which is there while something runs; a second press forces. @param {() => void} onpress */
function makeStop(onpress) {
  let presses = 0;
  const node = /** @type {HTMLButtonElement} */ (makeButton("Cancel", () => {
    presses += 1;
    onpress();
    show(true);
  }, { class: "mr-button mr-danger", title: "Stop the measurement" }));
  function show(/** @type {boolean} */ isRunning) {
    if (!isRunning) presses = 0;
    setText(node, ["Cancel", "Force stop", "Stopping"][Math.min(presses, 2)]);
    node.disabled = presses > 1;
    node.hidden = !isRunning;
  }
  return { node, show };
}

/** All of it, in an element of its own; returns the element and how to stop. @param {any} model */
function makeTuner(model) {
  const state = model.get("state");
  let at = [...state.best];
  const root = makeRoot(`tuning of ${state.name}`, "mr-tuner"), announcer = makeAnnouncer();
  const facts = makeFacts(), charts = makeCharts(state), paste = make("code", {});
  const said = make("p", { class: "mr-dim" });
  const sliders = [
    makeSlider("chunk size", state.labels, at[0], (n) => move(0, n)),
    makeSlider("workers", state.workers.map(String), at[1], (n) => move(1, n)),
    makeSlider("partitions", state.reducers.map((/** @type {number} */ n) => n ? String(n) : "auto"), at[2], (n) => move(2, n)),
    makeSlider("combine", state.combine, at[3], (n) => move(3, n)),
  ];
  const copy = makeButton("Copy", async () => {
    try {
      await writeClipboard(optionsAt(state, at), copy);
      announcer.say("copied");
    } catch {
      announcer.say("the page may not copy; select the text");
    }
  });
  const apply = makeButton("Apply", () => model.send({ cmd: "apply", at }),
    { class: "mr-button mr-main", title: "Use these settings for all jobs of this session" });
  const measure = makeButton("Measure", () => model.send({ cmd: "measure", at }),
    { title: "Run the whole input with these settings" });
  const stop = makeStop(() => model.send({ cmd: "stop" }));
  const best = makeButton("Show advice", () => jump(state.best)), usual = makeButton("Show default", () => jump(state.default));

  function move(/** @type {number} */ axis, /** @type {number} */ position) {
    at = at.map((old, n) => (n === axis ? position : old));
    show();
  }
  function jump(/** @type {number[]} */ to) {
    at = [...to];
    sliders.forEach((slider, n) => slider.set(at[n]));
    show();
  }
  function show() {
    const words = predictionWords(state, at), options = optionsAt(state, at);
    facts.show(words);
    setText(paste, options || "the default: nothing to paste");
    copy.disabled = !options;
    charts.show(at, model.get("reply").runs ?? []);
    announcer.say(`${words.time}, ${words.compared}`);
  }
  function answered() {
    const reply = model.get("reply");
    measure.disabled = apply.disabled = Boolean(reply.busy);
    stop.show(Boolean(reply.busy));
    setText(said, reply.text ?? "");
    charts.show(at, reply.runs ?? []);
    announcer.say(reply.text ?? "");
  }
  fill(root, make("p", {}, make("strong", {}, `tuning of ${state.name} on ${state.source}: `), make("code", {}, state.advice)),
    [state.reason, ...state.notes].map((/** @type {string} */ words) => make("p", { class: "mr-dim" }, words)),
    make("div", { class: "mr-tuner-body" },
      make("div", {}, make("div", { class: "mr-sliders" }, sliders.flatMap((slider) => slider.nodes)), facts.table,
        make("div", { class: "mr-row" }, best, usual)), charts.node),
    make("p", { class: "mr-paste" }, paste), make("div", { class: "mr-row" }, apply, copy, measure, stop.node), said, announcer.node);
  model.on("change:reply", answered);
  show();
  answered();
  return { root, stop: () => model.off("change:reply", answered) };
}

/** Put a live tuner in the place of its static form wherever a page shows that. @param {any} model */
function upgrade(model) {
  const query = `[data-mrkernel-tuner="${CSS.escape(model.get("place"))}"]`;
  /** @type {Map<Element, {root: Element, stop: () => void}>} */
  const made = new Map();
  let isDue = false;
  function look() {
    isDue = false;
    for (const [place, tuner] of made) {
      if (!place.isConnected) { tuner.stop(); made.delete(place); }
    }
    for (const place of document.querySelectorAll(query)) {
      if (made.has(place)) continue;
      const tuner = makeTuner(model);
      made.set(place, tuner);
      fill(place, tuner.root);
    }
  }
  const observer = new MutationObserver(() => {
    if (!isDue) requestAnimationFrame(look);
    isDue = true;
  });
  observer.observe(document.body, { childList: true, subtree: true });
  look();
  return () => { observer.disconnect(); for (const tuner of made.values()) tuner.stop(); };
}

export default {
  initialize: (/** @type {{model: any}} */ { model }) => upgrade(model),
  render({ model, el }) {
    const tuner = makeTuner(model);
    el.append(tuner.root);
    return tuner.stop;
  },
};
