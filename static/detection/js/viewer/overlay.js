// The boxes over the photo, as SVG in pixels of the photo. Their geometry is the server's (`detection/inference/photos/draw.py`).

import { classTitle, locales } from "../common/i18n.js";

const SVG = "http://www.w3.org/2000/svg";
const MOST_DIGITS = 8;

function element(name, attributes) {
  const made = document.createElementNS(SVG, name);
  for (const [key, value] of Object.entries(attributes)) {
    made.setAttribute(key, value);
  }
  return made;
}

/**
 * Returns the text at an object, and its length. In English both are the server's; in other languages the length is the
 * text's own, for the server draws in English only.
 */
function labelOf({ drawing, prediction: { objectClass, probability } }) {
  const title = classTitle(objectClass);
  if (title === objectClass) {
    return { text: drawing.text, length: drawing.text_length };
  }
  return { text: `${title}, ${probability.toLocaleString(locales, { maximumFractionDigits: MOST_DIGITS })}`, length: null };
}

/** One object: a rectangle whose outermost pixels stay where they are while its stroke gets thinner, and its text. */
class Box {
  #drawing;
  #rect = element("rect", { class: "viewer-box" });
  #text;
  #length;

  constructor(found) {
    const { text, length } = labelOf(found);
    this.#drawing = found.drawing;
    this.#length = length;
    this.#text = element("text", { class: "viewer-label", lengthAdjust: "spacingAndGlyphs" });
    this.#text.textContent = text;
    this.group = element("g", { class: "viewer-object" });
    this.group.append(this.#rect, this.#text);
  }

  fit(scale) {
    const { left, top, right, bottom, stroke_px, text_x, text_y, text_px, edge_px } = this.#drawing;
    const stroke = stroke_px / scale;
    // A pixel has an extent: the rectangle ends where its last pixel ends. SVG's stroke goes to both sides of its line.
    const size = { x: left + stroke / 2, y: top + stroke / 2, width: right + 1 - left - stroke, height: bottom + 1 - top - stroke };
    const label = {
      x: left + (text_x - left) / scale,
      y: top + (text_y - top) / scale,
      ...(this.#length === null ? {} : { textLength: this.#length / scale }),
      "font-size": text_px / scale,
      "stroke-width": (2 * edge_px) / scale,
    };
    for (const [key, value] of Object.entries({ ...size, "stroke-width": stroke })) {
      this.#rect.setAttribute(key, Math.max(value, 0));
    }
    for (const [key, value] of Object.entries(label)) {
      this.#text.setAttribute(key, value);
    }
  }
}

export class Overlay {
  #size;
  #objects;
  #boxes;
  #shown = new Set();

  /** `data`: width and height of the photo and its objects, the most probable first; that one lies on top. */
  constructor(data) {
    this.#size = data;
    this.#objects = data.objects;
    this.#boxes = data.objects.map((found) => new Box(found));
    this.svg = element("svg", { viewBox: `0 0 ${data.width} ${data.height}`, preserveAspectRatio: "none", class: "viewer-overlay", "aria-hidden": "true" });
    this.svg.append(...this.#boxes.map((box) => box.group).reverse());
    this.fit(1);
  }

  /** Keeps strokes and texts as large on the screen as they are at scale 1. */
  fit(scale) {
    for (const box of this.#boxes) {
      box.fit(scale);
    }
  }

  /** Shows the objects at these places in the list, and no others. */
  show(places) {
    this.#shown = new Set(places);
    this.#boxes.forEach((box, place) => {
      box.group.style.display = this.#shown.has(place) ? "" : "none";
    });
  }

  /** Lights one object up, or none for null. */
  light(lit) {
    this.svg.classList.toggle("has-lit", lit !== null);
    this.#boxes.forEach((box, place) => box.group.classList.toggle("lit", place === lit));
  }

  /** The place of the smallest shown object at a point of the screen: of boxes inside each other, the inner one. */
  at(clientX, clientY) {
    const { left, top, width, height } = this.svg.getBoundingClientRect();
    const x = ((clientX - left) / width) * this.#size.width;
    const y = ((clientY - top) / height) * this.#size.height;
    const hit = [...this.#shown].filter((place) => {
      const { drawing } = this.#objects[place];
      return x >= drawing.left && x <= drawing.right + 1 && y >= drawing.top && y <= drawing.bottom + 1;
    });
    const area = (place) => this.#objects[place].prediction.width * this.#objects[place].prediction.height;
    return hit.length === 0 ? null : hit.reduce((best, place) => (area(place) < area(best) ? place : best));
  }
}
