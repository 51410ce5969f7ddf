// The search field: suggestions while one types, and the photos of what is typed so far.

import { paint } from "../boxes/colours.js";
import { applyChanges } from "../common/apply.js";
import { number } from "../common/i18n.js";

const WAIT_MS = 200;
const MOST_SUGGESTIONS = 8;

export class Search {
  #form = document.querySelector("[data-search]");
  #input = document.querySelector("[data-search-text]");
  #list = document.querySelector("[data-suggestions]");
  #words = JSON.parse(document.querySelector("#gallery-suggestions").textContent);
  #chosen = -1;
  #timer = 0;

  /** onText(text): called when somebody has stopped typing for a moment. */
  constructor(onText) {
    this.#input.addEventListener("input", () => {
      this.#suggest();
      window.clearTimeout(this.#timer);
      this.#timer = window.setTimeout(() => onText(this.#input.value.trim()), WAIT_MS);
    });
    this.#input.addEventListener("keydown", (event) => this.#onKey(event));
    this.#input.addEventListener("blur", () => this.#close());
    this.#list.addEventListener("pointerdown", (event) => {
      event.preventDefault();
      this.#choose([...this.#list.children].indexOf(event.target.closest("[role=option]")));
    });
    applyChanges(this.#form, (control) => control !== this.#input);
    const slider = this.#form.querySelector("[data-apply]");
    const show = () => {
      this.#form.querySelector("[data-probability]").value = `${number(slider.value * 100)} %`;
    };
    slider.addEventListener("input", show);
    show();
  }

  focus() {
    this.#input.focus();
    this.#input.select();
  }

  /** The last word that is being typed. */
  #last() {
    const [, before, last] = /^(.*\s)?(\S*)$/.exec(this.#input.value) ?? ["", "", ""];
    return { before: before ?? "", last: last.toLowerCase() };
  }

  #suggest() {
    const { last } = this.#last();
    const minus = last.startsWith("-") ? 1 : 0;
    const begun = last.slice(minus);
    const found = begun === "" ? [] : this.#words.filter(({ text }) => text.toLowerCase().startsWith(begun) && text.toLowerCase() !== begun);
    this.#list.replaceChildren(...found.slice(0, MOST_SUGGESTIONS).map((word, index) => this.#option(word, index)));
    this.#chosen = -1;
    this.#show(found.length > 0);
  }

  #option(word, index) {
    const option = document.createElement("li");
    option.id = `suggestion-${index}`;
    option.setAttribute("role", "option");
    option.setAttribute("aria-selected", "false");
    option.textContent = word.text;
    if (word.class !== undefined) {
      const dot = document.createElement("span");
      dot.className = "class-dot";
      paint(dot, word.class);
      option.prepend(dot);
    }
    return option;
  }

  #show(isOpen) {
    this.#list.hidden = !isOpen;
    this.#input.setAttribute("aria-expanded", String(isOpen));
    if (!isOpen) {
      this.#input.removeAttribute("aria-activedescendant");
    }
  }

  #close() {
    this.#chosen = -1;
    this.#show(false);
  }

  #onKey(event) {
    const { length } = this.#list.children;
    const isOpen = !this.#list.hidden;
    if (isOpen && (event.key === "ArrowDown" || event.key === "ArrowUp")) {
      event.preventDefault();
      this.#mark((this.#chosen + (event.key === "ArrowDown" ? 1 : -1) + length) % length);
    } else if (isOpen && event.key === "Escape") {
      event.preventDefault();
      this.#close();
    } else if (isOpen && event.key === "Enter" && this.#chosen >= 0) {
      event.preventDefault();
      this.#choose(this.#chosen);
    }
  }

  #mark(index) {
    this.#chosen = index;
    [...this.#list.children].forEach((option, place) => option.setAttribute("aria-selected", String(place === index)));
    this.#input.setAttribute("aria-activedescendant", `suggestion-${index}`);
  }

  /** Takes a suggestion, and makes filters of the whole text. */
  #choose(index) {
    const option = this.#list.children[index];
    if (option === undefined) {
      return;
    }
    const { before, last } = this.#last();
    this.#input.value = `${before}${last.startsWith("-") ? "-" : ""}${option.textContent}`;
    this.#close();
    this.#form.requestSubmit();
  }
}
