// A reader of server-sent events, as text.

import { type ClientRequest, get } from "node:http";

export class SseReader {
  text = "";
  isEnded = false;
  readonly #request: ClientRequest;

  private constructor(url: string) {
    // Without an agent: none opens a connection in advance, which would hold up the server's end.
    this.#request = get(url, { agent: false });
  }

  /** Throws when it is refused. */
  static async open(url: string): Promise<SseReader> {
    const reader = new SseReader(url);
    await new Promise<void>((opened, refused) => {
      reader.#request.on("error", refused);
      reader.#request.once("response", (response) => {
        response.on("data", (bytes: Buffer) => (reader.text += bytes.toString()));
        response.on("close", () => (reader.isEnded = true));
        response.on("error", () => {});
        if (response.statusCode === 200) opened();
        else refused(new Error(String(response.statusCode)));
      });
    });
    return reader;
  }

  leave(): void {
    this.#request.destroy();
  }
}
