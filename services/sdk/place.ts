// Where a delivery waits: queue, tag and priority class, as authors name them and as the broker does.

import { type Options, present, type Report } from "./build-options.ts";

/** 0 is served first most of the time, 3 last; none starves. */
export type PriorityClass = 0 | 1 | 2 | 3;

export interface PlaceOptions {
  /** The workers that serve it take it: see ANTIPHON_QUEUES. Default: `default`. */
  readonly queue?: string;
  /** Only workers that serve this tag take it: see ANTIPHON_TAGS. */
  readonly tag?: string;
  /** Default: 1. */
  readonly class?: PriorityClass;
}

export const PLACE_OPTIONS = ["queue", "tag", "class"] as const;
/** Where everything goes that nobody said. */
export const WORK_QUEUE = "default";
/** Messages have it and threads of their own. */
const CHAT_QUEUE = "chat";

const QUEUE = /^[A-Za-z0-9][A-Za-z0-9_.-]{0,39}$/;
const TAG = /^[A-Za-z0-9][A-Za-z0-9_.-]{0,19}$/;

/** The broker's name of a queue: deliveries of each tag lie in a queue of their own, so that no take looks for them. */
export function queueName({ queue = WORK_QUEUE, tag }: { readonly queue?: string; readonly tag?: string }): string {
  return tag === undefined ? queue : `${queue}+${tag}`;
}

/** What of the options is given and sound. */
export function readPlace(options: Options, report: Report): PlaceOptions {
  const { queue, tag, class: priority } = options;
  if (queue === CHAT_QUEUE) report("queue: chat is only for what people say");
  else if (queue !== undefined && !(typeof queue === "string" && QUEUE.test(queue)))
    report("queue must be a letter or digit and then at most 39 letters, digits, dots, - or _");
  if (tag !== undefined && !(typeof tag === "string" && TAG.test(tag)))
    report("tag must be a letter or digit and then at most 19 letters, digits, dots, - or _");
  if (priority !== undefined && !(typeof priority === "number" && [0, 1, 2, 3].includes(priority)))
    report("class must be 0, 1, 2 or 3");
  return {
    ...present("queue", queue as string | undefined),
    ...present("tag", tag as string | undefined),
    ...present("class", priority as PriorityClass | undefined),
  };
}
