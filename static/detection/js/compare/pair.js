// The page of two answers for one photo.

import { addKeys } from "../common/shortcuts.js";
import { Divider, dividerKeys } from "./divider.js";

const divider = new Divider(document.querySelector("[data-divider]"));
divider.show(JSON.parse(document.querySelector("#pair-data").textContent));
addKeys(dividerKeys(divider));
