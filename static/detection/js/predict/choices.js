// What a page lets people choose beside the photos: a model, where the server offers several, and tiles.

/** `model` and `tiles`; "" each for what counts by default. */
export function choices(root) {
  const value = (name) => root.querySelector(`[data-${name}]`)?.value ?? "";
  return { model: value("model"), tiles: value("tiles") };
}

/** An address that has a query already, with what was chosen in it. */
export function withChoices(url, root) {
  const chosen = Object.entries(choices(root)).filter(([, value]) => value !== "");
  return url + chosen.map(([name, value]) => `&${name}=${encodeURIComponent(value)}`).join("");
}
