// Frames of video files as photos. The browser plays them: no video is sent, and the server needs no decoder.

import { gettext, interpolate, number } from "../common/i18n.js";

const STEP_S = 1;
// Of longer videos frames are taken less often.
const MOST_FRAMES = 600;
const QUALITY = 0.92;
const STUCK_MS = 15_000;
const NAME_LENGTH = 240;
// Files that a browser has recorded itself do not say how long they are; it finds out when it seeks behind their end.
const BEHIND_THE_END_S = 1e7;

/** Resolves at the next `name` event of a video; rejects when it cannot be played, or does not go on. */
function next(video, name) {
  return new Promise((resolve, reject) => {
    const timer = window.setTimeout(() => reject(new Error("stuck")), STUCK_MS);
    const done = new AbortController();
    const end = (settle) => () => {
      window.clearTimeout(timer);
      done.abort();
      settle();
    };
    video.addEventListener(name, end(resolve), { signal: done.signal });
    video.addEventListener("error", end(() => reject(new Error("unplayable"))), { signal: done.signal });
  });
}

async function seek(video, second) {
  const there = next(video, "seeked");
  video.currentTime = second;
  await there;
}

async function open(file) {
  const video = document.createElement("video");
  Object.assign(video, { muted: true, playsInline: true, preload: "auto" });
  const isReady = next(video, "loadeddata");
  video.src = URL.createObjectURL(file);
  await isReady.catch((error) => {
    close(video);
    throw error;
  });
  return video;
}

function close(video) {
  URL.revokeObjectURL(video.src);
  video.removeAttribute("src");
  video.load();
}

async function lengthOf(video) {
  if (!Number.isFinite(video.duration)) {
    await seek(video, BEHIND_THE_END_S);
  }
  return Number.isFinite(video.duration) ? video.duration : video.currentTime;
}

/** The time of a frame as `manage.py detect` writes it: 00:01.500, with hours before it where there are some. */
function timeText(second) {
  const rest = Math.round(second * 1000);
  const two = (value) => String(Math.floor(value)).padStart(2, "0");
  const hours = rest >= 3_600_000 ? `${two(rest / 3_600_000)}:` : "";
  return `${hours}${two((rest / 60_000) % 60)}:${two((rest / 1000) % 60)}.${String(rest % 1000).padStart(3, "0")}`;
}

function take(video, name) {
  const canvas = document.createElement("canvas");
  [canvas.width, canvas.height] = [video.videoWidth, video.videoHeight];
  canvas.getContext("2d").drawImage(video, 0, 0);
  return new Promise((resolve, reject) => {
    canvas.toBlob(
      (blob) => {
        if (blob === null) {
          reject(new Error("empty"));
          return;
        }
        const file = new File([blob], name.split("/").pop(), { type: "image/jpeg" });
        resolve({ file, name, size: file.size });
      },
      "image/jpeg",
      QUALITY,
    );
  });
}

/** The frames of one video as photos, named after it and their second. Rejects where the browser cannot play it. */
async function framesOf({ file, name }, onProgress) {
  const video = await open(file);
  try {
    const seconds = await lengthOf(video);
    const step = Math.max(STEP_S, seconds / MOST_FRAMES);
    const frames = [];
    for (let second = 0; second < seconds || frames.length === 0; second += step) {
      onProgress(seconds > 0 ? second / seconds : 0);
      await seek(video, second);
      frames.push(await take(video, `${name.slice(-NAME_LENGTH)} @ ${timeText(second)}`));
    }
    return { frames, step };
  } finally {
    close(video);
  }
}

/**
 * What was chosen, with the frames of its videos among its photos; `onProgress` gets sentences meanwhile.
 * A video that the browser cannot play is named in the note.
 */
export async function withFrames({ photos, videos, note, folder }, onProgress) {
  const all = [...photos];
  const notes = [note];
  for (const video of videos) {
    const named = { name: video.name };
    try {
      const { frames, step } = await framesOf(video, (share) =>
        onProgress(interpolate(gettext("Taking frames of %(name)s: %(percent)s %"), { ...named, percent: Math.floor(share * 100) })),
      );
      all.push(...frames);
      notes.push(interpolate(gettext("%(name)s: one frame each %(seconds)s s."), { ...named, seconds: number(step, step > STEP_S ? 1 : 0) }));
    } catch {
      notes.push(interpolate(gettext("This browser cannot play %(name)s. Choose an MP4 or WebM video, or use the command “detect” on the server."), named));
    }
  }
  onProgress("");
  const isOneVideo = videos.length === 1 && photos.length === 0;
  return { photos: all, videos: [], note: notes.filter(Boolean).join(" "), folder: isOneVideo ? videos[0].name : folder };
}
