// Actions on many photos: requests, and how far they are. The server goes on with one when the page is left.

const ASK_AGAIN_MS = 700;

/** Posts JSON; returns the answer. Throws an Error with the server's sentence. */
export async function postJson(url, token, body) {
  const response = await fetch(url, {
    method: "POST",
    headers: { "Content-Type": "application/json", Accept: "application/json", "X-CSRFToken": token },
    body: body === undefined ? undefined : JSON.stringify(body),
  });
  const answer = await response.json();
  if (!response.ok) {
    throw new Error(answer.error);
  }
  return answer;
}

/** Waits until an action is done, and returns its state then; `onProgress(state)` is called until then. */
export async function followAction(action, stateUrl, onProgress) {
  let state = action;
  while (state.state === "running") {
    onProgress(state);
    await new Promise((resolve) => {
      window.setTimeout(resolve, ASK_AGAIN_MS);
    });
    try {
      const response = await fetch(stateUrl, { headers: { Accept: "application/json" } });
      state = response.ok ? await response.json() : { ...state, state: "done" };
    } catch {
      // The server is away; it goes on when it is back.
    }
  }
  return state;
}
