// The benchmark `dashboard`: what each of its pages costs whoever looks, and the bot's Redis, with little in the queues and with a
// million deliveries in them; beside it bull-board over as many jobs of BullMQ.

import type { BenchOptions } from "../benches.ts";
import { buildAntiphon } from "../flood/antiphon.ts";
import { installPeers } from "../peers.ts";
import { redisVersion } from "../redis.ts";
import type { Finished } from "../report.ts";
import { median, quantile } from "../statistics.ts";
import { Board } from "./board.ts";
import type { Amount } from "./fill.ts";
import { busyWith, type Look, lookFor } from "./look.ts";
import { PeerBoard } from "./peer.ts";
import { rowsOf, Samples } from "./rows.ts";

const FEW: Amount = { waiting: 100, dead: 100, delayed: 100 };
const MANY: Amount = { waiting: 1_000_000, dead: 100_000, delayed: 100_000 };
const FEW_SAID = "100, 100, 100";

interface Measurement {
  readonly options: BenchOptions;
  readonly samples: Samples;
}

/** Filling takes about a minute; then 26 looks of `seconds` each, a round. */
export async function dashboard(options: BenchOptions): Promise<Finished> {
  installPeers();
  buildAntiphon();
  const closers: (() => Promise<void>)[] = [];
  try {
    const open = async <T extends { close(): Promise<void> }>(opening: Promise<T>): Promise<T> => {
      const opened = await opening;
      closers.push(() => opened.close());
      return opened;
    };
    const [few, many] = [await open(Board.open(FEW)), await open(Board.open(MANY))];
    const looks = many.looks.filter(({ name }) => options.only === undefined || name === options.only);
    const peer = options.only === undefined ? await open(PeerBoard.open(MANY)) : undefined;
    options.note(`bull-board shows ${JSON.stringify(peer?.shown.counts ?? "nothing")}`);
    const measurement = { options, samples: new Samples() };
    for (let round = 1; round <= options.rounds; round++) await measure(measurement, { few, many, peer, round });
    const rows = rowsOf(
      measurement.samples,
      looks.map(({ name }) => name),
      { few: FEW_SAID, ...(peer && { peer: peerSaid(peer) }) },
    );
    return { name: "dashboard", conditions: conditions(options, peer), rows };
  } finally {
    for (const close of closers.toReversed()) await close();
  }
}

interface Round {
  readonly few: Board;
  readonly many: Board;
  readonly peer: PeerBoard | undefined;
  readonly round: number;
}

async function measure({ options, samples }: Measurement, { few, many, peer, round }: Round): Promise<void> {
  // The connection of dashboard and API; a master has others.
  const isAdmin = (name: string): boolean => name.startsWith("antiphon:admin");
  const subjects = [
    { who: "few", board: few, isMeant: isAdmin },
    { who: "many", board: many, isMeant: isAdmin },
    ...(peer ? [{ who: "peer", board: peer, isMeant: (name: string) => !name.startsWith("antiphon:") }] : []),
  ];
  for (const { who, board, isMeant } of round % 2 === 0 ? subjects.toReversed() : subjects) {
    for (const look of board.looks.filter(({ name }) => options.only === undefined || name === options.only)) {
      const { took, bytes } = await lookFor(look, options.seconds * 1000);
      samples.add(who, look.name, took);
      const { longest, command } = await busyWith(board.client, look, isMeant);
      samples.addBusy(who, look.name, Math.max(...longest));
      options.note(said({ round, who, look, took, longest, command, bytes }));
    }
  }
}

interface Said {
  readonly round: number;
  readonly who: string;
  readonly look: Look;
  readonly took: readonly number[];
  readonly longest: readonly number[];
  readonly command: string;
  readonly bytes: number;
}

function said({ round, who, look, took, longest, command, bytes }: Said): string {
  const [p50, p99] = [quantile(took, 0.5), quantile(took, 0.99)].map((ms) => ms.toFixed(1));
  const busy = `${median(longest).toFixed(2)}, most ${Math.max(...longest).toFixed(2)} (${command.replaceAll(/[^ -~]/g, "?")})`;
  return `round ${round}, ${who}, ${look.name}: ${took.length} looks, p50 ${p50} ms, p99 ${p99} ms, ${bytes} bytes; Redis busy ${busy}`;
}

/** How many of its jobs wait, where there was no time for all. */
function peerSaid({ shown: { counts } }: PeerBoard): string {
  const waiting = counts["waiting"] ?? 0;
  return waiting >= MANY.waiting ? "bull-board" : `bull-board, ${waiting} waiting`;
}

function conditions({ rounds, seconds }: BenchOptions, peer: PeerBoard | undefined): string[] {
  const { counts = {}, ms = 0 } = peer?.shown ?? {};
  return [
    `redis-server ${redisVersion()}, AOF off; a master that leads, and a worker with ten jobs a second in a queue of its own, built`,
    "1,000,000 waiting in seven queues, of four routes, half of them with 5,000 ordering keys, 100,000 dead, 100,000 delayed; beside it 100 of each",
    "a page: the API requests that it makes when somebody comes to it, at once, over HTTP on connections that stay, until the last byte",
    "Redis busy with one command: the longest of 20 looks by SLOWLOG, scripts as a whole",
    `bull-board: ${Object.entries(counts)
      .map(([name, count]) => `${count} ${name}`)
      .join(", ")} in one queue of BullMQ, filled in ${Math.round(ms / 1000)} s; ten jobs a page, ours shows 50`,
    `one look after another, ${seconds} s a page; medians of ${rounds} rounds in alternating order; browser's part, master and Redis share the cores`,
  ];
}
