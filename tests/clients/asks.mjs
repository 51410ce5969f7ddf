// Calls @huggingface/inference as `asks.py` calls the clients in Python; the package's folder is the first argument.
import { readFileSync } from "node:fs";
import { pathToFileURL } from "node:url";

const { InferenceClient } = await import(pathToFileURL(`${process.argv[2]}/dist/esm/index.js`).href);
const { url, key, photo, model, threshold } = JSON.parse(readFileSync(0, "utf8"));
try {
  const endpointUrl = `${url}/api/hf/${model}?threshold=${threshold}`;
  const args = { data: new Blob([readFileSync(photo)]), endpointUrl };
  // By default it repeats what was answered by 503, without an end.
  const found = await new InferenceClient(key).objectDetection(args, { retry_on_error: false });
  const rows = found.map(({ label, score, box }) => [label, score, box.xmin, box.ymin, box.xmax, box.ymax]);
  console.log(JSON.stringify({ found: rows }));
} catch (error) {
  const text = `${error.message} ${JSON.stringify(error.httpResponse?.body ?? "")}`;
  console.log(JSON.stringify({ exception: [error.constructor.name], text }));
}
