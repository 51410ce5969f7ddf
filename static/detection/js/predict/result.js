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

function partOf(page, selector) {
  const part = page.querySelector(selector);
  if (part === null) {
    throw new Error(`there is no ${selector}`);
  }
  return document.importNode(part, true);
}

/** The result on the detection page at `url`, ready to be put into this document. Throws when there is none. */
export async function fetchResult(url) {
  return partOf(await fetchPage(url), "[data-result]");
}

/** The recent detections of the first page at `url`. Throws when there are none. */
export async function fetchRecent(url) {
  return partOf(await fetchPage(url), "[data-recent]");
}

/** Loads the viewer, which pages that detect need only for a result. Called early, it is there when the result is. */
export function loadViewer() {
  return import("../viewer/viewer.js");
}

/**
 * The result on the detection page at `url` in the viewer of that page, which is loaded now: [result, opened]. `opened`
 * is called when the result is in this document, and waits until it can be seen. Throws when there is none.
 */
export async function fetchViewed(url) {
  const [page, { Viewer }] = await Promise.all([fetchPage(url), loadViewer()]);
  const styled = adoptStyles(page);
  // Seen only where the viewer has no photo; the server draws it only then.
  page.querySelector("[data-annotated]").loading = "lazy";
  page.querySelector("[data-picture] a").hidden = true;
  const result = partOf(page, "[data-result]");
  const viewer = new Viewer(result, page);
  return [
    result,
    async () => {
      await styled;
      if (await viewer.open()) {
        viewer.listen();
      } else {
        result.querySelector("[data-picture] a").hidden = false;
        result.querySelector("[data-annotated]").loading = "eager";
        await pictureReady(result);
      }
    },
  ];
}

/** Adds the style sheets of another page that this one lacks, and waits for them; one that fails is not waited for. */
async function adoptStyles(page) {
  const known = new Set([...document.querySelectorAll("link[rel=stylesheet]")].map((link) => link.getAttribute("href")));
  const missing = [...page.querySelectorAll("link[rel=stylesheet]")].filter((link) => !known.has(link.getAttribute("href")));
  const loaded = missing.map((link) => {
    const adopted = document.importNode(link);
    const done = new Promise((resolve) => {
      adopted.addEventListener("load", resolve);
      adopted.addEventListener("error", resolve);
    });
    document.head.append(adopted);
    return done;
  });
  await Promise.all(loaded);
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
