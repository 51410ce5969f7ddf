// Requests of the review page: reviews, the queue, and steps.

import { Refused } from "./outbox.js";

const NO_UUID = "00000000-0000-0000-0000-000000000000";

async function ask(url, body, headers = {}) {
  const given = body === undefined ? {} : { method: "POST", body: JSON.stringify(body), headers: { "Content-Type": "application/json", ...headers }, keepalive: true };
  const response = await fetch(url, given);
  // A proxy in front of a server that is away answers with a page.
  const answer = await response.json().catch(() => ({ error: response.statusText }));
  if (!response.ok) {
    throw new Refused(answer.error, response.status, answer.review);
  }
  return answer;
}

export class Server {
  #urls;
  #queue;

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

  /** Resolves to the next places {detection, reason, asked} of the queue. */
  async following(uuid, count) {
    const query = new URLSearchParams({ ...this.#queue, after: uuid, count });
    return (await ask(`${this.#urls.queue}?${query}`)).places;
  }

  /** Sends a step of the outbox. Rejects with Refused, or with a TypeError without a response. */
  send({ name, uuid, body, key }) {
    return ask(this.url(name, uuid), body, { "Idempotency-Key": key });
  }
}
