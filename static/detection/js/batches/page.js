// The page of a batch that was opened by its address.

import { openBatchPage } from "./run.js";

openBatchPage(document.querySelector("[data-batch]"));
