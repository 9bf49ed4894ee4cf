// @ts-check
// A result in a notebook: its rows, and beside them what else is known of the run.

const PATIENCE_MS = 2000;

/** Questions to the kernel, each answered by a message of the same number; `onWaiting` hears whether one takes long. */
function questions(model, onWaiting) {
  const open = new Map(), late = new Set();
  let last = 0;
  const answered = (message, buffers) => {
    const waiting = open.get(message.id);
    if (!waiting) return;
    open.delete(message.id);
    clearTimeout(waiting.patience);
    late.delete(message.id);
    onWaiting(late.size > 0);
    if (message.error) waiting.reject(new Error(message.error));
    else waiting.resolve([message, buffers]);
  };
  model.on("msg:custom", answered);
  const ask = (op, more = {}) => new Promise((resolve, reject) => {
    // Views of one model share its messages, so the number must be this view's own.
    const id = `${op}-${++last}-${Math.random()}`;
    const patience = setTimeout(() => {
      late.add(id);
      onWaiting(true);
    }, PATIENCE_MS);
    open.set(id, { resolve, reject, patience });
    model.send({ id, op, ...more });
  });
  return { ask, close: () => model.off("msg:custom", answered) };
}

/** A small table of texts. */
function plainTable({ head, right, rows }) {
  const cell = (tag, text, n, more = {}) => make(tag, { class: right[n] ? "mr-num" : null, ...more }, text);
  const line = (row) => make("tr", {}, ...row.map((text, n) => (n ? cell("td", text, n) : cell("th", text, n, { scope: "row" }))));
  const heads = head.length ? [make("thead", {}, make("tr", {}, ...head.map((text, n) => cell("th", text, n, { scope: "col" }))))] : [];
  return make("table", {}, ...heads, make("tbody", {}, ...rows.map(line)));
}

/** A picture, from its bytes. */
function picture(said, bytes) {
  const url = URL.createObjectURL(new Blob([bytes], { type: said.mime }));
  const image = make("img", { alt: said.alt, width: said.width, class: said.class });
  image.addEventListener("load", () => URL.revokeObjectURL(url), { once: true });
  image.src = url;
  return image;
}

/** What a tab shows, from what the kernel answered. */
function panelContent(answer, buffers) {
  if (answer.kind === "image") return [picture(answer, buffers[0])];
  if (answer.kind === "text") return [make("pre", { tabindex: 0 }, answer.text)];
  return [answer.note && make("p", {}, answer.note), make("div", { class: "mr-scroll", tabindex: 0 }, plainTable(answer)),
    answer.picture && picture(answer.picture, buffers[0])];
}

/** @param {{model: any, el: HTMLElement}} context */
function render({ model, el }) {
  const state = model.get("state");
  const waiting = make("p", { class: "mr-dim mr-waiting", role: "status" });
  const { ask, close } = questions(model, (isWaiting) => {
    setText(waiting, isWaiting ? "Waiting for the kernel: it is busy, or no longer there." : "");
  });
  const table = make("div", {}, tableView(state, ask, model.get("first")));
  const lazily = (name, forget) => {
    const panel = make("div", {}, make("p", { class: "mr-dim" }, "loading…"));
    ask("tab", { name }).then(([answer, buffers]) => fill(panel, ...panelContent(answer, buffers))).catch((error) => {
      fill(panel, make("p", {}, error.message));
      forget();
    });
    return panel;
  };
  const tabs = makeTabs("views of the result", state.tabs.map((name) => (
    { name, make: (forget) => (name === "table" ? table : lazily(name, forget)) })));
  if (state.tab !== "table") tabs.choose(state.tabs.indexOf(state.tab));
  // The static form in the same cell is for those who read the notebook without a kernel.
  const fallback = `[data-mr-fallback="${state.fallback}"]`;
  const style = make("style", {}, `${fallback}{display:none}
.jp-OutputArea-child:has(${fallback}){display:none}
.jp-OutputArea-child:has(${fallback}.mr-plotted)+.jp-OutputArea-child{display:none}`);
  const root = makeRoot("result", "mr-results mr-live");
  // Keys such as Enter and the arrows are this widget's, not shortcuts of the notebook.
  root.setAttribute("data-lm-suppress-shortcuts", "true");
  const footer = make("p", { class: "mr-dim" }, `${state.footer} · `, make("code", {}, state.access));
  el.replaceChildren(fill(root, style, state.tabs.length > 1 ? tabs.node : table, waiting,
    state.notes.map((note) => make("p", {}, note)), footer));
  return close;
}

export default { render };
