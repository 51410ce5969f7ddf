// What is done with the selected photos: the bar with its buttons, requests, progress, and undo.

import { followAction, postJson } from "../common/bulk_action.js";
import { gettext, interpolate, ngettext, number } from "../common/i18n.js";
import { closeMenuOf } from "../common/menus.js";
import { showToast } from "../common/toast.js";

const NO_UUID = "00000000-0000-0000-0000-000000000000";

export class Actions {
  #bar = document.querySelector("[data-selection]");
  #toast = document.querySelector("[data-toast]");
  #download = document.querySelector("[data-download]");
  #token = document.querySelector("[data-token] input").value;
  #page;

  /**
   * page: {selection, body(), total(), onGone(), onBack(), onLeft()}: what is selected, as the server takes it, how many,
   * and what to do when photos go, come back, and when the bar with the focus goes.
   */
  constructor(page) {
    this.#page = page;
    page.selection.addEventListener("change", () => this.show());
    this.#bar.addEventListener("click", (event) => {
      const button = event.target.closest("button");
      if (button !== null) {
        this.#run(button);
      }
    });
    for (const form of this.#bar.querySelectorAll("form")) {
      form.addEventListener("submit", (event) => {
        event.preventDefault();
        this.act(form.dataset.kind, Object.fromEntries(new FormData(form)));
        closeMenuOf(form);
      });
    }
    for (const id of JSON.parse(document.querySelector("#running-actions").textContent)) {
      this.#follow({ id, state: "running", done: 0, total: 0, kind: "" });
    }
  }

  /** Shows the bar where something is selected. */
  show() {
    const { selection } = this.#page;
    if (selection.isEmpty && this.#bar.contains(document.activeElement)) {
      this.#page.onLeft();
    }
    this.#bar.hidden = selection.isEmpty;
    const count = selection.count(this.#page.total());
    const text = ngettext("%(count)s photo selected", "%(count)s photos selected", count);
    this.#bar.querySelector("[data-selected]").textContent = interpolate(text, { count: this.#page.isMore() && selection.isAll ? `${number(count)}+` : number(count) });
    this.#bar.querySelector("[data-select-all]").hidden = selection.isAll;
  }

  #run(button) {
    const { what, act, selectAll, selectNone } = button.dataset;
    if (what !== undefined) {
      this.#send(what);
    } else if (act !== undefined) {
      this.act(act);
    } else if (selectAll !== undefined) {
      this.#page.selection.selectAll();
    } else if (selectNone !== undefined) {
      this.#page.selection.clear();
    }
    if (button.type === "button") {
      closeMenuOf(button);
    }
  }

  /** Downloads: a form, so that the browser's own list of downloads shows how far it is, and the page can be left. */
  #send(what) {
    this.#download.elements.what.value = what;
    this.#download.elements.photos.value = this.#bar.querySelector("[data-with-photos]").checked ? "1" : "";
    this.#download.elements.selection.value = JSON.stringify(this.#page.body());
    this.#download.submit();
  }

  #post(url, body) {
    return postJson(url, this.#token, body);
  }

  /** Begins an action on what is selected. */
  async act(kind, more = {}) {
    const { selection } = this.#page;
    if (selection.isEmpty) {
      return;
    }
    const body = this.#page.body();
    const isGone = kind === "delete" || kind === "unalbum";
    if (isGone) {
      this.#page.onGone();
    }
    try {
      const action = await this.#post(this.#bar.dataset.actUrl, { ...more, kind, selection: body });
      selection.clear();
      await this.#follow(action);
    } catch (error) {
      this.#tell(error.message, { isError: true });
      if (isGone) {
        this.#page.onBack();
      }
    }
  }

  /** Shows how far an action is until it is done. The server goes on with it when the page is left. */
  async #follow(action) {
    const state = await followAction(action, this.#url("state", action.id), (now) => this.#tellProgress(now));
    this.#tellEnd(state);
  }

  #url(name, id) {
    return this.#bar.dataset[`${name}Url`].replace(NO_UUID, id);
  }

  #tellProgress(action) {
    const values = { done: number(action.done), total: number(action.total) };
    this.#tell(interpolate(gettext("%(done)s of %(total)s photos are done. You can leave this page."), values), {
      progress: action,
      button: [gettext("Stop"), async () => this.#post(this.#url("stop", action.id))],
    });
  }

  #tellEnd(action) {
    const count = action.done - action.failed;
    const values = { count: number(count) };
    const texts = {
      delete: ngettext("%(count)s photo was deleted.", "%(count)s photos were deleted.", count),
      album: ngettext("%(count)s photo is in the album.", "%(count)s photos are in the album.", count),
      unalbum: ngettext("%(count)s photo was taken out of the album.", "%(count)s photos were taken out of the album.", count),
      review: ngettext("%(count)s photo waits for its review.", "%(count)s photos wait for their review.", count),
      redetect: ngettext("%(count)s photo was looked at again.", "%(count)s photos were looked at again.", count),
    };
    const failed = action.failed > 0 ? ` ${interpolate(gettext("%(count)s could not be done."), { count: number(action.failed) })}` : "";
    const buttons = {
      delete: [gettext("Undo"), () => this.#undo(action)],
      album: [gettext("Open the album"), () => window.location.assign(action.url)],
      review: [gettext("Review them"), () => window.location.assign(action.url)],
      redetect: [gettext("Show them"), () => window.location.assign(`${window.location.pathname}?source=redetect`)],
    };
    if (texts[action.kind] !== undefined) {
      this.#tell(interpolate(texts[action.kind], values) + failed, { button: buttons[action.kind] });
    }
  }

  async #undo(action) {
    try {
      await this.#post(this.#url("undo", action.id));
      this.#tell(gettext("The photos are back."));
      this.#page.onBack();
    } catch (error) {
      this.#tell(error.message, { isError: true });
    }
  }

  #tell(text, options) {
    showToast(this.#toast, text, options);
  }
}
