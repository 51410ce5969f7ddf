// Draws an answer's boxes on a canvas that lies over the video. Boxes are pixels of the frame that was sent.

import { classTitle } from "../../common/i18n.js";

const RED = "#ff0000";
const LABEL = "#ffffff";
const STROKE_PX = 3;
const TEXT_PX = 14;
const PADDING_PX = 4;

/** Gives the canvas the pixels that it covers on the screen. Returns CSS pixels: {width, height}. */
function fit(canvas) {
  const { clientWidth: width, clientHeight: height } = canvas;
  const ratio = window.devicePixelRatio;
  const wanted = [Math.round(width * ratio), Math.round(height * ratio)];
  if (canvas.width !== wanted[0] || canvas.height !== wanted[1]) {
    [canvas.width, canvas.height] = wanted;
  }
  canvas.getContext("2d").setTransform(ratio, 0, 0, ratio, 0, 0);
  return { width, height };
}

export function clearBoxes(canvas) {
  const { width, height } = fit(canvas);
  canvas.getContext("2d").clearRect(0, 0, width, height);
}

function drawLabel(context, text, x, y, width) {
  const length = context.measureText(text).width + 2 * PADDING_PX;
  const height = TEXT_PX + 2 * PADDING_PX;
  const left = Math.max(0, Math.min(x, width - length));
  const top = Math.max(0, y - height);
  context.fillStyle = RED;
  context.fillRect(left, top, length, height);
  context.fillStyle = LABEL;
  context.fillText(text, left + PADDING_PX, top + height / 2);
}

/** Draws `objects` of an answer for a frame of frameWidth x frameHeight; the most probable lies on top. */
export function drawBoxes(canvas, objects, { width: frameWidth, height: frameHeight }) {
  const { width, height } = fit(canvas);
  const context = canvas.getContext("2d");
  context.clearRect(0, 0, width, height);
  context.strokeStyle = RED;
  context.lineWidth = STROKE_PX;
  context.font = `600 ${TEXT_PX}px system-ui, sans-serif`;
  context.textBaseline = "middle";
  for (const found of objects.toReversed()) {
    const x = (found.x / frameWidth) * width;
    const y = (found.y / frameHeight) * height;
    context.strokeRect(x, y, (found.width / frameWidth) * width, (found.height / frameHeight) * height);
    drawLabel(context, `${classTitle(found.objectClass)} ${Math.floor(found.probability * 100)} %`, x, y, width);
  }
}
