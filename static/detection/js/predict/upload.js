// The first page: a photo is dropped, chosen, pasted or the sample; it is sent; its result is shown. Many are a batch.

import { startBatch } from "../batches/start.js";
import { NO_PHOTO, leftOutNote, whyNot } from "./file_picker.js";
import { watchPhotos } from "./drag_and_drop.js";
import { chosenModel, withModel } from "./model.js";
import { fetchRecent, fetchResult, pictureReady, revealScripted } from "./result.js";
import { SendError, UNREACHABLE, sendPhoto } from "./send.js";
import { gettext, interpolate, number } from "../common/i18n.js";
import { showLocalTimes } from "../common/local_times.js";

const PLACEHOLDER_ID = "00000000-0000-0000-0000-000000000000";
const TICK_MS = 100;

const root = document.querySelector("[data-detect]");
const part = (name) => root.querySelector(`[data-${name}]`);
const input = root.querySelector("#image");
const leaving = new AbortController();
let running = null;

function say(name, sentence) {
  part(name).textContent = sentence;
  part(name).hidden = sentence === "";
}

function show(state) {
  root.dataset.state = state;
  part("start").hidden = state !== "idle";
  part("working").hidden = state !== "working";
  part("result-host").hidden = state !== "done";
  if (state !== "done") {
    part("result-slot").replaceChildren();
  }
}

function startClock() {
  const startedAt = performance.now();
  let sent = 0;
  const tick = () => {
    const seconds = number((performance.now() - startedAt) / 1000, 1);
    const text = sent < 1 ? gettext("Sending: %(percent)s %, %(seconds)s s") : gettext("Looking for objects: %(seconds)s s");
    part("working-text").textContent = interpolate(text, { percent: Math.floor(sent * 100), seconds });
  };
  const timer = window.setInterval(tick, TICK_MS);
  tick();
  return {
    stop: () => window.clearInterval(timer),
    onProgress: (loaded, total) => {
      sent = total > 0 ? loaded / total : 1;
      if (sent < 1) {
        part("progress").value = sent;
      } else {
        part("progress").removeAttribute("value");
      }
      tick();
    },
  };
}

function showPreview(file) {
  const address = URL.createObjectURL(file);
  part("preview").hidden = false;
  part("preview").src = address;
  return () => URL.revokeObjectURL(address);
}

/** Scrolls only when the top of an element is not on the upper half of the screen. */
function bringIntoView(element) {
  const { top } = element.getBoundingClientRect();
  if (top < 0 || top > window.innerHeight / 2) {
    element.scrollIntoView({ block: "start" });
  }
}

async function showResult(detectionId, signal) {
  const url = root.dataset.detectionUrl.replace(PLACEHOLDER_ID, detectionId);
  const result = await fetchResult(url);
  revealScripted(result);
  await pictureReady(result);
  signal.throwIfAborted();
  part("result-slot").replaceChildren(result);
  part("open-detection").href = url;
  show("done");
  const title = result.querySelector("[data-result-title]");
  const names = [...result.querySelectorAll("[data-object] th")].map((cell) => cell.textContent);
  say("announce", [title.textContent, ...names].join(", "));
  title.focus({ preventScroll: true });
  bringIntoView(part("result-host"));
}

function sentenceOf(error) {
  if (error.name === "AbortError") {
    return "";
  }
  return error instanceof SendError
    ? error.message
    : gettext("The photo was sent, but its result could not be shown. Open the history to see it.");
}

function refuse(sentence) {
  say("error", sentence);
  say("note", "");
  show("idle");
}

async function detect(file, note = "") {
  running?.abort();
  const refusal = whyNot(file, Number(root.dataset.maxBytes));
  if (refusal) {
    refuse(refusal);
    return;
  }
  const controller = new AbortController();
  running = controller;
  say("error", "");
  say("note", note);
  const clock = startClock();
  const hidePreview = showPreview(file);
  show("working");
  say("announce", gettext("Looking for objects in the photo."));
  try {
    const { onProgress } = clock;
    const detectionId = await sendPhoto(file, withModel(root.dataset.predictUrl, chosenModel(root)), { onProgress, signal: controller.signal });
    await showResult(detectionId, controller.signal);
  } catch (error) {
    if (running === controller) {
      refuse(sentenceOf(error));
    }
  } finally {
    clock.stop();
    hidePreview();
  }
}

async function take(chosen) {
  const { photos, leftOut } = chosen;
  if (photos.length === 1) {
    await detect(photos[0].file, leftOutNote(leftOut));
    return;
  }
  running?.abort();
  if (photos.length === 0) {
    refuse(NO_PHOTO);
    return;
  }
  say("error", "");
  say("note", gettext("The photos are being listed."));
  try {
    await startBatch(chosen, { url: root.dataset.batchesUrl, model: chosenModel(root), onShown: () => leaving.abort() });
  } catch (error) {
    refuse(error instanceof SendError ? error.message : gettext("The batch could not be started. Reload the page and try again."));
  }
}

async function detectSample(url) {
  let bytes;
  try {
    bytes = await (await fetch(url)).blob();
  } catch {
    refuse(UNREACHABLE);
    return;
  }
  await detect(new File([bytes], "chelsea.jpg", { type: "image/jpeg" }));
}

async function renewRecent() {
  try {
    const recent = await fetchRecent(window.location.pathname);
    showLocalTimes(recent);
    document.querySelector("[data-recent]")?.remove();
    root.after(recent);
  } catch {
    // The page goes on with the recent detections that it shows already.
  }
}

// Browsers do not show all photos that the server reads.
part("preview").addEventListener("error", () => {
  part("preview").hidden = true;
});
watchPhotos({
  marked: root,
  inputs: root.querySelectorAll("#image, [data-folder]"),
  onPhotos: take,
  signal: leaving.signal,
});
// Without scripts, the form sends one photo.
input.multiple = true;
part("sample-form").addEventListener("submit", (event) => {
  event.preventDefault();
  detectSample(part("sample").dataset.sample);
});
part("cancel").addEventListener("click", () => running?.abort());
part("again").addEventListener("click", () => {
  show("idle");
  say("note", "");
  input.focus();
  renewRecent();
});
