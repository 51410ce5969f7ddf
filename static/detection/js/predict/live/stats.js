// Throughput and latency over the last two seconds. No DOM.

const WINDOW_MS = 2000;

export class Stats {
  #answers = [];

  /** Notes an answer: when it was shown, and how old its frame was then, in milliseconds. */
  add(shownAt, latencyMs) {
    this.#answers.push({ shownAt, latencyMs });
  }

  /** Answers per second and the median latency in milliseconds, or null without answers. */
  read(now) {
    this.#answers = this.#answers.filter((answer) => now - answer.shownAt <= WINDOW_MS);
    if (this.#answers.length < 2) {
      return null;
    }
    const [first, last] = [this.#answers[0], this.#answers.at(-1)];
    const sorted = this.#answers.map((answer) => answer.latencyMs).sort((one, other) => one - other);
    return {
      perSecond: ((this.#answers.length - 1) * 1000) / (last.shownAt - first.shownAt),
      latencyMs: sorted[Math.floor(sorted.length / 2)],
    };
  }
}
