// Brings channels of a stream to where it is live: what they hold for its reader, page by page, and what comes meanwhile.

import { backoffMs } from "../runtime/backoff.ts";
import type { Clock, Random } from "../runtime/clock.ts";
import { AntiphonError } from "../runtime/errors.ts";
import type { Backend } from "./backend.ts";
import type { Face } from "./face.ts";
import type { Feed } from "./feed.ts";
import type { Feeds } from "./feeds.ts";
import { type Page, readPage } from "./page.ts";
import { type From, NOWHERE } from "./position.ts";
import { Stream, Sub } from "./stream.ts";
import type { Reader } from "./targets.ts";

/** A reader that needs more pages than this never gets there: more is said than it can read. */
const PAGES_MAX = 100;
const RETRY = { firstMs: 50, maxMs: 2_000 };
const DRAIN_POLL_MS = 20;
const DRAINED_BYTES = 64 * 1024;

/** A channel, as it is stored, and from where on. */
export interface Want {
  readonly channel: string;
  readonly from: From;
}

/** A reader that does not stay. */
export interface Once {
  readonly wants: readonly Want[];
  readonly face: Face;
  readonly reader: Reader;
  readonly recent?: number;
}

export interface ReadingOptions {
  readonly backend: Backend;
  readonly feeds: Feeds;
  readonly clock: Clock;
  readonly random: Random;
  /** Between reading what a channel holds and going live, for tests. */
  readonly beforeLive?: ((channels: readonly string[]) => Promise<void>) | undefined;
}

export class Reading {
  /** How many readers could not be told everything. */
  gaps = 0;
  readonly #options: ReadingOptions;

  constructor(options: ReadingOptions) {
    this.#options = options;
  }

  /** More channels for an open stream. Resolves when all of them are live; rejects before anything of them was sent. */
  async add(stream: Stream, wants: readonly Want[], recent = 0): Promise<void> {
    let behind = wants.map(({ channel, from }) => ({
      sub: this.#options.feeds.subscribe(stream, channel),
      channel,
      from,
    }));
    await Promise.all(
      behind.map(async ({ sub, channel }) => {
        await this.#options.backend.listen(channel);
        await sub.feed.open();
      }),
    );
    // Whoever is refused here has heard nothing. From then on a failure is ours: it reads on when the server is back.
    behind = await this.#round(stream, behind, recent);
    for (let pages = 1, failures = 0; behind.length > 0 && !stream.isClosed;) {
      if (pages > PAGES_MAX && stream.reader.isOurs !== true) return stream.close("slow");
      try {
        await this.#settled(stream, behind);
        behind = await this.#round(stream, behind, recent);
        pages++;
        failures = 0;
      } catch (error) {
        if (!(error instanceof AntiphonError)) throw error;
        await this.#options.clock.sleep(backoffMs(failures++, RETRY, this.#options.random));
      }
    }
  }

  /** A page of each channel; answers those that have to read on. */
  async #round<W extends Want & { sub: Sub }>(stream: Stream, behind: readonly W[], recent: number): Promise<W[]> {
    const read = await Promise.all(behind.map((want) => this.#page(want, recent)));
    await this.#options.beforeLive?.(behind.map(({ channel }) => channel));
    if (stream.isClosed) return [];
    this.gaps += read.filter(({ recovered }) => !recovered).length;
    stream.pages(behind.map(({ sub }, index) => [sub, this.#bridged(sub.feed, read[index] as Page)]));
    return behind.filter(({ sub }) => !this.#goLive(sub)).map(resumed);
  }

  /** What the channels hold for the reader by now, without staying; undefined where the face has no word for nothing. */
  async once(o: Once): Promise<Buffer | undefined> {
    let said: Buffer | undefined;
    const conn = { bytesQueued: 0, send: (frame: Buffer) => void (said = frame), close: () => {} };
    const { face, reader, recent = 0 } = o;
    const stream = new Stream({ conn, face, reader, now: () => 0, onClosed: () => {} });
    const pages = await Promise.all(o.wants.map((want) => readPage(this.#options.backend, { ...want, recent })));
    this.gaps += pages.filter(({ recovered }) => !recovered).length;
    const subs = o.wants.map(({ channel }) => new Sub(stream, this.#options.feeds.newFeed(channel)));
    stream.pages(subs.map((sub, index) => [sub, pages[index] as Page]));
    return said;
  }

  /** From memory where that is enough: a crowd that comes back asks the server for nothing. */
  async #page({ sub, channel, from }: Want & { sub: Sub }, recent: number): Promise<Page> {
    const { at } = sub.feed;
    const found = { recovered: true, tell: false, more: false };
    if (at !== undefined && this.#options.feeds.areTrusted) {
      if (from.kind === "now") return { ...found, tell: from.tell === true, messages: [], at };
      if (from.kind === "after") {
        const messages = sub.feed.since({ epoch: from.epoch ?? at.epoch, offset: from.offset });
        if (messages !== undefined) return { ...found, messages, at };
      }
    }
    return readPage(this.#options.backend, { channel, from, recent });
  }

  /** With what came since it was read. */
  #bridged(feed: Feed, page: Page): Page {
    const since = page.more ? undefined : feed.since(page.at);
    const last = since?.at(-1);
    return since === undefined || last === undefined
      ? page
      : { ...page, messages: [...page.messages, ...since], at: { epoch: last.epoch, offset: last.offset } };
  }

  /** False: it is not where the channel is, and has to read on. */
  #goLive(sub: Sub): boolean {
    const { at, isGone } = sub.feed;
    const isThere = at !== undefined && sub.epoch === at.epoch && sub.offset >= at.offset;
    sub.live = isThere || (isGone && sub.epoch === NOWHERE.epoch);
    return sub.live;
  }

  /** A slow reader gets its next page when it has taken the last one; a feed that does not know of an epoch yet looks. */
  async #settled(stream: Stream, behind: readonly { readonly sub: Sub }[]): Promise<void> {
    for (const { sub } of behind) if (sub.feed.at?.epoch !== sub.epoch) await sub.feed.refresh();
    while (!stream.isClosed && stream.bytesQueued > DRAINED_BYTES) await this.#options.clock.sleep(DRAIN_POLL_MS);
  }
}

/** From where it got to. */
function resumed<W extends Want & { sub: Sub }>(want: W): W {
  const { epoch, offset } = want.sub;
  return { ...want, from: { kind: "after", offset, epoch } };
}
