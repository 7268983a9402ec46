// Which queues somebody serves who was told so: what ANTIPHON_QUEUES and ANTIPHON_TAGS say of one queue. Pure.

/** Of Messages. They have no tags, and threads of their own. */
export const CHAT = "chat";
const OUTBOX = "outbox/";
/** Of workers that do not say which is theirs. */
export const DEFAULT_POOL = "default";

export interface Serves {
  /** `*` is every other one. */
  readonly queues: readonly { readonly queue: string; readonly weight: number }[];
  readonly tags: {
    readonly all: boolean;
    readonly untagged: boolean;
    readonly only: readonly string[];
    readonly never: readonly string[];
  };
}

export interface ServedAs {
  readonly weight: number;
  /** By its name, not as one of all others. */
  readonly isNamed: boolean;
}

/** Outboxes are masters' work. */
export function isOutbox(queue: string): boolean {
  return queue.startsWith(OUTBOX);
}

/** What is in a queue: Messages have threads of their own, everything else shares. */
export function kindOf(queue: string): "chat" | "work" {
  return queue === CHAT ? "chat" : "work";
}

/** Undefined: it is not served. A tagged delivery lies in `<queue>+<tag>`. */
export function servedAs({ queues, tags }: Serves, queue: string): ServedAs | undefined {
  if (isOutbox(queue)) return undefined;
  const [base = "", tag] = queue.split("+", 2);
  if (!servesTag(tags, tag) || (base === CHAT && tag !== undefined)) return undefined;
  const named = queues.find((one) => one.queue === base);
  const found = named ?? queues.find((one) => one.queue === "*");
  return found && { weight: found.weight, isNamed: named !== undefined };
}

function servesTag({ all, untagged, only, never }: Serves["tags"], tag: string | undefined): boolean {
  if (tag === undefined) return all || untagged;
  return all ? !never.includes(tag) : only.includes(tag);
}
