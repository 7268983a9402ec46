// Every key name, in one place. All keys of one bot in one shard share a hash tag, so every script stays in one slot.
//
// A script is given one key, the prefix of what it works on, and adds the suffixes below itself: see lua/lib/keys.lua
// and docs/contributors/decisions/0002-keys-by-prefix.md.

const NAME = /^[^{}:\s]{1,64}$/;

/** Whether a text can be a namespace or a queue: 1–64 characters without braces, colons and white space. */
export function isName(text: string): boolean {
  return NAME.test(text);
}

export class Keys {
  /** `{<namespace>:<shard>}` */
  readonly tag: string;
  /** The number of the database, which channel names carry because channels cross databases. */
  readonly database: number;

  constructor(namespace: string, database: number, shard = 0) {
    this.tag = `{${namespace}:${shard}}`;
    this.database = database;
  }

  /** The prefix of a queue, KEYS[1] of the broker's scripts. */
  queue(name: string): string {
    return `${this.tag}:q:${name}`;
  }

  /** The queue of Actions of one unit, e.g. `outbox/irc/libera`. */
  outbox(unit: string): string {
    return this.queue(`outbox/${unit}`);
  }

  /** Set of the queues that exist. */
  queues(): string {
    return `${this.tag}:queues`;
  }

  /** Route id -> number. */
  routes(): string {
    return `${this.tag}:routes`;
  }

  /** Job name -> id of the route that does it. */
  jobs(): string {
    return `${this.tag}:jobs`;
  }

  /** Job name -> where its contract says that its deliveries wait, as JSON; none where it says nothing. */
  jobPlaces(): string {
    return `${this.tag}:job-places`;
  }

  /** A body above the inline limit, under the queue its delivery goes to. */
  body(queuePrefix: string, token: string): string {
    return `${queuePrefix}:b:${token}`;
  }

  /** The bell of one worker (or outbox claimer) of one queue. */
  bell(queuePrefix: string, wid: string): string {
    return `${queuePrefix}:bell:${this.database}:${wid}`;
  }

  lease(unit: string): string {
    return `${this.tag}:lease:${unit}`;
  }

  epoch(unit: string): string {
    return `${this.tag}:epoch:${unit}`;
  }

  /** How the unit came to its leader, for people; nothing is decided by it. */
  seat(unit: string): string {
    return `${this.tag}:seat:${unit}`;
  }

  /** The masters that are there: process -> its last beat; under `:info` what it says of itself. */
  masters(): string {
    return `${this.tag}:masters`;
  }

  /** Published on release with the token that went. */
  leaseFree(unit: string): string {
    return `${this.lease(unit)}:free:${this.database}`;
  }

  /** Resume state of a unit's connection. */
  resume(unit: string): string {
    return `${this.tag}:resume:${unit}`;
  }

  /** Action id -> the platform's message id. */
  ref(actionId: string): string {
    return `${this.tag}:ref:${actionId}`;
  }

  /** What came of a delivery, by its public id. */
  result(id: string): string {
    return `${this.tag}:result:${id}`;
  }

  /** Rings when the result of a delivery is there. */
  resultBell(id: string): string {
    return `${this.result(id)}:bell:${this.database}`;
  }

  /** Route or queue -> its limits. */
  limits(): string {
    return `${this.tag}:limits`;
  }

  /** Pod -> what it is ordered to do. */
  orders(): string {
    return `${this.tag}:orders`;
  }

  /** Changes by operators: a stream; under `:open` those that are being made. */
  audit(): string {
    return `${this.tag}:audit`;
  }

  /** Somebody who logged in at the dashboard, by the digest of the cookie. */
  adminSession(digest: string): string {
    return `${this.tag}:admin:s:${digest}`;
  }

  /** Wrong tokens from one address. */
  adminTries(address: string): string {
    return `${this.tag}:admin:t:${address}`;
  }

  /** Route id -> what a worker says of it, as JSON. */
  catalogue(): string {
    return `${this.tag}:catalogue`;
  }

  /** What a worker's process says of itself; `process` is its random name. */
  vitals(process: string): string {
    return `${this.tag}:vitals:${process}`;
  }

  /** What was purged and can be put back for a few minutes. */
  undo(token: string): string {
    return `${this.tag}:undo:${token}`;
  }

  /** Written before a question how durable everything before it is. */
  proof(): string {
    return `${this.tag}:proof`;
  }

  store(handler: string): string {
    return `${this.tag}:store:${handler}`;
  }

  group(name: string): string {
    return `${this.tag}:group:${name}`;
  }

  /** Prefix of the bus: `<prefix>:m:<channel>` and `<prefix>:s:<channel>`. */
  bus(): string {
    return `${this.tag}:bus`;
  }

  /** Where processes are asked to look into themselves; answers come to `<it>:<asker>`. */
  looks(): string {
    return `${this.tag}:looks:${this.database}`;
  }

  /** Doorbell number `n` (0–63) of the bus. */
  busBell(n: number): string {
    return `${this.busBells}${n}`;
  }

  /** How all of them begin. */
  get busBells(): string {
    return `${this.tag}:bus:d:${this.database}:`;
  }
}

/** The doorbell (0–63) of a bus channel. Any spread will do; publishers and readers must agree. */
export function bellOf(channel: string): number {
  let sum = 0;
  for (let index = 0; index < channel.length; index++) sum = (sum * 31 + channel.charCodeAt(index)) & 0xffff;
  return sum % 64;
}
