// A message at the edge of the page, with the progress of something that takes long, and a button.

/** Shows a text in `[data-toast]`. button: [text, run]; progress: {done, total}. */
export function showToast(toast, text, { button, progress, isError = false } = {}) {
  toast.hidden = false;
  toast.classList.toggle("error", isError);
  toast.querySelector("[data-toast-text]").textContent = text;
  const meter = toast.querySelector("progress");
  meter.hidden = progress === undefined;
  meter.max = Math.max(1, progress?.total ?? 1);
  meter.value = progress?.done ?? 0;
  const place = toast.querySelector("[data-toast-button]");
  if (button === undefined && place === document.activeElement) {
    toast.tabIndex = -1;
    toast.focus();
  }
  place.hidden = button === undefined;
  place.textContent = button?.[0] ?? "";
  place.onclick = button?.[1] ?? null;
}
