// The box that is drawn or corrected by keyboard, with its bar of buttons.

export class Editor {
  #stage;
  #part;
  /** Whether the box is that of an object that was missed. */
  isNew = false;

  constructor(stage, part) {
    this.#stage = stage;
    this.#part = part;
  }

  get isActive() {
    return this.#stage.edited !== null;
  }

  begin(box, { isNew }) {
    this.isNew = isNew;
    this.#stage.edit(box);
    this.#show(true);
    this.#part("stage").focus({ preventScroll: true });
  }

  stop() {
    this.#stage.edit(null);
    this.#show(false);
  }

  #show(isActive) {
    this.#part("edit-bar").classList.toggle("is-shown", isActive);
    this.#part("edit-bar").inert = !isActive;
  }
}
