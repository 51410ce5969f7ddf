// What the page has to say: what was not saved, and what waits for a server that is away.

import { gettext, inLanguage, interpolate, ngettext } from "../common/i18n.js";
import { Refused } from "./steps/outbox.js";

function waitingText(count, error) {
  if (error instanceof Refused && [401, 403].includes(error.status)) {
    return interpolate(
      ngettext(
        "You are not logged in any more. %(count)s step waits in this browser: log in again in another tab, and it is sent.",
        "You are not logged in any more. %(count)s steps wait in this browser: log in again in another tab, and they are sent.",
        count,
      ),
      { count },
    );
  }
  return interpolate(
    ngettext(
      "The server does not answer. %(count)s step waits in this browser, and is sent when it is back.",
      "The server does not answer. %(count)s steps wait in this browser, and are sent when it is back.",
      count,
    ),
    { count },
  );
}

export class Notices {
  #part;
  #texts;
  #look = null;
  #again = null;

  /** part(name): the element of a name. */
  constructor(part, texts) {
    this.#part = part;
    this.#texts = texts;
    part("problem-look").addEventListener("click", () => this.#look?.());
    part("problem-again").addEventListener("click", () => this.#again?.());
  }

  /** Reports a problem; the empty sentence takes it back. look(): shows the photo that it is about; again(): says it again. */
  tell(sentence, { look = null, again = null } = {}) {
    this.#part("problem").hidden = sentence === "";
    this.#part("problem-text").textContent = inLanguage(sentence);
    [this.#look, this.#again] = [look, again];
    this.#part("problem-look").hidden = look === null;
    this.#part("problem-again").hidden = again === null;
  }

  /** Reports steps that wait for the server; error: why, or null when nothing is wrong. */
  waiting(count, error) {
    this.#part("away").hidden = error === null || count === 0;
    if (error !== null) {
      this.#part("away").textContent = waitingText(count, error);
    }
  }

  /** Says something that is no problem, for readers of screens too. */
  hint(sentence) {
    this.#part("status").textContent = sentence;
  }

  /** Reports that a photo could not be fetched. */
  noAnswer(error) {
    this.tell(error instanceof Refused ? error.message : this.#texts.noServer);
  }
}

export const morePhoto = () => gettext("The photo is not on the screen yet. Look at it first.");

export const comparing = () => gettext("Your objects are being compared with the model's. Enter goes on to the next photo.");
export const compared = () => gettext("These are your objects beside the model's. Enter goes on to the next photo.");

/** Asks to look at the objects that were not on the screen. */
export function moreBelow(count) {
  return interpolate(
    ngettext(
      "%(count)s more object was not on the screen yet: look at it, then press Done again.",
      "%(count)s more objects were not on the screen yet: look at them, then press Done again.",
      count,
    ),
    { count },
  );
}

/** Asks for verdicts on the objects of the measuring sample, which Done alone would confirm. */
export const judgeAsked = () => gettext("The marked object is in the sample: judge it on its own, then press Done again.");
