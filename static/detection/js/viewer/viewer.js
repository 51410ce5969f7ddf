// A detection's page: threshold and classes redraw at once, rows and boxes light each other up, the photo can be enlarged.
// The server's picture stays where there is no script, and is what is downloaded.

import { addKeys } from "../common/shortcuts.js";
import { classTitle, gettext, interpolate, ngettext, number } from "../common/i18n.js";
import { Overlay } from "./overlay.js";
import { Zoom } from "./zoom.js";

const result = document.querySelector("[data-result]");
const data = JSON.parse(document.querySelector("#viewer-data").textContent);
const part = (name) => result.querySelector(`[data-${name}]`);
const slider = result.querySelector("[data-threshold] input");
const overlay = new Overlay(data);
const hiddenClasses = new Set();
let rows = [];
// Not the slider's value: an address can name a threshold that lies between two of its steps.
let threshold = data.threshold;

function withThreshold(address) {
  const url = new URL(address, window.location.href);
  if (threshold === data.ownThreshold) {
    url.searchParams.delete("threshold");
  } else {
    url.searchParams.set("threshold", threshold);
  }
  return url;
}

function titleOf(count) {
  if (count === 0) {
    const percent = Math.round(threshold * 1000) / 10;
    return interpolate(gettext("No objects above %(percent)s %"), { percent: number(percent, Number.isInteger(percent) ? 0 : 1) });
  }
  return interpolate(ngettext("%(count)s object found", "%(count)s objects found", count), { count });
}

/** Shows the page's content at this threshold: table, title, JSON and addresses. Classes only hide rows and boxes. */
function redraw() {
  const above = data.objects.map((found, place) => place).filter((place) => data.objects[place].prediction.probability > threshold);
  const shown = above.filter((place) => !hiddenClasses.has(data.objects[place].prediction.objectClass));
  overlay.show(shown);
  rows.forEach((row, place) => {
    row.hidden = !shown.includes(place);
  });
  part("result-title").textContent = titleOf(above.length);
  part("objects").hidden = above.length === 0;
  part("no-objects").hidden = above.length > 0;
  part("json").textContent = JSON.stringify({ prediction: above.map((place) => data.objects[place].prediction) }, null, 2);
  part("share").value = withThreshold(part("share").value).href;
  part("download").href = withThreshold(part("download").href).href;
  nameThreshold();
  countClasses(above);
}

/** Writes the threshold into the page's address, for reloads and bookmarks. */
function nameThreshold() {
  window.history.replaceState(null, "", withThreshold(window.location.href));
}

function countClasses(above) {
  for (const toggle of part("classes").querySelectorAll("label")) {
    const { name } = toggle.dataset;
    const count = above.filter((place) => data.objects[place].prediction.objectClass === name).length;
    toggle.querySelector("[data-count]").textContent = count;
    toggle.hidden = count === 0;
  }
}

function light(place) {
  overlay.light(place);
  rows.forEach((row, index) => row.classList.toggle("lit", index === place));
}

function makeToggles() {
  const names = [...new Set(data.objects.map((found) => found.prediction.objectClass))];
  const template = part("class-template").content.firstElementChild;
  for (const name of names) {
    const toggle = template.cloneNode(true);
    toggle.dataset.name = name;
    toggle.querySelector("[data-title]").textContent = classTitle(name);
    toggle.querySelector("input").addEventListener("change", (event) => {
      hiddenClasses[event.target.checked ? "delete" : "add"](name);
      redraw();
    });
    part("classes").append(toggle);
  }
  part("classes").hidden = names.length < 2;
}

function adoptRows(zoom) {
  const body = part("objects").querySelector("tbody");
  body.append(part("weaker").content);
  rows = [...body.querySelectorAll("[data-object]")];
  rows.forEach((row, place) => {
    const { left, top, right, bottom } = data.objects[place].drawing;
    const box = { left: left / data.width, top: top / data.height, width: (right + 1 - left) / data.width, height: (bottom + 1 - top) / data.height };
    row.tabIndex = 0;
    row.addEventListener("pointerenter", () => light(place));
    row.addEventListener("pointerleave", () => light(null));
    row.addEventListener("focus", () => light(place));
    row.addEventListener("blur", () => light(null));
    row.addEventListener("click", () => zoom.show(box));
    row.addEventListener("keydown", (event) => {
      if (event.key === "Enter") {
        zoom.show(box);
      }
    });
  });
}

