// @ts-check
// The table of a result: pages, sorts, copies. It asks the kernel for whatever it shows.

const NUMBERS = /^(u?int|float|double|halffloat|decimal)/;

/**
 * @param {any} state what the kernel says of the result @param {(op: string, more?: object) => Promise<any>} ask
 * @param {DataView} first the first page's bytes
 */
function tableView(state, ask, first) {
  const at = { start: 0, size: state.size, column: null, descending: false };
  const columns = state.columns.map(([name, type]) => ({ name, type, isNumber: NUMBERS.test(type) }));
  let shown = { rows: 0 };
  // What was asked for last, while `at` is what shows: a second click builds on the first, answered or not.
  let aim = at;
  let asked = 0;

  const head = make("tr", { "aria-rowindex": 1 });
  const body = make("tbody");
  const table = make("table", { class: "mr-data", "aria-rowcount": state.rows + 1 }, make("thead", {}, head), body);
  const scroll = make("div", { class: "mr-scroll", role: "region", tabindex: 0, "aria-label": "rows of the result" }, table);
  const status = make("span", { role: "status", "aria-live": "polite", class: "mr-status" });
  // Which rows show stands beside the buttons; it is said again to those who do not see that.
  const announcer = makeAnnouncer();
  const where = make("span", { class: "mr-where" });
  const order = () => ({ column: at.column, descending: at.descending });
  const last = () => Math.max(0, Math.floor((state.rows - 1) / aim.size) * aim.size);

  const sorters = columns.map((column, index) => {
    const arrow = make("span", { "aria-hidden": "true", class: "mr-arrow" });
    const button = make("button", { type: "button", class: "mr-sort", onclick: () => sort(column.name) },
      make("span", {}, column.label = state.labels[index], arrow), make("small", {}, column.type));
    const cell = make("th", { scope: "col", class: column.isNumber ? "mr-num" : null, "aria-sort": "none" }, button);
    head.append(cell);
    return { column, cell, arrow };
  });

  const button = (label, text, start) => makeButton(text, () => go(start()), { "aria-label": label, title: label });
  const backward = [button("first page", "«", () => 0), button("previous page", "‹", () => aim.start - aim.size)];
  const forward = [button("next page", "›", () => aim.start + aim.size), button("last page", "»", last)];
  const sizes = [...new Set([state.size, 10, 25, 50, 100])].sort((a, b) => a - b);
  const size = make("select", { class: "mr-select", "aria-label": "rows on a page" },
    ...sizes.map((n) => make("option", { value: n, selected: n === at.size }, `${n} rows`)));
  size.addEventListener("change", () => {
    const rows = Number(size.value);
    // The first row that shows stays the first, unless the page would run beyond the end.
    load({ size: rows, start: Math.max(0, Math.min(aim.start, state.rows - rows)) });
  });
  const copier = makeButton("Copy as CSV", copy);
  const isOnePage = state.rows <= Math.min(...sizes);
  const bar = make("div", { class: "mr-toolbar" }, ...(isOnePage ? [] : [...backward, where, ...forward, size]), copier, status, announcer.node);

  scroll.addEventListener("keydown", (event) => {
    const target = { PageDown: aim.start + aim.size, PageUp: aim.start - aim.size,
      Home: event.ctrlKey ? 0 : undefined, End: event.ctrlKey ? last() : undefined }[event.key];
    if (target === undefined || event.target !== scroll) return;
    event.preventDefault();
    go(target);
  });

  function go(start) {
    return load({ start: Math.max(0, Math.min(start, last())) });
  }

  function sort(name) {
    if (aim.column !== name) return load({ start: 0, column: name, descending: false });
    return aim.descending ? load({ start: 0, column: null, descending: false }) : load({ start: 0, descending: true });
  }

  async function load(change) {
    const wanted = { ...aim, ...change };
    aim = wanted;
    const turn = ++asked;
    table.setAttribute("aria-busy", "true");
    const patience = setTimeout(() => { status.textContent = wanted.column === null ? "loading…" : "sorting…"; }, 300);
    try {
      const [answer, buffers] = await ask("page", wanted);
      if (turn !== asked) return;
      Object.assign(at, wanted);
      show(decodePage(buffers[0]), answer.cut);
      setText(status, "");
      announcer.say(table.getAttribute("aria-label"));
    } catch (error) {
      if (turn !== asked) return;
      aim = { ...at };
      size.value = String(at.size);
      status.textContent = error.message;
    } finally {
      clearTimeout(patience);
      if (turn === asked) table.removeAttribute("aria-busy");
    }
  }

  function sortWords() {
    const sorted = columns.find((column) => column.name === at.column);
    return sorted ? `sorted by ${sorted.label}, ${at.descending ? "downwards" : "upwards"}: ` : "";
  }

  function show(page, cut) {
    const lengths = new Map(cut.map(([row, column, length]) => [`${row} ${column}`, length]));
    const rows = [];
    for (let row = 0; row < page.rows; row++) {
      const cells = columns.map((column, index) => {
        const value = page.at(row, index);
        const whole = async () => (await ask("text", { ...order(), rank: at.start + row, name: column.name }))[0].text;
        const isMissing = value === null || value === undefined;
        const kind = [column.isNumber ? "mr-num" : "", isMissing ? "mr-none" : ""].join(" ").trim();
        return make("td", { class: kind || null },
          cellContent(valueText(value, page.floats[index]), lengths.get(`${row} ${index}`), whole));
      });
      rows.push(make("tr", { "aria-rowindex": at.start + row + 2 }, ...cells));
    }
    body.replaceChildren(...rows);
    shown = page;
    say();
  }

  function say() {
    const [from, to] = [at.start + 1, at.start + shown.rows];
    where.textContent = state.rows ? `rows ${formatCount(from)} to ${formatCount(to)} of ${formatCount(state.rows)}` : "no rows";
    table.setAttribute("aria-label", `${sortWords()}${where.textContent}`);
    for (const { column, cell, arrow } of sorters) {
      const isSorted = column.name === at.column;
      cell.setAttribute("aria-sort", !isSorted ? "none" : at.descending ? "descending" : "ascending");
      arrow.textContent = !isSorted ? "" : at.descending ? " ▼\uFE0E" : " ▲\uFE0E";
    }
    for (const one of backward) one.disabled = at.start === 0;
    for (const one of forward) one.disabled = at.start >= last();
  }

  async function copy() {
    status.textContent = "copying…";
    try {
      const [answer] = await ask("csv", order());
      await writeClipboard(answer.text, copier);
      const what = answer.rows < state.rows ? `the first ${formatCount(answer.rows)} of ${counted(state.rows, "row")}` : counted(answer.rows, "row");
      status.textContent = `copied ${what} as CSV`;
    } catch (error) {
      status.textContent = `not copied: ${error.message}`;
    }
  }

  show(decodePage(first), state.cut);
  return [scroll, bar];
}
