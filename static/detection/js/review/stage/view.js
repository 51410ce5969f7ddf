// The part of a photo that the stage shows. Points and boxes are in pixels of the photo, sizes of the stage in CSS pixels.

const LARGEST = 24;
const AROUND = 1.8;

const clamp = (value, low, high) => Math.min(Math.max(value, low), high);

export class View {
  #photo = { width: 1, height: 1 };
  #stage = { width: 1, height: 1 };
  #zoom = 1;
  #centre = { x: 0.5, y: 0.5 };

  /** Shows all of another photo. */
  open(photo) {
    this.#photo = photo;
    this.all();
  }

  /** Fits the stage, whose size changes with the screen. */
  fit(stage) {
    this.#stage = { width: Math.max(stage.width, 1), height: Math.max(stage.height, 1) };
    this.#move(this.#centre);
  }

  get isEnlarged() {
    return this.#zoom > 1;
  }

  /** Pixels of the photo in one of the screen. */
  get unit() {
    return Math.max(this.#photo.width / this.#stage.width, this.#photo.height / this.#stage.height) / this.#zoom;
  }

  /** The rectangle that fills the stage; a photo of another shape has room beside it. */
  get rect() {
    const [width, height] = [this.#stage.width * this.unit, this.#stage.height * this.unit];
    return { x: this.#centre.x - width / 2, y: this.#centre.y - height / 2, width, height };
  }

  all() {
    this.#zoom = 1;
    this.#move({ x: this.#photo.width / 2, y: this.#photo.height / 2 });
  }

  /** Enlarges or shrinks; what lies at the point stays there. */
  zoomAbout(point, factor) {
    const before = this.unit;
    this.#zoom = clamp(this.#zoom * factor, 1, LARGEST);
    const ratio = this.unit / before;
    this.#move({ x: point.x + (this.#centre.x - point.x) * ratio, y: point.y + (this.#centre.y - point.y) * ratio });
  }

  /** Moves by pixels of the screen, as if the photo were dragged. */
  pan(right, down) {
    this.#move({ x: this.#centre.x - right * this.unit, y: this.#centre.y - down * this.unit });
  }

  /** Shows a box as large as it fits with some room around it. */
  show({ x, y, width, height }) {
    this.#zoom = 1;
    const { width: wide, height: high } = this.rect;
    this.#zoom = clamp(Math.min(wide / (width * AROUND), high / (height * AROUND)), 1, LARGEST);
    this.#move({ x: x + width / 2, y: y + height / 2 });
  }

  #move({ x, y }) {
    const inside = (value, extent, photo) => (extent >= photo ? photo / 2 : clamp(value, extent / 2, photo - extent / 2));
    this.#centre = {
      x: inside(x, this.#stage.width * this.unit, this.#photo.width),
      y: inside(y, this.#stage.height * this.unit, this.#photo.height),
    };
  }
}
