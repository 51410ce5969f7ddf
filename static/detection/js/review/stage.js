// The photo with its boxes, as one SVG in pixels of the photo: the current box can be dragged, sized and drawn anew.

const SVG = "http://www.w3.org/2000/svg";
const HANDLE_PX = 11;
const REACH_PX = 16;
const LABEL_PX = 14;
const SMALLEST_PX = 4;
// Which edges a handle moves: -1 the left or upper one, 1 the right or lower one, 0 none.
const HANDLES = [[-1, -1], [0, -1], [1, -1], [-1, 0], [1, 0], [-1, 1], [0, 1], [1, 1]];

const clamp = (value, low, high) => Math.min(Math.max(value, low), high);

function element(name, attributes) {
  const made = document.createElementNS(SVG, name);
  for (const [key, value] of Object.entries(attributes)) {
    made.setAttribute(key, value);
  }
  return made;
}

/** A box from two corners, in whole pixels, inside of the photo. */
function boxOf(left, top, right, bottom, size) {
  const [x, farX] = [left, right].map((value) => Math.round(clamp(value, 0, size.width))).sort((a, b) => a - b);
  const [y, farY] = [top, bottom].map((value) => Math.round(clamp(value, 0, size.height))).sort((a, b) => a - b);
  return { x, y, width: farX - x, height: farY - y };
}

export class Stage {
  #host;
  #svg = element("svg", { class: "stage-svg", role: "img" });
  #image = element("image", {});
  #boxes = element("g", {});
  #edited = element("g", {});
  #size = { width: 1, height: 1 };
  #objects = [];
  #current = null;
  #edit = null;
  #isZoomed = false;
  #drag = null;

  /** `onPick(key)`: a box was clicked; `onFail()`: the photo cannot be shown. */
  constructor(host, onPick, onFail) {
    this.#host = host;
    this.onPick = onPick;
    this.#svg.append(this.#image, this.#boxes, this.#edited);
    this.#image.addEventListener("error", onFail);
    host.append(this.#svg);
    this.#svg.addEventListener("pointerdown", (event) => this.#onDown(event));
    this.#svg.addEventListener("pointermove", (event) => this.#onMove(event));
    for (const name of ["pointerup", "pointercancel"]) {
      this.#svg.addEventListener(name, () => {
        this.#drag = null;
      });
    }
    new ResizeObserver(() => this.#draw()).observe(host);
  }

  /** Shows another photo. */
  open(url, size, alt) {
    this.#size = size;
    this.#isZoomed = false;
    this.#edit = null;
    this.#image.setAttribute("href", url);
    this.#image.setAttribute("width", size.width);
    this.#image.setAttribute("height", size.height);
    this.#svg.setAttribute("aria-label", alt);
    this.#host.style.aspectRatio = `${size.width} / ${size.height}`;
    this.#host.style.setProperty("--ratio", size.width / size.height);
  }

  /** The objects and the key of the current one. */
  show(objects, current) {
    this.#objects = objects;
    this.#current = current;
    this.#draw();
  }

  get edited() {
    return this.#edit;
  }

  /** Begins to edit a box; null ends it. */
  edit(box) {
    this.#edit = box;
    this.#draw();
  }

  /** The box that drawing by keyboard starts from: the middle of what is seen. */
  middle() {
    const [x, y, width, height] = this.#view();
    return boxOf(x + width * 0.375, y + height * 0.375, x + width * 0.625, y + height * 0.625, this.#size);
  }

  /** Moves the edited box by steps of the screen, or its right and lower edges. */
  nudge(right, down, isSizing) {
    const step = Math.max(1, Math.round(this.#unit() * 2));
    const { x, y, width, height } = this.#edit;
    const [byX, byY] = [right * step, down * step];
    if (isSizing) {
      this.#edit = {
        x, y,
        width: clamp(width + byX, 1, this.#size.width - x),
        height: clamp(height + byY, 1, this.#size.height - y),
      };
    } else {
      this.#edit = { x: clamp(x + byX, 0, this.#size.width - width), y: clamp(y + byY, 0, this.#size.height - height), width, height };
    }
    this.#draw();
  }

  /** Shows the current object large, or all of the photo again. */
  toggleZoom() {
    this.#isZoomed = !this.#isZoomed;
    this.#draw();
  }

  #currentBox() {
    return this.#edit ?? this.#objects.find((object) => object.object === this.#current)?.box ?? null;
  }

  #view() {
    const { width, height } = this.#size;
    const box = this.#isZoomed ? this.#objects.find((object) => object.object === this.#current)?.box : undefined;
    if (box === undefined) {
      return [0, 0, width, height];
    }
    const scale = Math.min(1, Math.max(box.width / width, box.height / height, 0.04) * 1.6);
    const x = clamp(box.x + box.width / 2 - (width * scale) / 2, 0, width * (1 - scale));
    const y = clamp(box.y + box.height / 2 - (height * scale) / 2, 0, height * (1 - scale));
    return [x, y, width * scale, height * scale];
  }

  /** Pixels of the photo in one of the screen. */
  #unit() {
    return this.#view()[2] / Math.max(this.#svg.clientWidth, 1);
  }

  #draw() {
    this.#svg.setAttribute("viewBox", this.#view().join(" "));
    const unit = this.#unit();
    const edited = this.#edit !== null;
    const drawn = this.#objects.filter((object) => !(edited && object.object === this.#current)).map((object) => this.#boxOfObject(object, unit));
    // The current one lies on top.
    drawn.sort((one, other) => one.isCurrent - other.isCurrent);
    this.#boxes.replaceChildren(...drawn.map(({ group }) => group));
    this.#edited.replaceChildren(...(edited ? this.#editedParts(unit) : []));
    this.#svg.classList.toggle("is-edited", edited);
  }

