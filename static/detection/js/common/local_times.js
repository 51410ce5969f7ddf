// Moments in the time zone of the browser; without scripts they are in the server's, which is named beside them.

import { locales } from "./i18n.js";

const short = new Intl.DateTimeFormat(locales, { dateStyle: "long", timeStyle: "short" });
const full = new Intl.DateTimeFormat(locales, { dateStyle: "full", timeStyle: "long" });

/** The browser's time zone by its IANA name, which forms send along with days. */
const zone = new Intl.DateTimeFormat().resolvedOptions().timeZone;

for (const field of document.querySelectorAll("[data-zone]")) {
  field.value = zone;
}

/** Rewrites the moments below `root`. */
export function showLocalTimes(root) {
  for (const element of root.querySelectorAll("[data-moment], [data-ago]")) {
    const when = new Date(element.dateTime);
    element.title = full.format(when);
    if ("moment" in element.dataset) {
      element.textContent = short.format(when);
    }
  }
}
