// One poll: short, held, or streamed. It says what came and how it ended; when the next one begins is the poller's business.

import { arraysIn, type Positions, type WireMessage } from "./wire.ts";

/** What `ajax` is given; jQuery's own `ajax` takes it too. */
export interface AjaxOptions {
  readonly url: string;
  readonly type: "POST";
  readonly async: true;
  readonly dataType: "text" | "json";
  readonly data: Positions;
  readonly headers: Readonly<Record<string, string>>;
  readonly messageBus: {
    readonly chunked: boolean;
    readonly onProgressListener: (xhr: XMLHttpRequest) => void;
  };
  readonly xhr: () => XMLHttpRequest;
  readonly success: (reply: unknown) => void;
  readonly error: (xhr: Pick<XMLHttpRequest, "status" | "getResponseHeader">, statusText: string) => void;
  readonly complete: () => void;
}

export type Ajax = (options: AjaxOptions) => { abort(): void };

/** In place of jQuery. */
export const xhrAjax: Ajax = ({ xhr: open, url, headers, data, success, error, complete }) => {
  const xhr = open();
  xhr.open("POST", url);
  for (const name in headers) xhr.setRequestHeader(name, headers[name] ?? "");
  xhr.setRequestHeader("Content-Type", "application/x-www-form-urlencoded");
  // oxlint-disable-next-line unicorn/prefer-add-event-listener -- Stand-ins for XMLHttpRequest know only this.
  xhr.onreadystatechange = () => {
    if (xhr.readyState !== 4) return;
    if (xhr.status >= 200 && xhr.status < 300) success(xhr.responseText);
    else error(xhr, xhr.statusText);
    complete();
  };
  xhr.send(new URLSearchParams(data as never).toString());
  return xhr;
};

export type Ending =
  | { readonly kind: "answered"; readonly chunked: boolean; readonly gotData: boolean }
  /** No first chunk in time: somebody in between holds the stream back. */
  | { readonly kind: "buffered" }
  /** `retryAfter` in seconds, 0 when nothing was said. */
  | { readonly kind: "failed"; readonly status: number; readonly retryAfter: number };

export interface PollOptions {
  readonly ajax: Ajax;
  readonly open: () => XMLHttpRequest;
  readonly url: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly data: Positions;
  readonly chunked: boolean;
  readonly firstChunkMs: number;
  readonly onMessages: (messages: readonly WireMessage[]) => void;
  readonly onError: (error: unknown) => void;
  readonly onEnd: (ending: Ending) => void;
}

/** @returns how to give it up; nothing is heard of it then */
export function poll(options: PollOptions): () => void {
  const { open, chunked, onMessages, onError, onEnd } = options;
  let isOver = false;
  let position = 0;
  let gotData = false;
  let failure: Ending | undefined;
  let timer: ReturnType<typeof setTimeout> | undefined;
  let isJson = !chunked;

  const take = (messages: readonly WireMessage[]): void => {
    gotData ||= messages.length > 0;
    onMessages(messages);
  };
  const stream = (text: string): void => {
    const found = arraysIn(text, position);
    position = found.next;
    for (const array of found.arrays) attempt(() => take(JSON.parse(array) as WireMessage[]));
  };
  const attempt = (work: () => void): void => {
    try {
      if (!isOver) work();
    } catch (error) {
      onError(error);
    }
  };
  const end = (ending: Ending): void => {
    if (isOver) return;
    isOver = true;
    clearTimeout(timer);
    onEnd(ending);
  };
  const onProgressListener = (xhr: XMLHttpRequest): void => {
    timer = setTimeout(() => {
      end({ kind: "buffered" });
      request.abort();
    }, options.firstChunkMs);
    // oxlint-disable-next-line unicorn/prefer-add-event-listener -- As above.
    xhr.onprogress = () => {
      clearTimeout(timer);
      // The server need not stream; then it says so by exactly this.
      isJson = xhr.getResponseHeader("Content-Type") === "application/json; charset=utf-8";
      if (!isJson) stream(xhr.responseText);
    };
  };
  const request = options.ajax({
    url: options.url,
    type: "POST",
    async: true,
    dataType: chunked ? "text" : "json",
    data: options.data,
    headers: options.headers,
    messageBus: { chunked, onProgressListener },
    xhr: () => {
      const xhr = open();
      if (chunked) onProgressListener(xhr);
      return xhr;
    },
    success: (reply) => {
      if (!isJson && typeof reply === "string") stream(reply);
      else attempt(() => take((typeof reply === "string" ? JSON.parse(reply) : reply) as WireMessage[]));
    },
    error: (xhr) => {
      const retryAfter = Number(xhr.getResponseHeader?.("Retry-After")) || 0;
      failure = { kind: "failed", status: xhr.status, retryAfter };
    },
    complete: () => end(failure ?? { kind: "answered", chunked: !isJson, gotData }),
  });
  return () => {
    isOver = true;
    clearTimeout(timer);
    request.abort();
  };
}
