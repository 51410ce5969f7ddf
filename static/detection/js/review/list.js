// The list of a photo's objects, and what is drawn of them on the stage.

import { paint } from "../boxes/colours.js";
import { percentText } from "../boxes/layer.js";
import { classTitle, gettext } from "../common/i18n.js";

const MARKS = { confirmed: "✓", added: "✓", relabelled: "✎", corrected: "✎", rejected: "✕" };
// From this many on, rows stand in two columns, so that more are on the screen.
const MANY = 12;

const isGhost = (object, ghosts) => ghosts.includes(object);

/** The model's probability, where the object has the model's class. */
const probabilityOf = ({ model, objectClass }) => (model?.objectClass === objectClass ? model.probability : null);

/** Returns an object as `BoxLayer.show` takes it. */
export function drawnAs(object, { isCurrent, ghost }) {
  const state = [ghost ? "ghost" : object.verdict || "open", isCurrent ? "current" : ""].join(" ").trim();
  const mark = ghost ? "+" : (MARKS[object.verdict] ?? "");
  return { key: object.object, className: object.objectClass, probability: probabilityOf(object), box: object.box, state, mark };
}

function newRow(key) {
  const row = document.createElement("li");
  const button = document.createElement("button");
  button.type = "button";
  button.dataset.row = key;
  const [name, about, verdict] = ["strong", "span", "span"].map((tag) => document.createElement(tag));
  about.className = "judged-about";
  verdict.className = "judged-verdict";
  button.append(name, about, verdict);
  row.append(button);
  return row;
}

export class ObjectList {
  #host;
  #rows = new Map();
  #texts;
  #seen;
  #onPick;

  /** texts: of the verdicts; seen: told of the rows that are on the screen; `onPick(key)`: a row was clicked. */
  constructor(host, texts, seen, onPick) {
    this.#host = host;
    this.#texts = texts;
    this.#seen = seen;
    this.#onPick = onPick;
    host.addEventListener("click", (event) => {
      const row = event.target.closest("[data-row]");
      if (row !== null) {
        this.#onPick(row.dataset.row);
      }
    });
  }

  /** Shows the objects and the ghosts behind them; asked: keys. Rows stay where they are pressed: each is made once. */
  show(objects, ghosts, current, asked) {
    const shown = [...objects, ...ghosts];
    const rows = new Map(shown.map((object) => [object.object, this.#rows.get(object.object) ?? newRow(object.object)]));
    for (const object of shown) {
      this.#fill(rows.get(object.object).firstElementChild, object, object.object === current, isGhost(object, ghosts), asked.includes(object.object));
    }
    const isSame = this.#host.childElementCount === rows.size && [...rows.values()].every((row, place) => this.#host.children[place] === row);
    this.#rows = rows;
    this.#host.classList.toggle("many", rows.size > MANY);
    if (!isSame) {
      const focused = document.activeElement;
      this.#host.replaceChildren(...rows.values());
      if (this.#host.contains(focused)) {
        focused.focus({ preventScroll: true });
      }
    }
    this.#seen.watch(this.#host.querySelectorAll("[data-row]"));
  }

  /** Begins with another photo, whose objects have the same keys. */
  open() {
    this.#rows.clear();
  }

  /** Scrolls an object's row into view. */
  reveal(key, block = "nearest") {
    this.#host.querySelector(`[data-row="${key}"]`)?.scrollIntoView({ block });
  }

  #fill(button, object, isCurrent, ghost, isAsked) {
    button.className = `judged-row ${ghost ? "ghost" : object.verdict || "open"}${isAsked ? " asked" : ""}`;
    paint(button, object.objectClass);
    if (isCurrent) {
      button.setAttribute("aria-current", "true");
    } else {
      button.removeAttribute("aria-current");
    }
    const verdict = ghost ? gettext("Weaker: accept") : this.#verdictOf(object, isAsked);
    [classTitle(object.objectClass), this.#aboutOf(object), verdict].forEach((text, place) => {
      button.children[place].textContent = text;
    });
  }

  #verdictOf({ verdict, by }, isAsked) {
    const text = isAsked && verdict === "" ? gettext("In the sample: judge it") : this.#texts.verdicts[verdict];
    return text + (by ? ` · ${by}` : "");
  }

  #aboutOf({ model, objectClass }) {
    if (model === null) {
      return this.#texts.drawn;
    }
    const percent = percentText(model.probability);
    return model.objectClass === objectClass ? percent : `${percent} · ${this.#texts.wasClass.replace("{name}", classTitle(model.objectClass))}`;
  }
}
