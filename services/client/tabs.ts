// One connection for all pages of a browser: Web Locks say which page holds it, a BroadcastChannel carries what it hears.
// The page that somebody sees leads, because browsers slow hidden pages down. Positions stay with the pages, so nothing is
// lost when the leader goes: the next one asks from where each page stands.
//
//   following ──lock granted──▶ leading ──stolen by a page that is seen──▶ following

import type { State } from "./poller.ts";
import type { Subscription } from "./subscription.ts";
import { isHidden } from "./visibility.ts";
import type { WireMessage } from "./wire.ts";

/** `[key, channel, last_id]` */
type Wish = readonly [key: number, channel: string, lastId: number];
type Gift = readonly [tab: string, key: number, lastId: number, message?: WireMessage];

type Said =
  | { readonly say: "lead" }
  | { readonly say: "hidden" }
  | { readonly say: "state"; readonly client: string; readonly state: State; readonly status: number | undefined }
  | { readonly say: "wishes"; readonly tab: string; readonly wishes: readonly Wish[] }
  | { readonly say: "gifts"; readonly gifts: readonly Gift[]; readonly notes: readonly WireMessage[] };

export interface TabsOptions {
  /** Who shares: pages that give the same name. */
  readonly name: string;
  /** Names this page. */
  readonly tab: string;
  readonly wishes: () => readonly Wish[];
  readonly onLead: (leads: boolean) => void;
  /** The leader has to ask for something else. */
  readonly onWishes: () => void;
  readonly onGift: (key: number, lastId: number, message?: WireMessage) => void;
  readonly onNotes: (notes: readonly WireMessage[]) => void;
  /** What the leader is doing, and under which client id. */
  readonly onState: (client: string, state: State, status?: number) => void;
}

/** A leader that says nothing for so long, frozen by the browser, has to go. */
const FIRST_WORD_MS = 3_000;
const SILENT_MS = 90_000;

export function canShare(): boolean {
  // Old browsers lack one or the other, pages without TLS have no locks.
  return Boolean(globalThis.BroadcastChannel && globalThis.navigator?.locks);
}

export class Tabs {
  leads = false;
  readonly #options: TabsOptions;
  readonly #channel: BroadcastChannel;
  readonly #others = new Map<string, Subscription[]>();
  #gifts: Gift[] = [];
  #waiting = new AbortController();
  #end: (() => void) | undefined;
  #release: (() => void) | undefined;
  #silence: ReturnType<typeof setTimeout> | undefined;
  #state: Extract<Said, { say: "state" }> | undefined;
  #isClosed = false;

  constructor(options: TabsOptions) {
    this.#options = options;
    this.#channel = new BroadcastChannel(options.name);
    this.#channel.addEventListener("message", ({ data }: MessageEvent<Said>) => this.#hear(data));
    // Held as long as this page lives: by it the leader learns of its end, however it comes.
    void navigator.locks.request(this.#nameOf(options.tab), () => {
      if (this.#isClosed) return undefined;
      void this.#apply(false);
      return new Promise<void>((done) => {
        this.#end = done;
        this.wish();
      });
    });
  }

  /** What the other pages want to hear; for the leader. */
  get subscriptions(): readonly Subscription[] {
    return [...this.#others.values()].flat();
  }

  /** Says what this page wants to hear. */
  wish(): void {
    if (this.leads || !this.#end) return;
    this.#say({ say: "wishes", tab: this.#options.tab, wishes: this.#options.wishes() });
    this.#watch(FIRST_WORD_MS);
  }

  /** After each array: what was in it for the others. */
  flush(notes: readonly WireMessage[]): void {
    if (this.#gifts.length + notes.length > 0) this.#say({ say: "gifts", gifts: this.#gifts.splice(0), notes });
  }

  say(client: string, state: State, status?: number): void {
    this.#state = { say: "state", client, state, status };
    if (this.leads) this.#say(this.#state);
  }

  /** Somebody sees this page, or nobody any more. */
  seen(): void {
    if (!isHidden() && !this.leads) void this.#apply(true);
    else if (isHidden() && this.leads) this.#say({ say: "hidden" });
  }

  close(): void {
    this.#isClosed = true;
    if (!this.leads) this.#say({ say: "wishes", tab: this.#options.tab, wishes: [] });
    clearTimeout(this.#silence);
    this.#waiting.abort();
    this.#release?.();
    this.#end?.();
    this.#channel.close();
  }

  #nameOf(tab: string): string {
    return `${this.#options.name} ${tab}`;
  }

  #say(what: Said): void {
    if (!this.#isClosed) this.#channel.postMessage(what);
  }

  /** In line for the lead, or in place of who has it. */
  async #apply(steal: boolean): Promise<void> {
    this.#waiting.abort();
    const { signal } = (this.#waiting = new AbortController());
    const lead = (): Promise<void> | undefined => {
      if (this.#isClosed) return undefined;
      this.#lead(true);
      this.#say({ say: "lead" });
      return new Promise<void>((done) => (this.#release = done));
    };
    try {
      await navigator.locks.request(this.#options.name, steal ? { steal } : { signal }, lead);
    } catch {
      // Stolen, or asked for anew meanwhile.
      if (this.#isClosed || signal.aborted) return;
      this.#lead(false);
      void this.#apply(false);
      this.wish();
    }
  }

  #lead(leads: boolean): void {
    if (this.leads === leads) return;
    this.leads = leads;
    this.#others.clear();
    this.#gifts = [];
    clearTimeout(this.#silence);
    this.#options.onLead(leads);
  }

  #watch(ms: number): void {
    clearTimeout(this.#silence);
    this.#silence = setTimeout(() => {
      if (isHidden()) this.#watch(SILENT_MS);
      else void this.#apply(true);
    }, ms);
  }

  #hear(said: Said): void {
    if (this.leads) {
      if (said.say === "wishes") this.#take(said.tab, said.wishes);
      return;
    }
    if (said.say === "wishes") return;
    this.#watch(SILENT_MS);
    if (said.say === "lead") this.wish();
    else if (said.say === "hidden") this.seen();
    else if (said.say === "state") this.#options.onState(said.client, said.state, said.status);
    else {
      for (const [tab, key, lastId, message] of said.gifts) {
        if (tab === this.#options.tab) this.#options.onGift(key, lastId, message);
      }
      this.#options.onNotes(said.notes);
    }
  }

  #take(tab: string, wishes: readonly Wish[]): void {
    const known = this.#others.get(tab);
    if (known === undefined) {
      // Granted when the page is gone, however it went.
      void navigator.locks.request(this.#nameOf(tab), () => this.#forget(tab));
    }
    const list = wishes.map(
      ([key, channel, lastId]) => known?.find((one) => one.key === key) ?? this.#other(tab, key, { channel, lastId }),
    );
    this.#others.set(tab, list);
    if (this.#state) this.#say(this.#state);
    if (isHidden()) this.#say({ say: "hidden" });
    if (known?.length !== list.length || known.some((one, index) => one !== list[index])) this.#options.onWishes();
  }

  #other(tab: string, key: number, { channel, lastId }: { channel: string; lastId: number }): Subscription {
    return {
      channel,
      key,
      last_id: lastId,
      func: (data, global_id, message_id) =>
        this.#gifts.push([tab, key, message_id, { channel, data, global_id, message_id }]),
      moved: (head) => this.#gifts.push([tab, key, head]),
    };
  }

  #forget(tab: string): void {
    if (this.#others.delete(tab) && this.leads) this.#options.onWishes();
  }
}
