// Sources of frames: a camera, or a video file. No DOM but the given video element.

import { gettext } from "../../common/i18n.js";

// The network sees a small square: more pixels would only cost time.
const WISH = { width: { ideal: 640 }, height: { ideal: 480 }, frameRate: { ideal: 30 } };
const SENTENCES = {
  NotAllowedError: gettext("The camera was not allowed. Allow it for this site in the browser's address bar, then press Start again; or choose a video file."),
  NotFoundError: gettext("No camera was found. Connect one and press Start again, or choose a video file."),
  OverconstrainedError: gettext("The chosen camera is gone. Choose another one, then press Start again."),
  NotReadableError: gettext("The camera is used by another program. Close that program, then press Start again."),
};
const OTHERWISE = gettext("The camera could not be started. Connect it again, or choose a video file.");
const INSECURE = gettext("Browsers give the camera only to pages over https, or on localhost. Open this page over https, or choose a video file.");
const UNPLAYABLE = gettext("This browser cannot play that file. Choose an MP4 or WebM video.");
export const UNPLUGGED = gettext("The camera was disconnected. Connect it again, then press Start.");

/** Error with a message for the user. */
export class SourceError extends Error {}

/** Shows a camera in the video element. Resolves to its MediaStream; rejects with a SourceError. */
export async function openCamera(video, deviceId) {
  if (!window.isSecureContext || navigator.mediaDevices === undefined) {
    throw new SourceError(INSECURE);
  }
  const chosen = deviceId ? { deviceId: { exact: deviceId } } : { facingMode: "environment" };
  let stream;
  try {
    stream = await navigator.mediaDevices.getUserMedia({ video: { ...WISH, ...chosen }, audio: false });
  } catch (error) {
    throw new SourceError(SENTENCES[error.name] ?? OTHERWISE);
  }
  video.srcObject = stream;
  await video.play();
  return stream;
}

/** Plays a video file in the video element, again and again. Rejects with a SourceError. */
export async function openFile(video, file) {
  video.src = URL.createObjectURL(file);
  video.loop = true;
  try {
    await video.play();
  } catch {
    throw new SourceError(UNPLAYABLE);
  }
}

/** Ends whatever the video element shows, and switches the camera off. */
export function closeSource(video) {
  for (const track of video.srcObject?.getTracks() ?? []) {
    track.stop();
  }
  video.pause();
  video.srcObject = null;
  if (video.src.startsWith("blob:")) {
    URL.revokeObjectURL(video.src);
    video.removeAttribute("src");
    video.load();
  }
}

/** The cameras of this machine: {deviceId, label}. Their labels are empty before a camera was allowed. */
export async function cameras() {
  const devices = (await navigator.mediaDevices?.enumerateDevices()) ?? [];
  return devices.filter((device) => device.kind === "videoinput");
}
