// What one reader of a channel heard, held against what was published: nothing lost, doubled or out of order, unless it was
// told that there is a gap. Messages carry who published them and that publisher's own count.

export interface Numbered {
  readonly by: string;
  readonly n: number;
}

/** What publishers of one channel did. */
export class Published {
  readonly #last = new Map<string, number>();
  /** Nobody knows whether these were stored. */
  readonly #doubtful = new Set<string>();

  next(by: string): Numbered {
    const n = (this.#last.get(by) ?? 0) + 1;
    this.#last.set(by, n);
    return { by, n };
  }

  doubt({ by, n }: Numbered): void {
    this.#doubtful.add(`${by} ${n}`);
  }

  isDoubtful(by: string, n: number): boolean {
    return this.#doubtful.has(`${by} ${n}`);
  }

  last(by: string): number {
    return this.#last.get(by) ?? 0;
  }

  get publishers(): string[] {
    return [...this.#last.keys()];
  }
}

export class Account {
  readonly problems: string[] = [];
  heardCount = 0;
  gapCount = 0;
  lastId = 0;
  /** The highest id that it ever heard. */
  highestId = 0;
  readonly #published: Published;
  /** Of whom it has heard: what has to come next. */
  readonly #next = new Map<string, number>();
  /** Of whom it has not: what has to come at the latest. */
  readonly #first = new Map<string, number>();
  /** Of whom something may be missing before what comes next. */
  #loose = new Set<string>();

  constructor(published: Published) {
    this.#published = published;
  }

  /** It asks for what comes from now on, and does not know yet when that is. */
  starts(): void {
    for (const by of this.#published.publishers) if (!this.#next.has(by)) this.#first.set(by, Infinity);
  }

  /** It was answered: everything that is published from here on must come; what was published just before may. */
  startsNow(): void {
    for (const by of this.#published.publishers) {
      if (!this.#next.has(by)) this.#first.set(by, this.#published.last(by) + 1);
    }
  }

  heard(id: number, { by, n }: Numbered): void {
    this.heardCount++;
    if (id <= this.lastId) this.problems.push(`${by} ${n}: id ${id} came after ${this.lastId}`);
    this.lastId = id;
    this.highestId = Math.max(id, this.highestId);
    const next = this.#next.get(by);
    if (next !== undefined && n < next) this.problems.push(`${by} ${n} came after ${next - 1}`);
    else this.#lack(by, n - 1);
    this.#loose.delete(by);
    this.#next.set(by, Math.max(n + 1, next ?? 0));
  }

  /** It was told that something is missing. `again`: the newest part of the channel follows, and with it what it knows. */
  gap(again = false): void {
    this.gapCount++;
    this.#excuse();
    if (!again) return;
    this.lastId = 0;
    this.#next.clear();
  }

  /** The server lost the channel: who has heard nothing of it yet cannot know that there was something. */
  forgotten(): void {
    if (this.lastId === 0) this.#excuse();
  }

  /** All was published, and time enough has passed. */
  end(): void {
    for (const by of this.#published.publishers) this.#lack(by, this.#published.last(by));
  }

  #excuse(): void {
    this.#loose = new Set(this.#published.publishers);
  }

  /** Whether something up to `last` should have come. */
  #lack(by: string, last: number): void {
    let next = this.#next.get(by) ?? this.#first.get(by) ?? 1;
    while (next <= last && this.#published.isDoubtful(by, next)) next++;
    if (next <= last && !this.#loose.has(by)) this.problems.push(`${by}: ${next} to ${last} are lost`);
  }
}
