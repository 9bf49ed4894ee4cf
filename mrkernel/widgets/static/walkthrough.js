// @ts-check
// Records as they move through map, partition, sort and reduce: chips that go from place to place.

const STEPS = [
  ["Records", "The records as they were read."],
  ["Map", "The mapper gives pairs of a key and a value for each record."],
  ["Partition", "Each pair goes to the partition of its key: equal keys meet, whichever record they came from."],
  ["Sort", "In each partition the pairs are sorted by key, so that equal keys stand together."],
  ["Reduce", "The reducer makes one result of all the values of a key."],
];
const LINE = 30, GAP = 8, PLAY_MS = 1800;
const PARTITION_COLOURS = ["map", "fetch", "reduce", "retried", "write", "commit", "failed", "dim"];

/** Where chips stand: `spots` by chip, and how high the whole is. */
class Layout {
  constructor() {
    /** @type {Map<Element, {x: number, y: number, shown: boolean}>} */
    this.spots = new Map();
    this.height = 0;
  }
  /** @param {Element} chip @param {number} x @param {number} y @param {boolean} [shown] */
  put(chip, x, y, shown = true) {
    this.spots.set(chip, { x, y, shown });
    if (shown) this.height = Math.max(this.height, y + LINE);
  }
}

/** The tops of the record lines, where each line has room for its record's chips; and where the chips go. */
function mapLayout(scene, shown) {
  const layout = new Layout();
  const width = Math.max(scene.width - scene.left, scene.column);
  let y = 0;
  scene.records.forEach((record, n) => {
    layout.put(record, 0, y);
    let x = 0;
    scene.pairs.filter((_, place) => scene.state.pairs[place].record === n).forEach((chip) => {
      if (x && x + chip.offsetWidth > width) [x, y] = [0, y + LINE];
      layout.put(chip, shown ? scene.left + x : 8, y, shown);
      x += chip.offsetWidth + GAP;
    });
    y += LINE + 4;
  });
  let row = 0;
  scene.pairs.forEach((chip, place) => {
    if (scene.state.pairs[place].record === null) layout.put(chip, shown ? scene.left : 8, row++ * LINE, shown);
  });
  scene.results.flat().forEach((chip) => layout.put(chip, scene.left, 0, false));
  scene.heads.forEach((head) => layout.put(head, scene.left, 0, false));
  return layout;
}

/** Partitions as columns: pairs in the order in which they came, or by key, or what each key was reduced to. */
function columnLayout(scene, step) {
  const layout = new Layout();
  const { state } = scene;
  scene.records.forEach((record, n) => layout.put(record, 0, n * (LINE + 4)));
  const next = new Array(state.partitions).fill(LINE + 4);
  const xOf = (/** @type {number} */ partition) => scene.left + partition * scene.column;
  scene.heads.forEach((head, partition) => layout.put(head, xOf(partition), 0));
  const place = (/** @type {Element} */ chip, /** @type {number} */ partition, shown = true) => {
    layout.put(chip, xOf(partition), next[partition], shown);
    if (shown) next[partition] += LINE;
  };
  if (step === 2 || !state.groups.length) {
    state.pairs.forEach((pair, n) => place(scene.pairs[n], pair.partition));
    scene.results.flat().forEach((chip) => layout.put(chip, scene.left, 0, false));
    return layout;
  }
  state.groups.forEach((group, n) => {
    const top = next[group.partition];
    group.pairs.forEach((pair) => {
      if (step === 3) place(scene.pairs[pair], group.partition);
      else layout.put(scene.pairs[pair], xOf(group.partition), top, false);
    });
    scene.results[n].forEach((chip) => {
      if (step === 4) place(chip, group.partition);
      else layout.put(chip, xOf(group.partition), top, false);
    });
    next[group.partition] += GAP;
  });
  return layout;
}

function makeScene(state) {
  const text = (pair) => `${pair.key}: ${pair.value}`;
  const chip = (kind, said, partition, title = said) => make("div",
    { class: `mr-chip ${kind}`, title, style: `--mr-own: var(--mr-${PARTITION_COLOURS[partition % 8]})` }, said);
  const records = state.records.map((record) => make("div",
    { class: `mr-chip mr-record${record.error ? " mr-raised" : ""}`, title: `${record.origin}${record.error && `: ${record.error}`}` },
    record.text || "(empty)", record.error && make("small", {}, ` raised ${record.error}`)));
  const pairs = state.pairs.map((pair) => chip("mr-pair", text(pair), pair.partition));
  const results = state.groups.map((group) => (group.error
    ? [chip("mr-result mr-raised", `${group.key} raised ${group.error}`, group.partition)]
    : group.results.map(([key, value]) => chip("mr-result", `${key}: ${value}`, group.partition))));
  const heads = Array.from({ length: state.partitions }, (_, n) => chip("mr-head", `partition ${n}`, n));
  return { state, records, pairs, results, heads, width: 800, left: 300, column: 170 };
}

