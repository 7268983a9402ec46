// What the soak test and its handler call things.

/** A line of the list that runs write: append only. */
export interface RunNote {
  readonly phase: "begin" | "end";
  /** Unique. */
  readonly run: string;
  readonly event: string;
  /** The delivery's idempotency key. */
  readonly delivery: string;
  readonly worker: string;
}

export const HANDLER = "soak";
export const CHILD_MS = 100;
export const FAKE_ROOMS = 7;

export const childOf = (event: string): string => `child of ${event}`;
export const onceField = (event: string): string => `once ${event}`;
export const orderField = (key: string): string => `order ${key}`;

/** Of an event of the fake chat service, or where an unkeyed webhook is announced. */
export const fakeRoomOf = (event: string): string => `room${Number(event) % FAKE_ROOMS}`;
export const textOfHook = (event: string): string => `hook ${event}`;
export const textOfReply = (event: string): string => `done ${event}`;
/** Whether its run says so as soon as it begins, or leaves it to the settle. */
export const saysAtOnce = (event: string): boolean => Number(event) % 2 === 0;
