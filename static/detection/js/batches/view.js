// Writes what has changed into the page of a batch, a few times a second and only what has changed.

import { classTitle, countsText, gettext, inLanguage, interpolate, ngettext } from "../common/i18n.js";

const PLACEHOLDER_ID = "00000000-0000-0000-0000-000000000000";
const FLUSH_MS = 120;
// Interval of progress messages for screen readers.
const ANNOUNCE_MS = 10_000;
const TEXTS = { detecting: gettext("Detecting"), done: gettext("Done"), failed: gettext("Failed") };

function textOf(item) {
  if (item.state === "waiting") {
    return item.file === null ? gettext("Waiting for its file") : gettext("Waiting");
  }
  return TEXTS[item.state];
}

/** Returns the objects, or the reason for none, in the language of the page; the server's `summary` is English. */
function summaryOf(item) {
  if (item.state !== "done") {
    return inLanguage(item.summary);
  }
  return item.detection === null ? gettext("The detection was deleted.") : countsText(Object.entries(item.objects));
}

export class View {
  #timer = null;
  #announcedAt = performance.now();

  constructor(root, items) {
    this.root = root;
    this.items = items;
    this.elements = [...root.querySelectorAll("[data-item]")];
    this.title = document.title;
  }

  /** The one element with that data attribute. */
  part(name) {
    return this.root.querySelector(`[data-${name}]`);
  }

  /** Shows a sentence, or hides its place when there is none. */
  say(name, sentence) {
    const place = this.part(name);
    if (place.textContent !== sentence) {
      place.textContent = sentence;
    }
    place.hidden = sentence === "";
  }

  /** Writes soon; what changes until then is written along with it. */
  refresh() {
    this.#timer ??= window.setTimeout(() => {
      this.#timer = null;
      this.#flush();
    }, FLUSH_MS);
  }

  #flush() {
    const { items } = this;
    for (const position of items.changed) {
      this.#writeItem(this.elements[position], items.list[position]);
    }
    items.changed.clear();
    this.#writeTotals();
    this.#writeClasses();
    this.part("retry").hidden = items.totals.failed === 0;
    this.#writeMissing();
    const shown = this.root.dataset.show;
    this.part("empty").hidden = shown === "all" || items.totals[shown] > 0;
  }

  #writeItem(element, item) {
    element.dataset.state = item.state;
    element.querySelector("[data-state-text]").textContent = textOf(item);
    element.querySelector("[data-summary]").textContent = summaryOf(item);
    const picture = element.querySelector("img");
    const hasPicture = item.detection !== null;
    if (hasPicture) {
      element.querySelector("a").href = this.root.dataset.detectionUrl.replace(PLACEHOLDER_ID, item.detection);
      picture.src = this.root.dataset.thumbnailUrl.replace(PLACEHOLDER_ID, item.detection);
    } else {
      element.querySelector("a").removeAttribute("href");
      picture.removeAttribute("src");
    }
    picture.hidden = !hasPicture;
  }

  #writeTotals() {
    const { totals, isFinished } = this.items;
    for (const place of this.root.querySelectorAll("[data-total]")) {
      place.textContent = totals[place.dataset.total];
    }
    const answered = totals.done + totals.failed;
    this.part("progress").value = answered;
    document.title = isFinished ? this.title : `(${answered}/${totals.photos}) ${this.title}`;
    this.#announce();
  }

  #announce() {
    const { totals, isFinished } = this.items;
    const now = performance.now();
    let text = gettext("%(answered)s of %(photos)s photos are answered.");
    if (isFinished) {
      text = totals.failed > 0 ? gettext("All photos are answered: %(done)s done, %(failed)s failed.") : gettext("All photos are answered: %(done)s done.");
    } else if (now - this.#announcedAt < ANNOUNCE_MS) {
      return;
    }
    this.#announcedAt = now;
    this.part("announce").textContent = interpolate(text, { ...totals, answered: totals.done + totals.failed });
  }

  #writeClasses() {
    const chip = this.part("class-chip").content;
    const byCount = [...this.items.objects].sort(([, one], [, other]) => other - one);
    if (byCount.length === 0) {
      return;
    }
    const chips = byCount.map(([name, count]) => {
      const made = chip.cloneNode(true);
      made.querySelector("span").textContent = classTitle(name);
      made.querySelector("b").textContent = count;
      made.querySelector("a").href = `${this.root.dataset.galleryUrl}&${new URLSearchParams({ class: name })}`;
      return made;
    });
    this.part("classes").replaceChildren(...chips);
  }

  #writeMissing() {
    const count = this.items.missing.length;
    this.part("resume").hidden = count === 0;
    const waiting = ngettext("%(count)s photo waits for its file", "%(count)s photos wait for their files", count);
    this.part("resume-title").textContent = interpolate(waiting, { count });
  }
}
