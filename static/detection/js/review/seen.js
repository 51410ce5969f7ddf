// What was on the screen: nothing is confirmed before its photo and the whole list of its objects were.

export class Seen {
  #rows = new Set();
  #isPhoto = false;
  #observer;

  constructor() {
    this.#observer = new IntersectionObserver(
      (entries) => {
        for (const { isIntersecting, target } of entries) {
          if (isIntersecting) {
            this.#rows.add(target.dataset.row);
          }
        }
      },
      { threshold: 0.6 },
    );
  }

  /** Begins with another photo. */
  open() {
    this.#rows.clear();
    this.#observer.disconnect();
    this.#isPhoto = false;
  }

  /** Watches rows, with their objects' keys in `data-row`; those that it watches already are not watched twice. */
  watch(rows) {
    for (const row of rows) {
      this.#observer.observe(row);
    }
  }

  photoIsShown() {
    this.#isPhoto = true;
  }

  get isPhoto() {
    return this.#isPhoto;
  }

  /** Returns those of the objects whose rows were not on the screen yet. */
  unseen(objects) {
    return objects.filter((object) => !this.#rows.has(object.object));
  }
}
