// The chat services that Antiphon knows: what each is, and how a master makes its client.

import type { Adapter, AdapterManifest, AdapterSurroundings } from "../sdk/adapter.ts";
import { AntiphonError } from "../runtime/errors.ts";
import { FakeAdapter } from "./fake/adapter.ts";
import { FAKE, parseFakeUrl } from "./fake/manifest.ts";
import { IrcAdapter } from "./irc/adapter.ts";
import { IRC } from "./irc/manifest.ts";
import { WEB } from "./web/manifest.ts";

export interface AdapterKind {
  readonly manifest: AdapterManifest;
  /** Makes the client of one unit, not yet connected. Absent where no master connects: workers serve the web chat. */
  readonly create?: (around: AdapterSurroundings) => Adapter | Promise<Adapter>;
}

export const BUILT_IN: Readonly<Record<string, AdapterKind>> = {
  web: { manifest: WEB },
  irc: { manifest: IRC, create: (around) => new IrcAdapter(around) },
  fake: {
    manifest: FAKE,
    create: ({ settings, clock, random }) => new FakeAdapter({ address: parseFakeUrl(settings["url"]), clock, random }),
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
