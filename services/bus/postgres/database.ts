// The connections for statements: a few, each statement with its parameters apart and bounded in time. Makes the tables when
// they are missing, also when they go missing later.

import { readFileSync } from "node:fs";
import type { ClientBase, Pool, PoolClient } from "pg";
import { AntiphonError } from "../../runtime/errors.ts";
import { withDeadline } from "../../runtime/part.ts";
import { clientConfig, loadPg, prepare } from "./driver.ts";
import { isGone, unavailable } from "./failure.ts";

export interface DatabaseOptions {
  readonly url: string;
  readonly schema: string;
  readonly connections: number;
  readonly statementMs: number;
}

export interface Statement {
  /** It is prepared under it, once per connection. */
  readonly name: string;
  /** `antiphon.` stands for the schema. */
  readonly text: string;
}

export type Value = string | number | boolean | Buffer | readonly (string | number)[];

const SCHEMA_SQL = readFileSync(new URL("./schema.sql", import.meta.url), "utf8");
const SCHEMA_NAME = /\bantiphon(?=[.;])/g;
/** The last thing that the schema makes: where it is, all is there. */
const LAST_MADE = "bus_sweep_1";
const WAITING_MAX = 1000;
const CLOSE_MS = 1_000;

export class Database {
  readonly #options: DatabaseOptions;
  #pool: Pool | undefined;
  #made: Promise<void> | undefined;
  readonly #clients = new Set<PoolClient>();

  constructor(options: DatabaseOptions) {
    this.#options = options;
  }

  /** Connects when it is asked. @throws CONFIG_INVALID without `pg` */
  async open(): Promise<void> {
    const { Pool } = await loadPg();
    const { connections, ...options } = this.#options;
    const config = clientConfig({ ...options, name: "bus" });
    this.#pool = new Pool({ ...config, max: connections, onConnect: (client) => prepare(client, options) });
    // A connection that breaks while nobody uses it leaves the pool by itself.
    this.#pool.on("error", () => {});
    this.#pool.on("connect", (client) => {
      this.#clients.add(client);
      // One that was given up may still say why it ends; an error that nobody listens to would end this process.
      client.on("error", () => {});
    });
    this.#pool.on("remove", (client) => this.#clients.delete(client));
  }

  /** @throws what Postgres said, POSTGRES_UNAVAILABLE, CONFIG_INVALID */
  async ask<Row>(statement: Statement, values: readonly Value[]): Promise<Row[]> {
    const pool = this.#open;
    if (pool.waitingCount >= WAITING_MAX) throw unavailable(new Error(`${WAITING_MAX} statements wait already`));
    this.#made ??= this.#make(pool);
    try {
      await this.#made;
      const text = this.#inSchema(statement.text);
      return (await pool.query({ name: statement.name, text, values: [...values] })).rows as Row[];
    } catch (error) {
      if (isGone(error)) this.#made = undefined;
      throw error;
    }
  }

  /** Lets what was sent be answered, for a moment, and closes. */
  async close(): Promise<void> {
    const pool = this.#pool;
    this.#pool = undefined;
    if (pool === undefined) return;
    await withDeadline(pool.end(), CLOSE_MS, "Closing the connections").catch(() => {
      // Of a client that waits for an answer this destroys the connection.
      for (const client of this.#clients) client.end();
    });
  }

  get #open(): Pool {
    if (this.#pool === undefined) throw unavailable(new Error("This process is stopping."));
    return this.#pool;
  }

  async #make(pool: Pool): Promise<void> {
    try {
      const client = await pool.connect();
      try {
        if (!(await this.#isMade(client))) await this.#makeAlone(client);
        client.release();
      } catch (error) {
        client.release(true);
        throw error;
      }
    } catch (error) {
      this.#made = undefined;
      throw error;
    }
  }

  async #isMade(client: ClientBase): Promise<boolean> {
    const { schema } = this.#options;
    const { rows } = await client.query<{ encoding: string; made: boolean }>(
      "SELECT current_setting('server_encoding') AS encoding, to_regproc($1) IS NOT NULL AS made",
      [`"${schema}".${LAST_MADE}`],
    );
    const encoding = rows[0]?.encoding ?? "";
    if (encoding !== "UTF8") {
      const remedy = "use one that was made WITH ENCODING 'UTF8'";
      throw new AntiphonError("CONFIG_INVALID", `The bus: the encoding of the database is ${encoding}: ${remedy}.`);
    }
    return rows[0]?.made === true;
  }

  /** Processes that start together make it one after the other. */
  async #makeAlone(client: ClientBase): Promise<void> {
    const { schema } = this.#options;
    await client.query("BEGIN");
    await client.query("SELECT pg_advisory_xact_lock(hashtext($1), 0)", [`${schema}.bus`]);
    // `CREATE SCHEMA` asks for a right on the whole database even where the schema is there.
    const { rowCount } = await client.query("SELECT FROM pg_namespace WHERE nspname = $1", [schema]);
    const sql = rowCount === 0 ? SCHEMA_SQL : SCHEMA_SQL.replace(/^CREATE SCHEMA .*$/m, "");
    await client.query(this.#inSchema(sql));
    await client.query("COMMIT");
  }

  #inSchema(sql: string): string {
    return sql.replaceAll(SCHEMA_NAME, `"${this.#options.schema}"`);
  }
}
