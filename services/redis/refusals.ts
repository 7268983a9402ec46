// Why a connection did not come about, in a sentence for whoever can mend it.

export interface Refusal {
  /** `unfit`: it stays so until somebody changes the server or REDIS_URL. */
  readonly state: "away" | "unfit";
  readonly detail: string;
}

interface Row {
  readonly says: RegExp;
  readonly state: Refusal["state"];
  readonly detail: (problem: string) => string;
}

const WITHOUT_PASSWORD: Row = {
  says: /^NOAUTH\b/,
  state: "unfit",
  detail: () => "It wants a password, and REDIS_URL has none. Remedy: write REDIS_URL as redis://user:password@host.",
};
/** Since Redis 6 the password goes along with HELLO, which is never answered so. */
const WITH_PASSWORD: Row = {
  says: /^NOAUTH\b/,
  state: "unfit",
  detail: () => "It does not know how users log in since Redis 6. Remedy: use Redis 7.0 or Valkey 7.2 or newer.",
};
const ROWS: readonly Row[] = [
  {
    says: /^DENIED\b.*protected mode/s,
    state: "unfit",
    detail: () =>
      "It is in protected mode: it has no password, and so it answers nobody but its own machine. Remedy: give it one (requirepass) and write it into REDIS_URL; or, where no stranger can reach it, CONFIG SET protected-mode no.",
  },
  {
    says: /^(WRONGPASS|NOPERM)\b/,
    state: "unfit",
    detail: (problem) => `It refused the user or password (${problem}). Remedy: correct REDIS_URL.`,
  },
  {
    says: /^ERR max number of clients/,
    state: "away",
    detail: () =>
      "It has as many connections as it takes. Remedy: raise its maxclients, or see who has them (CLIENT LIST).",
  },
];
/** The connection came about, and was closed without a word. */
const CLOSED: Row = {
  says: /EPIPE|ECONNRESET|^$/,
  state: "away",
  detail: (problem) =>
    `It closed the connection before it answered${problem === "" ? "" : ` (${problem})`}. Is it Redis, and does it want TLS (rediss://)?`,
};

/** `wasConnected`: and not ready yet. */
export function refusalOf(
  problem: string | undefined,
  { hasPassword, wasConnected }: { readonly hasPassword: boolean; readonly wasConnected: boolean },
): Refusal {
  const rows = [hasPassword ? WITH_PASSWORD : WITHOUT_PASSWORD, ...ROWS, ...(wasConnected ? [CLOSED] : [])];
  const row = rows.find(({ says }) => says.test(problem ?? ""));
  if (row === undefined) return { state: "away", detail: problem ?? "The connection was closed." };
  return { state: row.state, detail: row.detail(problem ?? "") };
}
