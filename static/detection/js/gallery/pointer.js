// Selecting with a mouse, a pen, a finger and keys: a click, a range with Shift, a drag over photos, a long press.

const DRAG_PX = 8;
const LONG_PRESS_MS = 500;

export class Pointer {
  #grid;
  #selection;
  #root;
  #start = null;
  #isDragging = false;
  #before = new Map();
  #timer = 0;

  constructor(root, grid, selection) {
    this.#root = root;
    this.#grid = grid;
    this.#selection = selection;
    root.addEventListener("click", (event) => this.#onClick(event));
    root.addEventListener("pointerdown", (event) => this.#onDown(event));
    window.addEventListener("pointermove", (event) => this.#onMove(event));
    for (const name of ["pointerup", "pointercancel"]) {
      window.addEventListener(name, () => this.#onEnd());
    }
  }

  /** Selects from the last selected photo to this one, or this one alone. */
  extendTo(photo) {
    const { photos } = this.#grid;
    const anchor = photos.find(({ id }) => id === this.#selection.anchor) ?? photo;
    this.#selection.set(between(photos, anchor, photo), true, anchor.id);
  }

  #photoAt(target) {
    const id = target?.closest?.("[data-photo]")?.dataset.photo;
    return this.#grid.photos.find((photo) => photo.id === id);
  }

  #onClick(event) {
    const photo = this.#photoAt(event.target);
    if (photo === undefined) {
      return;
    }
    if (this.#isDragging) {
      event.preventDefault();
      this.#isDragging = false;
      return;
    }
    const isCheck = event.target.matches(".tile-check");
    const isNewTab = event.ctrlKey || event.metaKey;
    if (event.shiftKey) {
      event.preventDefault();
      this.extendTo(photo);
      // The browser turns the box itself back once a click on it was prevented.
      queueMicrotask(() => this.#selection.dispatchEvent(new Event("change")));
    } else if (isCheck) {
      this.#selection.set([photo.id], event.target.checked, photo.id);
    } else if (!this.#selection.isEmpty && !isNewTab && event.detail > 0) {
      event.preventDefault();
      this.#selection.toggle(photo.id);
    }
  }

  #onDown(event) {
    const photo = this.#photoAt(event.target);
    this.#isDragging = false;
    if (photo === undefined || event.button !== 0 || event.shiftKey) {
      return;
    }
    this.#start = { photo, x: event.clientX, y: event.clientY, isTouch: event.pointerType === "touch" };
    if (this.#start.isTouch) {
      this.#timer = window.setTimeout(() => this.#onLongPress(photo), LONG_PRESS_MS);
    }
  }

  #onLongPress(photo) {
    this.#isDragging = true;
    this.#selection.set([photo.id], true, photo.id);
  }

  #onMove(event) {
    if (this.#start === null) {
      return;
    }
    const { photo, x, y, isTouch } = this.#start;
    const isFar = Math.hypot(event.clientX - x, event.clientY - y) > DRAG_PX;
    if (isTouch) {
      // A finger that moves scrolls.
      if (isFar) {
        this.#onEnd();
      }
      return;
    }
    if (!this.#isDragging && isFar) {
      this.#isDragging = true;
      this.#before = new Map(this.#grid.photos.map(({ id }) => [id, this.#selection.has(id)]));
    }
    const over = this.#isDragging ? this.#photoAt(document.elementFromPoint(event.clientX, event.clientY)) : undefined;
    if (over !== undefined) {
      this.#dragTo(photo, over);
    }
  }

  #dragTo(first, last) {
    const ids = new Set(between(this.#grid.photos, first, last));
    const others = [...this.#before].filter(([id, was]) => !ids.has(id) && this.#selection.has(id) !== was);
    for (const [id, was] of others) {
      this.#selection.set([id], was);
    }
    this.#selection.set(ids, true, first.id);
  }

  #onEnd() {
    window.clearTimeout(this.#timer);
    this.#start = null;
  }
}

function between(photos, one, other) {
  const [first, last] = [photos.indexOf(one), photos.indexOf(other)].toSorted((a, b) => a - b);
  return photos.slice(first, last + 1).map(({ id }) => id);
}
