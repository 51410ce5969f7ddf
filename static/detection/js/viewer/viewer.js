// The viewer of a result: threshold and classes redraw at once, rows and boxes light each other up, the photo can be
// enlarged. The server's picture stays where there is no script, and is what is downloaded.

import { paint } from "../boxes/colours.js";
import { classTitle, gettext, interpolate, ngettext, number } from "../common/i18n.js";
import { Overlay } from "./overlay.js";
import { Zoom } from "./zoom.js";

function titleOf(count, threshold) {
  if (count === 0) {
    const percent = Math.round(threshold * 1000) / 10;
    return interpolate(gettext("No objects above %(percent)s %"), { percent: number(percent, Number.isInteger(percent) ? 0 : 1) });
  }
  return interpolate(ngettext("%(count)s object found", "%(count)s objects found", count), { count });
}

export class Viewer {
  #result;
  #viewer;
  #data;
  #overlay;
  #hiddenClasses = new Set();
  #rows = [];
  // Not the slider's value: an address can name a threshold that lies between two of its steps.
  #threshold;
  #zoom = null;

  /** `result`: a `[data-result]`; `page`: the document that has its data and template, which need not be this one. */
  constructor(result, page) {
    this.#result = result;
    this.#data = JSON.parse(page.querySelector("#viewer-data").textContent);
    this.#threshold = this.#data.threshold;
    this.#overlay = new Overlay(this.#data);
    // Imported, not cloned: what stays in the template's own document does not load pictures.
    this.#viewer = document.importNode(page.querySelector("[data-viewer-template]").content.firstElementChild, true);
    // A slider moved before the photo is loaded takes effect later; meanwhile `site.js` must not load the server's picture.
    result.dataset.viewerPending = "";
    this.#slider.addEventListener("input", () => {
      this.#threshold = Number(this.#slider.value);
      if (this.#zoom === null) {
        this.#nameThreshold();
      } else {
        this.#redraw();
      }
    });
  }

  /** Puts the viewer in the place of the server's picture when its photo is there. Returns false where there is none. */
  async open() {
    try {
      await this.#viewer.querySelector("[data-photo]").decode();
    } catch {
      // Without the photo, the server's picture (or its absence) is all there is to see.
      delete this.#result.dataset.viewerPending;
      if (this.#threshold !== this.#data.threshold) {
        this.#slider.dispatchEvent(new Event("change", { bubbles: true }));
      }
      return false;
    }
    this.#zoom = this.#placed();
    this.#makeToggles();
    this.#adoptRows();
    this.#redraw();
    this.#result.dataset.viewer = "";
    return true;
  }

  /** The keys of the enlarged photo, as `addKeys` takes them. */
  get keys() {
    const zoom = this.#zoom;
    return [
      { keys: ["+", "="], shown: ["+"], text: gettext("Enlarge the photo"), run: () => zoom.larger(), repeats: true },
      { keys: ["-"], shown: ["−"], text: gettext("Shrink it"), run: () => zoom.smaller(), repeats: true },
      { keys: ["0"], shown: ["0"], text: gettext("Show all of it"), run: () => zoom.all() },
      { keys: ["ArrowUp"], shown: ["↑"], text: gettext("Move up in the enlarged photo"), run: () => this.move(0, -1), repeats: true },
      { keys: ["ArrowDown"], shown: ["↓"], text: gettext("Move down in the enlarged photo"), run: () => this.move(0, 1), repeats: true },
    ];
  }

  /** Moves an enlarged photo that has the focus; returns false where there is none. */
  move(right, down) {
    if (this.#zoom?.isEnlarged && document.activeElement === this.#part("viewport")) {
      this.#zoom.move(right, down);
      return true;
    }
    return false;
  }

  /** Lets the photo that has the focus take its keys itself, on pages without a list of keys. */
  listen() {
    const keys = [...this.keys, { keys: ["ArrowRight"], run: () => this.move(1, 0) }, { keys: ["ArrowLeft"], run: () => this.move(-1, 0) }];
    this.#part("viewport").addEventListener("keydown", (event) => {
      const isPlain = !event.ctrlKey && !event.metaKey && !event.altKey;
      const action = isPlain && keys.find((one) => one.keys.includes(event.key));
      if (action && action.run() !== false) {
        event.preventDefault();
      }
    });
  }

  #part(name) {
    return this.#result.querySelector(`[data-${name}]`);
  }

  get #slider() {
    return this.#result.querySelector("[data-threshold] input");
  }

  #withThreshold(address) {
    const url = new URL(address, window.location.href);
    if (this.#threshold === this.#data.ownThreshold) {
      url.searchParams.delete("threshold");
    } else {
      url.searchParams.set("threshold", this.#threshold);
    }
    return url;
  }

  /** Whether the model's object is shown: at the detection's own threshold, classes may have others, of its operating point. */
  #isReported({ objectClass, probability }) {
    const own = this.#threshold === this.#data.ownThreshold ? this.#data.classThresholds[objectClass] : undefined;
    return probability > (own ?? this.#threshold);
  }

  #classAt(place) {
    return this.#data.objects[place].prediction.objectClass;
  }

  /** Shows the result at this threshold: table, title, JSON and addresses. Classes only hide rows and boxes. */
  #redraw() {
    const { objects, model } = this.#data;
    // What a person has said of an object stands at every threshold.
    const above = objects.map((found, place) => place).filter((place) => objects[place].isSaid || this.#isReported(objects[place].prediction));
    this.#overlay.show(above.filter((place) => !this.#hiddenClasses.has(this.#classAt(place))));
    this.#fold(above);
    this.#part("result-title").textContent = titleOf(above.length, this.#threshold);
    this.#part("objects").hidden = above.length === 0;
    this.#part("no-objects").hidden = above.length > 0;
    this.#part("json").textContent = JSON.stringify({ prediction: model.filter((found) => this.#isReported(found)) }, null, 2);
    this.#part("share").value = this.#withThreshold(this.#part("share").value).href;
    this.#part("download").href = this.#withThreshold(this.#part("download").href).href;
    this.#nameThreshold();
    this.#countClasses(above);
  }

  /** Puts the rows of these places into the table, and those of weaker objects into the one that is folded. */
  #fold(above) {
    const [listed, folded] = ["objects", "weaker"].map((name) => this.#part(name).querySelector("tbody"));
    this.#rows.forEach((row, place) => {
      row.hidden = this.#hiddenClasses.has(this.#classAt(place));
      (above.includes(place) ? listed : folded).append(row);
    });
    this.#part("weaker").hidden = folded.rows.length === 0;
    this.#part("weaker-count").textContent = folded.rows.length;
  }

  /** Writes the threshold into the page's address, for reloads and bookmarks. */
  #nameThreshold() {
    window.history.replaceState(window.history.state, "", this.#withThreshold(window.location.href));
  }

  #countClasses(above) {
    for (const toggle of this.#part("classes").querySelectorAll("label")) {
      const { name } = toggle.dataset;
      const count = above.filter((place) => this.#classAt(place) === name).length;
      toggle.querySelector("[data-count]").textContent = count;
      toggle.hidden = count === 0;
    }
  }

  #light(place) {
    this.#overlay.light(place);
    this.#rows.forEach((row, index) => row.classList.toggle("lit", index === place));
  }

  #makeToggles() {
    const names = [...new Set(this.#data.objects.map((found) => found.prediction.objectClass))];
    const template = this.#part("class-template").content.firstElementChild;
    for (const name of names) {
      const toggle = document.importNode(template, true);
      toggle.dataset.name = name;
      toggle.querySelector("[data-title]").textContent = classTitle(name);
      paint(toggle, name);
      toggle.querySelector("input").addEventListener("change", (event) => {
        this.#hiddenClasses[event.target.checked ? "delete" : "add"](name);
        this.#redraw();
      });
      this.#part("classes").append(toggle);
    }
    this.#part("classes").hidden = names.length < 2;
  }

  #adoptRows() {
    this.#rows = [...this.#result.querySelectorAll("[data-object]")];
    this.#rows.forEach((row, place) => {
      const { objectClass, x, y, width, height } = this.#data.objects[place].prediction;
      const { width: wide, height: high } = this.#data;
      const box = { left: x / wide, top: y / high, width: width / wide, height: height / high };
      paint(row, objectClass);
      row.tabIndex = 0;
      row.addEventListener("pointerenter", () => this.#light(place));
      row.addEventListener("pointerleave", () => this.#light(null));
      row.addEventListener("focus", () => this.#light(place));
      row.addEventListener("blur", () => this.#light(null));
      row.addEventListener("click", () => this.#zoom.show(box));
      row.addEventListener("keydown", (event) => {
        if (event.key === "Enter") {
          this.#zoom.show(box);
        }
      });
    });
  }

  /** Puts the photo and its overlay in the place of the server's picture. Returns its Zoom. */
  #placed() {
    const { width, height } = this.#data;
    const viewport = this.#viewer.querySelector("[data-viewport]");
    const stage = this.#viewer.querySelector("[data-stage]");
    viewport.style.aspectRatio = `${width} / ${height}`;
    viewport.style.maxWidth = `calc(78vh * ${width / height})`;
    stage.append(this.#overlay.svg);
    this.#part("picture").querySelector("a").hidden = true;
    this.#part("picture").append(this.#viewer);
    const zoom = new Zoom(viewport, stage, (scale, seen) => {
      this.#overlay.fit(viewport.clientWidth * scale, seen);
      this.#part("zoom-level").value = `${Math.round(scale * 100)} %`;
    });
    viewport.addEventListener("pointermove", (event) => this.#light(this.#overlay.at(event.clientX, event.clientY)));
    viewport.addEventListener("pointerleave", () => this.#light(null));
    for (const [name, run] of [["in", () => zoom.larger()], ["out", () => zoom.smaller()], ["all", () => zoom.all()]]) {
      this.#viewer.querySelector(`[data-zoom=${name}]`).addEventListener("click", run);
    }
    return zoom;
  }
}
