// Blind votes: two answers for a photo, side by side, without the names of their models.

import { BoxLayer, element } from "../boxes/layer.js";
import { postJson } from "../common/bulk_action.js";
import { gettext, interpolate, number } from "../common/i18n.js";
import { addKeys } from "../common/shortcuts.js";
import { shownAs } from "./divider.js";

const root = document.querySelector("[data-vote]");
const problem = document.querySelector("[data-problem]");
const tokens = JSON.parse(document.querySelector("#vote-tokens").textContent);
const csrf = document.querySelector("[data-token] input").value;

/** A photo with the boxes of one answer. */
class Picture {
  #host;
  #image = element("image");
  #layer = new BoxLayer();
  #svg = element("svg", { class: "divider-svg", role: "img" });
  #size = { width: 1, height: 1 };

  constructor(host) {
    this.#host = host;
    this.#svg.append(this.#image, this.#layer.element);
    host.append(this.#svg);
    new ResizeObserver(() => this.#fit()).observe(host);
  }

  show({ photo, name, width, height }, objects) {
    this.#size = { width, height };
    this.#svg.setAttribute("viewBox", `0 0 ${width} ${height}`);
    this.#svg.setAttribute("aria-label", name || gettext("Photo without a name"));
    this.#host.style.aspectRatio = `${width} / ${height}`;
    this.#host.style.maxWidth = `calc(68vh * ${width / height})`;
    for (const [key, value] of Object.entries({ width, height, href: photo })) {
      this.#image.setAttribute(key, value);
    }
    this.#layer.forget();
    this.#layer.show(objects.map(shownAs));
    this.#fit();
  }

  #fit() {
    const widthPx = this.#host.clientWidth;
    if (widthPx > 0) {
      this.#layer.fit(this.#size.width / widthPx, { x: 0, y: 0, ...this.#size });
    }
  }
}

const pictures = [...root.querySelectorAll(".vote-picture")].map((host) => new Picture(host));
const bodies = new Map();
let place = 0;
// Votes count from the moment that both pictures are shown.
let isShown = false;

function tell(sentence) {
  problem.hidden = sentence === "";
  problem.textContent = sentence;
}

async function load(token) {
  const response = await fetch(`${root.dataset.pairUrl}?${new URLSearchParams({ token })}`);
  const body = await response.json();
  if (!response.ok) {
    throw new Error(body.error);
  }
  const image = new Image();
  image.src = body.photo;
  await image.decode().catch(() => null);
  return body;
}

function bodyOf(token) {
  if (!bodies.has(token)) {
    bodies.set(token, load(token));
    bodies.get(token).catch(() => bodies.delete(token));
  }
  return bodies.get(token);
}

async function show() {
  isShown = false;
  delete root.dataset.shown;
  root.hidden = place >= tokens.length;
  document.querySelector("[data-end]").hidden = place < tokens.length;
  if (place >= tokens.length) {
    document.querySelector("[data-place]").textContent = "";
    return;
  }
  const values = { place: number(place + 1), count: number(tokens.length) };
  document.querySelector("[data-place]").textContent = interpolate(gettext("%(place)s of %(count)s"), values);
  const token = tokens[place];
  try {
    const body = await bodyOf(token);
    if (token === tokens[place]) {
      pictures.forEach((picture, side) => picture.show(body, body.sides[side]));
      isShown = true;
      root.dataset.shown = place;
      if (place + 1 < tokens.length) {
        bodyOf(tokens[place + 1]).catch(() => null);
      }
    }
  } catch (error) {
    tell(error instanceof TypeError ? gettext("The server does not answer.") : error.message);
    if (!(error instanceof TypeError)) {
      // It was deleted meanwhile.
      place += 1;
      show();
    }
  }
}

async function vote(choice) {
  if (!isShown) {
    return;
  }
  isShown = false;
  try {
    await postJson(root.dataset.castUrl, csrf, { token: tokens[place], choice });
    tell("");
    place += 1;
    show();
  } catch (error) {
    tell(error instanceof TypeError ? gettext("The server does not answer.") : error.message);
    isShown = true;
  }
}

for (const button of root.querySelectorAll("[data-choice]")) {
  button.addEventListener("click", () => vote(button.dataset.choice));
}
addKeys([
  { keys: ["1"], shown: ["1"], text: gettext("The left one is right"), run: () => vote("left") },
  { keys: ["2"], shown: ["2"], text: gettext("The right one is right"), run: () => vote("right") },
  { keys: ["0"], shown: ["0"], text: gettext("Both are right"), run: () => vote("both") },
  { keys: ["-"], shown: ["-"], text: gettext("Neither is right"), run: () => vote("neither") },
]);
show();
