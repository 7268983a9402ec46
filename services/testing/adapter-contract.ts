// What every adapter must do, as tests that its author runs against a real or a fake server of the service: see
// docs/authors/adapters.md. The masters are real ones, in this process, on the embedded Valkey.

import type { AdapterModule, Settings } from "../sdk/adapter.ts";
import { Rig } from "./adapter-rig.ts";
import { casesOf } from "./adapter-cases.ts";

/** The chat service as a test drives it. */
export interface ContractService {
  /** What leads an adapter to it, as an operator writes it. */
  readonly settings: Settings;
  /** A person says something in a room where the bot is. */
  say(said: { readonly room: string; readonly user: string; readonly text: string }): void | Promise<void>;
  /** What the bot has said in a room, oldest first, as it reads now. */
  said(room: string): readonly string[] | Promise<readonly string[]>;
  /** Ends the connections of the bot without a word. */
  cut(): void | Promise<void>;
  /** Nobody answers at its address any more; `comeBack` undoes it. It forgets nothing meanwhile. */
  goAway?(): void | Promise<void>;
  comeBack?(): void | Promise<void>;
  /** Tells once more what was said last, as services do that got no acknowledgement. */
  repeat?(): void | Promise<void>;
  /** Refuses the bot's words in a room as too many for so long, or again lets them in: null. */
  limit?(room: string, retryAfterMs: number | null): void | Promise<void>;
  /** Tells the bot something that its adapter does not know. */
  unknown?(): void | Promise<void>;
  /** Sends the bot what no service would: half lines, wrong bytes. */
  garbage?(): void | Promise<void>;
  /** As `settings`, with credentials that it refuses. */
  readonly wrongSettings?: Settings;
  stop(): void | Promise<void>;
}

export interface ContractOptions {
  /** `test` of vitest or of node:test. */
  readonly test: (name: string, options: { readonly timeout: number }, run: () => Promise<void>) => unknown;
  readonly adapter: AdapterModule;
  /** A new one for each test. */
  readonly service: () => Promise<ContractService>;
  /** Two rooms that it has, by the service's own ids. Default: `one` and `two`. */
  readonly rooms?: readonly [string, string];
  /** What cannot be made to happen in the service; the cases that need it are left out. */
  readonly without?: readonly (keyof ContractService)[];
}

const TIMEOUT_MS = 60_000;

/** Declares the tests. Those that the adapter's manifest or `without` rule out are not declared. */
export function adapterContract(options: ContractOptions): void {
  const { test, adapter, service, rooms = ["one", "two"], without = [] } = options;
  for (const { name, needs = [], when, run } of casesOf(adapter.manifest)) {
    if (when === false || needs.some((need) => without.includes(need))) continue;
    test(name, { timeout: TIMEOUT_MS }, async () => {
      const driven = await service();
      try {
        for (const need of needs)
          if (driven[need] === undefined)
            throw new Error(`The service has no ${need}: give it, or name it in \`without\`.`);
        await using rig = await Rig.open({ adapter, service: driven, rooms });
        await run(rig);
      } finally {
        await driven.stop();
      }
    });
  }
}
