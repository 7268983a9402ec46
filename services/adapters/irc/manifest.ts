// What IRC is, for checks at load: one connection per network, nothing repeated, no ids of ours, lines of plain text.

import type { AdapterManifest } from "../../sdk/adapter.ts";

export const IRC: AdapterManifest = {
  name: "irc",
  ingress: "exclusive",
  // Where the server keeps one; elsewhere a gap is told.
  replay: "history",
  // Where the server's history keeps our tag; elsewhere `inDoubt` decides.
  idempotency: "reconcile",
  outbound: "socket",
  caps: {
    threads: false,
    edit: false,
    delete: false,
    react: false,
    upload: false,
    typing: false,
    topic: true,
    join: true,
    ephemeral: "anytime",
    buttons: false,
    modals: false,
    history: false,
    lookup: false,
    maxText: 4_000,
    maxTextUnit: "bytes",
    markup: "plain",
  },
};
