// One channel in this process. The doorbell brings messages; where one is missing, the channel itself is read. So its
// readers get every message in order, or are told that something cannot be recovered.

import type { Backend } from "./backend.ts";
import { readAfter } from "./backlog.ts";
import { Batch, type Reset } from "./face.ts";
import type { BusMessage } from "./message.ts";
import { NOWHERE, type Position } from "./position.ts";
import type { Sub } from "./stream.ts";

const BATCH = 300;
/** How many of the newest messages follow a reset. */
const RECENT_AFTER_LOSS = 50;
/** What is kept in memory, so that a reader that comes back finds the last messages without asking the server. */
const MEMORY = { messages: 100, bytes: 256 * 1024 } as const;

export interface FeedOptions {
  readonly backend: Backend;
  readonly channel: string;
  /** As readers call it: without its site. */
  readonly name: string;
  /** Whether the filters let it through. */
  readonly passes: (channel: string, message: BusMessage) => boolean;
  readonly onError: (error: unknown) => void;
  /** They were handed to all who read the channel. */
  readonly onSent: (messages: readonly BusMessage[]) => void;
}

export class Feed {
  readonly subs = new Set<Sub>();
  readonly channel: string;
  readonly name: string;
  readonly #options: FeedOptions;
  #position: Position | undefined;
  /** The newest messages up to the position, without a hole. */
  #memory: BusMessage[] = [];
  #memoryBytes = 0;
  /** Taken in this turn of the event loop, not given out yet. */
  #taken: BusMessage[] = [];
  /** The reading that is going on. */
  #reading: Promise<void> | undefined;
  /** Something arrived that only reading can bring in order. */
  #behind = false;
  /** The server had forgotten the channel when it was read last. */
  #isGone = false;

  constructor(options: FeedOptions) {
    this.#options = options;
    this.channel = options.channel;
    this.name = options.name;
  }

  /** Where it stands, once it is open. */
  get at(): Position | undefined {
    return this.#position;
  }

  /** The channel is nowhere; what comes next begins a new epoch, and all who are live are told. */
  get isGone(): boolean {
    return this.#isGone;
  }

