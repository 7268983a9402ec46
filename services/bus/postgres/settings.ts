// What can be said about the bus' Postgres beside its URL, and what cannot be.

export interface PostgresSettings {
  /** Where the tables are. Default: `antiphon`. */
  readonly schema?: string;
  /** How many connections there are at most, one more listens. Default: 4. */
  readonly connections?: number;
  /** How long a statement may take, ms. Default: 3000. */
  readonly statementMs?: number;
}

export const POSTGRES_DEFAULTS = { schema: "antiphon", connections: 4, statementMs: 3_000 } as const;

const SCHEMA = /^[a-z_][a-z0-9_]{0,62}$/;
const URL_START = /^postgres(ql)?:\/\//;
const CONNECTIONS_MAX = 100;

/** Every reason why it cannot be. */
export function postgresProblems(url: string, settings: PostgresSettings): string[] {
  const { schema, connections, statementMs } = { ...POSTGRES_DEFAULTS, ...settings };
  const problems: string[] = [];
  if (!URL_START.test(url)) problems.push("url must begin with postgres://");
  if (!SCHEMA.test(schema)) problems.push("postgres.schema must be 1 to 63 of a-z, 0-9 and _, and begin with no digit");
  if (!Number.isInteger(connections) || connections < 1 || connections > CONNECTIONS_MAX) {
    problems.push(`postgres.connections must be 1 to ${CONNECTIONS_MAX}`);
  }
  if (!Number.isInteger(statementMs) || statementMs < 1)
    problems.push("postgres.statementMs must be a whole number above 0");
  return problems;
}
