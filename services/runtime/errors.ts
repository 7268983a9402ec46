// The one table of error codes: what happened, whether trying again can help, and what to do about it.

export interface ErrorRow {
  /** One sentence for an operator. */
  readonly sentence: string;
  /** May the same call succeed later without anybody changing anything? */
  readonly retryable: boolean;
  readonly remedy: string;
}

export const ERROR_TABLE = {
  CONFIG_INVALID: {
    sentence: "The configuration has problems.",
    retryable: false,
    remedy: "Mend every line listed; `antiphon validate` checks without starting.",
  },
  HANDLER_LOAD_FAILED: {
    sentence: "A handler module could not be loaded.",
    retryable: false,
    remedy: "Mend the file and line named.",
  },
  HANDLER_INVALID: {
    sentence: "The handlers contradict each other, the configuration or the adapters.",
    retryable: false,
    remedy: "Mend every line listed; `antiphon validate` checks without starting.",
  },
  ADAPTER_LOAD_FAILED: {
    sentence: "An adapter could not be loaded.",
    retryable: false,
    remedy: "Mend every line listed; ANTIPHON_ADAPTERS takes names of Antiphon's own adapters, packages and paths.",
  },
  ADAPTER_INVALID: {
    sentence: "An adapter, or its settings, are not as they must be.",
    retryable: false,
    remedy: "Mend every line listed; docs/authors/adapters.md says what an adapter's module exports.",
  },
  MIDDLEWARE_FAILED: {
    sentence: "A middleware failed.",
    retryable: false,
    remedy: "Mend the middleware that is named; its error stands behind the name.",
  },
  REDIS_UNAVAILABLE: {
    sentence: "Redis does not answer.",
    retryable: true,
    remedy: "Check REDIS_URL and the server; everything resumes by itself when it is back.",
  },
  POSTGRES_UNAVAILABLE: {
    sentence: "Postgres, where this bus is kept, does not answer.",
    retryable: true,
    remedy: "Check the bus' url and the server; everything resumes by itself when it is back.",
  },
  REDIS_UNFIT: {
    sentence: "This Redis cannot be used as it is.",
    retryable: true,
    remedy:
      "Do what is said here; everything goes on by itself then. It takes Redis 7.0 or Valkey 7.2 or newer with maxmemory-policy noeviction.",
  },
  QUEUE_FULL: {
    sentence: "The queue is at its limit.",
    retryable: true,
    remedy: "Add workers or raise ANTIPHON_QUEUE_LIMIT or ANTIPHON_QUEUE_BYTES.",
  },
  TOO_MANY_EFFECTS: {
    sentence: "A run says, enqueues or remembers too much.",
    retryable: false,
    remedy: "Do a part of it, and enqueue a job that does the next part.",
  },
  TOO_MANY_PAUSES: {
    sentence: "A queue cannot have more pauses.",
    retryable: false,
    remedy: "Pause the queue or a route instead of single keys.",
  },
  DURABILITY_UNMET: {
    sentence: "It was accepted, but is not proven to be as durable as was asked for.",
    retryable: true,
    remedy:
      "Send it again: under the same id it is a duplicate. Check the replicas, or the disk of the append-only file.",
  },
  DURABILITY_UNSUPPORTED: {
    sentence: "The Redis server cannot prove the durability that is asked for.",
    retryable: false,
    remedy: "Mend the server as it says, or lower ANTIPHON_DURABILITY or the option durability.",
  },
  FENCED: {
    sentence: "This process lost its right to write.",
    retryable: false,
    remedy: "Nothing: another process has taken over what it did.",
  },
  CLAIM_LOST: {
    sentence: "The delivery belongs to another run by now.",
    retryable: false,
    remedy: "Nothing: the other run decides.",
  },
  REQUEST_INVALID: {
    sentence: "The request is not as it must be.",
    retryable: false,
    remedy: "Send what the message asks for.",
  },
  UNAUTHORIZED: {
    sentence: "The signature or token is missing or wrong.",
    retryable: false,
    remedy: "Send the right one; compare the secrets of sender and receiver.",
  },
  FORBIDDEN: {
    sentence: "This is not for whoever asks.",
    retryable: false,
    remedy:
      "Ask as somebody who may; docs/operators/access.md says who may what, docs/authors/bus.md how channels are opened.",
  },
  NOT_FOUND: {
    sentence: "There is nothing at this address.",
    retryable: false,
    remedy: "Check method and path; `antiphon validate` lists the routes.",
  },
  BODY_TOO_LARGE: {
    sentence: "The body is over its size limit.",
    retryable: false,
    remedy: "Send less, or raise the route's `limit`.",
  },
  BODY_STALLED: {
    sentence: "The body did not arrive in time.",
    retryable: true,
    remedy: "Send it again, faster.",
  },
  CONTENT_TYPE_UNKNOWN: {
    sentence: "The content type is none that is taken here.",
    retryable: false,
    remedy: "Send one of the types named, or add it to the route's `contentTypes`.",
  },
  TOO_MANY_REQUESTS: {
    sentence: "There are too many of these at once.",
    retryable: true,
    remedy: "Come back after the time in Retry-After.",
  },
  INPUT_INVALID: {
    sentence: "The input does not fit the schema of its route.",
    retryable: false,
    remedy: "Send what the schema asks for.",
  },
  OPTIONS_INVALID: {
    sentence: "Options are not as they must be.",
    retryable: false,
    remedy: "Mend everything listed; nothing was done.",
  },
  VALUE_NOT_JSON: {
    sentence: "A value would not come out of JSON as it went in.",
    retryable: false,
    remedy: "Send texts, numbers, true, false, null, lists and plain objects of them: of a Date its `toISOString()`.",
  },
  ROOM_UNKNOWN: {
    sentence: "The room's adapter is not configured.",
    retryable: false,
    remedy: "Name rooms <adapter>[/<unit>]:<room> and list the adapter in ANTIPHON_ADAPTERS.",
  },
  ACTION_UNSUPPORTED: {
    sentence: "The room's adapter cannot do this.",
    retryable: false,
    remedy: "Declare the capability in the route's `needs` so that the start checks it.",
  },
  ENVELOPE_UNREADABLE: {
    sentence: "What is stored of this delivery cannot be read.",
    retryable: false,
    remedy: "Something else wrote to Redis: run `antiphon doctor`; `antiphon job delete` forgets the delivery.",
  },
  ROUTE_UNKNOWN: {
    sentence: "No handler that is loaded here has this route, job or event.",
    retryable: true,
    remedy: "Check the name, or deploy the handler that has it; a delivery that is stored already waits for it.",
  },
  DEPENDENCY_CYCLE: {
    sentence: "Jobs of a flow wait for each other in a circle.",
    retryable: false,
    remedy: "Take one of the arrows of the path out of the flow.",
  },
  JOB_DEAD: {
    sentence: "The job that is awaited ended without success.",
    retryable: false,
    remedy:
      "See its reason. A dead letter runs again with `antiphon dead retry`; what was discarded, cancelled or has expired does not.",
  },
  RESULT_LATE: {
    sentence: "The job that is awaited has not finished in time.",
    retryable: true,
    remedy: "Await it again, or longer.",
  },
  RESULT_MISSING: {
    sentence: "There is no result of this job and none will come.",
    retryable: false,
    remedy:
      "Enqueue it with `result`, and await it within that time. A job that was cancelled while it waited has none.",
  },
  CRON_INVALID: {
    sentence: "A schedule cannot be like this.",
    retryable: false,
    remedy:
      'Mend what is named. Times are five fields and a zone, as in "0 9 * * 1-5" and Europe/Paris, or a period of at least 1s.',
  },
  SCHEDULE_UNKNOWN: {
    sentence: "There is no such schedule.",
    retryable: false,
    remedy: "`antiphon cron ls` lists them; a leading master knows those of the handlers that it has loaded.",
  },
  PUBLISH_FAILED: {
    sentence: "A bus message could not be stored.",
    retryable: false,
    remedy: "See what the server says; a key of the channel may have been overwritten by something else.",
  },
  CONFLICT: {
    sentence: "It is not as this takes for granted: others have changed it, or are at work on it.",
    retryable: true,
    remedy: "Look at what is there now, and try again.",
  },
  API_UNREACHABLE: {
    sentence: "The admin API does not answer.",
    retryable: true,
    remedy: "Check `--url`, the address of an admin port (9090); in a cluster `kubectl port-forward` opens one.",
  },
  WORKER_UNKNOWN: {
    sentence: "No worker of this name is registered.",
    retryable: false,
    remedy: "`antiphon worker ls` lists them.",
  },
  RUN_TIMEOUT: {
    sentence: "The run took longer than its route's timeout.",
    retryable: true,
    remedy: "Raise the route's `timeout`, or heed `signal`.",
  },
  RUN_CANCELLED: {
    sentence: "The run was cancelled.",
    retryable: false,
    remedy: "Nothing: somebody does not want it any more.",
  },
  RUN_HEAP: {
    sentence: "The thread of the run needed more memory than its route may have.",
    retryable: true,
    remedy: "Raise the route's `maxHeap`, or handle less at a time.",
  },
  RUN_CRASHED: {
    sentence: "The thread or process that ran the delivery died.",
    retryable: true,
    remedy:
      "See the log for its last words; the delivery runs again, from the second death on in a process of its own.",
  },
  RUN_INTERRUPTED: {
    sentence: "The run was interrupted and will be repeated.",
    retryable: true,
    remedy: "Nothing: it is no failure of the handler.",
  },
  CRASH_LIMIT: {
    sentence: "The delivery ended its process each time it ran.",
    retryable: false,
    remedy: "Mend the handler, then `antiphon dead retry`.",
  },
  KUBERNETES_UNAVAILABLE: {
    sentence: "The API server of Kubernetes does not answer.",
    retryable: true,
    remedy: "Nothing of the bot waits for it; scaling goes on by itself when it is back.",
  },
  KUBERNETES_FORBIDDEN: {
    sentence: "Kubernetes does not allow this to the masters' service account.",
    retryable: true,
    remedy: "Give it the Role that the chart renders; until then the bot goes on without this.",
  },
  KUBERNETES_MISSING: {
    sentence: "Kubernetes does not know this object.",
    retryable: true,
    remedy: "Check the names in ANTIPHON_SCALE_TARGETS.",
  },
  KUBERNETES_CONFLICT: {
    sentence: "An object of Kubernetes was changed by somebody else at the same moment.",
    retryable: true,
    remedy: "Nothing: it is read again and judged anew.",
  },
  KUBERNETES_REFUSED: {
    sentence: "Kubernetes does not take this request.",
    retryable: false,
    remedy: "This is a defect of Antiphon, or a version of Kubernetes that it does not know: please report it.",
  },
  VALUE_TOO_LARGE: {
    sentence: "A value is over its size limit.",
    retryable: false,
    remedy: "Send less, or keep the large value elsewhere and send a reference.",
  },
} as const satisfies Record<string, ErrorRow>;

export type ErrorCode = keyof typeof ERROR_TABLE;

/** An error of operation. Match on `code`, never on the message. */
export class AntiphonError extends Error {
  readonly code: ErrorCode;

  constructor(code: ErrorCode, detail: string, options?: { cause?: unknown }) {
    super(detail === "" ? ERROR_TABLE[code].sentence : `${ERROR_TABLE[code].sentence} ${detail}`, options);
    this.name = "AntiphonError";
    this.code = code;
  }

  get remedy(): string {
    return ERROR_TABLE[this.code].remedy;
  }

  get retryable(): boolean {
    return ERROR_TABLE[this.code].retryable;
  }
}

export function hasCode(error: unknown, code: ErrorCode): boolean {
  return error instanceof Error && "code" in error && error.code === code;
}
