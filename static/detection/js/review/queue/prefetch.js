// Prefetches the next photos of the queue: the review of each and its decoded picture.

const PREFETCHED = 3;

export class Prefetch {
  #server;
  #ready = new Map();
  #order = [];
  #isAtEnd = false;
  #filling = null;

  constructor(server) {
    this.#server = server;
  }

  /** Resolves to {review, place} of the photo behind `uuid`, or to null at the end of the queue. */
  async after(uuid) {
    if (this.#order.length === 0) {
      await this.fill(uuid);
    }
    const next = this.#order.shift();
    if (next === undefined) {
      this.#isAtEnd = false;
      return null;
    }
    const review = await this.#ready.get(next.detection);
    this.#ready.delete(next.detection);
    this.fill(next.detection).catch(() => undefined);
    return { review, place: next };
  }

  /** Fetches the photos after the last prefetched one, or after `uuid`. */
  fill(uuid) {
    this.#filling ??= this.#fetch(uuid).finally(() => {
      this.#filling = null;
    });
    return this.#filling;
  }

  /** Discards the prefetched reviews, which may have changed. */
  forget() {
    this.#order = [];
    this.#ready.clear();
    this.#isAtEnd = false;
  }

  async #fetch(uuid) {
    const missing = PREFETCHED - this.#order.length;
    if (missing <= 0 || this.#isAtEnd) {
      return;
    }
    const found = await this.#server.following(this.#order.at(-1)?.detection ?? uuid, missing);
    this.#isAtEnd = found.length < missing;
    for (const place of found) {
      this.#order.push(place);
      const review = this.#server.review(place.detection);
      review.catch(() => undefined);
      this.#ready.set(place.detection, review);
      const picture = new Image();
      picture.src = this.#server.url("photo", place.detection);
      picture.decode().catch(() => undefined);
    }
  }
}
