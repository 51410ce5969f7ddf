// The list of batches: photos that are dropped or chosen there become a new one.

import { NO_PHOTO } from "../predict/file_picker.js";
import { watchPhotos } from "../predict/drag_and_drop.js";
import { choices } from "../predict/choices.js";
import { SendError } from "../predict/send.js";
import { gettext } from "../common/i18n.js";
import { startBatch } from "./start.js";

const root = document.querySelector("[data-new-batch]");
const leaving = new AbortController();

function say(name, sentence) {
  const place = root.querySelector(`[data-${name}]`);
  place.textContent = sentence;
  place.hidden = sentence === "";
}

async function onPhotos(chosen) {
  if (chosen.photos.length === 0) {
    say("error", chosen.note || NO_PHOTO);
    return;
  }
  say("error", "");
  say("note", gettext("The photos are being listed."));
  try {
    await startBatch(chosen, {
      url: root.dataset.batchesUrl,
      choices: choices(root),
      onShown: () => leaving.abort(),
    });
  } catch (error) {
    say("note", "");
    say("error", error instanceof SendError ? error.message : gettext("The batch could not be started. Reload the page and try again."));
  }
}

watchPhotos({
  marked: root,
  inputs: root.querySelectorAll("[data-photos], [data-folder]"),
  onPhotos,
  onProgress: (sentence) => say("note", sentence),
  signal: leaving.signal,
});
