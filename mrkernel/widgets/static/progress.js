// @ts-check
// One job on one calm line: name, a bar in as many parts as it has stages, a few words, Cancel. The rest is folded.

// The kernel sends something every few seconds; after this long it is gone, or its one thread is taken.
const NO_NEWS_S = 15;
const UNHEARD_S = 2;

/** "18 s", "12 min" or "2.5 h": an estimate is not more exact than that. @param {number} seconds */
function roughly(seconds) {
  if (seconds < 90) return `${Math.max(1, Math.round(seconds))} s`;
  return seconds < 5400 ? `${Math.round(seconds / 60)} min` : `${(seconds / 3600).toFixed(1)} h`;
}

/** "about 18 s left (15 to 26 s)" @param {number} left @param {number} low @param {number} high */
function etaWords(left, low, high) {
  const [from, to] = [roughly(low), roughly(high)];
  if (from === to) return `about ${roughly(left)} left`;
  const [number, unit] = from.split(" ");
  return `about ${roughly(left)} left (${to.endsWith(` ${unit}`) ? number : from} to ${to})`;
}

/** @param {any} model */
function stateOf(model) {
  const state = model.get("state");
  return { ...state, stages: state.stages.map((/** @type {any} */ stage) => ({ ...NO_STAGE, ...stage })) };
}

/** @param {any} state */
const isRunning = (state) => state.state === "planning" || state.state === "running";

/** The one line's words. @param {any} state @param {number} seconds since the job began @param {number} silence */
function lineWords(state, seconds, silence) {
  if (!isRunning(state))
    return `${state.state} ${state.state === "finished" ? "in" : "after"} ${formatDuration(seconds)}`;
  if (state.state === "planning") return "starting";
  const stage = state.stages.find((/** @type {Stage} */ one) => one.state === "running");
  const [left, low, high] = state.eta ?? [];
  // What matters most comes first: a narrow page cuts the end.
  const words = [
    silence > NO_NEWS_S && `no news from the kernel for ${roughly(silence)}`,
    stage && state.eta && etaWords(left, low, high),
    stage ? `${stage.name} ${stageWords(stage)}` : state.fraction >= 1 && "finishing",
    formatDuration(seconds),
  ];
  return words.filter(Boolean).join(" · ");
}

/** What a screen reader is told, and only when it changes. @param {any} state */
function spokenWords(state) {
  if (!isRunning(state)) return `${state.name}: ${state.state}`;
  if (state.asked) return `${state.name}: cancelling`;
  const stage = state.stages.find((/** @type {Stage} */ one) => one.state === "running");
  return `${state.name}: ${stage ? `stage ${stage.name}` : "starting"}`;
}

/** Cancel and "continue in background"; a second press on Cancel forces. @param {any} model @param {any} kept */
function makeButtons(model, kept) {
  const cancel = /** @type {HTMLButtonElement} */ (makeButton("Cancel", press, { class: "mr-button mr-danger" }));
  const leave = /** @type {HTMLButtonElement} */ (
    makeButton(
      "Continue in background",
      () => {
        leave.disabled = true;
        model.send({ cmd: "leave" });
      },
      { title: "Free the cell; the job goes on, and its name stands for the result" },
    )
  );
  function press() {
    kept.pressed += 1;
    kept.pressedAt = performance.now();
    model.send({ cmd: "cancel" });
    update(stateOf(model));
  }
  function update(/** @type {any} */ state) {
    const presses = Math.max(kept.pressed, state.asked ?? 0);
    setText(cancel, ["Cancel", "Force stop", "Stopping"][Math.min(presses, 2)]);
    cancel.disabled = presses > 1;
    cancel.title = presses ? "Replace the workers that have not stopped yet" : "Stop this job; its numbers stay";
    cancel.hidden = !isRunning(state);
    leave.hidden = !isRunning(state) || !state.leave || presses > 0;
  }
  return { cancel, leave, update };
}

