// The nine classes used last, each under a key that it keeps as long as it is among them.

import { paint } from "../boxes/colours.js";
import { classTitle } from "../common/i18n.js";

const STORED = "review-classes";
const PLACES = 9;

function stored() {
  try {
    const { slots, last } = JSON.parse(window.localStorage.getItem(STORED));
    return { slots: slots.slice(0, PLACES).map(String), last: last.map(String) };
  } catch {
    return { slots: [], last: [] };
  }
}

export class RecentClasses {
  // By place, and the one used last first.
  #slots;
  #last;
  #host;

  /** host: where they are shown; `onPick(className)`: one was clicked. */
  constructor(host, onPick) {
    ({ slots: this.#slots, last: this.#last } = stored());
    this.#host = host;
    host.addEventListener("click", (event) => {
      const button = event.target.closest("[data-class]");
      if (button !== null) {
        onPick(button.dataset.class);
      }
    });
    this.#show();
  }

  /** Returns the class under a key from 1 to 9, or undefined. */
  under(number) {
    return this.#slots[number - 1];
  }

  /** Returns the class used last, or null: a drawn box has it until another one is chosen. */
  get newest() {
    return this.#last[0] ?? null;
  }

  get all() {
    return this.#last;
  }

  /** Counts a class as used: a new one takes a free place, or that of the one that was not used for longest. */
  use(className) {
    this.#last = [className, ...this.#last.filter((name) => name !== className)].slice(0, PLACES);
    if (!this.#slots.includes(className)) {
      const old = this.#slots.findIndex((name) => !this.#last.includes(name));
      this.#slots[old === -1 ? this.#slots.length : old] = className;
    }
    this.#keep();
    this.#show();
  }

  #keep() {
    try {
      window.localStorage.setItem(STORED, JSON.stringify({ slots: this.#slots, last: this.#last }));
    } catch {
      // They last as long as the page then.
    }
  }

  #show() {
    this.#host.replaceChildren(
      ...this.#slots.map((name, place) => {
        const button = document.createElement("button");
        button.type = "button";
        button.className = "class-key";
        button.dataset.class = name;
        button.setAttribute("aria-keyshortcuts", String(place + 1));
        button.setAttribute("aria-pressed", String(name === this.newest));
        paint(button, name);
        const key = document.createElement("kbd");
        key.textContent = place + 1;
        key.setAttribute("aria-hidden", "true");
        button.append(key, " ", classTitle(name));
        return button;
      }),
    );
  }
}
