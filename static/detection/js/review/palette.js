// Chooses a class: type a part of its name, Enter takes the first one, arrows another; a new name makes a new class.

import { classTitle } from "../common/i18n.js";

const SHOWN = 8;

export class Palette {
  #dialog;
  #input;
  #list;
  #classes;
  #texts;
  #recent = [];
  #without = null;
  #options = [];
  #chosen = 0;
  #resolve = null;

  constructor(dialog, classes, texts) {
    this.#dialog = dialog;
    this.#input = dialog.querySelector("[data-palette-input]");
    this.#list = dialog.querySelector("[data-palette-list]");
    this.#classes = classes;
    this.#texts = texts;
    this.#input.addEventListener("input", () => this.#search());
    this.#input.addEventListener("keydown", (event) => this.#onKey(event));
    this.#list.addEventListener("click", (event) => this.#onClick(event));
    dialog.addEventListener("close", () => this.#end(null));
  }

  /** Resolves to the name of a class, or to null when none was chosen. without: one that is not offered; recent: come first. */
  ask(without, recent) {
    this.#input.value = "";
    this.#without = without;
    this.#recent = recent;
    this.#search();
    this.#dialog.showModal();
    this.#input.focus();
    return new Promise((resolve) => {
      this.#resolve = resolve;
    });
  }

  #end(name) {
    const resolve = this.#resolve;
    this.#resolve = null;
    if (name !== null) {
      this.#classes = [...new Set([...this.#classes, name])];
    }
    if (this.#dialog.open) {
      this.#dialog.close();
    }
    resolve?.(name);
  }

  /** Sorts recently chosen names first, and names that begin with the text before those that contain it. */
  #search() {
    const typed = this.#input.value.trim();
    const text = typed.toLowerCase();
    const all = [...new Set([...this.#recent, ...this.#classes])].filter((name) => name !== this.#without);
    // People type the model's name of a class, or the one of their own language, which they see.
    const words = (name) => [name.toLowerCase(), classTitle(name).toLowerCase()];
    const begins = all.filter((name) => words(name).some((word) => word.startsWith(text)));
    const holds = all.filter((name) => !begins.includes(name) && words(name).some((word) => word.includes(text)));
    this.#options = [...begins, ...holds].slice(0, SHOWN).map((name) => ({ name, text: classTitle(name) }));
    if (typed !== "" && !all.some((name) => words(name).includes(text))) {
      this.#options.push({ name: typed, text: this.#texts.newClass.replace("{name}", typed) });
    }
    this.#show(0);
  }

  #show(chosen) {
    this.#chosen = chosen;
    this.#list.replaceChildren(
      ...this.#options.map(({ text }, place) => {
        const option = document.createElement("li");
        option.id = `palette-${place}`;
        option.textContent = text;
        option.setAttribute("role", "option");
        option.setAttribute("aria-selected", String(place === chosen));
        return option;
      }),
    );
    if (this.#options.length > 0) {
      this.#input.setAttribute("aria-activedescendant", `palette-${chosen}`);
    } else {
      this.#input.removeAttribute("aria-activedescendant");
    }
  }

  #onKey(event) {
    const count = this.#options.length;
    if (event.key === "Enter") {
      event.preventDefault();
      event.stopPropagation();
      if (count > 0) {
        this.#end(this.#options[this.#chosen].name);
      }
    } else if (count > 0 && (event.key === "ArrowDown" || event.key === "ArrowUp")) {
      event.preventDefault();
      this.#show((this.#chosen + (event.key === "ArrowDown" ? 1 : count - 1)) % count);
    }
  }

  #onClick(event) {
    const place = [...this.#list.children].indexOf(event.target.closest("li"));
    if (place >= 0) {
      this.#end(this.#options[place].name);
    }
  }
}
