// From which probability on weaker objects are shown: a slider, kept in this browser.

import { percentText } from "../boxes/layer.js";

const STORED = "review-floor";

export class Floor {
  #input;
  #output;
  #onChange;

  /** host: the form part with slider and output; `onChange()` is called when it was moved. */
  constructor(host, onChange) {
    this.#input = host.querySelector("input");
    this.#output = host.querySelector("output");
    this.#onChange = onChange;
    const kept = window.localStorage.getItem(STORED);
    if (kept !== null) {
      this.#input.value = kept;
    }
    this.#input.addEventListener("input", () => this.#changed());
    this.#tell();
  }

  /** The probability; at the right end of the slider no weaker object is shown. */
  get value() {
    return this.#input.value === this.#input.max ? Infinity : Number(this.#input.value);
  }

  /** Moves it by steps of the slider. */
  move(steps) {
    this.#input.stepUp(steps);
    this.#changed();
  }

  #changed() {
    window.localStorage.setItem(STORED, this.#input.value);
    this.#tell();
    this.#onChange();
  }

  #tell() {
    const text = this.value === Infinity ? this.#output.dataset.none : percentText(this.value);
    this.#output.textContent = text;
    this.#input.setAttribute("aria-valuetext", text);
  }
}
