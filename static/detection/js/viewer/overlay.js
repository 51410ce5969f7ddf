// The boxes over a photo that can be enlarged, as SVG in pixels of the photo.

import { BoxLayer, element } from "../boxes/layer.js";

/** Returns an object of the page's data as `BoxLayer` shows it; its key is its place in the list. */
function shownAs({ prediction: { objectClass, probability, x, y, width, height } }, place) {
  return { key: place, className: objectClass, probability, box: { x, y, width, height } };
}

export class Overlay {
  #size;
  #objects;
  #layer = new BoxLayer();
  #unit = 1;
  #seen;

  /** `data`: width and height of the photo and its objects, the most probable first; that one lies on top. */
  constructor(data) {
    this.#size = data;
    this.#seen = { x: 0, y: 0, width: data.width, height: data.height };
    this.#objects = data.objects.map(shownAs);
    this.svg = element("svg", { viewBox: `0 0 ${data.width} ${data.height}`, preserveAspectRatio: "none", class: "viewer-overlay", "aria-hidden": "true" });
    this.svg.append(this.#layer.element);
  }

  /** Keeps lines and chips as large on the screen as they are: `widthPx` of the whole photo there, and the share of it that is seen. */
  fit(widthPx, { left, top, width, height }) {
    this.#unit = this.#size.width / Math.max(widthPx, 1);
    this.#seen = { x: left * this.#size.width, y: top * this.#size.height, width: width * this.#size.width, height: height * this.#size.height };
    this.#layer.fit(this.#unit, this.#seen);
  }

  /** Shows the objects at these places in the list, and no others. */
  show(places) {
    this.#layer.show(places.map((place) => this.#objects[place]));
    this.#layer.fit(this.#unit, this.#seen);
  }

  /** Lights one object up, or none for null. */
  light(lit) {
    this.#layer.light(lit);
  }

  /** The place of the smallest shown object at a point of the screen: of boxes inside each other, the inner one. */
  at(clientX, clientY) {
    const { left, top, width, height } = this.svg.getBoundingClientRect();
    const point = { x: ((clientX - left) / width) * this.#size.width, y: ((clientY - top) / height) * this.#size.height };
    return this.#layer.at(point)?.key ?? null;
  }
}
