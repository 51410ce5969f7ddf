// Every page: copy buttons and the threshold slider. Events are delegated, so results that arrive later work too.

import { fetchResult, pictureReady, revealScripted } from "../predict/result.js";
import { gettext } from "./i18n.js";

const COPIED_FOR_MS = 1600;

function textOf(element) {
  return element instanceof HTMLInputElement ? element.value : element.textContent;
}

async function copyText(element) {
  const text = textOf(element);
  if (navigator.clipboard) {
    await navigator.clipboard.writeText(text);
    return;
  }
  // Without HTTPS, browsers offer no clipboard but on localhost: copy from a text field, as was done before.
  const field = document.createElement("textarea");
  field.value = text;
  document.body.append(field);
  field.select();
  const copied = document.execCommand("copy");
  field.remove();
  if (!copied) {
    throw new Error("the browser refused to copy");
  }
}

async function onCopy(button) {
  const label = button.dataset.label ?? button.textContent;
  button.dataset.label = label;
  try {
    await copyText(document.querySelector(button.dataset.copy));
    button.textContent = gettext("Copied");
  } catch {
    button.textContent = gettext("Press Ctrl C");
    window.getSelection().selectAllChildren(document.querySelector(button.dataset.copy));
  }
  window.setTimeout(() => {
    button.textContent = label;
  }, COPIED_FOR_MS);
}

let newestThreshold = 0;

async function onThreshold(form) {
  const turn = ++newestThreshold;
  const result = form.closest("[data-result]");
  result.setAttribute("aria-busy", "true");
  const url = `${form.getAttribute("action")}?${new URLSearchParams(new FormData(form))}`;
  try {
    const next = await fetchResult(url);
    await pictureReady(next);
    if (turn !== newestThreshold) {
      return;
    }
    next.querySelector(".json").open = result.querySelector(".json").open;
    revealScripted(next);
    result.replaceWith(next);
    next.querySelector("[data-threshold] input").focus({ preventScroll: true });
  } catch {
    window.location.assign(url);
  }
}

document.addEventListener("click", (event) => {
  const button = event.target.closest("[data-copy]");
  if (button !== null) {
    onCopy(button);
  }
});

// A script may have changed the address since the page came, and the switch of the language keeps the page.
document.addEventListener("submit", (event) => {
  const next = event.target.querySelector("[data-next]");
  if (next !== null) {
    next.value = window.location.pathname + window.location.search;
  }
});

document.addEventListener("input", (event) => {
  const form = event.target.closest("[data-threshold]");
  if (form !== null) {
    form.querySelector("[data-threshold-output]").value = `${Math.round(event.target.value * 100)} %`;
  }
});

document.addEventListener("change", (event) => {
  const form = event.target.closest("[data-threshold]");
  // Where `viewer.js` is at work, it has redrawn already, or will when its photo is there.
  if (form !== null && form.closest("[data-viewer], [data-viewer-pending]") === null) {
    onThreshold(form);
  }
});

revealScripted(document);
