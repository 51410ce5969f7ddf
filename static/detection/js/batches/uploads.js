// Sends the photos of a batch, a few at a time, and goes on by itself after the server was busy or away.

import { photoType } from "../predict/file_picker.js";
import { gettext, inLanguage, interpolate } from "../common/i18n.js";

const LANES = 4;
const MAX_BREAKS = 5;
const MAX_PAUSE_S = 15;
const TRY_LATER = 503;
const AWAY = gettext("The server cannot be reached. The photos wait, and go on by themselves when it is back.");
const GONE = gettext("The file cannot be read any more. Choose it again, then try the failed ones again.");
const BREAKS = gettext("The connection broke each time that this photo was sent. Make it smaller, or look at the server's log.");

export function pause(seconds) {
  return new Promise((resolve) => {
    window.setTimeout(resolve, seconds * 1000);
  });
}

/**
 * The queue of one batch. `urlOf(position)` is where a photo goes; `serverIsBack()` resolves when the server answers
 * again; `say(sentence)` shows why nothing moves, and hides it for an empty one.
 */
export class Uploads {
  #queue = [];
  #running = 0;

  constructor(items, { urlOf, serverIsBack, say, signal }) {
    Object.assign(this, { items, urlOf, serverIsBack, say, signal });
  }

  add(item) {
    item.isOurs = true;
    this.#queue.push({ item, breaks: 0, refusals: 0 });
    if (this.#running < LANES) {
      this.#running += 1;
      this.#lane();
    }
  }

  async #lane() {
    while (this.#queue.length > 0 && !this.signal.aborted) {
      const job = this.#queue.shift();
      if (job.item.state !== "done") {
        await this.#attempt(job);
      }
    }
    this.#running -= 1;
  }

  async #attempt(job) {
    const { item } = job;
    this.items.say(item, "detecting");
    let response;
    let change;
    try {
      response = await fetch(this.urlOf(item.position), {
        method: "POST",
        headers: { "Content-Type": photoType(item.file) || item.file.type },
        body: item.file,
        signal: this.signal,
      });
      change = await response.json();
    } catch {
      await this.#afterBreak(job);
      return;
    }
    if (response.status === TRY_LATER) {
      await this.#afterRefusal(job, response, change.error);
      return;
    }
    this.say("");
    if (response.ok) {
      item.isOurs = false;
      this.items.apply(change);
    } else {
      this.#fail(item, change.error);
    }
  }

  #fail(item, sentence) {
    item.isOurs = false;
    this.items.say(item, "failed", sentence);
  }

  /** Handles a missing response: the file or the server is gone, or the response was lost. */
  async #afterBreak(job) {
    const { item } = job;
    if (this.signal.aborted) {
      return;
    }
    this.items.say(item, "waiting");
    this.say(AWAY);
    await this.serverIsBack();
    this.say("");
    job.breaks += 1;
    if (!(await isReadable(item.file))) {
      this.items.giveFile(item, null);
      this.#fail(item, GONE);
    } else if (job.breaks >= MAX_BREAKS) {
      this.#fail(item, BREAKS);
    } else {
      this.#queue.unshift(job);
    }
  }

  /** Pauses while the server is busy: for its Retry-After, longer each time. Requeues the photo at the end. */
  async #afterRefusal(job, response, sentence) {
    this.items.say(job.item, "waiting");
    this.say(interpolate(gettext("%(reason)s The photos wait, and go on by themselves."), { reason: inLanguage(sentence) }));
    const asked = Number(response.headers.get("Retry-After")) || 1;
    await pause(Math.min(asked * 2 ** job.refusals, MAX_PAUSE_S));
    job.refusals += 1;
    this.#queue.push(job);
  }
}

async function isReadable(file) {
  try {
    await file.slice(0, 1).arrayBuffer();
    return true;
  } catch {
    return false;
  }
}
