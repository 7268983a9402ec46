// What the fake chat service is: made for tests of Leases, fences and outboxes. Its URL can change its class and its keys:
// tcp://host:port?ingress=overlap&idempotency=none&token=secret

import type { AdapterManifest, Idempotency, Ingress } from "../../sdk/adapter.ts";
import { AntiphonError } from "../../runtime/errors.ts";

export const FAKE: AdapterManifest = {
  name: "fake",
  ingress: "takeover",
  replay: "cursor",
  idempotency: "key",
  outbound: "socket",
  caps: {
    threads: true,
    edit: true,
    delete: false,
    react: true,
    upload: false,
    typing: false,
    topic: true,
    join: true,
    ephemeral: "anytime",
    buttons: false,
    modals: false,
    history: false,
    lookup: false,
    maxText: 4000,
    maxTextUnit: "chars",
    markup: "plain",
  },
};

const INGRESS: readonly Ingress[] = ["shared", "overlap", "takeover", "exclusive"];
const IDEMPOTENCY: readonly Idempotency[] = ["key", "reconcile", "none"];

export interface FakeAddress {
  readonly host: string;
  readonly port: number;
  readonly ingress: Ingress;
  readonly idempotency: Idempotency;
  readonly token: string | undefined;
}

export function parseFakeUrl(text: unknown): FakeAddress {
  const url = typeof text === "string" ? URL.parse(text) : null;
  const ingress = url?.searchParams.get("ingress") ?? FAKE.ingress;
  const idempotency = url?.searchParams.get("idempotency") ?? FAKE.idempotency;
  const token = url?.searchParams.get("token") ?? undefined;
  const known = INGRESS.find((one) => one === ingress);
  const knownIdempotency = IDEMPOTENCY.find((one) => one === idempotency);
  if (url?.protocol !== "tcp:" || url.hostname === "" || url.port === "" || !known || !knownIdempotency) {
    throw new AntiphonError("CONFIG_INVALID", "FAKE_URL must look like tcp://127.0.0.1:4000?ingress=…&idempotency=….");
  }
  return { host: url.hostname, port: Number(url.port), ingress: known, idempotency: knownIdempotency, token };
}
