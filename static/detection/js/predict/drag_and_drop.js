// Photos that are dropped or pasted anywhere on a page, and those of its file fields.

import { carriesFiles, photosOfInput, photosOfTransfer } from "./file_picker.js";

/**
 * Calls `onPhotos` with the photos that `file_picker.js` picks from each drop, paste or choice, and with frames of
 * videos, until `signal` fires. `marked` has the class `dragging` while files are above the page; `onProgress` gets
 * sentences while frames are taken.
 */
export function watchPhotos({ marked, inputs, onPhotos: onPicked, onProgress, signal }) {
  const onPhotos = async (chosen) => {
    if (chosen.videos.length === 0) {
      onPicked(chosen);
      return;
    }
    const { withFrames } = await import("./video_frames.js");
    onPicked(await withFrames(chosen, onProgress));
  };
  const drops = watchDrops(marked, onPhotos);
  document.addEventListener("dragover", drops.over, { signal });
  document.addEventListener("dragleave", drops.leave, { signal });
  document.addEventListener("drop", drops.drop, { signal });
  document.addEventListener(
    "paste",
    async (event) => {
      if (carriesFiles(event.clipboardData)) {
        event.preventDefault();
        onPhotos(await photosOfTransfer(event.clipboardData));
      }
    },
    { signal },
  );
  for (const input of inputs) {
    input.addEventListener(
      "change",
      () => {
        if (input.files.length > 0) {
          const photos = photosOfInput(input);
          // The same files can be chosen again.
          input.value = "";
          onPhotos(photos);
        }
      },
      { signal },
    );
  }
}

function watchDrops(marked, onPhotos) {
  return {
    over: (event) => {
      if (carriesFiles(event.dataTransfer)) {
        event.preventDefault();
        marked.classList.add("dragging");
      }
    },
    leave: (event) => {
      if (event.relatedTarget === null) {
        marked.classList.remove("dragging");
      }
    },
    drop: async (event) => {
      marked.classList.remove("dragging");
      if (carriesFiles(event.dataTransfer)) {
        event.preventDefault();
        onPhotos(await photosOfTransfer(event.dataTransfer));
      }
    },
  };
}
