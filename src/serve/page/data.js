// What is asked of the server, and how its news are heard. A token, where one is asked for, stays
// in this tab and goes with each request in a header.

const KEY = "tidemill-token";

function headers(more) {
  const token = sessionStorage.getItem(KEY);
  return token ? { ...more, Authorization: `Bearer ${token}` } : more;
}

/** What went wrong with a request, in words for a person. */
export class Problem extends Error {}

/** Asks for a path; asks the person for the token if one is needed. */
async function request(path, accept, signal) {
  for (;;) {
    const response = await fetch(path, { headers: headers({ Accept: accept }), signal });
    if (response.status === 401) {
      const token = prompt("This service asks for its token:");
      if (!token) throw new Problem("A token is needed.");
      sessionStorage.setItem(KEY, token.trim());
      continue;
    }
    if (!response.ok) {
      const text = await response.text();
      let told = text;
      try {
        const { what, where, do: remedy } = JSON.parse(text).error;
        told = `${where}: ${what}; ${remedy}`;
      } catch { /* it is told as it came */ }
      throw new Problem(told);
    }
    return response;
  }
}

/** The JSON at a path. */
export async function get(path, signal) {
  return (await request(path, "application/json", signal)).json();
}

/** The text at a path, for a download. */
export async function text(path) {
  return (await request(path, "text/csv")).text();
}

/** A path with parameters, without those that are empty. */
export function path(base, params) {
  const query = new URLSearchParams(Object.entries(params).filter(([, value]) => value !== "" && value != null));
  return query.size ? `${base}?${query}` : base;
}

/** Calls `news` with each tick, and `lost` where the connection is gone, for ever. */
export async function listen(news, lost) {
  for (let wait = 500; ; wait = Math.min(wait * 2, 10_000)) {
    try {
      const response = await request("/v1/ticks", "text/event-stream");
      const reader = response.body.pipeThrough(new TextDecoderStream()).getReader();
      for (let rest = ""; ;) {
        const { value, done } = await reader.read();
        if (done) break;
        wait = 500;
        const events = (rest + value).split("\n\n");
        rest = events.pop();
        for (const event of events) {
          const data = event.split("\n").find((line) => line.startsWith("data: "));
          if (data) news(JSON.parse(data.slice(6)));
        }
      }
    } catch { /* tried again below */ }
    lost();
    await new Promise((resolve) => setTimeout(resolve, wait));
  }
}
