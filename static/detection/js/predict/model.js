// The choice of a model: a page has one only where the server offers several.

/** The name of the chosen model; "" for the one that answers by default. */
export function chosenModel(root) {
  return root.querySelector("[data-model]")?.value ?? "";
}

/** An address that has a query already, with the model in it. */
export function withModel(url, model) {
  return model === "" ? url : `${url}&model=${encodeURIComponent(model)}`;
}