function tables(state) {
  const table = (head, rows) => make("table", {},
    make("thead", {}, make("tr", {}, head.map((name) => make("th", { scope: "col" }, name)))),
    make("tbody", {}, rows.map((row) => make("tr", {}, row.map((cell) => make("td", {}, cell))))));
  const pairs = table(["record", "key", "value", "partition"], state.pairs.map((pair) =>
    [pair.record === null ? "(the batch)" : state.records[pair.record].text, pair.key, pair.value, pair.partition]));
  const groups = table(["partition", "key", "values in order", "reduces to"], state.groups.map((group) =>
    [group.partition, group.key, group.pairs.map((n) => state.pairs[n].value).join(", "),
      group.error ? `raised ${group.error}` : group.results.map(([key, value]) => `${key}: ${value}`).join(", ")]));
  return make("details", {}, make("summary", {}, "As tables"),
    make("div", { class: "mr-scroll", tabindex: 0 }, pairs, state.groups.length ? groups : null));
}

function render({ model, el }) {
  const state = model.get("state");
  const scene = makeScene(state);
  const last = state.groups.length ? 4 : 2;
  const announcer = makeAnnouncer();
  const said = make("p", { class: "mr-dim" });
  const stage = make("div", { class: "mr-stage", role: "img" },
    scene.records, scene.heads, scene.pairs, scene.results.flat());
  const steps = STEPS.slice(0, last + 1).map(([name], n) => makeButton(name, () => { stop(); go(n); }, { class: "mr-button mr-step" }));
  const back = makeButton("Back", () => { stop(); go(at - 1); });
  const next = makeButton("Next", () => { stop(); go(at + 1); });
  const play = makeButton("Play", () => (timer ? stop() : start()), { class: "mr-button mr-main" });
  let at = 0;
  /** @type {ReturnType<typeof setInterval> | undefined} */
  let timer;

  function go(/** @type {number} */ step) {
    at = Math.max(0, Math.min(last, step));
    steps.forEach((button, n) => button.setAttribute("aria-current", n === at ? "step" : "false"));
    back.disabled = at === 0;
    next.disabled = at === last;
    stage.classList.toggle("mr-placed", at >= 2);
    setText(said, STEPS[at][1]);
    announcer.say(`${STEPS[at][0]}: ${STEPS[at][1]}`);
    stage.setAttribute("aria-label", `${STEPS[at][0]}: ${counted(state.records.length, "record")}, ${counted(state.pairs.length, "pair")}, ${counted(state.groups.length, "key")}; the tables below say all of it`);
    place();
  }
  function place() {
    scene.width = root.clientWidth || 800;
    scene.left = Math.min(300, Math.max(160, scene.width * 0.3));
    scene.column = Math.min(170, Math.max(100, (scene.width - scene.left) / state.partitions));
    stage.style.setProperty("--mr-column", `${scene.column - GAP}px`);
    stage.style.setProperty("--mr-left", `${scene.left - GAP}px`);
    const layout = at < 2 ? mapLayout(scene, at === 1) : columnLayout(scene, at);
    for (const [chip, { x, y, shown }] of layout.spots) {
      /** @type {HTMLElement} */ (chip).style.transform = `translate(${x}px, ${y}px)`;
      chip.classList.toggle("mr-gone", !shown);
    }
    stage.style.height = `${layout.height + 4}px`;
    stage.style.minWidth = at < 2 ? "" : `${scene.left + state.partitions * scene.column}px`;
  }
  function start() {
    if (at === last) go(0);
    timer = setInterval(() => { go(at + 1); if (at === last) stop(); }, PLAY_MS);
    setText(play, "Pause");
  }
  function stop() {
    clearInterval(timer);
    timer = undefined;
    setText(play, "Play");
  }

  const root = makeRoot("walkthrough", "mr-walkthrough mr-live");
  root.setAttribute("data-lm-suppress-shortcuts", "true");
  // The static form in the same cell is for those who read the notebook without a kernel.
  const fallback = `[data-mr-fallback="${state.fallback}"]`;
  const hide = make("style", {}, `${fallback}{display:none}.jp-OutputArea-child:has(${fallback}){display:none}`);
  fill(root, hide, make("p", {}, make("strong", {}, state.title)), make("div", { class: "mr-row" }, play, back, next,
    make("div", { class: "mr-row", role: "group", "aria-label": "steps" }, steps)), said,
  make("div", { class: "mr-scroll", tabindex: 0, role: "group", "aria-label": "records and pairs" }, stage), tables(state),
  state.notes.map((note) => make("p", { class: "mr-dim" }, note)), announcer.node);
  el.append(root);
  const stopResize = onResize(root, place);
  go(0);
  return () => { stop(); stopResize(); };
}

export default { render };
