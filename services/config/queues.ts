// The settings of queues: what they hold, how sure an acknowledgement is, and what they remember.

import { choice, named, wholeNumber } from "./kinds.ts";
import { always, type Rows } from "./row.ts";

const GIB = 1024 ** 3;

export interface QueueValues {
  readonly queueLimit: number;
  readonly queueBytes: number;
  readonly outboxRedirect: string | undefined;
  readonly durability: "default" | "replica" | "fsync";
  readonly historyLength: number;
  readonly historyHours: number;
  readonly deadLength: number;
  readonly deadDays: number;
}

export const QUEUE_ROWS: Rows<QueueValues> = {
  queueLimit: {
    variable: "ANTIPHON_QUEUE_LIMIT",
    kind: wholeNumber({ min: 1, max: 1_000_000_000 }),
    preset: always(1_000_000),
    sentence: "Deliveries one queue holds before it answers 503.",
  },
  queueBytes: {
    variable: "ANTIPHON_QUEUE_BYTES",
    kind: wholeNumber({ min: 1024, max: 1024 * GIB }),
    preset: always(GIB),
    sentence: "Bytes of bodies one queue holds before it answers 503.",
  },
  outboxRedirect: {
    variable: "ANTIPHON_OUTBOX_REDIRECT",
    kind: named("a room such as `web:staging` or `irc/libera:#test`", /^[^\s:/]+(\/[^\s:/]+)?:\S+$/),
    preset: always(undefined),
    sentence:
      "For staging: a room where everything is said that would be said or done in others, labelled with its real place.",
  },
  durability: {
    variable: "ANTIPHON_DURABILITY",
    kind: choice("default", "replica", "fsync"),
    preset: always("default"),
    sentence:
      "What an acknowledgement waits for: Redis' reply, one replica (`replica`), or the append-only file on disk (`fsync`).",
  },
  historyLength: {
    variable: "ANTIPHON_HISTORY_LENGTH",
    kind: wholeNumber({ min: 0, max: 1_000_000 }),
    preset: always(1_000),
    sentence: "Finished deliveries that one queue remembers; 0 = none.",
  },
  historyHours: {
    variable: "ANTIPHON_HISTORY_HOURS",
    kind: wholeNumber({ min: 1, max: 876_000 }),
    preset: always(24),
    sentence: "Hours after which a finished delivery is forgotten.",
  },
  deadLength: {
    variable: "ANTIPHON_DEAD_LENGTH",
    kind: wholeNumber({ min: 1, max: 10_000_000 }),
    preset: always(10_000),
    sentence:
      "Dead letters that one queue keeps; the oldest beyond it are forgotten, within a minute, and a warning says how many.",
  },
  deadDays: {
    variable: "ANTIPHON_DEAD_DAYS",
    kind: wholeNumber({ min: 1, max: 36_500 }),
    preset: always(90),
    sentence: "Days after which a dead letter is forgotten.",
  },
};
