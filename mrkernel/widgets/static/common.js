// @ts-check
// What every widget needs. Values come to the page as text only: nothing here takes markup.

/**
 * An element with attributes and children. `class`, `aria-…` and the like are attributes; `onclick` and other functions
 * are listeners; null, undefined and false leave an attribute or a child out; strings and numbers become text.
 * @param {string} tag @param {Record<string, any>} [attributes] @param {...any} children
 */
function make(tag, attributes = {}, ...children) {
  const node = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) setAttribute(node, name, value);
  return fill(node, ...children);
}

/** The same in SVG. @param {string} tag @param {Record<string, any>} [attributes] @param {...any} children */
function draw(tag, attributes = {}, ...children) {
  const node = document.createElementNS("http://www.w3.org/2000/svg", tag);
  for (const [name, value] of Object.entries(attributes)) setAttribute(node, name, value);
  return fill(node, ...children);
}

/** @param {Element} node @param {string} name @param {any} value */
function setAttribute(node, name, value) {
  if (typeof value === "function") node.addEventListener(name.slice(2), value);
  else if (value === null || value === undefined || value === false) node.removeAttribute(name);
  else node.setAttribute(name, value === true ? "" : String(value));
}

/** Put these children in the place of what is there. @param {Element} node @param {...any} children */
function fill(node, ...children) {
  node.replaceChildren(
    ...children
      .flat()
      .filter((child) => child !== null && child !== undefined && child !== false)
      .map((child) => (child instanceof Node ? child : String(child))),
  );
  return node;
}

/** Change a text only where it differs, so that selections and screen readers are left alone. */
function setText(/** @type {Element} */ node, /** @type {string} */ text) {
  if (node.textContent !== text) node.textContent = text;
}

/** The element under which a widget lives: one class, one named region. @param {string} label @param {string} [kind] */
function makeRoot(label, kind = "") {
  return make("div", { class: `mrkernel mr-widget ${kind}`.trim(), role: "group", "aria-label": label });
}

/** A real button. @param {string} text @param {() => void} onclick @param {Record<string, any>} [attributes] */
function makeButton(text, onclick, attributes = {}) {
  return make("button", { type: "button", class: "mr-button", onclick, ...attributes }, text);
}

/** A polite live region that nobody sees; `say` speaks only what differs from what was said last. */
function makeAnnouncer() {
  const node = make("div", { class: "mr-unseen", role: "status", "aria-live": "polite" });
  return { node, say: (/** @type {string} */ text) => setText(node, text) };
}

/**
 * Tabs with the keys that people expect (arrows, Home, End); a panel is made when its tab is first chosen.
 * `make` is given a function that forgets its panel, so that it is made anew when its tab is chosen again.
 * @param {string} label @param {{name: string, make: (forget: () => void) => Node, count?: string}[]} tabs
 */
function makeTabs(label, tabs) {
  const prefix = `mr-${Math.random().toString(36).slice(2)}`;
  const panel = make("div", { class: "mr-panel", role: "tabpanel", id: `${prefix}-panel`, tabindex: 0 });
  const panels = new Map();
  const buttons = tabs.map((tab, n) =>
    make(
      "button",
      {
        type: "button",
        role: "tab",
        class: "mr-tab",
        id: `${prefix}-${n}`,
        "aria-controls": panel.id,
        onclick: () => choose(n),
        onkeydown: (/** @type {KeyboardEvent} */ event) => move(event, n),
      },
      tab.name,
      tab.count && make("small", {}, ` ${tab.count}`),
    ),
  );
  function choose(/** @type {number} */ chosen) {
    buttons.forEach((button, n) => {
      button.setAttribute("aria-selected", String(n === chosen));
      button.setAttribute("tabindex", n === chosen ? "0" : "-1");
    });
    if (!panels.has(chosen)) panels.set(chosen, tabs[chosen].make(() => panels.delete(chosen)));
    panel.setAttribute("aria-labelledby", buttons[chosen].id);
    fill(panel, panels.get(chosen));
  }
  function move(/** @type {KeyboardEvent} */ event, /** @type {number} */ n) {
    const last = buttons.length - 1;
    const to = { ArrowRight: n === last ? 0 : n + 1, ArrowLeft: n || last + 1, Home: 0, End: last }[event.key];
    if (to === undefined) return;
    event.preventDefault();
    const next = event.key === "ArrowLeft" ? to - 1 : to;
    choose(next);
    /** @type {HTMLElement} */ (buttons[next]).focus();
  }
  choose(0);
  const list = make("div", { class: "mr-tabs", role: "tablist", "aria-label": label }, buttons);
  return { node: make("div", {}, list, panel), choose };
}