  passes(message: BusMessage): boolean {
    return (message.passes ??= this.#options.passes(this.name, message));
  }

  /** What followed `after` until now; undefined when memory does not reach back that far. */
  since(after: Position): readonly BusMessage[] | undefined {
    const at = this.#position;
    if (at === undefined || at.epoch !== after.epoch || after.offset > at.offset) return undefined;
    if (after.offset === at.offset) return [];
    const first = this.#memory[0]?.offset ?? Number.POSITIVE_INFINITY;
    return first <= after.offset + 1 ? this.#memory.slice(after.offset + 1 - first) : undefined;
  }

  /** Finds out where the channel stands. Doorbells must be heard by now. */
  async open(): Promise<void> {
    if (this.#position !== undefined) return;
    this.#reading ??= this.#read();
    await this.#reading;
  }

  /** Looks where the channel stands, and goes there. */
  async refresh(): Promise<void> {
    this.catchUp();
    await this.#reading;
  }

  /** Takes a message from the doorbell; without one it is read. */
  ring(position: Position, message: BusMessage | undefined): void {
    const at = this.#position;
    if (at === undefined || this.#reading !== undefined) {
      this.#behind = true;
    } else if (position.epoch === at.epoch && position.offset <= at.offset) {
      if (message !== undefined && !this.#remembers(message)) this.catchUp();
    } else if (message !== undefined && position.epoch === at.epoch && position.offset === at.offset + 1) {
      this.#take(message);
    } else {
      this.catchUp();
    }
  }

  /** Compares with where the channel stands by now: doorbells can be lost. */
  seen(head: Position): void {
    const at = this.#position;
    if (at === undefined || head.epoch === "") return;
    if (head.epoch !== at.epoch || head.offset !== at.offset) this.catchUp();
  }

  /** Reads what is missing. A failure is repeated by the next doorbell or comparison. */
  catchUp(): void {
    this.#behind = true;
    if (this.#reading || this.#position === undefined) return;
    this.#reading = this.#read();
    this.#reading.catch(this.#options.onError);
  }

  async #read(): Promise<void> {
    try {
      if (this.#position === undefined) {
        this.#behind = false;
        const [head = NOWHERE] = await this.#options.backend.heads([this.#options.channel]);
        this.#position = head;
      }
      while (this.#behind) {
        this.#behind = false;
        await this.#readOn(this.#position);
      }
    } finally {
      this.#reading = undefined;
    }
  }

  async #readOn(after: Position): Promise<void> {
    const { backend, channel } = this.#options;
    const found = await readAfter(backend, channel, { after, limit: BATCH });
    this.#isGone = found.head.epoch === NOWHERE.epoch;
    if (this.#isGone) return;
    if (found.recovered) {
      for (const message of found.messages) this.#take(message);
      if ((found.messages.at(-1)?.offset ?? found.head.offset) < found.head.offset) this.#behind = true;
      return;
    }
    // The server failed and lost the end of the channel. What comes next must not look like what was lost.
    if (found.head.epoch === after.epoch && found.head.offset < after.offset) await backend.rotate(channel, after);
    const newest = await backend.recent(channel, RECENT_AFTER_LOSS);
    this.#flush();
    const fresh = newest.messages.filter((message) => message.offset > after.offset || !this.#isKnown(message));
    const restarted = newest.head.offset <= after.offset;
    this.#begin(newest.head, newest.messages);
    const before = after.offset;
    this.#reset({ head: newest.head, recent: newest.messages, fresh: restarted ? newest.messages : fresh, before });
  }

  /** Given before, as far as memory tells. */
  #remembers({ offset, data }: BusMessage): boolean {
    const known = this.#memory[offset - (this.#memory[0]?.offset ?? 0)];
    return known !== undefined && known.data.equals(data);
  }

  /** As `remembers`; what is older than memory was given. */
  #isKnown(message: BusMessage): boolean {
    return message.offset < (this.#memory[0]?.offset ?? Number.POSITIVE_INFINITY) || this.#remembers(message);
  }

  #take(message: BusMessage): void {
    if (this.#position?.epoch !== message.epoch) this.#begin(NOWHERE, []);
    this.#position = { epoch: message.epoch, offset: message.offset };
    this.#memory.push(message);
    this.#memoryBytes += message.data.byteLength;
    while (this.#memory.length > MEMORY.messages || this.#memoryBytes > MEMORY.bytes) {
      this.#memoryBytes -= this.#memory.shift()?.data.byteLength ?? 0;
    }
    // Together with whatever else came in the same bytes: one write per reader instead of one per message.
    if (this.#taken.push(message) === 1) process.nextTick(() => this.#flush());
  }

  #begin(head: Position, messages: readonly BusMessage[]): void {
    this.#position = head;
    const contiguous = messages.every(({ offset }, index) => offset === (messages[0]?.offset ?? 0) + index);
    this.#memory = contiguous && messages.at(-1)?.offset === head.offset ? [...messages] : [];
    this.#memoryBytes = this.#memory.reduce((bytes, { data }) => bytes + data.byteLength, 0);
  }

  #flush(): void {
    if (this.#taken.length === 0) return;
    const messages = this.#taken;
    this.#taken = [];
    const plain = messages.every((message) => message.targets === undefined && this.passes(message));
    const batch = new Batch(messages, plain);
    let readers = 0;
    for (const sub of this.subs) {
      if (!sub.live) continue;
      sub.stream.offer(sub, batch);
      readers++;
    }
    if (readers > 0) this.#options.onSent(messages);
  }

  #reset(reset: Reset): void {
    for (const sub of this.subs) if (sub.live) sub.stream.reset(sub, reset);
  }
}
