// The steps of a review on their way to the server. They wait in this browser until they are answered: a server that is
// away, a reload or a closed tab loses none, and a key lets the server take each of them once, however often it is sent.

const PREFIX = "review-step:";
const FIRST_PAUSE_MS = 500;
const LONGEST_PAUSE_MS = 5_000;

/** An answer that is no success; `review` is the state that a 409 brings. */
export class Refused extends Error {
  constructor(sentence, status, review) {
    super(sentence);
    this.status = status;
    this.review = review;
  }

  /** Whether the same step may succeed later: the server is busy, starts or stops, or asks for a login. */
  get isForNow() {
    return [401, 403, 408, 429, 500, 502, 503, 504].includes(this.status);
  }
}

function newKey() {
  // `crypto.randomUUID` is for HTTPS alone.
  return [...crypto.getRandomValues(new Uint8Array(16))].map((byte) => byte.toString(16).padStart(2, "0")).join("");
}

export class Outbox {
  #user;
  #send;
  #on;
  #steps;
  #isRunning = false;
  #count = 0;
  #whenIdle = [];
  #wake = () => undefined;

  /**
   * user: whose steps they are; another one's stay where they are. send(step): resolves to the review after it, rejects
   * with Refused, or with something else where there is no answer. on: {answer(step, review), refused(step, error,
   * dropped), waiting(count, error or null)}; dropped: the later steps of the same photo, which are not sent either,
   * for they were said of what was not there.
   */
  constructor(user, send, on) {
    this.#user = user;
    this.#send = send;
    this.#on = on;
    this.#steps = this.#stored();
    window.addEventListener("online", () => this.#wake());
  }

  /** Begins with what a page before has left. */
  start() {
    this.#run();
  }

  /** Adds a step: {uuid, name, body} with the photo, the address's name, and what is sent. */
  add(step) {
    // Steps are read in the order of their names.
    const id = `${String(Date.now()).padStart(15, "0")}-${String((this.#count += 1)).padStart(6, "0")}`;
    const kept = { ...step, id, key: newKey(), user: this.#user };
    this.#steps.push(kept);
    try {
      window.localStorage.setItem(PREFIX + id, JSON.stringify(kept));
    } catch {
      // A browser that keeps nothing still sends it while the page is open.
    }
    this.#run();
  }

  /** Resolves when nothing waits. */
  idle() {
    return this.#isRunning ? new Promise((resolve) => this.#whenIdle.push(resolve)) : Promise.resolve();
  }

  get count() {
    return this.#steps.length;
  }

  has(uuid) {
    return this.#steps.some((step) => step.uuid === uuid);
  }

  #stored() {
    const names = Object.keys(window.localStorage).filter((name) => name.startsWith(PREFIX)).sort();
    return names.map((name) => JSON.parse(window.localStorage.getItem(name))).filter((step) => step.user === this.#user);
  }

  #forget(step) {
    this.#steps = this.#steps.filter((other) => other !== step);
    window.localStorage.removeItem(PREFIX + step.id);
  }

  async #run() {
    if (this.#isRunning) {
      return;
    }
    this.#isRunning = true;
    let pauseMs = FIRST_PAUSE_MS;
    while (this.#steps.length > 0) {
      const [step] = this.#steps;
      try {
        const review = await this.#send(step);
        this.#forget(step);
        pauseMs = FIRST_PAUSE_MS;
        this.#on.waiting(this.count, null);
        this.#on.answer(step, review);
      } catch (error) {
        if (error instanceof Refused && !error.isForNow) {
          this.#refused(step, error);
        } else {
          this.#on.waiting(this.count, error);
          await this.#pause(pauseMs);
          pauseMs = Math.min(2 * pauseMs, LONGEST_PAUSE_MS);
        }
      }
    }
    this.#isRunning = false;
    this.#whenIdle.splice(0).forEach((resolve) => resolve());
  }

  #refused(step, error) {
    const dropped = this.#steps.filter((other) => other !== step && other.uuid === step.uuid);
    for (const one of [step, ...dropped]) {
      this.#forget(one);
    }
    this.#on.waiting(this.count, null);
    this.#on.refused(step, error, dropped);
  }

  #pause(milliseconds) {
    return new Promise((resolve) => {
      const timer = window.setTimeout(resolve, milliseconds);
      this.#wake = () => {
        window.clearTimeout(timer);
        resolve();
      };
    });
  }
}
