// The boxes over a photo as everybody draws them here: a line in the colour of the class, and a chip "person 74 %" that
// keeps its size on the screen and makes way for others. The picture that the server draws has the red style of 2019.

import { classTitle, number } from "../common/i18n.js";
import { placeChips } from "./chips.js";
import { paint } from "./colours.js";

const SVG = "http://www.w3.org/2000/svg";
export const CHIP_PX = { text: 12, height: 18, padding: 5 };
const FONT = `600 ${CHIP_PX.text}px system-ui, sans-serif`;

const ruler = document.createElement("canvas").getContext("2d");
ruler.font = FONT;
const lengths = new Map();

export function element(name, attributes = {}) {
  const made = document.createElementNS(SVG, name);
  for (const [key, value] of Object.entries(attributes)) {
    made.setAttribute(key, value);
  }
  return made;
}

/** Returns the width of a text in a chip, in pixels of the screen. */
function lengthOf(text) {
  if (!lengths.has(text)) {
    lengths.set(text, ruler.measureText(text).width);
  }
  return lengths.get(text);
}

/** Returns a probability as people read it: below 1 it is never 100 %. */
export function percentText(probability) {
  return `${number(Math.min(Math.round(probability * 100), probability < 1 ? 99 : 100))} %`;
}

/** Returns the texts of a chip, the longest first: "person 74 %", then "person" where that does not fit. */
export function chipTexts({ className, probability, mark = "" }) {
  const title = [mark, classTitle(className)].filter(Boolean).join(" ");
  return probability === null ? [title] : [`${title} ${percentText(probability)}`, title];
}

export const chipSize = (text) => ({ width: lengthOf(text) + 2 * CHIP_PX.padding, height: CHIP_PX.height });

/** One object: its line, dark underneath so that it is seen on any photo, and its chip. */
class Box {
  constructor(object) {
    this.object = object;
    this.texts = chipTexts(object);
    this.group = element("g", { class: ["box", object.state ?? ""].join(" ").trim(), "data-key": object.key });
    paint(this.group, object.className);
    const { x, y, width, height } = object.box;
    for (const name of ["box-shade", "box-line"]) {
      this.group.append(element("rect", { class: name, x, y, width, height }));
    }
    this.chip = element("g", { class: `chip-label ${object.state ?? ""}`.trim(), "data-key": object.key });
    paint(this.chip, object.className);
    this.#fill = element("rect", { class: "chip-fill", height: CHIP_PX.height, rx: 4 });
    this.#text = element("text", { class: "chip-text", x: CHIP_PX.padding, y: CHIP_PX.height - CHIP_PX.padding, "font-size": CHIP_PX.text });
    this.chip.append(this.#fill, this.#text);
  }

  #fill;
  #text;

  /** Shows the chip at a place of the screen; unit and origin lead from there to pixels of the photo. */
  put(place, unit, origin) {
    this.chip.classList.toggle("without-room", place === null);
    const { x, y, width, choice } = place ?? this.#atCorner(unit, origin);
    this.chip.setAttribute("transform", `translate(${origin.x + x * unit} ${origin.y + y * unit}) scale(${unit})`);
    this.#fill.setAttribute("width", width);
    this.#text.textContent = this.texts[choice];
  }

  /** Where a chip without room is shown while its object is lit. */
  #atCorner(unit, origin) {
    const { x, y } = this.object.box;
    return { x: (x - origin.x) / unit, y: Math.max(0, (y - origin.y) / unit - CHIP_PX.height), width: chipSize(this.texts[0]).width, choice: 0 };
  }
}

export class BoxLayer {
  /** An SVG group in pixels of the photo, for whoever makes the SVG. */
  element = element("g", { class: "boxes", "aria-hidden": "true" });
  #boxes = [];
  #lines = element("g");
  #chips = element("g");
  #lit = null;
  // Where each object's chip was, by key.
  #places = new Map();

  constructor() {
    this.element.append(this.#lines, this.#chips);
  }

  /**
   * Shows these objects, the most important first; that one lies on top and gets its chip first.
   *
   * objects: [{key, className, probability or null, box: {x, y, width, height} in pixels of the photo, state, mark}];
   * state: classes of CSS for the box and its chip (`boxes.css`); mark: a sign before the name. Call `fit` after it.
   */
  show(objects) {
    this.#boxes = objects.map((object) => new Box(object));
    this.#lit = null;
    this.element.classList.remove("has-lit");
    this.#lines.replaceChildren(...this.#boxes.map((box) => box.group).reverse());
    this.#chips.replaceChildren(...this.#boxes.map((box) => box.chip).reverse());
  }

  /**
   * Lays lines and chips out for the screen.
   *
   * unit: pixels of the photo in one of the screen; seen: {x, y, width, height}, what is seen of the photo, in its pixels.
   */
  fit(unit, seen) {
    this.element.style.setProperty("--unit", unit);
    const boxes = this.#boxes.map(({ object: { key, box }, texts }) => ({
      before: this.#places.get(key),
      x: (box.x - seen.x) / unit,
      y: (box.y - seen.y) / unit,
      width: box.width / unit,
      height: box.height / unit,
      chips: texts.map(chipSize),
    }));
    const places = placeChips(boxes, { width: seen.width / unit, height: seen.height / unit });
    this.#places = new Map(this.#boxes.map(({ object: { key } }, index) => [key, places[index]]));
    this.#boxes.forEach((box, index) => box.put(places[index], unit, seen));
  }

  /** Forgets where chips were: those that come belong to another photo. */
  forget() {
    this.#places.clear();
  }

  /** Lights one object up and takes the others back; null: none. */
  light(key) {
    if (key === this.#lit) {
      return;
    }
    this.#lit = key;
    this.element.classList.toggle("has-lit", key !== null);
    for (const { object, group, chip } of this.#boxes) {
      group.classList.toggle("lit", object.key === key);
      chip.classList.toggle("lit", object.key === key);
    }
  }

  /** Returns the object at a point of the photo: of boxes inside each other, the innermost. */
  at({ x, y }) {
    const hit = this.#boxes
      .map(({ object }) => object)
      .filter(({ box }) => x >= box.x && x <= box.x + box.width && y >= box.y && y <= box.y + box.height);
    const area = ({ box }) => box.width * box.height;
    return hit.reduce((best, object) => (best === null || area(object) < area(best) ? object : best), null);
  }
}
