// What the web chat is, for checks at load: any worker takes in, the run's settle writes out, no connection and no Lease.

import type { AdapterManifest } from "../../sdk/adapter.ts";

export const WEB: AdapterManifest = {
  name: "web",
  ingress: "shared",
  replay: "cursor",
  idempotency: "key",
  outbound: "settle",
  caps: {
    threads: false,
    edit: true,
    delete: false,
    react: false,
    upload: false,
    typing: false,
    topic: false,
    join: false,
    ephemeral: false,
    buttons: false,
    modals: false,
    history: true,
    lookup: false,
    maxText: 8000,
    maxTextUnit: "chars",
    markup: "plain",
  },
};
