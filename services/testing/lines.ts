// What was said, as a test reads it: lines of a room in order, each as it reads now and as it read before.

import type { Room } from "../sdk/message.ts";

export interface Line {
  readonly room: Room;
  /** The name of the person, or the bot's. */
  readonly from: string;
  readonly isBot: boolean;
  /** As it reads now. */
  readonly text: string;
  /** What it said before each edit, oldest first. */
  readonly edits: readonly string[];
  readonly reactions: readonly string[];
  /** Names the line among those of its room. */
  readonly ref: string;
  readonly atMs: number;
  readonly thread?: string;
  /** Only this person sees it. */
  readonly to?: string;
}

/** A room or a thread, as it was at the last `settled()`. */
export class RoomView {
  readonly room: Room;
  /** Everybody's. */
  readonly lines: readonly Line[];

  constructor(room: Room, lines: readonly Line[]) {
    this.room = room;
    this.lines = lines;
  }

  /** What the bot said, as it reads now. */
  get replies(): string[] {
    return this.lines.filter(({ isBot }) => isBot).map(({ text }) => text);
  }

  /**
   * The thread under the n-th thing that people said here, counted from 0. Where the service has no threads, what is said
   * in one is said in the room: then it is all that followed, up to the next thing that somebody said.
   */
  thread(n: number): RoomView {
    const starts = this.lines.filter(({ isBot, thread }) => !isBot && thread === undefined);
    const start = starts[n];
    if (start === undefined) return new RoomView(this.room, []);
    const threaded = this.lines.filter(({ thread }) => thread === start.ref);
    if (threaded.length > 0) return new RoomView(this.room, [start, ...threaded]);
    const next = starts[n + 1];
    const end = next === undefined ? this.lines.length : this.lines.indexOf(next);
    return new RoomView(this.room, this.lines.slice(this.lines.indexOf(start), end));
  }

  /** Whether the bot said this here at any time: the whole text, or something that fits. */
  hasSaid(expected: string | RegExp): boolean {
    return this.lines.some(({ isBot, text, edits }) => isBot && [text, ...edits].some((said) => fits(said, expected)));
  }
}

function fits(said: string, expected: string | RegExp): boolean {
  // Without g and y, which would make it remember where it matched last.
  return typeof expected === "string"
    ? said === expected
    : new RegExp(expected.source, expected.flags.replace(/[gy]/g, "")).test(said);
}
