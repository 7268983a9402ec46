// A connection that is answered once, whole: with the first thing that there is to say.

import { answer, BASE_HEADERS, type Headers, JSON_TYPE } from "./answer.ts";
import type { Asking } from "./door.ts";
import type { HttpConn } from "./http-conn.ts";

export class WholeConn implements HttpConn {
  readonly bytesQueued = 0;
  gone: () => void = () => {};
  readonly #asking: Asking;

  constructor({ headers, ...asking }: Asking, own: Headers = []) {
    this.#asking = { ...asking, headers: [...headers, ...own] };
    asking.response.once("close", () => this.gone());
  }

  send(frame: Buffer): void {
    answerJson(this.#asking, frame);
    this.gone();
  }

  close(): void {}
}

export function answerJson({ response, headers }: Asking, body: Buffer): void {
  answer(response, { status: 200, headers: [...BASE_HEADERS, ...headers, JSON_TYPE], body });
}
