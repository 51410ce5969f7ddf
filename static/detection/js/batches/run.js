// The page of a running batch: sends the photos that it has, and shows the states of all.

import { whyNot } from "../predict/file_picker.js";
import { watchPhotos } from "../predict/drag_and_drop.js";
import { gettext, interpolate, ngettext } from "../common/i18n.js";
import { Items, matchPhotos } from "./items.js";
import { followBatch } from "./socket.js";
import { Uploads, pause } from "./uploads.js";
import { View } from "./view.js";

const QUIET_MS = 5000;
const MAX_PAUSE_S = 5;
const NOT_FOUND = 404;
const DELETED = gettext("This batch is not there any more. Go back to the list of batches.");

async function fetchBatch(url, signal) {
  const response = await fetch(url, { headers: { Accept: "application/json" }, signal });
  if (response.status === NOT_FOUND) {
    throw new Error(DELETED);
  }
  return response.ok ? (await response.json()).items : null;
}

class Batch {
  #leaving = new AbortController();
  #back = null;
  #lastNews = performance.now();

  constructor(root, listed) {
    this.url = root.dataset.api;
    this.items = new Items(listed);
    this.view = new View(root, this.items);
    this.maxBytes = Number(root.dataset.maxBytes);
    this.uploads = new Uploads(this.items, {
      urlOf: (position) => `${this.url}photos/${position}?source=page`,
      serverIsBack: () => this.#serverIsBack(),
      say: (sentence) => this.view.say("error", sentence),
      signal: this.#leaving.signal,
    });
  }

  start() {
    const { root } = this.view;
    const { signal } = this.#leaving;
    followBatch(root.dataset.socket, {
      onChange: (change) => this.#onChange(change),
      onOpen: () => this.#ask(),
      signal,
    });
    watchPhotos({
      marked: root,
      inputs: root.querySelectorAll("[data-photos], [data-folder]"),
      onPhotos: ({ photos, note }) => this.take(photos, note),
      onProgress: (sentence) => this.view.say("note", sentence),
      signal,
    });
    window.setInterval(() => this.#askWhenQuiet(), QUIET_MS);
    this.view.part("retry").addEventListener("click", () => this.#retry());
    root.querySelector(".batch-filter").addEventListener("click", (event) => this.#filter(event.target));
    this.items.onChange = () => this.view.refresh();
    this.#followAddress();
    this.view.refresh();
  }

  /** Going back in the history may lead to an address that this document had before: its page has to be loaded again. */
  #followAddress() {
    const own = window.location.pathname;
    window.addEventListener("popstate", () => {
      if (window.location.pathname !== own) {
        window.location.reload();
      }
    });
  }

  /** Takes the files of unfinished photos; files of no item are reported. */
  take(photos, note = "") {
    const pairs = matchPhotos(this.items.list, photos);
    const foreign = photos.length - pairs.length;
    const known = interpolate(
      ngettext("%(count)s of the photos is done already or not of this batch.", "%(count)s of the photos are done already or not of this batch.", foreign),
      { count: foreign },
    );
    this.view.say("note", [foreign > 0 ? known : "", note].filter(Boolean).join(" "));
    for (const [item, { file }] of pairs) {
      this.items.giveFile(item, file);
      this.#send(item);
    }
  }

  #send(item) {
    const refusal = whyNot(item.file, this.maxBytes);
    if (refusal === "") {
      this.uploads.add(item);
    } else {
      this.items.say(item, "failed", refusal);
    }
  }

  #retry() {
    this.items.wantsFailed = true;
    for (const item of this.items.list.filter(({ state, file }) => state === "failed" && file !== null)) {
      this.items.say(item, "waiting");
      this.#send(item);
    }
    this.view.refresh();
  }

  #filter(button) {
    if (!(button instanceof HTMLButtonElement)) {
      return;
    }
    for (const other of button.parentElement.children) {
      other.setAttribute("aria-pressed", String(other === button));
    }
    this.view.root.dataset.show = button.dataset.filter;
    this.view.refresh();
  }

  #onChange(change) {
    this.#lastNews = performance.now();
    if (change.position !== undefined) {
      this.items.apply(change);
    }
  }

  /** Changes can be missed: polls the whole list while items are unfinished and no change comes. */
  #askWhenQuiet() {
    if (!this.items.isFinished && performance.now() - this.#lastNews > QUIET_MS) {
      this.#ask();
    }
  }

  async #ask() {
    try {
      const listed = await fetchBatch(this.url, this.#leaving.signal);
      if (listed === null) {
        return false;
      }
      this.items.applyAll(listed);
      return true;
    } catch (error) {
      if (error.message === DELETED) {
        this.#leaving.abort();
        this.view.say("error", DELETED);
      }
      return false;
    }
  }

  /** Shares one request between concurrent callers. */
  #serverIsBack() {
    this.#back ??= this.#askUntilAnswered().finally(() => {
      this.#back = null;
    });
    return this.#back;
  }

  async #askUntilAnswered() {
    for (let seconds = 0.25; !(await this.#ask()) && !this.#leaving.signal.aborted; seconds = Math.min(seconds * 2, MAX_PAUSE_S)) {
      await pause(seconds);
    }
  }
}

/** Runs the batch whose page `root` is; `listed` are its items as the API tells them, `photos` those at hand. */
export function runBatch(root, listed, photos = [], note = "") {
  const batch = new Batch(root, listed);
  batch.start();
  batch.take(photos, note);
}

/** Runs the batch of a page that was just opened. */
export async function openBatchPage(root) {
  const listed = await fetchBatch(root.dataset.api).catch(() => null);
  if (listed === null) {
    window.setTimeout(() => openBatchPage(root), QUIET_MS);
  } else {
    runBatch(root, listed);
  }
}
