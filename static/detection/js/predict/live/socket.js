// The connection to /ws/live (docs/live.md): frames out, answers in, made again when it is lost. No DOM.

const MAX_IN_FLIGHT = 2;
const FIRST_DELAY_MS = 500;
const LONGEST_DELAY_MS = 8000;
// After an answer that is an error, the server gets a rest.
const REST_MS = 500;
// No answer for so long means that the connection is dead, even without a close event.
const SILENCE_MS = 10_000;

/**
 * Calls `onAnswer({answer, capturedAt, behind})` for each answer, where `behind` counts the frames that were taken after
 * the answered one; `onLink("open")`, and `onLink("lost", delayMs)` when it will be tried again after the delay.
 */
export class LiveSocket {
  #url;
  #handlers;
  #socket = null;
  #timer = 0;
  #silence = 0;
  #failures = 0;
  #restingUntil = 0;
  #taken = [];
  #first = 1;

  constructor(url, handlers) {
    this.#url = url;
    this.#handlers = handlers;
    this.#connect();
  }

  /** Returns whether a frame may be sent now: at most two are in flight, so that no answer is older than two frames. */
  get isReady() {
    return this.#socket?.readyState === WebSocket.OPEN && this.#taken.length < MAX_IN_FLIGHT && performance.now() >= this.#restingUntil;
  }

  /** Reserves a place for a frame being encoded. Returns a function that sends its Blob, or cancels with null. */
  take(capturedAt) {
    const socket = this.#socket;
    const frame = { capturedAt };
    this.#taken.push(frame);
    return (blob) => {
      if (socket !== this.#socket || socket.readyState !== WebSocket.OPEN) {
        return;
      }
      if (blob === null) {
        this.#taken.splice(this.#taken.indexOf(frame), 1);
        return;
      }
      socket.send(blob);
      this.#watchSilence();
    };
  }

  close() {
    window.clearTimeout(this.#timer);
    window.clearTimeout(this.#silence);
    const socket = this.#socket;
    this.#socket = null;
    socket?.close();
  }

  #connect() {
    const socket = new WebSocket(this.#url);
    this.#socket = socket;
    this.#taken = [];
    this.#first = 1;
    socket.addEventListener("open", () => this.#handlers.onLink("open"));
    socket.addEventListener("message", (event) => this.#onMessage(socket, JSON.parse(event.data)));
    socket.addEventListener("close", () => this.#onLost(socket));
  }

  #onMessage(socket, answer) {
    if (socket !== this.#socket || answer.frame === undefined) {
      return;
    }
    this.#failures = 0;
    // An answer settles its own frame and all before it: those were dropped for a newer one.
    const settled = this.#taken.splice(0, answer.frame - this.#first + 1);
    this.#first = answer.frame + 1;
    if (answer.error !== undefined) {
      this.#restingUntil = performance.now() + REST_MS;
    }
    window.clearTimeout(this.#silence);
    if (this.#taken.length > 0) {
      this.#watchSilence();
    }
    this.#handlers.onAnswer({ answer, capturedAt: settled.at(-1)?.capturedAt ?? performance.now(), behind: this.#taken.length });
  }

  #watchSilence() {
    window.clearTimeout(this.#silence);
    const socket = this.#socket;
    this.#silence = window.setTimeout(() => {
      socket.close();
      this.#onLost(socket);
    }, SILENCE_MS);
  }

  #onLost(socket) {
    if (socket !== this.#socket) {
      return;
    }
    window.clearTimeout(this.#silence);
    this.#socket = null;
    const delay = Math.min(FIRST_DELAY_MS * 2 ** this.#failures, LONGEST_DELAY_MS);
    this.#failures += 1;
    this.#handlers.onLink("lost", delay);
    this.#timer = window.setTimeout(() => this.#connect(), delay);
  }
}