/** Puts the photo and its overlay in the place of the server's picture. Returns its Zoom. */
function open(viewer) {
  const viewport = viewer.querySelector("[data-viewport]");
  viewport.style.aspectRatio = `${data.width} / ${data.height}`;
  viewport.style.maxWidth = `calc(78vh * ${data.width / data.height})`;
  viewer.querySelector("[data-stage]").append(overlay.svg);
  part("picture").querySelector("a").hidden = true;
  part("picture").append(viewer);
  const zoom = new Zoom(viewport, viewer.querySelector("[data-stage]"), (scale) => {
    overlay.fit(scale);
    part("zoom-level").value = `${Math.round(scale * 100)} %`;
  });
  viewport.addEventListener("pointermove", (event) => light(overlay.at(event.clientX, event.clientY)));
  viewport.addEventListener("pointerleave", () => light(null));
  for (const [name, run] of [["in", () => zoom.larger()], ["out", () => zoom.smaller()], ["all", () => zoom.all()]]) {
    viewer.querySelector(`[data-zoom=${name}]`).addEventListener("click", run);
  }
  return zoom;
}

function follow(name) {
  const link = document.querySelector(`[data-${name}]`);
  link?.click();
  return link !== null;
}

/** An arrow moves an enlarged photo that has the focus; otherwise left and right go to the next detections. */
function arrow(zoom, right, down) {
  if (zoom?.isEnlarged && document.activeElement === part("viewport")) {
    zoom.move(right, down);
    return true;
  }
  return down === 0 && follow(right > 0 ? "older" : "newer");
}

function keysOf(zoom) {
  const zooming = [
    { keys: ["+", "="], shown: ["+"], text: gettext("Enlarge the photo"), run: () => zoom.larger() },
    { keys: ["-"], shown: ["−"], text: gettext("Shrink it"), run: () => zoom.smaller() },
    { keys: ["0"], shown: ["0"], text: gettext("Show all of it"), run: () => zoom.all() },
    { keys: ["ArrowUp"], shown: ["↑"], text: gettext("Move up in the enlarged photo"), run: () => arrow(zoom, 0, -1) },
    { keys: ["ArrowDown"], shown: ["↓"], text: gettext("Move down in the enlarged photo"), run: () => arrow(zoom, 0, 1) },
  ];
  return [
    { keys: ["j"], shown: ["J"], text: gettext("The next older detection"), run: () => follow("older") },
    { keys: ["k"], shown: ["K"], text: gettext("The next newer detection"), run: () => follow("newer") },
    { keys: ["ArrowRight"], shown: ["→"], text: gettext("Older; in the enlarged photo, move right"), run: () => arrow(zoom, 1, 0) },
    { keys: ["ArrowLeft"], shown: ["←"], text: gettext("Newer; in the enlarged photo, move left"), run: () => arrow(zoom, -1, 0) },
    ...(zoom === null ? [] : zooming),
  ];
}

async function start() {
  // Imported, not cloned: what stays in the template's own document does not load pictures.
  const viewer = document.importNode(document.querySelector("[data-viewer-template]").content.firstElementChild, true);
  // A slider moved before the photo is loaded takes effect later; meanwhile `site.js` must not load the server's picture.
  let show = nameThreshold;
  result.dataset.viewerPending = "";
  slider.addEventListener("input", () => {
    threshold = Number(slider.value);
    show();
  });
  try {
    await viewer.querySelector("[data-photo]").decode();
  } catch {
    // Without the photo, the server's picture (or its absence) is all there is to see.
    delete result.dataset.viewerPending;
    if (threshold !== data.threshold) {
      slider.dispatchEvent(new Event("change", { bubbles: true }));
    }
    addKeys(keysOf(null));
    return;
  }
  const zoom = open(viewer);
  makeToggles();
  adoptRows(zoom);
  redraw();
  show = redraw;
  result.dataset.viewer = "";
  addKeys(keysOf(zoom));
}

start();
