// What processes say to each other when one shall look into another: over channels that keep nothing, sealed with a key that only
// those have who know the admins' tokens. Who can read Redis learns nothing of it, and who can write there is not heard.

import { createCipheriv, createDecipheriv, randomBytes, scrypt } from "node:crypto";
import type { Config } from "../config/config.ts";

export type LookConfig = Pick<Config, "adminToken" | "adminTokens" | "namespace" | "dev">;

export interface Asked {
  readonly kind: "who" | "threads" | "profile" | "snapshot" | "next" | "leave";
  /** Answers it. */
  readonly id: string;
  /** A process; "" for all. */
  readonly to: string;
  /** Where it is answered. */
  readonly asker: string;
  readonly thread?: string;
  readonly seconds?: number;
  readonly anyway?: boolean;
  /** Of `next` and `leave`. */
  readonly file?: string;
}

export interface Answered {
  readonly kind: "answer";
  readonly id: string;
  readonly from: string;
  readonly error?: { readonly code: string; readonly detail: string };
  /** JSON: what was asked for. */
  readonly told?: unknown;
}

/** One of them, and bytes of a file. */
export interface Word<T extends Asked | Answered> {
  readonly head: T;
  readonly bytes?: Buffer;
}

const IV_BYTES = 12;
const TAG_BYTES = 16;
const KEY_BYTES = 32;
const CIPHER = "aes-256-gcm";
const BREAK = 0x0a;

/** The same in all processes of a bot; undefined where they share no secret. */
export function sealOf({ adminToken, adminTokens, namespace, dev }: LookConfig): Seal | undefined {
  const admins = adminTokens.filter(({ role }) => role === "admin").map(({ secret }) => secret);
  const secrets = [...(adminToken === undefined ? [] : [adminToken]), ...admins.toSorted()];
  if (secrets.length === 0 && !dev) return undefined;
  return new Seal(secrets.join("\n"), `antiphon looks ${namespace}`);
}

export class Seal {
  readonly #secret: string;
  readonly #salt: string;
  #key: Promise<Buffer> | undefined;

  constructor(secret: string, salt: string) {
    this.#secret = secret;
    this.#salt = salt;
  }

  async close({ head, bytes = Buffer.alloc(0) }: Word<Asked | Answered>): Promise<Buffer> {
    const iv = randomBytes(IV_BYTES);
    const cipher = createCipheriv(CIPHER, await this.#keyed(), iv);
    const text = Buffer.concat([Buffer.from(`${JSON.stringify(head)}\n`), bytes]);
    const closed = Buffer.concat([cipher.update(text), cipher.final()]);
    return Buffer.concat([iv, cipher.getAuthTag(), closed]);
  }

  /** Undefined: it was closed with another key, or is no such thing. */
  async open<T extends Asked | Answered>(closed: Buffer): Promise<Word<T> | undefined> {
    try {
      const decipher = createDecipheriv(CIPHER, await this.#keyed(), closed.subarray(0, IV_BYTES), {
        authTagLength: TAG_BYTES,
      });
      decipher.setAuthTag(closed.subarray(IV_BYTES, IV_BYTES + TAG_BYTES));
      const text = Buffer.concat([decipher.update(closed.subarray(IV_BYTES + TAG_BYTES)), decipher.final()]);
      const end = text.indexOf(BREAK);
      return { head: JSON.parse(text.toString("utf8", 0, end)) as T, bytes: text.subarray(end + 1) };
    } catch {
      return undefined;
    }
  }

  /** Slow on purpose, once: a token may be weaker than a key should be. */
  #keyed(): Promise<Buffer> {
    this.#key ??= new Promise((resolve, reject) => {
      scrypt(this.#secret, this.#salt, KEY_BYTES, (error, key) => (error ? reject(error) : resolve(key)));
    });
    return this.#key;
  }
}