  #boxOfObject({ object, verdict, objectClass, box }, unit) {
    const isCurrent = object === this.#current;
    const group = element("g", { class: `object ${verdict || "open"}${isCurrent ? " current" : ""}`, "data-key": object });
    group.append(element("rect", { ...box, class: "object-box" }));
    if (isCurrent) {
      const above = box.y - unit * 6 > unit * LABEL_PX;
      const y = above ? box.y - unit * 6 : Math.min(box.y + unit * (LABEL_PX + 4), this.#size.height - unit * 4);
      const text = element("text", { x: box.x + unit * 2, y, "font-size": unit * LABEL_PX, "stroke-width": unit * 3, class: "object-label" });
      text.textContent = objectClass;
      group.append(text);
    }
    return { group, isCurrent };
  }

  #editedParts(unit) {
    const box = this.#edit;
    const size = HANDLE_PX * unit;
    const handles = HANDLES.map(([right, down]) =>
      element("rect", {
        x: box.x + ((right + 1) / 2) * box.width - size / 2,
        y: box.y + ((down + 1) / 2) * box.height - size / 2,
        width: size,
        height: size,
        class: "handle",
      }),
    );
    return [element("rect", { ...box, class: "edited-box" }), ...handles];
  }

  #point(event) {
    const point = new DOMPoint(event.clientX, event.clientY).matrixTransform(this.#svg.getScreenCTM().inverse());
    return { x: point.x, y: point.y };
  }

  /** Returns the action of a pointer that goes down here: resize by a handle, move from within, or draw. */
  #dragFrom({ x, y }) {
    const box = this.#edit;
    const reach = REACH_PX * this.#unit();
    const near = HANDLES.map(([right, down]) => ({
      right, down,
      distance: Math.hypot(box.x + ((right + 1) / 2) * box.width - x, box.y + ((down + 1) / 2) * box.height - y),
    })).sort((one, other) => one.distance - other.distance)[0];
    if (near.distance <= reach) {
      return (to) => boxOf(
        near.right < 0 ? to.x : box.x,
        near.down < 0 ? to.y : box.y,
        near.right > 0 ? to.x : box.x + box.width,
        near.down > 0 ? to.y : box.y + box.height,
        this.#size,
      );
    }
    if (x > box.x && x < box.x + box.width && y > box.y && y < box.y + box.height) {
      return (to) => {
        const left = clamp(box.x + to.x - x, 0, this.#size.width - box.width);
        const top = clamp(box.y + to.y - y, 0, this.#size.height - box.height);
        return { ...box, x: Math.round(left), y: Math.round(top) };
      };
    }
    return (to) => boxOf(x, y, to.x, to.y, this.#size);
  }

  #onDown(event) {
    if (event.button !== 0) {
      return;
    }
    const at = this.#point(event);
    if (this.#edit !== null) {
      event.preventDefault();
      this.#drag = { id: event.pointerId, to: this.#dragFrom(at) };
      this.#svg.setPointerCapture(event.pointerId);
      return;
    }
    const hit = this.#objects
      .filter(({ box }) => at.x >= box.x && at.x <= box.x + box.width && at.y >= box.y && at.y <= box.y + box.height)
      .sort((one, other) => one.box.width * one.box.height - other.box.width * other.box.height)[0];
    if (hit !== undefined) {
      this.onPick(hit.object);
    }
  }

  #onMove(event) {
    if (this.#drag === null || this.#drag.id !== event.pointerId) {
      return;
    }
    const box = this.#drag.to(this.#point(event));
    if (box.width >= Math.min(SMALLEST_PX, this.#size.width) && box.height >= Math.min(SMALLEST_PX, this.#size.height)) {
      this.#edit = box;
      this.#draw();
    }
  }
}
