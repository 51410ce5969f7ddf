// Enlarges and moves an element inside of its parent: wheel, pinch, drag, double click.

const LARGEST = 16;
const STEP = 1.5;
const DOUBLE_CLICK = 2.5;
const WHEEL_SPEED = 0.0015;
// A mouse wheel in lines instead of pixels (WheelEvent.deltaMode 1) turns about 16 pixels a line.
const LINE_PX = 16;
const MOVE_SHARE = 0.15;

const clamp = (value, low, high) => Math.min(Math.max(value, low), high);

export class Zoom {
  #viewport;
  #stage;
  #onChange;
  #scale = 1;
  #x = 0;
  #y = 0;
  #pointers = new Map();

  /** `onChange(scale, seen)` is called after each change; seen: what is seen of the stage, in shares of it. */
  constructor(viewport, stage, onChange) {
    this.#viewport = viewport;
    this.#stage = stage;
    this.#onChange = onChange;
    viewport.addEventListener("wheel", (event) => this.#onWheel(event), { passive: false });
    viewport.addEventListener("dblclick", (event) => this.#onDoubleClick(event));
    viewport.addEventListener("pointerdown", (event) => this.#onDown(event));
    viewport.addEventListener("pointermove", (event) => this.#onMove(event));
    for (const name of ["pointerup", "pointercancel"]) {
      viewport.addEventListener(name, (event) => this.#onUp(event));
    }
    // Sizes of the screen change; the place that is looked at stays.
    new ResizeObserver(() => this.#set(this.#scale, this.#x, this.#y)).observe(viewport);
  }

  get isEnlarged() {
    return this.#scale > 1;
  }

  larger() {
    this.#about(this.#centre(), this.#scale * STEP);
  }

  smaller() {
    this.#about(this.#centre(), this.#scale / STEP);
  }

  all() {
    this.#set(1, 0, 0);
  }

  /** Moves by shares of the viewport; right and down are positive. */
  move(right, down) {
    const { clientWidth: width, clientHeight: height } = this.#viewport;
    this.#set(this.#scale, this.#x - right * MOVE_SHARE * width, this.#y - down * MOVE_SHARE * height);
  }

  /** Shows a part of the stage as large as it fits with some room around it; a box in shares of the stage. */
  show({ left, top, width, height }) {
    const { clientWidth, clientHeight } = this.#viewport;
    const scale = clamp(0.7 / Math.max(width, height, 0.001), 1, LARGEST);
    const [x, y] = [left + width / 2, top + height / 2];
    this.#set(scale, clientWidth * (0.5 - x * scale), clientHeight * (0.5 - y * scale));
  }

  #set(scale, x, y) {
    const { clientWidth: width, clientHeight: height } = this.#viewport;
    if (width === 0 || height === 0) {
      return;
    }
    this.#scale = clamp(scale, 1, LARGEST);
    this.#x = clamp(x, width * (1 - this.#scale), 0);
    this.#y = clamp(y, height * (1 - this.#scale), 0);
    this.#stage.style.transform = `translate(${this.#x}px, ${this.#y}px) scale(${this.#scale})`;
    this.#viewport.classList.toggle("enlarged", this.isEnlarged);
    const seen = { left: -this.#x / (width * this.#scale), top: -this.#y / (height * this.#scale), width: 1 / this.#scale, height: 1 / this.#scale };
    this.#onChange(this.#scale, seen);
  }

  #about({ x, y }, scale) {
    const wanted = clamp(scale, 1, LARGEST);
    const ratio = wanted / this.#scale;
    this.#set(wanted, x - (x - this.#x) * ratio, y - (y - this.#y) * ratio);
  }

  #centre() {
    return { x: this.#viewport.clientWidth / 2, y: this.#viewport.clientHeight / 2 };
  }

  #place(event) {
    const { left, top } = this.#viewport.getBoundingClientRect();
    return { x: event.clientX - left, y: event.clientY - top };
  }

  #onWheel(event) {
    // A page must scroll past the photo: the wheel is for whoever has clicked it, and for pinches (which come with ctrl).
    const wanted = event.ctrlKey || event.metaKey || this.isEnlarged || document.activeElement === this.#viewport;
    const shrinks = event.deltaY > 0;
    if (!wanted || (shrinks && !this.isEnlarged && !event.ctrlKey)) {
      return;
    }
    event.preventDefault();
    const pixels = event.deltaY * (event.deltaMode === WheelEvent.DOM_DELTA_LINE ? LINE_PX : 1);
    this.#about(this.#place(event), this.#scale * Math.exp(-pixels * WHEEL_SPEED * (event.ctrlKey ? 4 : 1)));
  }

  #onDoubleClick(event) {
    event.preventDefault();
    if (this.isEnlarged) {
      this.all();
    } else {
      this.#about(this.#place(event), DOUBLE_CLICK);
    }
  }

  #onDown(event) {
    if (event.button === 0) {
      this.#pointers.set(event.pointerId, this.#place(event));
      // A drag goes on when the pointer leaves the photo, and ends when it is let go there.
      this.#viewport.setPointerCapture(event.pointerId);
    }
  }

  #onMove(event) {
    const before = this.#pointers.get(event.pointerId);
    if (before === undefined) {
      return;
    }
    const now = this.#place(event);
    const others = [...this.#pointers].filter(([id]) => id !== event.pointerId);
    if (others.length === 1) {
      this.#pinch(others[0][1], before, now);
    } else if (others.length === 0 && this.isEnlarged) {
      this.#set(this.#scale, this.#x + now.x - before.x, this.#y + now.y - before.y);
    }
    this.#pointers.set(event.pointerId, now);
  }

  #pinch(still, before, now) {
    const distance = (point) => Math.max(Math.hypot(point.x - still.x, point.y - still.y), 1);
    this.#about({ x: (still.x + now.x) / 2, y: (still.y + now.y) / 2 }, (this.#scale * distance(now)) / distance(before));
  }

  #onUp(event) {
    this.#pointers.delete(event.pointerId);
  }
}
