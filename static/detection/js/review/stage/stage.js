// The photo with its boxes, as one SVG in pixels of the photo. A drag draws a box, or sizes the current one by its handles;
// a click picks; the wheel and two fingers enlarge. While a box is edited by keyboard, drags are about that box.

import { BoxLayer, element } from "../../boxes/layer.js";
import { HANDLES, boxOf, drawing, handleAt, handlePoint, holds, isLargeEnough, moving, nudged, sizing } from "./boxes.js";
import { Gestures } from "./gestures.js";
import { Magnifier } from "./magnifier.js";
import { View } from "./view.js";

const HANDLE_PX = 9;
// How far from a handle a pointer still has it.
const REACH_PX = { mouse: 7, touch: 18, pen: 10 };
const KEY_ZOOM = 1.5;

export class Stage {
  #host;
  #on;
  #svg = element("svg", { class: "stage-svg", role: "img" });
  #image = element("image");
  #layer = new BoxLayer();
  #edited = element("g");
  #view = new View();
  #magnifier;
  #magnifies = false;
  #size = { width: 1, height: 1 };
  #objects = [];
  #current = null;
  #edit = null;
  // The box under the pointer while it is dragged.
  #dragged = null;
  // Whether the drag sizes the current box.
  #sizes = false;

  /**
   * on: {pick(key), reject(key), drawn(box), sized(box), shown(), failed()}: an object was clicked, rejected by the right
   * button or a long press; a box was drawn, the current one sized; the photo is on the screen, or cannot be shown.
   */
  constructor(host, on) {
    this.#host = host;
    this.#on = on;
    this.#svg.append(this.#image, this.#layer.element, this.#edited);
    host.append(this.#svg);
    this.#magnifier = new Magnifier(host);
    this.#image.addEventListener("load", () => this.#whenPainted(on.shown));
    this.#image.addEventListener("error", on.failed);
    this.#listen();
    new ResizeObserver(() => this.#fit()).observe(host);
  }

  /** Shows another photo. */
  open(url, size, alt) {
    this.#size = size;
    this.#edit = null;
    this.#dragged = null;
    for (const [name, value] of Object.entries({ width: size.width, height: size.height, href: url })) {
      this.#image.setAttribute(name, value);
    }
    this.#svg.setAttribute("aria-label", alt);
    this.#magnifier.open(url, size);
    this.#layer.forget();
    this.#view.open(size);
    this.#fit();
  }

  /** Shows objects as `BoxLayer.show` takes them, and the key of the current one. */
  show(objects, current) {
    this.#objects = objects;
    this.#current = current;
    this.#layer.show(objects);
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
    const { x, y, width, height } = this.#view.rect;
    return boxOf(x + width * 0.375, y + height * 0.375, x + width * 0.625, y + height * 0.625, this.#size);
  }

  /** Moves the edited box by steps of the screen, or its right and lower edges. */
  nudge(right, down, isSizing) {
    const step = Math.max(1, Math.round(this.#view.unit * 2));
    this.#edit = nudged(this.#edit, right, down, step, isSizing, this.#size);
    this.#draw();
  }

  /** Shows the current object large, or all of the photo again. */
  toggleZoom() {
    const box = this.#edit ?? this.#currentBox();
    if (this.#view.isEnlarged || box === null) {
      this.#view.all();
    } else {
      this.#view.show(box);
    }
    this.#draw();
  }

  /** Enlarges (1) or shrinks (-1) about the current object, or the middle. */
  zoom(direction) {
    const { x, y, width, height } = this.#edit ?? this.#currentBox() ?? this.#view.rect;
    this.#view.zoomAbout({ x: x + width / 2, y: y + height / 2 }, KEY_ZOOM ** direction);
    this.#draw();
  }

  toggleMagnifier() {
    this.#magnifies = !this.#magnifies;
    if (!this.#magnifies) {
      this.#magnifier.hide();
    }
  }

  #currentBox() {
    return this.#objects.find(({ key }) => key === this.#current)?.box ?? null;
  }

  #whenPainted(run) {
    const url = this.#image.getAttribute("href");
    // The second frame begins when the first one is on the screen.
    requestAnimationFrame(() => requestAnimationFrame(() => {
      if (url === this.#image.getAttribute("href")) {
        run();
      }
    }));
  }

  #fit() {
    this.#view.fit({ width: this.#host.clientWidth, height: this.#host.clientHeight });
    this.#draw();
  }

  #draw() {
    const { rect, unit } = this.#view;
    this.#svg.setAttribute("viewBox", [rect.x, rect.y, rect.width, rect.height].join(" "));
    this.#layer.fit(unit, rect);
    this.#drawEdited(unit);
    this.#svg.classList.toggle("is-edited", this.#edit !== null);
  }

  #drawEdited(unit) {
    const box = this.#dragged ?? this.#edit ?? this.#currentBox();
    const size = HANDLE_PX * unit;
    this.#edited.style.setProperty("--unit", unit);
    const handles = box === null ? [] : HANDLES.map((handle) => {
      const { x, y } = handlePoint(box, handle);
      return element("rect", { x: x - size / 2, y: y - size / 2, width: size, height: size, class: "handle" });
    });
    const lines = box === null || (this.#dragged ?? this.#edit) === null ? [] : [element("rect", { ...box, class: "edited-box" })];
    this.#edited.replaceChildren(...lines, ...handles);
  }

  #pointOf(event) {
    const point = new DOMPoint(event.clientX, event.clientY).matrixTransform(this.#svg.getScreenCTM().inverse());
    return { x: point.x, y: point.y };
  }

  /** The key of the object whose chip or box is at a point, or null. */
  #keyAt(point, { clientX, clientY }) {
    // Not the event's target: that is whoever has captured the pointer.
    const chip = document.elementFromPoint(clientX, clientY)?.closest(".chip-label");
    return chip?.dataset.key ?? this.#layer.at(point)?.key ?? null;
  }

