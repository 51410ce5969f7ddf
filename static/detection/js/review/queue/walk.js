// The way through the queue: photos that were visited, by id and in order, and those that come.

import { Prefetch } from "./prefetch.js";
import { Review } from "../steps/state.js";

export class Walk {
  #server;
  #prefetch;
  #reviews = new Map();
  #places = new Map();
  #visited = [];

  constructor(server) {
    this.#server = server;
    this.#prefetch = new Prefetch(server);
  }

  /** Returns the review of a photo of this visit, or undefined. */
  known(uuid) {
    return this.#reviews.get(uuid);
  }

  /** Counts a review as visited, now. */
  visit(review, { isBack = false } = {}) {
    this.#reviews.set(review.uuid, review);
    this.#places.set(review.uuid, review.place);
    if (!isBack) {
      this.#visited.push(review.uuid);
    }
  }

  /** Forgets a review that is not known any more; it is fetched again when its photo is opened. */
  forget(uuid) {
    this.#reviews.delete(uuid);
  }

  fill(uuid) {
    this.#prefetch.fill(uuid).catch(() => undefined);
  }

  /** Returns the photo of this visit so many places from one, or undefined. */
  beside(uuid, places) {
    const place = this.#visited.indexOf(uuid);
    return place < 0 ? undefined : this.#visited[place + places];
  }

  /** Resolves to the review behind a photo in the queue, or to null at its end. Rejects without an answer. */
  async after(uuid) {
    try {
      const answer = await this.#prefetch.after(uuid);
      return answer === null ? null : new Review(answer.review, answer.place);
    } catch (error) {
      this.#prefetch.forget();
      throw error;
    }
  }

  /** Resolves to a review of this visit as it is known here, or as the server has it. */
  async fetch(uuid) {
    return this.#reviews.get(uuid) ?? new Review(await this.#server.review(uuid), this.#places.get(uuid));
  }

  /** Takes the server's state over, unless a step is on its way; resolves to whether it did. */
  async renew(review) {
    const answer = review.pending === 0 ? await this.#server.review(review.uuid).catch(() => null) : null;
    if (answer === null || review.pending > 0) {
      return false;
    }
    review.take(answer);
    return true;
  }
}
