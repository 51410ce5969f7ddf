// Shows what lies under the pointer four times as large, in a corner away from it: small objects, and what a finger hides.

import { element } from "../../boxes/layer.js";

const ACROSS_PX = 168;
const TIMES = 4;

export class Magnifier {
  #svg = element("svg", { class: "magnifier", "aria-hidden": "true", width: ACROSS_PX, height: ACROSS_PX });
  #image = element("image");
  #box = element("rect", { class: "magnified-box" });
  #cross = element("path", { class: "magnified-cross" });

  constructor(host) {
    this.#svg.append(this.#image, this.#box, this.#cross);
    host.append(this.#svg);
    this.hide();
  }

  open(url, { width, height }) {
    for (const [name, value] of Object.entries({ href: url, width, height })) {
      this.#image.setAttribute(name, value);
    }
    this.hide();
  }

  /** point: what is magnified; box: the one that is drawn, or null; unit: pixels of the photo in one of the screen. */
  show(point, box, unit, isOnTheLeft) {
    const across = (ACROSS_PX * unit) / TIMES;
    this.#svg.setAttribute("viewBox", `${point.x - across / 2} ${point.y - across / 2} ${across} ${across}`);
    this.#svg.style.setProperty("--unit", unit / TIMES);
    const { x, y, width, height } = box ?? { x: 0, y: 0, width: 0, height: 0 };
    for (const [name, value] of Object.entries({ x, y, width, height })) {
      this.#box.setAttribute(name, value);
    }
    const arm = across / 12;
    this.#cross.setAttribute("d", `M${point.x - arm} ${point.y}h${2 * arm}M${point.x} ${point.y - arm}v${2 * arm}`);
    this.#svg.classList.toggle("on-the-right", isOnTheLeft);
    this.#svg.style.display = "";
  }

  hide() {
    this.#svg.style.display = "none";
  }
}