  #listen() {
    new Gestures(this.#svg, this.#view, {
      pointOf: (event) => this.#pointOf(event),
      changed: () => this.#draw(),
      grab: (point, event) => this.#grab(point, event),
      drop: () => this.#drop(),
      cancel: () => this.#leave(),
      click: (point, event) => this.#about(this.#on.pick, point, event),
      reject: (point, event) => this.#about(this.#on.reject, point, event),
      hover: (point, event) => this.#hover(point, event),
    });
  }

  /** Calls with the object at a point, if there is one. */
  #about(call, point, event) {
    const key = this.#edit === null ? this.#keyAt(point, event) : null;
    if (key !== null) {
      call(key);
    }
  }

  #grab(point, event) {
    const box = this.#edit ?? this.#currentBox();
    const reach = (REACH_PX[event.pointerType] ?? REACH_PX.mouse) * this.#view.unit;
    const handle = box === null ? null : handleAt(box, point, reach);
    this.#sizes = handle !== null;
    let change = drawing(point, this.#size);
    if (handle !== null) {
      change = sizing(box, handle, this.#size);
    } else if (this.#edit !== null && holds(box, point)) {
      change = moving(box, point, this.#size);
    }
    return (to) => {
      const changed = change(to);
      if (isLargeEnough(changed, this.#size)) {
        this.#dragged = changed;
      }
      this.#magnify(to);
      this.#drawEdited(this.#view.unit);
      this.#svg.classList.add("is-dragged");
    };
  }

  #drop() {
    const box = this.#dragged;
    this.#leave();
    if (box === null) {
      return;
    }
    if (this.#edit !== null) {
      this.edit(box);
    } else if (this.#sizes) {
      this.#on.sized(box);
    } else {
      this.#on.drawn(box);
    }
  }

  #leave() {
    this.#dragged = null;
    this.#svg.classList.remove("is-dragged");
    if (!this.#magnifies) {
      this.#magnifier.hide();
    }
    this.#drawEdited(this.#view.unit);
  }

  #hover(point, event) {
    // What a click would pick; another one's chip must not come up under the pointer.
    this.#layer.light(point === null ? null : this.#keyAt(point, event));
    const box = this.#edit ?? this.#currentBox();
    const isAtHandle = point !== null && box !== null && handleAt(box, point, REACH_PX.mouse * this.#view.unit) !== null;
    this.#svg.classList.toggle("at-handle", isAtHandle);
    if (point !== null && this.#magnifies) {
      this.#magnify(point);
    }
  }

  #magnify(point) {
    const { x, width } = this.#view.rect;
    this.#magnifier.show(point, this.#dragged ?? this.#edit, this.#view.unit, point.x < x + width / 2);
  }
}
