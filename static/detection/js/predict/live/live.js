// The live page: a camera or a video file plays, its frames go to the server, the objects' boxes follow.

import { withChoices } from "../choices.js";
import { SendError, sendPhoto } from "../send.js";
import { percentText } from "../../boxes/layer.js";
import { paint } from "../../boxes/colours.js";
import { classTitle, countsText, gettext, inLanguage, interpolate, number } from "../../common/i18n.js";
import { LiveBoxes } from "./boxes.js";
import { LiveSocket } from "./socket.js";
import { SourceError, UNPLUGGED, cameras, closeSource, openCamera, openFile } from "./source.js";
import { Stats } from "./stats.js";

const PLACEHOLDER_ID = "00000000-0000-0000-0000-000000000000";
const FRAME_EDGE_PX = 640;
const FRAME_QUALITY = 0.8;
const KEPT_QUALITY = 0.92;
const TICK_MS = 250;
const ANNOUNCE_MS = 2000;
// Boxes that are not renewed for so long are removed: the video has moved on.
const STALE_MS = 1000;

const root = document.querySelector("[data-live]");
const part = (name) => root.querySelector(`[data-${name}]`);
const video = part("video");
const boxes = new LiveBoxes(part("overlay"));
const frame = document.createElement("canvas");
const threshold = part("live-threshold");

let run = null;

function say(name, sentence) {
  part(name).textContent = sentence;
  part(name).hidden = sentence === "";
}

function show(state) {
  root.dataset.state = state;
  const pressed = document.activeElement;
  part("start").hidden = state !== "idle";
  part("stop").hidden = state === "idle";
  // One takes the place of the other, and its focus.
  if (pressed === part("start") || pressed === part("stop")) {
    part(state === "idle" ? "start" : "stop").focus();
  }
  part("keep").disabled = state !== "running";
  part("placeholder").hidden = state !== "idle";
}

function summaryOf(objects) {
  const counts = new Map();
  for (const { objectClass } of objects) {
    counts.set(objectClass, (counts.get(objectClass) ?? 0) + 1);
  }
  return countsText([...counts]);
}

/** One run from Start to Stop. */
class Run {
  #stats = new Stats();
  #socket = null;
  #encoding = false;
  #fresh = false;
  #newest = null;
  #announced = { text: "", at: 0 };
  #timer = 0;

  begin() {
    const url = new URL(withChoices(root.dataset.socketPath, root), window.location.href);
    url.protocol = url.protocol.replace("http", "ws");
    this.#socket = new LiveSocket(url, {
      onAnswer: (event) => this.#onAnswer(event),
      onLink: (state, delayMs) => this.#onLink(state, delayMs),
    });
    this.#timer = window.setInterval(() => this.#tick(), TICK_MS);
    this.#awaitFrame();
  }

  end() {
    window.clearInterval(this.#timer);
    this.#socket?.close();
    this.#socket = null;
  }

  /** Draws the newest answer again, at another threshold say. */
  redraw() {
    const objects = this.#shownObjects();
    if (this.#newest === null) {
      boxes.clear();
    } else {
      boxes.show(objects, this.#newest.answer);
    }
    return objects;
  }

  #awaitFrame() {
    const onFrame = () => {
      if (this.#socket !== null) {
        this.#fresh = true;
        this.#pump();
        this.#awaitFrame();
      }
    };
    if (video.requestVideoFrameCallback) {
      video.requestVideoFrameCallback(onFrame);
    } else {
      window.requestAnimationFrame(onFrame);
    }
  }

  /** Sends the frame that the video shows, when it was not sent yet and the server is ready for one. */
  #pump() {
    if (!this.#fresh || this.#encoding || this.#socket?.isReady !== true || video.videoWidth === 0) {
      return;
    }
    this.#fresh = false;
    this.#encoding = true;
    const send = this.#socket.take(performance.now());
    const scale = Math.min(1, FRAME_EDGE_PX / Math.max(video.videoWidth, video.videoHeight));
    frame.width = Math.round(video.videoWidth * scale);
    frame.height = Math.round(video.videoHeight * scale);
    frame.getContext("2d", { alpha: false }).drawImage(video, 0, 0, frame.width, frame.height);
    frame.toBlob(
      (blob) => {
        this.#encoding = false;
        send(blob);
        this.#pump();
      },
      "image/jpeg",
      FRAME_QUALITY,
    );
  }

  #onAnswer({ answer, capturedAt, behind }) {
    if (answer.error !== undefined) {
      say("link", inLanguage(answer.error));
      return;
    }
    say("link", "");
    const now = performance.now();
    this.#stats.add(now, now - capturedAt);
    this.#newest = { answer, shownAt: now };
    const objects = this.redraw();
    part("behind").textContent = behind;
    this.#announce(summaryOf(objects), now);
    this.#pump();
  }

  #onLink(state, delayMs) {
    const lost = gettext("The connection to the server was lost. Trying again in %(seconds)s s.");
    say("link", state === "open" ? "" : interpolate(lost, { seconds: number(delayMs / 1000, 1) }));
    root.dataset.connection = state;
  }

  #tick() {
    const now = performance.now();
    const speed = this.#stats.read(now);
    part("rate").textContent = speed === null ? "–" : number(speed.perSecond, 1);
    part("latency").textContent = speed === null ? "–" : interpolate(gettext("%(count)s ms"), { count: Math.round(speed.latencyMs) });
    if (this.#newest !== null && now - this.#newest.shownAt > STALE_MS) {
      this.#newest = null;
      this.redraw();
    }
    part("objects").replaceChildren(...this.#shownObjects().map(objectRow));
  }

  #shownObjects() {
    const above = Number(threshold.value);
    return (this.#newest?.answer.prediction ?? []).filter((found) => found.probability > above);
  }

  /** Announces the objects to screen readers, at a pace that can be listened to. */
  #announce(text, now) {
    if (text !== this.#announced.text && now - this.#announced.at > ANNOUNCE_MS) {
      this.#announced = { text, at: now };
      part("announce").textContent = text;
    }
  }
}

