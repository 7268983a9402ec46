// The settings of the two servers that every process has: where public HTTP and the admin port listen.

import { port, secretText, text } from "./kinds.ts";
import { always, type ConfigFor, type Rows, type Surroundings } from "./row.ts";

const host = (around: Surroundings, purpose: ConfigFor): string =>
  around.dev || purpose === "dev" ? "127.0.0.1" : "0.0.0.0";
const HOST_SAID = "`0.0.0.0`; in dev `127.0.0.1`";

export interface HttpValues {
  readonly httpHost: string;
  readonly httpPort: number;
  readonly adminHost: string;
  readonly adminPort: number;
  readonly adminToken: string | undefined;
}

export const HTTP_ROWS: Rows<HttpValues> = {
  httpHost: {
    variable: "ANTIPHON_HTTP_HOST",
    kind: text,
    preset: host,
    presetSaid: HOST_SAID,
    sentence: "The address of public HTTP (workers).",
  },
  httpPort: {
    variable: "ANTIPHON_HTTP_PORT",
    kind: port,
    preset: always(8080),
    sentence: "The port of public HTTP; 0 takes a free one.",
  },
  adminHost: {
    variable: "ANTIPHON_ADMIN_HOST",
    kind: text,
    preset: host,
    presetSaid: HOST_SAID,
    sentence: "The address of probes and metrics (both modes).",
  },
  adminPort: {
    variable: "ANTIPHON_ADMIN_PORT",
    kind: port,
    preset: always(9090),
    sentence: "The port of probes and metrics; 0 takes a free one.",
  },
  adminToken: {
    variable: "ANTIPHON_ADMIN_TOKEN",
    kind: secretText,
    preset: always(undefined),
    sentence:
      "The bearer token of the dashboard and its API, which refuse everybody without one. Who has it is an admin.",
  },
};
