// The boxes over a video, as every page draws them. An answer's boxes are pixels of the frame that was sent.

import { BoxLayer } from "../../boxes/layer.js";

export class LiveBoxes {
  #svg;
  #layer = new BoxLayer();
  #size = null;

  /** `svg`: an empty SVG that covers the video. */
  constructor(svg) {
    this.#svg = svg;
    svg.append(this.#layer.element);
    new ResizeObserver(() => this.#fit()).observe(svg);
  }

  /** Shows the objects of an answer for a frame of width x height; the most probable lies on top. */
  show(objects, { width, height }) {
    this.#size = { width, height };
    this.#svg.setAttribute("viewBox", `0 0 ${width} ${height}`);
    this.#layer.show(withKeys(objects));
    this.#fit();
  }

  clear() {
    this.#layer.show([]);
    this.#layer.forget();
  }

  #fit() {
    if (this.#size !== null && this.#svg.clientWidth > 0) {
      this.#layer.fit(this.#size.width / this.#svg.clientWidth, { x: 0, y: 0, ...this.#size });
    }
  }
}

/** Objects as `BoxLayer` shows them. The first cat of each frame has the same key, so that its chip stays where it is. */
function withKeys(objects) {
  const counts = new Map();
  return objects.map(({ objectClass: className, probability, x, y, width, height }) => {
    const count = (counts.get(className) ?? 0) + 1;
    counts.set(className, count);
    return { key: `${className} ${count}`, className, probability, box: { x, y, width, height } };
  });
}
