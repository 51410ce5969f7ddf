// The page of two models over a set: the pairs one after the other, and what is done about the set.

import { followAction, postJson } from "../common/bulk_action.js";
import { gettext, interpolate, ngettext, number } from "../common/i18n.js";
import { addKeys } from "../common/shortcuts.js";
import { showToast } from "../common/toast.js";
import { Divider, dividerKeys } from "./divider.js";

const NO_UUID = "00000000-0000-0000-0000-000000000000";
const OTHER_UUID = "11111111-1111-1111-1111-111111111111";

/** The pairs of the page: one is in the stage, the others are a key or a click away. */
class Pairs {
  #root;
  #links;
  #divider;
  #place = 0;
  #bodies = new Map();

  constructor(root, first) {
    this.#root = root;
    this.#links = [...document.querySelectorAll("[data-list-of-pairs] a")];
    this.#divider = new Divider(root.querySelector("[data-divider]"));
    this.#bodies.set(0, Promise.resolve(first));
    this.#links.forEach((link, place) => link.addEventListener("click", (event) => this.#onClick(event, place)));
    root.querySelector("[data-previous]").addEventListener("click", () => this.step(-1));
    root.querySelector("[data-next]").addEventListener("click", () => this.step(1));
    addKeys([
      { keys: ["j", "ArrowRight"], shown: ["J", "→"], text: gettext("The next photo"), run: () => this.step(1), repeats: true },
      { keys: ["k", "ArrowLeft"], shown: ["K", "←"], text: gettext("The photo before"), run: () => this.step(-1), repeats: true },
      ...dividerKeys(this.#divider),
    ]);
    this.show(0);
  }

  step(by) {
    const place = this.#place + by;
    if (place >= 0 && place < this.#links.length) {
      this.show(place);
    }
  }

  async show(place) {
    this.#place = place;
    const link = this.#links[place];
    this.#links.forEach((one) => one.toggleAttribute("aria-current", one === link));
    this.#root.querySelector("[data-place]").textContent = `${number(place + 1)} / ${number(this.#links.length)}`;
    const about = this.#root.querySelector("[data-pair-link]");
    about.href = link.href;
    about.textContent = link.dataset.name || gettext("Photo without a name");
    this.#root.querySelector("[data-previous]").disabled = place === 0;
    this.#root.querySelector("[data-next]").disabled = place === this.#links.length - 1;
    try {
      const body = await this.#body(place);
      if (place === this.#place) {
        this.#divider.show(body);
        this.#ahead(place + 1);
      }
    } catch (error) {
      showToast(document.querySelector("[data-toast]"), error.message, { isError: true });
    }
  }

  #onClick(event, place) {
    if (event.button === 0 && !event.ctrlKey && !event.metaKey && !event.shiftKey) {
      event.preventDefault();
      this.show(place);
      this.#root.scrollIntoView({ block: "start" });
    }
  }

  /** Loads the next pair and its photo while this one is looked at. */
  async #ahead(place) {
    if (place < this.#links.length) {
      const body = await this.#body(place).catch(() => null);
      if (body !== null) {
        new Image().src = body.photo;
      }
    }
  }

  #body(place) {
    if (!this.#bodies.has(place)) {
      this.#bodies.set(place, this.#load(place));
    }
    return this.#bodies.get(place);
  }

  async #load(place) {
    const { a, b } = this.#links[place].dataset;
    try {
      const response = await fetch(this.#root.dataset.answersUrl.replace(NO_UUID, a).replace(OTHER_UUID, b));
      if (!response.ok) {
        throw new Error(gettext("This photo was deleted meanwhile."));
      }
      return await response.json();
    } catch (error) {
      this.#bodies.delete(place);
      throw error instanceof TypeError ? new Error(gettext("The server does not answer.")) : error;
    }
  }
}

/** Asking a model about the set, and sending what is shown to review. */
class SetActions {
  #root;
  #toast = document.querySelector("[data-toast]");
  #token = document.querySelector("[data-token] input").value;

  constructor(root) {
    this.#root = root;
    for (const button of root.querySelectorAll("[data-ask]")) {
      const ended = (count) => interpolate(ngettext("%(count)s photo was looked at again.", "%(count)s photos were looked at again.", count), { count: number(count) });
      const body = { kind: "redetect", model: button.dataset.ask, selection: { query: root.dataset.query } };
      button.addEventListener("click", () => this.#act(button, body, (action) => this.#end(action, ended, [gettext("Compare again"), () => window.location.reload()])));
    }
    const review = root.querySelector("[data-review]");
    review?.addEventListener("click", () => {
      const ids = JSON.parse(document.querySelector("#pair-ids").textContent);
      const ended = (count) => interpolate(ngettext("%(count)s photo waits for its review.", "%(count)s photos wait for their review.", count), { count: number(count) });
      this.#act(review, { kind: "review", selection: { ids } }, (action) => this.#end(action, ended, [gettext("Review them"), () => window.location.assign(action.url)]));
    });
  }

  async #act(button, body, end) {
    button.disabled = true;
    try {
      const action = await postJson(this.#root.dataset.actUrl, this.#token, body);
      end(await followAction(action, this.#root.dataset.stateUrl.replace(NO_UUID, action.id), (state) => this.#tellProgress(state)));
    } catch (error) {
      showToast(this.#toast, error.message, { isError: true });
      button.disabled = false;
    }
  }

  #tellProgress(action) {
    const values = { done: number(action.done), total: number(action.total) };
    showToast(this.#toast, interpolate(gettext("%(done)s of %(total)s photos are done. You can leave this page."), values), {
      progress: action,
      button: [gettext("Stop"), () => postJson(this.#root.dataset.stopUrl.replace(NO_UUID, action.id), this.#token)],
    });
  }

  #end(action, ended, button) {
    const failed = action.failed > 0 ? ` ${interpolate(gettext("%(count)s could not be done."), { count: number(action.failed) })}` : "";
    showToast(this.#toast, ended(action.done - action.failed) + failed, { button });
  }
}

const root = document.querySelector("[data-pairs]");
if (root !== null) {
  new Pairs(root, JSON.parse(document.querySelector("#pair-data").textContent));
}
new SetActions(document.querySelector("[data-actions]"));
