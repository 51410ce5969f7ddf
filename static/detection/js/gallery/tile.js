// One photo of the gallery: its thumbnail with boxes, name, objects and badges, and the box to select it.

import { paint } from "../boxes/colours.js";
import { element } from "../boxes/layer.js";
import { classTitle, gettext, interpolate } from "../common/i18n.js";

// More names than these do not fit below a thumbnail.
const MOST_NAMES = 4;

function made(tag, className, text = "") {
  const one = document.createElement(tag);
  one.className = className;
  one.textContent = text;
  return one;
}

function countsOf(photo) {
  const counts = new Map();
  for (const [name] of photo.objects) {
    counts.set(name, (counts.get(name) ?? 0) + 1);
  }
  return [...counts];
}

const nameOf = ([name, count]) => (count === 1 ? classTitle(name) : `${count} × ${classTitle(name)}`);

/** Returns what a photo shows, as one line. */
export function describe(photo) {
  const parts = [photo.name, countsOf(photo).map(nameOf).join(", ") || gettext("No objects")];
  return [...parts, ...badgesOf(photo).map(([, text]) => text)].filter(Boolean).join(", ");
}

function badgesOf(photo) {
  const badges = [["reviewed", gettext("Reviewed")], ["changed", gettext("Changed")]];
  return badges.filter(([name]) => photo[name]);
}

/** The lines of the objects, in the colours of their classes. */
function boxesOf(photo) {
  const svg = element("svg", { viewBox: `0 0 ${photo.width} ${photo.height}`, preserveAspectRatio: "xMidYMid slice", class: "tile-boxes", "aria-hidden": "true" });
  svg.style.setProperty("--unit", Math.max(photo.width / photo.at.width, 0.01) * 0.75);
  for (const [name, , x, y, width, height] of photo.objects.toReversed()) {
    const group = element("g");
    paint(group, name);
    for (const line of ["box-shade", "box-line"]) {
      group.append(element("rect", { class: line, x, y, width, height }));
    }
    svg.append(group);
  }
  return svg;
}

function footOf(photo) {
  const foot = made("span", "tile-foot");
  const names = made("span", "tile-names");
  for (const counted of countsOf(photo).slice(0, MOST_NAMES)) {
    const chip = made("span", "tile-class", nameOf(counted));
    paint(chip, counted[0]);
    names.append(chip);
  }
  foot.append(made("span", "tile-name", photo.name), names);
  return foot;
}

/** Returns the element of a photo that has its place. urls: {thumbnail, detection}, of an id. */
export function tileOf(photo, urls) {
  const tile = made("li", "tile");
  tile.dataset.photo = photo.id;
  for (const [side, pixels] of Object.entries(photo.at)) {
    tile.style[side] = `${pixels}px`;
  }
  const link = made("a", "tile-link");
  link.href = urls.detection(photo.id);
  link.draggable = false;
  link.tabIndex = -1;
  link.setAttribute("aria-label", describe(photo));
  const picture = made("img", "tile-picture");
  Object.assign(picture, { alt: "", decoding: "async", draggable: false, src: urls.thumbnail(photo.id) });
  const badges = made("span", "tile-badges");
  badges.append(...badgesOf(photo).map(([name, text]) => made("span", `badge ${name}`, text)));
  link.append(picture, boxesOf(photo), footOf(photo), badges);
  const check = made("input", "tile-check");
  check.type = "checkbox";
  check.tabIndex = -1;
  check.setAttribute("aria-label", interpolate(gettext("Select %(name)s"), { name: photo.name || gettext("photo") }));
  tile.append(link, check);
  return tile;
}

/** Stops what an element that is thrown away still loads. */
export function release(tile) {
  tile.querySelector("img")?.removeAttribute("src");
}
