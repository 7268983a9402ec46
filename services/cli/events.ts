// Reads server-sent events from a byte stream, as the HTML standard says, for Node, which has no EventSource of its own.

export interface ServerEvent {
  readonly type: string;
  readonly data: string;
  /** Only where this event carried one. */
  readonly id?: string;
}

/** A line that never ends would be kept whole: a server that sends one is no server of ours. */
const LINE_MAX = 1024 * 1024;

/** `onBytes` is called for comments too: the server's heartbeat. */
export async function* readEvents(
  stream: AsyncIterable<Uint8Array>,
  onBytes: () => void = () => {},
): AsyncGenerator<ServerEvent> {
  const decoder = new TextDecoder();
  let rest = "";
  let lines: string[] = [];
  for await (const bytes of stream) {
    onBytes();
    const parts = (rest + decoder.decode(bytes, { stream: true })).split(/\r\n|\n|\r(?!$)/);
    rest = parts.pop() ?? "";
    if (rest.length > LINE_MAX) throw new Error("The server sent a line without an end.");
    for (const line of parts) {
      if (line !== "") lines.push(line);
      else if (lines.length > 0) {
        const event = eventOf(lines);
        lines = [];
        if (event !== undefined) yield event;
      }
    }
  }
}

/** undefined for comments and for what carries no data. */
function eventOf(lines: readonly string[]): ServerEvent | undefined {
  let type = "message";
  let id: string | undefined;
  const data: string[] = [];
  for (const line of lines) {
    const [, field, value = ""] = /^([^:]*)(?:: ?(.*))?$/s.exec(line) ?? [];
    if (field === "event") type = value;
    else if (field === "data") data.push(value);
    else if (field === "id" && !value.includes("\0")) id = value;
  }
  if (data.length === 0) return undefined;
  return { type, data: data.join("\n"), ...(id !== undefined && { id }) };
}
