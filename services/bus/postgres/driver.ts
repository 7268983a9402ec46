// `pg`, loaded at the first need: those whose bus is in Redis need not install it. And what all of its connections share.

import type * as Pg from "pg";
import type { ClientBase, ClientConfig } from "pg";
import { AntiphonError } from "../../runtime/errors.ts";

export interface ConnectionOptions {
  readonly url: string;
  readonly name: string;
  readonly statementMs: number;
}

const CONNECT_MS = 3_000;
/** How much later than Postgres itself this side gives up: then the connection is dead, and is closed. */
const ANSWER_MS = 1_000;

/** @throws CONFIG_INVALID with what to install */
export async function loadPg(): Promise<typeof Pg> {
  try {
    return await import("pg");
  } catch (cause) {
    if ((cause as { readonly code?: unknown }).code !== "ERR_MODULE_NOT_FOUND") throw cause;
    const detail = 'The bus: backend "postgres" needs the package pg, which is not installed: npm install pg';
    throw new AntiphonError("CONFIG_INVALID", detail, { cause });
  }
}

export function clientConfig({ url, name, statementMs }: ConnectionOptions): ClientConfig {
  return {
    connectionString: url,
    application_name: `antiphon:${name}`,
    connectionTimeoutMillis: CONNECT_MS,
    query_timeout: statementMs + ANSWER_MS,
    keepAlive: true,
  };
}

/** Said on the connection, because poolers refuse it among the parameters of its start. */
export async function prepare(
  client: ClientBase,
  { statementMs }: Pick<ConnectionOptions, "statementMs">,
): Promise<void> {
  await client.query(
    `SET statement_timeout = ${statementMs}; SET default_transaction_isolation = 'read committed'; ` +
      "SET client_min_messages = warning",
  );
}
