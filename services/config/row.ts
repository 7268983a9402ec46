// A row of the table of settings: where a setting is written, what it may be, its default and its sentence in the documentation.

import type { Kind } from "./kinds.ts";

/** `tool` is every command that is no mode: it needs no Redis until it asks for one. */
export type ConfigFor = "dev" | "master" | "worker" | "tool";

/** What the settings depend on besides themselves. Given by main and by tests. */
export interface Surroundings {
  readonly env: Readonly<Record<string, string | undefined>>;
  readonly cwd: string;
  readonly cores: number;
  /** Whether people read the output. */
  readonly terminal: boolean;
  /** Started by `antiphon dev`: guests of the web chat are admins and the admin server asks for no token. */
  readonly dev: boolean;
  /** The settings file when ANTIPHON_CONFIG names none. */
  readonly file?: string;
}

export interface Row<T> {
  /** The environment variable; a row without one is set in the file alone. */
  readonly variable?: string;
  readonly kind: Kind<T>;
  readonly preset: (around: Surroundings, purpose: ConfigFor) => T;
  /** For the documentation, where the value depends on the machine. */
  readonly presetSaid?: string;
  readonly sentence: string;
}

/** The key is the name in the settings file. */
export type Rows<V> = { readonly [K in keyof V]: Row<V[K]> };

/** Where only the names of the rows are of interest. */
export type AnyRows = Readonly<Record<string, Row<unknown>>>;

/** A default that depends on nothing. */
export function always<T>(value: T): () => T {
  return () => value;
}
