// One photo with the boxes of two answers: those of A left of a divider, those of B right of it. The slider under the photo
// moves it by keyboard, a drag over the photo by pointer.

import { BoxLayer, chipTexts, element } from "../boxes/layer.js";
import { paint } from "../boxes/colours.js";
import { gettext } from "../common/i18n.js";

const SIDES = ["a", "b"];
let count = 0;

/** Returns an object of the server's JSON as `BoxLayer.show` takes it. */
export function shownAs([className, probability, x, y, width, height, isShared], place) {
  return { key: String(place), className, probability, box: { x, y, width, height }, state: isShared ? "shared" : "alone" };
}

function chipOf(object) {
  const chip = document.createElement("li");
  chip.className = "answer-chip";
  chip.textContent = chipTexts(object)[0];
  paint(chip, object.className);
  return chip;
}

export class Divider {
  #host;
  #stage;
  #range;
  #image = element("image");
  #line = element("line", { class: "divider-line" });
  #layers = { a: new BoxLayer(), b: new BoxLayer() };
  #clips = {};
  #svg = element("svg", { class: "divider-svg", role: "img", preserveAspectRatio: "none" });
  #size = { width: 1, height: 1 };

  constructor(host) {
    this.#host = host;
    this.#stage = host.querySelector("[data-stage]");
    this.#range = host.querySelector("[data-range]");
    this.#svg.append(this.#image);
    for (const side of SIDES) {
      const id = `divider-clip-${(count += 1)}`;
      const clip = element("clipPath", { id });
      this.#clips[side] = element("rect", { y: 0 });
      clip.append(this.#clips[side]);
      const group = element("g", { "clip-path": `url(#${id})` });
      group.append(this.#layers[side].element);
      this.#svg.append(clip, group);
    }
    this.#svg.append(this.#line);
    this.#stage.append(this.#svg);
    this.#range.addEventListener("input", () => this.#draw());
    this.#stage.addEventListener("pointerdown", (event) => this.#grab(event));
    this.#stage.addEventListener("pointermove", (event) => this.#drag(event));
    this.#image.addEventListener("error", () => host.classList.add("is-missing"));
    this.#image.addEventListener("load", () => {
      host.classList.remove("is-missing");
      host.dataset.shown = this.#image.getAttribute("href");
    });
    new ResizeObserver(() => this.#draw()).observe(this.#stage);
  }

  /** Shows a pair as the server sends it (`pairs.pair_body`). */
  show(body) {
    const { width, height } = body;
    this.#size = { width, height };
    this.#svg.setAttribute("viewBox", `0 0 ${width} ${height}`);
    this.#svg.setAttribute("aria-label", body.name || gettext("Photo without a name"));
    this.#stage.style.aspectRatio = `${width} / ${height}`;
    this.#stage.style.maxWidth = `calc(70vh * ${width / height})`;
    this.#range.style.maxWidth = this.#stage.style.maxWidth;
    for (const [name, value] of Object.entries({ width, height, href: body.photo })) {
      this.#image.setAttribute(name, value);
    }
    for (const side of SIDES) {
      this.#layers[side].forget();
      this.#layers[side].show(body[side].objects.map(shownAs));
      this.#name(side, body[side]);
    }
    this.#list(body);
    this.#draw();
  }

  /** Moves the divider: 0 shows B alone, 100 A alone. */
  move(to) {
    this.#range.value = to;
    this.#draw();
  }

  get value() {
    return Number(this.#range.value);
  }

  #name(side, { model, url }) {
    const link = this.#host.querySelector(`[data-model-${side}]`);
    link.textContent = model;
    link.href = url;
  }

  /** Lists what one alone has found, and what both have, for those who do not see the boxes. */
  #list({ a, b }) {
    const lists = { "only-a": a.objects.filter((one) => !one[6]), "only-b": b.objects.filter((one) => !one[6]), both: a.objects.filter((one) => one[6]) };
    for (const [name, objects] of Object.entries(lists)) {
      const list = this.#host.querySelector(`[data-list="${name}"]`);
      list.replaceChildren(...objects.map((one, place) => chipOf(shownAs(one, place))));
      list.closest("[data-list-of]").hidden = objects.length === 0;
    }
    this.#host.querySelector("[data-nothing]").hidden = a.objects.length + b.objects.length > 0;
  }

  #draw() {
    const { width, height } = this.#size;
    const widthPx = this.#stage.clientWidth;
    if (widthPx === 0) {
      return;
    }
    const unit = width / widthPx;
    const at = (width * this.value) / 100;
    const parts = { a: { x: 0, width: at }, b: { x: at, width: width - at } };
    for (const side of SIDES) {
      this.#clips[side].setAttribute("height", height);
      this.#clips[side].setAttribute("x", parts[side].x);
      this.#clips[side].setAttribute("width", parts[side].width);
      this.#layers[side].fit(unit, { ...parts[side], y: 0, height });
    }
    this.#line.style.setProperty("--unit", unit);
    for (const [name, value] of Object.entries({ x1: at, x2: at, y1: 0, y2: height })) {
      this.#line.setAttribute(name, value);
    }
  }

  #grab(event) {
    if (event.button === 0) {
      this.#stage.setPointerCapture(event.pointerId);
      this.#follow(event);
      event.preventDefault();
    }
  }

  #drag(event) {
    if (this.#stage.hasPointerCapture(event.pointerId)) {
      this.#follow(event);
    }
  }

  #follow({ clientX }) {
    const { left, width } = this.#stage.getBoundingClientRect();
    this.move(Math.round(Math.min(Math.max((clientX - left) / width, 0), 1) * 100));
  }
}

/** Keys of a page with a divider, as `addKeys` takes them. */
export function dividerKeys(divider) {
  return [
    { keys: ["a"], shown: ["A"], text: gettext("Show A alone"), run: () => divider.move(100) },
    { keys: ["b"], shown: ["B"], text: gettext("Show B alone"), run: () => divider.move(0) },
    { keys: ["m"], shown: ["M"], text: gettext("Divide the photo in the middle"), run: () => divider.move(50) },
    { keys: ["["], shown: ["["], text: gettext("Move the divider to the left"), run: () => divider.move(divider.value - 5), repeats: true },
    { keys: ["]"], shown: ["]"], text: gettext("Move the divider to the right"), run: () => divider.move(divider.value + 5), repeats: true },
  ];
}
