// The first page: a photo is dropped, chosen, pasted or the sample; it is sent; its result is shown. Many are a batch.

import { NO_PHOTO, whyNot } from "./file_picker.js";
import { watchPhotos } from "./drag_and_drop.js";
import { choices, withChoices } from "./choices.js";
import { fetchRecent, fetchViewed, loadViewer, revealScripted } from "./result.js";
import { SendError, UNREACHABLE, sendPhoto } from "./send.js";
import { gettext, interpolate, number } from "../common/i18n.js";
import { showLocalTimes } from "../common/local_times.js";

const PLACEHOLDER_ID = "00000000-0000-0000-0000-000000000000";
const UUID = /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/;
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

/** Writes the detection that is shown into the page's address, so that a reload keeps it; null: none. */
function keepInAddress(detectionId) {
  const url = new URL(window.location.href);
  url.searchParams.delete("threshold");
  url.searchParams.delete("detection");
  if (detectionId !== null) {
    url.searchParams.set("detection", detectionId);
  }
  window.history.replaceState(null, "", url);
}

/** Shows the result of a stored detection. `query`: how its page is asked for, "?threshold=0.3" say. */
async function showResult(detectionId, signal, query = "") {
  const url = root.dataset.detectionUrl.replace(PLACEHOLDER_ID, detectionId);
  const [result, opened] = await fetchViewed(url + query);
  signal.throwIfAborted();
  revealScripted(result);
  part("result-slot").replaceChildren(result);
  part("open-detection").href = url;
  // Laid out but not seen yet: the viewer measures itself, and the picture does not jump.
  part("result-host").classList.add("opening");
  part("result-host").hidden = false;
  try {
    await opened();
  } finally {
    part("result-host").classList.remove("opening");
  }
  signal.throwIfAborted();
  show("done");
  return result;
}

function announce(result) {
  const title = result.querySelector("[data-result-title]");
  const names = [...result.querySelectorAll("[data-objects] [data-object] th")].map((cell) => cell.textContent);
  say("announce", [title.textContent, ...names].join(", "));
  title.focus({ preventScroll: true });
  bringIntoView(part("result-host"));
}

/** Shows again, after a reload, the result that the address names. */
async function showKept(detectionId) {
  const controller = new AbortController();
  running = controller;
  part("preview").hidden = true;
  part("working-text").textContent = gettext("Opening the result");
  show("working");
  try {
    const threshold = new URLSearchParams(window.location.search).get("threshold");
    await showResult(detectionId, controller.signal, threshold === null ? "" : `?${new URLSearchParams({ threshold })}`);
  } catch {
    if (running === controller) {
      refuse(controller.signal.aborted ? "" : gettext("The result of this address cannot be shown: perhaps it was deleted. Send the photo again."));
    }
  }
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
  keepInAddress(null);
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
  keepInAddress(null);
  say("error", "");
  say("note", note);
  const clock = startClock();
  const hidePreview = showPreview(file);
  show("working");
  say("announce", gettext("Looking for objects in the photo."));
  // That it failed is noticed when there is a result.
  loadViewer().catch(() => undefined);
  try {
    const { onProgress } = clock;
    const detectionId = await sendPhoto(file, withChoices(root.dataset.predictUrl, root), { onProgress, signal: controller.signal });
    keepInAddress(detectionId);
    announce(await showResult(detectionId, controller.signal));
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
  const { photos, note } = chosen;
  if (photos.length === 1) {
    await detect(photos[0].file, note);
    return;
  }
  running?.abort();
  if (photos.length === 0) {
    refuse(note || NO_PHOTO);
    return;
  }
  say("error", "");
  say("note", gettext("The photos are being listed."));
  keepInAddress(null);
  try {
    const { startBatch } = await import("../batches/start.js");
    await startBatch(chosen, { url: root.dataset.batchesUrl, choices: choices(root), onShown: () => leaving.abort() });
  } catch (error) {
    refuse(error instanceof SendError ? error.message : gettext("The batch could not be started. Reload the page and try again."));
  }
}

async function detectSample(name, url) {
  let bytes;
  try {
    bytes = await (await fetch(url)).blob();
  } catch {
    refuse(UNREACHABLE);
    return;
  }
  await detect(new File([bytes], `${name}.jpg`, { type: "image/jpeg" }));
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
  onProgress: (sentence) => say("note", sentence),
  signal: leaving.signal,
});
// Without scripts, the form sends one photo.
input.multiple = true;
part("sample-form").addEventListener("submit", (event) => {
  event.preventDefault();
  detectSample(event.submitter.value, event.submitter.dataset.sample);
});
part("cancel").addEventListener("click", () => running?.abort());
part("again").addEventListener("click", () => {
  keepInAddress(null);
  show("idle");
  say("note", "");
  input.focus();
  renewRecent();
});
const kept = new URLSearchParams(window.location.search).get("detection");
if (UUID.test(kept)) {
  showKept(kept);
}
