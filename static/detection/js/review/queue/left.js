// How many photos of the queue are left.

export class Left {
  #place;
  #isOfReviewed;
  #count;
  // Of a large queue the number is not exact, and stays as it is.
  #isExact;

  /** isOfReviewed: whether the queue is that of finished photos. */
  constructor(place, isOfReviewed) {
    this.#place = place;
    this.#isOfReviewed = isOfReviewed;
    this.#count = Number(place.dataset.count);
    this.#isExact = place.textContent === this.#count.toLocaleString("en");
  }

  /** A photo that is done leaves the queue of those that are left, one that is opened again leaves the others. */
  count(review, wasDone) {
    if (review.isDone !== wasDone) {
      const leaves = review.isDone !== this.#isOfReviewed;
      this.#count = Math.max(0, this.#count + (leaves ? -1 : 1));
    }
  }

  draw() {
    if (this.#isExact) {
      this.#place.textContent = this.#count.toLocaleString("en");
    }
  }
}
