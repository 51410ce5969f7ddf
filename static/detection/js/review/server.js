// Requests of the review page: reviews, the queue, and steps, which are sent one after the other.

const NO_UUID = "00000000-0000-0000-0000-000000000000";

/** An answer that is no success; `review` is the state that a 409 brings. */
export class Refused extends Error {
  constructor(sentence, review) {
    super(sentence);
    this.review = review;
  }
}

async function ask(url, body) {
  const given = body === undefined ? {} : { method: "POST", body: JSON.stringify(body), headers: { "Content-Type": "application/json" }, keepalive: true };
  const response = await fetch(url, given);
  const answer = await response.json();
  if (!response.ok) {
    throw new Refused(answer.error, answer.review);
  }
  return answer;
}

export class Server {
  #urls;
  #queue;
  #last = Promise.resolve();

  constructor(urls, queue) {
    this.#urls = urls;
    this.#queue = queue;
  }

  url(name, uuid) {
    return this.#urls[name].replace(NO_UUID, uuid);
  }

  review(uuid) {
    return ask(this.url("review", uuid));
  }

  async following(uuid, count) {
    const query = new URLSearchParams({ ...this.#queue, after: uuid, count });
    return (await ask(`${this.#urls.queue}?${query}`)).detections;
  }

  /** Sends a step when those before it are answered. Rejects with Refused, or with a TypeError without a response. */
  say(uuid, body) {
    return this.#inTurn(() => ask(this.url("review", uuid), body));
  }

  undo(uuid, body) {
    return this.#inTurn(() => ask(this.url("undo", uuid), body));
  }

  #inTurn(send) {
    const answer = this.#last.then(send);
    this.#last = answer.catch(() => undefined);
    return answer;
  }
}
