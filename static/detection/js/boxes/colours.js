// Gives each class a colour that depends on its name alone, so that it is the same on every page and for every model.

export const COLOURS = 24;
// With this start the 20 classes of Pascal VOC have 20 colours, and the 30 most frequent ones of COCO have 23.
const SEED = 14068133;
const FNV_START = 2166136261;
const FNV_PRIME = 16777619;

const encoder = new TextEncoder();

/** Returns the number of a class's colour, which `css/boxes/boxes.css` has as `.colour-<number>` (FNV-1a of its UTF-8). */
export function colourOf(className) {
  let hash = FNV_START ^ SEED;
  for (const byte of encoder.encode(className)) {
    hash = Math.imul(hash ^ byte, FNV_PRIME);
  }
  return ((hash ^ (hash >>> 15)) >>> 0) % COLOURS;
}

/** Gives an element, HTML or SVG, the colour of a class: `var(--class)` and `var(--class-ink)`, the colour of text on it. */
export function paint(element, className) {
  for (const name of [...element.classList].filter((one) => one.startsWith("colour-"))) {
    element.classList.remove(name);
  }
  element.classList.add(`colour-${colourOf(className)}`);
}
