// Starts a batch: lists the photos on the server, and turns this page into the page of the batch, with the files in hand.

import { fetchPage } from "../predict/result.js";
import { SendError, UNREACHABLE } from "../predict/send.js";
import { inLanguage, interpolate, ngettext } from "../common/i18n.js";
import { showLocalTimes } from "../common/local_times.js";
import { runBatch } from "./run.js";
import { pause } from "./uploads.js";

async function listPhotos(url, name, photos, choices) {
  const body = JSON.stringify({ name, ...choices, photos: photos.map(({ name: called, size }) => ({ name: called, size_bytes: size })) });
  let response;
  try {
    response = await fetch(url, { method: "POST", headers: { "Content-Type": "application/json" }, body });
  } catch {
    throw new SendError(UNREACHABLE);
  }
  const answer = await response.json();
  if (!response.ok) {
    throw new SendError(inLanguage(answer.error));
  }
  return answer;
}

/**
 * Makes a batch of photos and shows its page in place of this one; a file cannot be taken along to another document.
 * Rejects with a SendError, whose message is for people; then this page stays as it is.
 */
export async function startBatch({ photos, note, folder }, { url, choices, onShown }) {
  const count = photos.length;
  const name = folder || interpolate(ngettext("%(count)s photo", "%(count)s photos", count), { count });
  const batch = await listPhotos(url, name, photos, choices);
  const address = new URL(batch.page_url).pathname;
  const page = await fetchPage(address).catch(() => {
    throw new SendError(UNREACHABLE);
  });
  onShown();
  // In steps, between which the browser can answer to the person: with hundreds of photos each takes a moment.
  await pause(0);
  show(page, address);
  await pause(0);
  runBatch(document.querySelector("[data-batch]"), batch.items, photos, note);
}

function show(page, url) {
  window.history.pushState({}, "", url);
  document.title = page.title;
  for (const sheet of page.querySelectorAll("link[rel=stylesheet]")) {
    if (document.querySelector(`link[href="${sheet.getAttribute("href")}"]`) === null) {
      document.head.append(document.importNode(sheet));
    }
  }
  for (const part of ["main", ".site-nav"]) {
    document.querySelector(part).replaceWith(document.importNode(page.querySelector(part), true));
  }
  showLocalTimes(document);
  document.querySelector("[data-batch-title]").focus({ preventScroll: true });
  window.scrollTo(0, 0);
}
