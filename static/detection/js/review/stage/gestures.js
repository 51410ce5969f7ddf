// Turns what mouse and fingers do on the stage into clicks, drags, and changes of the view.

const WHEEL_SPEED = 0.0015;
// A mouse wheel in lines instead of pixels (WheelEvent.deltaMode 1) turns about 16 pixels a line.
const LINE_PX = 16;
// A pointer that moves less is a click: a finger is less steady than a mouse.
const STILL_PX = { mouse: 3, touch: 10, pen: 6 };

const MIDDLE_BUTTON = 1;

/**
 * Listens to an element. view: its View. on: {pointOf(event), changed(), grab(point, event), drop(), cancel(), click(point,
 * event), reject(point, event), hover(point or null, event)}; `grab` begins a drag and returns what is called with each point of it.
 */
export class Gestures {
  #element;
  #view;
  #on;
  #pointers = new Map();
  // {id, start, event, move}: `move` is null until the pointer has left its place, or while it moves the photo.
  #drag = null;

  constructor(target, view, on) {
    this.#element = target;
    this.#view = view;
    this.#on = on;
    target.addEventListener("pointerdown", (event) => this.#onDown(event));
    target.addEventListener("pointermove", (event) => this.#onMove(event));
    target.addEventListener("pointerup", (event) => this.#onUp(event));
    target.addEventListener("pointercancel", (event) => this.#onCancel(event));
    target.addEventListener("pointerleave", () => on.hover(null));
    target.addEventListener("wheel", (event) => this.#onWheel(event), { passive: false });
    target.addEventListener("contextmenu", (event) => {
      event.preventDefault();
      this.#cancel();
      on.reject(on.pointOf(event), event);
    });
  }

  #onDown(event) {
    if (event.button !== 0 && event.button !== MIDDLE_BUTTON) {
      return;
    }
    event.preventDefault();
    this.#element.setPointerCapture(event.pointerId);
    this.#pointers.set(event.pointerId, { x: event.clientX, y: event.clientY });
    if (this.#pointers.size > 1) {
      this.#cancel();
      return;
    }
    const pans = event.button === MIDDLE_BUTTON || event.shiftKey;
    this.#drag = { id: event.pointerId, down: event, pans, move: null };
  }

  #onMove(event) {
    const before = this.#pointers.get(event.pointerId);
    if (before === undefined) {
      this.#on.hover(this.#on.pointOf(event), event);
      return;
    }
    const others = [...this.#pointers].filter(([id]) => id !== event.pointerId);
    const now = { x: event.clientX, y: event.clientY };
    this.#pointers.set(event.pointerId, now);
    if (others.length === 1) {
      this.#pinch(others[0][1], before, now);
    } else if (this.#drag?.id === event.pointerId) {
      this.#dragTo(event, before, now);
    }
  }

  #dragTo(event, before, now) {
    const { down, pans, move } = this.#drag;
    if (pans) {
      this.#view.pan(now.x - before.x, now.y - before.y);
      this.#on.changed();
      return;
    }
    const moved = Math.hypot(now.x - down.clientX, now.y - down.clientY);
    if (move === null && moved > (STILL_PX[event.pointerType] ?? STILL_PX.mouse)) {
      this.#drag.move = this.#on.grab(this.#on.pointOf(down), down);
    }
    this.#drag.move?.(this.#on.pointOf(event));
  }

  /** Two fingers: their distance enlarges, their middle moves. */
  #pinch(still, before, now) {
    const distance = (point) => Math.max(Math.hypot(point.x - still.x, point.y - still.y), 1);
    this.#view.pan((now.x - before.x) / 2, (now.y - before.y) / 2);
    const middle = { clientX: (still.x + now.x) / 2, clientY: (still.y + now.y) / 2 };
    this.#view.zoomAbout(this.#on.pointOf(middle), distance(now) / distance(before));
    this.#on.changed();
  }

  #onUp(event) {
    const drag = this.#drag;
    this.#pointers.delete(event.pointerId);
    if (drag?.id !== event.pointerId) {
      return;
    }
    this.#drag = null;
    if (drag.move !== null) {
      this.#on.drop();
    } else if (!drag.pans) {
      this.#on.click(this.#on.pointOf(event), event);
    }
  }

  #onCancel(event) {
    this.#pointers.delete(event.pointerId);
    this.#cancel();
  }

  #cancel() {
    if (this.#drag !== null && this.#drag.move !== null) {
      this.#on.cancel();
    }
    this.#drag = null;
  }

  #onWheel(event) {
    // All of the photo is there: what scrolls down is the page.
    if (event.deltaY > 0 && !this.#view.isEnlarged && !event.ctrlKey) {
      return;
    }
    event.preventDefault();
    const pixels = event.deltaY * (event.deltaMode === WheelEvent.DOM_DELTA_LINE ? LINE_PX : 1);
    this.#view.zoomAbout(this.#on.pointOf(event), Math.exp(-pixels * WHEEL_SPEED * (event.ctrlKey ? 4 : 1)));
    this.#on.changed();
  }
}