/** What is folded: stages, workers, what happened, and what few need. @param {HTMLElement} leave */
function makeDetails(leave) {
  const [stages, lanes] = [makeStages(), makeLanes()];
  const log = make("ol", { class: "mr-log mr-tall", tabindex: 0, "aria-label": "what happened" });
  const notes = make("div", { class: "mr-dim" });
  const node = make(
    "div",
    { class: "mr-details", id: `mr-${Math.random().toString(36).slice(2)}` },
    stages.node,
    lanes.node,
    log,
    notes,
    leave,
  );
  function update(/** @type {any} */ state) {
    stages.update(state.stages);
    lanes.update(state);
    const happened = state.log.map(([at, kind, text]) => [formatDuration(at), kind, text]);
    log.hidden = !happened.length;
    if (log.dataset.last !== JSON.stringify(happened)) {
      log.dataset.last = JSON.stringify(happened);
      fill(
        log,
        happened.map(([at, kind, text]) =>
          make(
            "li",
            { class: `mr-log-${kind}` },
            make("span", { class: "mr-num mr-dim" }, at),
            make("span", { class: "mr-log-kind" }, kind),
            make("span", {}, text),
          ),
        ),
      );
      log.scrollTop = log.scrollHeight;
    }
    const idle = isRunning(state) && state.idle > 5 ? [`last task finished ${formatDuration(state.idle)} ago`] : [];
    const words = [...state.notes, ...idle, isRunning(state) && state.kernel];
    fill(
      notes,
      words.filter(Boolean).map((note) => make("p", {}, note)),
    );
  }
  return { node, update, paint: lanes.paint };
}

/** @param {any} model @param {HTMLElement} el @param {any} kept what outlives one view of the model */
function renderProgress(model, el, kept) {
  const buttons = makeButtons(model, kept);
  const [details, announcer] = [makeDetails(buttons.leave), makeAnnouncer()];
  const name = make("strong", { class: "mr-name" });
  const words = make("span", { class: "mr-said" });
  const track = make("div", { class: "mr-segments" });
  const hint = make("p", { class: "mr-dim", role: "status" });
  const fold = makeButton(
    "Details",
    () => {
      kept.isOpen = !kept.isOpen;
      update();
    },
    { class: "mr-button mr-fold", "aria-controls": details.node.id },
  );
  const line = make("div", { class: "mr-row mr-line" }, name, track, words, buttons.cancel, fold);
  // The static form stands beside for pages that lose the widget; here it would say everything twice.
  const once = make("style", {}, `[data-mr-progress="${model.get("state").beside}"]{display:none}`);
  const root = fill(makeRoot("progress", "mr-progress"), once, line, hint, details.node, announcer.node);
  /** @type {ReturnType<typeof makeBar>[]} */
  let bars = [];
  let heard = performance.now();
  const silence = () => (performance.now() - heard) / 1000;
  function tick() {
    const state = stateOf(model);
    const late = isRunning(state) ? silence() : 0;
    setText(words, lineWords(state, state.seconds + Math.min(late, NO_NEWS_S), late));
    words.setAttribute("title", words.textContent ?? "");
    const isUnheard =
      isRunning(state) && kept.pressed > (state.asked ?? 0) && performance.now() - kept.pressedAt > UNHEARD_S * 1000;
    setText(
      hint,
      isUnheard ? `The kernel has not answered. ${state.kernel || "Its Interrupt button stops the job"}` : "",
    );
  }
  function update() {
    const state = stateOf(model);
    root.dataset.state = state.asked && isRunning(state) ? "cancelling" : state.state;
    setText(name, state.name || "job");
    if (bars.length !== state.stages.length) {
      bars = state.stages.map(() => makeBar("mr-segment"));
      fill(
        track,
        bars.map((bar) => bar.node),
      );
    }
    state.stages.forEach((/** @type {Stage} */ stage, /** @type {number} */ n) => bars[n].update(stage));
    buttons.update(state);
    fold.setAttribute("aria-expanded", String(kept.isOpen));
    details.node.hidden = !kept.isOpen;
    if (kept.isOpen) details.update(state);
    announcer.say(spokenWords(state));
    tick();
  }
  const onState = () => {
    heard = performance.now();
    update();
  };
  model.on("change:state", onState);
  el.replaceChildren(root);
  update();
  model.send({ cmd: "hello" });
  const clock = setInterval(tick, 1000);
  const stops = [
    onThemeChange(details.paint),
    onResize(root, details.paint),
    () => clearInterval(clock),
    () => model.off("change:state", onState),
  ];
  return () => stops.forEach((stop) => stop());
}

export default () => {
  const kept = { isOpen: false, pressed: 0, pressedAt: 0 };
  return { render: (/** @type {any} */ { model, el }) => renderProgress(model, el, kept) };
};
