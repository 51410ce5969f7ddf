// Single keys that do something on a page, and the list of them (`?`). A page adds its own with `addKeys`.

import { gettext } from "./i18n.js";

const STORED = "keys-off";
const ENTRY = "input, select, textarea, [contenteditable]";
// An arrow moves a slider; letters do not.
const ARROWS = new Set(["ArrowLeft", "ArrowRight", "ArrowUp", "ArrowDown"]);

// Keys that are no letters, by their places on a keyboard.
const PLACES = { BracketLeft: "[", BracketRight: "]", Minus: "-", Equal: "=" };

const dialog = document.querySelector("[data-keys]");
const actions = new Map();

/**
 * Adds keys: [{keys, shown, text, run, repeats}], where `keys` are values of KeyboardEvent.key, `shown` how they are written
 * in the list, `text` what they do. `run(event)` may return false for "not now": the browser then does what it always does.
 * A key that is held does it once, unless it `repeats`.
 */
export function addKeys(added) {
  for (const { keys, shown, text, run, repeats = false } of added) {
    for (const key of keys) {
      actions.set(key, { run, repeats });
    }
    list(shown, text);
  }
}

function list(shown, text) {
  const row = dialog.querySelector("[data-keys-row]").content.firstElementChild.cloneNode(true);
  for (const name of shown) {
    const key = document.createElement("kbd");
    key.textContent = name;
    row.querySelector("dt").append(key, " ");
  }
  row.querySelector("dd").textContent = text;
  dialog.querySelector("[data-keys-list]").append(row);
}

/** Returns whether a key belongs to the focused element: typed text, a moved slider. */
function belongsTo(target, key) {
  if (!target.matches(ENTRY)) {
    return false;
  }
  const isSwitch = target.matches("input[type=range], input[type=checkbox]");
  return !isSwitch || (target.type === "range" && ARROWS.has(key));
}

/** Returns what a key does: by its letter, whatever Caps Lock does to it; by its place where the layout has no Latin letter there. */
function actionOf({ key, code }) {
  const letter = key.length === 1 ? key.toLowerCase() : key;
  const place = /^[a-z0-9]$/.test(letter) ? null : (PLACES[code] ?? /^(?:Key|Digit)(.)$/.exec(code)?.[1].toLowerCase());
  return actions.get(key) ?? actions.get(letter) ?? actions.get(place);
}

function areOff() {
  return window.localStorage.getItem(STORED) !== null;
}

function onKey(event) {
  if (event.ctrlKey || event.metaKey || event.altKey || dialog.open || areOff() || belongsTo(event.target, event.key)) {
    return;
  }
  const action = actionOf(event);
  if (action === undefined) {
    return;
  }
  if ((event.repeat && !action.repeats) || action.run(event) !== false) {
    event.preventDefault();
  }
}

function start() {
  const choice = dialog.querySelector("[data-keys-switch]");
  choice.checked = !areOff();
  choice.addEventListener("change", () => {
    if (choice.checked) {
      window.localStorage.removeItem(STORED);
    } else {
      window.localStorage.setItem(STORED, "1");
    }
  });
  document.addEventListener("keydown", onKey);
  for (const button of document.querySelectorAll("[data-keys-open]")) {
    button.addEventListener("click", () => dialog.showModal());
  }
  addKeys([{ keys: ["?"], shown: ["?"], text: gettext("Show these keys"), run: () => dialog.showModal() }]);
}

start();