function objectRow(found) {
  const row = part("object-row").content.firstElementChild.cloneNode(true);
  row.querySelector("[data-name]").textContent = classTitle(found.objectClass);
  row.querySelector("[data-percent]").textContent = percentText(found.probability);
  paint(row, found.objectClass);
  row.querySelector("rect").setAttribute("width", `${found.probability * 100}%`);
  return row;
}

function stop(sentence = "") {
  run?.end();
  run = null;
  closeSource(video);
  boxes.clear();
  part("objects").replaceChildren();
  say("link", "");
  say("problem", sentence);
  show("idle");
}

async function listCameras() {
  const found = await cameras();
  const select = part("camera");
  const chosen = select.value;
  const options = found.map((device, index) => new Option(device.label || interpolate(gettext("Camera %(number)s"), { number: index + 1 }), device.deviceId));
  select.replaceChildren(...options);
  if (found.some((device) => device.deviceId === chosen)) {
    select.value = chosen;
  }
  part("camera-field").hidden = found.length < 2;
}

/** Opens a source with `open`, then runs until it is stopped; only the newest of several starts counts. */
async function start(open) {
  stop();
  show("starting");
  const mine = new Run();
  run = mine;
  try {
    await open();
  } catch (error) {
    if (run === mine) {
      stop(error instanceof SourceError ? error.message : gettext("The video could not be started. Try again."));
    }
    return;
  }
  if (run !== mine) {
    return;
  }
  part("stage").style.aspectRatio = `${video.videoWidth} / ${video.videoHeight}`;
  part("stage").style.maxWidth = `calc(75vh * ${video.videoWidth / video.videoHeight})`;
  show("running");
  mine.begin();
}

async function startCamera(deviceId) {
  await start(async () => {
    const stream = await openCamera(video, deviceId);
    const [track] = stream.getVideoTracks();
    track.addEventListener("ended", () => stop(UNPLUGGED));
    await listCameras();
    part("camera").value = track.getSettings().deviceId ?? "";
  });
}

async function keep() {
  part("keep").disabled = true;
  part("kept").hidden = true;
  say("problem", "");
  const kept = document.createElement("canvas");
  [kept.width, kept.height] = [video.videoWidth, video.videoHeight];
  kept.getContext("2d", { alpha: false }).drawImage(video, 0, 0);
  const blob = await new Promise((resolve) => kept.toBlob(resolve, "image/jpeg", KEPT_QUALITY));
  const name = `live ${new Date().toISOString().slice(0, 19).replaceAll(":", "-")}.jpg`;
  try {
    const file = new File([blob], name, { type: "image/jpeg" });
    const id = await sendPhoto(file, withChoices(root.dataset.predictUrl, root), { onProgress: () => undefined, signal: new AbortController().signal });
    part("kept-link").href = root.dataset.detectionUrl.replace(PLACEHOLDER_ID, id);
    part("kept").hidden = false;
  } catch (error) {
    say("problem", error instanceof SendError ? error.message : gettext("The frame could not be kept. Try again."));
  }
  part("keep").disabled = root.dataset.state !== "running";
}

part("start").addEventListener("click", () => startCamera(part("camera").value));
part("stop").addEventListener("click", () => stop());
part("keep").addEventListener("click", keep);
part("camera").addEventListener("change", () => startCamera(part("camera").value));
part("model")?.addEventListener("change", () => {
  if (root.dataset.state === "running") {
    run.end();
    boxes.clear();
    run = new Run();
    run.begin();
  }
});
part("file").addEventListener("change", (event) => {
  const [file] = event.target.files;
  if (file !== undefined) {
    start(() => openFile(video, file));
  }
  event.target.value = "";
});
threshold.addEventListener("input", () => {
  part("live-threshold-output").value = `${Math.round(threshold.value * 100)} %`;
  run?.redraw();
});
window.addEventListener("pagehide", () => stop());
show("idle");
