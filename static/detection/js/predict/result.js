// Takes parts out of other pages of this site, so that their markup exists once, on the server.

import { showLocalTimes } from "../common/local_times.js";

/** Another page of this site as a document of its own, whose scripts do not run. Throws when there is none. */
export async function fetchPage(url) {
  const response = await fetch(url, { headers: { Accept: "text/html" } });
  if (!response.ok) {
    throw new Error(`${url} answered ${response.status}`);
  }
  return new DOMParser().parseFromString(await response.text(), "text/html");
}

async function fetchPart(url, selector) {
  const page = await fetchPage(url);
  const part = page.querySelector(selector);
  if (part === null) {
    throw new Error(`${url} has no ${selector}`);
  }
  return document.importNode(part, true);
}

/** The result on the detection page at `url`, ready to be put into this document. Throws when there is none. */
export function fetchResult(url) {
  return fetchPart(url, "[data-result]");
}

/** The recent detections of the first page at `url`. Throws when there are none. */
export function fetchRecent(url) {
  return fetchPart(url, "[data-recent]");
}

/** Shows the buttons below `root` that only work with scripts, and its moments in the browser's time zone. */
export function revealScripted(root) {
  showLocalTimes(root);
  for (const button of root.querySelectorAll("[data-copy][hidden]")) {
    button.hidden = false;
  }
}

/** Waits until the picture of a result can be shown, or has failed. */
export async function pictureReady(result) {
  await result.querySelector("[data-annotated]").decode().catch(() => undefined);
}
