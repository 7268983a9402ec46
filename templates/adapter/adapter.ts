// What the service `example` is and can do. Workers read this module too, so it imports nothing heavy: `create` does.

import { type AdapterManifest, defineAdapter, type StandardSchema } from "antiphon/adapter";

export const manifest: AdapterManifest = {
  name: "example",
  // A newer connection takes the place of the older one, and the service tells from a position on what was missed.
  ingress: "takeover",
  replay: "cursor",
  // The service does what it is told under one key only once.
  idempotency: "key",
  outbound: "socket",
  caps: {
    threads: false,
    edit: false,
    delete: false,
    react: false,
    upload: false,
    typing: false,
    topic: false,
    join: false,
    ephemeral: false,
    buttons: false,
    modals: false,
    history: false,
    lookup: false,
    maxText: 4000,
    maxTextUnit: "chars",
    markup: "plain",
  },
};

export interface ExampleSettings {
  readonly host: string;
  readonly port: number;
  readonly token: string;
}

/** Any Standard Schema will do: zod, valibot, arktype. Variables are text, so the port may come as one. */
const settings: StandardSchema<ExampleSettings> = {
  "~standard": {
    version: 1,
    vendor: "example",
    validate: (value) => {
      const { host = "127.0.0.1", port, token } = value as Record<string, unknown>;
      const issues = [];
      if (typeof host !== "string") issues.push({ message: "must be a text", path: ["host"] });
      if (!Number.isInteger(Number(port))) issues.push({ message: "must be a number", path: ["port"] });
      if (typeof token !== "string") issues.push({ message: "must be a text", path: ["token"] });
      return issues.length > 0
        ? { issues }
        : { value: { host: String(host), port: Number(port), token: String(token) } };
    },
  },
};

export default defineAdapter({
  manifest,
  settings,
  create: async (around) => {
    const { ExampleClient } = await import("./client.ts");
    return new ExampleClient(around);
  },
});
