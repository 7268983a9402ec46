// Reads a session's stream and comes back after every break, from where it stood. Unlike EventSource it can send a bearer
// token, survives answers such as 503, and notices a connection that says nothing any more.

const SILENCE_MS = 40_000;
const WAIT_MS_MIN = 300;
const WAIT_MS_MAX = 10_000;

/**
 * `onEvent(type, data)` for each event; `onState("connected" | "away" | "refused", detail)` for each change.
 * @param {{ url: string, headers: Record<string, string>, onEvent: (type: string, data: string) => void,
 *   onState: (state: string, detail?: string) => void }} options
 */
export function follow({ url, headers, onEvent, onState }) {
  let position = "";
  let failures = 0;
  const read = async () => {
    const silence = new AbortController();
    let timer = setTimeout(() => silence.abort(), SILENCE_MS);
    try {
      const resume = position === "" ? {} : { "last-event-id": position };
      const response = await fetch(url, {
        headers: { ...headers, ...resume },
        signal: silence.signal,
        cache: "no-store",
      });
      if (response.status === 401) return onState("refused", "The token is wrong.");
      if (!response.ok || response.body === null) throw new Error(`status ${response.status}`);
      onState("connected");
      failures = 0;
      const events = eventReader();
      for await (const bytes of chunks(response.body)) {
        clearTimeout(timer);
        timer = setTimeout(() => silence.abort(), SILENCE_MS);
        for (const { type, data, id } of events(bytes)) {
          position = id ?? position;
          if (data !== "") onEvent(type, data);
        }
      }
    } catch {
      // Whatever it was, the answer is the same: come back.
    } finally {
      clearTimeout(timer);
    }
    onState("away");
    const wait = Math.min(WAIT_MS_MIN * 2 ** failures++, WAIT_MS_MAX);
    setTimeout(read, wait / 2 + (Math.random() * wait) / 2);
  };
  void read();
}

async function* chunks(body) {
  const reader = body.getReader();
  for (;;) {
    const { done, value } = await reader.read();
    if (done) return;
    yield value;
  }
}

/** Takes bytes as they come and gives the events that are complete by them. */
function eventReader() {
  const decoder = new TextDecoder();
  let rest = "";
  return (bytes) => {
    const blocks = (rest + decoder.decode(bytes, { stream: true })).split("\n\n");
    rest = blocks.pop() ?? "";
    return blocks.map(readEvent);
  };
}

/** A line that begins with a colon is a comment: its name is empty. */
function readEvent(block) {
  const event = { type: "message", data: "", id: undefined };
  for (const line of block.split("\n")) {
    const [, name, value] = /^([^:]*):? ?(.*)$/.exec(line) ?? [];
    if (name === "event") event.type = value;
    else if (name === "id") event.id = value;
    else if (name === "data") event.data += value;
  }
  return event;
}
