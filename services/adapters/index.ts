// The chat services that Antiphon knows: what each is, and how a master makes its client.

import type { Adapter, AdapterManifest, AdapterSurroundings } from "../sdk/adapter.ts";
import { AntiphonError } from "../runtime/errors.ts";
import { FAKE, parseFakeUrl } from "./fake/manifest.ts";
import { IRC } from "./irc/manifest.ts";
import { WEB } from "./web/manifest.ts";

export interface AdapterKind {
  readonly manifest: AdapterManifest;
  /** Makes the client of one unit, not yet connected. Absent where no master connects: workers serve the web chat. */
  readonly create?: (around: AdapterSurroundings) => Adapter | Promise<Adapter>;
}

/** Clients are loaded where they are made: workers need none, and a master only what it is configured for. */
export const BUILT_IN: Readonly<Record<string, AdapterKind>> = {
  web: { manifest: WEB },
  irc: { manifest: IRC, create: async (around) => new (await import("./irc/adapter.ts")).IrcAdapter(around) },
  fake: {
    manifest: FAKE,
    create: async ({ settings, clock, random }) => {
      const { FakeAdapter } = await import("./fake/adapter.ts");
      return new FakeAdapter({ address: parseFakeUrl(settings["url"]), clock, random });
    },
  },
};

export function builtInAdapter(name: string): AdapterKind | undefined {
  return Object.hasOwn(BUILT_IN, name) ? BUILT_IN[name] : undefined;
}

/** Throws CONFIG_INVALID for a name that is no adapter. */
export function adapterKind(name: string): AdapterKind {
  const kind = builtInAdapter(name);
  if (!kind) throw new AntiphonError("CONFIG_INVALID", `There is no adapter ${name}.`);
  return kind;
}
