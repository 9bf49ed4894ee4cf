// @ts-check
// One table row for each stage: bar, numbers, time, trouble. Rows stay, texts change.

/** What the state calls a stage. @typedef {{name: string, state: string, done: number, total: number, running: number,
 * failed: number, retried: number, fraction: number, records: number, rate: number, bytes: number, byteRate: number,
 * seconds: number}} Stage */

/** What a stage need not say. */
const NO_STAGE = {
  done: 0,
  total: 0,
  running: 0,
  failed: 0,
  retried: 0,
  fraction: 0,
  records: 0,
  rate: 0,
  bytes: 0,
  byteRate: 0,
  seconds: 0,
};

const NOT_BEGUN = ["waiting", "not run"];

/** A bar that says to everyone how far a stage is. @param {string} kind */
function makeBar(kind) {
  const fill = make("div");
  const node = make(
    "div",
    { class: `mr-track ${kind}`, role: "progressbar", "aria-valuemin": 0, "aria-valuemax": 100 },
    fill,
  );
  function update(/** @type {Stage} */ stage) {
    const percent = Math.floor(stage.fraction * 100);
    node.setAttribute("aria-label", stage.name);
    node.setAttribute("aria-valuenow", String(percent));
    node.setAttribute("aria-valuetext", `${stageWords(stage)} tasks`);
    node.dataset.state = stage.state;
    fill.style.width = `${percent}%`;
  }
  return { node, update };
}

/** "12 of 40" or why there is nothing to count. @param {Stage} stage */
function stageWords(stage) {
  if (NOT_BEGUN.includes(stage.state)) return stage.state;
  return `${formatCount(stage.done)} of ${formatCount(stage.total)}`;
}

/** "2 failed, 1 retried" or nothing. @param {Stage} stage */
function troubleWords(stage) {
  const parts = [
    ["failed", stage.failed],
    ["retried", stage.retried],
  ];
  return parts
    .filter(([, number]) => number)
    .map(([word, number]) => `${formatCount(+number)} ${word}`)
    .join(", ");
}

/** "12,400 records/s" and "1.2 MB/s" below, once a stage is old enough to tell. @param {Stage} stage */
function speedWords(stage) {
  if (stage.seconds < 0.5 || !stage.records) return "";
  return `${formatCount(stage.rate)} records/s${stage.bytes ? `\n${formatBytes(stage.byteRate)}/s` : ""}`;
}

/** @type {[string, string, (stage: Stage) => string][]} */
const STAGE_COLUMNS = [
  ["tasks", "mr-num", stageWords],
  ["running", "mr-num", (stage) => (stage.running ? formatCount(stage.running) : "")],
  ["records", "mr-num", (stage) => (stage.records ? formatCount(stage.records) : "")],
  ["read", "mr-num", (stage) => (stage.bytes ? formatBytes(stage.bytes) : "")],
  ["speed", "mr-num mr-lines", speedWords],
  ["time", "mr-num", (stage) => (NOT_BEGUN.includes(stage.state) ? "" : formatDuration(stage.seconds))],
  ["trouble", "", troubleWords],
];

/** The table of all stages. */
function makeStages() {
  const body = make("tbody");
  const heads = STAGE_COLUMNS.map(([name, kind]) => make("th", { scope: "col", class: kind }, name));
  const head = make(
    "thead",
    {},
    make("tr", {}, make("th", { scope: "col" }, "stage"), make("th", { scope: "col" }, "done"), heads),
  );
  const table = make("table", { class: "mr-stages", "aria-label": "stages" }, head, body);
  /** @type {{name: string, bar: ReturnType<typeof makeBar>, cells: HTMLElement[]}[]} */
  let rows = [];
  function rebuild(/** @type {Stage[]} */ stages) {
    rows = stages.map(({ name }) => ({
      name,
      bar: makeBar("mr-stage-bar"),
      cells: STAGE_COLUMNS.map(([, kind]) => /** @type {HTMLElement} */ (make("td", { class: kind }))),
    }));
    fill(
      body,
      rows.map(({ name, bar, cells }) =>
        make("tr", {}, make("th", { scope: "row" }, name), make("td", {}, bar.node), cells),
      ),
    );
  }
  function update(/** @type {Stage[]} */ stages) {
    if (stages.map((stage) => stage.name).join() !== rows.map((row) => row.name).join()) rebuild(stages);
    stages.forEach((stage, n) => {
      rows[n].bar.update(stage);
      STAGE_COLUMNS.forEach(([, , words], column) => setText(rows[n].cells[column], words(stage)));
    });
    const hasTrouble = stages.some(troubleWords);
    for (const cell of [heads[heads.length - 1], ...rows.map((row) => row.cells[row.cells.length - 1])])
      cell.hidden = !hasTrouble;
  }
  return { node: make("div", { class: "mr-scroll" }, table), update };
}