/** "1,204,553" @param {number} number */
function formatCount(number) {
  return Math.round(number).toLocaleString("en-US");
}

/** "1 task", "2 tasks" @param {number} number @param {string} noun */
function counted(number, noun) {
  return `${formatCount(number)} ${noun}${number === 1 ? "" : "s"}`;
}

/** "18.3 MB", as Python writes sizes elsewhere in the notebook. @param {number} bytes */
function formatBytes(bytes) {
  if (bytes < 1000) return counted(bytes, "byte");
  const power = Math.min(3, Math.floor(Math.log10(bytes) / 3));
  return `${(bytes / 1000 ** power).toFixed(1)} ${["", "kB", "MB", "GB"][power]}`;
}

/** "0.4 s", "2 min 05 s", "1 h 07 min" @param {number} seconds */
function formatDuration(seconds) {
  if (seconds < 60) return `${seconds.toFixed(1)} s`;
  const pad = (/** @type {number} */ number) => String(number).padStart(2, "0");
  const whole = Math.round(seconds);
  const minutes = Math.floor(whole / 60);
  return minutes < 60
    ? `${minutes} min ${pad(whole % 60)} s`
    : `${Math.floor(minutes / 60)} h ${pad(minutes % 60)} min`;
}

/** A colour of the style sheet as it stands now, for a canvas. @param {HTMLElement} node @param {string} name */
function colourOf(node, name) {
  // The variable itself still says both, that for light pages and that for dark ones.
  node.style.color = `var(--mr-${name})`;
  return getComputedStyle(node).color;
}

/** Call `redraw` when the theme changes; returns how to stop. @param {() => void} redraw */
function onThemeChange(redraw) {
  const observer = new MutationObserver(redraw);
  for (const node of [document.documentElement, document.body]) {
    observer.observe(node, {
      attributes: true,
      attributeFilter: ["class", "style", "data-jp-theme-name", "data-jp-theme-light", "data-vscode-theme-kind"],
    });
  }
  const query = matchMedia("(prefers-color-scheme: dark)");
  query.addEventListener("change", redraw);
  return () => {
    observer.disconnect();
    query.removeEventListener("change", redraw);
  };
}

/** Call `redraw` when the element's size changes; returns how to stop. @param {Element} node @param {() => void} redraw */
function onResize(node, redraw) {
  const observer = new ResizeObserver(() => requestAnimationFrame(redraw));
  observer.observe(node);
  return () => observer.disconnect();
}

/**
 * Put text on the clipboard, or throw where the page may not; `focused` has the focus afterwards.
 * @param {string} text @param {HTMLElement} focused
 */
async function writeClipboard(text, focused) {
  if (navigator.clipboard) return navigator.clipboard.writeText(text);
  // Pages that came over plain HTTP from another machine have no clipboard of their own.
  const area = /** @type {HTMLTextAreaElement} */ (make("textarea", { class: "mr-unseen", "aria-hidden": "true" }));
  area.value = text;
  document.body.append(area);
  area.select();
  const isCopied = document.execCommand("copy");
  area.remove();
  focused.focus();
  if (!isCopied) throw new Error("the browser does not allow it");
}
