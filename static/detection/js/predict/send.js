// Sends a photo to the API. No side effects but the request.

import { gettext, inLanguage } from "../common/i18n.js";

export const UNREACHABLE = gettext("The server could not be reached. Check that it runs, then try again.");
const UNREADABLE = gettext("The server answered with something unexpected. Try again; if it stays so, look into its log.");

/** Error with a message for the user. */
export class SendError extends Error {}

/**
 * POSTs the bytes of a photo. XMLHttpRequest and not fetch, because only it reports upload progress.
 * Resolves to the id of the stored detection; rejects with a SendError, or with an AbortError when `signal` fires.
 */
export function sendPhoto(file, url, { onProgress, signal }) {
  return new Promise((resolve, reject) => {
    const request = new XMLHttpRequest();
    request.open("POST", url);
    request.responseType = "json";
    request.setRequestHeader("Content-Type", file.type || "application/octet-stream");
    request.setRequestHeader("X-File-Name", encodeURIComponent(file.name ?? ""));
    request.upload.addEventListener("progress", (event) => onProgress(event.loaded, event.total));
    request.addEventListener("load", () => {
      const detectionId = request.getResponseHeader("X-Detection-Id");
      if (request.status === 200 && detectionId) {
        resolve(detectionId);
      } else {
        reject(new SendError(inLanguage(request.response?.error ?? UNREADABLE)));
      }
    });
    request.addEventListener("error", () => reject(new SendError(UNREACHABLE)));
    request.addEventListener("abort", () => reject(new DOMException("cancelled", "AbortError")));
    signal.addEventListener("abort", () => request.abort());
    request.send(file);
  });
}
